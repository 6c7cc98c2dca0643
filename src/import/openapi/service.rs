//! The members of `service.yaml`, and of a service inside a tool's file.

use serde_json::{Map, Value, json};

use super::auth::Auth;
use super::server::Server;
use super::spec::Spec;
use super::text;
use crate::words::Name;

/// Longest description of a service.
const DESCRIPTION: usize = 500;

/// The service inside a tool's file, for an operation that has another server or another credential than the others.
pub(crate) fn inline(
    name: &Name,
    base_url: &Value,
    settings: &Map<String, Value>,
    auth: &Auth,
) -> Value {
    let mut service = Map::from_iter([
        ("service".to_owned(), json!(name.as_str())),
        ("base_url".to_owned(), base_url.clone()),
    ]);
    if !settings.is_empty() {
        service.insert("settings".into(), settings.clone().into());
    }
    if let Some(section) = &auth.section {
        service.insert("auth".into(), section.clone());
    }
    service.into()
}

/// The members of `service.yaml`.
pub(crate) fn descriptor(
    spec: &Spec,
    name: &Name,
    server: &Server,
    auth: &Auth,
) -> Map<String, Value> {
    let root = spec.root();
    let info = root.get("info");
    let mut service = Map::from_iter([
        ("spec".to_owned(), json!(1)),
        ("service".to_owned(), json!(name.as_str())),
    ]);
    let said = |key: &str| info.as_ref().and_then(|info| info.text(key));
    if let Some(title) = said("title") {
        service.insert("title".into(), text::one_line(title, 100).into());
    }
    if let Some(words) = said("summary").or(said("description")) {
        service.insert("description".into(), text::plain(words, DESCRIPTION).into());
    }
    if let Some(docs) = root.get("externalDocs").and_then(|docs| docs.text("url")) {
        service.insert("docs".into(), docs.into());
    }
    service.insert("base_url".into(), server.base_url.clone());
    if !server.settings.is_empty() {
        service.insert("settings".into(), server.settings.clone().into());
    }
    if let Some(section) = &auth.section {
        service.insert("auth".into(), section.clone());
    }
    service
}
