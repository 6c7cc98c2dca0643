//! Reading a recorded body back.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::{Pair, Reading, take};
use crate::drift::notes::{Place, listed};
use crate::har::{Body, Content, Request};
use crate::plan::{BodyTemplate, FormTemplate};
use crate::recording::has_hidden;
use crate::source::{Code, join, join_index};
use crate::template::Template;
use crate::words::kind_of;

impl Reading<'_> {
    pub(super) fn body(&mut self, request: &Request) {
        let tool = self.tool;
        match (&tool.request.body, &request.body) {
            (None, None) => {}
            (None, Some(body)) => {
                let is_empty = matches!(body.text().map(str::trim), Some("" | "{}" | "null"));
                if !is_empty {
                    let place = self.own_key("/request/method");
                    let message = "recorded requests have a body, and the tool sends none";
                    self.note(Code::UnknownPart, place, message.to_owned(), None);
                }
            }
            (Some(template), None) => {
                let is_needed = match template.tree() {
                    Some(tree) => !tree.may_be_absent(),
                    None => false,
                };
                // A recording without bodies says nothing, one with an empty body does.
                let length = request.header("content-length");
                if is_needed && length == Some("0") {
                    let place = self.own_key("/request/body");
                    let message = "recorded requests have no body, which the tool always sends";
                    self.note(Code::MissingPart, place, message.to_owned(), None);
                }
                self.unknown_body(template);
            }
            (Some(template), Some(body)) => self.known_body(template, body, request),
        }
    }

    /// Nothing is known about the params of a body that is not recorded.
    fn unknown_body(&mut self, template: &BodyTemplate) {
        template.visit(&mut |expression, _| {
            let names = self.params_in(expression);
            self.unsure.extend(names);
        });
    }

    fn known_body(&mut self, template: &BodyTemplate, body: &Body, request: &Request) {
        let kind = template.kind();
        let at = format!("/request/body/{kind}");
        let media = match body.essence() {
            essence if essence.is_empty() => request
                .header("content-type")
                .map(|text| {
                    text.split(';')
                        .next()
                        .unwrap_or_default()
                        .trim()
                        .to_ascii_lowercase()
                })
                .unwrap_or_default(),
            essence => essence.into_owned(),
        };
        if let Some(other) = other_kind(kind, &media) {
            let place = self.own_key(&at);
            let message =
                format!("recorded requests have a body of {other}, and the tool sends `{kind}`");
            self.note(Code::OtherConstant, place, message, None);
            return self.unknown_body(template);
        }
        match (kind, template.tree(), template.form()) {
            ("json", Some(tree), _) => match read_json(body) {
                Some(value) => self.tree(tree, &value, &at),
                None => self.unreadable(template, body, &at),
            },
            ("graphql", tree, _) => match read_json(body) {
                Some(value) => self.graphql(tree, &value, &at),
                None => self.unreadable(template, body, &at),
            },
            ("form", _, Some(form)) => match fields(body) {
                Some(fields) => self.form(form, fields, &at),
                None => self.unknown_body(template),
            },
            ("multipart", ..) => {
                self.parts(body, &at);
                self.cannot_read_body(template, "the values in its parts", &at);
            }
            _ => self.cannot_read_body(template, "its values", &at),
        }
    }

    /// Notes that a body cannot be read back, unless no param is in it.
    fn cannot_read_body(&mut self, template: &BodyTemplate, what: &str, at: &str) {
        let mut names = Vec::new();
        template.visit(&mut |expression, _| names.extend(self.params_in(expression)));
        let message = format!(
            "a body of `{}` is not read back, so that {what} are not checked",
            template.kind()
        );
        self.unread(names, self.own_key(at), message);
    }

    fn knows_nothing_of(&mut self, template: &Template, place: Place, message: String) {
        let mut names = Vec::new();
        template.visit(&mut |expression, _| names.extend(self.params_in(expression)));
        self.unread(names, place, message);
    }

    /// Notes that nothing is known about these params, if there are any.
    fn unread(&mut self, names: Vec<String>, place: Place, message: String) {
        if !names.is_empty() {
            self.unsure.extend(names);
            self.note(Code::UnreadValue, place, message, None);
        }
    }

    fn unreadable(&mut self, template: &BodyTemplate, body: &Body, at: &str) {
        if !matches!(body.content, Content::Unknown) {
            let place = self.own_key(at);
            let message = "the recorded body is no JSON, and the tool sends JSON";
            self.note(Code::OtherConstant, place, message.to_owned(), None);
        }
        self.unknown_body(template);
    }

    /// Holds a value against the template that would write it.
    fn tree(&mut self, template: &Template, value: &Value, at: &str) {
        let is_whole = !matches!(
            (template, value),
            (Template::Map(_), Value::Object(_)) | (Template::List(_), Value::Array(_))
        );
        if is_whole && has_hidden(value) {
            let name = at.rsplit('/').next().unwrap_or_default();
            return self.hides(name, template, self.own(at));
        }
        match (template, value) {
            (Template::Literal(constant), value) => {
                if constant != value {
                    let place = self.own(at);
                    let message = "recorded requests have another value here";
                    self.note(Code::OtherConstant, place, message.to_owned(), None);
                }
            }
            (Template::Expression(expression), value) => match self.param(expression) {
                Some(param) => drop(self.arguments.insert(param, value.clone())),
                None => self.cannot_read(expression, at),
            },
            (Template::Text(_), _) => self.cannot_read_any(template, at),
            (Template::Map(known), Value::Object(members)) => self.members(known, members, at),
            (Template::List(items), Value::Array(values)) if items.len() == values.len() => {
                for (i, (item, value)) in items.iter().zip(values).enumerate() {
                    self.tree(item, value, &join_index(at, i));
                }
            }
            // Which item stands for which is not known.
            (Template::List(_), Value::Array(_)) => {
                let message = "recorded lists have another length here, so that their values are not read back and not checked";
                let place = self.own_key(at);
                self.knows_nothing_of(template, place, message.to_owned());
            }
            (Template::Map(_) | Template::List(_), other) => {
                let place = self.own_key(at);
                let message = format!("recorded requests have {} here", kind_of(other));
                self.note(Code::OtherConstant, place, message, None);
                self.knows_nothing(template);
            }
        }
    }

    fn members(&mut self, known: &[(String, Template)], members: &Map<String, Value>, at: &str) {
        for (name, value) in members {
            match known.iter().find(|(own, _)| own == name) {
                Some((_, template)) => self.tree(template, value, &join(at, name)),
                None => self.unknown_member(name, known, at),
            }
        }
        for (name, template) in known {
            if !members.contains_key(name) && self.hidden.is_removed(name) {
                let place = self.own_key(&join(at, name));
                self.hides(name, template, place);
            } else if !members.contains_key(name) && !template.may_be_absent() {
                let place = self.own_key(&join(at, name));
                let message =
                    format!("recorded bodies have no `{name}`, which the tool always sends");
                self.note(Code::MissingPart, place, message, None);
            }
        }
    }

    fn unknown_member(&mut self, name: &str, known: &[(String, Template)], at: &str) {
        let name = self.hidden.named(name);
        let help = crate::words::nearest(&name, known.iter().map(|(own, _)| own.as_str()));
        let place = self.own_key(at);
        let message =
            format!("recorded bodies have a member `{name}`, which the tool does not send");
        self.note(Code::UnknownPart, place, message, help);
    }

    /// The document of an operation was compared when the tool was found.
    fn graphql(&mut self, tree: Option<&Template>, value: &Value, at: &str) {
        let variables = value.get("variables").filter(|value| !value.is_null());
        let empty = json!({});
        match tree {
            Some(tree) => self.tree(tree, variables.unwrap_or(&empty), &join(at, "variables")),
            None if variables.is_some_and(|given| *given != empty) => {
                let place = self.own_key(at);
                let message = "recorded requests have variables, and the tool sends none";
                self.note(Code::UnknownPart, place, message.to_owned(), None);
            }
            None => {}
        }
    }

    fn form(&mut self, form: &FormTemplate, mut pairs: Vec<Pair>, at: &str) {
        let FormTemplate::Fields(fields) = form else {
            if let FormTemplate::Whole(template) = form {
                self.cannot_read_any(template, at);
            }
            return;
        };
        let source = self.tool.source.clone();
        for field in fields {
            let schema = self.schema_of(&field.value);
            let own = take(&mut pairs, &field.name, field.style, field.explode, &schema);
            let place = |name: &str| Place::value(&source, join(at, name));
            self.take_value(&field.name, &field.value, field.style, &schema, own, &place);
        }
        let known: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
        for pair in pairs {
            let name = self.hidden.named(&pair.name);
            let help = crate::words::nearest(&name, known.iter().copied());
            let message =
                format!("recorded forms have a field `{name}`, which the tool does not send");
            self.note(Code::UnknownPart, self.own_key(at), message, help);
        }
    }

    /// Of a body in parts, the names are compared.
    fn parts(&mut self, body: &Body, at: &str) {
        let spec = self.tool.source.value().pointer(at);
        let Some(spec) = spec.and_then(Value::as_object) else {
            return;
        };
        let recorded = part_names(body);
        let unknown: BTreeSet<String> = recorded
            .iter()
            .filter(|name| !spec.contains_key(*name))
            .map(|name| self.hidden.named(name))
            .collect();
        if !unknown.is_empty() {
            let message = format!(
                "recorded requests have parts that the tool does not send: {}",
                listed(&unknown, 8)
            );
            self.note(Code::UnknownPart, self.own_key(at), message, None);
        }
    }
}

/// The JSON of a body, if a tree holds it without loss.
pub(super) fn read_json(body: &Body) -> Option<Value> {
    let bytes = body.bytes()?.to_vec();
    crate::json::Json::read(bytes.into()).ok()?.value().ok()
}

/// What a body is, if its media type says that it is of another kind.
fn other_kind(kind: &str, media: &str) -> Option<&'static str> {
    let recorded = match media {
        "" => return None,
        "application/x-www-form-urlencoded" => "form",
        "multipart/form-data" => "multipart",
        media if media == "application/json" || media.ends_with("+json") => "json",
        _ => return None,
    };
    let expected = match kind {
        "graphql" => "json",
        other => other,
    };
    let is_other = ["json", "form", "multipart"].contains(&expected) && recorded != expected;
    is_other.then_some(match recorded {
        "form" => "form fields",
        "multipart" => "parts",
        _ => "JSON",
    })
}

/// The fields of a form, from its text or from the list of its params.
fn fields(body: &Body) -> Option<Vec<Pair>> {
    if let Some(bytes) = body.bytes() {
        let pairs = form_urlencoded::parse(bytes);
        return Some(
            pairs
                .map(|(name, text)| Pair::decoded(name.into_owned(), text.into_owned()))
                .collect(),
        );
    }
    let params = body.params.iter();
    let pairs = params.map(|param| {
        let text = param.value.clone().unwrap_or_default();
        Pair::decoded(param.name.clone(), text)
    });
    (!body.params.is_empty()).then(|| pairs.collect())
}

/// The names of the parts of a body.
fn part_names(body: &Body) -> Vec<String> {
    if !body.params.is_empty() {
        return body.params.iter().map(|param| param.name.clone()).collect();
    }
    let bytes = body.bytes().unwrap_or_default();
    let text = String::from_utf8_lossy(bytes);
    let lines = text.lines().filter(|line| {
        let start = line.get(..20).unwrap_or_default();
        start.eq_ignore_ascii_case("content-disposition:")
    });
    let names = lines.filter_map(|line| {
        let rest = line.split("name=\"").nth(1)?;
        Some(rest.split('"').next()?.to_owned())
    });
    names.collect()
}
