//! The values that expressions see.

use minijinja::value::Value as JinjaValue;
use serde_json::Value;

use crate::json::member;

/// The values that expressions see, by name.
pub trait Scope {
    /// The JSON value with this name; `None` if it is absent.
    fn json(&self, name: &str) -> Option<&Value>;

    /// A value that only expressions can use, because JSON cannot hold it.
    fn native(&self, _name: &str) -> Option<JinjaValue> {
        None
    }
}

/// Params and settings, from which a request is rendered.
pub struct CallScope<'a> {
    /// The validated arguments, as `params` and each by its own name.
    pub params: &'a Value,
    /// The service's settings, as `settings`.
    pub settings: &'a Value,
}

impl Scope for CallScope<'_> {
    fn json(&self, name: &str) -> Option<&Value> {
        let own = match self.params {
            Value::Object(params) => member(params, name),
            _ => None,
        };
        match own {
            Some(value) => Some(value),
            None if name == "params" => Some(self.params),
            None if name == "settings" => Some(self.settings),
            None => None,
        }
    }
}
