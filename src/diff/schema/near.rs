//! The limits of another schema, at which two schemas may differ.

use serde_json::Value;

/// What another schema has limits at.
#[derive(Debug, Default)]
pub(super) struct Near {
    /// The names of its members.
    pub(super) names: Vec<String>,
    /// Its limits.
    pub(super) numbers: Vec<f64>,
}

impl Near {
    /// The most of each.
    const MOST: usize = 24;
    /// How deep a schema is looked through.
    const DEEPEST: usize = 20;

    /// What a schema has.
    pub(super) fn of(schema: &Value) -> Near {
        let mut near = Near::default();
        near.gather(schema, 0);
        near
    }

    fn gather(&mut self, schema: &Value, depth: usize) {
        if depth > Near::DEEPEST {
            return;
        }
        match schema {
            Value::Object(members) => {
                for (key, member) in members {
                    if let ("properties", Value::Object(named)) = (key.as_str(), member) {
                        for name in named.keys() {
                            if self.names.len() < Near::MOST && !self.names.contains(name) {
                                self.names.push(name.clone());
                            }
                        }
                    }
                    let is_limit = key.starts_with("min") || key.starts_with("max");
                    if let Some(limit) = member.as_f64().filter(|_| is_limit)
                        && self.numbers.len() < Near::MOST
                        && !self.numbers.contains(&limit)
                    {
                        self.numbers.push(limit);
                    }
                    self.gather(member, depth + 1);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.gather(item, depth + 1)),
            _ => {}
        }
    }

    /// Lengths just below and above the other schema's limits.
    pub(super) fn lengths(&self) -> impl Iterator<Item = u64> + '_ {
        let whole = self.numbers.iter().filter(|n| (0.0..1e6).contains(*n));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is small and not negative"
        )]
        whole.flat_map(|n| [(*n as u64).saturating_sub(1), *n as u64 + 1])
    }
}
