//! Templates: literal values whose strings may hold `{{ expression }}`.
//!
//! A string that is exactly one `{{ }}` gives the expression's own value with its type; a string that mixes text
//! and expressions gives text. Expressions are minijinja's; there are no statements. Everything is compiled once.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::LazyLock;

use minijinja::value::{Serde, Value as JinjaValue};
use minijinja::{Environment, UndefinedBehavior};
use serde_json::{Map, Value};

use crate::descriptor::code::Code;
use crate::descriptor::source::{Check, join, join_index};

/// Steps that one evaluation of an expression may take; a bound on run-away ranges and loops.
const FUEL: u64 = 1_000_000;

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_fuel(Some(FUEL));
    crate::functions::add_to(&mut environment);
    environment
});

/// The names that expressions at one place may use.
#[derive(Debug, Clone, Default)]
pub struct Names {
    plain: Vec<String>,
    members: BTreeMap<String, Vec<String>>,
    anything: bool,
}

impl Names {
    /// A name that stands for any value.
    pub fn with(mut self, name: &str) -> Names {
        self.plain.push(name.to_owned());
        self
    }

    /// All but this name.
    pub fn without(mut self, name: &str) -> Names {
        self.plain.retain(|known| known != name);
        self
    }

    /// A name whose members are known, such as `settings`.
    pub fn with_members<S: AsRef<str>>(
        mut self,
        name: &str,
        members: impl IntoIterator<Item = S>,
    ) -> Names {
        let members = members.into_iter().map(|m| m.as_ref().to_owned()).collect();
        self.members.insert(name.to_owned(), members);
        self
    }

    /// Any name at all.
    pub fn anything() -> Names {
        Names {
            anything: true,
            ..Names::default()
        }
    }

    /// Whether there is no param of this name, and which one was probably meant.
    pub fn unknown_param(&self, name: &str) -> Option<Option<String>> {
        let known = self.members.get("params").unwrap_or(&self.plain);
        match known.iter().any(|param| param == name) {
            true => None,
            false => Some(nearest(name, known.iter().map(String::as_str))),
        }
    }

    fn problem(&self, dotted: &str) -> Option<(String, Option<String>)> {
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
        let known = self.plain.iter().chain(self.members.keys());
        Some((
            format!("nothing here is called `{root}`"),
            nearest(root, known.map(String::as_str)),
        ))
    }
}

fn is_global(name: &str) -> bool {
    ENVIRONMENT.globals().any(|(global, _)| global == name)
}

/// The known name that was probably meant.
pub fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<String> {
    known
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + name.len().max(candidate.len()) / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| format!("did you mean `{candidate}`?"))
}

/// The values that expressions see, by name.
pub trait Scope {
    /// The JSON value that goes by this name; `None` where it is absent.
    fn json(&self, name: &str) -> Option<&Value>;

    /// A value for expressions alone, for what is no JSON value.
    fn native(&self, _name: &str) -> Option<JinjaValue> {
        None
    }
}

/// Params and settings: what a request is rendered from.
pub struct CallScope<'a> {
    /// The validated arguments, as `params` and each by its own name.
    pub params: &'a Value,
    /// The service's settings, as `settings`.
    pub settings: &'a Value,
}

impl Scope for CallScope<'_> {
    fn json(&self, name: &str) -> Option<&Value> {
        match self.params.get(name) {
            Some(value) => Some(value),
            None if name == "params" => Some(self.params),
            None if name == "settings" => Some(self.settings),
            None => None,
        }
    }
}

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

/// A compiled expression with what it reads: a name, and the members of it where it reads no more than those. To
/// hand over a whole response for one field of it would cost more than the rest of a call.
struct Compiled {
    expression: minijinja::Expression<'static, 'static>,
    dotted: Vec<String>,
    reads: Vec<(String, Option<Vec<String>>)>,
}

enum ExpressionKind {
    /// A bare name: the value itself, with no detour over the expression engine.
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
    /// Where the text is no expression: the byte range in it, and what is wrong.
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
        let compiled = ENVIRONMENT
            .compile_expression_owned(trimmed.to_owned())
            .map_err(|error| {
                // The parser counts bytes, and may stop in the middle of a character.
                let range = error.range().unwrap_or(0..trimmed.len());
                let start = trimmed.floor_char_boundary(range.start);
                let end = trimmed.ceil_char_boundary(range.end.max(start));
                (start + offset..end + offset, plain_reason(&error))
            })?;
        // To find the names parses the text again, so it is done once.
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
        Ok(Expression {
            text: trimmed.to_owned(),
            names: reads.iter().map(|(name, _)| name.clone()).collect(),
            kind: ExpressionKind::Compiled(Box::new(Compiled {
                expression: compiled,
                dotted,
                reads,
            })),
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

    /// The names with their members where those are written out, such as `settings.region`.
    pub fn dotted_names(&self) -> Vec<String> {
        match &self.kind {
            ExpressionKind::Name | ExpressionKind::Member(_) => vec![self.text.clone()],
            ExpressionKind::Compiled(compiled) => compiled.dotted.clone(),
        }
    }

    /// What the expression reads: names, and the members of each where it reads no more than those.
    pub fn reads(&self) -> Vec<(String, Option<Vec<String>>)> {
        match &self.kind {
            ExpressionKind::Name => vec![(self.text.clone(), None)],
            ExpressionKind::Member(member) => {
                let root = self.names.first().cloned().unwrap_or_default();
                vec![(root, Some(vec![member.clone()]))]
            }
            ExpressionKind::Compiled(compiled) => compiled.reads.clone(),
        }
    }

    /// The name, and its member, that the expression is, where it computes nothing.
    pub fn plain(&self) -> Option<(&str, Option<&str>)> {
        match &self.kind {
            ExpressionKind::Name => Some((&self.text, None)),
            ExpressionKind::Member(member) => Some((self.names.first()?, Some(member))),
            ExpressionKind::Compiled(_) => None,
        }
    }

    /// The names in `root["name"]`, when the expression reaches into `root` in no other way.
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
                    return Ok(whole.get(member).cloned());
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
        let context: BTreeMap<&str, JinjaValue> = compiled
            .reads
            .iter()
            .filter_map(|(name, members)| {
                let value = match (scope.json(name), members) {
                    (Some(Value::Object(whole)), Some(members)) => parts(whole, members),
                    (Some(value), _) => JinjaValue::from(Serde(value)),
                    (None, _) => scope.native(name)?,
                };
                Some((name.as_str(), value))
            })
            .collect();
        let value = compiled
            .expression
            .eval(JinjaValue::from(context))
            .map_err(|error| self.failed(plain_reason(&error)))?;
        if value.is_undefined() {
            return Ok(None);
        }
        self.to_json(&value).map(Some)
    }

    fn to_json(&self, value: &JinjaValue) -> Result<Value, EvalError> {
        if let Ok(number) = f64::try_from(value.clone())
            && !number.is_finite()
        {
            return Err(self.failed(format!("gives {number}, which JSON cannot hold")));
        }
        serde_json::to_value(value).map_err(|error| self.failed(error.to_string()))
    }

    fn failed(&self, reason: String) -> EvalError {
        EvalError {
            expression: self.text.clone(),
            reason,
        }
    }
}

/// The text with each slice `x[from:to]` written as a plain subscript that reads the same names; `None` when it has no
/// slice. minijinja 3.1 passes over the sliced value when it lists an expression's names.
fn without_slices(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let (mut open, mut quote, mut has_slice) = (Vec::new(), None, false);
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match (quote, c) {
            (Some(_), '\\') => {
                out.push(c);
                out.extend(characters.next().map(|(_, escaped)| escaped));
                continue;
            }
            (Some(mark), _) if mark == c => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '[' | '{' | '(') => open.push(c),
            (None, ']' | '}' | ')') => drop(open.pop()),
            (None, ':') if open.last() == Some(&'[') => {
                has_slice = true;
                let is_open = text[..at].trim_end().ends_with(['[', ':']);
                let is_closed = text[at + 1..].trim_start().starts_with(']');
                out.push_str(if is_open { "0 or " } else { " or " });
                out.push_str(if is_closed { "0" } else { "" });
                continue;
            }
            (None, _) => {}
        }
        out.push(c);
    }
    has_slice.then_some(out)
}

fn reads(dotted: &[String]) -> Vec<(String, Option<Vec<String>>)> {
    let mut reads: BTreeMap<String, Option<Vec<String>>> = BTreeMap::new();
    for dotted in dotted {
        let mut parts = dotted.split('.');
        let root = parts.next().unwrap_or_default().to_owned();
        let members = reads.entry(root).or_insert_with(|| Some(Vec::new()));
        match (parts.next(), &mut *members) {
            (Some(member), Some(known)) => known.push(member.to_owned()),
            _ => *members = None,
        }
    }
    reads.into_iter().collect()
}

fn parts(whole: &Map<String, Value>, members: &[String]) -> JinjaValue {
    members
        .iter()
        .filter_map(|member| Some((member.as_str(), JinjaValue::from(Serde(whole.get(member)?)))))
        .collect::<BTreeMap<&str, JinjaValue>>()
        .into()
}

fn plain_reason(error: &minijinja::Error) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
}

/// Whether the text is a name that an expression can hold as it is.
pub fn is_identifier(text: &str) -> bool {
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
        let whole = pieces.len() == 1;
        for piece in pieces.drain(..) {
            match piece {
                Split::Text(text) => compiled.push(Piece::Text(text)),
                Split::Expression(range) => match Expression::compile(&text[range.clone()]) {
                    Ok(expression) => {
                        report_unknown_names(&expression, text, &range, pointer, names, check);
                        compiled.push(Piece::Expression(expression));
                    }
                    Err((inner, message)) => {
                        let at = range.start + inner.start..range.start + inner.end;
                        check.error_inside(Code::BadTemplate, pointer, at, message, None);
                    }
                },
            }
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

    /// A text for people, with `{name}` for expressions.
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
    /// Like [`Template::visit`], with the JSON Pointer of the value that the expression stands in; `pointer` is that of
    /// the template.
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

/// Pieces for people, with `{name}` for expressions.
pub fn shown(pieces: &[Piece]) -> String {
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
pub fn text_of(expression: &Expression, scope: &dyn Scope) -> Result<String, EvalError> {
    let value = expression.eval(scope)?.unwrap_or(Value::Null);
    scalar_text(&value).ok_or_else(|| {
        expression.failed(format!(
            "gives {}, which cannot stand inside a text",
            kind_of(&value)
        ))
    })
}

/// A scalar as it stands in a URL or header; `None` for null, lists and maps.
pub fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        // JSON Schema takes 5.0 for an integer; in a URL it would be another text than 5.
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 1e15 => {
                Some(format!("{float:.0}"))
            }
            _ => Some(number.to_string()),
        },
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Whether a value counts as true, as the expressions themselves have it: null, zero and what is empty do not.
pub fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}

/// What kind of JSON value this is, with its article.
pub fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn report_unknown_names(
    expression: &Expression,
    text: &str,
    range: &Range<usize>,
    pointer: &str,
    names: &Names,
    check: &Check,
) {
    report_unknown_operations(&text[range.clone()], range.start, pointer, check);
    let part = &text[range.clone()];
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
}

/// Filters and tests are only looked up when an expression runs, so their names are checked here.
fn report_unknown_operations(text: &str, offset: usize, pointer: &str, check: &Check) {
    for (kind, range) in operations(text) {
        let name = &text[range.clone()];
        if !kind.knows(name) {
            check.error_inside(
                Code::UnknownName,
                pointer,
                offset + range.start..offset + range.end,
                format!("there is no {} `{name}`", kind.word()),
                nearest(
                    name,
                    OPERATIONS.into_iter().filter(|known| kind.knows(known)),
                ),
            );
        }
    }
}

/// Names to suggest; which of them are filters and which are tests, the engine knows.
const OPERATIONS: [&str; 62] = [
    "abs",
    "attr",
    "b64decode",
    "b64encode",
    "batch",
    "bool",
    "boolean",
    "capitalize",
    "count",
    "datetime",
    "default",
    "defined",
    "dictsort",
    "divisibleby",
    "endingwith",
    "escaped",
    "even",
    "false",
    "first",
    "float",
    "floor_time",
    "groupby",
    "in",
    "indent",
    "int",
    "integer",
    "items",
    "iterable",
    "join",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "mapping",
    "max",
    "min",
    "none",
    "number",
    "odd",
    "pprint",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "select",
    "selectattr",
    "sequence",
    "slice",
    "sort",
    "split",
    "startingwith",
    "string",
    "sum",
    "timestamp",
    "title",
    "tojson",
    "trim",
    "true",
    "upper",
];

#[derive(Clone, Copy)]
enum Operation {
    Filter,
    Test,
}

impl Operation {
    fn word(self) -> &'static str {
        match self {
            Operation::Filter => "filter",
            Operation::Test => "test",
        }
    }

    /// Whether there is one of this name. A call without values fails in any case, but tells an unknown name from
    /// wrong values.
    fn knows(self, name: &str) -> bool {
        let mut state = ENVIRONMENT.empty_state();
        let (error, unknown) = match self {
            Operation::Filter => (
                state.apply_filter(name, &[]).err(),
                minijinja::ErrorKind::UnknownFilter,
            ),
            Operation::Test => (
                state.perform_test(name, &[]).err(),
                minijinja::ErrorKind::UnknownTest,
            ),
        };
        error.is_none_or(|error| error.kind() != unknown)
    }
}

/// The names behind `|` and `is` in an expression, outside of its strings.
fn operations(text: &str) -> Vec<(Operation, Range<usize>)> {
    let mut found = Vec::new();
    let mut expects: Option<Operation> = None;
    let mut quote: Option<char> = None;
    let mut characters = text.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        match quote {
            Some(_) if c == '\\' => {
                characters.next();
            }
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '"' || c == '\'' => (quote, expects) = (Some(c), None),
            None if c == '|' => expects = Some(Operation::Filter),
            None if c.is_alphabetic() || c == '_' => {
                let mut end = at + c.len_utf8();
                while let Some((next, c)) = characters.peek().copied() {
                    if !(c.is_alphanumeric() || c == '_') {
                        break;
                    }
                    end = next + c.len_utf8();
                    characters.next();
                }
                let word = &text[at..end];
                match (expects, word) {
                    (Some(Operation::Test), "not") => {}
                    (Some(kind), _) => {
                        found.push((kind, at..end));
                        expects = None;
                    }
                    (None, "is") => expects = Some(Operation::Test),
                    (None, _) => {}
                }
            }
            None if c.is_whitespace() => {}
            None => expects = None,
        }
    }
    found
}

/// Where a name stands in an expression as a whole word, outside of its strings.
fn find_word(text: &str, word: &str) -> Option<Range<usize>> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    text.match_indices(word)
        .find(|(start, _)| {
            let before = text[..*start].chars().next_back();
            let after = text[start + word.len()..].chars().next();
            !before.is_some_and(is_word)
                && !after.is_some_and(|c| is_word(c) && c != '.')
                && !is_in_string(text, *start)
        })
        .map(|(start, _)| start..start + word.len())
}

fn is_in_string(text: &str, at: usize) -> bool {
    let mut quote = None;
    let mut characters = text[..at].chars();
    while let Some(c) = characters.next() {
        match quote {
            Some(_) if c == '\\' => drop(characters.next()),
            Some(open) if c == open => quote = None,
            None if c == '"' || c == '\'' => quote = Some(c),
            _ => {}
        }
    }
    quote.is_some()
}

enum Split {
    Text(String),
    Expression(Range<usize>),
}

type SplitError = (Range<usize>, String, Option<String>);

/// Longest expression, in bytes: the parser recurses, and nothing may exhaust the stack.
const LONGEST_EXPRESSION: usize = 1024;

/// Splits a string at its `{{ }}`.
fn split(text: &str) -> Result<Vec<Split>, SplitError> {
    let pieces = split_unchecked(text)?;
    let mut rest = 0;
    for piece in &pieces {
        match piece {
            Split::Text(plain) => {
                if let Some(at) = plain.find("}}") {
                    return Err((
                        rest + at..rest + at + 2,
                        "`}}` closes an expression that is never opened".to_owned(),
                        Some("open it with `{{`, or write `{{ '}}' }}` for the text".to_owned()),
                    ));
                }
                rest += plain.len();
            }
            Split::Expression(range) if range.len() > LONGEST_EXPRESSION => {
                return Err((
                    range.start..range.start + 1,
                    format!("the expression is longer than {LONGEST_EXPRESSION} bytes"),
                    Some(
                        "compute parts of it under `let`, or leave them to the service".to_owned(),
                    ),
                ));
            }
            Split::Expression(range) => rest = range.end + 2,
        }
    }
    Ok(pieces)
}

fn split_unchecked(text: &str) -> Result<Vec<Split>, SplitError> {
    let mut pieces = Vec::new();
    let mut rest = 0;
    while let Some(open) = text[rest..].find('{').map(|at| at + rest) {
        match text.as_bytes().get(open + 1) {
            Some(b'{') => {
                let end = expression_end(text, open + 2).ok_or_else(|| {
                    (
                        open..open + 2,
                        "`{{` is never closed".to_owned(),
                        Some("close the expression with `}}`".to_owned()),
                    )
                })?;
                if open > rest || has_pending(&pieces) {
                    push_text(&mut pieces, &text[rest..open]);
                }
                pieces.push(Split::Expression(open + 2..end));
                rest = end + 2;
            }
            Some(b'%' | b'#') => {
                return Err((
                    open..open + 2,
                    "statements and comments are not supported in templates".to_owned(),
                    Some("write an expression, such as `{{ a if b else c }}`".to_owned()),
                ));
            }
            _ => {
                push_text(&mut pieces, &text[rest..=open]);
                rest = open + 1;
            }
        }
    }
    if rest < text.len() {
        push_text(&mut pieces, &text[rest..]);
    }
    Ok(pieces)
}

fn has_pending(pieces: &[Split]) -> bool {
    matches!(pieces.last(), Some(Split::Text(_)))
}

fn push_text(pieces: &mut Vec<Split>, text: &str) {
    match pieces.last_mut() {
        Some(Split::Text(last)) => last.push_str(text),
        _ if text.is_empty() => {}
        _ => pieces.push(Split::Text(text.to_owned())),
    }
}

/// The offset of the `}}` that closes the expression, minding quotes and braces inside it.
fn expression_end(text: &str, start: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut at, mut depth, mut quote) = (start, 0_usize, None);
    while at < bytes.len() {
        match (quote, bytes[at]) {
            (Some(_), b'\\') => at += 1,
            (Some(open), byte) if byte == open => quote = None,
            (Some(_), _) => {}
            (None, byte @ (b'"' | b'\'')) => quote = Some(byte),
            (None, b'{') => depth += 1,
            (None, b'}') if depth > 0 => depth -= 1,
            (None, b'}') if bytes.get(at + 1) == Some(&b'}') => return Some(at),
            (None, _) => {}
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use serde_json::json;

    use super::*;
    use crate::descriptor::source::Source;

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
                "`a`: gives null, which cannot stand inside a text",
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
