//! Names of tables and columns in SQL.

use std::collections::HashSet;

use crate::table::Columns;

/// The column of rows' keys.
pub(crate) const KEY: &str = "_toolrun_key";
/// The table of the states of tables.
pub(crate) const STATES: &str = "_toolrun_sync";
/// What the names of tables begin with that wait to be shown.
pub(crate) const STAGE: &str = "_toolrun_new_";

/// Which names a database takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Naming {
    /// The most bytes of a name; longer ones would be cut without a word.
    pub longest: usize,
    /// Whether `a` and `A` are one name.
    pub folds_case: bool,
    /// Names that cannot be a column's.
    pub reserved: &'static [&'static str],
}

/// The name of a tool's table.
pub(crate) fn table_of(tool: &str) -> String {
    tool.replace('-', "_")
}

/// A name between quotes. It can hold no NUL.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl Naming {
    /// The names of columns in the database, in the columns' order. They depend on nothing else, so that each run gives
    /// the same.
    pub(crate) fn names(&self, columns: &Columns) -> Vec<String> {
        let fold = |name: &str| match self.folds_case {
            true => name.to_ascii_lowercase(),
            false => name.to_owned(),
        };
        let mut used: HashSet<String> = self.reserved.iter().map(|name| fold(name)).collect();
        used.insert(fold(KEY));
        let name = |name: &str| {
            let clean = match name.replace('\0', "_") {
                empty if empty.is_empty() => "_".to_owned(),
                clean => clean,
            };
            let numbered = (2..).map(|count| format!("_{count}"));
            let mut endings = std::iter::once(String::new()).chain(numbered);
            endings.find_map(|ending| {
                let own = format!("{}{ending}", cut(&clean, self.longest - ending.len()));
                used.insert(fold(&own)).then_some(own)
            })
        };
        columns.names().filter_map(name).collect()
    }

    /// The names of columns for a list in SQL, with that of the key.
    pub(crate) fn listed(&self, columns: &Columns, is_keyed: bool) -> Vec<String> {
        let names = self.names(columns).into_iter();
        let key = is_keyed.then(|| KEY.to_owned());
        names.map(|name| quoted(&name)).chain(key).collect()
    }

    /// The columns that get another name.
    pub(crate) fn renamed(&self, columns: &Columns) -> Vec<(String, String)> {
        let names = self.names(columns);
        let pairs = columns.names().map(str::to_owned).zip(names);
        pairs.filter(|(name, own)| name != own).collect()
    }
}

/// The beginning of a text, of at most so many bytes.
fn cut(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;
    use crate::table::{Column, Type};

    #[test]
    fn every_column_has_a_name_of_its_own() {
        let mut columns = Columns::new(100);
        let long = "ä".repeat(40);
        let names = [
            "a",
            "A",
            "a_2",
            "",
            "_",
            "x\0y",
            "_toolrun_key",
            "ctid",
            &long,
            &format!("{long}b"),
        ];
        for name in names {
            columns.add(name, Column::new(Type::Text));
        }
        let folding = Naming {
            longest: 1000,
            folds_case: true,
            reserved: &[],
        };
        let (second, third) = (long.clone(), format!("{long}b"));
        assert_eq!(
            folding.names(&columns),
            [
                "a",
                "A_2",
                "a_2_2",
                "_",
                "__2",
                "x_y",
                "_toolrun_key_2",
                "ctid",
                &second,
                &third
            ]
        );
        let cutting = Naming {
            longest: 63,
            folds_case: false,
            reserved: &["ctid"],
        };
        let (first, second) = ("ä".repeat(31), format!("{}_2", "ä".repeat(30)));
        assert_eq!(
            cutting.names(&columns),
            [
                "a",
                "A",
                "a_2",
                "_",
                "__2",
                "x_y",
                "_toolrun_key_2",
                "ctid_2",
                &first,
                &second
            ]
        );
    }
}
