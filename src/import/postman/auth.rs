//! The credential of a saved request. Its value is never read: a descriptor names where the user keeps it.

use serde_json::{Map, Value, json};

use super::text;

/// A credential.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Auth {
    /// The one of the folder.
    Inherited,
    /// None.
    None,
    /// A security scheme of OpenAPI, with its name.
    Scheme(&'static str, Value),
    /// One that is not supported.
    Unsupported(String),
}

impl Auth {
    /// Reads an `auth` section, or the headers that carry a credential.
    pub(super) fn of(section: Option<&Value>, headers: &[(String, String, bool)]) -> Auth {
        let section = section.filter(|section| section.is_object());
        match section.and_then(|section| Some((section, text(section, "type")?))) {
            Some((section, kind)) => Auth::of_kind(section, kind),
            None => Auth::in_headers(headers),
        }
    }

    fn of_kind(section: &Value, kind: &str) -> Auth {
        match kind {
            "noauth" => Auth::None,
            "bearer" => Auth::bearer(),
            "basic" => Auth::basic(),
            "oauth2" => Auth::Scheme(
                "oauth2",
                json!({ "type": "oauth2", "flows": { "authorizationCode": {} } }),
            ),
            "apikey" => {
                let said = |key: &str| attribute(section.get("apikey"), key);
                let place = said("in").unwrap_or_else(|| "header".to_owned());
                match said("key").filter(|name| !name.contains("{{")) {
                    Some(name) => Auth::key(&name, &place),
                    None => Auth::Unsupported("an API key without a name".to_owned()),
                }
            }
            other => Auth::Unsupported(other.to_owned()),
        }
    }

    /// A header whose name says that it carries a credential.
    fn in_headers(headers: &[(String, String, bool)]) -> Auth {
        for (name, value, is_on) in headers {
            let lower = name.to_ascii_lowercase();
            if !is_on || value.is_empty() {
                continue;
            }
            if lower == "authorization" {
                let scheme = value.split_whitespace().next().unwrap_or_default();
                return match scheme.to_ascii_lowercase().as_str() {
                    "bearer" => Auth::bearer(),
                    "basic" => Auth::basic(),
                    _ => Auth::key(name, "header"),
                };
            }
            if super::url::is_secret_name(name) {
                return Auth::key(name, "header");
            }
        }
        Auth::Inherited
    }

    fn bearer() -> Auth {
        Auth::Scheme("bearer", json!({ "type": "http", "scheme": "bearer" }))
    }

    fn basic() -> Auth {
        Auth::Scheme("basic", json!({ "type": "http", "scheme": "basic" }))
    }

    fn key(name: &str, place: &str) -> Auth {
        Auth::Scheme(
            "apikey",
            json!({ "type": "apiKey", "in": place, "name": name }),
        )
    }

    /// This credential, or the folder's if this one says nothing.
    pub(super) fn or(self, folder: &Auth) -> Auth {
        match self {
            Auth::Inherited => folder.clone(),
            own => own,
        }
    }

    /// This credential, or else the one in this parameter of the query.
    pub(super) fn or_in_query(self, name: Option<&str>) -> Auth {
        match (self, name) {
            (Auth::Inherited, Some(name)) => Auth::key(name, "query"),
            (own, _) => own,
        }
    }

    /// Why it cannot be used.
    pub(super) fn problem(&self) -> Option<String> {
        match self {
            Auth::Unsupported(kind) => Some(format!(
                "the credential `{kind}` is not supported; it is left out"
            )),
            _ => None,
        }
    }

    /// Whether it fills this header.
    pub(super) fn owns_header(&self, name: &str) -> bool {
        match self {
            Auth::Scheme("apikey", scheme) => {
                text(scheme, "name").is_some_and(|own| own.eq_ignore_ascii_case(name))
            }
            Auth::Inherited | Auth::None => false,
            _ => name.eq_ignore_ascii_case("authorization"),
        }
    }

    /// The security requirement of an operation. The scheme is added to the document's.
    pub(super) fn requirement(&self, schemes: &mut Map<String, Value>) -> Value {
        let Auth::Scheme(name, scheme) = self else {
            return json!([]);
        };
        let known = schemes.iter().find(|(_, known)| *known == scheme);
        let name = match known {
            Some((name, _)) => name.clone(),
            None => {
                let free = |name: &String| !schemes.contains_key(name);
                let name = std::iter::once((*name).to_owned())
                    .chain((2..).map(|i| format!("{name}{i}")))
                    .find(free)
                    .unwrap_or_default();
                schemes.insert(name.clone(), scheme.clone());
                name
            }
        };
        json!([{ name: [] }])
    }
}

/// An attribute of an auth kind: a list of key and value in v2.1, a map in v2.0.
fn attribute(attributes: Option<&Value>, wanted: &str) -> Option<String> {
    let value = match attributes? {
        Value::Array(list) => list
            .iter()
            .find(|one| text(one, "key") == Some(wanted))?
            .get("value"),
        map => map.get(wanted),
    };
    let text = super::url::text_of(value);
    (!text.is_empty()).then_some(text)
}
