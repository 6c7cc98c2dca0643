//! Which fields of the rows a chart is of: those that the user or the descriptor names, or those that look like it.

use std::collections::HashSet;

use indexmap::IndexMap;

use crate::json::{Kind, Part};
use crate::project::ChartSpec;

use super::super::cell;
use super::super::cells::{is_numeric, is_quantity, tells_apart};
use super::super::order::date;
use super::super::view::field;
use crate::cli::terminal::line;

/// Fields that are looked at.
const MOST_FIELDS: usize = 1000;
/// Fields of numbers that are drawn unless the user names them.
const MOST_PANELS: usize = 6;
/// Different texts by which rows are told apart in any case; more only where each occurs about twice.
const FEW_TEXTS: usize = 8;
const MOST_TEXTS: usize = 50;

/// The fields of a chart.
#[derive(Debug)]
pub(crate) struct Fields {
    pub time: String,
    pub values: Vec<String>,
    pub by: Vec<String>,
    /// Fields of numbers that are too many to be drawn.
    left_out: Vec<String>,
}

/// What a field turned out to hold. Nulls say nothing.
struct Seen {
    is_any: bool,
    has_dates_alone: bool,
    has_numbers_alone: bool,
    has_texts_alone: bool,
    texts: HashSet<String>,
}

impl Fields {
    /// Finds the fields. `selected` are those that the user named; the time need not be among them.
    pub(crate) fn of(
        rows: Part<'_>,
        hint: Option<&ChartSpec>,
        selected: &[String],
    ) -> Result<Fields, String> {
        if let (Some(hint), []) = (hint, selected) {
            return Ok(Fields {
                time: hint.time.clone(),
                values: hint.values.clone(),
                by: hint.by.clone(),
                left_out: Vec::new(),
            });
        }
        let seen = look(rows, selected);
        let time = match hint {
            Some(hint) => Some(hint.time.clone()),
            None => time_of(rows, &seen, selected),
        };
        let time =
            time.ok_or_else(|| format!("no field of the rows holds times ({})", names(&seen)))?;
        let numbers = |is_wanted: &dyn Fn(&str) -> bool| -> Vec<String> {
            let all = seen.iter().filter(|(name, seen)| {
                **name != time && seen.is_any && seen.has_numbers_alone && is_wanted(name)
            });
            all.map(|(name, _)| name.clone()).collect()
        };
        let mut values = match selected {
            [] => numbers(&is_quantity),
            _ => numbers(&|_| true),
        };
        if values.is_empty() {
            values = numbers(&|name| !tells_apart(name));
        }
        if values.is_empty() {
            return Err(format!(
                "no field of the rows holds quantities ({})",
                names(&seen)
            ));
        }
        let most = if selected.is_empty() {
            MOST_PANELS
        } else {
            values.len()
        };
        let left_out = values.split_off(most.min(values.len()));
        let count = rows.elements().count();
        let tells_apart = |seen: &Seen| {
            let texts = seen.texts.len();
            let repeats = texts <= FEW_TEXTS || (texts <= MOST_TEXTS && texts * 2 <= count);
            seen.is_any && seen.has_texts_alone && (repeats || !selected.is_empty())
        };
        let by = seen.iter().filter(|(_, seen)| tells_apart(seen));
        Ok(Fields {
            by: by.map(|(name, _)| name.clone()).collect(),
            time,
            values,
            left_out,
        })
    }

    /// What is not drawn.
    pub(crate) fn told(&self) -> Option<String> {
        let names: Vec<String> = self.left_out.iter().map(|name| line(name)).collect();
        let told = || format!("not drawn: {} (--select draws them)", names.join(", "));
        (!names.is_empty()).then(told)
    }
}

fn names(seen: &IndexMap<String, Seen>) -> String {
    let names: Vec<String> = seen.keys().take(20).map(|name| line(name)).collect();
    match names.is_empty() {
        true => "they have no fields".to_owned(),
        false => format!("there are {}", names.join(", ")),
    }
}

/// The first field of times; it need not be among the selected ones.
fn time_of(rows: Part<'_>, seen: &IndexMap<String, Seen>, selected: &[String]) -> Option<String> {
    let first = |seen: &IndexMap<String, Seen>| {
        let mut times = seen
            .iter()
            .filter(|(_, seen)| seen.is_any && seen.has_dates_alone);
        times.next().map(|(name, _)| name.clone())
    };
    first(seen).or_else(|| match selected {
        [] => None,
        _ => first(&look(rows, &[])),
    })
}

/// Looks at all fields, or at the named ones.
fn look(rows: Part<'_>, named: &[String]) -> IndexMap<String, Seen> {
    let mut all: IndexMap<String, Seen> = IndexMap::new();
    for row in rows.elements() {
        for name in named {
            if let Some(part) = field(row, name) {
                see(&mut all, name, part);
            }
        }
        if named.is_empty() {
            row.members()
                .for_each(|(key, part)| see(&mut all, &key.name(), part));
        }
    }
    all
}

fn see(all: &mut IndexMap<String, Seen>, name: &str, part: Part<'_>) {
    if !all.contains_key(name) {
        if all.len() == MOST_FIELDS {
            return;
        }
        let seen = Seen {
            is_any: false,
            has_dates_alone: true,
            has_numbers_alone: true,
            has_texts_alone: true,
            texts: HashSet::new(),
        };
        all.insert(name.to_owned(), seen);
    }
    let Some(seen) = all.get_mut(name).filter(|_| !part.is_null()) else {
        return;
    };
    seen.is_any = true;
    let (is_number, text) = (is_numeric(part), part.string());
    let is_date = text.is_some_and(|text| date(&text).is_some());
    let is_text = matches!(part.kind(), Kind::String | Kind::Bool) && !is_number && !is_date;
    seen.has_dates_alone &= is_date;
    seen.has_numbers_alone &= is_number;
    seen.has_texts_alone &= is_text;
    if is_text && seen.texts.len() <= MOST_TEXTS {
        seen.texts.insert(cell(part).into_owned());
    }
}
