//! A chart as an SVG picture: bars where there are few, otherwise lines over time.
//!
//! The picture needs nothing beside it: no fonts, scripts or styles from elsewhere. Its colours are told apart by people
//! who see few (Okabe and Ito), on a white ground.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::chart::{Chart, Panel, Series, amount, short};
use super::layout::width;
use crate::cli::xml;

const WIDTH: f64 = 800.0;
/// The room of the drawing between the texts around it.
const LEFT: f64 = 70.0;
const RIGHT: f64 = 780.0;
const TITLE: f64 = 28.0;
const LEGEND: f64 = 18.0;
/// Room above the drawing, for half of its highest label.
const ABOVE: f64 = 10.0;
const HEIGHT: f64 = 200.0;
const AXIS: f64 = 40.0;
const NOTE: f64 = 18.0;
/// Characters of a line of notes, and of a name in the legend.
const NOTE_WIDTH: usize = 110;
const NAME_WIDTH: usize = 90;
/// Times that have a label, if it is a day; others are longer.
const LABELS: usize = 5;
const LONG_LABELS: usize = 3;
const COLOURS: [&str; 8] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#a07800", "#3a8fc0", "#555555", "#000000",
];

/// Writes a chart as a picture.
pub(crate) fn write(out: &mut impl Write, chart: &Chart) -> io::Result<()> {
    let told = chart.notes.join("; ");
    let notes = super::layout::wrap(&told, NOTE_WIDTH);
    let notes: Vec<&str> = notes.into_iter().filter(|line| !line.is_empty()).collect();
    let height: f64 =
        chart.panels.iter().map(height).sum::<f64>().max(TITLE) + NOTE * notes.len() as f64 + 12.0;
    let titles: Vec<&str> = chart
        .panels
        .iter()
        .map(|panel| panel.title.as_str())
        .collect();
    let title = match titles.is_empty() {
        true => "nothing".to_owned(),
        false => titles.join(", "),
    };
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
         role=\"img\" aria-labelledby=\"title desc\" font-family=\"sans-serif\" font-size=\"12\" fill=\"#222222\">\n\
         <title id=\"title\">{}</title>\n<desc id=\"desc\">{}</desc>\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n",
        escaped(&title),
        escaped(&description(chart))
    );
    let mut top = 0.0;
    if chart.panels.is_empty() {
        label(&mut text, 12.0, 18.0, "start", "nothing");
        top = TITLE;
    }
    for panel in &chart.panels {
        draw(&mut text, panel, top);
        top += self::height(panel);
    }
    for (at, note) in notes.iter().enumerate() {
        label(
            &mut text,
            12.0,
            top + NOTE * (at as f64 + 0.8),
            "start",
            note,
        );
    }
    text.push_str("</svg>\n");
    out.write_all(text.as_bytes())
}

fn height(panel: &Panel) -> f64 {
    TITLE + LEGEND * legend(panel).count() as f64 + ABOVE + HEIGHT + AXIS
}

/// The groups that have a name.
fn legend(panel: &Panel) -> impl Iterator<Item = (usize, &Series)> {
    let named = |(_, series): &(usize, &Series)| !series.name.is_empty();
    panel.series.iter().enumerate().filter(named)
}

/// The picture in words.
fn description(chart: &Chart) -> String {
    let mut told: Vec<String> = chart
        .panels
        .iter()
        .map(|panel| {
            let time = panel.time_names();
            format!(
                "{} from {} to {}, between {} and {}",
                panel.title,
                time(0),
                time(panel.times.len() - 1),
                amount(panel.scale.least),
                amount(panel.scale.greatest)
            )
        })
        .collect();
    told.extend(chart.notes.iter().cloned());
    told.join(". ")
}

fn draw(text: &mut String, panel: &Panel, top: f64) {
    let _ = writeln!(
        text,
        "<text x=\"12\" y=\"{}\" font-size=\"14\" font-weight=\"bold\">{}</text>",
        top + 20.0,
        escaped(&clip(&panel.title))
    );
    let mut at = top + TITLE;
    for (which, series) in legend(panel) {
        let _ = writeln!(
            text,
            "<rect x=\"{LEFT}\" y=\"{}\" width=\"10\" height=\"10\" fill=\"{}\"/>",
            at + 2.0,
            colour(which)
        );
        label(text, LEFT + 16.0, at + 11.0, "start", &clip(&series.name));
        at += LEGEND;
    }
    at += ABOVE;
    let floor = at + HEIGHT * (1.0 - panel.scale.part(panel.scale.least).abs());
    grid(text, panel, floor);
    match Chart::has_bars(panel) {
        true => bars(text, panel, floor),
        false => lines(text, panel, floor),
    }
    times(text, panel, at + HEIGHT + 18.0);
}

/// Lines at zero and at other round values.
fn grid(text: &mut String, panel: &Panel, floor: f64) {
    for value in panel.scale.round_values() {
        let y = floor - panel.scale.part(value) * HEIGHT;
        let colour = if value == 0.0 { "#555555" } else { "#dddddd" };
        let _ = writeln!(
            text,
            "<line x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{RIGHT}\" y2=\"{y:.1}\" stroke=\"{colour}\"/>"
        );
        label(text, LEFT - 6.0, y + 4.0, "end", &short(value));
    }
}

fn bars(text: &mut String, panel: &Panel, floor: f64) {
    let slot = (RIGHT - LEFT) / panel.times.len() as f64;
    let wide = (slot * 0.8 / panel.series.len() as f64).min(60.0);
    let time = panel.time_names();
    for at in 0..panel.times.len() {
        let middle = LEFT + slot * (at as f64 + 0.5);
        let start = middle - wide * panel.series.len() as f64 / 2.0;
        for (which, series) in panel.series.iter().enumerate() {
            let Some(value) = series.values[at] else {
                continue;
            };
            let high = panel.scale.part(value).abs() * HEIGHT;
            let y = if value < 0.0 { floor } else { floor - high };
            let told = [time(at), series.name.clone(), amount(value)].join(" ");
            let _ = writeln!(
                text,
                "<rect x=\"{:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{high:.1}\" fill=\"{}\"><title>{}</title></rect>",
                start + wide * which as f64,
                (wide * 0.95).max(0.5),
                colour(which),
                escaped(&told)
            );
        }
    }
}

fn lines(text: &mut String, panel: &Panel, floor: f64) {
    for (which, series) in panel.series.iter().enumerate() {
        // A time without a value is a gap.
        for run in runs(&series.values) {
            let point = |at: usize| {
                let value = series.values[at].unwrap_or_default();
                format!(
                    "{:.1},{:.1}",
                    x(panel, at),
                    floor - panel.scale.part(value) * HEIGHT
                )
            };
            let points: Vec<String> = run.clone().map(point).collect();
            let colour = colour(which);
            let _ = match points.as_slice() {
                [alone] => {
                    let (x, y) = alone.split_once(',').unwrap_or_default();
                    writeln!(
                        text,
                        "<circle cx=\"{x}\" cy=\"{y}\" r=\"2\" fill=\"{colour}\"/>"
                    )
                }
                _ => writeln!(
                    text,
                    "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>",
                    points.join(" ")
                ),
            };
        }
    }
}

/// Values that stand one behind the other.
fn runs(values: &[Option<f64>]) -> Vec<std::ops::Range<usize>> {
    let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
    for (at, _) in values
        .iter()
        .enumerate()
        .filter(|(_, value)| value.is_some())
    {
        match runs.last_mut() {
            Some(run) if run.end == at => run.end += 1,
            _ => runs.push(at..at + 1),
        }
    }
    runs
}

/// Where a time stands.
fn x(panel: &Panel, at: usize) -> f64 {
    let count = panel.times.len();
    if Chart::has_bars(panel) {
        return LEFT + (RIGHT - LEFT) * (at as f64 + 0.5) / count as f64;
    }
    let second = |at: usize| panel.times[at].as_second() as f64;
    let (start, end) = (second(0), second(count - 1));
    let part = (second(at) - start) / (end - start).max(1.0);
    LEFT + (RIGHT - LEFT) * part
}

fn times(text: &mut String, panel: &Panel, y: f64) {
    let time = panel.time_names();
    let count = panel.times.len();
    let labels = match time(0).len() {
        0..=10 => count.min(LABELS),
        _ => count.min(LONG_LABELS),
    };
    for which in 0..labels {
        let at = which * (count - 1) / (labels - 1).max(1);
        let x = x(panel, at);
        let anchor = match x {
            _ if x < LEFT + 60.0 => "start",
            _ if x > RIGHT - 60.0 => "end",
            _ => "middle",
        };
        label(text, x, y, anchor, &time(at));
    }
}

fn label(text: &mut String, x: f64, y: f64, anchor: &str, told: &str) {
    let told = escaped(told);
    let _ = writeln!(
        text,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{told}</text>"
    );
}

fn colour(which: usize) -> &'static str {
    COLOURS[which % COLOURS.len()]
}

fn clip(text: &str) -> String {
    if width(text) <= NAME_WIDTH {
        return text.to_owned();
    }
    let mut taken = 0;
    let fits = |c: &char| {
        taken += width(c.encode_utf8(&mut [0; 4]));
        taken < NAME_WIDTH
    };
    let clipped: String = text.chars().take_while(fits).collect();
    clipped + "…"
}

/// The text as XML; what XML cannot hold is shown as `?`.
fn escaped(text: &str) -> String {
    xml::escaped(text, |_| '?')
}
