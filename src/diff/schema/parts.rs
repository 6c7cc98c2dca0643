//! A schema taken apart: alternatives of one type each, whose rules are few and plain.
//!
//! A node is several schemas that all hold for the same value, such as the members of `allOf`. What cannot be taken apart
//! (`not`, `if`, `patternProperties`, ...) stays whole, as the text of what it means: two such rules are known to be the same
//! or nothing is known of them.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use serde_json::{Map, Value};

use super::Part;
use super::canonical::{canonical, sorted, target};
use super::near::Near;

/// Schemas that all hold for one value.
pub(super) type Node<'s> = Rc<Vec<&'s Value>>;

/// More alternatives than this are not told apart.
const MOST: usize = 160;

/// From here on, floats do not tell whole numbers apart.
const EXACT: f64 = 9_007_199_254_740_992.0;
/// Schemas that are gathered for the alternatives of one node at most.
const MOST_STEPS: usize = 20_000;

const NULL: u8 = 1;
const BOOLEAN: u8 = 1 << 1;
const NUMBER: u8 = 1 << 2;
const TEXT: u8 = 1 << 3;
const LIST: u8 = 1 << 4;
const OBJECT: u8 = 1 << 5;
const ALL: u8 = NULL | BOOLEAN | NUMBER | TEXT | LIST | OBJECT;

/// Rules of numbers.
#[derive(Debug, Clone, Default)]
pub(super) struct Numbers {
    pub integer: bool,
    /// The least value, and whether it is excluded.
    pub least: Option<(f64, bool)>,
    /// The largest value, and whether it is excluded.
    pub most: Option<(f64, bool)>,
    pub steps: Vec<f64>,
}

/// Rules of texts.
#[derive(Debug, Clone, Default)]
pub(super) struct Texts {
    pub least: u64,
    pub most: Option<u64>,
    pub patterns: BTreeSet<String>,
    pub formats: BTreeSet<String>,
}

/// Rules of lists.
#[derive(Debug, Clone, Default)]
pub(super) struct Lists<'s> {
    pub least: u64,
    pub most: Option<u64>,
    pub unique: bool,
    /// The schemas of the first items, and that of all others.
    pub layers: Vec<(&'s [Value], Option<&'s Value>)>,
}

/// Rules of objects.
#[derive(Debug, Clone, Default)]
pub(super) struct Objects<'s> {
    pub least: u64,
    pub most: Option<u64>,
    pub required: BTreeSet<&'s str>,
    /// The schemas of members by name, and that of all others.
    pub layers: Vec<(Option<&'s Map<String, Value>>, Option<&'s Value>)>,
    /// The schema of members that no layer names, if there are none of them.
    pub others_are_none: Option<&'static Value>,
}

/// What the values of an alternative are.
#[derive(Debug, Clone)]
pub(super) enum Shape<'s> {
    /// One of these.
    Values(Vec<Value>),
    Numbers(Numbers),
    Texts(Texts),
    Lists(Lists<'s>),
    Objects(Objects<'s>),
}

/// An alternative.
#[derive(Debug, Clone)]
pub(super) struct Alternative<'s> {
    pub shape: Shape<'s>,
    /// Rules that hold besides, as texts.
    pub opaque: BTreeSet<String>,
}

/// Rules for values of any type, while they are gathered.
#[derive(Debug, Clone)]
struct Rules<'s> {
    types: u8,
    values: Option<Vec<Value>>,
    numbers: Numbers,
    texts: Texts,
    lists: Lists<'s>,
    objects: Objects<'s>,
    /// The types that each is about, and its text.
    opaque: BTreeSet<(u8, String)>,
}

/// The parts of one schema, each taken apart once.
pub(super) struct Space<'s> {
    root: &'s Value,
    /// Whether objects have only the members that their schemas name, unless these say what others are.
    is_closed: bool,
    /// What samples are made near to.
    pub near: Near,
    known: HashMap<Vec<usize>, Rc<Vec<Alternative<'s>>>>,
}

fn address(schema: &Value) -> usize {
    std::ptr::from_ref(schema) as usize
}

/// The name of a node.
pub(super) fn key(node: &Node<'_>) -> Vec<usize> {
    node.iter().map(|schema| address(schema)).collect()
}

impl<'s> Space<'s> {
    pub(super) fn new(root: &'s Value) -> Space<'s> {
        Space {
            root,
            is_closed: false,
            near: Near::default(),
            known: HashMap::new(),
        }
    }

    /// The same, where objects have only the members that their schemas name.
    pub(super) fn closed(root: &'s Value) -> Space<'s> {
        Space {
            is_closed: true,
            ..Space::new(root)
        }
    }

    /// The node in which all of these hold.
    pub(super) fn node(&self, schemas: &[&'s Value]) -> Node<'s> {
        let mut list = schemas.to_vec();
        list.sort_by_key(|schema| address(schema));
        list.dedup_by_key(|schema| address(schema));
        Rc::new(list)
    }

    /// The alternatives of a node.
    pub(super) fn alternatives(&mut self, node: &Node<'s>) -> Rc<Vec<Alternative<'s>>> {
        let key = key(node);
        if let Some(known) = self.known.get(&key) {
            return Rc::clone(known);
        }
        let mut gathered = Vec::new();
        let mut expand = Expand {
            root: self.root,
            out: &mut gathered,
            steps: 0,
            is_too_much: false,
        };
        expand.all(Rules::any(), node.to_vec(), Vec::new());
        let alternatives = match expand.is_too_much {
            true => vec![Rules::whole(self.root, node)],
            false => gathered,
        };
        let mut alternatives: Vec<Alternative<'s>> =
            alternatives.into_iter().flat_map(Rules::split).collect();
        if self.is_closed {
            alternatives.iter_mut().for_each(close);
        }
        let alternatives = Rc::new(alternatives);
        self.known.insert(key, Rc::clone(&alternatives));
        alternatives
    }
}

/// Leaves an object the members that any of its schemas names.
fn close(alternative: &mut Alternative<'_>) {
    static NONE: Value = Value::Bool(false);
    let Shape::Objects(objects) = &mut alternative.shape else {
        return;
    };
    let names_some = objects.layers.iter().any(|(known, _)| known.is_some());
    let is_open = objects.layers.iter().all(|(_, others)| others.is_none());
    if names_some && is_open {
        objects.others_are_none = Some(&NONE);
    }
}

/// Takes a node apart.
struct Expand<'s, 'o> {
    root: &'s Value,
    out: &'o mut Vec<Rules<'s>>,
    steps: usize,
    is_too_much: bool,
}

impl<'s> Expand<'s, '_> {
    /// Adds the rules of all schemas in `left`. `seen` are the references that led here.
    fn all(&mut self, mut rules: Rules<'s>, mut left: Vec<&'s Value>, mut seen: Vec<usize>) {
        while let Some(schema) = left.pop() {
            let members = match schema {
                Value::Bool(true) => continue,
                Value::Object(members) => members,
                _ => return,
            };
            self.steps += 1;
            if seen.len() > MOST || self.steps > MOST_STEPS {
                self.is_too_much = true;
                return;
            }
            rules.add(self.root, schema, members);
            if let Some(Value::String(to)) = members.get("$ref") {
                match target(self.root, to) {
                    // A reference to itself says nothing.
                    Some(target) if seen.contains(&address(target)) => {}
                    Some(target) => {
                        seen.push(address(target));
                        left.push(target);
                    }
                    None => rules.keep(ALL, format!("$ref {to}")),
                }
            }
            if let Some(Value::Array(all)) = members.get("allOf") {
                left.extend(all);
            }
            for choice in ["anyOf", "oneOf"] {
                let Some(Value::Array(branches)) = members.get(choice) else {
                    continue;
                };
                let is_exclusive = choice == "oneOf" && branches.len() > 1;
                if is_exclusive && !are_apart(self.root, branches) {
                    rules.keep(ALL, format!("oneOf {}", self.text(branches)));
                }
                // The second choice of the same schema stays to be made in each branch of the first.
                let mut rest = left.clone();
                if choice == "anyOf" && members.contains_key("oneOf") {
                    rules.keep(ALL, format!("both {}", text_of(self.root, schema)));
                }
                for branch in branches {
                    if self.out.len() > MOST {
                        self.is_too_much = true;
                        return;
                    }
                    rest.push(branch);
                    self.all(rules.clone(), rest.clone(), seen.clone());
                    rest.pop();
                }
                return;
            }
        }
        self.out.push(rules);
    }

    fn text(&self, branches: &'s [Value]) -> String {
        let mut texts: Vec<String> = branches
            .iter()
            .map(|branch| text_of(self.root, branch))
            .collect();
        texts.sort();
        texts.join(" ")
    }
}

fn text_of(root: &Value, schema: &Value) -> String {
    canonical(Part { root, schema })
}

/// Whether no value fits two of the branches, as far as types and fixed values show.
fn are_apart(root: &Value, branches: &[Value]) -> bool {
    let marks: Vec<Option<Marks>> = branches
        .iter()
        .map(|branch| Marks::of(root, branch, 0))
        .collect();
    let pairs = marks.iter().enumerate();
    pairs.into_iter().all(|(i, one)| {
        marks[i + 1..].iter().all(|other| match (one, other) {
            (Some(one), Some(other)) => one.is_apart(other),
            _ => false,
        })
    })
}

/// What tells a branch from others.
#[derive(Default)]
struct Marks {
    /// The types; all when it names none.
    types: u8,
    values: Option<Vec<String>>,
    /// The fixed values of required members.
    members: HashMap<String, Vec<String>>,
}

impl Marks {
    fn of(root: &Value, branch: &Value, depth: usize) -> Option<Marks> {
        let members = branch.as_object()?;
        if let Some(Value::String(to)) = members.get("$ref") {
            return (depth < 8)
                .then(|| Marks::of(root, target(root, to)?, depth + 1))
                .flatten();
        }
        let values = fixed(members);
        let types = match (types_of(members), &values) {
            (Some((types, _)), _) => types,
            (None, Some(values)) => values.iter().fold(0, |all, value| all | type_of(value)),
            (None, None) => ALL,
        };
        let mut marks = Marks {
            types,
            values: values.map(|values| values.iter().map(Value::to_string).collect()),
            ..Marks::default()
        };
        let required = members.get("required").and_then(Value::as_array);
        for name in required.into_iter().flatten().filter_map(Value::as_str) {
            let schema = members.get("properties").and_then(|all| all.get(name));
            if let Some(values) = schema.and_then(Value::as_object).and_then(fixed) {
                let values = values.iter().map(Value::to_string).collect();
                marks.members.insert(name.to_owned(), values);
            }
        }
        Some(marks)
    }

    fn is_apart(&self, other: &Marks) -> bool {
        let differ = |one: &[String], other: &[String]| !one.iter().any(|v| other.contains(v));
        if self.types & other.types == 0 {
            return true;
        }
        if let (Some(one), Some(other)) = (&self.values, &other.values) {
            return differ(one, other);
        }
        // Values of another type need not have the members.
        self.types & other.types == OBJECT
            && self.members.iter().any(|(name, values)| {
                let same = other.members.get(name);
                same.is_some_and(|same| differ(values, same))
            })
    }
}

/// The fixed values of `enum` or `const`, in the order of neither.
fn fixed(members: &Map<String, Value>) -> Option<Vec<Value>> {
    let one = members.get("const").map(|value| vec![sorted(value)]);
    let several = members.get("enum").and_then(Value::as_array);
    let several = several.map(|values| values.iter().map(sorted).collect::<Vec<Value>>());
    match (one, several) {
        (Some(one), Some(several)) => {
            Some(one.into_iter().filter(|v| several.contains(v)).collect())
        }
        (one, several) => one.or(several),
    }
}

/// The types that a schema names, and whether numbers among them are integers.
fn types_of(members: &Map<String, Value>) -> Option<(u8, bool)> {
    let names: Vec<&str> = match members.get("type")? {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    let bit = |name: &&str| match *name {
        "null" => NULL,
        "boolean" => BOOLEAN,
        "number" | "integer" => NUMBER,
        "string" => TEXT,
        "array" => LIST,
        "object" => OBJECT,
        _ => 0,
    };
    let is_integer = names.contains(&"integer") && !names.contains(&"number");
    Some((
        names.iter().map(bit).fold(0, |all, one| all | one),
        is_integer,
    ))
}

pub(super) fn type_of(value: &Value) -> u8 {
    match value {
        Value::Null => NULL,
        Value::Bool(_) => BOOLEAN,
        Value::Number(_) => NUMBER,
        Value::String(_) => TEXT,
        Value::Array(_) => LIST,
        Value::Object(_) => OBJECT,
    }
}

impl<'s> Rules<'s> {
    fn any() -> Rules<'s> {
        Rules {
            types: ALL,
            values: None,
            numbers: Numbers::default(),
            texts: Texts::default(),
            lists: Lists::default(),
            objects: Objects::default(),
            opaque: BTreeSet::new(),
        }
    }

    /// A node that is not taken apart.
    fn whole(root: &Value, node: &Node<'_>) -> Rules<'s> {
        let mut rules = Rules::any();
        for schema in node.iter() {
            rules.keep(ALL, text_of(root, schema));
        }
        rules
    }

    /// Notes a rule about values of these types that is not taken apart.
    fn keep(&mut self, types: u8, text: String) {
        self.opaque.insert((types, text));
    }

    /// Adds the rules of one schema, except those of `$ref`, `allOf`, `anyOf` and `oneOf`.
    fn add(&mut self, root: &'s Value, schema: &'s Value, members: &'s Map<String, Value>) {
        if let Some((types, is_integer)) = types_of(members) {
            self.types &= types;
            self.numbers.integer |= is_integer;
        }
        if let Some(values) = fixed(members) {
            self.values = Some(match self.values.take() {
                Some(known) => known.into_iter().filter(|v| values.contains(v)).collect(),
                None => values,
            });
        }
        self.add_numbers(members);
        self.add_texts(members);
        self.add_lists(members);
        self.add_objects(root, members);
        self.add_others(root, schema, members);
    }

    fn add_numbers(&mut self, members: &'s Map<String, Value>) {
        for name in [
            "minimum",
            "exclusiveMinimum",
            "maximum",
            "exclusiveMaximum",
            "multipleOf",
        ] {
            // A float cannot hold it, so that it is only compared with itself.
            if let Some(limit) = members.get(name)
                && limit.as_f64().is_some_and(|limit| limit.abs() >= EXACT)
            {
                self.keep(NUMBER, format!("{name} {limit}"));
            }
        }
        let number = |name: &str| {
            let limit = members.get(name).and_then(Value::as_f64);
            limit.filter(|limit| limit.abs() < EXACT)
        };
        for (name, is_excluded) in [("minimum", false), ("exclusiveMinimum", true)] {
            if let Some(limit) = number(name) {
                let limit = (limit, is_excluded);
                let is_tighter =
                    |old: (f64, bool)| limit.0 > old.0 || (limit.0 == old.0 && limit.1);
                if self.numbers.least.is_none_or(is_tighter) {
                    self.numbers.least = Some(limit);
                }
            }
        }
        for (name, is_excluded) in [("maximum", false), ("exclusiveMaximum", true)] {
            if let Some(limit) = number(name) {
                let limit = (limit, is_excluded);
                let is_tighter =
                    |old: (f64, bool)| limit.0 < old.0 || (limit.0 == old.0 && limit.1);
                if self.numbers.most.is_none_or(is_tighter) {
                    self.numbers.most = Some(limit);
                }
            }
        }
        if let Some(step) = number("multipleOf").filter(|step| *step > 0.0) {
            self.numbers.steps.push(step);
        }
    }

    fn add_texts(&mut self, members: &'s Map<String, Value>) {
        let number = |name: &str| count(members, name);
        self.texts.least = self.texts.least.max(number("minLength").unwrap_or(0));
        self.texts.most = lesser(self.texts.most, number("maxLength"));
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        let says_nothing = |pattern: &&str| matches!(*pattern, "" | "^" | "$" | ".*");
        if let Some(pattern) = text("pattern").filter(|pattern| !says_nothing(pattern)) {
            self.texts.patterns.insert(pattern.to_owned());
        }
        // A format that is not known is not checked.
        if let Some(format) = text("format").filter(|f| crate::params::FORMATS.contains(f)) {
            self.texts.formats.insert(format.to_owned());
        }
    }

    fn add_lists(&mut self, members: &'s Map<String, Value>) {
        let number = |name: &str| count(members, name);
        self.lists.least = self.lists.least.max(number("minItems").unwrap_or(0));
        self.lists.most = lesser(self.lists.most, number("maxItems"));
        self.lists.unique |= members.get("uniqueItems") == Some(&Value::Bool(true));
        let first = members.get("prefixItems").and_then(Value::as_array);
        let others = members.get("items");
        if first.is_some() || others.is_some() {
            let first = first.map_or(&[][..], Vec::as_slice);
            self.lists.layers.push((first, others));
        }
    }

    fn add_objects(&mut self, root: &'s Value, members: &'s Map<String, Value>) {
        let number = |name: &str| count(members, name);
        self.objects.least = self.objects.least.max(number("minProperties").unwrap_or(0));
        self.objects.most = lesser(self.objects.most, number("maxProperties"));
        let required = members.get("required").and_then(Value::as_array);
        let required = required.into_iter().flatten().filter_map(Value::as_str);
        self.objects.required.extend(required);
        let known = members.get("properties").and_then(Value::as_object);
        let mut others = members.get("additionalProperties");
        if let Some(patterns) = members.get("patternProperties") {
            // Which members are additional depends on the patterns.
            let names: Vec<&String> = known.iter().flat_map(|known| known.keys()).collect();
            let mut text = format!("patternProperties {}", text_of(root, patterns));
            if let Some(others) = others.take() {
                text.push_str(&format!(" {names:?} {}", text_of(root, others)));
            }
            self.keep(OBJECT, text);
        }
        if known.is_some() || others.is_some() {
            self.objects.layers.push((known, others));
        }
    }

    fn add_others(&mut self, root: &'s Value, schema: &'s Value, members: &'s Map<String, Value>) {
        const ABOUT: [(&str, u8); 6] = [
            ("contains", LIST),
            ("unevaluatedItems", LIST),
            ("dependentRequired", OBJECT),
            ("dependentSchemas", OBJECT),
            ("propertyNames", OBJECT),
            ("unevaluatedProperties", OBJECT),
        ];
        for (name, types) in ABOUT {
            let Some(rule) = members.get(name) else {
                continue;
            };
            if rule == &Value::Bool(true) || rule.as_object().is_some_and(Map::is_empty) {
                if name == "contains" {
                    self.keep(types, text_of(root, schema));
                }
                continue;
            }
            let text = match name {
                // They depend on what stands beside them.
                "contains" | "unevaluatedItems" | "unevaluatedProperties" => text_of(root, schema),
                _ => format!("{name} {}", text_of(root, rule)),
            };
            self.keep(types, text);
        }
        if let Some(rule) = members.get("not") {
            match rule.as_object().and_then(only_types) {
                Some(types) => self.types &= !types,
                None => self.keep(ALL, format!("not {}", text_of(root, rule))),
            }
        }
        if members.contains_key("if")
            && (members.contains_key("then") || members.contains_key("else"))
        {
            let part = |name: &str| members.get(name).map(|rule| text_of(root, rule));
            let text = format!("if {:?} {:?} {:?}", part("if"), part("then"), part("else"));
            self.keep(ALL, text);
        }
        if let Some(to) = members.get("$dynamicRef") {
            self.keep(ALL, format!("$dynamicRef {to}"));
        }
    }

    /// The alternatives of one type each.
    fn split(self) -> Vec<Alternative<'s>> {
        let opaque = |types: u8| -> BTreeSet<String> {
            let about = self.opaque.iter().filter(|(about, _)| about & types != 0);
            about.map(|(_, text)| text.clone()).collect()
        };
        if let Some(values) = &self.values {
            let is_of = |value: &&Value| type_of(value) & self.types != 0;
            let kept: Vec<Value> = values.iter().filter(is_of).cloned().collect();
            return self.split_values(kept);
        }
        let mut alternatives = Vec::new();
        let mut add = |types: u8, shape: Shape<'s>| {
            if self.types & types != 0 {
                let opaque = opaque(types);
                alternatives.push(Alternative { shape, opaque });
            }
        };
        add(NULL, Shape::Values(vec![Value::Null]));
        add(BOOLEAN, Shape::Values(vec![false.into(), true.into()]));
        add(NUMBER, Shape::Numbers(self.numbers.settled()));
        add(TEXT, Shape::Texts(self.texts.clone()));
        add(LIST, Shape::Lists(self.lists.clone()));
        add(OBJECT, Shape::Objects(self.objects.clone()));
        alternatives
    }

    /// Fixed values, for which the other rules hold too: these are kept as a shape of their own beside each value.
    fn split_values(self, values: Vec<Value>) -> Vec<Alternative<'s>> {
        let mut alternatives = Vec::new();
        for value in values {
            let types = type_of(&value);
            let opaque: BTreeSet<String> = self
                .opaque
                .iter()
                .filter(|(about, _)| about & types != 0)
                .map(|(_, text)| text.clone())
                .collect();
            let fits = match &value {
                Value::Number(_) => self.numbers.settled().fits(&value),
                Value::String(text) => self.texts.fits(text),
                // What is inside them is not looked at: such values are rare, and a rule beside them rarer.
                Value::Array(_) if !self.lists.layers.is_empty() || self.lists.least > 0 => None,
                Value::Object(_) if !self.objects.layers.is_empty() => None,
                _ => Some(true),
            };
            let mut opaque = opaque;
            match fits {
                Some(false) => continue,
                Some(true) => {}
                None => drop(opaque.insert(format!("rules beside the value {value}"))),
            }
            let shape = Shape::Values(vec![value]);
            alternatives.push(Alternative { shape, opaque });
        }
        alternatives
    }
}

/// The types of a schema that has no other rule.
fn only_types(members: &Map<String, Value>) -> Option<u8> {
    let (types, is_integer) = types_of(members)?;
    (members.len() == 1 && !is_integer).then_some(types)
}

fn count(members: &Map<String, Value>, name: &str) -> Option<u64> {
    let value = members.get(name)?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is whole and not negative"
    )]
    value.as_u64().or_else(|| {
        let float = value.as_f64()?;
        (float.fract() == 0.0 && (0.0..9e15).contains(&float)).then_some(float as u64)
    })
}

fn lesser(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

impl Numbers {
    /// The limits of integers as integers.
    pub(super) fn settled(&self) -> Numbers {
        let mut own = self.clone();
        own.integer |= own.steps.iter().any(|step| step.fract() == 0.0);
        if !own.integer {
            return own;
        }
        own.least = own.least.map(|(limit, is_excluded)| {
            let up = limit.ceil();
            let next = is_excluded && up == limit;
            (if next { up + 1.0 } else { up }, false)
        });
        own.most = own.most.map(|(limit, is_excluded)| {
            let down = limit.floor();
            let before = is_excluded && down == limit;
            (if before { down - 1.0 } else { down }, false)
        });
        own.steps.retain(|step| *step != 1.0);
        own
    }

    pub(super) fn is_empty(&self) -> bool {
        match (self.least, self.most) {
            (Some((least, out)), Some((most, also_out))) => {
                least > most || (least == most && (out || also_out))
            }
            _ => false,
        }
    }

    /// Whether a number fits; `None` where floats cannot tell.
    pub(super) fn fits(&self, value: &Value) -> Option<bool> {
        let number = value.as_f64().filter(|number| number.abs() < EXACT)?;
        let is_above = |(limit, out): (f64, bool)| number > limit || (number == limit && !out);
        let is_below = |(limit, out): (f64, bool)| number < limit || (number == limit && !out);
        if (self.integer && number.fract() != 0.0)
            || !self.least.is_none_or(is_above)
            || !self.most.is_none_or(is_below)
        {
            return Some(false);
        }
        let is_whole = |step: &f64| step.fract() == 0.0 && number.fract() == 0.0;
        let steps = self.steps.iter();
        match steps.clone().all(|step| is_whole(step) || number == 0.0) {
            true => Some(steps.clone().all(|step| number % step == 0.0)),
            false => None,
        }
    }
}

impl Texts {
    /// Whether a text fits; `None` where that cannot be told.
    pub(super) fn fits(&self, text: &str) -> Option<bool> {
        let length = text.chars().count() as u64;
        if length < self.least || self.most.is_some_and(|most| length > most) {
            return Some(false);
        }
        let mut is_known = true;
        for pattern in &self.patterns {
            let schema = serde_json::json!({ "pattern": pattern });
            match crate::params::compile(&schema) {
                Ok(pattern) if !pattern.is_valid(&text.into()) => return Some(false),
                Ok(_) => {}
                Err(_) => is_known = false,
            }
        }
        for format in &self.formats {
            let schema = serde_json::json!({ "format": format });
            match crate::params::compile(&schema) {
                Ok(format) if !format.is_valid(&text.into()) => return Some(false),
                Ok(_) => {}
                Err(_) => is_known = false,
            }
        }
        is_known.then_some(true)
    }
}

impl<'s> Lists<'s> {
    /// The schemas of the item at a place.
    pub(super) fn item(&self, at: usize) -> Vec<&'s Value> {
        let layers = self.layers.iter();
        layers
            .filter_map(|(first, others)| first.get(at).or(*others))
            .collect()
    }

    /// How many items have schemas of their own.
    pub(super) fn first(&self) -> usize {
        let lengths = self.layers.iter().map(|(first, _)| first.len());
        lengths.max().unwrap_or(0)
    }
}

impl<'s> Objects<'s> {
    /// The schemas of the member of this name.
    pub(super) fn member(&self, name: &str) -> Vec<&'s Value> {
        let is_named = |known: &Map<String, Value>| known.contains_key(name);
        let is_known = self
            .layers
            .iter()
            .any(|(known, _)| known.is_some_and(is_named));
        let layers = self.layers.iter();
        layers
            .filter_map(|(known, others)| known.and_then(|known| known.get(name)).or(*others))
            .chain(
                self.others_are_none
                    .filter(|_| !is_known)
                    .map(|none| none as &'s Value),
            )
            .collect()
    }

    /// The schemas of all members without a schema of their own.
    pub(super) fn others(&self) -> Vec<&'s Value> {
        let layers = self.layers.iter();
        let none = self.others_are_none.map(|none| none as &'s Value);
        layers
            .filter_map(|(_, others)| *others)
            .chain(none)
            .collect()
    }

    /// The names of members with a schema of their own, and of those that are required.
    pub(super) fn names(&self) -> BTreeSet<&'s str> {
        let known = self.layers.iter().filter_map(|(known, _)| *known);
        let known = known.flat_map(|known| known.keys().map(String::as_str));
        known.chain(self.required.iter().copied()).collect()
    }
}
