//! What an entry of ours does not show: fields were hidden and secrets masked when it was recorded. Whoever reads such an entry
//! must not take the stand-ins for what was sent.

use std::collections::BTreeSet;

use serde_json::Value;

use super::entry::{redacted, redacted_url};
use super::index::rules_of;
use super::redact::Rules;
use crate::har::{Body, Content, Entry, Own};
use crate::plan::MASK;

/// What stands in the place of every hidden text, of part of one, and of a boolean.
const TEXT: &str = "toolrun-hidden-value";
/// What stands in the place of every hidden number.
const NUMBER: u64 = 4_503_599_627_370_483;

/// What of an entry is hidden.
#[derive(Debug, Default)]
pub(crate) struct Veil {
    rules: Rules,
    removed: Removed,
}

/// Members that were removed, wherever they were.
#[derive(Debug, Default)]
pub(crate) struct Removed {
    names: BTreeSet<String>,
    /// Whether it may have been a member of any name.
    any: bool,
}

impl Removed {
    /// Whether nothing was removed.
    pub(crate) fn is_empty(&self) -> bool {
        !self.any && self.names.is_empty()
    }

    /// Whether members of this name may have been removed.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.any || self.names.contains(name)
    }

    /// Adds what others say.
    pub(crate) fn add(&mut self, other: &Removed) {
        self.any |= other.any;
        for name in &other.names {
            if !self.names.contains(name) {
                self.names.insert(name.clone());
            }
        }
    }
}

impl Veil {
    /// What is hidden in the entry of which toolrun wrote this.
    pub(crate) fn of(own: &Own) -> Veil {
        // Of rules that are none, nothing is known; replaying the entry says so.
        let rules = rules_of(own).unwrap_or_default();
        let mut removed = Removed::default();
        for path in rules.removed() {
            match last_name(path) {
                Some(name) => drop(removed.names.insert(name.to_owned())),
                None => removed.any = true,
            }
        }
        Veil { rules, removed }
    }

    /// The members that were removed.
    pub(crate) fn removed(&self) -> &Removed {
        &self.removed
    }

    /// The entry with another value wherever one is hidden, the same for all; `None` if nothing is. What is made of the two and
    /// differs was made of something hidden.
    pub(crate) fn lifted(&self, entry: &Entry) -> Option<Entry> {
        if self.rules.is_empty() && !has_mask(entry) {
            return None;
        }
        let mut other = entry.clone();
        let rules = self.rules.replacing();
        let url = &mut other.request.url;
        if let Some((new, _)) = redacted_url(url, &rules, &stand_in) {
            *url = new;
        }
        let path = url.find("://").and_then(|at| {
            let authority = at + "://".len();
            Some(authority + url[authority..].find('/')?)
        });
        if let Some(path) = path {
            let shown = url.split_off(path);
            url.push_str(&shown.replace(MASK, TEXT));
        }
        for (_, value) in &mut other.request.headers {
            if value.contains(MASK) {
                *value = value.replace(MASK, TEXT);
            }
        }
        let request = other.request.body.iter_mut();
        let response = other.response.iter_mut().map(|response| &mut response.body);
        request.chain(response).for_each(|body| lift(body, &rules));
        (other.request != entry.request || other.response != entry.response).then_some(other)
    }
}

/// Whether something in an entry may be masked: most entries of others are large, and hide nothing.
fn has_mask(entry: &Entry) -> bool {
    let request = &entry.request;
    let response = entry.response.iter().map(|response| &response.body);
    let mut bodies = request.body.iter().chain(response);
    request.url.contains(MASK)
        || request
            .headers
            .iter()
            .any(|(_, value)| value.contains(MASK))
        || bodies.any(|body| matches!(&body.content, Content::Text(text) if text.contains(MASK)))
}

fn lift(body: &mut Body, rules: &Rules) {
    let essence = body.essence().into_owned();
    let Content::Text(text) = &mut body.content else {
        return;
    };
    if !rules.is_empty()
        && let Some((new, hits)) = redacted(&essence, text, rules, &stand_in)
        && !hits.is_empty()
    {
        *text = new;
    }
    if text.contains(MASK) {
        *text = text.replace(MASK, TEXT);
    }
}

fn stand_in(value: &Value) -> Value {
    match value {
        Value::Number(_) => NUMBER.into(),
        Value::Array(items) => items.iter().map(stand_in).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, member)| (name.clone(), stand_in(member)))
            .collect(),
        Value::String(_) | Value::Bool(_) | Value::Null => TEXT.into(),
    }
}

/// Whether a text of a lifted entry is hidden, or a part of it.
pub(crate) fn is_hidden_text(text: &str) -> bool {
    text.contains(TEXT)
}

/// Whether a value of a lifted entry is hidden, or something in it.
pub(crate) fn has_hidden(value: &Value) -> bool {
    match value {
        Value::String(text) => is_hidden_text(text),
        Value::Number(number) => number.as_u64() == Some(NUMBER),
        Value::Array(items) => items.iter().any(has_hidden),
        Value::Object(members) => members.values().any(has_hidden),
        Value::Bool(_) | Value::Null => false,
    }
}

/// The name that a JSONPath ends in; `None` if it ends in something else.
fn last_name(path: &str) -> Option<&str> {
    let is_name = |name: &&str| {
        let is_part = |c: char| c.is_alphanumeric() || c == '_' || !c.is_ascii();
        !name.is_empty() && name.chars().all(is_part)
    };
    let quoted = path.strip_suffix(']').and_then(|path| {
        let quote = path
            .chars()
            .next_back()
            .filter(|c| ['\'', '"'].contains(c))?;
        let path = path.strip_suffix(quote)?;
        let (before, name) = path.rsplit_once(quote)?;
        (before.ends_with('[') && !name.contains('\\')).then_some(name)
    });
    quoted.or_else(|| path.rsplit_once('.').map(|(_, name)| name).filter(is_name))
}

#[cfg(test)]
mod tests {
    use super::last_name;

    #[test]
    fn a_path_ends_in_a_name_or_not() {
        for (path, expected) in [
            ("$.a", Some("a")),
            ("$.a[*].b_c", Some("b_c")),
            ("$..e", Some("e")),
            ("$['a b']", Some("a b")),
            ("$[\"a.b\"]", Some("a.b")),
            ("$.a['it\\'s']", None),
            ("$", None),
            ("$.a[0]", None),
            ("$.*", None),
            ("$.a[?@.b == 'c']", None),
            ("$['a','b']", None),
        ] {
            assert_eq!(last_name(path), expected, "{path}");
        }
    }
}
