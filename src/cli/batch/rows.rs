//! The rows of a run: to standard output or to a file, in the order of its lines.

use std::io::Write as _;
use std::path::Path;

use super::Written;
use crate::batch::{Rows, keyed};
use crate::cli::interrupt::{arrived, next_signal_ends};
use crate::cli::terminal::{self, Progress};
use crate::cli::{Done, Failure, exit};
use crate::json::Json;
use crate::store::Store;
use crate::table::{Format, Sheet};

/// Writes the rows of all jobs that are done.
pub(super) async fn write(store: &Store, run: &str, written: &Written) -> Done {
    written.check()?;
    let format = written.format()?;
    match (written.is_printed(), format) {
        (true, Format::Ndjson) => print(store, run).await,
        (true, _) => {
            // The columns are known only after the last row.
            let folder = tempfile::tempdir()?;
            let path = folder.path().join("rows");
            save(store, run, &path, format).await?;
            let mut file = std::fs::File::open(&path)?;
            drop(folder);
            next_signal_ends();
            let mut stdout = terminal::data();
            std::io::copy(&mut file, &mut stdout)?;
            Ok(stdout.flush()?)
        }
        (false, _) => {
            let path = written.out.as_deref().unwrap_or(Path::new(""));
            let count = save(store, run, path, format).await?;
            let end = if count == 1 { "" } else { "s" };
            terminal::say(&format!("{count} row{end} in {}", path.display()));
            Ok(())
        }
    }
}

async fn print(store: &Store, run: &str) -> Done {
    let mut rows = Rows::new(store, run);
    let mut stdout = terminal::json();
    next_signal_ends();
    loop {
        let next = rows.next().await?;
        if next.is_empty() {
            return Ok(stdout.flush()?);
        }
        for (key, row) in next {
            let row = keyed(&key, row).map_err(broken)?;
            stdout.write_all(row.as_bytes())?;
            stdout.write_all(b"\n")?;
        }
    }
}

/// Writes a file, whole. Gives how many rows it has.
async fn save(store: &Store, run: &str, path: &Path, format: Format) -> Result<u64, Failure> {
    let cannot = |error: std::io::Error| {
        Failure::Told(
            exit::OUTPUT,
            format!("cannot write {}: {error}", path.display()),
        )
    };
    let mut sheet = Sheet::new(path, format).map_err(cannot)?;
    let mut rows = Rows::new(store, run);
    let mut count = 0_u64;
    loop {
        let next = rows.next().await?;
        if next.is_empty() {
            break;
        }
        for (key, row) in next {
            let row = Json::read(keyed(&key, row).map_err(broken)?.into()).map_err(broken)?;
            sheet.add(row.part()).map_err(cannot)?;
            count += 1;
        }
        Progress::says(format!("{count} rows are written"));
        if let Some(signal) = arrived() {
            return Err(signal.failure(&format!(
                "nothing was written; `toolrun batch rows {run}` writes the rows"
            )));
        }
    }
    sheet.finish().map_err(cannot)
}

fn broken(error: String) -> Failure {
    Failure::Told(exit::OUTPUT, format!("a row in the store: {error}"))
}
