//! Where the lines come from: a file, standard input, or the rows of another tool.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{Begin, Input};
use crate::batch::{Columns, Line, Lines, Loader, LoadingError, Notation, Shape, Spool};
use crate::cli::arguments::{self, Clock};
use crate::cli::config::InForce;
use crate::cli::interrupt::{arrived, unless_interrupted};
use crate::cli::reach::{self, Reached};
use crate::cli::terminal::Progress;
use crate::cli::{Failure, exit, usage};
use crate::json::{Json, Kind, Part};
use crate::{Access, Call, Catalog, Tool};

/// So many lines are read between two looks at signals and the line of progress.
const LOOK: u64 = 1_000;

/// The lines that were left out, on disk.
struct Invalid {
    file: io::BufWriter<File>,
    path: String,
}

impl Invalid {
    fn new(path: &Path) -> Result<Invalid, Failure> {
        let shown = path.display().to_string();
        let file = File::create(path).map_err(|error| {
            Failure::Told(exit::OUTPUT, format!("cannot write {shown}: {error}"))
        })?;
        Ok(Invalid {
            file: io::BufWriter::new(file),
            path: shown,
        })
    }

    fn add(&mut self, line: &Line, problem: &str) -> Result<(), Failure> {
        let line =
            serde_json::json!({ "line": line.number, "problem": problem, "text": line.text });
        writeln!(self.file, "{line}").map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &io::Error) -> Failure {
        Failure::Told(exit::OUTPUT, format!("cannot write {}: {error}", self.path))
    }
}

/// Takes lines, and checks now and then whether somebody wants to stop.
struct Taking<'s> {
    loader: Loader<'s>,
    invalid: Option<Invalid>,
    count: u64,
}

impl Taking<'_> {
    fn add(&mut self, line: &Line) -> Result<(), Failure> {
        self.count += 1;
        if self.count.is_multiple_of(LOOK) {
            Progress::says(format!("{} lines are checked", self.count));
            if let Some(signal) = arrived() {
                return Err(signal.failure("nothing was stored"));
            }
        }
        let problem = self.loader.add(line).map_err(LoadingError::from)?;
        match (problem, &mut self.invalid) {
            (Some(problem), Some(invalid)) => invalid.add(line, &problem),
            _ => Ok(()),
        }
    }

    fn finish(mut self) -> Result<Spool, Failure> {
        if let Some(invalid) = &mut self.invalid
            && let Err(error) = invalid.file.flush()
        {
            return Err(invalid.failed(&error));
        }
        Ok(self.loader.finish().map_err(LoadingError::from)?)
    }
}

impl From<LoadingError> for Failure {
    fn from(error: LoadingError) -> Failure {
        match error {
            LoadingError::Store(error) => error.into(),
            LoadingError::Lines(error) => usage(error.to_string()),
            LoadingError::File(_) => Failure::Told(exit::OUTPUT, error.to_string()),
        }
    }
}

impl Begin {
    /// Reads and checks all lines. With them comes what people call their source.
    pub(super) async fn read(
        &self,
        tool: &Arc<Tool>,
        catalog: &Catalog,
        in_force: &InForce,
        reached: &Reached,
    ) -> Result<(Spool, String), Failure> {
        let wrong = |error: crate::batch::ShapeError| usage(error.to_string());
        let mut shape = Shape::new(tool, self.fixed(tool)?, Timestamp::now());
        for pair in &self.map {
            let (name, text) = pair
                .split_once('=')
                .ok_or_else(|| usage(format!("--map {pair}: write PARAM=EXPR")))?;
            shape = shape.with_param(name, text).map_err(wrong)?;
        }
        if let Some(key) = &self.key {
            shape = shape.with_key(key).map_err(wrong)?;
        }
        match (&self.from, &self.file) {
            (Some(from), _) => {
                let spool = self
                    .read_rows(from, tool, &shape, catalog, in_force, reached)
                    .await?;
                Ok((spool, format!("the rows of {from}")))
            }
            (None, Some(file)) => {
                let lines = self.open(file)?;
                let shape = shape.with_columns(lines.names()).map_err(wrong)?;
                let mut taking = self.taking(&shape)?;
                for line in lines {
                    taking.add(&line.map_err(LoadingError::from)?)?;
                }
                let source = match file.as_str() {
                    "-" => "standard input",
                    file => file,
                };
                Ok((taking.finish()?, source.to_owned()))
            }
            (None, None) => Err(usage(
                "name the file of argument lines, - for standard input, or a tool with --from",
            )),
        }
    }

    fn taking<'s>(&self, shape: &'s Shape<'s>) -> Result<Taking<'s>, Failure> {
        Ok(Taking {
            loader: Loader::new(shape, self.shard).map_err(LoadingError::from)?,
            invalid: self.skip_invalid.as_deref().map(Invalid::new).transpose()?,
            count: 0,
        })
    }

    /// The arguments of all lines.
    fn fixed(&self, tool: &Arc<Tool>) -> Result<Map<String, Value>, Failure> {
        words(tool, &self.arg)
    }

    fn open(&self, file: &str) -> Result<Lines, Failure> {
        let notation = match self.input {
            Some(Input::Ndjson) => Some(Notation::Ndjson),
            Some(Input::Csv) => match Notation::of_name(file) {
                Some(by @ Notation::Separated(_)) => Some(by),
                _ => Some(Notation::Separated(b',')),
            },
            None => Notation::of_name(file),
        };
        let lines = match file {
            "-" => Lines::new(io::stdin(), notation),
            path => {
                let opened = File::open(path)
                    .map_err(|error| usage(format!("cannot read {path}: {error}")))?;
                Lines::new(opened, notation)
            }
        };
        lines.map_err(|error| usage(format!("{file}: {error}")))
    }

    /// Reads the rows of another tool, all pages.
    async fn read_rows(
        &self,
        from: &str,
        tool: &Arc<Tool>,
        shape: &Shape<'_>,
        catalog: &Catalog,
        in_force: &InForce,
        reached: &Reached,
    ) -> Result<Spool, Failure> {
        let mut catalog = catalog.clone();
        let source = reach::tool(&mut catalog, from, self.reach.asks_no_service())?;
        if source.access != Access::Read {
            return Err(usage(format!(
                "--from: {from} is no tool that reads, but a {} tool",
                source.access
            )));
        }
        let arguments = words(&source, &self.from_arg)?;
        let mut own = None;
        if source.service.id != tool.service.id {
            let settings = reach::settings(&source, &self.reach.set, in_force);
            let sandbox = self.reach.sandbox.as_deref();
            let here = &self.reach.here;
            own = Some(reach::engine(&catalog, &source, &settings, sandbox, here, in_force).await?);
        }
        let engine = own.as_ref().map_or(&reached.engine, |own| &own.engine);
        let mut call = Call::new(&source, Value::Object(arguments)).max_pages(u64::MAX);
        if let Some(timeout) = self.reach.timeout {
            call = call.timeout(timeout);
        }
        let mut taking = self.taking(shape)?;
        let mut pages = engine.pages(call)?;
        loop {
            let page = match unless_interrupted(pages.next()).await {
                Ok(page) => page?,
                Err(signal) => return Err(signal.failure("nothing was stored")),
            };
            let Some(page) = page else { break };
            let output = pages.output(&page)?;
            let rows = source.projection.rows(output.part());
            let rows = rows.ok_or_else(|| usage(format!("--from: {from} gives no rows")))?;
            for row in rows.elements() {
                let number = taking.count + 1;
                taking.add(&line_of(number, row))?;
            }
        }
        if let Some(note) = pages.note() {
            crate::cli::note(&format!("{from}: {note}"));
        }
        taking.finish()
    }
}

/// A row of another tool as a line. A number with more digits than can be computed with becomes a text.
fn line_of(number: u64, row: Part<'_>) -> Line {
    let mut columns = Ok(Map::new());
    let mut add = |name: String, value: Part<'_>| {
        let read = match value.kind() {
            Kind::Number if !value.is_exact() => {
                Ok(String::from_utf8_lossy(value.text()).into_owned().into())
            }
            _ => Json::read(value.text().to_vec().into())
                .and_then(|json| json.value().map_err(|error| error.to_string())),
        };
        match (read, &mut columns) {
            (Ok(value), Ok(columns)) => drop(columns.insert(name, value)),
            (Err(error), columns) => *columns = Err(format!("{name}: {error}")),
            (Ok(_), Err(_)) => {}
        }
    };
    match row.kind() {
        Kind::Object => row
            .members()
            .for_each(|(name, value)| add(name.name().into_owned(), value)),
        _ => add("value".to_owned(), row),
    }
    Line {
        number,
        columns: columns.map(|values| Columns {
            values,
            are_texts: false,
        }),
        text: String::from_utf8_lossy(row.text()).into_owned(),
    }
}

/// Arguments by words, as in `toolrun call`.
fn words(tool: &Arc<Tool>, words: &[String]) -> Result<Map<String, Value>, Failure> {
    let read = arguments::parse(tool, words, &Clock::of_system()).map_err(usage)?;
    match read.unsettled() {
        Value::Object(members) => Ok(members),
        _ => Ok(Map::new()),
    }
}
