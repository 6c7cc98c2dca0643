//! The names that an expression at a place may use, and their members.

use serde_json::Value;

use super::around;
use super::facts::Facts;
use super::members::{self, members_of};
use super::words::brief;
use crate::check::Kind;
use crate::template::is_identifier;

/// A name, and what is known about it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Name {
    pub name: String,
    /// A few words.
    pub detail: String,
    pub is_member: bool,
}

impl Name {
    fn new(name: &str, detail: impl Into<String>) -> Name {
        Name {
            name: name.to_owned(),
            detail: detail.into(),
            is_member: false,
        }
    }

    fn member(name: &str, detail: impl Into<String>) -> Name {
        Name {
            is_member: true,
            ..Name::new(name, detail)
        }
    }
}

/// What expressions at a place are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Params and settings.
    Request,
    /// The request for a job's state, which knows the first response.
    Job,
    /// The response.
    Response,
    /// A service: settings.
    Service,
    /// The base URL: settings, and what comes with the credential.
    Url,
    Sandbox,
    Policy,
}

/// What expressions at a place are about.
pub(super) fn side_of(kind: Kind, path: &[String]) -> Side {
    let step = |at: usize| path.get(at).map_or("", String::as_str);
    match (kind, step(0)) {
        (Kind::Policy | Kind::Callers, _) => Side::Policy,
        (Kind::Sandbox, _) => Side::Sandbox,
        (Kind::Tool, "service") => side_of(Kind::Service, path.get(1..).unwrap_or_default()),
        (Kind::Service, "base_url") => Side::Url,
        (Kind::Service, "errors") => Side::Response,
        (Kind::Service, _) => Side::Service,
        (Kind::Tool, "wait") => match step(1) {
            "until" | "fail_when" | "output" | "url" | "errors" => Side::Response,
            _ => Side::Job,
        },
        (Kind::Tool, "response" | "paging") => Side::Response,
        (Kind::Tool, _) => Side::Request,
    }
}

/// The names that an expression may begin with.
pub(super) fn roots(facts: &Facts, path: &[String]) -> Vec<Name> {
    let side = side_of(facts.kind, path);
    let mut names = Vec::new();
    if matches!(side, Side::Request | Side::Job) {
        for (name, schema) in facts.params().filter(|(name, _)| is_identifier(name)) {
            names.push(Name::new(name, about(schema)));
        }
    }
    let fixed: &[(&str, &str)] = match side {
        Side::Request => &[
            ("params", "all params"),
            ("settings", "the service's settings"),
        ],
        Side::Job => &[
            ("params", "all params"),
            ("settings", "the service's settings"),
            ("created", "the first response of the job"),
        ],
        Side::Response => &[
            ("body", "the response's body"),
            ("status", "the response's status"),
            ("headers", "the response's headers"),
            ("params", "the arguments of the call"),
        ],
        Side::Service => &[("settings", "the service's settings")],
        Side::Url => &[
            ("settings", "the service's settings"),
            ("token", "what came with the access token"),
            ("auth", "keys that stand in the path"),
        ],
        Side::Sandbox => &[
            ("args", "the arguments of the call"),
            ("data", "the collections"),
            ("row", "the row"),
            ("headers", "the headers of the request"),
            ("now", "the time of the sandbox"),
            ("random", "made-up values"),
        ],
        Side::Policy => &[
            ("tool", "the tool that is called"),
            ("args", "the arguments of the call"),
            ("caller", "who calls"),
        ],
    };
    names.extend(fixed.iter().map(|(name, detail)| Name::new(name, *detail)));
    if side == Side::Response && facts.kind == Kind::Tool {
        if path.first().is_some_and(|step| step == "response") {
            names.extend(
                facts
                    .bindings()
                    .map(|(name, value)| Name::new(name, brief(value))),
            );
        }
        if facts.part("/wait").is_object() {
            names.push(Name::new("created", "the first response of the job"));
        }
        members::visit(facts, path, &mut |roots| {
            let walked = roots.names.iter().rev();
            names.extend(walked.map(|(name, _)| Name::new(name, "what is walked")));
        });
    }
    names.dedup_by(|a, b| a.name == b.name);
    names
}

/// The members of what a chain of names leads to.
pub(super) fn members(facts: &Facts, path: &[String], chain: &[String]) -> Vec<Name> {
    let Some((root, rest)) = chain.split_first() else {
        return Vec::new();
    };
    let fixed =
        |names: &[&str]| -> Vec<Name> { names.iter().map(|name| Name::member(name, "")).collect() };
    match (root.as_str(), rest.is_empty(), side_of(facts.kind, path)) {
        ("settings", true, _) => {
            let settings = facts.settings();
            settings
                .map(|(name, value)| Name::member(name, about_setting(value)))
                .collect()
        }
        ("params", true, _) => {
            let params = facts.params();
            params
                .map(|(name, schema)| Name::member(name, about(schema)))
                .collect()
        }
        ("args", true, Side::Sandbox | Side::Policy) => {
            let params = around::params(facts, path).into_iter();
            params
                .map(|(name, schema)| Name::member(name, about(schema)))
                .collect()
        }
        ("row", true, Side::Sandbox) => {
            let fields = around::fields(facts, path).into_iter();
            fields
                .map(|name| Name::member(name, "a field of the row"))
                .collect()
        }
        ("data", true, Side::Sandbox) => {
            let names = around::collections(facts);
            names
                .map(|name| Name::member(name, "a collection"))
                .collect()
        }
        ("random", true, Side::Sandbox) => fixed(&["id"]),
        ("tool", true, Side::Policy) => fixed(&["name", "service", "access", "method"]),
        ("caller", true, Side::Policy) => fixed(&["name", "claims"]),
        ("caller", false, Side::Policy) if rest == ["claims"] => {
            let claims = around::claims(facts).into_iter();
            claims
                .map(|(name, value)| Name::member(name, brief(value)))
                .collect()
        }
        ("token", true, Side::Url) => {
            let auth = facts.auth();
            let values = auth
                .iter()
                .filter_map(|auth| auth.get("response")?.get("values")?.as_object());
            values
                .flatten()
                .map(|(name, _)| Name::member(name, ""))
                .collect()
        }
        ("auth", true, Side::Url) => {
            let auth = facts.auth();
            let in_path = auth
                .iter()
                .filter(|auth| auth.get("in").is_some_and(|place| place == "path"));
            let names = in_path.filter_map(|auth| auth.get("name")?.as_str());
            names.map(|name| Name::member(name, "a key")).collect()
        }
        (_, _, Side::Response | Side::Job) => examples(facts, path, root, rest),
        _ => Vec::new(),
    }
}

/// The members that a name of a response has in the examples.
fn examples(facts: &Facts, path: &[String], root: &str, rest: &[String]) -> Vec<Name> {
    let mut found = Vec::new();
    let mut add = |values: Vec<&Value>| {
        let inner = values
            .into_iter()
            .filter_map(|value| descend(value, rest))
            .collect();
        let members = members_of(inner);
        found.extend(
            members
                .iter()
                .map(|member| Name::member(&member.name, brief(member.value))),
        );
    };
    let is_error = path.iter().any(|step| step == "errors");
    match root {
        "body" => add(members::bodies(facts, is_error)),
        "created" => {
            let all = facts.part("/examples").as_array().into_iter().flatten();
            add(all
                .filter_map(|example| example.get("created")?.get("body"))
                .collect());
        }
        "headers" => {
            let all = facts.part("/examples").as_array().into_iter().flatten();
            add(all
                .filter_map(|example| example.get("response")?.get("headers"))
                .collect());
        }
        name => {
            let binding = facts.bindings().find(|(known, _)| *known == name);
            if let Some(at) = binding.and_then(|(_, value)| value.as_str()) {
                add(members::reached(at, &members::bodies(facts, is_error)));
            } else {
                members::visit(facts, path, &mut |roots| {
                    let walked = roots.names.iter().rev().find(|(known, _)| known == name);
                    if let Some((_, values)) = walked {
                        add(values.clone());
                    }
                });
            }
        }
    }
    found
}

/// The first value that a chain of names leads to. Of a list, the first item counts.
fn descend<'v>(value: &'v Value, chain: &[String]) -> Option<&'v Value> {
    let mut here = value;
    for name in chain {
        here = here.get(name)?;
        if let Value::Array(items) = here {
            here = items.first()?;
        }
    }
    Some(here)
}

/// A param in a few words.
pub(super) fn about(schema: &Value) -> String {
    let kind = match schema.get("type") {
        Some(Value::String(name)) => name.clone(),
        Some(Value::Array(names)) => {
            let names = names.iter().filter_map(Value::as_str);
            names.collect::<Vec<_>>().join(" or ")
        }
        _ => String::new(),
    };
    let text = schema
        .get("description")
        .and_then(Value::as_str)
        .unwrap_or_default();
    match (kind.is_empty(), text.is_empty()) {
        (false, false) => format!("{kind}: {text}"),
        _ => format!("{kind}{text}"),
    }
}

/// A setting in a few words.
pub(super) fn about_setting(setting: &Value) -> String {
    let of = |key: &str| setting.get(key).map(brief);
    let default = of("default").map(|default| format!("default {default}"));
    let variable = setting
        .get("env")
        .and_then(Value::as_str)
        .map(|name| format!("${name}"));
    let parts: Vec<String> = default.into_iter().chain(variable).collect();
    parts.join(", ")
}
