//! Request headers.

use indexmap::IndexMap;
use serde_json::Value;

use super::{Label, RenderError, Scalar, Text};
use crate::source::{Check, Code, join};
use crate::template::{CallScope, Expression, Names, Piece, Template};
use crate::words::scalar_text;

/// Header fields that HTTP itself controls. A descriptor may not set them.
const RESERVED: [&str; 7] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "te",
    "upgrade",
    "trailer",
];

/// Compiled headers.
#[derive(Debug, Default)]
pub(crate) struct HeaderTemplate {
    fields: Vec<(Label, Template)>,
}

impl HeaderTemplate {
    /// Compiles the section; mistakes go to `check`.
    pub(crate) fn compile(
        spec: &IndexMap<String, Scalar>,
        pointer: &str,
        names: &Names,
        check: &Check,
    ) -> HeaderTemplate {
        let mut fields: Vec<(Label, Template)> = Vec::with_capacity(spec.len());
        for (name, value) in spec {
            let at = join(pointer, name);
            let lower = name.to_ascii_lowercase();
            report_bad_name(name, &lower, &at, check);
            if fields.iter().any(|(other, _)| *other == *lower) {
                check.error_at_key(
                    Code::DuplicateKey,
                    &at,
                    format!(
                        "the header `{name}` is written twice; upper and lower case do not differ"
                    ),
                    None,
                );
            }
            let template = Template::compile(&Value::from(value), &at, names, check);
            if let Some(message) = illegal(&template) {
                check.error(Code::BadHeader, &at, message);
            }
            fields.push((lower.into(), template));
        }
        HeaderTemplate { fields }
    }

    /// The lower-case names, in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|(name, _)| &**name)
    }

    /// The lower-case name and the value of each field.
    #[cfg(feature = "cli")]
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, &Template)> {
        self.fields.iter().map(|(name, value)| (&**name, value))
    }

    /// Like [`HeaderTemplate::visit`], for one of the fields.
    pub(crate) fn visit_one(&self, index: usize, visit: &mut dyn FnMut(&Expression, bool)) {
        if let Some((_, value)) = self.fields.get(index) {
            value.visit(visit);
        }
    }

    /// Calls `visit` with every expression, and whether it stands inside a longer text.
    pub(crate) fn visit(&self, visit: &mut dyn FnMut(&Expression, bool)) {
        self.fields.iter().for_each(|(_, value)| value.visit(visit));
    }

    /// Sets the rendered fields in `headers`.
    ///
    /// # Errors
    /// When a value cannot be written in a header.
    pub(crate) fn render(
        &self,
        scope: &CallScope<'_>,
        headers: &mut Vec<(Label, Text)>,
    ) -> Result<(), RenderError> {
        for (name, template) in &self.fields {
            let place = || format!("header `{name}`");
            let value = template
                .render(scope)
                .map_err(|error| RenderError::expression(place())(error))?;
            let text = match value {
                None | Some(Value::Null) => continue,
                Some(Value::Array(items)) => items
                    .iter()
                    .map(scalar_text)
                    .collect::<Option<Vec<_>>>()
                    .map(|items| items.join(", ")),
                Some(Value::String(text)) => Some(text),
                Some(other) => scalar_text(&other),
            }
            .ok_or_else(|| RenderError::value(place(), "only scalars are allowed in a header"))?;
            legal(&text).map_err(|message| RenderError::value(place(), message))?;
            set(headers, name, Text::Plain(text.into()));
        }
        Ok(())
    }
}

/// What is wrong with the fixed text of a value, without its expressions.
fn illegal(template: &Template) -> Option<String> {
    match template {
        Template::Literal(value) => scalar_text(value).and_then(|text| legal(&text).err()),
        Template::Text(pieces) => pieces.iter().find_map(|piece| match piece {
            Piece::Text(text) => legal(text).err(),
            Piece::Expression(_) => None,
        }),
        _ => None,
    }
}

/// Whether a header belongs to the connection itself, so that no descriptor may set it.
pub(crate) fn is_reserved(lower_case_name: &str) -> bool {
    RESERVED.contains(&lower_case_name)
}

/// Sets a header, replacing one of the same name.
pub(crate) fn set(
    headers: &mut Vec<(Label, Text)>,
    name: impl Into<Label> + AsRef<str>,
    value: Text,
) {
    match headers.iter_mut().find(|(other, _)| other == name.as_ref()) {
        Some((_, present)) => *present = value,
        None => headers.push((name.into(), value)),
    }
}

fn report_bad_name(name: &str, lower: &str, at: &str, check: &Check) {
    if let Some((message, help)) = bad_name(name, lower) {
        check.error_at_key(Code::BadHeader, at, message, help);
    }
}

/// Reports a header that would clash with one that the engine adds. `at` is where the header is named.
pub(crate) fn report_added(name: &str, headers: &HeaderTemplate, at: &str, check: &Check) {
    let lower = name.to_ascii_lowercase();
    if let Some((message, _)) = bad_name(name, &lower) {
        check.error(Code::BadHeader, at, message);
    } else if headers.names().any(|other| other == lower) || lower == "content-type" {
        let message = format!("the request already sets the header `{name}`");
        check.error(Code::BadHeader, at, message);
    }
}

/// What is wrong with a header's name, and how to fix it.
fn bad_name(name: &str, lower: &str) -> Option<(String, Option<String>)> {
    let is_token = !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
    if !is_token {
        return Some((
            format!("`{name}` is no legal header name"),
            Some("a header name has letters, digits and `-`".to_owned()),
        ));
    }
    let is_reserved = RESERVED.contains(&lower);
    is_reserved.then(|| {
        let message = format!("the header `{name}` belongs to the HTTP connection itself");
        (message, None)
    })
}

/// Header values are visible ASCII characters, spaces and tabs. Some servers drop or split anything else.
fn legal(text: &str) -> Result<(), String> {
    match text
        .chars()
        .find(|c| !(c.is_ascii_graphic() || matches!(c, ' ' | '\t')))
    {
        None => Ok(()),
        Some(bad) => Err(format!("the character {bad:?} is not allowed in a header")),
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use serde_json::json;

    use super::*;
    use crate::source::Source;

    fn headers(spec: Value, params: Value) -> Result<Vec<String>, String> {
        let check = Check::new(Source::parse("t".into(), "a: 1".into()).unwrap());
        let names = Names::default().with("a");
        let spec = serde_json::from_value(spec).unwrap();
        let template = HeaderTemplate::compile(&spec, "", &names, &check);
        if let Some(finding) = check.into_findings().first() {
            return Err(finding.message.clone());
        }
        let settings = json!({});
        let scope = CallScope {
            params: &params,
            settings: &settings,
        };
        let mut fields = vec![("accept".into(), Text::Plain("x".into()))];
        template
            .render(&scope, &mut fields)
            .map_err(|error| error.to_string())?;
        Ok(fields.iter().map(|(n, v)| format!("{n}: {v}")).collect())
    }

    #[test]
    fn fields_are_set_and_replaced() {
        assert_eq!(
            headers(
                json!({"X-A": "{{ a }}", "Accept": "y", "x-n": 1}),
                json!({"a": [1, 2]})
            ),
            Ok(vec![
                "accept: y".into(),
                "x-a: 1, 2".into(),
                "x-n: 1".into()
            ])
        );
        assert_eq!(
            headers(json!({"X-A": "{{ a }}"}), json!({})),
            Ok(vec!["accept: x".into()])
        );
    }

    #[test]
    fn injection_and_illegal_names_are_refused() {
        for a in ["a\r\nx: y", "a\nb", "\u{0}", "é"] {
            assert!(headers(json!({"X-A": "{{ a }}"}), json!({ "a": a })).is_err());
        }
        assert!(headers(json!({"X-A": "{{ a }}"}), json!({"a": {"k": 1}})).is_err());
        for name in ["", "a b", "a:", "é", "Host", "content-length"] {
            assert!(headers(json!({ name: "x" }), json!({})).is_err(), "{name}");
        }
        assert!(headers(json!({"A": "x", "a": "y"}), json!({})).is_err());
        assert!(headers(json!({"A": "x\ny"}), json!({})).is_err());
    }
}
