//! Templates: literal values whose strings may hold `{{ expression }}`.
//!
//! A string that is exactly one `{{ }}` gives the expression's own value with its type; a string that mixes text
//! and expressions gives text. Expressions are minijinja's; there are no statements. Everything is compiled once.

mod bounds;
mod expression;
mod functions;
mod habits;
mod lexer;
mod names;
mod operations;
mod reading;
mod scope;
mod types;

use serde_json::{Map, Value};

pub(crate) use bounds::Bound;
pub use expression::{EvalError, Expression};
pub use names::Names;
pub(crate) use names::is_identifier;
pub(crate) use operations::filter_names;
#[cfg(feature = "cli")]
pub(crate) use operations::{function_names, test_names};
pub use scope::CallScope;
pub(crate) use scope::Scope;
pub(crate) use types::{Can, Types};

use crate::source::{Check, Code, join, join_index};
use crate::words::{kind_of, scalar_text};
use lexer::{Split, split};
use names::report_unknown;

/// A compiled template.
#[derive(Debug)]
pub enum Template {
    /// A value without expressions.
    Literal(Value),
    /// Exactly one expression: its own value.
    Expression(Expression),
    /// Text and expressions: renders to text.
    Text(Vec<Piece>),
    /// A list, part by part.
    List(Vec<Template>),
    /// A map, part by part; an absent part leaves its key out.
    Map(Vec<(String, Template)>),
}

/// A part of a mixed text.
#[derive(Debug)]
pub enum Piece {
    /// Text as it stands.
    Text(String),
    /// An expression whose value becomes text.
    Expression(Expression),
}

impl Template {
    /// Compiles the value at `pointer`; mistakes go to `check`. Names outside `names` are mistakes.
    pub fn compile(value: &Value, pointer: &str, names: &Names, check: &Check) -> Template {
        match value {
            Value::String(text) => Template::compile_text(text, pointer, names, check),
            Value::Array(items) => Template::List(
                items
                    .iter()
                    .enumerate()
                    .map(|(i, item)| Template::compile(item, &join_index(pointer, i), names, check))
                    .collect(),
            ),
            Value::Object(members) => Template::Map(
                members
                    .iter()
                    .map(|(key, member)| {
                        let at = join(pointer, key);
                        (key.clone(), Template::compile(member, &at, names, check))
                    })
                    .collect(),
            ),
            plain => Template::Literal(plain.clone()),
        }
    }

    /// Compiles a string; see [`Template::compile`].
    pub fn compile_text(text: &str, pointer: &str, names: &Names, check: &Check) -> Template {
        let mut pieces = match split(text) {
            Ok(pieces) => pieces,
            Err((range, message, help)) => {
                check.error_inside(Code::BadTemplate, pointer, range, message, help);
                return Template::Literal(Value::Null);
            }
        };
        let mut compiled = Vec::with_capacity(pieces.len());
        let mut is_broken = false;
        let whole = pieces.len() == 1;
        for piece in pieces.drain(..) {
            match piece {
                Split::Text(text) => compiled.push(Piece::Text(text)),
                Split::Expression(range) => match Expression::compile(&text[range.clone()]) {
                    Ok(expression) => {
                        report_unknown(&expression, text, &range, pointer, names, check);
                        compiled.push(Piece::Expression(expression));
                    }
                    Err((inner, message)) => {
                        let at = range.start + inner.start..range.start + inner.end;
                        let help = odd_character(&text[range.clone()])
                            .or_else(|| habits::operator_in(&text[range]).map(str::to_owned));
                        check.error_inside(Code::BadTemplate, pointer, at, message, help);
                        is_broken = true;
                    }
                },
            }
        }
        // Without a part of it, the text would be something else.
        if is_broken {
            return Template::Literal(Value::Null);
        }
        match (whole, compiled.pop()) {
            (_, None) => Template::Literal(Value::String(String::new())),
            (true, Some(Piece::Expression(expression))) => Template::Expression(expression),
            (true, Some(Piece::Text(text))) => Template::Literal(Value::String(text)),
            (false, Some(last)) => {
                compiled.push(last);
                Template::Text(compiled)
            }
        }
    }

    /// The template's value; `None` when it is one absent expression.
    ///
    /// # Errors
    /// When an expression fails, or an absent value or a list stands inside a text.
    pub fn render(&self, scope: &dyn Scope) -> Result<Option<Value>, EvalError> {
        match self {
            Template::Literal(value) => Ok(Some(value.clone())),
            Template::Expression(expression) => expression.eval(scope),
            Template::Text(pieces) => render_text(pieces, scope).map(|t| Some(Value::String(t))),
            Template::List(items) => {
                let mut list = Vec::with_capacity(items.len());
                for item in items {
                    list.extend(item.render(scope)?);
                }
                Ok(Some(Value::Array(list)))
            }
            Template::Map(members) => {
                let mut map = Map::new();
                for (key, member) in members {
                    if let Some(value) = member.render(scope)? {
                        map.insert(key.clone(), value);
                    }
                }
                Ok(Some(Value::Object(map)))
            }
        }
    }

    /// Like [`Template::render`], but a map or list whose parts are all absent is absent itself. One that is written
    /// without parts stays.
    ///
    /// # Errors
    /// As [`Template::render`].
    pub(crate) fn render_present(&self, scope: &dyn Scope) -> Result<Option<Value>, EvalError> {
        match self {
            Template::List(items) if !items.is_empty() => {
                let mut list = Vec::with_capacity(items.len());
                for item in items {
                    list.extend(item.render_present(scope)?);
                }
                Ok((!list.is_empty()).then_some(Value::Array(list)))
            }
            Template::Map(members) if !members.is_empty() => {
                let mut map = Map::new();
                for (key, member) in members {
                    if let Some(value) = member.render_present(scope)? {
                        map.insert(key.clone(), value);
                    }
                }
                Ok((!map.is_empty()).then_some(Value::Object(map)))
            }
            leaf => leaf.render(scope),
        }
    }

    /// The empty map or list, if the template is a map or list.
    pub(crate) fn empty(&self) -> Option<Value> {
        match self {
            Template::List(_) => Some(Value::Array(Vec::new())),
            Template::Map(_) => Some(Value::Object(Map::new())),
            _ => None,
        }
    }

    /// Whether the value may be absent, because every part of it may.
    pub(crate) fn may_be_absent(&self) -> bool {
        match self {
            Template::Literal(_) | Template::Text(_) => false,
            Template::Expression(_) => true,
            Template::List(items) => !items.is_empty() && items.iter().all(Template::may_be_absent),
            Template::Map(members) => {
                !members.is_empty() && members.iter().all(|(_, member)| member.may_be_absent())
            }
        }
    }

    /// The template as a text for people, with `{name}` for expressions.
    pub fn shown(&self) -> String {
        match self {
            Template::Literal(value) => scalar_text(value).unwrap_or_default(),
            Template::Expression(expression) => format!("{{{}}}", expression.text()),
            Template::Text(pieces) => shown(pieces),
            Template::List(_) | Template::Map(_) => String::new(),
        }
    }

    /// Calls `visit` with every expression, and whether it stands inside a longer text.
    pub fn visit(&self, visit: &mut dyn FnMut(&Expression, bool)) {
        match self {
            Template::Literal(_) => {}
            Template::Expression(expression) => visit(expression, false),
            Template::Text(pieces) => {
                for piece in pieces {
                    if let Piece::Expression(expression) = piece {
                        visit(expression, true);
                    }
                }
            }
            Template::List(items) => items.iter().for_each(|item| item.visit(visit)),
            Template::Map(members) => members.iter().for_each(|(_, member)| member.visit(visit)),
        }
    }
}

impl Template {
    /// Like [`Template::visit`], with the JSON Pointer of the value that contains the expression. `pointer` is the
    /// template's.
    pub fn visit_at(&self, pointer: &str, visit: &mut dyn FnMut(&Expression, &str, bool)) {
        match self {
            Template::List(items) => {
                for (i, item) in items.iter().enumerate() {
                    item.visit_at(&join_index(pointer, i), visit);
                }
            }
            Template::Map(members) => {
                for (key, member) in members {
                    member.visit_at(&join(pointer, key), visit);
                }
            }
            leaf => leaf.visit(&mut |expression, in_text| visit(expression, pointer, in_text)),
        }
    }
}

/// How to mend an expression with a character that only looks like one that it may have.
fn odd_character(text: &str) -> Option<String> {
    let found = text.chars().find(|c| {
        matches!(
            c,
            '\u{a0}'
                | '\u{2018}'
                | '\u{2019}'
                | '\u{201c}'
                | '\u{201d}'
                | '\u{2013}'
                | '\u{2212}'
                | '\u{202f}'
        )
    })?;
    let plain = match found {
        '\u{a0}' | '\u{202f}' => "a plain space",
        '\u{2013}' | '\u{2212}' => "`-`",
        '\u{2018}' | '\u{2019}' => "`'`",
        _ => "`\"`",
    };
    Some(format!(
        "it has the character U+{:04X}; write {plain}",
        u32::from(found)
    ))
}

/// The pieces as a text for people, with `{name}` for expressions.
pub(crate) fn shown(pieces: &[Piece]) -> String {
    pieces
        .iter()
        .map(|piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Expression(expression) => format!("{{{}}}", expression.text()),
        })
        .collect()
}

fn render_text(pieces: &[Piece], scope: &dyn Scope) -> Result<String, EvalError> {
    let mut rendered = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => rendered.push_str(text),
            Piece::Expression(expression) => rendered.push_str(&text_of(expression, scope)?),
        }
    }
    Ok(rendered)
}

/// The expression's value as text.
///
/// # Errors
/// When it is absent, null, a list or a map: none of them has a plain text form.
pub(crate) fn text_of(expression: &Expression, scope: &dyn Scope) -> Result<String, EvalError> {
    let value = expression.eval(scope)?.unwrap_or(Value::Null);
    scalar_text(&value).ok_or_else(|| {
        expression.failed(format!(
            "gives {}, which cannot be a part of a text",
            kind_of(&value)
        ))
    })
}

/// Whether a value counts as true, by the rule of expressions. Null, zero and empty values do not.
pub(crate) fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use serde_json::json;

    use super::*;
    use crate::source::Source;

    fn render(text: &str, params: Value) -> Result<Option<Value>, String> {
        let source = Source::parse("t.yaml".into(), "a: 1".into()).unwrap();
        let check = Check::new(source);
        let names = Names::default()
            .with_members("settings", ["region"])
            .with("params")
            .with("a")
            .with("b");
        let template = Template::compile(&json!(text), "", &names, &check);
        let findings = check.into_findings();
        if let Some(finding) = findings.first() {
            return Err(finding.message.clone());
        }
        let settings = json!({"region": "eu"});
        template
            .render(&CallScope {
                params: &params,
                settings: &settings,
            })
            .map_err(|error| error.to_string())
    }

    #[test]
    fn templates_render() {
        for (text, params, expected) in [
            ("plain", json!({}), Some(json!("plain"))),
            ("", json!({}), Some(json!(""))),
            ("{ not one }", json!({}), Some(json!("{ not one }"))),
            ("{{ a }}", json!({"a": 3}), Some(json!(3))),
            ("{{ a }}", json!({"a": [1, "x"]}), Some(json!([1, "x"]))),
            ("{{ a }}", json!({"a": null}), Some(json!(null))),
            ("{{ a }}", json!({}), None),
            (
                "{{a}}-{{b}}",
                json!({"a": 1, "b": true}),
                Some(json!("1-true")),
            ),
            ("x{{ a }}", json!({"a": "y"}), Some(json!("xy"))),
            ("{{ '}}' }}", json!({}), Some(json!("}}"))),
            ("{{ {'k': a}.k }}", json!({"a": 1}), Some(json!(1))),
            ("{{ settings.region }}", json!({}), Some(json!("eu"))),
            ("{{ params['x-y'] }}", json!({"x-y": 5}), Some(json!(5))),
            ("{{ (a or 1) + 1 }}", json!({}), Some(json!(2))),
            ("{{ a if a is defined }}", json!({}), None),
            (
                "{{ a }}",
                json!({"a": 9_007_199_254_740_993_i64}),
                Some(json!(9_007_199_254_740_993_i64)),
            ),
        ] {
            assert_eq!(render(text, params), Ok(expected), "{text}");
        }
    }

    #[test]
    fn mistakes_are_told() {
        for (text, message) in [
            ("{{ c }}", "nothing here is called `c`"),
            ("{{ settings.regoin }}", "`settings` has no member `regoin`"),
            ("{{ a", "`{{` is never closed"),
            ("{% if a %}", "statements and comments are not supported"),
            (
                "x{{ a }}",
                "`a`: gives null, which cannot be a part of a text",
            ),
            ("{{ a + }}", "syntax error"),
            ("{{{ a }}", "`{{` is never closed"),
        ] {
            let error = render(text, json!({})).unwrap_err();
            assert!(error.contains(message), "{text}: {error}");
        }
    }

    #[test]
    fn slices_read_the_names_that_they_cut() {
        for (text, expected) in [
            ("{{ a[1:] }}", json!([2, 3, 4])),
            ("{{ a[:b] }}", json!([1, 2])),
            ("{{ a[b:b + 1] }}", json!([3])),
            ("{{ a[::2] }}", json!([1, 3])),
            ("{{ (a[1:b] + a[3:])[::b] }}", json!([2])),
            ("{{ {'x:[': a[b:]}['x:['][:1] }}", json!([3])),
            ("{{ params.a[1:][:1] }}", json!([2])),
        ] {
            let params = json!({"a": [1, 2, 3, 4], "b": 2});
            assert_eq!(render(text, params), Ok(Some(expected)), "{text}");
        }
        for text in [
            "{{ c[1:] }}",
            "{{ a[c:] }}",
            "{{ a[::c] }}",
            "{{ a[:c][1] }}",
        ] {
            let error = render(text, json!({})).unwrap_err();
            assert!(
                error.contains("nothing here is called `c`"),
                "{text}: {error}"
            );
        }
    }

    #[test]
    fn a_run_away_expression_is_stopped() {
        let nested = "range(9000) | map('string') | ".repeat(400) + "list | length";
        let error = Expression::compile(&nested).map(|expression| {
            let (params, settings) = (json!({}), json!({}));
            expression.eval(&CallScope {
                params: &params,
                settings: &settings,
            })
        });
        assert!(!matches!(error, Ok(Ok(_))), "{error:?}");
    }
}
