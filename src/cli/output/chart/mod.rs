//! Charts: the numbers of rows over their times, apart for each group of rows. `draw` makes them of characters, and
//! `svg` makes a picture of the same.
//!
//! Numbers are drawn as doubles and labelled with rounded texts. What is left out, added up or averaged is told below.

mod draw;
mod fields;

use std::collections::BTreeMap;

use indexmap::IndexMap;
use jiff::Timestamp;

use crate::Note;
use crate::json::Part;
use crate::project::Projection;

use super::cell;
use super::cells::{is_numeric, thousands};
use super::order::date;
use super::view::{View, field};
use crate::cli::terminal::line;
use crate::cli::{Failure, exit};

use fields::Fields;

/// Groups that are drawn apart; those with the least are added up.
const MOST_SERIES: usize = 8;
/// Bars of a panel. What has more is drawn as lines.
const MOST_BARS: usize = 40;

/// Panels one below the other, and what must be said about them.
#[derive(Debug, Default)]
pub(crate) struct Chart {
    /// One for each field of numbers.
    pub panels: Vec<Panel>,
    /// What is left out, added up or missing.
    pub notes: Vec<String>,
}

/// The numbers of one field.
#[derive(Debug)]
pub(crate) struct Panel {
    /// The name of the field, and what all groups have in common.
    pub title: String,
    /// The times, in order.
    pub times: Vec<Timestamp>,
    /// The groups.
    pub series: Vec<Series>,
    /// What all values fit on.
    pub scale: Scale,
}

/// The least and the greatest value; zero is always between them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    pub least: f64,
    pub greatest: f64,
}

/// The numbers of one group.
#[derive(Debug)]
pub(crate) struct Series {
    /// What the group has in common; empty where there is one group alone.
    pub name: String,
    /// A value for each time of the panel.
    pub values: Vec<Option<f64>>,
}

/// What was left out or added up on the way.
#[derive(Default)]
struct Count {
    without_time: usize,
    no_numbers: usize,
    is_added: bool,
}

type Points = BTreeMap<Timestamp, f64>;

impl Chart {
    /// The chart of an output. Fails where its rows have no times or no numbers.
    pub(crate) fn of(
        output: Part<'_>,
        projection: &Projection,
        view: &View,
        notes: &[Note],
    ) -> Result<Chart, Failure> {
        let mut chart = Chart::default();
        let Some(rows) = projection.rows(output) else {
            return Err(cannot("the output has no rows"));
        };
        if rows.is_truthy() {
            chart.fill(rows, projection, view)?;
        }
        chart
            .notes
            .extend(notes.iter().map(|note| match note.is_incomplete() {
                true => note.where_it_stopped(),
                false => note.to_string(),
            }));
        Ok(chart)
    }

    fn fill(
        &mut self,
        rows: Part<'_>,
        projection: &Projection,
        view: &View,
    ) -> Result<(), Failure> {
        let fields =
            Fields::of(rows, projection.chart(), &view.select).map_err(|why| cannot(&why))?;
        self.notes.extend(fields.told());
        let (groups, labels) = groups(rows, &fields);
        let mut count = Count::default();
        let (mut empty, mut zero) = (Vec::new(), Vec::new());
        for (at, name) in fields.values.iter().enumerate() {
            // Rows without a time are the same for each field.
            let mut own = Count::default();
            let points = points(rows, &fields, name, &groups, &mut own);
            count.no_numbers += own.no_numbers;
            count.is_added |= own.is_added;
            if at == 0 {
                count.without_time = own.without_time;
            }
            let mut values = points.iter().flat_map(|points| points.values());
            match (values.clone().next(), values.any(|value| *value != 0.0)) {
                (None, _) => empty.push(line(name)),
                (_, false) => zero.push(line(name)),
                _ => self.panels.push(panel(name, points, &labels)),
            }
        }
        if count.without_time == rows.elements().count() {
            let time = line(&fields.time);
            return Err(cannot(&format!("no row has a time in `{time}`")));
        }
        for (names, told) in [(&empty, "no values"), (&zero, "zero throughout")] {
            if !names.is_empty() {
                self.notes.push(format!("{told}: {}", names.join(", ")));
            }
        }
        self.notes.extend(count.told(&fields.time));
        Ok(())
    }

    /// Whether the numbers of a panel are drawn as bars.
    pub(crate) fn has_bars(panel: &Panel) -> bool {
        panel.times.len() * panel.series.len() <= MOST_BARS
    }
}

impl Count {
    fn told(&self, time: &str) -> Vec<String> {
        let mut told = Vec::new();
        if self.is_added {
            told.push("rows of the same time and group are added up".to_owned());
        }
        if self.without_time > 0 {
            let rows = plural(self.without_time, "row");
            told.push(format!(
                "{rows} without a time in `{}` left out",
                line(time)
            ));
        }
        if self.no_numbers > 0 {
            let values = plural(self.no_numbers, "value");
            told.push(format!(
                "{values} that cannot be drawn as a number left out"
            ));
        }
        told
    }
}

fn plural(count: usize, thing: &str) -> String {
    match count {
        1 => format!("1 {thing}"),
        _ => format!("{count} {thing}s"),
    }
}

fn cannot(why: &str) -> Failure {
    Failure::Told(
        exit::USAGE,
        format!("there is nothing to draw a chart of: {why}; the output is printed as JSON"),
    )
}

/// What the groups of rows have in common.
struct Labels {
    /// The names of the groups.
    groups: Vec<String>,
    /// What all of them have in common.
    common: String,
}

/// The group of each row, as a number, and the names of the groups.
fn groups(rows: Part<'_>, fields: &Fields) -> (Vec<usize>, Labels) {
    let mut known: IndexMap<Vec<Option<String>>, ()> = IndexMap::new();
    let text = |row, name: &String| {
        let value = field(row, name).filter(|value| !value.is_null());
        value.map(|value| line(&cell(value)))
    };
    let groups = rows
        .elements()
        .map(|row| {
            let key = fields.by.iter().map(|name| text(row, name)).collect();
            known.insert_full(key, ()).0
        })
        .collect();
    let common: Vec<bool> = (0..fields.by.len())
        .map(|at| {
            let mut values = known.keys().map(|key| &key[at]);
            let first = values.next();
            values.all(|value| Some(value) == first)
        })
        .collect();
    let joined = |key: &Vec<Option<String>>, wanted: bool| {
        let parts = key
            .iter()
            .zip(&common)
            .filter(|(_, common)| **common == wanted);
        let parts: Vec<&str> = parts.filter_map(|(text, _)| text.as_deref()).collect();
        parts.join(", ")
    };
    let has_many = known.len() > 1;
    let named = known.keys().map(|key| match joined(key, false) {
        name if name.is_empty() && has_many => "(none)".to_owned(),
        name => name,
    });
    let labels = Labels {
        groups: named.collect(),
        common: known
            .keys()
            .next()
            .map(|key| joined(key, true))
            .unwrap_or_default(),
    };
    (groups, labels)
}

/// The points of each group.
fn points(
    rows: Part<'_>,
    fields: &Fields,
    name: &str,
    groups: &[usize],
    count: &mut Count,
) -> Vec<Points> {
    let of_groups = groups.iter().max().map_or(0, |last| last + 1);
    let mut points = vec![Points::new(); of_groups];
    for (row, group) in rows.elements().zip(groups) {
        let time = field(row, &fields.time).and_then(|time| date(&time.string()?));
        let Some(time) = time else {
            count.without_time += 1;
            continue;
        };
        let Some(value) = field(row, name).filter(|value| !value.is_null()) else {
            continue;
        };
        let before = points[*group].get(&time).copied();
        let sum = number(value).map(|value| value + before.unwrap_or_default());
        match sum.filter(|sum| sum.is_finite()) {
            None => count.no_numbers += 1,
            Some(sum) => {
                count.is_added |= before.is_some();
                points[*group].insert(time, sum);
            }
        }
    }
    points
}

/// A number, also one that is written as a text, if it is none beyond all doubles.
fn number(value: Part<'_>) -> Option<f64> {
    if !is_numeric(value) {
        return None;
    }
    let number: f64 = cell(value).parse().ok()?;
    number.is_finite().then_some(number)
}

fn panel(name: &str, points: Vec<Points>, labels: &Labels) -> Panel {
    let mut named: Vec<(String, Points)> = points
        .into_iter()
        .enumerate()
        .filter(|(_, points)| !points.is_empty())
        .map(|(at, points)| (labels.groups[at].clone(), points))
        .collect();
    let size = |points: &Points| points.values().map(|value| value.abs()).sum::<f64>();
    if named.len() > MOST_SERIES {
        named.sort_by(|(_, left), (_, right)| size(right).total_cmp(&size(left)));
        let others = named.split_off(MOST_SERIES - 1);
        let name = format!("({} others, added up)", others.len());
        let mut sum = Points::new();
        for (time, value) in others.into_iter().flat_map(|(_, points)| points) {
            let sum = sum.entry(time).or_default();
            // A sum beyond all doubles stays at the greatest one.
            *sum = (*sum + value).clamp(f64::MIN, f64::MAX);
        }
        named.push((name, sum));
    } else {
        named.sort_by(|(left, _), (right, _)| left.cmp(right));
    }
    let mut times: Vec<Timestamp> = named
        .iter()
        .flat_map(|(_, points)| points.keys())
        .copied()
        .collect();
    times.sort_unstable();
    times.dedup();
    let values = || named.iter().flat_map(|(_, points)| points.values());
    let title = match labels.common.is_empty() {
        true => line(name),
        false => format!("{} ({})", line(name), labels.common),
    };
    Panel {
        title,
        scale: Scale::of(values().copied()),
        series: named
            .iter()
            .map(|(name, points)| Series {
                name: name.clone(),
                values: times.iter().map(|time| points.get(time).copied()).collect(),
            })
            .collect(),
        times,
    }
}

impl Scale {
    /// The scale of these values.
    pub(crate) fn of(values: impl Iterator<Item = f64>) -> Scale {
        let zero = Scale {
            least: 0.0,
            greatest: 0.0,
        };
        values.fold(zero, |scale, value| Scale {
            least: value.min(scale.least),
            greatest: value.max(scale.greatest),
        })
    }

    /// Zero and other values of one or two digits, up to six, from the least to the greatest.
    pub(crate) fn round_values(&self) -> Vec<f64> {
        const STEPS: f64 = 4.0;
        let least_step = self.greatest / STEPS - self.least / STEPS;
        let power = 10_f64.powf(least_step.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .into_iter()
            .map(|digit| digit * power)
            .find(|step| *step >= least_step && step.is_normal());
        let Some(step) = step else {
            return vec![self.least, 0.0, self.greatest];
        };
        let (first, last) = (
            (self.least / step).ceil() as i64,
            (self.greatest / step).floor() as i64,
        );
        (first..=last).map(|at| at as f64 * step).collect()
    }

    /// How much of the whole scale a value takes; negative below zero.
    pub(crate) fn part(&self, value: f64) -> f64 {
        // The scale itself may be beyond all doubles.
        let unit = self.greatest.max(-self.least);
        match unit > 0.0 {
            true => (value / unit) / (self.greatest / unit - self.least / unit),
            false => 0.0,
        }
    }
}

impl Panel {
    /// The names of the times, as short as they can be told apart.
    pub(crate) fn time_names(&self) -> impl Fn(usize) -> String {
        let is_round = |to: i64| {
            let is_round =
                |time: &Timestamp| time.as_second() % to == 0 && time.subsec_nanosecond() == 0;
            self.times.iter().all(is_round)
        };
        let (has_days, has_minutes) = (is_round(86_400), is_round(60));
        move |at| {
            let whole = self.times[at].to_string();
            match whole.split_once('T') {
                Some((day, _)) if has_days => day.to_owned(),
                Some((day, time)) if has_minutes => {
                    format!("{day}T{}Z", time.get(..5).unwrap_or(time))
                }
                _ => whole,
            }
        }
    }
}

/// A number as a label: rounded, with its thousands set apart.
pub(crate) fn amount(value: f64) -> String {
    let size = value.abs();
    let text = match () {
        () if value == 0.0 => return "0".to_owned(),
        () if !(1e-4..1e15).contains(&size) => return format!("{value:.3e}"),
        () if size >= 1.0 => format!("{value:.2}"),
        () => format!("{value:.4}"),
    };
    let text = text.trim_end_matches('0').trim_end_matches('.');
    thousands(text).into_owned()
}

/// A number for an axis: three digits, and thousands as letters.
pub(crate) fn short(value: f64) -> String {
    let size = value.abs();
    for (unit, letter) in [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")] {
        // What rounds to a thousand is one of the next unit.
        if size >= unit * 0.9995 && (unit > 1e3 || size >= unit) && size < 1e15 {
            let value = value / unit;
            let digits = usize::from(value.abs() < 10.0);
            return format!("{value:.digits$}{letter}");
        }
    }
    amount(value)
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn axes_have_round_values() {
        for (least, greatest, expected) in [
            (0.0, 42.0, &[0.0, 20.0, 40.0][..]),
            (0.0, 4.0, &[0.0, 1.0, 2.0, 3.0, 4.0]),
            (-402.0, 301.5, &[-400.0, -200.0, 0.0, 200.0]),
            (-1e6, 0.0, &[-1e6, -5e5, 0.0]),
            (0.0, 0.003, &[0.0, 0.001, 0.002, 0.003]),
            (0.0, 0.0, &[0.0, 0.0, 0.0]),
            (-1e308, 1.7e308, &[-1e308, 0.0, 1e308]),
        ] {
            let values = Scale { least, greatest }.round_values();
            assert_eq!(values, expected, "{least} {greatest}");
        }
        let tiny = Scale {
            least: 0.0,
            greatest: 5e-324,
        };
        assert_eq!(tiny.round_values(), [0.0, 0.0, 5e-324]);
    }

    #[test]
    fn labels_are_short() {
        for (value, expected, on_axis) in [
            (0.0, "0", "0"),
            (-0.0, "0", "0"),
            (1.0, "1", "1"),
            (0.12345, "0.1235", "0.1235"),
            (0.1 + 0.2, "0.3", "0.3"),
            (-2879627.0, "-2,879,627", "-2.9M"),
            (4510.36776, "4,510.37", "4.5k"),
            (38000.0, "38,000", "38k"),
            (999.9, "999.9", "999.9"),
            (999_400.0, "999,400", "999k"),
            (999_600.0, "999,600", "1.0M"),
            (-999_999.5, "-999,999.5", "-1.0M"),
            (1e300, "1.000e300", "1.000e300"),
            (1e-9, "1.000e-9", "1.000e-9"),
        ] {
            assert_eq!(amount(value), expected);
            assert_eq!(short(value), on_axis);
        }
    }
}
