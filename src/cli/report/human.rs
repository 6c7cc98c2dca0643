//! Findings for people: the source line with carets.

use std::io::{self, IsTerminal, Write};

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use toolrun::descriptor::{Finding, Severity};
use toolrun::validate::Report;

use crate::cli::output::printable;

/// Prints all findings and a summary.
pub fn print(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let color = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    for found in &report.findings {
        writeln!(out, "{}", finding(found, color))?;
    }
    writeln!(out, "{}", super::summary(report))
}

/// A finding with its source line, in the manner of rustc.
pub fn finding(finding: &Finding, color: bool) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let message = printable(&finding.message);
    let title = level.primary_title(&*message).id(finding.code.name());
    let mut report = Vec::new();
    let text = excerpt(finding);
    let place = finding.place().to_string();
    match &text {
        Some(text) => {
            let snippet = Snippet::source(text.as_str())
                .path(&finding.source.name)
                .annotation(AnnotationKind::Primary.span(finding.span.clone()));
            report.push(Group::with_title(title).element(snippet));
        }
        None => {
            let origin = annotate_snippets::Origin::path(place.as_str());
            report.push(Group::with_title(title).element(origin));
        }
    }
    if let Some(help) = &finding.help {
        report.push(Group::with_title(
            Level::HELP.secondary_title(help.as_str()),
        ));
    }
    let renderer = if color {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    format!("{}\n", renderer.render(&report))
}

/// The source, with what a terminal would obey made harmless. `None` where the line itself must not be shown, or there
/// is nothing to show.
fn excerpt(finding: &Finding) -> Option<String> {
    const LONGEST_LINE: usize = 400;
    let text = finding.source.text();
    if text.is_empty() || text.lines().any(|line| line.len() > LONGEST_LINE) {
        return None;
    }
    let mut text = text.to_owned();
    for span in toolrun::validate::confidential_spans(&finding.source) {
        blank(&mut text, span);
    }
    // Each control character becomes one of the same length, so that spans stay right.
    let harmless = |c: char| match c {
        '\n' | '\t' | '\r' => c,
        _ if c.is_control() && c.len_utf8() == 1 => '?',
        '\u{80}'..='\u{9f}' => '\u{a0}',
        '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => '\u{2022}',
        _ => c,
    };
    Some(text.chars().map(harmless).collect())
}

/// Puts stars over a part of the text, byte for byte, so that spans stay right.
fn blank(text: &mut String, span: std::ops::Range<usize>) {
    if let Some(part) = text.get(span.clone()) {
        let stars: String = part
            .bytes()
            .map(|b| if b == b'\n' { '\n' } else { '*' })
            .collect();
        text.replace_range(span, &stars);
    }
}
