mod inside;
mod problems;
mod property;
mod scalars;
mod spans;

use super::*;
use serde_json::Value;

/// Reads a text that must have no problem.
fn ok(text: &str) -> Document {
    read(text, &Limits::default()).unwrap_or_else(|problems| panic!("{text:?}: {problems:#?}"))
}

/// Reads a text that must have problems.
fn bad(text: &str) -> Vec<Problem> {
    match read(text, &Limits::default()) {
        Ok(document) => panic!("{text:?} was read as {}", document.value),
        Err(problems) => problems,
    }
}

/// The pointer to a child.
fn child(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// Calls `visit` with the pointer and the value of every node.
fn each(value: &Value, pointer: &str, visit: &mut impl FnMut(&str, &Value)) {
    visit(pointer, value);
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                each(item, &child(pointer, &index.to_string()), visit);
            }
        }
        Value::Object(entries) => {
            for (name, value) in entries {
                each(value, &child(pointer, name), visit);
            }
        }
        _ => {}
    }
}

/// Numbers that hash and repeat: xorshift64*.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}
