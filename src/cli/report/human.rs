//! Findings for people: the source line with carets.

use std::io::{self, Write};
use std::ops::Range;
use std::sync::Arc;

use crate::check::Report;
use crate::source::{Finding, Severity, Source};
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::cut;
use crate::cli::terminal::{has_colours, line, shown, shown_with_span};

/// Prints all findings and a summary.
pub(crate) fn print(out: &mut impl Write, report: &Report) -> io::Result<()> {
    print_all(out, &report.findings, has_colours())?;
    writeln!(out, "{}", super::summary(report))
}

/// Prints findings, without a summary.
pub(crate) fn print_all(out: &mut impl Write, findings: &[Finding], color: bool) -> io::Result<()> {
    let mut last: Option<Excerpts> = None;
    for found in findings {
        // The findings of a file stand together, so that each file is prepared once.
        let excerpts = match last.take().filter(|last| last.is_of(&found.source)) {
            Some(last) => last,
            None => Excerpts::of(&found.source),
        };
        writeln!(out, "{}", finding_in(found, &excerpts, color))?;
        last = Some(excerpts);
    }
    Ok(())
}

/// A finding with its source line, in the manner of rustc.
fn finding_in(finding: &Finding, excerpts: &Excerpts, color: bool) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let message = cut(&finding.message);
    let message = shown(&message);
    let title = level.primary_title(&*message).id(finding.code.name());
    let mut report = Vec::new();
    let excerpt = excerpts.around(finding.span.clone());
    let place = line(&finding.position().to_string());
    let name = line(&finding.source.name);
    let help = finding.help.as_deref().map(cut);
    let help = help.as_ref().map(|help| shown(help));
    match &excerpt {
        Some((text, span, first)) => {
            let snippet = Snippet::source(text.as_str())
                .path(&name)
                .line_start(*first)
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

/// The lines of a file that a terminal may show.
struct Excerpts {
    source: Arc<Source>,
    /// The text with stars for what is confidential; `None` if there is nothing to show.
    text: Option<String>,
    /// Where each line starts.
    starts: Vec<usize>,
}

impl Excerpts {
    fn of(source: &Arc<Source>) -> Excerpts {
        const LONGEST_LINE: usize = 400;
        let text = source.text();
        let is_shown = !text.is_empty() && text.lines().all(|line| line.len() <= LONGEST_LINE);
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts = std::iter::once(0).chain(breaks.map(|(at, _)| at + 1));
        Excerpts {
            source: Arc::clone(source),
            starts: starts.collect(),
            text: is_shown.then(|| without_secrets(source)),
        }
    }

    fn is_of(&self, source: &Arc<Source>) -> bool {
        Arc::ptr_eq(&self.source, source)
    }

    /// The lines of a span as a terminal may show them, the span in them, and the number of the first.
    fn around(&self, span: Range<usize>) -> Option<(String, Range<usize>, usize)> {
        let text = self.text.as_deref()?;
        let line_of = |at: usize| self.starts.partition_point(|start| *start <= at).max(1);
        let first = line_of(span.start);
        let begin = self.starts[first - 1];
        let last = line_of(span.end.max(span.start));
        let end = self.starts.get(last).copied().unwrap_or(text.len());
        let lines = text.get(begin..end)?;
        let inside = span.start.min(end) - begin..span.end.min(end).max(span.start) - begin;
        let (shown, inside) = shown_with_span(lines, inside);
        Some((shown, inside, first))
    }
}

/// The text of a file with stars for what is confidential.
pub(crate) fn without_secrets(source: &Source) -> String {
    blanked(source.text(), crate::check::confidential_spans(source))
}

/// The text with stars for each of these spans, one for each byte, so that places stay correct.
fn blanked(text: &str, spans: Vec<Range<usize>>) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for span in spans {
        if text.get(span.clone()).is_some() {
            let part = bytes[span].iter_mut().filter(|byte| **byte != b'\n');
            part.for_each(|byte| *byte = b'*');
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
