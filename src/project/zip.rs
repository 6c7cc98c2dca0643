//! Rows of parallel arrays: `{ zip: { date: $.days, count: $.counts }, index: i }` gives a row for each place, with the
//! texts of the values as they are.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::projector::{Done, Projector, write, write_list};
use super::wanted::Found;
use super::{Frame, Node, Pick, ProjectError, compile_path};
use crate::json::{Kind, Part};
use crate::jsonpath::JsonPath;
use crate::source::{Check, Code, join};
use crate::template::{Can, Expression, Names};
use crate::words::nearest;

/// A row for each place of parallel arrays.
#[derive(Debug)]
pub(crate) struct Zip {
    columns: Vec<Column>,
    /// The key that counts the rows from 0.
    index: Option<String>,
    /// The value of places that a shorter array lacks.
    fill: Option<Value>,
    /// What is made of each row; the row itself when absent.
    row: Option<Box<Projector>>,
}

#[derive(Debug)]
struct Column {
    name: String,
    pick: Pick,
}

/// The keys of a `zip`.
const KEYS: [&str; 4] = ["zip", "index", "fill", "as"];

/// The columns, if a map is a `zip`. A map may as well be an output that has a key of this name, such as the `zip` of an
/// address, so its value must be a map, and all keys must be known or misspelt.
pub(super) fn columns(members: &Map<String, Value>) -> Option<&Map<String, Value>> {
    let columns = members.get("zip")?.as_object()?;
    let is_near = |key: &str| KEYS.contains(&key) || nearest(key, KEYS.into_iter()).is_some();
    members.keys().all(|key| is_near(key)).then_some(columns)
}

impl Zip {
    /// Compiles the map at `pointer`; mistakes go to `check`.
    pub(super) fn compile(
        columns: &Map<String, Value>,
        members: &Map<String, Value>,
        pointer: &str,
        names: &Names,
        check: &Check,
    ) -> Option<Zip> {
        for key in members.keys().filter(|key| !KEYS.contains(&key.as_str())) {
            check.error_at_key(
                Code::UnknownKey,
                &join(pointer, key),
                format!("`{key}` beside `zip` is no key of it"),
                nearest(key, KEYS.into_iter()),
            );
        }
        let at = join(pointer, "zip");
        if columns.is_empty() {
            check.error_with_help(
                Code::BadProjection,
                &at,
                "`zip` needs at least one array",
                "write `zip: { date: $.days, count: $.counts }`",
            );
        }
        let mut compiled = Vec::with_capacity(columns.len());
        for (name, path) in columns {
            let at = join(&at, name);
            match path {
                Value::String(text) if text.starts_with('$') => {
                    let pick = Pick::from(compile_path(text, &at, check)?);
                    let name = name.clone();
                    compiled.push(Column { name, pick });
                }
                _ => check.error_with_help(
                    Code::BadProjection,
                    &at,
                    "each array of a `zip` is a JSONPath",
                    "write the path of the array, such as `$.days`",
                ),
            }
        }
        let index = match members.get("index") {
            None => None,
            Some(Value::String(name)) if !name.is_empty() && !columns.contains_key(name) => {
                Some(name.clone())
            }
            Some(_) => {
                check.error(
                    Code::BadProjection,
                    &join(pointer, "index"),
                    "`index` names the key that counts the rows, and no array has that name",
                );
                None
            }
        };
        let inner = names.clone().with("item").of_type("$", Can::be_anything());
        let row = members.get("as").map(|node| {
            let node = Node::compile(node, &join(pointer, "as"), &inner, check);
            Box::new(Projector::new(node))
        });
        Some(Zip {
            columns: compiled,
            index,
            fill: members.get("fill").cloned(),
            row,
        })
    }

    pub(super) fn visit(&self, visit: &mut dyn FnMut(&Expression)) {
        if let Some(row) = &self.row {
            row.node().visit(visit);
        }
    }

    /// What is made of each row.
    pub(super) fn row(&self) -> Option<&Projector> {
        self.row.as_deref()
    }

    /// The keys of each row.
    pub(super) fn keys(&self) -> Vec<String> {
        let names = self.columns.iter().map(|column| column.name.clone());
        names.chain(self.index.clone()).collect()
    }

    /// Whether the rows are counted.
    pub(super) fn counts_rows(&self) -> bool {
        self.index.is_some()
    }

    /// The paths of the arrays.
    pub(super) fn paths(&self) -> impl Iterator<Item = &JsonPath> {
        self.columns.iter().map(|column| &column.pick.path)
    }

    pub(super) fn picks(&mut self) -> impl Iterator<Item = &mut Pick> {
        self.columns.iter_mut().map(|column| &mut column.pick)
    }

    /// Writes the rows.
    pub(super) fn write<'t>(
        &self,
        at: Part<'t>,
        found: &Found<'t>,
        frame: &Frame<'_>,
        out: &mut Vec<u8>,
    ) -> Done {
        let mut arrays = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            let array = column.array(at, found, frame);
            arrays.push(array.map_err(|error| error.under(&column.name))?);
        }
        let mut places: Vec<_> = arrays
            .iter()
            .map(|text| Part::between(text, 0, text.len()).elements())
            .collect();
        let fill = self.fill.as_ref().map(Value::to_string);
        let mut row = Vec::new();
        let mut count: u64 = 0;
        write_list(out, |list| {
            loop {
                let values: Vec<_> = places.iter_mut().map(Iterator::next).collect();
                if values.iter().all(Option::is_none) {
                    return Ok(());
                }
                if fill.is_none() && values.iter().any(Option::is_none) {
                    return Err(self.unequal(&arrays));
                }
                row.clear();
                row.push(b'{');
                for (column, value) in self.columns.iter().zip(&values) {
                    let value = value.map(|part| part.text());
                    let fill = fill.as_deref().unwrap_or_default().as_bytes();
                    push_member(&mut row, &column.name, value.unwrap_or(fill));
                }
                if let Some(index) = &self.index {
                    push_member(&mut row, index, count.to_string().as_bytes());
                }
                row.push(b'}');
                count += 1;
                self.write_row(&row, frame, list.next())?;
            }
        })
    }

    fn write_row(&self, row: &[u8], frame: &Frame<'_>, out: &mut Vec<u8>) -> Done {
        let Some(projector) = &self.row else {
            out.extend_from_slice(row);
            return Ok(());
        };
        let part = Part::between(row, 0, row.len());
        let mut found = Found::default();
        projector.find(part, &mut found);
        let frame = frame.entering("item", part, projector.reads());
        write(projector.node(), part, &found, &frame, out)?;
        frame.leave();
        Ok(())
    }

    /// Arrays of different lengths have no rows in common.
    fn unequal(&self, arrays: &[Cow<'_, [u8]>]) -> ProjectError {
        let lengths = self.columns.iter().zip(arrays).map(|(column, text)| {
            let length = Part::between(text, 0, text.len()).elements().count();
            format!("`{}` has {length}", column.name)
        });
        let lengths: Vec<String> = lengths.collect();
        ProjectError::new(format!(
            "the arrays of the `zip` have different lengths: {}; `fill: null` would fill the gaps",
            lengths.join(", ")
        ))
    }
}

impl Column {
    /// The text of the array that the path selects. An array that is missing or null is empty.
    fn array<'t>(
        &self,
        at: Part<'t>,
        found: &Found<'t>,
        frame: &Frame<'_>,
    ) -> Result<Cow<'t, [u8]>, ProjectError> {
        if !self.pick.path.is_singular() {
            let mut text = Vec::new();
            write_list(&mut text, |list| {
                self.pick.visit(at, found, frame, &mut |part| {
                    list.next().extend_from_slice(part.text());
                    Ok(())
                })
            })?;
            return Ok(Cow::Owned(text));
        }
        match self.pick.select(at, found)? {
            None => Ok(Cow::Borrowed(b"[]")),
            Some(part) => match part.kind() {
                Kind::Array => Ok(Cow::Borrowed(part.text())),
                Kind::Null => Ok(Cow::Borrowed(b"[]")),
                other => Err(ProjectError::new(format!(
                    "`{}` must be an array, and the response has {} there",
                    self.pick.path.as_str(),
                    other.name()
                ))),
            },
        }
    }
}

fn push_member(row: &mut Vec<u8>, name: &str, value: &[u8]) {
    if row.len() > 1 {
        row.push(b',');
    }
    row.extend_from_slice(Value::from(name).to_string().as_bytes());
    row.push(b':');
    row.extend_from_slice(value);
}
