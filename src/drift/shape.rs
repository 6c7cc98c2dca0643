//! The shape of recorded bodies: which members they have and of which kinds, without any value. Examples are held
//! against it.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use serde_json::Value;

use crate::json::{Kind, Part};
use crate::source::{join, join_index};

/// Most members of one object that are told apart. With more, it is taken for a map from ids.
const MOST_MEMBERS: usize = 300;
/// How deep bodies are compared.
const DEEPEST: usize = 24;

/// What was seen at one place of all bodies.
#[derive(Debug, Default)]
pub(super) struct Shape {
    kinds: BTreeSet<&'static str>,
    /// How often something was there.
    count: usize,
    objects: usize,
    members: IndexMap<String, Shape>,
    items: Option<Box<Shape>>,
    /// Whether it had too many members to be told apart.
    is_map: bool,
}

/// How an example differs from all recorded bodies.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Difference {
    /// No body has the member.
    Gone,
    /// Bodies have other kinds there.
    Kind {
        example: &'static str,
        recorded: String,
    },
}

impl Shape {
    /// Adds a body.
    pub(super) fn add(&mut self, part: Part<'_>) {
        self.add_at(part, 0);
    }

    fn add_at(&mut self, part: Part<'_>, depth: usize) {
        self.count += 1;
        self.kinds.insert(part.kind().name());
        if depth >= DEEPEST {
            self.is_map = true;
            return;
        }
        match part.kind() {
            Kind::Object => {
                self.objects += 1;
                for (key, member) in part.members() {
                    let name = key.name();
                    if let Some(known) = self.members.get_mut(name.as_ref()) {
                        known.add_at(member, depth + 1);
                    } else if self.members.len() < MOST_MEMBERS {
                        let known = self.members.entry(name.into_owned()).or_default();
                        known.add_at(member, depth + 1);
                    } else {
                        self.is_map = true;
                    }
                }
            }
            Kind::Array => {
                let items = self.items.get_or_insert_default();
                part.elements()
                    .for_each(|item| items.add_at(item, depth + 1));
            }
            _ => {}
        }
    }

    /// How many bodies were added.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Whether the members are ids: no name comes back in half of the objects.
    fn has_ids(&self) -> bool {
        let is_rare = |member: &Shape| member.count * 2 < self.objects;
        self.is_map || (self.objects > 1 && self.members.values().all(is_rare))
    }

    /// Where an example differs, as JSON Pointers in it.
    pub(super) fn compare(&self, example: &Value) -> Vec<(String, Difference)> {
        let mut found = Vec::new();
        self.compare_at(example, "", &mut found);
        found
    }

    fn compare_at(&self, example: &Value, at: &str, found: &mut Vec<(String, Difference)>) {
        let kind = crate::words::kind_of(example);
        // Null says nothing about what else may stand there.
        let others: Vec<&str> = self
            .kinds
            .iter()
            .copied()
            .filter(|k| *k != "null")
            .collect();
        if !example.is_null() && !others.is_empty() && !others.contains(&kind) {
            let recorded = others.join(" or ");
            found.push((
                at.to_owned(),
                Difference::Kind {
                    example: kind,
                    recorded,
                },
            ));
            return;
        }
        match example {
            Value::Object(members) if self.objects > 0 && !self.has_ids() => {
                for (name, value) in members {
                    let at = join(at, name);
                    match self.members.get(name) {
                        Some(member) => member.compare_at(value, &at, found),
                        None => found.push((at, Difference::Gone)),
                    }
                }
            }
            Value::Array(items) => {
                let Some(known) = self.items.as_ref().filter(|known| known.count > 0) else {
                    return;
                };
                // Of a list, the first item that differs in a member stands for all.
                let mut told: BTreeSet<String> = BTreeSet::new();
                for (i, item) in items.iter().enumerate() {
                    let mut inner = Vec::new();
                    known.compare_at(item, "", &mut inner);
                    for (below, difference) in inner {
                        if told.insert(below.clone()) {
                            found.push((format!("{}{below}", join_index(at, i)), difference));
                        }
                    }
                }
            }
            _ => {}
        }
    }
}
