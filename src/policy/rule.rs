//! One rule: its patterns, its condition, and whether it matches a call.

use std::sync::Arc;

use glob::Pattern;
use serde_json::{Value, json};

use super::spec::{Patterns, RuleSpec};
use super::{Caller, Seen, Verdict};
use crate::source::{Check, Code, join_index};
use crate::template::{Can, Expression, Names, Scope as _, Template, Types};
use crate::tool::Tool;
use crate::words::nearest;

/// A compiled rule.
#[derive(Debug)]
pub(super) struct Rule {
    pub tools: Globs,
    pub callers: Globs,
    pub when: Option<Expression>,
    pub verdict: Verdict,
    pub why: Option<String>,
}

/// Patterns, of which one must match.
#[derive(Debug)]
pub(super) struct Globs {
    /// `None` stands for everything.
    patterns: Option<Vec<Pattern>>,
}

/// Whether a rule matches a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Matched {
    /// It does, and decides if no earlier one did.
    Yes,
    /// It is about other tools.
    OtherTools,
    /// It is about other callers.
    OtherCallers,
    /// Its condition does not hold.
    NotNow,
    /// Its condition cannot be computed, so nothing is let through.
    Failed(String),
}

impl Matched {
    pub(super) fn decides(&self) -> bool {
        matches!(self, Matched::Yes | Matched::Failed(_))
    }
}

impl Globs {
    /// Compiles patterns; mistakes go to `check`.
    fn compile(patterns: Option<&Patterns>, pointer: &str, check: &Check) -> Globs {
        let Some(patterns) = patterns else {
            return Globs { patterns: None };
        };
        let placed: Vec<(String, &String)> = match patterns {
            Patterns::One(one) => vec![(pointer.to_owned(), one)],
            Patterns::Several(several) => several
                .iter()
                .enumerate()
                .map(|(at, one)| (join_index(pointer, at), one))
                .collect(),
        };
        if placed.is_empty() {
            let message = "no pattern stands here, so that the rule never matches";
            check.error_with_help(
                Code::BadValue,
                pointer,
                message,
                "leave the key out for all",
            );
        }
        let compile = |(at, text): (String, &String)| match Pattern::new(text) {
            Ok(pattern) if !text.is_empty() => Some(pattern),
            Ok(_) => {
                check.error(Code::BadValue, &at, "an empty pattern matches nothing");
                None
            }
            Err(error) => {
                check.error(
                    Code::BadValue,
                    &at,
                    format!("this is no pattern: {}", error.msg),
                );
                None
            }
        };
        Globs {
            patterns: Some(placed.into_iter().filter_map(compile).collect()),
        }
    }

    fn meets(&self, name: &str) -> bool {
        let Some(patterns) = &self.patterns else {
            return true;
        };
        patterns.iter().any(|pattern| pattern.matches(name))
    }

    /// Whether everything that the other patterns match is matched by these too. Says no where it is not plain.
    pub(super) fn cover(&self, others: &Globs) -> bool {
        let Some(own) = &self.patterns else {
            return true;
        };
        if own.iter().any(|pattern| pattern.as_str() == "*") {
            return true;
        }
        let Some(others) = &others.patterns else {
            return false;
        };
        let is_covered = |other: &Pattern| own.iter().any(|own| covers(own, other));
        !others.is_empty() && others.iter().all(is_covered)
    }

    /// Whether everything is matched.
    fn is_everything(&self) -> bool {
        let is_star = |pattern: &Pattern| pattern.as_str() == "*";
        self.patterns
            .as_ref()
            .is_none_or(|patterns| patterns.iter().any(is_star))
    }
}

fn covers(own: &Pattern, other: &Pattern) -> bool {
    const SPECIAL: [char; 4] = ['*', '?', '[', ']'];
    let (own_text, other_text) = (own.as_str(), other.as_str());
    let starts_alike = own_text
        .strip_suffix('*')
        .is_some_and(|start| !start.contains(SPECIAL) && other_text.starts_with(start));
    own_text == other_text
        || starts_alike
        || (!other_text.contains(SPECIAL) && own.matches(other_text))
}

impl Rule {
    /// Compiles the rule at this place of the list; mistakes go to `check`.
    pub(super) fn compile(
        spec: &RuleSpec,
        at: usize,
        all: Option<&[Arc<Tool>]>,
        check: &Check,
    ) -> Rule {
        let pointer = format!("/rules/{at}");
        let tools = Globs::compile(spec.tools.as_ref(), &format!("{pointer}/tools"), check);
        let callers = Globs::compile(spec.callers.as_ref(), &format!("{pointer}/callers"), check);
        if let (Some(all), Some(patterns)) = (all, &spec.tools) {
            report_unmet(patterns, &format!("{pointer}/tools"), all, check);
        }
        let when = spec.when.as_ref().and_then(|when| {
            let own: Option<Vec<&Tool>> = all.map(|all| {
                let own = all
                    .iter()
                    .filter(|tool| tools.meets(&tool.qualified_name()));
                own.map(AsRef::as_ref).collect()
            });
            condition(when, &format!("{pointer}/when"), own.as_deref(), check)
        });
        Rule {
            tools,
            callers,
            when,
            verdict: spec.verdict,
            why: spec.why.clone(),
        }
    }

    /// Whether the rule is about the tool.
    pub(super) fn meets(&self, tool: &Tool) -> bool {
        self.tools.meets(&tool.qualified_name())
    }

    /// Whether the rule is about the caller.
    pub(super) fn knows(&self, caller: &Caller) -> bool {
        self.callers.meets(&caller.name)
    }

    /// Whether it matches every call of its tools.
    pub(super) fn is_certain(&self) -> bool {
        self.when.is_none() && self.callers.is_everything()
    }

    pub(super) fn matches(&self, caller: &Caller, tool: &Tool, seen: &Seen) -> Matched {
        if !self.meets(tool) {
            return Matched::OtherTools;
        }
        if !self.knows(caller) {
            return Matched::OtherCallers;
        }
        let Some(when) = &self.when else {
            return Matched::Yes;
        };
        if let Some(absent) = compared_and_absent(when, seen) {
            return Matched::Failed(format!(
                "`{absent}` is absent, and an absent value is neither small nor large"
            ));
        }
        match when.eval(seen) {
            Ok(Some(Value::Bool(true))) => Matched::Yes,
            Ok(Some(Value::Bool(false)) | None) => Matched::NotNow,
            Ok(Some(value)) if !crate::template::is_truthy(&value) => Matched::NotNow,
            Ok(Some(_)) => Matched::Yes,
            Err(error) => Matched::Failed(error.reason),
        }
    }
}

/// What stands behind a name where an expression asks whether it is absent.
const ASKS_WHETHER_DEFINED: [&str; 5] = [
    " is defined",
    " is not defined",
    " is undefined",
    " | default",
    "|default",
];
/// What stands behind a name where an expression asks whether it is absent or null.
const ASKS_FOR_MORE: [&str; 4] = [" is none", " is not none", " is number", " is integer"];

/// A name that the condition compares by size and that is absent or null in this call. The engine would call it smaller
/// than every number, so that a limit would hold for a call that does not even say its amount.
fn compared_and_absent(when: &Expression, seen: &Seen) -> Option<String> {
    if !when.compares_sizes() {
        return None;
    }
    let subscripts = when.subscripts("args").unwrap_or_default();
    let subscripts = subscripts.into_iter().map(|name| format!("args.{name}"));
    let text: String = when
        .text()
        .split_whitespace()
        .collect::<Vec<&str>>()
        .join(" ");
    // Whoever asks whether it is there has thought of it.
    let is_asked = |dotted: &str, questions: &[&str]| {
        let asks = |question: &&str| text.contains(&format!("{dotted}{question}"));
        questions.iter().any(asks)
    };
    let is_missing = |dotted: &String| {
        let mut parts = dotted.split('.');
        let mut value = seen.json(parts.next().unwrap_or_default());
        for part in parts {
            value = value.and_then(|value| value.get(part));
        }
        match value {
            None => !is_asked(dotted, &ASKS_WHETHER_DEFINED) && !is_asked(dotted, &ASKS_FOR_MORE),
            Some(Value::Null) => !is_asked(dotted, &ASKS_FOR_MORE),
            Some(_) => false,
        }
    };
    let named = when.dotted_names().into_iter();
    named.chain(subscripts).find(is_missing)
}

fn report_unmet(patterns: &Patterns, pointer: &str, all: &[Arc<Tool>], check: &Check) {
    let names: Vec<String> = all.iter().map(|tool| tool.qualified_name()).collect();
    let report = |at: &str, text: &str| {
        let Ok(pattern) = Pattern::new(text) else {
            return;
        };
        if text.is_empty() || names.iter().any(|name| pattern.matches(name)) {
            return;
        }
        let message = format!("no tool that is known here has a name like `{text}`");
        match nearest(text, names.iter().map(String::as_str)) {
            Some(help) => check.error_with_help(Code::UnmetPattern, at, message, help),
            None if !text.contains('/') => {
                let help = "names are SERVICE/TOOL";
                check.error_with_help(Code::UnmetPattern, at, message, help);
            }
            None => check.error(Code::UnmetPattern, at, message),
        }
    };
    match patterns {
        Patterns::One(one) => report(pointer, one),
        Patterns::Several(several) => {
            for (at, one) in several.iter().enumerate() {
                report(&join_index(pointer, at), one);
            }
        }
    }
}

/// Compiles a condition; mistakes go to `check`. `tools` are those that the rule is about, if it is known.
fn condition(
    text: &str,
    pointer: &str,
    tools: Option<&[&Tool]>,
    check: &Check,
) -> Option<Expression> {
    let names = names(tools);
    match Template::compile_text(text, pointer, &names, check) {
        Template::Expression(expression) => Some(expression),
        // A text that is broken is a finding already.
        Template::Literal(Value::Null) => None,
        _ => {
            check.error_with_help(
                Code::BadValue,
                pointer,
                "a condition is one expression",
                "write `{{ }}` around all of it",
            );
            None
        }
    }
}

/// The names that a condition may use, and what they can be.
fn names(tools: Option<&[&Tool]>) -> Names {
    let tool = json!({ "type": "object", "properties": {
        "name": { "type": "string" },
        "service": { "type": "string" },
        "access": { "enum": ["read", "write", "destructive"] },
        "method": { "type": "string" },
    }, "required": ["name", "service", "access", "method"] });
    let mut types = Types::from([
        (
            "tool".to_owned(),
            Can::be_as(&tool, &Arc::new(tool.clone())),
        ),
        ("caller".to_owned(), Can::be_anything()),
    ]);
    let names = Names::default()
        .with_members("tool", ["name", "service", "access", "method"])
        .with_members("caller", ["name", "claims"]);
    let names = match tools {
        Some(tools @ [_, ..]) => {
            if let [only] = tools {
                let schema = only.params.schema();
                types.insert(
                    "args".to_owned(),
                    Can::be_as(schema, &Arc::new(schema.clone())),
                );
            }
            let params = tools
                .iter()
                .flat_map(|tool| tool.params.iter().map(|param| param.name));
            names.with_members("args", params)
        }
        // Nothing is known about the arguments.
        _ => names.with("args"),
    };
    names.of_types(types)
}
