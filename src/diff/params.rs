//! Params in two versions: what callers may give.

use serde_json::{Map, Value, json};

use super::change::{Class, Classes};
use super::record::Record;
use super::schema::{self, Answer, Fact, Part, Relation, facts};
use super::written::told;
use crate::source::{Code, join};
use crate::tool::Tool;
use crate::words::nearest_of;

const AT: &str = "/params";

/// Notes how the params differ.
pub(super) fn compare(old: &Tool, new: &Tool, record: &mut Record) {
    let (before, now) = (old.params.schema(), new.params.schema());
    if before == now {
        return;
    }
    let added: Vec<&str> = new
        .params
        .iter()
        .map(|param| param.name)
        .filter(|name| old.params.get(name).is_none())
        .collect();
    for param in old.params.iter() {
        let at = place(param.name);
        match new.params.get(param.name) {
            None => gone(old, new, param.name, &added, record),
            Some(_) => one(old, new, param.name, &at, record),
        }
    }
    for name in added {
        let is_needed = is_needed(new, name);
        let has_default = default(new, name).is_some();
        let wire = match has_default {
            true => Class::Compatible,
            false => Class::None,
        };
        let (code, class, text) = match is_needed {
            true => (Code::ParamRequired, Class::Breaking, "and required"),
            false => (Code::ParamAdded, Class::Compatible, "and may be left out"),
        };
        let classes = Classes::callers(class).and_wire(wire);
        let message = format!("the param `{name}` is new {text}");
        record.new_at(code, classes, &place(name), name, message);
    }
    together(before, now, record);
}

fn place(name: &str) -> String {
    join(&format!("{AT}/properties"), name)
}

/// Whether a call must give the param. A default is filled in before the check.
fn is_needed(tool: &Tool, name: &str) -> bool {
    let param = tool.params.get(name);
    param.is_some_and(|param| param.required && param.default().is_none())
}

fn default<'t>(tool: &'t Tool, name: &str) -> Option<&'t Value> {
    tool.params.get(name)?.schema.get("default")
}

fn part<'t>(tool: &'t Tool, name: &str) -> Option<Part<'t>> {
    let root = tool.params.schema();
    let schema = tool.params.get(name)?.schema;
    Some(Part { root, schema })
}

fn gone(old: &Tool, new: &Tool, name: &str, added: &[&str], record: &mut Record) {
    let guess = renamed(old, new, name, added);
    let guess = guess.map(|guess| format!("; it is probably called `{guess}` now (a guess)"));
    let wire = match default(old, name).is_some() {
        true => Class::Breaking,
        false => Class::None,
    };
    let classes = Classes::callers(Class::Breaking).and_wire(wire);
    let message = format!("the param `{name}` is gone{}", guess.unwrap_or_default());
    record.old_at(Code::ParamGone, classes, &place(name), name, message);
}

/// The new param that a param that is gone probably became: one that takes the same values, and has a name like it or is
/// the only one.
pub(super) fn renamed<'n>(
    old: &Tool,
    new: &Tool,
    name: &str,
    added: &[&'n str],
) -> Option<&'n str> {
    let own = part(old, name)?;
    let takes_the_same = |other: &&&str| {
        part(new, other).is_some_and(|other| schema::compare(own, other).is_equal())
    };
    let alike: Vec<&'n str> = added.iter().filter(takes_the_same).copied().collect();
    let has_same_words = |other: &&&str| {
        let words = |text: &str| text.to_lowercase().replace(['_', '-', '.'], "");
        let (one, other) = (words(name), words(other));
        one == other || one.contains(&other) || other.contains(&one)
    };
    match alike.as_slice() {
        [one] => Some(one),
        several => {
            let near = nearest_of(name, several.iter().copied());
            near.or_else(|| several.iter().find(has_same_words).copied())
        }
    }
}

/// A param that both versions have.
fn one(old: &Tool, new: &Tool, name: &str, at: &str, record: &mut Record) {
    match (is_needed(old, name), is_needed(new, name)) {
        (false, true) => {
            let classes = Classes::callers(Class::Breaking);
            let message = format!("the param `{name}` is required now");
            let place = required_place(record, name).unwrap_or_else(|| at.to_owned());
            record.new_at(Code::ParamRequired, classes, &place, name, message);
        }
        (true, false) => {
            let classes = Classes::callers(Class::Compatible);
            let message = format!("the param `{name}` may be left out now");
            record.new_at(Code::ParamOptional, classes, at, name, message);
        }
        _ => {}
    }
    let (Some(before), Some(now)) = (part(old, name), part(new, name)) else {
        return;
    };
    if before.schema != now.schema || before.root.get("$defs") != now.root.get("$defs") {
        let relation = schema::compare(before, now);
        if !relation.is_equal() {
            let inside = join("/properties", name);
            let facts = facts(before, now, (&inside, &inside));
            let what = format!("the param `{name}`");
            note(relation, &what, name, at, &facts, record);
        }
    }
    compare_defaults(old, new, name, at, record);
}

/// The place of a param in the list of those that are required.
fn required_place(record: &Record, name: &str) -> Option<String> {
    let at = format!("{AT}/required");
    let list = record.new.get(&at)?.as_array()?;
    let index = list.iter().position(|own| own == name)?;
    Some(format!("{at}/{index}"))
}

/// Notes how two schemas of arguments relate.
fn note(
    relation: Relation,
    subject: &str,
    what: &str,
    at: &str,
    facts: &[Fact],
    record: &mut Record,
) {
    let told = sentence(facts);
    let has_lost = facts.iter().any(|fact| fact.is_gone);
    let closes = facts
        .iter()
        .any(|fact| fact.at.ends_with("/additionalProperties"));
    let (code, class, text) = match (relation.old_in_new, relation.new_in_old) {
        // An open object still takes it, as it takes anything.
        (Answer::Yes, _) if has_lost => (
            Code::ParamChanged,
            Class::Breaking,
            "no longer has all its members",
        ),
        (Answer::Yes, _) => (Code::ParamWidened, Class::Compatible, "takes more values"),
        _ if relation.named_in_new && !has_lost && !closes => {
            (Code::ParamWidened, Class::Compatible, "has more members")
        }
        (Answer::No, Answer::Yes) => (Code::ParamNarrowed, Class::Breaking, "takes fewer values"),
        (Answer::No, _) => (Code::ParamChanged, Class::Breaking, "takes other values"),
        (Answer::Unknown, Answer::Yes) => (
            Code::ParamNarrowed,
            Class::Breaking,
            "takes at most the values that it took, and whether all of them cannot be told",
        ),
        (Answer::Unknown, _) => (
            Code::ParamChanged,
            Class::Breaking,
            "has other rules, and whether it takes all that it took cannot be told",
        ),
    };
    let fact = facts.iter().find(|fact| !fact.is_gone);
    let place = fact.map(|fact| format!("{AT}{}", fact.at));
    let place = place.filter(|place| record.new.get(place).is_some());
    let place = place.as_deref().unwrap_or(at);
    let message = format!("{subject} {text}{told}");
    record.new_at(code, Classes::callers(class), place, what, message);
}

/// The first facts, behind a colon.
pub(super) fn sentence(facts: &[Fact]) -> String {
    const MOST: usize = 3;
    if facts.is_empty() {
        return String::new();
    }
    let told: Vec<&str> = facts
        .iter()
        .take(MOST)
        .map(|fact| fact.text.as_str())
        .collect();
    let more = match facts.len().saturating_sub(MOST) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    format!(": {}{more}", told.join("; "))
}

fn compare_defaults(old: &Tool, new: &Tool, name: &str, at: &str, record: &mut Record) {
    let (before, now) = (default(old, name), default(new, name));
    if super::written::same(before, now) {
        return;
    }
    let inside = join(at, "default");
    match (before, now) {
        (None, Some(now)) => {
            let classes = Classes::callers(Class::Compatible).and_wire(Class::Compatible);
            let message = format!("the param `{name}` has a default now: {}", told(Some(now)));
            record.new_at(Code::DefaultChanged, classes, &inside, name, message);
        }
        (before, now) => {
            let classes = Classes::callers(Class::Breaking).and_wire(Class::Breaking);
            let now = match now {
                Some(now) => format!("is {}", told(Some(now))),
                None => "is gone".to_owned(),
            };
            let message = format!(
                "the default of the param `{name}` was {} and {now}",
                told(before)
            );
            record.at(Code::DefaultChanged, classes, &inside, name, message);
        }
    }
}

/// The rules that hold for the params together, such as which of them exclude each other.
fn together(old: &Value, new: &Value, record: &mut Record) {
    let any = json!(true);
    let others = |schema: &'_ Value| schema.get("additionalProperties").unwrap_or(&any).clone();
    let (before, now) = (others(old), others(new));
    let relation = schema::compare(
        Part {
            root: old,
            schema: &before,
        },
        Part {
            root: new,
            schema: &now,
        },
    );
    if !relation.is_equal() {
        let at = format!("{AT}/additionalProperties");
        note(
            relation,
            "with arguments that are no params, the call",
            "",
            &at,
            &[],
            record,
        );
    }
    let (old, new) = (rest(old), rest(new));
    let (before, now) = (
        Part {
            root: &old,
            schema: &old,
        },
        Part {
            root: &new,
            schema: &new,
        },
    );
    if schema::canonical(before) == schema::canonical(now) {
        return;
    }
    let relation = schema::compare(before, now);
    if !relation.is_equal() {
        let facts = facts(before, now, ("", ""));
        note(relation, "the call as a whole", "", AT, &facts, record);
    }
}

/// A schema of arguments without the rules of each param alone.
fn rest(schema: &Value) -> Value {
    let Value::Object(members) = schema else {
        return json!({});
    };
    let mut rest = Map::new();
    for (key, member) in members {
        match key.as_str() {
            "properties" | "required" | "additionalProperties" => {}
            _ => drop(rest.insert(key.clone(), member.clone())),
        }
    }
    Value::Object(rest)
}
