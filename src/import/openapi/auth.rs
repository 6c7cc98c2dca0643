//! Turns security schemes into `auth` sections.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::names::{variable_name, words};
use super::operation::Operation;
use super::parameters::is_header_name;
use super::server::{Server, with_https};
use super::spec::{Part, Spec};
use super::text;
use crate::import::report::{Losses, What};
use crate::source::join;
use crate::words::Name;

/// The security schemes of a document.
#[derive(Debug)]
pub(crate) struct Schemes<'s> {
    schemes: Vec<(&'s str, Part<'s>)>,
    /// The security requirements of operations that have none themselves.
    global: Option<Part<'s>>,
    service: &'s Name,
    server: &'s Server,
}

/// The names of schemes whose credentials are sent together.
type Requirement = Vec<String>;

/// The rank of a cookie, the last of all.
const COOKIE: u32 = 100;

/// The preference among schemes: the smaller, the easier without a person who logs in. `None` if it is not supported.
fn rank(scheme: &Part<'_>) -> Option<u32> {
    let kind = scheme.text("type")?.to_ascii_lowercase();
    match kind.as_str() {
        "http" => match scheme.text("scheme")?.to_ascii_lowercase().as_str() {
            "bearer" => Some(1),
            "basic" => Some(3),
            _ => None,
        },
        "apikey" => match (scheme.text("in")?, scheme.text("name")?) {
            ("header", name) => is_header_name(name).then_some(2),
            ("query", _) => Some(4),
            // Mostly a session that a person began in a browser.
            ("cookie", name) => is_header_name(name).then_some(COOKIE),
            _ => None,
        },
        "oauth2" => {
            let has_own_flow = scheme
                .map("flows")
                .is_some_and(|flows| flows.contains_key("clientCredentials"));
            Some(if has_own_flow { 5 } else { 6 })
        }
        "openidconnect" => Some(7),
        _ => None,
    }
}

impl<'s> Schemes<'s> {
    /// The schemes of a document.
    pub(crate) fn of(spec: &'s Spec, service: &'s Name, server: &'s Server) -> Schemes<'s> {
        let root = spec.root();
        let schemes = root
            .get("components")
            .and_then(|components| components.get("securitySchemes"));
        Schemes {
            schemes: schemes
                .into_iter()
                .flat_map(|schemes| schemes.members())
                .filter_map(|(name, part)| Some((name, spec.resolve(&part).ok()?)))
                .collect(),
            global: root.get("security"),
            service,
            server,
        }
    }

    fn get(&self, name: &str) -> Option<&Part<'s>> {
        self.schemes
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, part)| part)
    }

    /// The place of a scheme among those of the document, which orders the schemes of a requirement.
    fn place_of(&self, name: &str) -> usize {
        let place = self.schemes.iter().position(|(known, _)| *known == name);
        place.unwrap_or(usize::MAX)
    }

    /// The security requirements of an operation, any one of which is enough; `None` if the document has none.
    fn requirements(&self, operation: &Operation<'s>) -> Option<(Part<'s>, Vec<Requirement>)> {
        let own = operation.part.get("security");
        let security = own
            .or(self.global.clone())
            .filter(|security| security.value.is_array())?;
        let requirements = security
            .items()
            .map(|one| {
                let mut names: Requirement =
                    one.members().map(|(name, _)| name.to_owned()).collect();
                names.sort_by_key(|name| self.place_of(name));
                names
            })
            .collect();
        Some((security, requirements))
    }

    /// How good a requirement is: how many of its schemes are not supported, and the sum of the ranks of the others.
    /// `None` if none is supported.
    fn cost(&self, requirement: &Requirement) -> Option<(usize, u32)> {
        let ranks = requirement.iter().map(|name| rank(self.get(name)?));
        let (known, unknown): (Vec<_>, Vec<_>) = ranks.partition(Option::is_some);
        let sum = known.iter().flatten().sum();
        (!known.is_empty()).then_some((unknown.len(), sum))
    }

    /// Whether no operation names a scheme.
    fn says_nothing(&self, operations: &[Operation<'s>]) -> bool {
        operations
            .iter()
            .all(|one| self.requirements(one).is_none())
    }

    /// Chooses the credentials that most operations take.
    pub(crate) fn choose(&self, operations: &[Operation<'s>], losses: &Losses) -> Auth {
        if self.schemes.is_empty() {
            let message = "the document describes no credential; if the service needs one, add it to service.yaml";
            losses.note(What::Auth, "", message);
            return Auth::default();
        }
        let mut counts: BTreeMap<Requirement, usize> = BTreeMap::new();
        for (_, requirements) in operations.iter().filter_map(|one| self.requirements(one)) {
            for requirement in requirements {
                if self.cost(&requirement).is_some() {
                    *counts.entry(requirement).or_default() += 1;
                }
            }
        }
        let asked = counts
            .into_iter()
            .min_by_key(|(names, count)| {
                let (unsupported, sum) = self.cost(names).unwrap_or_default();
                (unsupported, sum >= COOKIE, Reverse(*count), sum)
            })
            .map(|(names, _)| names);
        // If a document lists schemes and no operation names one, any supported scheme is taken to work.
        let is_silent = self.says_nothing(operations);
        let listed = || {
            let ranked = self.schemes.iter();
            let (_, name) = ranked
                .filter_map(|(name, part)| Some((rank(part)?, name)))
                .min()?;
            Some(vec![(*name).to_owned()])
        };
        let chosen = asked.or_else(|| if is_silent { listed() } else { None });
        for (name, part) in &self.schemes {
            if rank(part).is_none() {
                let message = format!("the scheme `{name}` is not supported");
                losses.note(What::Auth, &part.pointer, message);
            } else if chosen.is_none() {
                let message = format!("the scheme `{name}` is not used by any operation");
                losses.note(What::Auth, &part.pointer, message);
            }
        }
        let Some(names) = chosen else {
            return Auth::default();
        };
        if is_silent {
            let message = format!(
                "no operation says whether it needs a credential; {} is sent with all",
                shown(&names)
            );
            losses.note(What::Auth, "/components/securitySchemes", message);
        }
        let takers = operations.iter().filter_map(|one| self.requirements(one));
        let mut takers = takers.filter(|(_, all)| all.contains(&names)).peekable();
        let is_optional = takers.peek().is_some() && takers.all(|(_, all)| may_go_without(&all));
        let main = names.clone();
        Auth {
            is_silent,
            ..self.auth_of(names, &main, is_optional, losses)
        }
    }

    /// The credentials of an operation that does not take those of the service; `None` if it does. They may be none.
    pub(crate) fn own_auth(
        &self,
        main: &Auth,
        operation: &Operation<'s>,
        losses: &Losses,
    ) -> Option<Auth> {
        let Some((security, requirements)) = self.requirements(operation) else {
            if main.section.is_some() && !main.is_silent {
                let message = "the document names no credential for it; the service's is sent";
                losses.note(What::Auth, "/paths", message);
            }
            return None;
        };
        let goes_without = may_go_without(&requirements);
        let mut asked = requirements.iter().filter(|names| !names.is_empty());
        let without_any = || main.section.is_some().then(Auth::default);
        if asked.clone().next().is_none() {
            return without_any();
        }
        let supported = asked
            .clone()
            .filter_map(|names| Some((self.cost(names)?, names)));
        let best = match asked.find(|names| **names == main.schemes) {
            Some(names) => Some(names),
            None => supported.min().map(|(_, names)| names),
        };
        let Some(names) = best else {
            let wanted: Vec<String> = requirements
                .iter()
                .filter(|names| !names.is_empty())
                .map(|names| names.join(" and "))
                .collect();
            let message = format!(
                "it needs {}, which is not supported; no credential is sent",
                wanted.join(", or ")
            );
            losses.note(What::Auth, &security.pointer, message);
            return without_any();
        };
        self.note_others(names, &requirements, &security, losses);
        match *names == main.schemes && goes_without == main.is_optional {
            true => None,
            false => Some(self.auth_of(names.clone(), &main.schemes, goes_without, losses)),
        }
    }

    /// Notes the credentials that an operation takes as well.
    fn note_others(
        &self,
        chosen: &Requirement,
        all: &[Requirement],
        security: &Part<'_>,
        losses: &Losses,
    ) {
        let others = all
            .iter()
            .filter(|names| !names.is_empty() && *names != chosen);
        for names in others {
            let place = names.iter().find_map(|name| self.get(name));
            let pointer = place.map_or(&security.pointer, |part| &part.pointer);
            let message = format!(
                "{} is sent; {} would do as well",
                shown(chosen),
                shown(names)
            );
            losses.note(What::Auth, pointer, message);
        }
    }

    /// The credentials of these schemes. `main` are the schemes of the service.
    fn auth_of(
        &self,
        names: Requirement,
        main: &Requirement,
        is_optional: bool,
        losses: &Losses,
    ) -> Auth {
        let mut auth = Auth::default();
        let mut kinds: Vec<Value> = Vec::new();
        for name in &names {
            let Some(part) = self.get(name).filter(|part| rank(part).is_some()) else {
                let message = format!(
                    "{} is sent without `{name}`, which is not supported",
                    shown(&names)
                );
                losses.note(What::Auth, "/components/securitySchemes", message);
                continue;
            };
            if auth.is_taken(part) {
                let message =
                    format!("`{name}` fills the same header as another scheme; it is left out");
                losses.note(What::Auth, &part.pointer, message);
                continue;
            }
            // The only credential of the service needs no name of its own.
            let is_alone = matches!(main.as_slice(), [only] if only == name);
            let variables = Variables {
                service: self.service,
                scheme: if is_alone { None } else { Some(name) },
            };
            kinds.extend(auth.add_scheme(part, &variables, self.server, losses));
        }
        if is_optional {
            for kind in &mut kinds {
                kind["optional"] = true.into();
            }
        }
        auth.is_optional = is_optional;
        auth.schemes = names;
        auth.section = match kinds.len() {
            0 => None,
            1 => kinds.pop(),
            _ => Some(kinds.into()),
        };
        auth
    }
}

/// Whether one of the requirements asks for nothing.
fn may_go_without(requirements: &[Requirement]) -> bool {
    requirements.iter().any(Vec::is_empty)
}

/// Schemes in words.
fn shown(names: &Requirement) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(" with ")
}

/// Names environment variables for secrets.
struct Variables<'v> {
    service: &'v Name,
    /// The scheme, if there are several.
    scheme: Option<&'v str>,
}

impl Variables<'_> {
    fn variable(&self, what: &str) -> String {
        match self.scheme {
            Some(scheme) => {
                let mut words = words(scheme);
                words.push(what.to_owned());
                variable_name(self.service, &words.join("_"))
            }
            None => variable_name(self.service, what),
        }
    }
}

/// Credentials, and the headers, query parameters and cookies that carry them.
#[derive(Debug, Default)]
pub(crate) struct Auth {
    /// The `auth` section.
    pub section: Option<Value>,
    /// The names of its schemes.
    schemes: Requirement,
    /// The headers that carry them, in lower case.
    headers: Vec<String>,
    /// The query parameters that carry them.
    query: Vec<String>,
    /// The cookies that carry them.
    cookies: Vec<String>,
    /// Whether requests go without them where they are not set.
    is_optional: bool,
    /// Whether they are a guess, because no operation names any.
    is_silent: bool,
}

impl Auth {
    /// Whether the header or query parameter of a scheme is taken.
    fn is_taken(&self, scheme: &Part<'_>) -> bool {
        match (scheme.text("in"), scheme.text("name")) {
            (Some("query"), Some(name)) => self.owns_query(name),
            (Some("cookie"), Some(name)) => self.owns_cookie(name),
            (Some(_), Some(name)) => self.owns_header(name),
            _ => self.owns_header("authorization"),
        }
    }

    fn add_scheme(
        &mut self,
        scheme: &Part<'_>,
        variables: &Variables<'_>,
        server: &Server,
        losses: &Losses,
    ) -> Option<Value> {
        let kind = scheme.text("type")?.to_ascii_lowercase();
        let words = scheme
            .text("description")
            .map(|words| text::one_line(words, 160));
        let secret = |what: &str| {
            let mut secret =
                Map::from_iter([("env".to_owned(), Value::from(variables.variable(what)))]);
            if let Some(words) = &words {
                secret.insert("help".into(), words.as_str().into());
            }
            Value::Object(secret)
        };
        let mut bearer = || {
            self.headers.push("authorization".to_owned());
            json!({ "kind": "bearer", "secret": secret("TOKEN") })
        };
        match kind.as_str() {
            "http" => match scheme.text("scheme")?.to_ascii_lowercase().as_str() {
                "bearer" => Some(bearer()),
                _ => {
                    self.headers.push("authorization".to_owned());
                    let mut basic = json!({ "kind": "basic", "username": { "env": variables.variable("USERNAME") } });
                    if scheme.flag("x-without-password") != Some(true) {
                        basic["password"] = secret("PASSWORD");
                    }
                    Some(basic)
                }
            },
            "apikey" => {
                let (place, name) = (scheme.text("in")?, scheme.text("name")?);
                match place {
                    "header" => self.headers.push(name.to_ascii_lowercase()),
                    "cookie" => self.cookies.push(name.to_owned()),
                    _ => self.query.push(name.to_owned()),
                }
                let mut key = json!({ "kind": "api_key", "in": place, "name": name });
                if let Some(prefix) = scheme.text("x-prefix") {
                    key["prefix"] = prefix.into();
                }
                key["secret"] = secret("API_KEY");
                Some(key)
            }
            "oauth2" => match scheme
                .get("flows")
                .and_then(|flows| flows.get("clientCredentials"))
            {
                Some(flow) => {
                    self.headers.push("authorization".to_owned());
                    client_credentials(&flow, server, variables, losses)
                }
                None => {
                    losses.note(
                        What::Auth,
                        &scheme.pointer,
                        "logging in through a browser is not supported; give an access token",
                    );
                    Some(bearer())
                }
            },
            _ => {
                losses.note(
                    What::Auth,
                    &scheme.pointer,
                    "logging in with OpenID Connect is not supported; give an access token",
                );
                Some(bearer())
            }
        }
    }

    /// Whether a header carries a credential.
    pub(crate) fn owns_header(&self, name: &str) -> bool {
        self.headers
            .iter()
            .any(|own| own.eq_ignore_ascii_case(name))
    }

    /// Whether a cookie carries a credential.
    pub(crate) fn owns_cookie(&self, name: &str) -> bool {
        self.cookies.iter().any(|own| own == name)
    }

    /// Whether a query parameter carries a credential.
    pub(crate) fn owns_query(&self, name: &str) -> bool {
        self.query.iter().any(|own| own == name)
    }
}

fn client_credentials(
    flow: &Part<'_>,
    server: &Server,
    variables: &Variables<'_>,
    losses: &Losses,
) -> Option<Value> {
    let Some(token_url) = flow.text("tokenUrl") else {
        losses.note(
            What::Auth,
            &flow.pointer,
            "the flow has no token URL; it is left out",
        );
        return None;
    };
    let joined = server.literal.as_ref().map(|base| base.join(token_url));
    let token_url = match joined {
        Some(Ok(url)) => url.to_string(),
        _ => token_url.to_owned(),
    };
    let token_url = with_https(token_url, flow, losses);
    let scopes = flow.map("scopes").map_or(0, Map::len);
    if scopes > 0 {
        losses.note(
            What::Auth,
            &join(&flow.pointer, "scopes"),
            "no scope is requested; add a `scope` if the service needs one",
        );
    }
    Some(json!({
        "kind": "oauth2",
        "grant": "client_credentials",
        "token_url": token_url,
        "client_id": { "env": variables.variable("CLIENT_ID") },
        "client_secret": { "env": variables.variable("CLIENT_SECRET") },
    }))
}
