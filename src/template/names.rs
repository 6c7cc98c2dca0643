//! The names that expressions may use.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::Expression;
use super::expression::ENVIRONMENT;
use super::habits::help_for_name;
use super::lexer::find_word;
use super::operations::report_unknown_operations;
use super::types::{Can, Types, failures};
use crate::source::{Check, Code};
use crate::words::nearest;

/// The names that expressions in one place may use.
#[derive(Debug, Clone, Default)]
pub struct Names {
    plain: Vec<String>,
    members: BTreeMap<String, Vec<String>>,
    anything: bool,
    /// What values they can have; `None` where expressions are not tried.
    types: Option<Arc<Types>>,
}

impl Names {
    /// Adds a name that stands for any value.
    pub fn with(mut self, name: &str) -> Names {
        self.plain.push(name.to_owned());
        // It may hide a name of known type.
        if let Some(types) = &mut self.types
            && types.contains_key(name)
        {
            Arc::make_mut(types).remove(name);
        }
        self
    }

    /// Says what values names can have, so that expressions are tried. Nothing is known about other names.
    pub(crate) fn of_types(mut self, types: Types) -> Names {
        self.types = Some(Arc::new(types));
        self
    }

    /// Says what values one name can have.
    pub(crate) fn of_type(mut self, name: &str, can: Can) -> Names {
        if let Some(types) = &mut self.types {
            Arc::make_mut(types).insert(name.to_owned(), can);
        }
        self
    }

    /// What values a name can have, if that is known.
    pub(crate) fn type_of(&self, name: &str) -> Option<Can> {
        self.types.as_ref()?.get(name).cloned()
    }

    /// Removes this name.
    pub fn without(mut self, name: &str) -> Names {
        self.plain.retain(|known| known != name);
        self
    }

    /// Adds a name whose members are known, such as `settings`.
    pub fn with_members<S: AsRef<str>>(
        mut self,
        name: &str,
        members: impl IntoIterator<Item = S>,
    ) -> Names {
        let members = members.into_iter().map(|m| m.as_ref().to_owned()).collect();
        self.members.insert(name.to_owned(), members);
        self
    }

    /// Allows any name.
    pub fn anything() -> Names {
        Names {
            anything: true,
            ..Names::default()
        }
    }

    /// Whether there is no param with this name, and the name that was probably meant.
    pub fn unknown_param(&self, name: &str) -> Option<Option<String>> {
        let known = self.members.get("params").unwrap_or(&self.plain);
        match self.anything || known.iter().any(|param| param == name) {
            true => None,
            false => Some(nearest(name, known.iter().map(String::as_str))),
        }
    }

    pub(super) fn problem(&self, dotted: &str) -> Option<(String, Option<String>)> {
        if self.anything {
            return None;
        }
        let mut parts = dotted.splitn(2, '.');
        let root = parts.next().unwrap_or_default();
        if let Some(members) = self.members.get(root) {
            let member = parts.next()?;
            let first = member.split('.').next().unwrap_or_default();
            if members
                .iter()
                .any(|known| known == member || known == first)
            {
                return None;
            }
            return Some((
                format!("`{root}` has no member `{member}`"),
                nearest(member, members.iter().map(String::as_str)),
            ));
        }
        if self.plain.iter().any(|known| known == root) || is_global(root) {
            return None;
        }
        let known = || self.plain.iter().chain(self.members.keys());
        let knows = |name: &str| known().any(|known| known == name);
        Some((
            format!("nothing here is called `{root}`"),
            nearest(root, known().map(String::as_str)).or_else(|| help_for_name(dotted, &knows)),
        ))
    }
}

fn is_global(name: &str) -> bool {
    ENVIRONMENT.globals().any(|(global, _)| global == name)
}

/// Whether expressions can use the text as a name directly.
pub(crate) fn is_identifier(text: &str) -> bool {
    const WORDS: [&str; 12] = [
        "true", "false", "none", "True", "False", "None", "and", "or", "not", "in", "is", "if",
    ];
    let mut characters = text.chars();
    characters
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && characters.all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !WORDS.contains(&text)
        && text != "else"
}

/// Reports the names in an expression that are not known in its place. The expression is at `range` of `text`.
pub(super) fn report_unknown(
    expression: &Expression,
    text: &str,
    range: &Range<usize>,
    pointer: &str,
    names: &Names,
    check: &Check,
) {
    let before = check.count();
    report_unknown_operations(&text[range.clone()], range.start, pointer, check);
    let part = &text[range.clone()];
    let whole = part.trim();
    let params = names.members.get("params");
    if whole.contains('-') && params.is_some_and(|params| params.iter().any(|name| name == whole)) {
        let start = range.start + part.len() - part.trim_start().len();
        check.error_inside(
            Code::UnknownName,
            pointer,
            start..start + whole.len(),
            format!("`{whole}` is a subtraction here"),
            Some(format!("for the param, write `params[\"{whole}\"]`")),
        );
        return;
    }
    for dotted in expression.dotted_names() {
        if let Some((message, help)) = names.problem(&dotted) {
            let at = find_word(part, &dotted).map_or(range.clone(), |found| {
                range.start + found.start..range.start + found.end
            });
            check.error_inside(Code::UnknownName, pointer, at, message, help);
        }
    }
    for root in expression.names() {
        for name in expression.subscripts(root).unwrap_or_default() {
            if let Some((message, help)) = names.problem(&format!("{root}.{name}"))
                && names.members.contains_key(root)
            {
                let at = part.find(&name).map_or(range.clone(), |found| {
                    range.start + found..range.start + found + name.len()
                });
                check.error_inside(Code::UnknownName, pointer, at, message, help);
            }
        }
    }
    let computes = expression
        .plain()
        .is_none_or(|(_, member)| member.is_some());
    if let Some(types) = &names.types
        && computes
        && check.proves()
        && check.count() == before
    {
        for failure in failures(part, types) {
            let at = range.start + failure.range.start..range.start + failure.range.end;
            let message = format!("this fails with every value: {}", failure.reason);
            check.error_inside(Code::FailingExpression, pointer, at, message, failure.help);
        }
    }
}
