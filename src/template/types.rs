//! What the parts of an expression can give, to find those that fail with every value.
//!
//! Each part is tried with a few values of every type that it can have. Nothing is modelled: the operators and filters are
//! minijinja's own. What is not known stands for values of all types, so only what can never work is a finding.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use minijinja::value::{Kwargs, Serde, Value as JinjaValue, ValueKind};
use minijinja::{Error, ErrorKind, Expression as Compiled};
use serde_json::{Value, json};

use super::expression::ENVIRONMENT;
use super::reading::{Argument, Form, Part, read};
use crate::words::nearest;

/// What a value can be: some values of each type that it can have.
#[derive(Debug, Clone)]
pub(crate) struct Can {
    values: Vec<JinjaValue>,
    /// Whether the values inside lists and maps may be others than these.
    is_open: bool,
    /// The schema of a list or a map, so that its parts are known.
    inside: Option<Arc<Inside>>,
}

/// A schema, and the whole that its references lead into.
#[derive(Debug, PartialEq)]
struct Inside {
    schema: Value,
    root: Arc<Value>,
}

/// What the names in one place can be.
pub(crate) type Types = BTreeMap<String, Can>;

/// A part that fails with every value: where it is in the expression, why, and how to mend it.
pub(super) struct Failure {
    pub range: Range<usize>,
    pub reason: String,
    pub help: Option<String>,
}

/// The most values that are kept of one part.
const MOST_VALUES: usize = 24;
/// The most combinations of values that are tried for one part.
const MOST_TRIES: usize = 600;
/// How deep references in a schema are followed.
const DEEPEST: usize = 5;

static ANYTHING: LazyLock<Can> = LazyLock::new(|| {
    let mut values: Vec<JinjaValue> = texts();
    values.extend([1, 0, 1_767_225_600].map(JinjaValue::from));
    let others = json!([1.5, true, null, [], ["a", "b"], ["1", "2"], [1, 2], [[1, 2], [3, 4]], [{ "id": 1 }], {}, { "id": 1 }]);
    let others = others.as_array().cloned().unwrap_or_default();
    values.extend(others.iter().map(|value| JinjaValue::from(Serde(value))));
    Can {
        values,
        is_open: true,
        inside: None,
    }
});

/// Texts that each of the filters that read a text can read.
fn texts() -> Vec<JinjaValue> {
    [
        "a",
        "1",
        "1.5",
        "2026-01-01T00:00:00Z",
        "2026-01-01",
        "YWJj",
        "",
    ]
    .map(JinjaValue::from)
    .to_vec()
}

impl Can {
    fn of(values: impl IntoIterator<Item = JinjaValue>) -> Can {
        Can {
            values: values.into_iter().collect(),
            is_open: false,
            inside: None,
        }
    }

    /// Any value.
    pub(crate) fn be_anything() -> Can {
        ANYTHING.clone()
    }

    /// Any text.
    pub(crate) fn be_text() -> Can {
        Can::of(texts())
    }

    /// Any integer.
    pub(crate) fn be_integer() -> Can {
        Can::of([3, 1, 1_767_225_600].map(JinjaValue::from))
    }

    /// Any list.
    pub(crate) fn be_list() -> Can {
        let is_list = |value: &&JinjaValue| value.kind() == ValueKind::Seq;
        Can {
            values: ANYTHING.values.iter().filter(is_list).cloned().collect(),
            is_open: true,
            inside: None,
        }
    }

    /// Any map.
    fn be_map() -> Can {
        let is_map = |value: &&JinjaValue| value.kind() == ValueKind::Map;
        Can {
            values: ANYTHING.values.iter().filter(is_map).cloned().collect(),
            is_open: true,
            inside: None,
        }
    }

    /// What a schema allows, which is a part of the schema `root`.
    pub(crate) fn be_as(schema: &Value, root: &Arc<Value>) -> Can {
        from_schema(schema, root, 0).unwrap_or_else(Can::be_anything)
    }

    /// What the member of this name can be, if the schema says it.
    pub(crate) fn member(&self, name: &str) -> Option<Can> {
        let inside = self.inside.as_ref()?;
        let schema = inside.schema.get("properties")?.get(name)?;
        from_schema(schema, &inside.root, 0)
    }

    /// What the items can be, if the schema says it.
    pub(crate) fn item(&self) -> Option<Can> {
        let inside = self.inside.as_ref()?;
        from_schema(inside.schema.get("items")?, &inside.root, 0)
    }

    /// The names of the members, if the schema allows no others.
    fn only_members(&self) -> Option<Vec<&str>> {
        let schema = self.inside.as_ref()?.schema.as_object()?;
        let is_closed = schema.get("additionalProperties") == Some(&Value::Bool(false))
            && !["patternProperties", "allOf", "anyOf", "oneOf"]
                .iter()
                .any(|keyword| schema.contains_key(*keyword));
        let properties = schema.get("properties")?.as_object()?;
        is_closed.then(|| properties.keys().map(String::as_str).collect())
    }

    fn with_inside(mut self, schema: &Value, root: &Arc<Value>) -> Can {
        self.inside = Some(Arc::new(Inside {
            schema: schema.clone(),
            root: Arc::clone(root),
        }));
        self
    }

    fn or(mut self, other: Can) -> Can {
        let (own, others) = (self.values.clone(), other.values.clone());
        for value in other.values {
            if self.values.len() < MOST_VALUES && !self.values.contains(&value) {
                self.values.push(value);
            }
        }
        self.is_open |= other.is_open;
        let has_parts = |values: &[JinjaValue]| {
            let is_part =
                |value: &JinjaValue| matches!(value.kind(), ValueKind::Map | ValueKind::Seq);
            values.iter().any(is_part)
        };
        self.inside = match (self.inside.take(), other.inside) {
            (Some(one), None) if !has_parts(&others) => Some(one),
            (None, Some(other)) if !has_parts(&own) => Some(other),
            _ => None,
        };
        self
    }

    /// Whether it has only these kinds.
    fn is_only(&self, kinds: &[ValueKind]) -> bool {
        !self.values.is_empty()
            && self
                .values
                .iter()
                .all(|value| kinds.contains(&value.kind()))
    }
}

fn from_schema(schema: &Value, root: &Arc<Value>, depth: usize) -> Option<Can> {
    let members = schema.as_object().filter(|_| depth < DEEPEST)?;
    let given = |value: &Value| JinjaValue::from(Serde(value));
    if let Some(value) = members.get("const") {
        return Some(Can::of([given(value)]));
    }
    if let Some(Value::Array(values)) = members.get("enum") {
        return Some(Can::of(values.iter().take(MOST_VALUES).map(given)));
    }
    if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
        let target = root.pointer(reference.strip_prefix('#')?)?;
        return from_schema(target, root, depth + 1);
    }
    for keyword in ["anyOf", "oneOf"] {
        if let Some(Value::Array(branches)) = members.get(keyword) {
            let mut cans = branches
                .iter()
                .map(|inner| from_schema(inner, root, depth + 1));
            let first = cans.next()??;
            return cans.try_fold(first, |can, other| Some(can.or(other?)));
        }
    }
    let types: Vec<&str> = match members.get("type")? {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    let mut cans = types.iter().map(|name| of_type(name, schema, root, depth));
    let first = cans.next()??;
    let all = cans.try_fold(first, |can, other| Some(can.or(other?)))?;
    Some(match members.get("default") {
        Some(default) => all.or(Can::of([given(default)])),
        None => all,
    })
}

fn of_type(name: &str, schema: &Value, root: &Arc<Value>, depth: usize) -> Option<Can> {
    Some(match name {
        "string" => match schema.get("format").and_then(Value::as_str) {
            Some("date-time") => Can::of(["2026-01-01T00:00:00Z"].map(JinjaValue::from)),
            _ => Can::be_text(),
        },
        "integer" => Can::be_integer(),
        "number" => Can::be_integer().or(Can::of([1.5, 0.25].map(JinjaValue::from))),
        "boolean" => Can::of([true, false].map(JinjaValue::from)),
        "null" => Can::of([JinjaValue::from(())]),
        "array" => match schema
            .get("items")
            .map(|items| from_schema(items, root, depth + 1))
        {
            Some(Some(items)) => {
                let pairs = items
                    .values
                    .iter()
                    .map(|value| JinjaValue::from(vec![value.clone(), value.clone()]));
                Can {
                    values: pairs.take(MOST_VALUES).collect(),
                    is_open: items.is_open,
                    inside: None,
                }
                .with_inside(schema, root)
            }
            _ => Can::be_list(),
        },
        "object" => Can::be_map().with_inside(schema, root),
        _ => return None,
    })
}

/// Finds the parts of an expression that fail with every value. At most one for each part.
pub(super) fn failures(text: &str, types: &Types) -> Vec<Failure> {
    let Some(part) = read(text) else {
        return Vec::new();
    };
    let mut trial = Trial {
        text,
        types,
        failures: Vec::new(),
    };
    trial.run(&part);
    trial.failures
}

/// Filters whose result does not depend on what is inside a list or a map.
const DETERMINED: [&str; 24] = [
    "abs",
    "b64decode",
    "b64encode",
    "bool",
    "capitalize",
    "count",
    "datetime",
    "float",
    "floor_time",
    "int",
    "join",
    "length",
    "lines",
    "lower",
    "pprint",
    "replace",
    "round",
    "split",
    "string",
    "timestamp",
    "title",
    "tojson",
    "trim",
    "upper",
];

struct Trial<'t> {
    text: &'t str,
    types: &'t Types,
    failures: Vec<Failure>,
}

impl Trial<'_> {
    fn run(&mut self, part: &Part) -> Can {
        let text = &self.text[part.range.clone()];
        match &part.form {
            Form::Literal => match ENVIRONMENT
                .compile_expression(text)
                .and_then(|e| e.eval(()))
            {
                Ok(value) => Can::of([value]),
                Err(_) => Can::be_anything(),
            },
            Form::Name(name) => self
                .types
                .get(name)
                .cloned()
                .unwrap_or_else(Can::be_anything),
            Form::List(items) => {
                items.iter().for_each(|item| drop(self.run(item)));
                Can::be_list()
            }
            Form::Map(values) => {
                values.iter().for_each(|value| drop(self.run(value)));
                Can::be_map()
            }
            Form::Member(whole, name) => self.member(part, whole, name),
            Form::Index(whole, index) => {
                self.run(index);
                if let (Form::Name(root), Form::Literal) = (&whole.form, &index.form)
                    && root == "params"
                {
                    let name = self.text[index.range.clone()].trim_matches(['"', '\'']);
                    return self.named(name);
                }
                let whole = self.run(whole);
                if whole.is_only(&[ValueKind::Number, ValueKind::Bool]) {
                    let reason = format!("{} has no parts", kind_of(&whole));
                    return self.fail(part, reason, None);
                }
                let index = self.text[index.range.clone()].trim();
                let known = match index.starts_with(|c: char| c.is_ascii_digit()) {
                    true => whole.item(),
                    false if index.starts_with(['"', '\'']) => {
                        whole.member(index.trim_matches(['"', '\'']))
                    }
                    false => None,
                };
                known.unwrap_or_else(Can::be_anything)
            }
            Form::Slice(whole, bounds) => {
                bounds.iter().for_each(|bound| drop(self.run(bound)));
                let can = self.run(whole);
                match can.is_only(&[ValueKind::Number, ValueKind::Bool, ValueKind::Map]) {
                    true => {
                        let reason = format!("{} cannot be cut", kind_of(&can));
                        self.fail(part, reason, None)
                    }
                    false => can,
                }
            }
            Form::Call(callee, arguments) => self.call(part, callee, arguments),
            Form::Filter(value, name, arguments) => self.filter(part, value, name, arguments),
            Form::Test(value, name, arguments) => {
                let operands = self.operands(value, arguments);
                self.each(part, &operands, arguments, |values| {
                    let mut state = ENVIRONMENT.empty_state();
                    state.perform_test(name, values).map(JinjaValue::from)
                });
                Can::of([true, false].map(JinjaValue::from))
            }
            Form::Not(value) => {
                self.run(value);
                Can::of([true, false].map(JinjaValue::from))
            }
            Form::Minus(value) => {
                let can = self.run(value);
                let operands = [can.clone(), Can::of([JinjaValue::from(0)])];
                self.each(part, &operands, &[], |values| operate("neg", values))
                    .unwrap_or(can)
            }
            Form::Operator(operator, one, other) => {
                let operands = [self.run(one), self.run(other)];
                let result = self.each(part, &operands, &[], |values| operate(operator, values));
                let is_open = operands.iter().any(|can| can.is_open);
                match result {
                    Some(can) if !is_open || *operator == "~" => can,
                    Some(can)
                        if matches!(*operator, "==" | "!=" | "<" | ">" | "<=" | ">=" | "in") =>
                    {
                        can
                    }
                    // Inside of lists, there may be anything.
                    Some(can) => Can { is_open, ..can },
                    None => Can::be_anything(),
                }
            }
            Form::Choice(parts) => {
                let mut cans: Vec<Can> = parts.iter().map(|part| self.run(part)).collect();
                if text.contains(" if ") && cans.len() > 1 {
                    cans.remove(0);
                }
                cans.into_iter()
                    .reduce(Can::or)
                    .unwrap_or_else(Can::be_anything)
            }
        }
    }

    /// The param of this name.
    fn named(&self, name: &str) -> Can {
        self.types
            .get(&format!("params.{name}"))
            .cloned()
            .unwrap_or_else(Can::be_anything)
    }

    fn member(&mut self, part: &Part, whole: &Part, name: &str) -> Can {
        if let Form::Name(root) = &whole.form {
            match root.as_str() {
                "params" => return self.named(name),
                "settings" => {
                    return self
                        .types
                        .get("settings")
                        .cloned()
                        .unwrap_or_else(Can::be_anything);
                }
                _ => {}
            }
        }
        let can = self.run(whole);
        if can.is_only(&[
            ValueKind::Number,
            ValueKind::Bool,
            ValueKind::String,
            ValueKind::Seq,
        ]) {
            let reason = format!("{} has no member `{name}`", kind_of(&can));
            let help = can.is_only(&[ValueKind::Seq]).then(|| {
                format!(
                    "take it of each item: `| map(attribute='{name}')`, or of one: `[0].{name}`"
                )
            });
            return self.fail(part, reason, help);
        }
        if let Some(known) = can.only_members()
            && !known.contains(&name)
        {
            let help = nearest(name, known.iter().copied())
                .or_else(|| Some(format!("its members are {}", known.join(", "))));
            return self.fail(part, format!("the schema has no member `{name}`"), help);
        }
        can.member(name).unwrap_or_else(Can::be_anything)
    }

    fn call(&mut self, part: &Part, callee: &Part, arguments: &[Argument]) -> Can {
        for argument in arguments {
            self.run(&argument.value);
        }
        match &callee.form {
            Form::Member(whole, name) => {
                self.run(whole);
                let mut state = ENVIRONMENT.empty_state();
                let is_filter = state
                    .apply_filter(name, &[])
                    .err()
                    .is_none_or(|error| error.kind() != ErrorKind::UnknownFilter);
                let value = &self.text[whole.range.clone()];
                let help =
                    is_filter.then(|| format!("`{name}` is a filter: write `{value} | {name}`"));
                self.fail(
                    part,
                    format!("values have no methods, so `{name}()` cannot be called"),
                    help,
                )
            }
            Form::Name(name) if self.types.contains_key(name) => self.fail(
                part,
                format!("`{name}` is a value, and cannot be called"),
                None,
            ),
            _ => Can::be_anything(),
        }
    }

    fn filter(&mut self, part: &Part, value: &Part, name: &str, arguments: &[Argument]) -> Can {
        let operands = self.operands(value, arguments);
        let result = self.each(part, &operands, arguments, |values| {
            ENVIRONMENT.empty_state().apply_filter(name, values)
        });
        let is_open = operands.first().is_some_and(|can| can.is_open);
        match result {
            Some(can) if !is_open || DETERMINED.contains(&name) => can,
            _ => Can::be_anything(),
        }
    }

    fn operands(&mut self, value: &Part, arguments: &[Argument]) -> Vec<Can> {
        let values = arguments.iter().map(|argument| &argument.value);
        std::iter::once(value)
            .chain(values)
            .map(|part| self.run(part))
            .collect()
    }

    /// Tries an operation with the operands' values; what it can give. `None` if that is not known, or it always fails.
    fn each(
        &mut self,
        part: &Part,
        operands: &[Can],
        arguments: &[Argument],
        operation: impl Fn(&[JinjaValue]) -> Result<JinjaValue, Error>,
    ) -> Option<Can> {
        let mut can = Can::of([]);
        let mut first_error = None;
        let sizes = operands.iter().map(|operand| operand.values.len());
        let count = sizes.clone().product::<usize>();
        for n in 0..count.min(MOST_TRIES) {
            let values = with_names(pick(operands, n), arguments);
            match operation(&values) {
                // An invalid value fails when it is used.
                Ok(value) if value.kind() == ValueKind::Invalid => return None,
                Ok(value) => can = can.or(Can::of([value])),
                Err(error) if !is_about_types(&error) => return None,
                Err(error) => {
                    first_error.get_or_insert(error);
                }
            }
        }
        if !can.values.is_empty() || count > MOST_TRIES {
            return Some(can).filter(|can| !can.values.is_empty());
        }
        let error = first_error?;
        let reason = match error.detail() {
            Some(detail) => detail.to_owned(),
            None => error.kind().to_string(),
        };
        self.fail(part, reason, None);
        None
    }

    fn fail(&mut self, part: &Part, reason: String, help: Option<String>) -> Can {
        self.failures.push(Failure {
            range: part.range.clone(),
            reason,
            help,
        });
        Can::be_anything()
    }
}

/// The combination of this number.
fn pick(operands: &[Can], mut n: usize) -> Vec<JinjaValue> {
    operands
        .iter()
        .map(|can| {
            let value = can.values[n % can.values.len()].clone();
            n /= can.values.len();
            value
        })
        .collect()
}

/// The values as a filter takes them: those with a name together, at the end.
fn with_names(values: Vec<JinjaValue>, arguments: &[Argument]) -> Vec<JinjaValue> {
    if arguments.iter().all(|argument| argument.name.is_none()) {
        return values;
    }
    let (mut plain, mut named) = (Vec::new(), Vec::new());
    for (i, value) in values.into_iter().enumerate() {
        match i
            .checked_sub(1)
            .and_then(|i| arguments.get(i)?.name.clone())
        {
            Some(name) => named.push((name, value)),
            None => plain.push(value),
        }
    }
    plain.push(named.into_iter().collect::<Kwargs>().into());
    plain
}

/// Applies an operator.
fn operate(operator: &str, values: &[JinjaValue]) -> Result<JinjaValue, Error> {
    static OPERATORS: LazyLock<BTreeMap<&str, Compiled<'static, 'static>>> = LazyLock::new(|| {
        let texts = [
            ("+", "a + b"),
            ("-", "a - b"),
            ("*", "a * b"),
            ("/", "a / b"),
            ("//", "a // b"),
            ("%", "a % b"),
            ("**", "a ** b"),
            ("~", "a ~ b"),
            ("==", "a == b"),
            ("!=", "a != b"),
            ("<", "a < b"),
            (">", "a > b"),
            ("<=", "a <= b"),
            (">=", "a >= b"),
            ("in", "a in b"),
            ("neg", "-a"),
        ];
        let compiled = texts.into_iter().filter_map(|(operator, text)| {
            Some((operator, ENVIRONMENT.compile_expression(text).ok()?))
        });
        compiled.collect()
    });
    let Some(compiled) = OPERATORS.get(operator) else {
        return Ok(JinjaValue::from(()));
    };
    let values = values.iter().map(|value| match operator {
        "*" => small(value),
        _ => value.clone(),
    });
    let context: BTreeMap<&str, JinjaValue> = ["a", "b"].into_iter().zip(values).collect();
    compiled.eval(context)
}

/// A factor that shows the same mistakes, but repeats no text a million times.
fn small(factor: &JinjaValue) -> JinjaValue {
    const MOST: i64 = 8;
    match factor.as_i64() {
        Some(count) if count > MOST => JinjaValue::from(MOST),
        _ => factor.clone(),
    }
}

/// Whether an error says that values of these types never work. Others may depend on the value.
fn is_about_types(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::InvalidOperation
            | ErrorKind::MissingArgument
            | ErrorKind::TooManyArguments
            | ErrorKind::UnknownMethod
    )
}

/// The kind of the first value, with its article.
fn kind_of(can: &Can) -> &'static str {
    match can.values.first().map(JinjaValue::kind) {
        Some(ValueKind::Number) => "a number",
        Some(ValueKind::Bool) => "a boolean",
        Some(ValueKind::String) => "a text",
        Some(ValueKind::Seq | ValueKind::Iterable) => "a list",
        Some(ValueKind::Map) => "a map",
        _ => "null",
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    fn types() -> Types {
        let schema = json!({
            "name": { "type": "string" },
            "size": { "type": "integer", "minimum": 1 },
            "on": { "type": "boolean" },
            "tags": { "type": "array", "items": { "type": "string" } },
            "ids": { "type": "array", "items": { "type": "integer" } },
            "any": {},
            "both": { "type": ["string", "integer"] },
            "at": { "type": "string", "format": "date-time" },
            "price": { "type": "object" },
            "state": { "enum": ["open", "closed"] },
        });
        let members = schema.as_object().expect("a map");
        members
            .iter()
            .map(|(name, schema)| (name.clone(), Can::be_as(schema, &Arc::new(Value::Null))))
            .collect()
    }

    #[test]
    fn what_must_fail_is_found_at_its_place() {
        for (text, part) in [
            ("name.lower()", "name.lower()"),
            ("body.x.items()", "body.x.items()"),
            ("size - name", "size - name"),
            ("(tags + 1) | length", "(tags + 1)"),
            ("'x' ~ (tags - ids)", "(tags - ids)"),
            ("size.value", "size.value"),
            ("name.first ~ 'x'", "name.first"),
            ("tags.id", "tags.id"),
            ("size | join(1, 2, 3)", "size | join(1, 2, 3)"),
            ("name | round", "name | round"),
            ("tags | upper(1)", "tags | upper(1)"),
            ("name | split(',', 1, 2)", "name | split(',', 1, 2)"),
            ("tags * tags", "tags * tags"),
            ("body.a + (state - 1)", "(state - 1)"),
            ("name in size", "name in size"),
            ("-name", "-name"),
            ("size[0]", "size[0]"),
            ("size[1:]", "size[1:]"),
            ("tags | timestamp", "tags | timestamp"),
            ("name(1)", "name(1)"),
            ("size + 1 if on else name - 1", "name - 1"),
            ("size | datetime - 1", "size | datetime - 1"),
            ("price - 1", "price - 1"),
        ] {
            let found: Vec<_> = failures(text, &types())
                .into_iter()
                .map(|failure| &text[failure.range])
                .collect();
            assert_eq!(found, [part], "{text}");
        }
    }

    #[test]
    fn what_may_work_is_no_failure() {
        for text in [
            "name | lower",
            "size + 1",
            "any + 1",
            "any.a.b | upper",
            "tags | join(',') ~ size",
            "ids | sum + 1",
            "tags | map('upper') | join",
            "tags[0] | upper",
            "name[:3]",
            "tags[1:] + ['x']",
            "both | int",
            "both ~ 1",
            "at | timestamp - 60",
            "((at | timestamp) // 60) | datetime",
            "name | int + 1",
            "body.items | length * 2",
            "body.a | map(attribute='x') | sum / 3",
            "price.min + 1",
            "body.rates[name] * size",
            "size / 3 | round(2)",
            "name | replace('a', 'b') | trim",
            "[name] + tags",
            "{'a': size}.a + 1",
            "name * 2",
            "state | title",
            "(body.x | default(0)) + 1",
            "tags | first | upper",
            "body.at[:10] ~ 'T'",
            "name is startingwith('a')",
            "size is divisibleby 2",
            "on and size > 1",
            "body.x is mapping",
            "tags | sort | unique | list | tojson",
            "ids | max - ids | min",
            "any | items | list",
            "name | b64decode",
            "name | float",
            "'a' in name",
            "size in ids",
            "name if name else none",
            "body | length",
            "range(size) | list",
        ] {
            let found: Vec<String> = failures(text, &types())
                .into_iter()
                .map(|failure| failure.reason)
                .collect();
            assert_eq!(found, Vec::<String>::new(), "{text}");
        }
    }
}
