//! Expressions: minijinja's, compiled once.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use minijinja::value::{Enumerator, Object, Serde, Value as JinjaValue, ValueKind};
use minijinja::{Environment, UndefinedBehavior};
use serde_json::{Map, Value};

use super::bounds::{self, FUEL};
use super::lexer::{Kind, long_number, tokens};
use super::names::is_identifier;
use super::{Scope, functions};
use crate::json;

pub(super) static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_fuel(Some(FUEL));
    functions::add_to(&mut environment);
    bounds::add_to(&mut environment);
    environment
});

/// How many steps count for each value that an expression is given: it is read and copied before the expression runs.
const STEPS_OF_AN_INPUT: u64 = 4;

/// An expression failed while it ran.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{expression}`: {reason}")]
pub struct EvalError {
    /// The expression's text.
    pub expression: String,
    /// What went wrong.
    pub reason: String,
}

/// A compiled expression.
pub struct Expression {
    text: String,
    names: Vec<String>,
    kind: ExpressionKind,
}

/// A compiled expression and what it reads: names, and with each name the members, if it reads no others. Giving a
/// whole response to an expression that needs one field would cost more than the rest of a call.
struct Compiled {
    expression: minijinja::Expression<'static, 'static>,
    dotted: Vec<String>,
    reads: Reads,
    /// Whether it names one of them often.
    is_repetitive: bool,
}

/// Names, and with each name the members that are read of it, if no others are.
type Reads = Vec<(Arc<str>, Option<Vec<Arc<str>>>)>;

/// Values by their names, so few that looking at each is faster than any other map. It is never seen as a whole.
#[derive(Debug)]
struct Named(Vec<(Arc<str>, JinjaValue)>);

impl Named {
    /// These members of an object.
    fn parts(whole: &Map<String, Value>, members: &[Arc<str>]) -> JinjaValue {
        let part = |name: &Arc<str>| {
            let value = JinjaValue::from(Serde(json::member(whole, name)?));
            Some((Arc::clone(name), value))
        };
        JinjaValue::from_object(Named(members.iter().filter_map(part).collect()))
    }
}

impl Object for Named {
    fn get_value(self: &Arc<Self>, key: &JinjaValue) -> Option<JinjaValue> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<JinjaValue> {
        let (_, value) = self.0.iter().find(|(name, _)| **name == *key)?;
        Some(value.clone())
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let name = |(name, _): &(Arc<str>, _)| JinjaValue::from(&**name);
        Enumerator::Values(self.0.iter().map(name).collect())
    }
}

enum ExpressionKind {
    /// A bare name: the value itself, without using the expression engine.
    Name,
    /// A name and a member, such as `settings.region`.
    Member(String),
    Compiled(Box<Compiled>),
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{{ {} }}}}", self.text)
    }
}

impl Expression {
    /// Compiles the text between the braces.
    ///
    /// # Errors
    /// When the text is not an expression: the byte range in it, and what is wrong.
    pub fn compile(text: &str) -> Result<Expression, (Range<usize>, String)> {
        let trimmed = text.trim();
        if is_identifier(trimmed) {
            return Ok(Expression {
                text: trimmed.to_owned(),
                names: vec![trimmed.to_owned()],
                kind: ExpressionKind::Name,
            });
        }
        if let Some((root, member)) = trimmed.split_once('.')
            && is_identifier(root)
            && is_identifier(member)
        {
            return Ok(Expression {
                text: trimmed.to_owned(),
                names: vec![root.to_owned()],
                kind: ExpressionKind::Member(member.to_owned()),
            });
        }
        let offset = text.len() - text.trim_start().len();
        if let Some(range) = long_number(trimmed) {
            let reason = "this number has more digits than can be computed with".to_owned();
            return Err((range.start + offset..range.end + offset, reason));
        }
        let compiled = compile_guarded(trimmed)
            .map_err(|(range, reason)| (range.start + offset..range.end + offset, reason))?;
        // Finding the names parses the text again, so it is done once.
        let mut dotted: Vec<String> = match without_slices(trimmed) {
            None => compiled.undeclared_variables(true),
            Some(text) => ENVIRONMENT
                .compile_expression_owned(text)
                .map_err(|error| (offset..offset + trimmed.len(), plain_reason(&error)))?
                .undeclared_variables(true),
        }
        .into_iter()
        .collect();
        dotted.sort_unstable();
        let reads = reads(&dotted);
        let names: Vec<String> = reads.iter().map(|(name, _)| name.to_string()).collect();
        Ok(Expression {
            text: trimmed.to_owned(),
            kind: ExpressionKind::Compiled(Box::new(Compiled {
                expression: compiled,
                dotted,
                reads,
                is_repetitive: bounds::is_repetitive(trimmed, &names),
            })),
            names,
        })
    }

    /// The text between the braces.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The names that the expression reads.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The names, with their members if those are written out, such as `settings.region`.
    pub fn dotted_names(&self) -> Vec<String> {
        match &self.kind {
            ExpressionKind::Name | ExpressionKind::Member(_) => vec![self.text.clone()],
            ExpressionKind::Compiled(compiled) => compiled.dotted.clone(),
        }
    }

    /// What the expression reads: names, and with each name the members, if it reads no others.
    pub fn reads(&self) -> Vec<(String, Option<Vec<String>>)> {
        match &self.kind {
            ExpressionKind::Name => vec![(self.text.clone(), None)],
            ExpressionKind::Member(member) => {
                let root = self.names.first().cloned().unwrap_or_default();
                vec![(root, Some(vec![member.clone()]))]
            }
            ExpressionKind::Compiled(compiled) => {
                let texts =
                    |names: &Vec<Arc<str>>| names.iter().map(|name| name.to_string()).collect();
                let reads = compiled.reads.iter();
                reads
                    .map(|(name, members)| (name.to_string(), members.as_ref().map(texts)))
                    .collect()
            }
        }
    }

    /// The name and its member, if the expression is just that and computes nothing.
    pub fn plain(&self) -> Option<(&str, Option<&str>)> {
        match &self.kind {
            ExpressionKind::Name => Some((&self.text, None)),
            ExpressionKind::Member(member) => Some((self.names.first()?, Some(member))),
            ExpressionKind::Compiled(_) => None,
        }
    }

    /// Whether the expression asks which of two values is larger.
    pub(crate) fn compares_sizes(&self) -> bool {
        tokens(&self.text).any(|token| matches!(token.kind, Kind::Mark('<' | '>')))
    }

    /// The names in `root["name"]`, if the expression uses `root` in no other way.
    pub fn subscripts(&self, root: &str) -> Option<Vec<String>> {
        let mut names = Vec::new();
        for (at, _) in self.text.match_indices(root) {
            let rest = self.text[at + root.len()..]
                .trim_start()
                .strip_prefix('[')?
                .trim_start();
            let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
            let (name, rest) = rest[1..].split_once(quote)?;
            rest.trim_start().strip_prefix(']')?;
            names.push(name.to_owned());
        }
        Some(names)
    }

    /// The expression's value; `None` when it is undefined, such as an absent param.
    ///
    /// # Errors
    /// When the expression cannot be computed from these values.
    pub fn eval(&self, scope: &dyn Scope) -> Result<Option<Value>, EvalError> {
        let compiled = match &self.kind {
            ExpressionKind::Name => match scope.json(&self.text) {
                Some(value) => return Ok(Some(value.clone())),
                None => {
                    return scope
                        .native(&self.text)
                        .map(|v| self.to_json(&v))
                        .transpose();
                }
            },
            ExpressionKind::Member(member) => {
                let root = self.names.first().map_or("", String::as_str);
                if let Some(whole) = scope.json(root) {
                    let whole = whole.as_object();
                    return Ok(whole.and_then(|whole| json::member(whole, member)).cloned());
                }
                let Some(whole) = scope.native(root) else {
                    return Err(self.failed(format!("`{root}` is undefined")));
                };
                let value = whole
                    .get_attr(member)
                    .map_err(|error| self.failed(plain_reason(&error)))?;
                return match value.is_undefined() {
                    true => Ok(None),
                    false => self.to_json(&value).map(Some),
                };
            }
            ExpressionKind::Compiled(compiled) => compiled,
        };
        let mut inputs = Vec::with_capacity(compiled.reads.len());
        for (name, members) in &compiled.reads {
            let value = match (scope.json(name), members) {
                (Some(Value::Object(whole)), Some(members)) => Named::parts(whole, members),
                (Some(value), _) => JinjaValue::from(Serde(value)),
                (None, _) => match scope.native(name) {
                    Some(value) => value,
                    None => continue,
                },
            };
            inputs.push((Arc::clone(name), value));
        }
        self.run(compiled, inputs)
    }

    /// Refuses to run where the expressions that share a number of steps have none left.
    ///
    /// # Errors
    /// When none is left.
    pub(crate) fn permit(&self) -> Result<(), EvalError> {
        match bounds::has_left() {
            true => Ok(()),
            false => Err(self.failed("the expressions take too many steps together".to_owned())),
        }
    }

    /// Runs the expression within its bounds.
    fn run(
        &self,
        compiled: &Compiled,
        inputs: Vec<(Arc<str>, JinjaValue)>,
    ) -> Result<Option<Value>, EvalError> {
        self.permit()?;
        let inputs = Arc::new(Named(inputs));
        let weight_of_inputs = || -> u64 {
            let weights = inputs.0.iter().map(|(_, v)| bounds::weight(v, u64::MAX));
            weights.map(Option::unwrap_or_default).sum()
        };
        if bounds::is_bound() {
            bounds::spend(weight_of_inputs().saturating_mul(STEPS_OF_AN_INPUT));
        }
        if compiled.is_repetitive && weight_of_inputs() > FUEL / 4 {
            return Err(self.failed("reads a large value too often".to_owned()));
        }
        let started = Instant::now();
        let seen = JinjaValue::from_dyn_object(Arc::clone(&inputs));
        let value = match compiled.expression.eval(seen) {
            Ok(value) => value,
            Err(error) => {
                // An expression that fails does not tell its steps. One takes about a microsecond.
                bounds::spend(started.elapsed().as_micros() as u64);
                return Err(self.failed(plain_reason(&error)));
            }
        };
        bounds::spend(bounds::used());
        if value.is_undefined() {
            return Ok(None);
        }
        let weight =
            bounds::weight(&value, FUEL).or_else(|| bounds::weight(&value, weight_of_inputs()));
        let Some(weight) = weight else {
            return Err(self.failed("gives too large a value".to_owned()));
        };
        bounds::spend(weight);
        self.to_json(&value).map(Some)
    }

    fn to_json(&self, value: &JinjaValue) -> Result<Value, EvalError> {
        // Without this check, an invalid value would be written as null.
        if value.kind() == ValueKind::Invalid {
            let text = value.to_string();
            let reason = text
                .strip_prefix("<invalid value: ")
                .and_then(|t| t.strip_suffix('>'));
            return Err(self.failed(reason.unwrap_or(&text).to_owned()));
        }
        if value.kind() == ValueKind::Number
            && let Ok(number) = f64::try_from(value.clone())
            && !number.is_finite()
        {
            return Err(self.failed(format!("gives {number}, which JSON cannot hold")));
        }
        serde_json::to_value(value).map_err(|error| self.failed(error.to_string()))
    }

    pub(super) fn failed(&self, reason: String) -> EvalError {
        EvalError {
            expression: self.text.clone(),
            reason,
        }
    }
}

/// Compiles an expression with the checks of [`bounds`]; its errors are those of the text itself.
fn compile_guarded(
    text: &str,
) -> Result<minijinja::Expression<'static, 'static>, (Range<usize>, String)> {
    let guarded = bounds::guarded(text).map(|text| ENVIRONMENT.compile_expression_owned(text));
    if let Some(Ok(compiled)) = guarded {
        return Ok(compiled);
    }
    match ENVIRONMENT.compile_expression_owned(text.to_owned()) {
        Ok(_) => Err((
            0..text.len(),
            "it is not clear what is multiplied here; write parentheses".to_owned(),
        )),
        Err(error) => {
            // The parser counts bytes, and may stop inside a character.
            let range = error.range().unwrap_or(0..text.len());
            let start = text.floor_char_boundary(range.start);
            let end = text.ceil_char_boundary(range.end.max(start));
            Err((start..end, plain_reason(&error)))
        }
    }
}

/// The text with each slice `x[from:to]` written as a plain subscript that reads the same names; `None` if it has no
/// slice. minijinja 3.1 overlooks the sliced value when it lists an expression's names.
fn without_slices(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let (mut open, mut has_slice) = (Vec::new(), false);
    for token in tokens(text) {
        match token.kind {
            Kind::Mark(c @ ('[' | '{' | '(')) => open.push(c),
            Kind::Mark(']' | '}' | ')') => drop(open.pop()),
            Kind::Mark(':') if open.last() == Some(&'[') => {
                has_slice = true;
                let is_open = text[..token.range.start].trim_end().ends_with(['[', ':']);
                let is_closed = text[token.range.end..].trim_start().starts_with(']');
                out.push_str(if is_open { "0 or " } else { " or " });
                out.push_str(if is_closed { "0" } else { "" });
                continue;
            }
            _ => {}
        }
        out.push_str(&text[token.range]);
    }
    has_slice.then_some(out)
}

fn reads(dotted: &[String]) -> Reads {
    let mut reads: BTreeMap<Arc<str>, Option<Vec<Arc<str>>>> = BTreeMap::new();
    for dotted in dotted {
        let mut parts = dotted.split('.');
        let root = parts.next().unwrap_or_default();
        let members = reads.entry(root.into()).or_insert_with(|| Some(Vec::new()));
        match (parts.next(), &mut *members) {
            (Some(member), Some(known)) => known.push(member.into()),
            _ => *members = None,
        }
    }
    reads.into_iter().collect()
}

fn plain_reason(error: &minijinja::Error) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
}
