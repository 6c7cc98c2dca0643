//! Changes as a changelog in Markdown: what breaks, what is new, what is otherwise, and what works again.

use std::collections::BTreeMap;

use super::Told;
use crate::cli::markdown;
use crate::cli::report::cut;
use crate::diff::{Change, Class};
use crate::source::Code;

/// The sections in their order.
const SECTIONS: [&str; 4] = ["Breaking", "Added", "Changed", "Fixed"];

/// By service, and in it by tool, the lines.
type Lines = BTreeMap<String, BTreeMap<String, Vec<String>>>;

/// The changelog.
pub(super) fn of(told: &Told) -> String {
    let mut sections: BTreeMap<&str, Lines> = BTreeMap::new();
    let mut add = |section: &'static str, service: &str, tool: &str, text: String| {
        let lines = sections.entry(section).or_default();
        let tools = lines.entry(service.to_owned()).or_default();
        tools.entry(tool.to_owned()).or_default().push(text);
    };
    for change in &told.comparison.changes {
        let tool = change.tool.as_deref().unwrap_or_default();
        add(section_of(change), &change.service, tool, sentence(change));
    }
    for (service, tool) in &told.comparison.mended {
        let text = "it was not valid, and is now".to_owned();
        add("Fixed", service, tool, text);
    }
    let (old, new) = &told.names;
    let mut text = format!(
        "# Changes from {} to {}\n",
        markdown::text(old),
        markdown::text(new)
    );
    for section in SECTIONS {
        let Some(lines) = sections.get(section) else {
            continue;
        };
        text.push_str(&format!("\n## {section}\n"));
        for (service, tools) in lines {
            text.push_str(&format!("\n### {}\n\n", markdown::text(service)));
            for (tool, lines) in tools {
                for line in lines {
                    match tool.as_str() {
                        "" => text.push_str(&format!("- {line}\n")),
                        tool => text.push_str(&format!("- **{}**: {line}\n", markdown::text(tool))),
                    }
                }
            }
        }
    }
    if sections.is_empty() {
        text.push_str("\nNothing changed.\n");
    }
    for error in &told.comparison.errors {
        text.push_str(&format!(
            "\nNot compared: {}\n",
            markdown::text(&error.to_string())
        ));
    }
    text
}

fn section_of(change: &Change) -> &'static str {
    let is_new = matches!(
        change.code,
        Code::ToolAdded | Code::ServiceAdded | Code::ParamAdded | Code::OutputAdded
    );
    match change.classes.worst() {
        Class::Breaking => "Breaking",
        _ if is_new => "Added",
        _ => "Changed",
    }
}

fn sentence(change: &Change) -> String {
    let mut text = markdown::text(&cut(&change.message));
    let whom: Vec<&str> = change
        .classes
        .each()
        .into_iter()
        .filter(|(_, class)| *class == Class::Breaking)
        .map(|(name, _)| match name {
            "wire" => "the request",
            name => name,
        })
        .collect();
    if !whom.is_empty() {
        text.push_str(&format!(" (for {})", whom.join(", ")));
    }
    if let Some(reason) = &change.accepted {
        text.push_str(&format!(
            " Accepted: {}.",
            markdown::text(reason.trim_end_matches('.'))
        ));
    }
    text
}
