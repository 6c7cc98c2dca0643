//! Tables for people, on a terminal: they fit its width, and say what they leave out.
//!
//! A table shows as many columns as fit, from the left; a column in which every row is empty says nothing and is left
//! out, and where not all fits, one in which every row has the same value is told below the table. One row, and rows of
//! which next to nothing would fit, are shown as records: a field a line.

mod left_out;
mod record;

use std::io::Write;

use crate::json::{Kind, Part};
use crate::project::Projection;

use super::cells::{self, is_empty, is_numeric};
use super::columns::Columns;
use super::layout::{self, GAP, Need, cut, fit, padded, width, wrap};
use super::view::{VALUE, View};
use crate::cli::Done;
use crate::cli::terminal::{bold, dim, line};
use left_out::LeftOut;

/// Columns that a table looks at; rows with more are shown as records.
const COLUMNS: usize = 1000;
/// Beyond this width, cells of a wide table stand in no line with each other.
const WIDE: usize = 200;
/// Rows that have a value in common only by chance, where there are fewer.
const LEAST_SAME: usize = 3;
/// What a value takes at the most that is told once for all rows.
const MOST_SAME: usize = 40;

/// Writes an output for a terminal of so many columns.
pub(crate) fn write(
    out: &mut impl Write,
    projection: &Projection,
    view: &View,
    output: Part<'_>,
    most: usize,
) -> Done {
    let mut screen = Screen {
        out,
        view,
        most,
        left_out: LeftOut::default(),
    };
    match projection.rows(output) {
        Some(rows) => {
            screen.rows(rows, Columns::known(view, projection))?;
            if output.kind() == Kind::Object {
                screen.beside(output, projection.rows_key())?;
            }
        }
        None => screen.record(output)?,
    }
    screen.tell()
}

struct Screen<'s, W> {
    out: &'s mut W,
    view: &'s View,
    /// The columns of the terminal.
    most: usize,
    left_out: LeftOut,
}

/// What is known of a column.
#[derive(Default)]
struct Column {
    need: Need,
    /// How many rows have a value.
    filled: usize,
    has_others: bool,
    first: String,
    has_different: bool,
}

impl Column {
    fn add(&mut self, part: Part<'_>, text: &str) {
        if is_empty(part) {
            return;
        }
        match self.filled {
            0 => text.clone_into(&mut self.first),
            _ => self.has_different |= self.first != text,
        }
        // The text of a nested value only sums it up.
        self.has_different |= matches!(part.kind(), Kind::Array | Kind::Object);
        self.filled += 1;
        self.has_others |= !is_numeric(part);
        self.need.add(text);
    }

    fn is_right(&self) -> bool {
        self.filled > 0 && !self.has_others
    }

    /// The value that all rows have, if it is short and there are several rows.
    fn same(&self, rows: usize) -> Option<&str> {
        let is_same = self.filled == rows && !self.has_different;
        let is_short = self.need.widest() <= MOST_SAME;
        (is_same && is_short && rows >= LEAST_SAME).then_some(&self.first)
    }
}

/// A column that is shown.
struct Shown {
    at: usize,
    name: String,
    width: usize,
    is_right: bool,
}

impl<W: Write> Screen<'_, W> {
    fn rows(&mut self, rows: Part<'_>, known: Option<Columns>) -> Done {
        let count = rows.elements().take(2).count();
        if count == 0 {
            return Ok(self.out.write_all(b"nothing\n")?);
        }
        let is_asked = !self.view.shown().is_empty();
        let Some(columns) = known.or_else(|| Columns::of(rows, COLUMNS)) else {
            return self.records(rows, None);
        };
        let surveyed = self.survey(rows, &columns);
        if self.view.wide {
            return self.grid(rows, &columns, all(&columns, &surveyed));
        }
        let mut kept: Vec<usize> = (0..columns.count())
            .filter(|at| is_asked || surveyed[*at].filled > 0)
            .collect();
        let empty = columns.names().iter().enumerate();
        let empty = empty.filter(|(at, _)| !kept.contains(at));
        self.left_out
            .empty
            .extend(empty.map(|(_, name)| name.clone()));
        if count == 1 && !is_asked {
            return self.records(rows, Some(&columns));
        }
        let mut widths = self.widths(&columns, &surveyed, &kept);
        let mut same = Vec::new();
        if !is_asked && !is_whole(&kept, &widths, &surveyed) {
            let count = rows.elements().count();
            same = kept
                .iter()
                .filter_map(|at| {
                    let value = surveyed[*at].same(count)?;
                    Some((*at, format!("{} {value}", heading_of(&columns, *at))))
                })
                .collect();
            // A table needs columns, even if its rows are alike.
            if same.len() == kept.len() {
                same.clear();
            }
            kept.retain(|at| !same.iter().any(|(other, _)| other == at));
            widths = self.widths(&columns, &surveyed, &kept);
        }
        let fitting = widths.iter().flatten().count();
        let is_useless = match is_asked {
            true => fitting < kept.len(),
            false => fitting < kept.len().min(2),
        };
        if is_useless {
            return self.records(rows, Some(&columns));
        }
        self.left_out.same = same.into_iter().map(|(_, told)| told).collect();
        let mut shown = Vec::new();
        for (at, width) in kept.into_iter().zip(widths) {
            let (name, column) = (heading_of(&columns, at), &surveyed[at]);
            let Some(width) = width else {
                self.left_out.hidden.push(name);
                continue;
            };
            self.left_out.has_cut |= column.need.widest() > width;
            shown.push(Shown {
                at,
                name,
                width,
                is_right: column.is_right(),
            });
        }
        self.grid(rows, &columns, shown)?;
        self.tell_same()
    }

    /// The widths of the columns that fit.
    fn widths(&self, columns: &Columns, surveyed: &[Column], kept: &[usize]) -> Vec<Option<usize>> {
        let names: Vec<String> = kept.iter().map(|at| heading_of(columns, *at)).collect();
        let needs = kept.iter().map(|at| &surveyed[*at].need);
        let needs: Vec<(&str, &Need)> = names.iter().map(String::as_str).zip(needs).collect();
        fit(&needs, self.most)
    }

    /// Tells what every row has in common, in place of a column for each.
    fn tell_same(&mut self) -> Done {
        if self.left_out.same.is_empty() {
            return Ok(());
        }
        self.out.write_all(b"\n")?;
        let told = format!("in every row: {}", self.left_out.same.join(", "));
        for line in wrap(&told, self.most) {
            writeln!(self.out, "{line}")?;
        }
        Ok(())
    }

    fn survey(&self, rows: Part<'_>, columns: &Columns) -> Vec<Column> {
        let mut surveyed: Vec<Column> = (0..columns.count()).map(|_| Column::default()).collect();
        let mut parts = Vec::new();
        for row in rows.elements() {
            columns.cells(row, &mut parts);
            for (at, part) in parts.iter().enumerate() {
                if let Some(part) = part {
                    surveyed[at].add(*part, &self.text(name_of(columns, at), *part));
                }
            }
        }
        surveyed
    }

    /// The text of a cell.
    fn text(&self, name: &str, part: Part<'_>) -> String {
        match self.view.wide {
            true => cells::whole(name, part),
            false => cells::short(name, part),
        }
    }

    fn grid(&mut self, rows: Part<'_>, columns: &Columns, shown: Vec<Shown>) -> Done {
        if shown.is_empty() {
            let count = rows.elements().count();
            return Ok(writeln!(self.out, "{count} rows with nothing in them")?);
        }
        if !self.view.no_header {
            self.headings(&shown)?;
        }
        let mut parts = Vec::new();
        for row in rows.elements() {
            columns.cells(row, &mut parts);
            let mut text = String::new();
            for (i, column) in shown.iter().enumerate() {
                let part = parts[column.at];
                let name = name_of(columns, column.at);
                let own = part.map(|part| self.text(name, part)).unwrap_or_default();
                let own = match self.view.wide {
                    true => own.into(),
                    false => cut(&own, column.width),
                };
                let is_nested =
                    part.is_some_and(|part| matches!(part.kind(), Kind::Array | Kind::Object));
                self.left_out.has_sums |=
                    is_nested && !self.view.wide && !part.is_none_or(is_empty);
                text.push_str(&spaced(&own, column, i + 1 == shown.len()));
            }
            writeln!(self.out, "{}", text.trim_end())?;
        }
        Ok(())
    }

    /// The headings, on as many lines as the longest needs; the others stand on the lowest.
    fn headings(&mut self, shown: &[Shown]) -> Done {
        let headings: Vec<Vec<&str>> = shown
            .iter()
            .map(|column| layout::heading(&column.name, column.width))
            .collect();
        let lines = headings.iter().map(Vec::len).max().unwrap_or_default();
        for at in 0..lines {
            let mut text = String::new();
            for (i, column) in shown.iter().enumerate() {
                let above = lines - headings[i].len();
                let own = at.checked_sub(above).map_or("", |at| headings[i][at]);
                text.push_str(&spaced(own, column, i + 1 == shown.len()));
            }
            writeln!(self.out, "{}", bold(text.trim_end()))?;
        }
        Ok(())
    }

    /// Says what is not shown, and how to see it.
    fn tell(&mut self) -> Done {
        let told = self.left_out.told();
        if told.is_empty() {
            return Ok(());
        }
        self.out.write_all(b"\n")?;
        for line in wrap(&told, self.most) {
            writeln!(self.out, "{}", dim(line))?;
        }
        Ok(())
    }
}

/// Whether all columns are shown, and no text is cut.
fn is_whole(kept: &[usize], widths: &[Option<usize>], surveyed: &[Column]) -> bool {
    let mut columns = kept.iter().zip(widths);
    columns.all(|(at, width)| width.is_some_and(|width| width >= surveyed[*at].need.widest()))
}

fn name_of(columns: &Columns, at: usize) -> &str {
    columns.names().get_index(at).map_or(VALUE, String::as_str)
}

fn heading_of(columns: &Columns, at: usize) -> String {
    line(name_of(columns, at))
}

/// All columns, as wide as they are.
fn all(columns: &Columns, surveyed: &[Column]) -> Vec<Shown> {
    surveyed
        .iter()
        .enumerate()
        .map(|(at, column)| {
            let name = heading_of(columns, at);
            Shown {
                at,
                width: column.need.widest().max(width(&name)).min(WIDE),
                name,
                is_right: column.is_right(),
            }
        })
        .collect()
}

/// A cell with the space up to the next one.
fn spaced(text: &str, column: &Shown, is_last: bool) -> String {
    let text = padded(text, column.width, column.is_right);
    let gap = if is_last { 0 } else { GAP };
    format!("{text}{}", " ".repeat(gap))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::json::Json;

    use super::*;

    /// The screen of rows, without colours.
    fn screen(rows: &str, most: usize, view: &View) -> String {
        let json = Json::read(rows.to_owned().into()).unwrap();
        let mut out = Vec::new();
        let mut screen = Screen {
            out: &mut out,
            view,
            most,
            left_out: LeftOut::default(),
        };
        screen.rows(json.part(), None).unwrap();
        screen.tell().unwrap();
        let text = String::from_utf8(out).unwrap();
        let colour = regex::Regex::new("\u{1b}\\[[0-9]*m").unwrap();
        colour.replace_all(&text, "").into_owned()
    }

    /// Words of made-up rows; those that the rows must show whole or not at all are kept.
    struct Maker {
        random: fastrand::Rng,
        whole: BTreeSet<String>,
    }

    impl Maker {
        fn id(&mut self) -> String {
            let length = self.random.usize(1..30);
            let tail: String = (0..length).map(|_| self.random.alphanumeric()).collect();
            let prefix = ["user_9", "7", "a-1-", "https://x.test/8?", "6@x.test"];
            let id = format!("{}{tail}", self.random.choice(prefix).unwrap_or_default());
            self.whole.insert(id.clone());
            id
        }

        fn date(&mut self) -> String {
            let r = &mut self.random;
            let date = format!(
                "20{:02}-{:02}-{:02}T{:02}:00:00.427722Z",
                r.u8(10..99),
                r.u8(1..12),
                r.u8(1..28),
                r.u8(0..23)
            );
            self.whole.insert(date.clone());
            date
        }

        fn number(&mut self, name: &str) -> String {
            let number = match self.random.bool() {
                true => self.random.i64(..).to_string(),
                false => format!("{}.{}", self.random.u32(..), self.random.u32(1..)),
            };
            if cells::is_quantity(name) {
                self.whole.insert(cells::thousands(&number).into_owned());
            }
            // It stays as it is in the text of what is nested.
            self.whole.insert(number.clone());
            number
        }

        fn words(&mut self) -> String {
            let count = self.random.usize(2..20);
            let words: Vec<String> = (0..count)
                .map(|_| match self.random.u8(0..4) {
                    0 => self.id(),
                    1 => "漢字かな".to_owned(),
                    _ => "some".to_owned(),
                })
                .collect();
            words.join(" ")
        }

        fn value(&mut self, name: &str) -> String {
            let quoted = |text: String| serde_json::to_string(&text).unwrap();
            match self.random.u8(0..12) {
                0 => "null".to_owned(),
                1 => format!("[{},{}]", quoted(self.id()), quoted(self.id())),
                2 => format!(
                    "{{\"inner\":{},\"more\":{}}}",
                    self.number(&format!("{name}.inner")),
                    self.number(&format!("{name}.more"))
                ),
                3 | 4 => quoted(self.words()),
                5 | 6 => self.number(name),
                7 => quoted(self.date()),
                _ => quoted(self.id()),
            }
        }
    }

    const NAMES: [&str; 8] = [
        "id",
        "name",
        "created_at",
        "total_input_tokens",
        "number",
        "note",
        "cache_read_tokens",
        "tags",
    ];

    #[test]
    fn no_number_id_or_date_is_broken_at_any_width() {
        for seed in 0..12 {
            let mut maker = Maker {
                random: fastrand::Rng::with_seed(seed),
                whole: BTreeSet::new(),
            };
            let rows: Vec<String> = (0..maker.random.usize(1..6))
                .map(|_| {
                    let members = NAMES.map(|name| format!("\"{name}\":{}", maker.value(name)));
                    format!("{{{}}}", members.join(","))
                })
                .collect();
            let rows = format!("[{}]", rows.join(","));
            for most in 20..=200 {
                let screen = screen(&rows, most, &View::default());
                // Words stand between spaces, beside a wide character, or in the text of something nested.
                let of_words = |c: char| {
                    c.is_whitespace()
                        || ('\u{3000}'..'\u{a000}').contains(&c)
                        || "…\"{}[]".contains(c)
                };
                for word in screen.split(of_words) {
                    let word = word.trim_end_matches([',', ':']);
                    let is_sum = word.parse::<u8>().is_ok();
                    let has_digit = word.contains(|c: char| c.is_ascii_digit());
                    assert!(
                        !has_digit || is_sum || maker.whole.contains(word),
                        "seed {seed}, {most} columns: {word}\n{screen}\n{rows}"
                    );
                }
                for line in screen.lines().filter(|line| width(line) > most) {
                    let words = line.split_whitespace().count();
                    assert!(words == 1, "seed {seed}, {most} columns: {line}\n{screen}");
                }
            }
        }
    }

    #[test]
    fn rows_without_members_have_a_heading() {
        let view = View::default();
        assert_eq!(screen("[1, 22]", 80, &view), "value\n    1\n   22\n");
        assert_eq!(
            screen("[{}, {}]", 80, &view),
            "2 rows with nothing in them\n"
        );
        assert_eq!(screen("[]", 80, &view), "nothing\n");
        assert_eq!(
            screen("[{\"a\": null}]", 80, &view),
            "(a row with nothing in it)\n\nempty: a\n"
        );
    }

    #[test]
    fn rows_of_very_many_columns_are_records() {
        let rows: Vec<String> = (0..=COLUMNS).map(|i| format!("{{\"k{i}\":{i}}}")).collect();
        let screen = screen(&format!("[{}]", rows.join(",")), 80, &View::default());
        assert!(screen.starts_with("k0  0\n\nk1  1\n"), "{screen}");
        assert!(screen.ends_with("k1000  1000\n"), "{screen}");
    }
}
