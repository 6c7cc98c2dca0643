//! Reading what is sound of a file with mistakes: a misspelt key counts as the key that was meant, a wrong value as absent,
//! and a missing one as if it had some value. Every mistake is reported, and the checks that follow know its place.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::FileSchema;
use super::shape::{Fault, Faults, report_shape, report_unread};
use crate::source::{Check, Moved, join, place_order};

/// How often a value is mended: each time may show further mistakes, such as those below a misspelt key.
const ROUNDS: usize = 8;

/// Reads the typed form. Mistakes go to `check`; `None` if not even the rest can be read.
pub(super) fn read<T: DeserializeOwned>(schema: &FileSchema, check: &Check) -> Option<T> {
    let source = check.source().clone();
    let mut mending = Mending {
        value: source.value().clone(),
        renamed: None,
        check,
    };
    for _ in 0..ROUNDS {
        let mut faults = Faults {
            only_below: mending.renamed.take(),
            ..Faults::default()
        };
        report_shape(schema, &mending.value, check, &mut faults);
        if faults.list.is_empty() {
            break;
        }
        mending.mend(faults.list)?;
    }
    for _ in 0..ROUNDS {
        match serde_path_to_error::deserialize::<_, T>(&mending.value) {
            Ok(spec) => return Some(spec),
            Err(error) => {
                let at = report_unread(&error, check);
                mending.drop_value(&at)?;
                let mut faults = Faults::default();
                let aside = Check::new(source.clone());
                report_shape(schema, &mending.value, &aside, &mut faults);
                mending.mend(faults.list)?;
            }
        }
    }
    None
}

struct Mending<'c> {
    value: Value,
    /// The values that got another key since the value was checked: only these may have mistakes that nobody knows.
    renamed: Option<Vec<String>>,
    check: &'c Check,
}

impl Mending<'_> {
    /// `None` when nothing is left.
    fn mend(&mut self, faults: Vec<Fault>) -> Option<()> {
        let mut renamed: Vec<String> = Vec::new();
        self.renamed = Some(Vec::new());
        let mut dropped: Vec<String> = Vec::new();
        for fault in &faults {
            if let Fault::Unknown { at, key, meant } = fault {
                match meant {
                    Some(meant) if self.rename(at, key, meant) => renamed.push(at.clone()),
                    _ => dropped.push(join(at, key)),
                }
            }
        }
        for fault in faults {
            match fault {
                Fault::Unknown { .. } => {}
                // The key may be the one that was misspelt. The next round tells.
                Fault::Missing { at, .. } | Fault::Choice { at } if renamed.contains(&at) => {}
                Fault::Missing { at, key } => {
                    let place = join(&at, &key);
                    match (stand_in(&place), self.value.pointer_mut(&at)) {
                        (Some(value), Some(Value::Object(members))) => {
                            members.insert(key, value);
                        }
                        _ => dropped.push(at),
                    }
                }
                Fault::Choice { at } | Fault::Bad { at } => dropped.push(at),
            }
        }
        // From the end, so that the places of the others stay what they are.
        dropped.sort_by_key(|place| std::cmp::Reverse(place_order(place)));
        dropped.dedup();
        dropped.iter().try_for_each(|place| self.drop_value(place))
    }

    /// Drops the value at a place, with its key.
    fn drop_value(&mut self, place: &str) -> Option<()> {
        let (parent, token) = place.rsplit_once('/')?;
        let name = token.replace("~1", "/").replace("~0", "~");
        let text = self.check.entry_span(place);
        self.check.note_broken_now(place, text);
        match self.value.pointer_mut(parent) {
            Some(Value::Object(members)) => {
                members.shift_remove(&name);
            }
            Some(Value::Array(items)) => {
                if let Ok(index) = name.parse::<usize>()
                    && index < items.len()
                {
                    items.remove(index);
                    self.check.note_moved(Moved::Item {
                        list: parent.to_owned(),
                        index,
                    });
                }
            }
            _ => {}
        }
        Some(())
    }

    /// Gives a value another key. False if that key is taken.
    fn rename(&mut self, at: &str, key: &str, meant: &str) -> bool {
        let Some(Value::Object(members)) = self.value.pointer_mut(at) else {
            return false;
        };
        if members.contains_key(meant) {
            return false;
        }
        *members = std::mem::take(members)
            .into_iter()
            .map(|(name, value)| match name == key {
                true => (meant.to_owned(), value),
                false => (name, value),
            })
            .collect::<Map<String, Value>>();
        self.renamed.get_or_insert_default().push(join(at, meant));
        self.check.note_moved(Moved::Value {
            now: join(at, meant),
            was: join(at, key),
        });
        true
    }
}

/// What a missing key has so that the rest can be checked. The checks know that it is missing.
fn stand_in(place: &str) -> Option<Value> {
    let inside = place.strip_prefix("/service/").map(|key| format!("/{key}"));
    Some(match inside.as_deref().unwrap_or(place) {
        "/spec" => json!(1),
        "/tool" | "/service" => json!("unknown"),
        "/description" => json!("-"),
        "/access" => json!("read"),
        "/request" => json!({ "method": "GET", "path": "/" }),
        "/request/method" => json!("GET"),
        "/request/path" => json!("/"),
        "/base_url" => json!("https://unknown.invalid"),
        _ => return None,
    })
}
