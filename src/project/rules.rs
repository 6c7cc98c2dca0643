//! Error rules: what to do with a response that its status alone does not explain.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::kind::report_vain_paths;
use super::{
    Condition, Extract, ExtractSpec, Node, Projector, ResponseKind, ResponseSpec, ResponseView,
};
use crate::source::{Check, Code, join, join_index};
use crate::template::Names;
use crate::words::scalar_text;

/// What to do with the responses of a status, or with those that meet a condition. The first rule that is for a
/// response counts: a tool's own come before its service's, and both before the service's `retry`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ErrorRuleSpec {
    /// The status that the rule is for, or several; any when absent.
    pub status: Option<Statuses>,
    /// Whether the rule is for a response: an expression or a JSONPath. It is not for one that the expression cannot
    /// be computed from.
    pub when: Option<String>,
    /// What to do.
    pub action: Action,
    /// With `retry`: how long to wait, in seconds or as an HTTP date.
    pub after: Option<ExtractSpec>,
    /// With `retry`: this answer says that nothing was done, so that any request may be sent again.
    #[serde(default)]
    pub safe: bool,
    /// The message of the error in place of the service's own: text, a JSONPath or an expression.
    pub message: Option<String>,
    /// The code of the error in place of the service's own: text, a JSONPath or an expression.
    pub code: Option<String>,
}

/// One status or several.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Statuses {
    /// One.
    One(#[schemars(range(min = 200, max = 599))] u16),
    /// Several.
    Several(#[schemars(length(min = 1), inner(range(min = 200, max = 599)))] Vec<u16>),
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The call fails.
    Fail,
    /// The request is sent again, within the service's `retry`, where that is safe.
    Retry,
    /// The credential is fetched anew, and the request sent once more.
    Refresh,
    /// The response counts as a success without a body; a list has an empty page.
    Empty,
}

impl Action {
    fn name(self) -> &'static str {
        match self {
            Action::Fail => "fail",
            Action::Retry => "retry",
            Action::Refresh => "refresh",
            Action::Empty => "empty",
        }
    }
}

/// A compiled rule.
#[derive(Debug)]
pub struct Rule {
    /// What it does.
    pub action: Action,
    /// Whether any request may be sent again.
    pub safe: bool,
    /// No status stands for any.
    statuses: Vec<u16>,
    condition: Option<Condition>,
    after: Option<Extract>,
    message: Option<Projector>,
    code: Option<Projector>,
}

impl Rule {
    /// Whether the rule is for responses of this status, if they meet its condition.
    pub fn covers(&self, status: u16) -> bool {
        self.statuses.is_empty() || self.statuses.contains(&status)
    }

    /// Whether there is a condition that needs the response.
    pub fn has_condition(&self) -> bool {
        self.condition.is_some()
    }

    /// Whether a response meets the condition. What it cannot be computed from does not.
    pub fn holds(&self, response: &ResponseView<'_>) -> bool {
        self.condition
            .as_ref()
            .is_none_or(|condition| condition.holds(response).unwrap_or(false))
    }

    /// How long the response asks to wait, as a text.
    pub fn after(&self, response: &ResponseView<'_>) -> Option<String> {
        scalar_text(&self.after.as_ref()?.extract(response).ok()?)
    }

    /// The error's message, where the rule has one.
    pub fn message(&self, response: &ResponseView<'_>) -> Option<String> {
        text(self.message.as_ref(), response)
    }

    /// The error's code, where the rule has one.
    pub fn code(&self, response: &ResponseView<'_>) -> Option<String> {
        text(self.code.as_ref(), response)
    }

    fn compile(spec: &ErrorRuleSpec, pointer: &str, names: &Names, check: &Check) -> Rule {
        report_needless_keys(spec, pointer, check);
        let node = |text: Option<&String>, key: &str| {
            text.map(|text| {
                let value = Value::from(text.as_str());
                Projector::new(Node::compile(&value, &join(pointer, key), names, check))
            })
        };
        Rule {
            action: spec.action,
            safe: spec.safe,
            statuses: match &spec.status {
                None => Vec::new(),
                Some(Statuses::One(status)) => vec![*status],
                Some(Statuses::Several(statuses)) => statuses.clone(),
            },
            condition: spec.when.as_ref().map(|text| {
                Condition::compile(
                    text,
                    &join(pointer, "when"),
                    Code::BadResponse,
                    names,
                    check,
                )
            }),
            after: spec
                .after
                .as_ref()
                .map(|after| Extract::compile(after, &join(pointer, "after"), names, check)),
            message: node(spec.message.as_ref(), "message"),
            code: node(spec.code.as_ref(), "code"),
        }
    }

    /// Whether no response that `other` is for gets past this rule.
    fn hides(&self, other: &Rule) -> bool {
        self.condition.is_none()
            && (self.statuses.is_empty()
                || (!other.statuses.is_empty()
                    && other.statuses.iter().all(|status| self.covers(*status))))
    }
}

/// A text of an error that cannot be computed from the response is simply not told.
fn text(node: Option<&Projector>, response: &ResponseView<'_>) -> Option<String> {
    scalar_text(&node?.value_of(response).ok()??)
}

fn report_needless_keys(spec: &ErrorRuleSpec, pointer: &str, check: &Check) {
    if spec.status.is_none() && spec.when.is_none() {
        check.error(
            Code::BadResponse,
            pointer,
            "a rule needs `status` or `when`: it must not be for every response",
        );
    }
    let retries = spec.action == Action::Retry;
    let fails = spec.action != Action::Empty;
    for (key, is_given, is_used) in [
        ("after", spec.after.is_some(), retries),
        ("safe", spec.safe, retries),
        ("message", spec.message.is_some(), fails),
        ("code", spec.code.is_some(), fails),
    ] {
        if is_given && !is_used {
            check.error_at_key(
                Code::BadResponse,
                &join(pointer, key),
                format!(
                    "`{key}` has no meaning with the action `{}`",
                    spec.action.name()
                ),
                None,
            );
        }
    }
}

/// Compiled rules, in order.
#[derive(Debug, Default)]
pub struct ErrorRules(Vec<Rule>);

impl ErrorRules {
    /// Compiles the list; mistakes go to `check`.
    pub fn compile(
        specs: &[ErrorRuleSpec],
        pointer: &str,
        names: &Names,
        check: &Check,
    ) -> ErrorRules {
        let mut rules: Vec<Rule> = Vec::with_capacity(specs.len());
        for (i, spec) in specs.iter().enumerate() {
            let at = join_index(pointer, i);
            let rule = Rule::compile(spec, &at, names, check);
            if let Some(earlier) = rules.iter().position(|earlier| earlier.hides(&rule)) {
                check.error(
                    Code::BadResponse,
                    &at,
                    format!(
                        "this rule never counts: rule {} is for all its responses and comes first",
                        earlier + 1
                    ),
                );
            }
            rules.push(rule);
        }
        ErrorRules(rules)
    }

    /// Reports the rules that are to send a request again and never can, for this reason.
    pub fn report_vain_retries(
        &self,
        is_vain: impl Fn(&Rule) -> bool,
        reason: &str,
        pointer: &str,
        check: &Check,
    ) {
        for (i, rule) in self.0.iter().enumerate() {
            if rule.action == Action::Retry && is_vain(rule) {
                check.error(
                    Code::BadResponse,
                    &join(&join_index(pointer, i), "action"),
                    format!("nothing is ever sent again by this rule: {reason}"),
                );
            }
        }
    }

    /// The rules.
    pub fn iter(&self) -> std::slice::Iter<'_, Rule> {
        self.0.iter()
    }
}

/// How the responses of a tool are to be taken.
#[derive(Debug, Default)]
pub struct ResponseRules {
    /// What their body is.
    pub kind: ResponseKind,
    /// What makes an error of a success.
    pub fail_when: Option<Condition>,
    /// The tool's own error rules.
    pub rules: ErrorRules,
}

impl ResponseRules {
    /// Compiles these keys of a response section; mistakes go to `check`.
    pub fn compile(
        spec: Option<&ResponseSpec>,
        pointer: &str,
        names: &Names,
        check: &Check,
    ) -> ResponseRules {
        let Some(spec) = spec else {
            return ResponseRules::default();
        };
        for (name, binding) in &spec.bindings {
            let at = join(&join(pointer, "let"), name);
            report_vain_paths(spec.kind, binding, &at, check);
        }
        if let Some(output) = &spec.output {
            report_vain_paths(spec.kind, output, &join(pointer, "output"), check);
        }
        ResponseRules {
            kind: spec.kind,
            fail_when: spec.fail_when.as_ref().map(|text| {
                let at = join(pointer, "fail_when");
                Condition::compile(text, &at, Code::BadResponse, &spec.kind.names(names), check)
            }),
            rules: ErrorRules::compile(&spec.errors, &join(pointer, "errors"), names, check),
        }
    }
}
