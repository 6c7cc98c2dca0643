//! GraphQL operations over HTTP: a fixed query, and variables that carry the arguments.

use std::ops::Range;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{ValuePlace, VisitPlace, render_text, report_no_map, visit_tree};
use crate::plan::RenderError;
use crate::source::{Check, Code, join};
use crate::template::{CallScope, Expression, Names, Template};
use crate::words::{kind_of, nearest};

/// A GraphQL operation.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GraphqlSpec {
    /// The GraphQL document. It is sent unchanged and has no expressions; values go into `variables`.
    pub query: String,
    /// A map from the variable's name to its value: any tree with expressions at its leaves. Or one expression that
    /// gives such a map. A variable whose param is absent is left out.
    #[schemars(with = "Option<VariablesSchema>")]
    pub variables: Option<Value>,
    /// Which operation of the document to run, if it has several.
    pub operation_name: Option<String>,
}

// What `variables` may be, for the JSON Schema.
#[derive(JsonSchema)]
#[schemars(untagged, inline)]
#[allow(dead_code, reason = "stands for its schema alone")]
enum VariablesSchema {
    Map(Map<String, Value>),
    Whole(String),
}

/// A compiled operation.
#[derive(Debug)]
pub(crate) struct GraphqlTemplate {
    query: String,
    variables: Option<Template>,
    operation_name: Option<Template>,
}

impl GraphqlTemplate {
    /// Compiles the section; mistakes go to `check`.
    pub(crate) fn compile(
        spec: &GraphqlSpec,
        pointer: &str,
        names: &Names,
        check: &Check,
    ) -> GraphqlTemplate {
        let at = join(pointer, "query");
        match Document::scan(&spec.query) {
            Ok(document) => report_variables(&document, spec, pointer, check),
            Err((range, message, help)) => {
                check.error_inside(Code::BadBody, &at, range, message, help);
            }
        }
        let at = join(pointer, "variables");
        let variables = spec
            .variables
            .as_ref()
            .map(|variables| Template::compile(variables, &at, names, check));
        if let Some(variables) = &variables {
            report_no_map(variables, &at, check);
        }
        let at = join(pointer, "operation_name");
        GraphqlTemplate {
            query: spec.query.clone(),
            variables,
            operation_name: spec
                .operation_name
                .as_ref()
                .map(|name| Template::compile_text(name, &at, names, check)),
        }
    }

    /// The document.
    pub(crate) fn query(&self) -> &str {
        &self.query
    }

    /// The tree of the variables.
    pub(crate) fn variables(&self) -> Option<&Template> {
        self.variables.as_ref()
    }

    pub(crate) fn visit(&self, visit: &mut dyn FnMut(&Expression, bool)) {
        for template in [&self.variables, &self.operation_name]
            .into_iter()
            .flatten()
        {
            template.visit(visit);
        }
    }

    pub(crate) fn visit_places(&self, pointer: &str, visit: &mut VisitPlace<'_>) {
        if let Some(variables) = &self.variables {
            let place = match variables {
                Template::Expression(_) => ValuePlace::Map,
                _ => ValuePlace::Any,
            };
            visit_tree(variables, &join(pointer, "variables"), place, visit);
        }
        if let Some(name) = &self.operation_name {
            visit_tree(
                name,
                &join(pointer, "operation_name"),
                ValuePlace::Scalar,
                visit,
            );
        }
    }

    /// The JSON of the request.
    ///
    /// # Errors
    /// When an expression fails, or the variables are not a map.
    pub(crate) fn render(&self, scope: &CallScope<'_>) -> Result<Value, RenderError> {
        let mut members = Map::new();
        members.insert("query".to_owned(), self.query.as_str().into());
        if let Some(template) = &self.variables {
            let place = "graphql.variables";
            let variables = template
                .render_present(scope)
                .map_err(RenderError::expression(place))?
                .or_else(|| template.empty());
            match variables {
                None | Some(Value::Null) => {}
                Some(variables @ Value::Object(_)) => {
                    members.insert("variables".to_owned(), variables);
                }
                Some(other) => {
                    let message = format!("{} is no map of variables", kind_of(&other));
                    return Err(RenderError::value(place, message));
                }
            }
        }
        if let Some(template) = &self.operation_name
            && let Some(name) = render_text(template, "graphql.operation_name", scope)?
        {
            members.insert("operationName".to_owned(), name.into());
        }
        Ok(Value::Object(members))
    }
}

/// Reports variables that the document has and nothing fills, and variables that the document does not have.
fn report_variables(document: &Document<'_>, spec: &GraphqlSpec, pointer: &str, check: &Check) {
    let empty = Map::new();
    let given = match &spec.variables {
        None => &empty,
        Some(Value::Object(members)) => members,
        // The result of an expression is only known when it runs.
        Some(_) => return,
    };
    let mut missing: Vec<&str> = Vec::new();
    for (name, range) in &document.variables {
        if !given.contains_key(*name) && !missing.contains(name) {
            missing.push(name);
            check.error_inside(
                Code::UnknownName,
                &join(pointer, "query"),
                range.clone(),
                format!("`variables` has no `{name}`"),
                nearest(name, given.keys().map(String::as_str)),
            );
        }
    }
    for name in given.keys() {
        if !document.variables.iter().any(|(known, _)| known == name) {
            let known = document.variables.iter().map(|(known, _)| *known);
            check.error_at_key(
                Code::UnknownName,
                &join(&join(pointer, "variables"), name),
                format!("the query has no variable `${name}`"),
                nearest(name, known),
            );
        }
    }
}

/// What we need to know about a GraphQL document: that its brackets close, and which variables it names.
struct Document<'q> {
    variables: Vec<(&'q str, Range<usize>)>,
}

/// Where a document is wrong, what is wrong, and how to fix it.
type Problem = (Range<usize>, String, Option<String>);

impl<'q> Document<'q> {
    fn scan(query: &'q str) -> Result<Document<'q>, Problem> {
        let bytes = query.as_bytes();
        let mut open: Vec<(u8, usize)> = Vec::new();
        let mut variables = Vec::new();
        let (mut at, mut has_selection) = (0, false);
        while let Some(byte) = bytes.get(at).copied() {
            match byte {
                b'#' => at += query[at..].find(['\n', '\r']).unwrap_or(query.len() - at),
                b'"' => at = end_of_string(query, at)?,
                b'{' if bytes.get(at + 1) == Some(&b'{') => {
                    return Err((
                        at..at + 2,
                        "a query has no expressions, and two braces open nothing in GraphQL"
                            .to_owned(),
                        Some("declare a variable, and give its value in `variables`".to_owned()),
                    ));
                }
                b'{' | b'(' | b'[' => {
                    has_selection |= byte == b'{';
                    open.push((byte, at));
                    at += 1;
                }
                b'}' | b')' | b']' => {
                    let opener = match byte {
                        b'}' => b'{',
                        b')' => b'(',
                        _ => b'[',
                    };
                    if open.pop().map(|(byte, _)| byte) != Some(opener) {
                        let message = format!("this `{}` closes nothing", char::from(byte));
                        return Err((at..at + 1, message, None));
                    }
                    at += 1;
                }
                b'$' => {
                    let name = name_at(&query[at + 1..]);
                    let range = at..at + 1 + name.len();
                    if name.is_empty() {
                        return Err((range, "a variable needs a name".to_owned(), None));
                    }
                    at = range.end;
                    variables.push((name, range));
                }
                _ => at += 1,
            }
        }
        if let Some((byte, at)) = open.pop() {
            let message = format!("this `{}` is never closed", char::from(byte));
            return Err((at..at + 1, message, None));
        }
        if !has_selection {
            let message = "this is no GraphQL document: it selects nothing".to_owned();
            return Err((0..query.len(), message, None));
        }
        Ok(Document { variables })
    }
}

fn name_at(text: &str) -> &str {
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let length = text.bytes().take_while(|b| is_name(*b)).count();
    &text[..length]
}

/// Where the string that begins at `start` ends (GraphQL, section 2.9.4).
fn end_of_string(query: &str, start: usize) -> Result<usize, Problem> {
    let rest = &query[start..];
    let (open, escape, close) = match rest.starts_with("\"\"\"") {
        true => (3, "\\\"\"\"", "\"\"\""),
        false => (1, "\\", "\""),
    };
    let mut at = open;
    while at < rest.len() {
        let here = &rest.as_bytes()[at..];
        if here.starts_with(escape.as_bytes()) {
            // A backslash may escape any byte. If it escapes a quote, that is one byte of ASCII.
            at += escape.len().max(2);
        } else if here.starts_with(close.as_bytes()) {
            return Ok(start + at + close.len());
        } else if open == 1 && matches!(here.first(), Some(b'\n' | b'\r')) {
            break;
        } else {
            at += 1;
        }
    }
    Err((
        start..start + open,
        "this string is never closed".to_owned(),
        None,
    ))
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    fn variables(query: &str) -> Result<Vec<&str>, String> {
        let document = Document::scan(query)
            .map_err(|(range, message, _)| format!("{}: {message}", &query[range]))?;
        Ok(document.variables.iter().map(|(name, _)| *name).collect())
    }

    #[test]
    fn variables_stand_outside_of_strings_and_comments() {
        for (query, expected) in [
            ("{ a }", vec![]),
            ("{a{b(c:[1,{d:2}])}}", vec![]),
            ("query Q($a: Int!) { b(c: $a) }", vec!["a", "a"]),
            ("{ a(b: \"$c } \\\" \\\\\") } # $d }", vec![]),
            ("# {\r\n{ a(b: \"\"\"$c \" } \\\"\"\" é\"\"\") }", vec![]),
        ] {
            assert_eq!(variables(query), Ok(expected), "{query}");
        }
    }

    #[test]
    fn broken_documents_are_told_at_their_place() {
        for (query, expected) in [
            ("", ": this is no GraphQL document: it selects nothing"),
            (
                "users",
                "users: this is no GraphQL document: it selects nothing",
            ),
            ("{ a", "{: this `{` is never closed"),
            ("{ a } }", "}: this `}` closes nothing"),
            ("{ a(b: 1] }", "]: this `]` closes nothing"),
            ("{ a(b: \"c) }", "\": this string is never closed"),
            ("{ a(b: \"c\n\") }", "\": this string is never closed"),
            ("{ a(b: \"\"\"c\") }", "\"\"\": this string is never closed"),
            ("{ a(b: $) }", "$: a variable needs a name"),
            (
                "{ a(b: {{ id }}) }",
                "{{: a query has no expressions, and two braces open nothing in GraphQL",
            ),
        ] {
            assert_eq!(variables(query), Err(expected.to_owned()), "{query}");
        }
    }
}
