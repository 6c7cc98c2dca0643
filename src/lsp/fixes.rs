//! Quick fixes: what a finding suggests, and allowing it.

use std::ops::Range;

use serde_json::{Map, Value, json};

use super::facts::Facts;
use super::findings::suggestion;
use super::text::Text;
use crate::check::Kind;
use crate::source::{Code, Finding, Severity};
use crate::words::Name;
use crate::yaml;

/// What stands as the reason until somebody writes one.
const REASON: &str = "Say why this is intended.";

/// A change of a file's text.
struct Fix {
    title: String,
    range: Range<usize>,
    text: String,
    is_preferred: bool,
}

/// The fixes of the findings in a part of the text.
pub(super) fn fixes(
    facts: &Facts,
    text: &Text,
    uri: &str,
    part: Range<usize>,
    findings: &[Finding],
    diagnostics: &[Value],
) -> Vec<Value> {
    let touches =
        |finding: &&Finding| finding.span.start <= part.end && part.start <= finding.span.end;
    let mut actions = Vec::new();
    for finding in findings.iter().filter(touches) {
        let fixes = corrected(facts, text.as_str(), finding)
            .into_iter()
            .chain(required(facts, text.as_str(), finding))
            .chain(allowed(facts, text.as_str(), finding));
        for fix in fixes {
            let edit = json!({ "range": text.span(fix.range), "newText": fix.text });
            let own: Vec<&Value> = diagnostics
                .iter()
                .filter(|diagnostic| diagnostic["code"] == finding.code.name())
                .collect();
            actions.push(json!({
                "title": fix.title,
                "kind": "quickfix",
                "isPreferred": fix.is_preferred,
                "diagnostics": own,
                "edit": { "changes": { uri: [edit] } },
            }));
        }
    }
    actions.dedup_by(|a, b| a["title"] == b["title"] && a["edit"] == b["edit"]);
    actions
}

/// What was meant, in place of what is written.
fn corrected(facts: &Facts, text: &str, finding: &Finding) -> Option<Fix> {
    let written = text.get(finding.span.clone())?;
    let meant = match suggestion(finding) {
        Some(meant) => meant.to_owned(),
        None => own_name(facts, finding)?,
    };
    let quote = written.chars().next().filter(|c| matches!(c, '"' | '\''));
    let is_quoted = quote.is_some_and(|quote| written.len() > 1 && written.ends_with(quote));
    let edge = usize::from(is_quoted);
    let range = finding.span.start + edge..finding.span.end - edge;
    (!range.is_empty() && text[range.clone()] != meant && !written.contains('\n')).then(|| Fix {
        title: format!("Write `{meant}`"),
        range,
        text: meant,
        is_preferred: true,
    })
}

/// The name of the file, of its folder, or of the service beside it, where the finding says that it must be that.
fn own_name(facts: &Facts, finding: &Finding) -> Option<String> {
    let source = facts.source.as_ref()?;
    let is_at = |pointer: &str| source.value_span(pointer) == finding.span;
    let name = match (finding.code, facts.kind) {
        (Code::BadName, Kind::Tool) if is_at("/tool") => facts.stem(),
        (Code::BadName, Kind::Service) if is_at("/service") => facts.service_name(),
        (Code::MissingService, Kind::Tool) if is_at("/service") && facts.service.is_some() => {
            facts.service_name()
        }
        _ => None,
    };
    name.filter(|name| Name::new(name).is_some())
}

/// A param that a text needs becomes required.
fn required(facts: &Facts, text: &str, finding: &Finding) -> Option<Fix> {
    if finding.code != Code::OptionalInText {
        return None;
    }
    let source = facts.source.as_ref()?;
    let is_param = |name: &&String| {
        let pointer = crate::source::join("/params/properties", name);
        source.key_span(&pointer) == finding.span
    };
    let name = facts.params().map(|(name, _)| name).find(is_param)?;
    let mut names = facts
        .part("/params/required")
        .as_array()
        .cloned()
        .unwrap_or_default();
    names.push(name.as_str().into());
    let edited = yaml::with_values(text, &[("/params/required".to_owned(), names.into())]);
    difference(text, &edited.ok()?).map(|(range, text)| Fix {
        title: format!("Make `{name}` required"),
        range,
        text,
        is_preferred: true,
    })
}

/// A warning is allowed in the file.
fn allowed(facts: &Facts, text: &str, finding: &Finding) -> Option<Fix> {
    if finding.severity != Severity::Warning || finding.code == Code::NeedlessAllow {
        return None;
    }
    let code = finding.code.name();
    let mut all = match facts.part("/allow") {
        Value::Object(known) => known.clone(),
        Value::Null => Map::new(),
        _ => return None,
    };
    if all.insert(code.to_owned(), REASON.into()).is_some() {
        return None;
    }
    let edited = yaml::with_values(text, &[("/allow".to_owned(), all.into())]);
    difference(text, &edited.ok()?).map(|(range, text)| Fix {
        title: format!("Allow `{code}` in this file"),
        range,
        text,
        is_preferred: false,
    })
}

/// The part of a text that another one has changed, and what is there instead.
pub(super) fn difference(old: &str, new: &str) -> Option<(Range<usize>, String)> {
    if old == new {
        return None;
    }
    let shared = |pairs: &mut dyn Iterator<Item = (char, char)>| -> usize {
        let same = pairs.take_while(|(a, b)| a == b);
        same.map(|(a, _)| a.len_utf8()).sum()
    };
    let start = shared(&mut old.chars().zip(new.chars()));
    let tail = shared(&mut old[start..].chars().rev().zip(new[start..].chars().rev()));
    Some((
        start..old.len() - tail,
        new[start..new.len() - tail].to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn only_what_differs_is_changed() {
        for (old, new) in [
            ("a: 1\nb: 2\n", "a: 1\nx: é\nb: 2\n"),
            ("é", "è"),
            ("aa", "a"),
            ("a", "aa"),
            ("", "a"),
        ] {
            let (range, text) = difference(old, new).unwrap_or_default();
            let mut made = old.to_owned();
            made.replace_range(range, &text);
            assert_eq!(made, new);
        }
        assert_eq!(difference("a", "a"), None);
    }
}
