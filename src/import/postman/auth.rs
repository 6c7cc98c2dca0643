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
    /// Security schemes of OpenAPI that are sent together, each with a name.
    Schemes(Vec<(String, Value)>),
    /// One that is not supported.
    Unsupported(String),
}

impl Auth {
    /// Reads an `auth` section, and the headers that carry a credential.
    pub(super) fn of(section: Option<&Value>, headers: &[(String, String, bool)]) -> Auth {
        let section = section.filter(|section| section.is_object());
        let own = match section.and_then(|section| Some((section, text(section, "type")?))) {
            Some((section, kind)) => Auth::of_kind(section, kind),
            None => Auth::Inherited,
        };
        let found = Auth::in_headers(headers);
        match own {
            Auth::Inherited if found.is_empty() => Auth::Inherited,
            Auth::Inherited | Auth::None => Auth::of_schemes(found),
            Auth::Schemes(schemes) => {
                let is_free = |(_, scheme): &(String, Value)| {
                    let name = text(scheme, "name").unwrap_or("authorization");
                    !schemes.iter().any(|(_, known)| owns(known, name))
                };
                let more: Vec<_> = found.into_iter().filter(is_free).collect();
                Auth::of_schemes(schemes.into_iter().chain(more).collect())
            }
            Auth::Unsupported(_) => own,
        }
    }

    fn of_schemes(schemes: Vec<(String, Value)>) -> Auth {
        match schemes.is_empty() {
            true => Auth::None,
            false => Auth::Schemes(schemes),
        }
    }

    fn of_kind(section: &Value, kind: &str) -> Auth {
        let said = |key: &str| attribute(section.get(kind), key);
        let one = |scheme| Auth::Schemes(vec![scheme]);
        match kind {
            "noauth" => Auth::None,
            "bearer" => one(bearer()),
            "basic" => {
                let is_empty = is_given(section.get(kind), "password")
                    && said("password").is_none()
                    && said("username").is_some();
                one(basic(
                    is_empty || said("without_password").as_deref() == Some("true"),
                ))
            }
            "oauth2" if said("addTokenTo").as_deref() == Some("queryParams") => {
                one(key("access_token", "query", None))
            }
            "oauth2" => {
                let has_client = said("grant_type").as_deref() == Some("client_credentials");
                let token_url = said("accessTokenUrl").filter(|url| !url.contains("{{"));
                let flows = match token_url.filter(|_| has_client) {
                    Some(url) => json!({ "clientCredentials": { "tokenUrl": url } }),
                    None => json!({ "authorizationCode": {} }),
                };
                let scheme = json!({ "type": "oauth2", "flows": flows });
                one(("oauth2".to_owned(), scheme))
            }
            "apikey" => {
                let place = said("in").unwrap_or_else(|| "header".to_owned());
                match said("key").filter(|name| !name.contains("{{")) {
                    Some(name) => one(key(&name, &place, None)),
                    None => Auth::Unsupported("an API key without a name".to_owned()),
                }
            }
            other => Auth::Unsupported(other.to_owned()),
        }
    }

    /// The credentials in headers whose names say so.
    fn in_headers(headers: &[(String, String, bool)]) -> Vec<(String, Value)> {
        let sent = headers
            .iter()
            .filter(|(_, value, is_on)| *is_on && !value.is_empty());
        sent.filter_map(|(name, value, _)| {
            if name.eq_ignore_ascii_case("authorization") {
                return Some(authorization(name, value));
            }
            super::url::is_secret_name(name).then(|| key(name, "header", None))
        })
        .collect()
    }

    /// This credential, or the folder's if this one says nothing.
    pub(super) fn or(self, folder: &Auth) -> Auth {
        match self {
            Auth::Inherited => folder.clone(),
            own => own,
        }
    }

    /// This credential, and those in these parameters of the query.
    pub(super) fn and_in_query(self, names: &[&str]) -> Auth {
        let found = names.iter().map(|name| key(name, "query", None));
        match self {
            own if names.is_empty() => own,
            Auth::Unsupported(_) => self,
            Auth::Schemes(schemes) => {
                let is_free = |(_, scheme): &(String, Value)| {
                    let is_same = |known: &Value| {
                        known.get("in") == scheme.get("in")
                            && known.get("name") == scheme.get("name")
                    };
                    !schemes.iter().any(|(_, known)| is_same(known))
                };
                let more: Vec<_> = found.filter(is_free).collect();
                Auth::Schemes(schemes.into_iter().chain(more).collect())
            }
            Auth::Inherited | Auth::None => Auth::Schemes(found.collect()),
        }
    }

    /// This credential, and the user that the URL names.
    pub(super) fn and_user(self, has_user: bool) -> Auth {
        match self {
            Auth::Inherited | Auth::None if has_user => Auth::Schemes(vec![basic(false)]),
            own => own,
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
            Auth::Schemes(schemes) => schemes.iter().any(|(_, scheme)| owns(scheme, name)),
            Auth::Inherited | Auth::None => false,
            Auth::Unsupported(_) => name.eq_ignore_ascii_case("authorization"),
        }
    }

    /// The security requirement of an operation. The scheme is added to the document's.
    pub(super) fn requirement(&self, schemes: &mut Map<String, Value>) -> Value {
        let Auth::Schemes(own) = self else {
            return json!([]);
        };
        let mut names = Map::new();
        for (name, scheme) in own {
            let known = schemes.iter().find(|(_, known)| *known == scheme);
            let name = match known {
                Some((name, _)) => name.clone(),
                None => {
                    let free = |name: &String| !schemes.contains_key(name);
                    let name = std::iter::once(name.clone())
                        .chain((2..).map(|i| format!("{name}{i}")))
                        .find(free)
                        .unwrap_or_default();
                    schemes.insert(name.clone(), scheme.clone());
                    name
                }
            };
            names.insert(name, json!([]));
        }
        json!([names])
    }
}

/// Whether a scheme fills this header.
fn owns(scheme: &Value, name: &str) -> bool {
    match text(scheme, "type") {
        Some("apiKey") => {
            text(scheme, "in") == Some("header")
                && text(scheme, "name").is_some_and(|own| own.eq_ignore_ascii_case(name))
        }
        _ => name.eq_ignore_ascii_case("authorization"),
    }
}

fn bearer() -> (String, Value) {
    let scheme = json!({ "type": "http", "scheme": "bearer" });
    ("bearer".to_owned(), scheme)
}

fn basic(has_no_password: bool) -> (String, Value) {
    let mut scheme = json!({ "type": "http", "scheme": "basic" });
    if has_no_password {
        scheme["x-without-password"] = true.into();
    }
    ("basic".to_owned(), scheme)
}

/// A key, named for its header or parameter.
fn key(name: &str, place: &str, prefix: Option<&str>) -> (String, Value) {
    let mut words = crate::import::openapi::words_of(name);
    words.retain(|word| !["x", "api", "key", "apikey"].contains(&word.as_str()));
    let called = match words.as_slice() {
        [] => "apikey".to_owned(),
        words => words.join("-"),
    };
    let mut scheme = json!({ "type": "apiKey", "in": place, "name": name });
    if let Some(prefix) = prefix {
        scheme["x-prefix"] = prefix.into();
    }
    (called, scheme)
}

/// The credential in the header `authorization`: its kind stands before it.
fn authorization(name: &str, value: &str) -> (String, Value) {
    let (kind, credential) = value.trim().split_once(' ').unwrap_or((value, ""));
    match kind.to_ascii_lowercase().as_str() {
        "bearer" => return bearer(),
        "basic" => return basic(has_no_password(credential)),
        _ => {}
    }
    let is_word = kind.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let is_whole = !credential.is_empty() && !credential.trim().contains([' ', ',', '"']);
    let prefix = Some(kind).filter(|_| is_word && is_whole);
    key(name, "header", prefix)
}

/// Whether the text of a basic credential ends with the colon behind the user.
fn has_no_password(credential: &str) -> bool {
    use base64::Engine as _;
    let decoded = base64::engine::general_purpose::STANDARD.decode(credential.trim());
    decoded.is_ok_and(|bytes| bytes.ends_with(b":"))
}

/// Whether an auth kind has an attribute, if only an empty one.
fn is_given(attributes: Option<&Value>, wanted: &str) -> bool {
    match attributes {
        Some(Value::Array(list)) => list.iter().any(|one| text(one, "key") == Some(wanted)),
        Some(map) => map.get(wanted).is_some(),
        None => false,
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
