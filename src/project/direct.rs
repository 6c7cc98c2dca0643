//! Direct projection: a response's text becomes the output without a tree of the whole body in between.
//!
//! Most projections only pick fields: plain paths, and one output for each element of an array. For those the parser
//! itself can keep what is wanted and skip the rest. Whatever is out of the ordinary, such as a value of another
//! shape than the paths expect, is left to the projection over the whole body, which then also words the error.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::Node;
use super::jsonpath::{JsonPath, Step};

/// A compiled direct projection.
#[derive(Debug)]
pub struct Direct {
    wanted: Wanted,
    output: Output,
    slots: usize,
}

/// What is wanted of a value.
#[derive(Debug, Default)]
struct Wanted {
    /// The slot that the value itself goes to.
    slot: Option<usize>,
    /// What is wanted of its members.
    members: Vec<(String, Wanted)>,
    /// The slot for a list made of its elements, and how each is made.
    elements: Option<(usize, Box<Direct>)>,
}

/// How the output is made of the slots.
#[derive(Debug)]
enum Output {
    Slot(usize),
    List(usize),
    Literal(Value),
    /// A map whose keys are in place already: to copy it costs less than to insert each key anew.
    Map(Map<String, Value>, Vec<Output>),
}

impl Direct {
    /// Compiles a projection, if it is one that only picks fields.
    pub fn compile(node: &Node) -> Option<Direct> {
        let mut direct = Direct {
            wanted: Wanted::default(),
            output: Output::Literal(Value::Null),
            slots: 0,
        };
        direct.output = direct.add(node)?;
        Some(direct)
    }

    fn add(&mut self, node: &Node) -> Option<Output> {
        match node {
            Node::Literal(value) => Some(Output::Literal(value.clone())),
            Node::Path(path) => {
                let slot = self.slots;
                self.slots += 1;
                self.wanted.at(path.singular()?)?.take(slot)?;
                Some(Output::Slot(slot))
            }
            Node::Map(members) => members
                .iter()
                .map(|(key, member)| Some(((key.clone(), Value::Null), self.add(member)?)))
                .collect::<Option<(Map<String, Value>, Vec<Output>)>>()
                .map(|(keys, members)| Output::Map(keys, members)),
            Node::Each { walk, node } => {
                let [(_, path)] = walk.as_slice() else {
                    return None;
                };
                let array = elements_of(path)?;
                let slot = self.slots;
                self.slots += 1;
                let element = Direct::compile(node)?;
                self.wanted
                    .at(array.singular()?)?
                    .take_elements(slot, element)?;
                Some(Output::List(slot))
            }
            Node::List(_) | Node::Template(_) => None,
        }
    }

    /// Projects the text of a body; `None` when it takes the projection over the whole body to say what it gives.
    pub fn run(&self, body: &[u8]) -> Option<Value> {
        let mut parser = serde_json::Deserializer::from_slice(body);
        let output = self.deserialize(&mut parser).ok()?;
        parser.end().ok()?;
        Some(output)
    }
}

/// The array whose elements `$.a.b[*]` walks.
fn elements_of(path: &JsonPath) -> Option<JsonPath> {
    JsonPath::parse(path.as_str().strip_suffix("[*]")?).ok()
}

impl Wanted {
    fn at(&mut self, steps: &[Step]) -> Option<&mut Wanted> {
        steps.iter().try_fold(self, |wanted, step| {
            let Step::Name(name) = step else { return None };
            let at = match wanted.members.iter().position(|(known, _)| known == name) {
                Some(at) => at,
                None => {
                    wanted.members.push((name.clone(), Wanted::default()));
                    wanted.members.len() - 1
                }
            };
            Some(&mut wanted.members[at].1)
        })
    }

    fn take(&mut self, slot: usize) -> Option<()> {
        self.slot.replace(slot).is_none().then_some(())
    }

    fn take_elements(&mut self, slot: usize, element: Direct) -> Option<()> {
        self.elements
            .replace((slot, Box::new(element)))
            .is_none()
            .then_some(())
    }

    /// A value can be kept, walked into or listed, but only one of them while it is parsed.
    fn is_simple(&self) -> bool {
        let uses = usize::from(self.slot.is_some())
            + usize::from(self.elements.is_some())
            + usize::from(!self.members.is_empty());
        uses <= 1 && self.members.iter().all(|(_, wanted)| wanted.is_simple())
    }
}

impl Direct {
    /// Drops a projection that the parser cannot follow in one pass.
    pub fn if_simple(self) -> Option<Direct> {
        let elements_are_simple = |wanted: &Wanted| {
            let mut open = vec![wanted];
            while let Some(wanted) = open.pop() {
                if let Some((_, element)) = &wanted.elements
                    && !element.wanted.is_simple()
                {
                    return false;
                }
                open.extend(wanted.members.iter().map(|(_, inner)| inner));
            }
            true
        };
        (self.wanted.is_simple() && elements_are_simple(&self.wanted)).then_some(self)
    }
}

impl Output {
    fn make(&self, slots: &mut [Option<Value>]) -> Value {
        match self {
            Output::Slot(slot) => slots
                .get_mut(*slot)
                .and_then(Option::take)
                .unwrap_or_default(),
            Output::List(slot) => slots
                .get_mut(*slot)
                .and_then(Option::take)
                .unwrap_or_else(|| Value::Array(Vec::new())),
            Output::Literal(value) => value.clone(),
            Output::Map(keys, members) => {
                let mut map = keys.clone();
                for (value, member) in map.values_mut().zip(members) {
                    *value = member.make(slots);
                }
                Value::Object(map)
            }
        }
    }
}

impl<'de> DeserializeSeed<'de> for &Direct {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let mut slots = vec![None; self.slots];
        Keep {
            wanted: &self.wanted,
            slots: &mut slots,
        }
        .deserialize(deserializer)?;
        Ok(self.output.make(&mut slots))
    }
}

/// Parses a value and keeps what is wanted of it.
struct Keep<'a> {
    wanted: &'a Wanted,
    slots: &'a mut [Option<Value>],
}

impl<'de> DeserializeSeed<'de> for Keep<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if let Some(slot) = self.wanted.slot {
            let value = serde::Deserialize::deserialize(deserializer)?;
            if let Some(kept) = self.slots.get_mut(slot) {
                *kept = Some(value);
            }
            return Ok(());
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Keep<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of the shape that the projection expects")
    }

    /// Null has no parts: what is wanted of it stays absent.
    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        if self.wanted.elements.is_some() {
            return Err(de::Error::custom("an object where an array is walked"));
        }
        while let Some(found) = access.next_key_seed(Find(&self.wanted.members))? {
            match found {
                Some(wanted) => access.next_value_seed(Keep {
                    wanted,
                    slots: &mut *self.slots,
                })?,
                None => {
                    access.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        let Some((slot, element)) = &self.wanted.elements else {
            return Err(de::Error::custom("an array where members are wanted"));
        };
        let mut list = Vec::new();
        while let Some(item) = access.next_element_seed(&**element)? {
            list.push(item);
        }
        if let Some(kept) = self.slots.get_mut(*slot) {
            *kept = Some(Value::Array(list));
        }
        Ok(())
    }
}

/// Finds a key among those that are wanted, without making a string of it.
struct Find<'w>(&'w [(String, Wanted)]);

impl<'de, 'w> DeserializeSeed<'de> for Find<'w> {
    type Value = Option<&'w Wanted>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'w> Visitor<'_> for Find<'w> {
    type Value = Option<&'w Wanted>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self
            .0
            .iter()
            .find(|(known, _)| known == key)
            .map(|(_, wanted)| wanted))
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use serde_json::json;

    use super::*;
    use crate::descriptor::{Check, Source};
    use crate::project::{Projection, ResponseSpec, ResponseView, response_names};

    fn both(output: &Value, body: &str) -> (Option<Value>, Option<Value>) {
        let check = Check::new(Source::parse("t".into(), "a: 1".into()).unwrap());
        let spec = ResponseSpec {
            output: Some(output.clone()),
            ..ResponseSpec::default()
        };
        let projection = Projection::compile(Some(&spec), "", &response_names([""; 0]), &check);
        let parsed: Option<Value> = serde_json::from_str(body).ok();
        let params = json!({});
        let whole = parsed.and_then(|body| {
            projection
                .run(&ResponseView::new(&body, 200, &[], &params))
                .ok()
        });
        (projection.run_direct(body.as_bytes()), whole)
    }

    #[test]
    fn it_gives_what_the_whole_projection_gives_or_nothing() {
        let outputs = [
            json!({"rows": {"each": "$.data[*]", "as": {"id": "$.id", "n": "$.a.b", "one": {"literal": 1}}}, "more": "$.more"}),
            json!("$.data"),
            json!({"each": "$.data[*]", "as": "$.id"}),
            json!({"each": "$[*]", "as": {"id": "$.id"}}),
            json!({"each": "$.data[*]"}),
            json!({"x": "$.a.b", "y": "$.a.c", "z": {"w": "$.a.b"}}),
            json!({"all": "$", "a": "$.a"}),
            json!({"ids": "$.data[*].id", "first": "$.data[0].id"}),
            json!({"rows": {"each": "$.data[*]", "as": {"inner": {"each": "$.in[*]", "as": "$.k"}}}}),
            json!({"both": "$.data", "rows": {"each": "$.data[*]", "as": "$.id"}}),
        ];
        let bodies = [
            r#"{"data": [{"id": 1, "a": {"b": [1, {"c": 2}]}, "x": "skip"}, {"id": null}, {}], "more": true, "z": {}}"#,
            r#"{"data": null, "more": false}"#,
            r#"{"data": [], "a": {"b": "x\u00e9\n", "c": 1.50}}"#,
            r#"{"data": "wrong"}"#,
            r#"{"data": {"id": 1}}"#,
            r#"{"data": [1, "x"], "a": 3}"#,
            r#"{"data": [{"in": [{"k": 1}, {}]}, {"in": null}], "data2": 1}"#,
            r#"{"data": [{"id": 1}], "data": [{"id": 2}]}"#,
            r#"{"more": 1, "more": 2, "a": {"b": 1}, "a": {"c": 2}}"#,
            r#"[{"id": 1}, {"id": "x", "more": 1}]"#,
            r#"{}"#,
            "[]",
            "null",
            "3",
            "\"text\"",
            "",
            "{",
            r#"{"data": [}"#,
            r#"{"data": []} x"#,
        ];
        let mut direct = 0;
        for output in &outputs {
            for body in bodies {
                let (fast, whole) = both(output, body);
                if let Some(fast) = fast {
                    direct += 1;
                    assert_eq!(Some(fast), whole, "{output} {body}");
                }
            }
        }
        assert!(direct > 40, "only {direct} were projected directly");
    }
}
