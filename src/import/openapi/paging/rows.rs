//! The rows of a response: which list of its schema the pages continue.

use serde_json::Value;

use super::words::{BESIDE, ITEMS, META, WRAPPERS};
use crate::import::openapi::spec::{Part, Spec};
use crate::import::openapi::text;
use crate::template::is_identifier;

/// How many schemas inside each other are looked at for a type or a member.
const NESTED: usize = 6;
/// How many objects may wrap the list.
const WRAPPED: usize = 3;

/// The path to a member of the response.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct MemberPath(pub Vec<String>);

impl MemberPath {
    pub(super) fn member(&self, name: &str) -> MemberPath {
        let mut path = self.clone();
        path.0.push(name.to_owned());
        path
    }

    /// The path as a JSONPath.
    pub(super) fn as_jsonpath(&self) -> String {
        let steps = self.0.iter().map(|name| match is_identifier(name) {
            true => format!(".{name}"),
            false => format!("['{}']", name.replace('\\', "\\\\").replace('\'', "\\'")),
        });
        format!("${}", steps.collect::<String>())
    }

    /// The path as an expression.
    pub(super) fn as_expression(&self) -> String {
        let steps = self.0.iter().map(|name| match is_identifier(name) {
            true => format!(".{name}"),
            false => format!("[{}]", Value::from(name.as_str())),
        });
        format!("body{}", steps.collect::<String>())
    }
}

/// What a response shows of its rows.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Rows {
    /// No list.
    None,
    /// A list.
    List(MemberPath),
    /// A map from names to objects or lists.
    Map(MemberPath),
    /// Several lists, or one that nothing shows to be the rows.
    Unclear,
}

/// A list or map in a response.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Collection {
    /// A list of objects or lists.
    Records,
    /// A list of texts, numbers or booleans.
    Scalars,
    /// A map of objects or lists.
    Map,
}

/// The schema of a response.
pub(super) struct Body<'s> {
    pub spec: &'s Spec,
    pub schema: Part<'s>,
    /// The words that name what the operation lists: the last fixed segment of its path.
    pub nouns: Vec<String>,
}

impl<'s> Body<'s> {
    /// The rows, if the schema shows which list they are.
    pub(super) fn rows(&self) -> Rows {
        if self.is_array(&self.schema) {
            return Rows::List(MemberPath::default());
        }
        self.rows_in(&self.schema, &MemberPath::default(), WRAPPED)
    }

    fn rows_in(&self, part: &Part<'s>, path: &MemberPath, depth: usize) -> Rows {
        let members = self.members(part);
        let found: Vec<(&str, Collection)> = members
            .iter()
            .filter(|(name, _)| !is_beside(name) || self.is_noun(name))
            .filter_map(|(name, part)| Some((*name, self.collection(part)?)))
            .collect();
        match self.chosen(&found) {
            Some((name, Collection::Map)) if self.names_rows(name) || found.len() == 1 => {
                Rows::Map(path.member(name))
            }
            Some((name, Collection::Records)) => Rows::List(path.member(name)),
            Some((name, Collection::Scalars)) if self.names_rows(name) => {
                Rows::List(path.member(name))
            }
            _ if found.iter().any(|(_, kind)| *kind != Collection::Scalars) => Rows::Unclear,
            _ => match (self.wrapped(&members, path, depth), found.is_empty()) {
                (Rows::None, false) => Rows::Unclear,
                (rows, _) => rows,
            },
        }
    }

    /// Of the lists and maps in one object, the one that holds the rows.
    fn chosen<'n>(&self, found: &[(&'n str, Collection)]) -> Option<(&'n str, Collection)> {
        let only = |test: &dyn Fn(&str) -> bool| {
            let mut fitting = found.iter().filter(|(name, _)| test(name));
            match (fitting.next(), fitting.next()) {
                (Some(only), None) => Some(*only),
                _ => None,
            }
        };
        only(&|_| true)
            .or_else(|| only(&|name| self.is_noun(name)))
            .or_else(|| only(&|name| ITEMS.contains(&name)))
    }

    /// The rows in an object that only wraps them.
    fn wrapped(&self, members: &[(&'s str, Part<'s>)], path: &MemberPath, depth: usize) -> Rows {
        let Some(depth) = depth.checked_sub(1) else {
            return Rows::None;
        };
        let mut found = members
            .iter()
            .filter(|(name, _)| WRAPPERS.contains(name) || self.is_noun(name))
            .map(|(name, part)| self.rows_in(part, &path.member(name), depth))
            .filter(|rows| *rows != Rows::None);
        match (found.next(), found.next()) {
            (None, _) => Rows::None,
            (Some(only), None) => only,
            _ => Rows::Unclear,
        }
    }

    /// Whether a member's name says that it holds the rows.
    fn names_rows(&self, name: &str) -> bool {
        ITEMS.contains(&name) || self.is_noun(name)
    }

    /// Whether a member is called as what the operation lists.
    fn is_noun(&self, name: &str) -> bool {
        let name = singular(&super::super::names::words(name).concat());
        !name.is_empty() && self.nouns.contains(&name)
    }

    fn collection(&self, part: &Part<'s>) -> Option<Collection> {
        let part = self.spec.resolve(part).ok()?;
        if self.is_array(&part) {
            let scalar = |item: &Part<'s>| {
                ["string", "integer", "number", "boolean"]
                    .iter()
                    .any(|name| self.has_type(item, name, NESTED))
            };
            let item = self.item(&part, NESTED);
            return Some(match item.is_some_and(|item| scalar(&item)) {
                true => Collection::Scalars,
                false => Collection::Records,
            });
        }
        let value = part.get("additionalProperties")?;
        let is_map = self.members(&part).is_empty()
            && (self.is_array(&value)
                || self.has_type(&value, "object", NESTED)
                || !self.members(&value).is_empty());
        is_map.then_some(Collection::Map)
    }

    /// The schema of a list's items.
    fn item(&self, list: &Part<'s>, depth: usize) -> Option<Part<'s>> {
        let depth = depth.checked_sub(1)?;
        let list = self.spec.resolve(list).ok()?;
        list.get("items").or_else(|| {
            let choices = ["allOf", "anyOf", "oneOf"].into_iter();
            choices
                .filter_map(|choice| list.get(choice))
                .flat_map(|list| list.items())
                .find_map(|one| self.item(&one, depth))
        })
    }

    pub(super) fn is_array(&self, part: &Part<'s>) -> bool {
        self.has_type(part, "array", NESTED)
    }

    /// Whether a schema allows values of this type.
    pub(super) fn has_type(&self, part: &Part<'s>, wanted: &str, depth: usize) -> bool {
        let (Some(depth), Ok(part)) = (depth.checked_sub(1), self.spec.resolve(part)) else {
            return false;
        };
        match part.value.get("type") {
            Some(Value::String(name)) => name == wanted,
            Some(Value::Array(names)) => names.iter().any(|name| name == wanted),
            _ => ["allOf", "anyOf", "oneOf"]
                .into_iter()
                .filter_map(|choice| part.get(choice))
                .flat_map(|list| list.items())
                .any(|one| self.has_type(&one, wanted, depth)),
        }
    }

    /// The properties of an object, including those from `allOf`.
    pub(super) fn members(&self, part: &Part<'s>) -> Vec<(&'s str, Part<'s>)> {
        let mut members = Vec::new();
        self.add_members(part, &mut members, NESTED);
        members
    }

    fn add_members(&self, part: &Part<'s>, members: &mut Vec<(&'s str, Part<'s>)>, depth: usize) {
        let (Some(depth), Ok(part)) = (depth.checked_sub(1), self.spec.resolve(part)) else {
            return;
        };
        if let Some(properties) = part.get("properties") {
            for (name, property) in properties.members() {
                if !members.iter().any(|(known, _)| *known == name) {
                    members.push((name, property));
                }
            }
        }
        for one in part.get("allOf").into_iter().flat_map(|list| list.items()) {
            self.add_members(&one, members, depth);
        }
    }

    /// The first member with one of these names that `fits`, beside the rows or above them, or in an object there that
    /// describes the pages.
    pub(super) fn find_member(
        &self,
        rows: &MemberPath,
        names: &[&str],
        fits: &dyn Fn(&Member<'s>) -> bool,
    ) -> Option<MemberPath> {
        self.holders(rows)
            .iter()
            .rev()
            .find_map(|(path, part)| self.find_in(part, path, names, fits, 3))
    }

    /// The objects around the rows, the outermost first.
    fn holders(&self, rows: &MemberPath) -> Vec<(MemberPath, Part<'s>)> {
        let mut holders = vec![(MemberPath::default(), self.schema.clone())];
        let inner = rows.0.len().saturating_sub(1);
        for name in &rows.0[..inner] {
            let Some((path, part)) = holders.last() else {
                break;
            };
            let members = self.members(part).into_iter();
            let Some((_, next)) = members.into_iter().find(|(known, _)| known == name) else {
                break;
            };
            holders.push((path.member(name), next));
        }
        holders
    }

    fn find_in(
        &self,
        part: &Part<'s>,
        path: &MemberPath,
        names: &[&str],
        fits: &dyn Fn(&Member<'s>) -> bool,
        depth: usize,
    ) -> Option<MemberPath> {
        let members = self.members(part);
        let found = names.iter().find(|name| {
            members.iter().any(|(known, part)| {
                known == *name
                    && fits(&Member {
                        name: known,
                        part: part.clone(),
                        beside: members.iter().map(|(name, _)| *name).collect(),
                        within: path.0.last().cloned().unwrap_or_default(),
                    })
            })
        });
        if let Some(name) = found {
            return Some(path.member(name));
        }
        let depth = depth.checked_sub(1)?;
        members
            .iter()
            .filter(|(name, part)| META.contains(name) && self.collection(part).is_none())
            .find_map(|(name, part)| self.find_in(part, &path.member(name), names, fits, depth))
    }

    /// Whether the items of the list are objects with this member, of this type.
    pub(super) fn items_have(&self, rows: &MemberPath, member: &str, wanted: &str) -> bool {
        let list = match rows.0.last() {
            None => Some(self.schema.clone()),
            Some(name) => self.holders(rows).last().and_then(|(_, holder)| {
                let mut members = self.members(holder).into_iter();
                let (_, list) = members.find(|(known, _)| known == name)?;
                Some(list)
            }),
        };
        let item = list.and_then(|list| self.item(&list, NESTED));
        item.is_some_and(|item| self.may_have(&item, member, wanted, NESTED))
    }

    fn may_have(&self, part: &Part<'s>, member: &str, wanted: &str, depth: usize) -> bool {
        let (Some(depth), Ok(part)) = (depth.checked_sub(1), self.spec.resolve(part)) else {
            return false;
        };
        self.members(&part)
            .iter()
            .any(|(name, part)| *name == member && self.has_type(part, wanted, NESTED))
            || ["anyOf", "oneOf"]
                .into_iter()
                .filter_map(|choice| part.get(choice))
                .flat_map(|list| list.items())
                .any(|one| self.may_have(&one, member, wanted, depth))
    }
}

/// A member of a response that may lead to the next page.
pub(super) struct Member<'s> {
    pub name: &'s str,
    pub part: Part<'s>,
    /// The names of the members beside it, and its own.
    pub beside: Vec<&'s str>,
    /// The name of the object that holds it.
    pub within: String,
}

impl Member<'_> {
    /// Whether the document says that the member is a URL.
    pub(super) fn is_url(&self, spec: &Spec) -> bool {
        let Ok(part) = spec.resolve(&self.part) else {
            return false;
        };
        let says_so = matches!(part.text("format"), Some("uri" | "url" | "uri-reference"));
        let example = part.text("example").or_else(|| part.text("default"));
        says_so
            || example.is_some_and(|text| text.starts_with("http") || text.starts_with('/'))
            || self.mentions(spec, &["url", "uri", "link", "href", "hyperlink"])
    }

    /// Whether its description has one of these words.
    pub(super) fn mentions(&self, spec: &Spec, wanted: &[&str]) -> bool {
        let target = spec.resolve(&self.part).ok();
        let words = self
            .part
            .text("description")
            .or_else(|| target.as_ref()?.text("description"));
        words.is_some_and(|words| has_word(words, wanted))
    }
}

/// Whether a list of this name stands beside the rows: errors, warnings and the like.
fn is_beside(name: &str) -> bool {
    let words = super::super::names::words(name);
    let last = words.last().map(|word| singular(word));
    BESIDE.contains(&name)
        || last.is_some_and(|last| {
            ["error", "warning", "failure", "unreachable"].contains(&last.as_str())
        })
}

/// Whether a text has one of these words.
pub(super) fn has_word(text: &str, wanted: &[&str]) -> bool {
    text::one_line(text, text::PARAM)
        .to_lowercase()
        .split(|c: char| !c.is_alphanumeric())
        .any(|word| wanted.contains(&word) || wanted.contains(&word.trim_end_matches('s')))
}

/// A noun in the singular, as far as its ending shows.
pub(super) fn singular(word: &str) -> String {
    let word = word.to_lowercase();
    if let Some(stem) = word.strip_suffix("ies").filter(|stem| stem.len() > 1) {
        return format!("{stem}y");
    }
    let is_long = ["sses", "xes", "ches", "shes"]
        .iter()
        .any(|ending| word.ends_with(ending));
    match (is_long, word.ends_with("ss")) {
        (true, _) => word[..word.len() - 2].to_owned(),
        (false, true) => word,
        (false, false) => word.trim_end_matches('s').to_owned(),
    }
}
