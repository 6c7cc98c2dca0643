//! Requests in two versions: both render the same arguments, and the plans are compared.
//!
//! The arguments are those of the examples of both versions, and some that are made from the schemas. The base URL and the
//! credentials are compared with the services, so that a change there is told once.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use url::Url;

use super::schema::{Part, values_of};
use super::written::{mentions, same};
use crate::plan::{Plan, PlanView};
use crate::source::join;
use crate::template::{Bound, CallScope};
use crate::tool::Tool;

/// A place in a request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    Method,
    Path,
    Query(String),
    Header(String),
    /// A JSON Pointer into the body.
    Body(String),
    /// The request as a whole: only one version can make it from these arguments.
    Whole,
}

impl Place {
    /// A short name, such as `header x-version`.
    pub(super) fn name(&self) -> String {
        match self {
            Place::Method => "method".to_owned(),
            Place::Path => "path".to_owned(),
            Place::Query(name) => format!("query {name}"),
            Place::Header(name) => format!("header {name}"),
            Place::Body(at) => format!("body {at}").trim_end().to_owned(),
            Place::Whole => "request".to_owned(),
        }
    }
}

/// A difference between the requests that both versions make of the same arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    pub place: Place,
    pub old: Option<String>,
    pub new: Option<String>,
}

/// What is known about the requests of two versions.
pub(super) enum Requests {
    /// They cannot differ, because they are written alike.
    Same,
    /// They were rendered, and these are the differences.
    Compared(Vec<Difference>),
    /// They are written differently, and it cannot be told whether they differ.
    Unknown(String),
}

/// Compares the requests of two versions of a tool.
pub(super) fn compare(old: &Tool, new: &Tool) -> Requests {
    if are_written_alike(old, new) {
        return Requests::Same;
    }
    let _bound = Bound::of_many();
    let mut rendering = Rendering {
        old,
        new,
        settings: settings(old, new),
        found: BTreeMap::new(),
        given: BTreeSet::new(),
        count: 0,
    };
    for arguments in arguments(old, new) {
        rendering.try_with(arguments);
    }
    rendering.result()
}

fn request(tool: &Tool) -> Option<&Value> {
    tool.source.value().get("request")
}

/// Whether everything that a request is made of is written alike, but for the arguments.
fn are_written_alike(old: &Tool, new: &Tool) -> bool {
    const SHARED: [&str; 2] = ["headers", "query"];
    let (before, now) = (old.service.spec(), new.service.spec());
    let without_repeats = |tool: &Tool| {
        let mut request = request(tool)?.clone();
        let members = request.as_object_mut()?;
        members.shift_remove("idempotent");
        Some(request)
    };
    old.request.accept == new.request.accept
        && same(without_repeats(old).as_ref(), without_repeats(new).as_ref())
        && SHARED
            .iter()
            .all(|key| same(before.get(*key), now.get(*key)))
}

/// Settings for both: those that both have are equal, so that another default is not taken for another request.
fn settings(old: &Tool, new: &Tool) -> (Value, Value) {
    let value = |tool: &Tool, name: &str| {
        let setting = tool.service.settings().iter().find(|(own, _)| own == name);
        let (_, setting) = setting?;
        let given = setting.default.as_ref().or(setting.example.as_ref());
        given.map(Value::from)
    };
    let all = |tool: &Tool| -> Value {
        let names = tool.service.settings().iter().map(|(name, _)| name);
        let values = names.map(|name| {
            let value = value(old, name).or_else(|| value(new, name));
            (name.clone(), value.unwrap_or_else(|| "setting".into()))
        });
        Value::Object(values.collect())
    };
    (all(old), all(new))
}

/// Arguments to try. Those that a version does not accept are left out later.
fn arguments(old: &Tool, new: &Tool) -> Vec<Map<String, Value>> {
    const MOST_VALUES: usize = 3;
    let mut all: Vec<Map<String, Value>> = Vec::new();
    for tool in [old, new] {
        all.extend(tool.example_arguments().cloned());
    }
    // Params that only the old version has are left out where they may be.
    let lost = old
        .params
        .iter()
        .filter(|param| param.required && new.params.get(param.name).is_none());
    let all_params = lost
        .map(|param| (old, param))
        .chain(new.params.iter().map(|param| (new, param)));
    let mut values: Vec<(String, bool, Vec<Value>)> = all_params
        .map(|(tool, param)| {
            let root = tool.params.schema();
            let schema = param.schema;
            let mut values = values_of(Part { root, schema });
            // What authors show is more like what is sent.
            let shown = all.iter().filter_map(|arguments| arguments.get(param.name));
            let own: Vec<Value> = shown.cloned().collect();
            values.splice(0..0, own);
            values.truncate(MOST_VALUES * 4);
            (param.name.to_owned(), param.required, values)
        })
        .collect();
    share_with_renamed(old, new, &mut values);
    let with = |which: usize, takes: &dyn Fn(&str, bool) -> bool| -> Map<String, Value> {
        let taken = values
            .iter()
            .filter(|(name, required, _)| takes(name, *required));
        taken
            .filter_map(|(name, _, values)| {
                let value = values.get(which % values.len().max(1))?;
                Some((name.clone(), value.clone()))
            })
            .collect()
    };
    for which in 0..MOST_VALUES {
        all.push(with(which, &|_, required| required));
        all.push(with(which, &|name, required| {
            required || old.params.get(name).is_some()
        }));
    }
    // Params that exclude each other are tried alone.
    for (own, _, _) in &values {
        for which in 0..2 {
            all.push(with(which, &|name, required| required || name == own));
        }
    }
    all
}

/// Gives a required param that has another name now the values of the old one.
fn share_with_renamed(old: &Tool, new: &Tool, values: &mut [(String, bool, Vec<Value>)]) {
    let added = new.params.iter().map(|param| param.name);
    let added: Vec<&str> = added
        .filter(|name| old.params.get(name).is_none())
        .collect();
    let lost = old.params.iter().map(|param| param.name);
    for name in lost.filter(|name| new.params.get(name).is_none()) {
        let Some(now) = super::params::renamed(old, new, name, &added) else {
            continue;
        };
        let own = values.iter().find(|(own, _, _)| own == name);
        let own = own.map(|(_, _, values)| values.clone());
        if let (Some(own), Some(entry)) = (own, values.iter_mut().find(|(own, _, _)| own == now)) {
            entry.2 = own;
        }
    }
}

struct Rendering<'t> {
    old: &'t Tool,
    new: &'t Tool,
    settings: (Value, Value),
    found: BTreeMap<Place, Difference>,
    /// The params that had a value in arguments that both accept.
    given: BTreeSet<String>,
    count: usize,
}

impl Rendering<'_> {
    /// Renders arguments in both versions, if both accept them.
    fn try_with(&mut self, arguments: Map<String, Value>) {
        let (old, new) = (self.old, self.new);
        let known = |tool: &Tool, arguments: &Map<String, Value>| -> Map<String, Value> {
            let own = arguments
                .iter()
                .filter(|(name, _)| tool.params.get(name).is_some());
            own.map(|(name, value)| (name.clone(), value.clone()))
                .collect()
        };
        let before = known(old, &arguments);
        // What only the new version requires does not matter to the old one.
        let Ok(Value::Object(before)) = old.accept(Value::Object(before)) else {
            return;
        };
        let mut now = known(new, &before);
        for param in new.params.iter().filter(|param| param.required) {
            if let Some(value) = arguments.get(param.name) {
                now.entry(param.name.to_owned())
                    .or_insert_with(|| value.clone());
            }
        }
        let Ok(Value::Object(now)) = new.accept(Value::Object(now)) else {
            return;
        };
        self.count += 1;
        self.given.extend(
            now.keys()
                .filter(|name| before.contains_key(*name))
                .cloned(),
        );
        let lost: Vec<&String> = before
            .keys()
            .filter(|name| !now.contains_key(*name))
            .collect();
        let more: Vec<&String> = now
            .keys()
            .filter(|name| !before.contains_key(*name))
            .collect();
        let one = rendered(old, &Value::Object(before.clone()), &self.settings.0);
        let other = rendered(new, &Value::Object(now.clone()), &self.settings.1);
        let differences = match (one, other) {
            (Ok(one), Ok(other)) => {
                let mut found = differences(&one.view(), &other.view());
                // What moves between the base URL and the paths changes no request.
                let moved = |difference: &Difference| {
                    let before = whole_path(old, &self.settings.0, difference.old.as_deref());
                    let now = whole_path(new, &self.settings.1, difference.new.as_deref());
                    difference.place == Place::Path && before.is_some() && before == now
                };
                found.retain(|difference| !moved(difference));
                found
            }
            (Ok(_), Err(reason)) => vec![Difference {
                place: Place::Whole,
                old: None,
                new: Some(reason),
            }],
            // What was refused before, and runs now, breaks nothing.
            (Err(_), _) => Vec::new(),
        };
        for difference in differences {
            let is_of = |tool: &Tool, names: &[&String]| {
                let part = written(tool, &difference.place);
                names
                    .iter()
                    .any(|name| part.as_ref().is_some_and(|part| mentions(part, name)))
            };
            // Params that are gone or new are told as such.
            let is_told = match (&difference.old, &difference.new) {
                (None, Some(_)) => is_of(new, &more),
                (Some(_), None) => is_of(old, &lost),
                _ => false,
            };
            if !is_told {
                self.found
                    .entry(difference.place.clone())
                    .or_insert(difference);
            }
        }
    }

    fn result(self) -> Requests {
        if !self.found.is_empty() {
            return Requests::Compared(self.found.into_values().collect());
        }
        if self.count == 0 {
            return Requests::Unknown(
                "no arguments are known that both versions accept".to_owned(),
            );
        }
        let mut read: BTreeSet<String> = BTreeSet::new();
        for tool in [self.old, self.new] {
            tool.request.visit(&mut |expression, _| {
                read.extend(expression.dotted_names());
            });
        }
        let is_read = |name: &str| {
            let below = format!("params.{name}");
            read.iter()
                .any(|read| read == name || *read == below || read == "params")
        };
        let both = self
            .old
            .params
            .iter()
            .filter(|p| self.new.params.get(p.name).is_some());
        let untried: Vec<&str> = both
            .map(|param| param.name)
            .filter(|name| is_read(name) && !self.given.contains(*name))
            .collect();
        // Only what is written differently matters.
        let (before, now) = (request(self.old), request(self.new));
        let untried: Vec<&str> = untried
            .into_iter()
            .filter(|name| !are_alike_around(before, now, name))
            .collect();
        match untried.is_empty() {
            true => Requests::Compared(Vec::new()),
            false => Requests::Unknown(format!("no value is known for {}", untried.join(", "))),
        }
    }
}

/// Whether all parts of two requests that use a name are written alike.
fn are_alike_around(old: Option<&Value>, new: Option<&Value>, name: &str) -> bool {
    let parts = |value: Option<&Value>| {
        let mut parts = Vec::new();
        if let Some(value) = value {
            gather(value, String::new(), name, &mut parts);
        }
        parts
    };
    parts(old) == parts(new)
}

fn gather(value: &Value, at: String, name: &str, parts: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                gather(member, join(&at, key), name, parts);
            }
        }
        Value::Array(items) => {
            for item in items {
                gather(item, at.clone(), name, parts);
            }
        }
        other if mentions(other, name) => parts.push((at, super::written::settled(other))),
        _ => {}
    }
    parts.sort_by(|(one, a), (other, b)| (one, a.to_string()).cmp(&(other, b.to_string())));
}

/// The origin of all plans that are compared.
const ORIGIN: &str = "https://origin.invalid/";

fn rendered(tool: &Tool, arguments: &Value, settings: &Value) -> Result<Plan, String> {
    let base = Url::parse(ORIGIN).map_err(|error| error.to_string())?;
    let scope = CallScope {
        params: arguments,
        settings,
    };
    let common = (&tool.service.query, &tool.service.headers);
    let plan = tool.request.render(&base, common, &scope);
    plan.map_err(|error| error.to_string())
}

/// A path of a request with that of its base URL; nothing where that is not known.
fn whole_path(tool: &Tool, settings: &Value, path: Option<&str>) -> Option<String> {
    let base = tool.service.base.at(settings, None).ok()?;
    Some(format!("{}{}", base.path().trim_end_matches('/'), path?))
}

fn differences(old: &PlanView, new: &PlanView) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut add = |place: Place, old: Option<&str>, new: Option<&str>| {
        if old != new {
            found.push(Difference {
                place,
                old: old.map(str::to_owned),
                new: new.map(str::to_owned),
            });
        }
    };
    add(Place::Method, Some(&old.method), Some(&new.method));
    let split = |url: &str| -> (String, BTreeMap<String, String>) {
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        (path[ORIGIN.len() - 1..].to_owned(), by_name(query))
    };
    let ((old_path, old_query), (new_path, new_query)) = (split(&old.url), split(&new.url));
    add(Place::Path, Some(&old_path), Some(&new_path));
    for name in names(&old_query, &new_query) {
        let of = |query: &BTreeMap<String, String>| query.get(&name).cloned();
        let (one, other) = (of(&old_query), of(&new_query));
        add(Place::Query(name.clone()), one.as_deref(), other.as_deref());
    }
    let headers = |view: &PlanView| -> BTreeMap<String, String> {
        let headers = view.headers.iter().filter(|(name, _)| name != "user-agent");
        headers.cloned().collect()
    };
    let (old_headers, new_headers) = (headers(old), headers(new));
    for name in names(&old_headers, &new_headers) {
        let of = |headers: &BTreeMap<String, String>| headers.get(&name).cloned();
        let (one, other) = (of(&old_headers), of(&new_headers));
        add(
            Place::Header(name.clone()),
            one.as_deref(),
            other.as_deref(),
        );
    }
    let is_form = |headers: &BTreeMap<String, String>| {
        let kind = headers.get("content-type");
        kind.is_some_and(|kind| kind.contains("x-www-form-urlencoded"))
    };
    match (&old.body, &new.body) {
        // The order of fields with different names does not matter.
        (Value::String(one), Value::String(other))
            if is_form(&old_headers) && is_form(&new_headers) =>
        {
            let (one, other) = (by_name(one.as_str()), by_name(other.as_str()));
            for name in names(&one, &other) {
                let place = Place::Body(join("", &decoded(&name)));
                add(
                    place,
                    one.get(&name).map(String::as_str),
                    other.get(&name).map(String::as_str),
                );
            }
        }
        (one, other) => {
            let mut inside = Vec::new();
            in_body(one, other, String::new(), &mut inside);
            let inside = inside.into_iter().map(|(at, old, new)| Difference {
                place: Place::Body(at),
                old,
                new,
            });
            found.extend(inside);
        }
    }
    found
}

fn decoded(name: &str) -> String {
    let name = percent_encoding::percent_decode_str(name).decode_utf8_lossy();
    // A field of a tree belongs to the tree's name.
    name.split('[').next().unwrap_or_default().to_owned()
}

/// The parameters of a query or a form: those of one name together, in their order.
fn by_name(text: &str) -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let all = found.entry(name.to_owned()).or_default();
        if !all.is_empty() {
            all.push('&');
        }
        all.push('=');
        all.push_str(value);
    }
    found
}

fn names(one: &BTreeMap<String, String>, other: &BTreeMap<String, String>) -> BTreeSet<String> {
    one.keys().chain(other.keys()).cloned().collect()
}

type InBody = (String, Option<String>, Option<String>);

fn in_body(old: &Value, new: &Value, at: String, found: &mut Vec<InBody>) {
    let told = |value: &Value| Some(super::written::told(Some(value)));
    match (old, new) {
        (old, new) if same(Some(old), Some(new)) => {}
        (Value::Object(one), Value::Object(other)) => {
            for (key, member) in one {
                match other.get(key) {
                    Some(now) => in_body(member, now, join(&at, key), found),
                    None => found.push((join(&at, key), told(member), None)),
                }
            }
            for (key, member) in other.iter().filter(|(key, _)| !one.contains_key(*key)) {
                found.push((join(&at, key), None, told(member)));
            }
        }
        (Value::Null, new) => found.push((at, None, told(new))),
        (old, Value::Null) => found.push((at, told(old), None)),
        (old, new) => {
            let (old, new) = super::written::told_apart(old, new);
            found.push((at, Some(old), Some(new)));
        }
    }
}

/// Where a part of a request is described: in the tool, or in its service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Home {
    Tool(String),
    Service(String),
}

/// The home of a place of a request; `None` where the descriptor does not name it.
pub(super) fn home(tool: &Tool, place: &Place) -> Option<Home> {
    let own = tool.source.value();
    let service = tool.service.spec();
    match place {
        Place::Method => Some(Home::Tool("/request/method".to_owned())),
        Place::Path => Some(Home::Tool("/request/path".to_owned())),
        Place::Whole => Some(Home::Tool("/request".to_owned())),
        Place::Query(name) => {
            let name = percent_encoding::percent_decode_str(name).decode_utf8_lossy();
            let at = in_query(own.pointer("/request/query"), "/request/query", &name);
            let shared = || in_query(service.get("query"), "/query", &name);
            at.map(Home::Tool).or_else(|| shared().map(Home::Service))
        }
        Place::Header(name) => {
            let find = |headers: Option<&Value>| {
                let headers = headers.and_then(Value::as_object)?;
                headers
                    .keys()
                    .find(|key| key.eq_ignore_ascii_case(name))
                    .cloned()
            };
            let at = find(own.pointer("/request/headers"));
            let at = at.map(|key| Home::Tool(join("/request/headers", &key)));
            let shared =
                || find(service.get("headers")).map(|key| Home::Service(join("/headers", &key)));
            at.or_else(shared).or(match name.as_str() {
                "content-type" => Some(Home::Tool("/request/body".to_owned())),
                "accept" => Some(Home::Tool("/response/kind".to_owned())),
                _ => Some(Home::Tool("/request/idempotency_key".to_owned())),
            })
        }
        Place::Body(at) => {
            let body = own.pointer("/request/body")?.as_object()?;
            let kind = body.keys().find(|key| *key != "content_type")?;
            let inner = match kind.as_str() {
                "graphql" | "bytes" | "text" => String::new(),
                _ => at.clone(),
            };
            Some(Home::Tool(format!(
                "{}{inner}",
                join("/request/body", kind)
            )))
        }
    }
}

/// The place of a parameter in a query section. A style may write several parameters of one entry, as `a[b]`.
fn in_query(section: Option<&Value>, at: &str, name: &str) -> Option<String> {
    let start = name.split('[').next().unwrap_or(name);
    match section? {
        Value::Array(list) => {
            let index = list.iter().position(|own| own == name || own == start)?;
            Some(format!("{at}/{index}"))
        }
        Value::Object(members) => {
            let key = [name, start]
                .into_iter()
                .find(|key| members.contains_key(*key))?;
            Some(join(at, key))
        }
        _ => None,
    }
}

/// The part of the descriptor that writes a place of the request.
fn written(tool: &Tool, place: &Place) -> Option<Value> {
    let (value, at) = match home(tool, place)? {
        Home::Tool(at) => (tool.source.value(), at),
        Home::Service(at) => (tool.service.spec(), at),
    };
    let mut at = at.as_str();
    loop {
        match value.pointer(at) {
            Some(part) => return Some(part.clone()),
            None => at = &at[..at.rfind('/')?],
        }
    }
}

/// A part of a request in words.
pub(super) fn in_words(place: &Place) -> String {
    let decoded = |name: &str| {
        percent_encoding::percent_decode_str(name)
            .decode_utf8_lossy()
            .into_owned()
    };
    match place {
        Place::Method => "the method".to_owned(),
        Place::Path => "the path".to_owned(),
        Place::Query(name) => format!("the query parameter `{}`", decoded(name)),
        Place::Header(name) => format!("the header `{name}`"),
        Place::Body(at) if at.is_empty() => "the body".to_owned(),
        Place::Body(at) => format!(
            "`{}` of the body",
            at.trim_start_matches('/').replace('/', ".")
        ),
        Place::Whole => "the request".to_owned(),
    }
}
