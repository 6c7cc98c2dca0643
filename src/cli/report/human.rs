//! Findings for people: the source line with carets.

use std::io::{self, Write};
use std::ops::Range;

use crate::check::Report;
use crate::source::{Finding, Severity};
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::cli::terminal::{has_colours, line, shown, shown_with_span};

/// Prints all findings and a summary.
pub(crate) fn print(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let color = has_colours();
    for found in &report.findings {
        writeln!(out, "{}", finding(found, color))?;
    }
    writeln!(out, "{}", super::summary(report))
}

/// A finding with its source line, in the manner of rustc.
pub(crate) fn finding(finding: &Finding, color: bool) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let message = shown(&finding.message);
    let title = level.primary_title(&*message).id(finding.code.name());
    let mut report = Vec::new();
    let text = excerpt(finding);
    let place = line(&finding.position().to_string());
    let name = line(&finding.source.name);
    let help = finding.help.as_ref().map(|help| shown(help));
    match &text {
        Some((text, span)) => {
            let snippet = Snippet::source(text.as_str())
                .path(&name)
                .annotation(AnnotationKind::Primary.span(span.clone()));
            report.push(Group::with_title(title).element(snippet));
        }
        None => {
            let origin = annotate_snippets::Origin::path(place.as_str());
            report.push(Group::with_title(title).element(origin));
        }
    }
    if let Some(help) = &help {
        report.push(Group::with_title(Level::HELP.secondary_title(&**help)));
    }
    let renderer = if color {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    format!("{}\n", renderer.render(&report))
}

/// The source as a terminal may show it, and the part of it that the finding points at. `None` if the line itself must
/// not be shown, or there is nothing to show.
fn excerpt(finding: &Finding) -> Option<(String, Range<usize>)> {
    const LONGEST_LINE: usize = 400;
    let text = finding.source.text();
    if text.is_empty() || text.lines().any(|line| line.len() > LONGEST_LINE) {
        return None;
    }
    let mut text = text.to_owned();
    for span in crate::check::confidential_spans(&finding.source) {
        blank(&mut text, span);
    }
    Some(shown_with_span(&text, finding.span.clone()))
}

/// Replaces a part of the text by stars, one for each byte, so that spans stay correct.
fn blank(text: &mut String, span: std::ops::Range<usize>) {
    if let Some(part) = text.get(span.clone()) {
        let stars: String = part
            .bytes()
            .map(|b| if b == b'\n' { '\n' } else { '*' })
            .collect();
        text.replace_range(span, &stars);
    }
}
