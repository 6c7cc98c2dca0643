//! The one layout of descriptors.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::{Checked, Kind, files};
use crate::catalog::{Catalog, File};
use crate::format::KeyOrder;
use crate::parallel;
use crate::source::{Code, Finding, Severity, Source};
use crate::yaml::layout::{Order, Refusal, layout};

/// A file, and what its layout makes of it.
#[derive(Debug)]
pub(crate) struct Formatted {
    /// The file's name, for people.
    pub name: String,
    /// What its layout makes of it.
    pub outcome: Outcome,
}

/// What the one layout makes of a file.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It has the layout.
    Kept,
    /// It would have this text.
    Changed(Arc<Source>, String),
    /// It is no descriptor, and stays as it is.
    Foreign,
    /// It cannot be laid out.
    Broken(Vec<Finding>),
}

/// Lays out the files at these paths; without paths, those of the catalog that are on disk. Nothing is written.
///
/// # Errors
/// When a path does not exist, a folder has no descriptor, or a glob is malformed or matches nothing.
pub(crate) fn formatted(paths: &[String], catalog: &Catalog) -> Result<Vec<Formatted>, String> {
    let files = match paths.is_empty() {
        true => catalog
            .files()
            .into_iter()
            .filter(File::is_on_disk)
            .collect(),
        false => files::at(paths)?,
    };
    Ok(parallel::map(&files, |file| Formatted {
        name: file.display(),
        outcome: of_file(file),
    }))
}

/// As [`formatted`], of files that were read by a check. What is broken was told by it.
pub(crate) fn formatted_of(checked: &[Checked]) -> Vec<Formatted> {
    parallel::map(checked, |checked| {
        let name = checked.file.display();
        let outcome = match &checked.seen.source {
            Some(source) => of_source(source, is_service(&name)),
            None => Outcome::Broken(Vec::new()),
        };
        Formatted { name, outcome }
    })
}

fn of_file(file: &File) -> Outcome {
    match file.open() {
        Ok(source) => of_source(&source, is_service(&file.display())),
        Err(findings) => Outcome::Broken(findings),
    }
}

/// Lays out a text; `name` stands for its file.
pub(crate) fn of_text(name: &str, text: String) -> Outcome {
    match Source::parse(name.to_owned(), text.into()) {
        Ok(source) => of_source(&source, is_service(name)),
        Err(findings) => Outcome::Broken(findings),
    }
}

fn is_service(name: &str) -> bool {
    Path::new(name)
        .file_name()
        .is_some_and(|name| name == "service.yaml")
}

fn of_source(source: &Arc<Source>, is_service: bool) -> Outcome {
    let Some(kind) = kind_of(source.value(), is_service) else {
        return Outcome::Foreign;
    };
    match layout(source.text(), &KeyOrder::of(kind.schema())) {
        Ok(text) if text == source.text() => Outcome::Kept,
        Ok(text) => Outcome::Changed(Arc::clone(source), text),
        Err(refusal) => Outcome::Broken(vec![refused(source, refusal)]),
    }
}

/// The kind of a descriptor, by its first keys.
fn kind_of(value: &Value, is_service: bool) -> Option<Kind> {
    let has = |key| value.get(key).is_some();
    match () {
        () if has("tool") => Some(Kind::Tool),
        #[cfg(feature = "sandbox")]
        () if has("sandbox") => Some(Kind::Sandbox),
        () if has("policy") => Some(Kind::Policy),
        () if has("callers") => Some(Kind::Callers),
        () if has("service") || is_service => Some(Kind::Service),
        () => None,
    }
}

fn refused(source: &Arc<Source>, refusal: Refusal) -> Finding {
    let message = match refusal {
        Refusal::NoCollection => "this is no map, so it has no layout",
        Refusal::LineEnds => "some lines end in a carriage return alone; write line feeds",
        Refusal::Unread | Refusal::Unknown => {
            "the layout of this text is not understood, so it stays as it is"
        }
        Refusal::Large => {
            "in the one layout this text would be larger than a descriptor may be, so it stays as it is"
        }
        Refusal::Meaning => {
            "in the one layout this text would mean something else, so it stays as it is"
        }
        Refusal::Comments => {
            "in the one layout a comment would be lost, so the text stays as it is"
        }
    };
    Finding {
        code: Code::NotFormatted,
        severity: Severity::Error,
        message: message.to_owned(),
        help: None,
        span: 0..0,
        source: Arc::clone(source),
    }
}

/// The finding of a text that has another layout: at the first line that differs.
pub(crate) fn difference(source: &Arc<Source>, text: &str) -> Finding {
    let old = source.text();
    let mut at = 0;
    for (mine, theirs) in old.split_inclusive('\n').zip(text.split_inclusive('\n')) {
        if mine != theirs {
            break;
        }
        at += mine.len();
    }
    let line = old[at..]
        .split('\n')
        .next()
        .unwrap_or_default()
        .trim_end_matches('\r');
    let indent = line.len() - line.trim_start_matches(' ').len();
    Finding {
        code: Code::NotFormatted,
        severity: Severity::Error,
        message: "this is not in the one layout of descriptors".to_owned(),
        help: None,
        span: at + indent..at + line.len(),
        source: Arc::clone(source),
    }
}

impl Order for KeyOrder<'_> {
    fn ranks(&self, names: &[&str]) -> Option<Vec<usize>> {
        KeyOrder::ranks(self, names)
    }
    fn member(&self, name: &str) -> Self {
        KeyOrder::member(self, name)
    }
    fn item(&self) -> Self {
        KeyOrder::item(self)
    }
}
