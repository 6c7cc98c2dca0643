//! What a query runs on: a value, or a part of a JSON text.

use std::borrow::Cow;
use std::convert::Infallible;

use indexmap::IndexMap;
use serde_json::Value;

use super::Step;
use crate::json::{Budget, Key, Kind, Part, Tree};

/// What is said of a search that goes on after the deadline.
pub(super) const LATE: &str = "the deadline has passed";

/// Why a visit of nodes ends early.
pub(super) enum Stop<E> {
    /// The visitor has seen enough.
    Enough,
    Failed(E),
}

impl<E> From<E> for Stop<E> {
    fn from(error: E) -> Stop<E> {
        Stop::Failed(error)
    }
}

pub(super) type Flow<N> = Result<(), Stop<<N as Node>::Error>>;

/// A node as a query sees it.
pub(super) trait Node: Copy {
    /// Why its value cannot be read.
    type Error;

    fn kind(self) -> Kind;

    fn select(self, step: &Step) -> Option<Self>;

    /// The elements of an array; empty for any other value.
    fn elements(self) -> impl Iterator<Item = Self>;

    /// Visits the members of an object; does nothing for any other value.
    fn each_member(self, visit: impl FnMut(Self) -> Flow<Self>) -> Flow<Self>;

    /// The value to compare, with all its digits.
    fn value<'v>(self) -> Result<Cow<'v, Value>, Self::Error>
    where
        Self: 'v;

    /// The value, if it is a string.
    fn string<'v>(self) -> Option<Cow<'v, str>>
    where
        Self: 'v;

    /// A number that no other node of the same run has.
    fn address(self) -> usize;

    /// Counts memory for what a run keeps.
    fn take(self, bytes: usize) -> Result<(), Self::Error>;

    /// The memory counted so far.
    fn taken(self) -> usize;

    /// Gives back the memory counted since then.
    fn give_back(self, taken: usize);

    /// How many bytes must be read to visit its children or to take its value; 0 where nothing is counted.
    fn weight(self) -> usize;

    /// Takes what is read beyond a search's own share from what all searches share.
    fn overdraw(self, bytes: usize) -> Result<(), Self::Error>;

    /// Visits the children of an array or object; does nothing for any other value.
    fn each_child(self, visit: impl FnMut(Self) -> Flow<Self>) -> Flow<Self> {
        match self.kind() {
            Kind::Array => self.elements().try_for_each(visit),
            Kind::Object => self.each_member(visit),
            _ => Ok(()),
        }
    }
}

/// A value is in memory already, so nothing is counted and nothing fails.
impl Node for &Value {
    type Error = Infallible;

    fn kind(self) -> Kind {
        match self {
            Value::Null => Kind::Null,
            Value::Bool(_) => Kind::Bool,
            Value::Number(_) => Kind::Number,
            Value::String(_) => Kind::String,
            Value::Array(_) => Kind::Array,
            Value::Object(_) => Kind::Object,
        }
    }

    fn select(self, step: &Step) -> Option<Self> {
        step.select(self)
    }

    fn elements(self) -> impl Iterator<Item = Self> {
        self.as_array().into_iter().flatten()
    }

    fn each_member(self, visit: impl FnMut(Self) -> Flow<Self>) -> Flow<Self> {
        let members = self.as_object().into_iter();
        members
            .flat_map(|members| members.values())
            .try_for_each(visit)
    }

    fn value<'v>(self) -> Result<Cow<'v, Value>, Infallible>
    where
        Self: 'v,
    {
        Ok(Cow::Borrowed(self))
    }

    fn string<'v>(self) -> Option<Cow<'v, str>>
    where
        Self: 'v,
    {
        self.as_str().map(Cow::Borrowed)
    }

    fn address(self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    fn take(self, _: usize) -> Result<(), Infallible> {
        Ok(())
    }

    fn taken(self) -> usize {
        0
    }

    fn give_back(self, _: usize) {}

    fn weight(self) -> usize {
        0
    }

    fn overdraw(self, _: usize) -> Result<(), Infallible> {
        Ok(())
    }
}

/// A part of a text, and the memory budget for trees beside the text.
#[derive(Clone, Copy)]
pub(super) struct Text<'t, 'b> {
    pub part: Part<'t>,
    pub budget: &'b Budget,
}

impl<'t, 'b> Text<'t, 'b> {
    fn at(self, part: Part<'t>) -> Text<'t, 'b> {
        Text { part, ..self }
    }
}

impl Node for Text<'_, '_> {
    type Error = String;

    fn kind(self) -> Kind {
        self.part.kind()
    }

    fn select(self, step: &Step) -> Option<Self> {
        step.select_in(self.part).map(|part| self.at(part))
    }

    fn elements(self) -> impl Iterator<Item = Self> {
        self.part.elements().map(move |part| self.at(part))
    }

    /// Of members with the same name, the last value counts, at the position of the first.
    fn each_member(self, visit: impl FnMut(Self) -> Flow<Self>) -> Flow<Self> {
        let taken = self.taken();
        let mut members = IndexMap::new();
        for (key, member) in self.part.members() {
            self.take(2 * size_of::<(Cow<'_, str>, Part<'_>, u64)>())?;
            members.insert(Key::name(&key), self.at(member));
        }
        members.into_values().try_for_each(visit)?;
        self.give_back(taken);
        Ok(())
    }

    /// The tree of only this part.
    fn value<'v>(self) -> Result<Cow<'v, Value>, String>
    where
        Self: 'v,
    {
        let tree = Tree::build(self.part, None, self.budget).map_err(|error| error.to_string())?;
        match tree.inexact.first() {
            Some(inexact) => Err(inexact.to_string()),
            None => Ok(Cow::Owned(tree.value)),
        }
    }

    fn string<'v>(self) -> Option<Cow<'v, str>>
    where
        Self: 'v,
    {
        self.part.string()
    }

    fn address(self) -> usize {
        self.part.text().as_ptr().addr()
    }

    fn take(self, bytes: usize) -> Result<(), String> {
        self.budget.take(bytes).map_err(|error| error.to_string())
    }

    fn taken(self) -> usize {
        self.budget.used()
    }

    fn give_back(self, taken: usize) {
        self.budget
            .give_back(self.budget.used().saturating_sub(taken));
    }

    fn weight(self) -> usize {
        self.part.text().len()
    }

    fn overdraw(self, bytes: usize) -> Result<(), String> {
        if self.budget.is_late() {
            return Err(LATE.to_owned());
        }
        match self.budget.read(bytes) {
            true => Ok(()),
            false => Err("the search takes too many steps for a response of this size".to_owned()),
        }
    }
}
