//! Changes that are accepted, with the reason.
//!
//! An entry of `allow` in the new version accepts the change that it comes with. One that the old version has too accepted an
//! earlier change: else it would accept every later one unseen.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::change::Change;
use super::side::Loaded;
use crate::source::{Code, Finding, Severity, Source, join};

/// A change that is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Accepted {
    /// What kind of change.
    pub code: Code,
    /// The service or the tool; any when absent.
    pub place: Option<String>,
    /// Why.
    pub reason: String,
}

impl std::str::FromStr for Accepted {
    type Err = String;

    fn from_str(text: &str) -> Result<Accepted, String> {
        let (what, reason) = text
            .split_once('=')
            .filter(|(_, reason)| !reason.trim().is_empty())
            .ok_or("write CODE=REASON, or 'CODE SERVICE/TOOL=REASON'")?;
        let (name, place) = match what.trim().split_once(' ') {
            Some((name, place)) => (name, Some(place.trim().to_owned())),
            None => (what.trim(), None),
        };
        let code = Code::from_name(name).filter(|code| code.is_change());
        Ok(Accepted {
            code: code.ok_or_else(|| format!("`{name}` is no code of a change"))?,
            place,
            reason: reason.trim().to_owned(),
        })
    }
}

/// An entry of `allow` in a file of the new version.
struct Entry {
    code: Code,
    /// What stands behind the code.
    what: String,
    reason: String,
    key: String,
    source: Arc<Source>,
    /// The pointer to the map that holds it.
    at: String,
    /// The tool whose file it is in; `None` for a service or another file.
    tool: Option<String>,
    /// The service, or the file.
    service: String,
    /// Whether the old version has it too.
    is_old: bool,
}

impl Entry {
    fn means(&self, change: &Change) -> bool {
        if self.code != change.code || self.service != change.service {
            return false;
        }
        let is_what = |what: &str| what.is_empty() || what == change.what;
        match (&self.tool, &change.tool) {
            (Some(own), Some(tool)) => own == tool && is_what(&self.what),
            (Some(_), None) => false,
            // A service speaks about a tool by its name.
            (None, Some(tool)) => {
                let rest = self.what.strip_prefix(tool.as_str());
                rest.is_some_and(|rest| match rest.strip_prefix(' ') {
                    Some(what) => is_what(what),
                    None => rest.is_empty(),
                })
            }
            (None, None) => is_what(&self.what),
        }
    }
}

/// Notes which changes are accepted, and gives the entries that accept none.
pub(super) fn apply(
    changes: &mut [Change],
    old: &Loaded,
    new: &Loaded,
    accepted: &[Accepted],
) -> Vec<Finding> {
    let entries = entries(old, new);
    let mut used = vec![false; entries.len()];
    for change in changes.iter_mut() {
        let place = change.place();
        let given = accepted.iter().find(|accepted| {
            let own = accepted.place.as_ref();
            accepted.code == change.code
                && own.is_none_or(|own| *own == place || *own == change.service)
        });
        change.accepted = given.map(|given| given.reason.clone());
        for (entry, used) in entries.iter().zip(&mut used) {
            if !entry.means(change) {
                continue;
            }
            *used = true;
            match entry.is_old {
                true => {
                    change.hint = Some(format!(
                        "`allow` has `{}` for an earlier change; give a new reason to accept this one",
                        entry.key
                    ));
                }
                false => change.accepted = Some(entry.reason.clone()),
            }
        }
    }
    let idle = entries
        .iter()
        .zip(used)
        .filter(|(entry, used)| !used && !entry.is_old);
    idle.map(|(entry, _)| Finding {
        code: Code::NeedlessAllow,
        severity: Severity::Warning,
        message: format!("no change `{}` occurs here", entry.key),
        help: None,
        span: entry.source.key_span(&join(&entry.at, &entry.key)),
        source: Arc::clone(&entry.source),
    })
    .collect()
}

fn entries(old: &Loaded, new: &Loaded) -> Vec<Entry> {
    let mut found = Vec::new();
    for (name, at) in &new.tools {
        let tool = &at.thing;
        let known = old.tools.get(name).map(|at| at.thing.source.value());
        let own = tool.source.value();
        let owner = (Some(tool.name.as_str()), tool.service());
        add(&tool.source, "", own, known, owner, &mut found);
        // A service inside of a tool's file.
        if let Some(service) = own.get("service").filter(|service| service.is_object()) {
            let known = known.and_then(|known| known.get("service"));
            let owner = (None, tool.service());
            add(&tool.source, "/service", service, known, owner, &mut found);
        }
    }
    for (name, at) in &new.services {
        let known = old.services.get(name).map(|at| at.thing.spec());
        let service = &at.thing;
        let owner = (None, name.as_str());
        add(
            service.source(),
            "",
            service.spec(),
            known,
            owner,
            &mut found,
        );
    }
    for (path, (_, source)) in &new.others {
        let known = old.others.get(path).map(|(_, source)| source.value());
        let path = path.display().to_string();
        add(source, "", source.value(), known, (None, &path), &mut found);
    }
    found
}

fn add(
    source: &Arc<Source>,
    at: &str,
    value: &Value,
    known: Option<&Value>,
    (tool, service): (Option<&str>, &str),
    found: &mut Vec<Entry>,
) {
    let map = |value: &Value| -> Map<String, Value> {
        let allow = value.get("allow").and_then(Value::as_object);
        allow.cloned().unwrap_or_default()
    };
    let known = known.map(map).unwrap_or_default();
    for (key, reason) in map(value) {
        let (name, what) = key.split_once(' ').unwrap_or((&key, ""));
        let Some(code) = Code::from_name(name).filter(|code| code.is_change()) else {
            continue;
        };
        found.push(Entry {
            code,
            what: what.trim().to_owned(),
            is_old: known.get(&key) == Some(&reason),
            reason: reason.as_str().unwrap_or_default().to_owned(),
            key,
            source: Arc::clone(source),
            at: join(at, "allow"),
            tool: tool.map(str::to_owned),
            service: service.to_owned(),
        });
    }
}
