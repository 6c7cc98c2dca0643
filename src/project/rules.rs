//! Error rules: what to do with a response if its status alone does not say it.

use bytes::Bytes;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::kind::report_vain_paths;
use super::{
    Condition, Extract, ExtractSpec, Node, Projector, Reading, ResponseKind, ResponseSpec,
    ResponseView, report_unlikely,
};
use crate::json::Json;
use crate::source::{Check, Code, join, join_index};
use crate::template::Names;
use crate::words::scalar_text;

/// What to do with the responses of a status, or with those that meet a condition. The first matching rule counts. A
/// tool's own rules come before its service's, and both come before the service's `retry`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ErrorRuleSpec {
    /// The status that the rule applies to, or several. Without it, the rule applies to any status.
    pub status: Option<Statuses>,
    /// Whether the rule applies to a response: an expression or a JSONPath. If the expression fails for a response, the
    /// rule does not apply.
    pub when: Option<String>,
    /// What to do.
    pub action: Action,
    /// With `retry`: how long to wait, in seconds or as an HTTP date.
    pub after: Option<ExtractSpec>,
    /// With `retry`: the answer means that the service did nothing, so any request may be sent again.
    #[serde(default)]
    pub safe: bool,
    /// The code of the error, instead of the service's own: text, a JSONPath or an expression.
    pub code: Option<String>,
    /// The message of the error, instead of the service's own: text, a JSONPath or an expression.
    pub message: Option<String>,
}

/// One status or several.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Statuses {
    /// One.
    One(#[schemars(range(min = 200, max = 599))] u16),
    /// Several.
    Several(#[schemars(length(min = 1), inner(range(min = 200, max = 599)))] Vec<u16>),
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    /// The call fails.
    Fail,
    /// The request is sent again, within the limits of the service's `retry`, if that is safe.
    Retry,
    /// A new access token is fetched, and the request is sent once more.
    Refresh,
    /// The response counts as a success without a body. A list counts as an empty page.
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
pub(crate) struct Rule {
    /// What it does.
    pub action: Action,
    /// Whether any request may be sent again.
    pub safe: bool,
    /// The statuses; empty means any.
    statuses: Vec<u16>,
    condition: Option<Condition>,
    after: Option<Extract>,
    message: Option<Projector>,
    code: Option<Projector>,
}

impl Rule {
    /// Whether the rule applies to responses of this status, if they meet its condition.
    pub(crate) fn covers(&self, status: u16) -> bool {
        self.statuses.is_empty() || self.statuses.contains(&status)
    }

    /// Whether the rule has a condition, which needs the response.
    pub(crate) fn has_condition(&self) -> bool {
        self.condition.is_some()
    }

    /// Whether a response meets the condition. If the condition cannot be computed, it is not met.
    pub(crate) fn holds(&self, response: &ResponseView<'_>) -> bool {
        self.condition
            .as_ref()
            .is_none_or(|condition| condition.holds(response).unwrap_or(false))
    }

    /// How long the response asks us to wait, as a text.
    pub(crate) fn after(&self, response: &ResponseView<'_>) -> Option<String> {
        scalar_text(&self.after.as_ref()?.extract(response).ok()?)
    }

    /// The error's message, where the rule has one.
    pub(crate) fn message(&self, response: &ResponseView<'_>) -> Option<String> {
        text(self.message.as_ref(), response)
    }

    /// The error's code, where the rule has one.
    pub(crate) fn code(&self, response: &ResponseView<'_>) -> Option<String> {
        text(self.code.as_ref(), response)
    }

    fn compile(spec: &ErrorRuleSpec, pointer: &str, names: &Names, check: &Check) -> Rule {
        report_needless_keys(spec, pointer, check);
        let node = |text: Option<&String>, key: &str| {
            text.map(|text| {
                let value = Value::from(text.as_str());
                report_unlikely(&value, &join(pointer, key), check);
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

    /// Whether this rule catches every response that `other` applies to.
    fn hides(&self, other: &Rule) -> bool {
        self.condition.is_none()
            && (self.statuses.is_empty()
                || (!other.statuses.is_empty()
                    && other.statuses.iter().all(|status| self.covers(*status))))
    }
}

/// If a text of an error cannot be computed from the response, it is left out.
fn text(node: Option<&Projector>, response: &ResponseView<'_>) -> Option<String> {
    scalar_text(&node?.value_of(response).ok()??)
}

fn report_needless_keys(spec: &ErrorRuleSpec, pointer: &str, check: &Check) {
    let is_lost = |key: &str| check.is_broken(&join(pointer, key));
    if spec.status.is_none() && spec.when.is_none() && !is_lost("status") && !is_lost("when") {
        check.error(
            Code::BadResponse,
            pointer,
            "a rule needs `status` or `when`, because it must not apply to every response",
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
        if is_given && !is_used && !is_lost("action") {
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
pub(crate) struct ErrorRules(Vec<Rule>);

impl ErrorRules {
    /// Compiles the list; mistakes go to `check`.
    pub(crate) fn compile(
        specs: &[ErrorRuleSpec],
        pointer: &str,
        names: &Names,
        check: &Check,
    ) -> ErrorRules {
        let mut rules: Vec<Rule> = Vec::with_capacity(specs.len());
        for (i, spec) in specs.iter().enumerate() {
            let at = join_index(pointer, i);
            let rule = Rule::compile(spec, &at, names, check);
            if let Some(earlier) = rules.iter().position(|earlier| earlier.hides(&rule))
                && !check.is_broken(&join_index(pointer, earlier))
                && !check.is_broken(&at)
            {
                check.error(
                    Code::BadResponse,
                    &at,
                    format!(
                        "this rule never applies: rule {} applies to all its responses and comes first",
                        earlier + 1
                    ),
                );
            }
            rules.push(rule);
        }
        ErrorRules(rules)
    }

    /// Reports rules that should send a request again but never can, for this reason.
    pub(crate) fn report_vain_retries(
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
                    format!("this rule never sends a request again: {reason}"),
                );
            }
        }
    }

    /// The rules.
    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Rule> {
        self.0.iter()
    }
}

/// How to read the responses of a tool.
#[derive(Debug, Default)]
pub(crate) struct ResponseRules {
    /// The type of their body.
    pub kind: ResponseKind,
    /// What reading a body needs besides its kind.
    pub reading: Reading,
    /// When a success counts as an error.
    pub fail_when: Option<Condition>,
    /// The tool's own error rules.
    pub rules: ErrorRules,
}

impl ResponseRules {
    /// Compiles these keys of a response section; mistakes go to `check`.
    pub(crate) fn compile(
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
            reading: Reading::compile(spec, pointer, check),
            fail_when: spec.fail_when.as_ref().map(|text| {
                let at = join(pointer, "fail_when");
                Condition::compile(text, &at, Code::BadResponse, &spec.kind.names(names), check)
            }),
            rules: ErrorRules::compile(&spec.errors, &join(pointer, "errors"), names, check),
        }
    }

    /// The body of an example. A text of another notation than JSON is read as it would come from the service.
    ///
    /// # Errors
    /// Why the text is not of the kind.
    pub(crate) fn canned(&self, body: &Value) -> Result<Json, String> {
        match body {
            Value::String(text) if self.kind.is_converted() => {
                let text = Bytes::copy_from_slice(text.as_bytes());
                self.kind.read(&text, &self.reading)
            }
            other => Ok(Json::of(other)),
        }
    }
}
