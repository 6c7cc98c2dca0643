//! Outputs in two versions: what callers get.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::change::{Class, Classes};
use super::params::sentence;
use super::record::Record;
use super::schema::{self, Answer, Part, facts};
use super::written::{mentions, same, told, told_apart};
use crate::format::ExampleResponse;
use crate::json::Json;
use crate::project::ResponseView;
use crate::source::{Code, join};
use crate::template::Bound;
use crate::tool::Tool;

/// Notes how the outputs differ.
pub(super) fn compare(old: &Tool, new: &Tool, record: &mut Record) {
    let mut output = Outputs {
        old,
        new,
        told: BTreeSet::new(),
        unsure: Vec::new(),
    };
    output.compare_kinds(record);
    output.compare_projections(record);
    output.compare_schemas(record);
    compare_rows(record);
}

struct Outputs<'t> {
    old: &'t Tool,
    new: &'t Tool,
    /// The parts of the output whose change is noted.
    told: BTreeSet<String>,
    unsure: Vec<Unsure>,
}

/// A part that is written differently. Only outputs show whether it differs.
struct Unsure {
    /// The steps to it; `[]` stands for all items of a list.
    path: Vec<String>,
    at: String,
    old: Value,
    new: Value,
}

fn name_of(path: &[String]) -> String {
    path.join(".").replace(".[]", "[]")
}

/// What a node of a projection is.
#[derive(PartialEq, Eq)]
enum Node<'v> {
    Map(&'v Map<String, Value>),
    Each(&'v Map<String, Value>),
    Zip(&'v Map<String, Value>),
    Leaf,
}

fn node(value: &Value) -> Node<'_> {
    match value {
        Value::Object(members) if members.contains_key("each") && members.contains_key("as") => {
            Node::Each(members)
        }
        Value::Object(members) => match members.get("zip") {
            Some(Value::Object(_)) => Node::Zip(members),
            _ if members.len() == 1 && members.contains_key("literal") => Node::Leaf,
            _ => Node::Map(members),
        },
        _ => Node::Leaf,
    }
}

impl Outputs<'_> {
    /// The kind of the response, and how it is read.
    fn compare_kinds(&mut self, record: &mut Record) {
        let (before, now) = (self.old.rules.kind, self.new.rules.kind);
        if before != now {
            let message = format!(
                "the response is read as {}, and was read as {}",
                now.name(),
                before.name()
            );
            let classes = Classes::callers(Class::Breaking);
            record.at(
                Code::OutputChanged,
                classes,
                "/response/kind",
                "kind",
                message,
            );
        }
        for key in ["lists", "event_data"] {
            let at = join("/response", key);
            let (before, now) = record.both(&at);
            if !same(before, now) {
                let message = format!("`{key}` was {} and is {}", told(before), told(now));
                let classes = Classes::callers(Class::Breaking);
                record.at(Code::OutputChanged, classes, &at, key, message);
            }
        }
    }

    fn compare_projections(&mut self, record: &mut Record) {
        const AT: &str = "/response/output";
        let (before, now) = record.both(AT);
        let (before, now) = (before.cloned(), now.cloned());
        let changed = changed_bindings(record);
        if same(before.as_ref(), now.as_ref()) && changed.is_empty() {
            return;
        }
        let whole = Value::from("$");
        let (before, now) = (
            before.unwrap_or_else(|| whole.clone()),
            now.unwrap_or_else(|| whole.clone()),
        );
        self.walk(&before, &now, AT, &mut Vec::new(), &changed, record);
        self.settle(record);
    }

    fn walk(
        &mut self,
        old: &Value,
        new: &Value,
        at: &str,
        path: &mut Vec<String>,
        changed: &[String],
        record: &mut Record,
    ) {
        let is_alike = same(Some(old), Some(new));
        let reads_changed = || changed.iter().any(|name| mentions(new, name));
        if is_alike && !reads_changed() {
            return;
        }
        match (node(old), node(new)) {
            (Node::Map(one), Node::Map(other)) => {
                self.walk_members(one, other, at, path, changed, record);
            }
            (Node::Each(one), Node::Each(other)) => {
                if !same(one.get("each"), other.get("each")) {
                    self.doubt(path, &join(at, "each"), &one["each"], &other["each"]);
                }
                path.push("[]".to_owned());
                self.walk(
                    &one["as"],
                    &other["as"],
                    &join(at, "as"),
                    path,
                    changed,
                    record,
                );
                path.pop();
            }
            (Node::Zip(one), Node::Zip(other)) => {
                self.walk_zips(one, other, at, path, changed, record);
            }
            _ => self.doubt(path, at, old, new),
        }
    }

    fn walk_members(
        &mut self,
        old: &Map<String, Value>,
        new: &Map<String, Value>,
        at: &str,
        path: &mut Vec<String>,
        changed: &[String],
        record: &mut Record,
    ) {
        for (key, member) in old {
            path.push(key.clone());
            let inside = join(at, key);
            match new.get(key) {
                Some(now) => self.walk(member, now, &inside, path, changed, record),
                None => {
                    let keys = new.keys().filter(|key| !old.contains_key(*key));
                    let guess = keys
                        .clone()
                        .find(|key| same(new.get(*key), Some(member)))
                        .map(|key| format!("; it is probably called `{key}` now (a guess)"));
                    self.gone(path, &inside, guess.unwrap_or_default(), record);
                }
            }
            path.pop();
        }
        for key in new.keys().filter(|key| !old.contains_key(*key)) {
            path.push(key.clone());
            self.added(path, &join(at, key), record);
            path.pop();
        }
    }

    fn walk_zips(
        &mut self,
        old: &Map<String, Value>,
        new: &Map<String, Value>,
        at: &str,
        path: &mut Vec<String>,
        changed: &[String],
        record: &mut Record,
    ) {
        let others = |zip: &Map<String, Value>| {
            let mut zip = zip.clone();
            zip.shift_remove("zip");
            zip.shift_remove("as");
            Value::Object(zip)
        };
        if !same(Some(&others(old)), Some(&others(new))) {
            self.doubt(path, at, &others(old), &others(new));
        }
        path.push("[]".to_owned());
        match (old.get("as"), new.get("as")) {
            (Some(one), Some(other)) => {
                self.walk(one, other, &join(at, "as"), path, changed, record);
            }
            (None, None) => {
                let (Value::Object(one), Value::Object(other)) = (&old["zip"], &new["zip"]) else {
                    return;
                };
                self.walk_members(one, other, &join(at, "zip"), path, changed, record);
            }
            _ => {
                let (one, other) = (Value::Object(old.clone()), Value::Object(new.clone()));
                self.doubt(path, at, &one, &other);
            }
        }
        if !same(old.get("zip"), new.get("zip")) && old.contains_key("as") {
            self.doubt(path, &join(at, "zip"), &old["zip"], &new["zip"]);
        }
        path.pop();
    }

    fn gone(&mut self, path: &[String], at: &str, more: String, record: &mut Record) {
        let name = name_of(path);
        if self.told.insert(name.clone()) {
            let message = format!("`{name}` of the output is gone{more}");
            let classes = Classes::callers(Class::Breaking);
            record.old_at(Code::OutputGone, classes, at, name, message);
        }
    }

    fn added(&mut self, path: &[String], at: &str, record: &mut Record) {
        let name = name_of(path);
        if self.told.insert(name.clone()) {
            let message = format!("`{name}` of the output is new");
            let classes = Classes::callers(Class::Compatible);
            record.new_at(Code::OutputAdded, classes, at, name, message);
        }
    }

    fn doubt(&mut self, path: &[String], at: &str, old: &Value, new: &Value) {
        self.unsure.push(Unsure {
            path: path.to_vec(),
            at: at.to_owned(),
            old: old.clone(),
            new: new.clone(),
        });
    }

    /// Decides about the parts that are written differently by the outputs of examples.
    fn settle(&mut self, record: &mut Record) {
        if self.unsure.is_empty() {
            return;
        }
        let _bound = Bound::of_many();
        let outputs = outputs(self.old, self.new);
        for unsure in std::mem::take(&mut self.unsure) {
            let mut has_shown = false;
            let mut difference = None;
            for Made {
                old,
                new,
                is_example,
            } in &outputs
            {
                let (one, other) = (parts(old, &unsure.path), parts(new, &unsure.path));
                has_shown |= one.iter().any(|value| says_something(value));
                if difference.is_none() && !are_same(&one, &other) {
                    difference = Some((first_difference(&one, &other), is_example));
                }
            }
            let name = name_of(&unsure.path);
            let subject = match name.is_empty() {
                true => "the output".to_owned(),
                false => format!("`{name}` of the output"),
            };
            let message = match (difference, has_shown) {
                (Some(((one, other), true)), _) => format!(
                    "{subject} gives another value for the same response: {other} in place of {one}"
                ),
                (Some(((one, other), false)), _) => format!(
                    "{subject} gives another value for the same response, though not for those of the examples: {other} in place of {one}"
                ),
                (None, true) => continue,
                (None, false) => format!(
                    "{subject} was made of {}, and is made of {}; no example shows that they are the same",
                    told(Some(&unsure.old)),
                    told(Some(&unsure.new))
                ),
            };
            if self.told.insert(name.clone()) {
                let classes = Classes::callers(Class::Breaking);
                record.new_at(Code::OutputChanged, classes, &unsure.at, name, message);
            }
        }
    }

    fn compare_schemas(&mut self, record: &mut Record) {
        const AT: &str = "/response/schema";
        let empty = Value::Bool(true);
        let before = self.old.output_schema.as_ref();
        let now = self.new.output_schema.as_ref();
        if before == now {
            return;
        }
        match (before, now) {
            (Some(_), None) => {
                let classes = Classes::callers(Class::Breaking);
                let message = "the schema of the output is gone, so that nothing is known of it";
                record.old_at(Code::OutputChanged, classes, AT, "schema", message);
                return;
            }
            (None, Some(_)) => {
                let classes = Classes::callers(Class::Compatible);
                let message = "the output has a schema now";
                record.new_at(Code::OutputNarrowed, classes, AT, "schema", message);
                return;
            }
            _ => {}
        }
        let of = |schema: &'_ Value| schema.clone();
        let (before, now) = (before.map_or(empty.clone(), of), now.map_or(empty, of));
        let (old, new) = (
            Part {
                root: &before,
                schema: &before,
            },
            Part {
                root: &now,
                schema: &now,
            },
        );
        self.schemas(old, new, ("", ""), &mut Vec::new(), record);
    }

    /// Compares two schemas of a part of the output, member by member where both are plain objects or lists.
    fn schemas(
        &mut self,
        old: Part<'_>,
        new: Part<'_>,
        at: (&str, &str),
        path: &mut Vec<String>,
        record: &mut Record,
    ) {
        if schema::canonical(old) == schema::canonical(new) || path.len() > 16 {
            return;
        }
        let kind = |part: Part<'_>| {
            let kind = part.schema.get("type").and_then(Value::as_str);
            const CHOICES: [&str; 8] = [
                "$ref", "allOf", "anyOf", "oneOf", "if", "not", "enum", "const",
            ];
            let is_plain = !CHOICES.iter().any(|key| part.schema.get(*key).is_some());
            kind.filter(|_| is_plain).map(str::to_owned)
        };
        match (kind(old).as_deref(), kind(new).as_deref()) {
            (Some("object"), Some("object")) => self.members(old, new, at, path, record),
            (Some("array"), Some("array")) => {
                match (inner(old, &["items"]), inner(new, &["items"])) {
                    (Some(one), Some(other)) if have_equal_limits(old, new) => {
                        path.push("[]".to_owned());
                        let places = (join(at.0, "items"), join(at.1, "items"));
                        self.schemas(one, other, (&places.0, &places.1), path, record);
                        path.pop();
                    }
                    _ => self.whole(old, new, at, path, record),
                }
            }
            _ => self.whole(old, new, at, path, record),
        }
    }

    fn members(
        &mut self,
        old: Part<'_>,
        new: Part<'_>,
        at: (&str, &str),
        path: &mut Vec<String>,
        record: &mut Record,
    ) {
        const AT: &str = "/response/schema";
        let names = |part: Part<'_>| -> Vec<String> {
            let members = part.schema.get("properties").and_then(Value::as_object);
            members.into_iter().flat_map(Map::keys).cloned().collect()
        };
        let required = |part: Part<'_>, name: &str| {
            let list = part.schema.get("required").and_then(Value::as_array);
            list.is_some_and(|list| list.iter().any(|own| own == name))
        };
        let (before, now) = (names(old), names(new));
        for name in &before {
            let places = (
                join(&join(at.0, "properties"), name),
                join(&join(at.1, "properties"), name),
            );
            path.push(name.clone());
            if !now.contains(name) {
                self.gone(path, &format!("{AT}{}", places.0), String::new(), record);
                path.pop();
                continue;
            }
            let way = ["properties", name];
            if let (Some(one), Some(other)) = (inner(old, &way), inner(new, &way)) {
                self.schemas(one, other, (&places.0, &places.1), path, record);
            }
            let is_told = self.told.contains(&name_of(path));
            match (required(old, name), required(new, name)) {
                (true, false) if !is_told => {
                    let message = format!("`{}` of the output may be absent now", name_of(path));
                    let classes = Classes::callers(Class::Breaking);
                    let at = format!("{AT}{}", places.1);
                    record.new_at(Code::OutputGone, classes, &at, name_of(path), message);
                }
                (false, true) if !is_told => {
                    let message = format!("`{}` of the output is always there now", name_of(path));
                    let classes = Classes::callers(Class::Compatible);
                    let at = format!("{AT}{}", places.1);
                    record.new_at(Code::OutputNarrowed, classes, &at, name_of(path), message);
                }
                _ => {}
            }
            path.pop();
        }
        for name in now.iter().filter(|name| !before.contains(name)) {
            path.push(name.clone());
            let place = format!("{AT}{}", join(&join(at.1, "properties"), name));
            self.added(path, &place, record);
            path.pop();
        }
    }

    /// Compares two schemas as a whole.
    fn whole(
        &mut self,
        old: Part<'_>,
        new: Part<'_>,
        at: (&str, &str),
        path: &[String],
        record: &mut Record,
    ) {
        const AT: &str = "/response/schema";
        let relation = schema::compare(old, new);
        let name = name_of(path);
        if relation.is_equal() || self.told.contains(&name) {
            return;
        }
        let facts = facts(old, new, at);
        let subject = match name.is_empty() {
            true => "the output".to_owned(),
            false => format!("`{name}` of the output"),
        };
        let told = sentence(&facts);
        let (code, class, text) = match relation.new_in_old {
            Answer::Yes => (
                Code::OutputNarrowed,
                Class::Compatible,
                "has fewer values than before",
            ),
            Answer::No => (
                Code::OutputChanged,
                Class::Breaking,
                "may have values that it never had",
            ),
            Answer::Unknown => (
                Code::OutputChanged,
                Class::Breaking,
                "has other rules, and whether it may have new values cannot be told",
            ),
        };
        let fact = facts.iter().find(|fact| !fact.is_gone);
        let place = fact.map_or(at.1, |fact| fact.at.as_str());
        let place = format!("{AT}{place}");
        self.told.insert(name.clone());
        let message = format!("{subject} {text}{told}");
        record.new_at(code, Classes::callers(class), &place, name, message);
    }
}

/// Whether two schemas of lists differ in nothing but their items.
fn have_equal_limits(old: Part<'_>, new: Part<'_>) -> bool {
    let without = |part: Part<'_>| {
        let mut schema = part.schema.clone();
        if let Some(members) = schema.as_object_mut() {
            members.shift_remove("items");
        }
        let root = part.root;
        schema::canonical(Part {
            root,
            schema: &schema,
        })
    };
    without(old) == without(new)
}

/// A part of a schema, by its keys.
fn inner<'p>(part: Part<'p>, keys: &[&str]) -> Option<Part<'p>> {
    let mut schema = part.schema;
    for key in keys {
        schema = schema.get(*key)?;
    }
    Some(Part { schema, ..part })
}

/// The names of `response.let` whose values are made in another way.
fn changed_bindings(record: &Record) -> Vec<String> {
    const AT: &str = "/response/let";
    let (before, now) = record.both(AT);
    let names = |value: Option<&Value>| -> Vec<String> {
        let members = value.and_then(Value::as_object);
        members.into_iter().flat_map(Map::keys).cloned().collect()
    };
    let get = |value: Option<&Value>, name: &str| value.and_then(|all| all.get(name)).cloned();
    let mut changed: Vec<String> = names(now)
        .into_iter()
        .filter(|name| !same(get(before, name).as_ref(), get(now, name).as_ref()))
        .collect();
    // Bindings may use each other.
    for name in names(now) {
        let uses = |value: &Value| changed.iter().any(|other| mentions(value, other));
        if !changed.contains(&name) && get(now, &name).is_some_and(|value| uses(&value)) {
            changed.push(name);
        }
    }
    changed
}

/// What both versions make of the same response.
struct Made {
    old: Value,
    new: Value,
    /// Whether the response is that of an example, and not one that was made of it.
    is_example: bool,
}

/// The outputs that both versions make of the responses in the examples of both, and of some that were made of these: two ways to
/// a value may only happen to agree in an example.
fn outputs(old: &Tool, new: &Tool) -> Vec<Made> {
    let (mut shown, mut varied) = (Vec::new(), Vec::new());
    for tool in [old, new] {
        for example in &tool.examples {
            let arguments = Value::Object(example.args.clone());
            let arguments = tool.accept(arguments.clone()).unwrap_or(arguments);
            let created = example
                .created
                .as_ref()
                .map(|created| Json::of(&created.body));
            let pages = example.pages.iter().flatten().map(|page| &page.response);
            for response in example.response.iter().chain(pages) {
                let make = |body: &Value, is_example: bool| {
                    let of =
                        |tool: &Tool| output(tool, response, body, created.as_ref(), &arguments);
                    Some(Made {
                        old: of(old)?,
                        new: of(new)?,
                        is_example,
                    })
                };
                shown.extend(make(&response.body, true));
                let others = super::variants::of(&response.body);
                varied.extend(others.iter().filter_map(|body| make(body, false)));
            }
        }
    }
    shown.extend(varied);
    shown
}

/// The first values of two lists that differ, in words.
fn first_difference(one: &[&Value], other: &[&Value]) -> (String, String) {
    let mut pairs = one.iter().zip(other);
    match pairs.find(|(a, b)| !same(Some(a), Some(b))) {
        Some((a, b)) => told_apart(a, b),
        None => {
            let rest = |list: &[&Value], from: usize| told(list.get(from).copied());
            let from = one.len().min(other.len());
            (rest(one, from), rest(other, from))
        }
    }
}

fn output(
    tool: &Tool,
    response: &ExampleResponse,
    body: &Value,
    created: Option<&Json>,
    arguments: &Value,
) -> Option<Value> {
    if !(200..300).contains(&response.status) {
        return None;
    }
    let body = tool.with_entries(tool.rules.canned(body).ok()?);
    let headers: Vec<(String, String)> = response
        .headers
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
        .collect();
    let view = ResponseView::new(&body, response.status, &headers, arguments).of_job(created);
    tool.projection.run(&view).ok()?.value().ok()
}

/// The values that a way leads to.
fn parts<'v>(output: &'v Value, path: &[String]) -> Vec<&'v Value> {
    let mut found = vec![output];
    for step in path {
        found = found
            .into_iter()
            .flat_map(|value| match (step.as_str(), value) {
                ("[]", Value::Array(items)) => items.iter().collect(),
                (name, Value::Object(members)) => members.get(name).into_iter().collect(),
                _ => Vec::new(),
            })
            .collect();
    }
    found
}

fn are_same(one: &[&Value], other: &[&Value]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(a, b)| same(Some(a), Some(b)))
}

fn says_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => members.values().any(says_something),
        _ => true,
    }
}

fn compare_rows(record: &mut Record) {
    const AT: &str = "/response/rows";
    let (before, now) = record.both(AT);
    if before == now {
        return;
    }
    let (class, message) = match (before, now) {
        (None, now) => (
            Class::Compatible,
            format!("{} holds the rows now", told(now)),
        ),
        (before, None) => (
            Class::Breaking,
            format!("{} no longer holds the rows", told(before)),
        ),
        (before, now) => (
            Class::Breaking,
            format!(
                "the rows are in {}, and were in {}",
                told(now),
                told(before)
            ),
        ),
    };
    record.at(
        Code::RowsChanged,
        Classes::callers(class),
        AT,
        "rows",
        message,
    );
}
