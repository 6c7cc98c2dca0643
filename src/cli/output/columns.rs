//! The columns of rows: those that the user named, those that the descriptor names, or those that the rows have.

use crate::json::{Kind, Part};
use crate::project::Projection;
use indexmap::IndexSet;

use super::view::{VALUE, View, field};

/// Names of columns, in their order.
pub(crate) struct Columns {
    names: IndexSet<String>,
    /// Whether a name may lead into a field.
    has_paths: bool,
}

impl Columns {
    /// The columns of a tool's rows where they are known before any row is: the user or the descriptor names them.
    pub(crate) fn known(view: &View, projection: &Projection) -> Option<Columns> {
        let names = match view.shown() {
            [] => projection.columns()?.into_iter().collect(),
            names => names.iter().cloned().collect(),
        };
        Some(Columns {
            names,
            has_paths: !view.shown().is_empty(),
        })
    }

    /// The columns that rows turned out to have.
    pub(crate) fn found(names: IndexSet<String>) -> Columns {
        Columns {
            names,
            has_paths: false,
        }
    }

    /// Looks for the columns of rows; none where there are more than so many.
    pub(crate) fn of(rows: Part<'_>, most: usize) -> Option<Columns> {
        let (mut names, mut has_values) = (IndexSet::new(), false);
        for row in rows.elements() {
            has_values |= row.kind() != Kind::Object;
            for (key, _) in row.members() {
                let name = key.name();
                if !names.contains(&*name) {
                    if names.len() == most {
                        return None;
                    }
                    names.insert(name.into_owned());
                }
            }
        }
        // Rows without members alone are a list, and need no heading.
        if has_values && !names.is_empty() {
            names.insert(VALUE.to_owned());
        }
        Some(Columns::found(names))
    }

    /// The names; none of rows that have no members.
    pub(crate) fn names(&self) -> &IndexSet<String> {
        &self.names
    }

    /// How many cells a row has.
    pub(crate) fn count(&self) -> usize {
        self.names.len().max(1)
    }

    /// The cells of a row, one for each column.
    pub(crate) fn cells<'o>(&self, row: Part<'o>, cells: &mut Vec<Option<Part<'o>>>) {
        cells.clear();
        if self.names.is_empty() {
            cells.push((row.kind() != Kind::Object).then_some(row));
            return;
        }
        if self.has_paths || row.kind() != Kind::Object {
            cells.extend(self.names.iter().map(|name| field(row, name)));
            return;
        }
        cells.resize(self.names.len(), None);
        for (key, member) in row.members() {
            if let Some(at) = self.names.get_index_of(&*key.name()) {
                cells[at] = Some(member);
            }
        }
    }
}
