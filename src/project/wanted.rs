//! Which parts of a value a projection needs. One pass over the value's text finds all of them.

use crate::json::{Cursor, Key, Kind, Part, value_end};
use crate::jsonpath::Step;

/// The parts of a value that are needed.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// The slot for the value itself.
    slot: Option<usize>,
    members: Vec<(String, Wanted)>,
    /// The [`hint`] of each member's name, side by side.
    hints: Vec<u32>,
    elements: Vec<(usize, Wanted)>,
}

/// What a pass found.
#[derive(Debug, Default)]
pub(super) struct Found<'t> {
    slots: Vec<Option<Part<'t>>>,
    /// Whether a value is of another kind than the paths expect.
    pub is_odd: bool,
}

impl<'t> Found<'t> {
    /// The content of a slot.
    #[inline]
    pub(crate) fn get(&self, slot: usize) -> Option<Part<'t>> {
        self.slots.get(slot).copied().flatten()
    }

    /// Clears the slots for the next pass.
    #[inline]
    pub(crate) fn clear(&mut self, slots: usize) {
        self.slots.clear();
        self.slots.resize(slots, None);
        self.is_odd = false;
    }
}

impl Wanted {
    /// Adds the value that these steps lead to. Returns the slot, and how many of the steps lead to the value in it: an
    /// index from the end of an array is only known at its end.
    pub(crate) fn add(&mut self, steps: &[Step], slots: &mut usize) -> (usize, usize) {
        let mut wanted = self;
        let mut followed = 0;
        for step in steps {
            wanted = match step {
                Step::Name(name) => {
                    let Wanted { members, hints, .. } = wanted;
                    if members.iter().all(|(known, _)| known != name) {
                        hints.push(hint(name.as_bytes()));
                    }
                    entry(members, name)
                }
                Step::Index(index) => match usize::try_from(*index) {
                    Ok(index) => entry(&mut wanted.elements, &index),
                    Err(_) => break,
                },
            };
            followed += 1;
        }
        let slot = *wanted.slot.get_or_insert_with(|| {
            *slots += 1;
            *slots - 1
        });
        (slot, followed)
    }

    /// Finds the needed parts of a value.
    pub(crate) fn find_in<'t>(&self, part: Part<'t>, found: &mut Found<'t>) {
        let (text, places) = (part.text(), part.places());
        if places.is_empty() || self.is_leaf() {
            self.find_known(text, 0, text.len(), found);
            return;
        }
        for place in places {
            let mut members = self.members.iter();
            if let Some((_, wanted)) = members.find(|(name, _)| place.is(text, name)) {
                let (start, end) = place.value();
                wanted.forget(found);
                wanted.find_known(text, start, end, found);
            }
        }
        found.is_odd |= !self.elements.is_empty();
        self.keep(Part::between(text, 0, text.len()), found);
    }

    /// [`Wanted::find`] for a value whose end is known.
    fn find_known<'t>(&self, text: &'t [u8], at: usize, end: usize, found: &mut Found<'t>) {
        if !self.is_leaf() {
            self.look_inside(text, at, found);
        }
        self.keep(Part::between(text, at, end), found);
    }

    /// Whether nothing of what is inside is needed.
    fn is_leaf(&self) -> bool {
        self.members.is_empty() && self.elements.is_empty()
    }

    fn keep<'t>(&self, part: Part<'t>, found: &mut Found<'t>) {
        if let Some(slot) = self.slot
            && let Some(slot) = found.slots.get_mut(slot)
        {
            *slot = Some(part);
        }
    }

    /// Finds the needed parts of the value that begins at `at`; returns the value's end.
    #[inline]
    pub(crate) fn find<'t>(&self, text: &'t [u8], at: usize, found: &mut Found<'t>) -> usize {
        let end = match self.is_leaf() {
            true => value_end(text, at),
            false => self.look_inside(text, at, found),
        };
        self.keep(Part::between(text, at, end), found);
        end
    }

    fn look_inside<'t>(&self, text: &'t [u8], at: usize, found: &mut Found<'t>) -> usize {
        let (kind, end) = match text.get(at) {
            Some(b'{') => (Kind::Object, self.find_members(text, at, found)),
            Some(b'[') => (Kind::Array, self.find_elements(text, at, found)),
            Some(b'n') => return value_end(text, at),
            _ => (Kind::String, value_end(text, at)),
        };
        let lacks_members = kind != Kind::Object && !self.members.is_empty();
        let lacks_elements = kind != Kind::Array && !self.elements.is_empty();
        found.is_odd |= lacks_members || lacks_elements;
        end
    }

    fn find_members<'t>(&self, text: &'t [u8], at: usize, found: &mut Found<'t>) -> usize {
        let mut cursor = Cursor::enter(text, at);
        while let Some((key, start)) = cursor.next_member() {
            let end = match self.member(&key) {
                Some(wanted) => {
                    // If several members have the same name, the last one counts.
                    wanted.forget(found);
                    wanted.find(text, start, found)
                }
                None => value_end(text, start),
            };
            cursor.go_on(end);
        }
        cursor.at()
    }

    /// The needed member with this key.
    #[inline]
    fn member(&self, key: &Key<'_>) -> Option<&Wanted> {
        let Some(plain) = key.plain() else {
            let mut members = self.members.iter();
            return members
                .find(|(name, _)| key.is(name))
                .map(|(_, wanted)| wanted);
        };
        let own = hint(plain);
        let mut known = self.hints.iter().zip(&self.members);
        let found = known.find(|(hint, (name, _))| **hint == own && plain == name.as_bytes());
        found.map(|(_, (_, wanted))| wanted)
    }

    fn find_elements<'t>(&self, text: &'t [u8], at: usize, found: &mut Found<'t>) -> usize {
        let mut cursor = Cursor::enter(text, at);
        let mut index = 0;
        while let Some(start) = cursor.next() {
            let wanted = self.elements.iter().find(|(own, _)| *own == index);
            let end = match wanted {
                Some((_, wanted)) => wanted.find(text, start, found),
                None => value_end(text, start),
            };
            cursor.go_on(end);
            index += 1;
        }
        cursor.at()
    }

    fn forget(&self, found: &mut Found<'_>) {
        if let Some(slot) = self.slot
            && let Some(slot) = found.slots.get_mut(slot)
        {
            *slot = None;
        }
        self.members
            .iter()
            .for_each(|(_, inner)| inner.forget(found));
        self.elements
            .iter()
            .for_each(|(_, inner)| inner.forget(found));
    }
}

/// What tells most names apart: the length, and the first and the last byte.
#[inline]
fn hint(name: &[u8]) -> u32 {
    let byte = |byte: Option<&u8>| u32::from(byte.copied().unwrap_or_default());
    (name.len() as u32) << 16 | byte(name.first()) << 8 | byte(name.last())
}

fn entry<'w, K: PartialEq + Clone>(list: &'w mut Vec<(K, Wanted)>, key: &K) -> &'w mut Wanted {
    let at = match list.iter().position(|(known, _)| known == key) {
        Some(at) => at,
        None => {
            list.push((key.clone(), Wanted::default()));
            list.len() - 1
        }
    };
    &mut list[at].1
}
