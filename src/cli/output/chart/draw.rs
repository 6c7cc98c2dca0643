//! A chart of characters: a bar a line where there are few, otherwise columns over time.

use std::io::{self, Write};

use super::super::layout::{padded, width, wrap};
use super::{Chart, Panel, Scale, Series, amount, short};
use crate::cli::terminal::{bold, coloured, dim, has_unicode};

/// Columns of bars, below which times and names are on lines of their own.
const LEAST_BARS: usize = 12;
/// Lines that the columns of a group take, alone and among several.
const HEIGHT: usize = 8;
const LOW: usize = 4;

/// The characters of a terminal.
struct Pen {
    /// Eighths of a character from the left, and from below; the last one is whole.
    across: [&'static str; 8],
    upwards: [&'static str; 8],
    ellipsis: &'static str,
    axis: &'static str,
    corner: &'static str,
    floor: &'static str,
}

const UNICODE: Pen = Pen {
    across: ["▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"],
    upwards: ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
    ellipsis: "…",
    axis: "│",
    corner: "└",
    floor: "─",
};

const PLAIN: Pen = Pen {
    across: ["|", "|", "|", "|", "#", "#", "#", "#"],
    upwards: [".", ".", ":", ":", "#", "#", "#", "#"],
    ellipsis: "~",
    axis: "|",
    corner: "+",
    floor: "-",
};

impl Chart {
    /// Draws the chart in so many columns.
    pub(crate) fn draw(&self, out: &mut impl Write, most: usize) -> io::Result<()> {
        let pen = if has_unicode() { &UNICODE } else { &PLAIN };
        self.draw_with(out, most, pen)
    }

    fn draw_with(&self, out: &mut impl Write, most: usize, pen: &Pen) -> io::Result<()> {
        let most = most.max(20);
        let (mut notes, mut longest) = (self.notes.clone(), 0);
        if self.panels.is_empty() {
            writeln!(out, "nothing")?;
        }
        for (at, panel) in self.panels.iter().enumerate() {
            if at > 0 {
                writeln!(out)?;
            }
            writeln!(out, "{}", bold(&pen.clip(&panel.title, most)))?;
            match Chart::has_bars(panel) {
                true => bars(out, panel, most, pen)?,
                false => longest = longest.max(lines(out, panel, most, pen)?),
            }
        }
        if longest > 1 {
            notes.push(format!("a column is the mean of up to {longest} times"));
        }
        let told = notes.join("; ");
        if !told.is_empty() {
            writeln!(out)?;
            for line in wrap(&told, most) {
                writeln!(out, "{}", dim(line))?;
            }
        }
        Ok(())
    }
}

impl Pen {
    /// The text in so many columns; names of groups may have any width.
    fn clip(&self, text: &str, most: usize) -> String {
        if width(text) <= most {
            return text.to_owned();
        }
        let (mut clipped, mut taken) = (String::new(), 0);
        for c in text.chars() {
            taken += width(c.encode_utf8(&mut [0; 4]));
            if taken + 1 > most {
                break;
            }
            clipped.push(c);
        }
        clipped + self.ellipsis
    }

    /// So many eighths of a character, one at least.
    fn bar(&self, eighths: usize) -> String {
        let eighths = eighths.max(1);
        let mut bar = self.across[7].repeat(eighths / 8);
        if !eighths.is_multiple_of(8) {
            bar.push_str(self.across[eighths % 8 - 1]);
        }
        bar
    }
}

/// The columns of a line of bars.
struct Room {
    time: usize,
    name: usize,
    bars: usize,
    /// Columns below zero.
    below: usize,
    /// Whether a time has a line of its own.
    is_narrow: bool,
}

impl Room {
    fn of(panel: &Panel, most: usize, time: usize, value: usize) -> Room {
        let names = panel.series.iter().map(|series| width(&series.name)).max();
        let name = names.unwrap_or_default().min(most / 3);
        let gap = |width: usize| if width == 0 { 0 } else { width + 2 };
        let taken = gap(time) + gap(name) + value + 1;
        let is_narrow = taken + LEAST_BARS > most;
        let (time, name) = match is_narrow {
            false => (time, name),
            true => (0, name.min(most.saturating_sub(value + 11))),
        };
        let lead = if is_narrow { 2 } else { gap(time) };
        let bars = most.saturating_sub(lead + gap(name) + value + 1).max(4);
        let below = (panel.scale.part(panel.scale.least).abs() * bars as f64).ceil() as usize;
        Room {
            time,
            name,
            bars,
            below,
            is_narrow,
        }
    }
}

fn bars(out: &mut impl Write, panel: &Panel, most: usize, pen: &Pen) -> io::Result<()> {
    let time_name = panel.time_names();
    let all = panel.series.iter().flat_map(|series| &series.values);
    let value = all.flatten().map(|value| width(&amount(*value))).max();
    let time = (0..panel.times.len()).map(|at| width(&time_name(at))).max();
    let room = Room::of(
        panel,
        most,
        time.unwrap_or_default(),
        value.unwrap_or_default(),
    );
    for at in 0..panel.times.len() {
        let mut is_first = true;
        if room.is_narrow {
            writeln!(out, "{}", time_name(at))?;
        }
        for (which, series) in panel.series.iter().enumerate() {
            let Some(value) = series.values[at] else {
                continue;
            };
            let lead = match (room.is_narrow, is_first) {
                (true, _) => "  ".to_owned(),
                (false, true) => padded(&time_name(at), room.time + 2, false),
                (false, false) => " ".repeat(room.time + 2),
            };
            is_first = false;
            let name = match room.name {
                0 => String::new(),
                name => padded(&pen.clip(&series.name, name), name + 2, false),
            };
            let bar = bar(panel, value, &room, pen);
            let gap = if bar.is_empty() { "" } else { " " };
            let bar = coloured(&bar, which);
            writeln!(out, "{lead}{name}{bar}{gap}{}", amount(value))?;
        }
    }
    Ok(())
}

fn bar(panel: &Panel, value: f64, room: &Room, pen: &Pen) -> String {
    let columns = room.bars as f64;
    let above = (room.bars - room.below.min(room.bars)) as f64;
    if value < 0.0 {
        let cells = (panel.scale.part(value).abs() * columns).round() as usize;
        let cells = cells.clamp(1, room.below.max(1));
        let spaces = " ".repeat(room.below.saturating_sub(cells));
        return format!("{spaces}{}", pen.across[7].repeat(cells));
    }
    let spaces = " ".repeat(room.below);
    if value == 0.0 {
        return spaces;
    }
    let eighths = (panel.scale.part(value) * columns).min(above) * 8.0;
    format!("{spaces}{}", pen.bar(eighths.round() as usize))
}

/// Draws columns over time, and gives the most times that a column stands for.
fn lines(out: &mut impl Write, panel: &Panel, most: usize, pen: &Pen) -> io::Result<usize> {
    // A label has five characters, but for numbers beyond all measure.
    let labels = [panel.scale.greatest, panel.scale.least].map(|value| width(&short(value)));
    let margin = labels[0].max(labels[1]).max(5);
    let columns = most.saturating_sub(margin + 2).max(8);
    let spans = spans(panel, columns);
    let all: Vec<Vec<Option<f64>>> = panel
        .series
        .iter()
        .map(|series| values(series, &spans))
        .collect();
    let plot = Plot::new(
        Scale::of(all.iter().flatten().flatten().copied()),
        all.len(),
    );
    for (which, (series, values)) in panel.series.iter().zip(&all).enumerate() {
        if !series.name.is_empty() {
            let name = pen.clip(&series.name, most);
            writeln!(out, "{}", coloured(&name, which))?;
        }
        for row in (0..plot.height).rev() {
            let drawn = values.iter().map(|value| plot.cell(*value, row, pen));
            let drawn: String = drawn.collect();
            let drawn = coloured(drawn.trim_end(), which).into_owned();
            let label = padded(&plot.label(row), margin, true);
            writeln!(out, "{label} {}{drawn}", pen.axis)?;
        }
    }
    let time_name = panel.time_names();
    let (first, last) = (time_name(0), time_name(panel.times.len() - 1));
    let lead = " ".repeat(margin + 1);
    writeln!(out, "{lead}{}{}", pen.corner, pen.floor.repeat(columns))?;
    match width(&first) + width(&last) < columns {
        true => {
            let last = padded(&last, columns - width(&first), true);
            writeln!(out, "{lead} {first}{last}")?;
        }
        false => writeln!(out, "{lead} {first}\n{lead} {last}")?,
    }
    Ok(spans
        .iter()
        .map(|span| span.len())
        .max()
        .unwrap_or_default())
}

/// The lines of characters in which columns stand.
struct Plot {
    scale: Scale,
    height: usize,
    /// How many lines are below zero.
    below: usize,
}

impl Plot {
    fn new(scale: Scale, groups: usize) -> Plot {
        let height = if groups == 1 { HEIGHT } else { LOW };
        let below = (scale.part(scale.least).abs() * height as f64).round() as usize;
        let least = usize::from(scale.least < 0.0);
        let most = height - usize::from(scale.greatest > 0.0);
        Plot {
            scale,
            height,
            below: below.clamp(least, most),
        }
    }

    fn label(&self, row: usize) -> String {
        match row {
            _ if row + 1 == self.height && self.scale.greatest > 0.0 => short(self.scale.greatest),
            0 => short(self.scale.least),
            _ if row == self.below => "0".to_owned(),
            _ => String::new(),
        }
    }

    /// One character of a column.
    fn cell(&self, value: Option<f64>, row: usize, pen: &Pen) -> &'static str {
        let Some(value) = value.filter(|value| *value != 0.0) else {
            return " ";
        };
        let part = self.scale.part(value) * self.height as f64;
        if value < 0.0 {
            let cells = (part.abs().round() as usize).clamp(1, self.below.max(1));
            return match row < self.below && row + cells >= self.below {
                true => pen.upwards[7],
                false => " ",
            };
        }
        let most = (self.height - self.below) * 8;
        let eighths = ((part * 8.0).round() as usize).clamp(1, most);
        let above = row.checked_sub(self.below);
        match above.and_then(|above| eighths.checked_sub(above * 8)) {
            None | Some(0) => " ",
            Some(left) => pen.upwards[left.min(8) - 1],
        }
    }
}

/// The times that each column stands for; one that lies between two times shows the one before.
fn spans(panel: &Panel, columns: usize) -> Vec<std::ops::Range<usize>> {
    let times = &panel.times;
    let second = |at: usize| times[at].as_second() as f64;
    let (start, end) = (second(0), second(times.len() - 1));
    // The last time takes as much room as the others do on average.
    let span = (end - start) * times.len() as f64 / (times.len() - 1).max(1) as f64;
    let index = |column: usize| {
        let border = start + span * column as f64 / columns as f64;
        times.partition_point(|time| (time.as_second() as f64) < border)
    };
    (0..columns)
        .map(|column| {
            let (from, to) = (index(column), index(column + 1));
            match from < to {
                true => from..to,
                false => from.saturating_sub(1)..from.max(1),
            }
        })
        .collect()
}

/// The mean of each column.
fn values(series: &Series, spans: &[std::ops::Range<usize>]) -> Vec<Option<f64>> {
    spans
        .iter()
        .map(|span| {
            let values: Vec<f64> = series.values[span.clone()]
                .iter()
                .flatten()
                .copied()
                .collect();
            let count = values.len() as f64;
            (!values.is_empty()).then(|| values.iter().map(|value| value / count).sum())
        })
        .collect()
}
