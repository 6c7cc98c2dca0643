//! Findings for people: the source line with carets.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use toolrun::descriptor::{Finding, Severity};

use super::output::printable;

/// A finding with its source line, in the manner of rustc.
pub fn human(finding: &Finding, color: bool) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let text = finding.source.text();
    let message = printable(&finding.message);
    let title = level.primary_title(&*message).id(finding.code.name());
    let snippet = Snippet::source(text)
        .path(&finding.source.name)
        .annotation(AnnotationKind::Primary.span(finding.span.clone()));
    let mut report = vec![Group::with_title(title).element(snippet)];
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
