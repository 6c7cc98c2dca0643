//! In which rules two schemas differ, in words.

use serde_json::{Map, Value};

use super::canonical::target;
use super::canonical::{canonical, sorted};
use super::{Part, compare};
use crate::source::join;
use crate::words::excerpt;

/// A difference, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fact {
    /// A JSON Pointer into the whole new schema; into the old one for a part that is gone.
    pub at: String,
    /// Whether the part is gone, so that only the old schema has it.
    pub is_gone: bool,
    /// What differs.
    pub text: String,
}

/// References and parts are followed so deep.
const DEEPEST: usize = 12;
/// More differences are not told.
const MOST: usize = 40;

/// How the new schema differs from the old one. `at` is where each stands in its root. Empty when no rule that can be told
/// alone differs.
pub(crate) fn facts(old: Part<'_>, new: Part<'_>, at: (&str, &str)) -> Vec<Fact> {
    let mut found = Vec::new();
    let walk = Walk {
        old: Place::of(old, at.0),
        new: Place::of(new, at.1),
        name: String::new(),
    };
    walk.tell(&mut found, 0);
    found.truncate(MOST);
    found
}

#[derive(Clone)]
struct Place<'s> {
    part: Part<'s>,
    at: String,
}

impl<'s> Place<'s> {
    /// The place, or where its reference leads.
    fn of(part: Part<'s>, at: &str) -> Place<'s> {
        let mut place = Place {
            part,
            at: at.to_owned(),
        };
        for _ in 0..DEEPEST {
            let reference = place.part.schema.get("$ref").and_then(Value::as_str);
            let Some(reference) = reference else { break };
            let Some(schema) = target(part.root, reference) else {
                break;
            };
            place.part.schema = schema;
            reference.trim_start_matches('#').clone_into(&mut place.at);
        }
        place
    }

    fn member(&self, keyword: &str, name: &str) -> Option<Place<'s>> {
        let schema = self.part.schema.get(keyword)?.get(name)?;
        let at = join(&join(&self.at, keyword), name);
        Some(Place::of(
            Part {
                schema,
                ..self.part
            },
            &at,
        ))
    }

    fn inner(&self, keyword: &str) -> Option<Place<'s>> {
        let schema = self.part.schema.get(keyword)?;
        Some(Place::of(
            Part {
                schema,
                ..self.part
            },
            &join(&self.at, keyword),
        ))
    }

    fn get(&self, keyword: &str) -> Option<&'s Value> {
        self.part.schema.get(keyword)
    }
}

struct Walk<'s> {
    old: Place<'s>,
    new: Place<'s>,
    /// The way from the start, such as `.owner.name` or `[]`.
    name: String,
}

impl Walk<'_> {
    fn tell(&self, found: &mut Vec<Fact>, depth: usize) {
        if depth > DEEPEST
            || found.len() >= MOST
            || canonical(self.old.part) == canonical(self.new.part)
        {
            return;
        }
        let before = found.len();
        if !self.tell_types(found) {
            self.tell_values(found);
            self.tell_limits(found);
        }
        self.tell_members(found, depth);
        if let (Some(old), Some(new)) = (self.old.inner("items"), self.new.inner("items")) {
            let name = format!("{}[]", self.name);
            Walk { old, new, name }.tell(found, depth + 1);
        }
        if found.len() == before && !compare(self.old.part, self.new.part).is_equal() {
            self.tell_rest(found);
        }
    }

    /// A fact about a keyword of this schema.
    fn add(&self, keyword: &str, text: String, found: &mut Vec<Fact>) {
        let is_gone = self.new.get(keyword).is_none() && self.old.get(keyword).is_some();
        // A rule that is gone leaves its schema, which shows more than the old file.
        let at = match is_gone || keyword.is_empty() {
            true => self.new.at.clone(),
            false => join(&self.new.at, keyword),
        };
        let text = match self.name.as_str() {
            "" => text,
            name => format!("{}: {text}", name.trim_start_matches('.')),
        };
        found.push(Fact {
            at,
            is_gone: false,
            text,
        });
    }

    /// Whether the types differ.
    fn tell_types(&self, found: &mut Vec<Fact>) -> bool {
        let (old, new) = (types(&self.old), types(&self.new));
        if old == new {
            return false;
        }
        let text = match (old.is_empty(), new.is_empty()) {
            (true, _) => format!("any type was allowed, and now {}", new.join(" or ")),
            (_, true) => format!("the type was {}, and now any is allowed", old.join(" or ")),
            _ => format!(
                "the type was {} and is {}",
                old.join(" or "),
                new.join(" or ")
            ),
        };
        self.add("type", text, found);
        true
    }

    fn tell_values(&self, found: &mut Vec<Fact>) {
        let (old, new) = (values(&self.old), values(&self.new));
        let key = match self.new.get("const") {
            Some(_) => "const",
            None => "enum",
        };
        match (old, new) {
            (Some(old), Some(new)) => {
                let lost: Vec<String> = listed(old.iter().filter(|v| !new.contains(v)));
                let more: Vec<String> = listed(new.iter().filter(|v| !old.contains(v)));
                if !lost.is_empty() {
                    self.add(
                        key,
                        format!("no longer allowed: {}", lost.join(", ")),
                        found,
                    );
                }
                if !more.is_empty() {
                    self.add(key, format!("now allowed too: {}", more.join(", ")), found);
                }
            }
            (Some(old), None) => {
                let text = format!("not only {} any more", listed(old.iter()).join(", "));
                self.add("enum", text, found);
            }
            (None, Some(new)) => {
                let text = format!("only {} now", listed(new.iter()).join(", "));
                self.add(key, text, found);
            }
            (None, None) => {}
        }
    }

    fn tell_limits(&self, found: &mut Vec<Fact>) {
        const LIMITS: [&str; 15] = [
            "minimum",
            "exclusiveMinimum",
            "maximum",
            "exclusiveMaximum",
            "multipleOf",
            "minLength",
            "maxLength",
            "pattern",
            "format",
            "minItems",
            "maxItems",
            "uniqueItems",
            "minProperties",
            "maxProperties",
            "additionalProperties",
        ];
        for keyword in LIMITS {
            let (old, new) = (self.old.get(keyword), self.new.get(keyword));
            if old.map(sorted) == new.map(sorted) {
                continue;
            }
            if [old, new].into_iter().flatten().any(Value::is_object) {
                continue;
            }
            let text = match (old, new) {
                (Some(old), Some(new)) => {
                    format!("`{keyword}` was {} and is {}", excerpt(old), excerpt(new))
                }
                (Some(old), None) => format!("`{keyword}` was {} and is gone", excerpt(old)),
                (_, Some(new)) => format!("`{keyword}` is new: {}", excerpt(new)),
                (None, None) => continue,
            };
            self.add(keyword, text, found);
        }
    }

    fn tell_members(&self, found: &mut Vec<Fact>, depth: usize) {
        let (old, new) = (required(&self.old), required(&self.new));
        for name in new.iter().filter(|name| !old.contains(name)) {
            self.add("required", format!("`{name}` is required now"), found);
        }
        for name in old.iter().filter(|name| !new.contains(name)) {
            self.add("required", format!("`{name}` is no longer required"), found);
        }
        let names = |place: &Place<'_>| -> Vec<String> {
            let members = place.get("properties").and_then(Value::as_object);
            members.into_iter().flat_map(Map::keys).cloned().collect()
        };
        let own = names(&self.old);
        for name in &own {
            let Some(old) = self.old.member("properties", name) else {
                continue;
            };
            let inside = format!("{}.{name}", self.name);
            match self.new.member("properties", name) {
                Some(new) => Walk {
                    old,
                    new,
                    name: inside,
                }
                .tell(found, depth + 1),
                None => found.push(Fact {
                    at: join(&join(&self.old.at, "properties"), name),
                    is_gone: true,
                    text: format!("`{}` is gone", inside.trim_start_matches('.')),
                }),
            }
        }
        for name in names(&self.new).iter().filter(|name| !own.contains(name)) {
            let inside = format!("{}.{name}", self.name);
            found.push(Fact {
                at: join(&join(&self.new.at, "properties"), name),
                is_gone: false,
                text: format!("`{}` is new", inside.trim_start_matches('.')),
            });
        }
    }

    /// What is left: rules that are told by their name alone.
    fn tell_rest(&self, found: &mut Vec<Fact>) {
        const CHOICES: [&str; 2] = ["anyOf", "oneOf"];
        let none = Map::new();
        let members = |place: &Place<'_>| match place.part.schema {
            Value::Object(members) => members.clone(),
            _ => none.clone(),
        };
        let (old, new) = (members(&self.old), members(&self.new));
        for keyword in CHOICES {
            let count = |schema: &Map<String, Value>| {
                schema.get(keyword).and_then(Value::as_array).map(Vec::len)
            };
            if let (Some(before), Some(now)) = (count(&old), count(&new))
                && before != now
            {
                let text = format!("`{keyword}` had {before} alternatives and has {now}");
                return self.add(keyword, text, found);
            }
        }
        let differs = |keyword: &&String| {
            let part = |schema: &Map<String, Value>, root| {
                let value = schema.get(*keyword)?;
                Some(canonical(Part {
                    root,
                    schema: value,
                }))
            };
            part(&old, self.old.part.root) != part(&new, self.new.part.root)
        };
        let keyword = new.keys().chain(old.keys()).filter(differs);
        let keyword = keyword.clone().find(|k| super::canonical::is_rule(k));
        match keyword {
            Some(keyword) => self.add(keyword, format!("`{keyword}` differs"), found),
            None => self.add("", "its rules differ".to_owned(), found),
        }
    }
}

fn types<'s>(place: &Place<'s>) -> Vec<&'s str> {
    let mut names: Vec<&str> = match place.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if names.is_empty()
        && let Some(values) = values(place)
    {
        names = values.iter().map(kind).collect();
        names.dedup();
    }
    names.sort_unstable();
    names.dedup();
    names
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn values(place: &Place<'_>) -> Option<Vec<Value>> {
    if let Some(value) = place.get("const") {
        return Some(vec![sorted(value)]);
    }
    let values = place.get("enum")?.as_array()?;
    Some(values.iter().map(sorted).collect())
}

fn required<'s>(place: &Place<'s>) -> Vec<&'s str> {
    let names = place.get("required").and_then(Value::as_array);
    names
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

fn listed<'v>(values: impl Iterator<Item = &'v Value>) -> Vec<String> {
    const MOST: usize = 6;
    let all: Vec<String> = values.map(excerpt).collect();
    let more = all.len().saturating_sub(MOST);
    let mut told: Vec<String> = all.into_iter().take(MOST).collect();
    if more > 0 {
        told.push(format!("{more} more"));
    }
    told
}
