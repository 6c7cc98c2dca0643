//! `toolrun import FORMAT DOCUMENT --check`: what changed in the document since its descriptors were made.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::ReportFormat;
use crate::catalog::{File, Texts};
use crate::cli::diff::{Kind, Told};
use crate::cli::{Done, failed_if, judged, note, usage};
use crate::diff::{Class, Side, compare_document};
use crate::import::Import;
use crate::import::folder::Folder;

/// Says what changed, and ends with the exit code of an invalid descriptor if tools changed with it.
pub(super) fn run(
    document: &Path,
    format: ReportFormat,
    path: &Path,
    folder: &Folder,
    import: &Import,
) -> Done {
    let fresh: HashSet<Option<&str>> = import
        .files
        .iter()
        .map(|file| file.key.as_deref())
        .collect();
    // An operation that was not selected this time is not gone.
    let counts = |key: Option<&str>| {
        fresh.contains(&key) || key.is_none_or(|key| !import.operations.contains(key))
    };
    let here: Vec<(File, PathBuf)> = folder
        .imported()
        .filter(|(key, _, _)| counts(*key))
        .map(|(_, name, _)| (File::at(path.join(name)), PathBuf::from(name)))
        .collect();
    if here.is_empty() {
        let place = path.display();
        return Err(usage(format!(
            "{place} has no descriptors that were imported"
        )));
    }
    let base: Vec<(&str, &str)> = folder
        .as_imported()
        .filter(|(key, _, _)| counts(*key))
        .map(|(_, name, text)| (name, text))
        .collect();
    if base.is_empty() {
        note(
            "how the descriptors were imported is not known (.imported is gone), so that changes by hand are told too",
        );
    }
    let files = import
        .files
        .iter()
        .map(|file| (file.name.as_str(), file.text.as_str()));
    let base = (!base.is_empty()).then(|| in_memory("the import", path, base.into_iter()));
    let fresh = in_memory(&document.display().to_string(), path, files);
    let here = Side::new(&path.display().to_string(), here);
    let comparison = compare_document(base.as_ref(), &here, &fresh);
    let changes = comparison.changes.iter();
    let fails = changes
        .clone()
        .any(|change| change.classes.worst() > Class::Cosmetic)
        || !comparison.errors.is_empty();
    let told = Told {
        names: (here.name, fresh.name),
        comparison,
        all: true,
    };
    let printed = told.print(match format {
        ReportFormat::Human => Kind::Human,
        ReportFormat::Json => Kind::Json,
        ReportFormat::Sarif => Kind::Sarif,
        ReportFormat::Github => Kind::Github,
    });
    judged(printed, failed_if(fails))
}

/// Files that stand in a folder, with other texts.
fn in_memory<'t>(
    name: &str,
    folder: &Path,
    files: impl Iterator<Item = (&'t str, &'t str)>,
) -> Side {
    let files = files.map(|(name, text)| (folder.join(name), Ok(text.to_owned())));
    let texts = Texts::new("", files);
    let files = texts.all().into_iter().map(|file| {
        let own = file.path().strip_prefix(folder).unwrap_or(file.path());
        let own = own.to_path_buf();
        (file, own)
    });
    Side::new(name, files.collect())
}
