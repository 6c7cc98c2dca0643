//! Auth kinds as data: where each puts its credentials into a plan, and which secrets it needs.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::hmac::{Hmac, HmacSpec};
use super::oauth::{self, Grant, OauthSpec};
use super::request::Stamper;
use super::secret::{Fit, SecretError, SecretRef, SecretSpec, SecretStore};
use super::sigv4::{SigV4, SigV4Spec};
use super::values::Secrets;
use crate::base_url::{BaseUrl, Context};
use crate::plan::{Credential, Label, Plan, Text, is_reserved, percent_encode, set_header};
use crate::source::{Check, Code, join, join_index};
use crate::template::{Expression, is_identifier};

/// How requests are authenticated.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum AuthSpec {
    /// No credential.
    None {},
    /// A key in a header, query parameter or cookie, or in the path of `base_url`.
    ApiKey {
        /// Where the key goes.
        #[serde(rename = "in")]
        place: ApiKeyPlace,
        /// The name of the header, query parameter or cookie. For a key in the path, the name by which `base_url` reaches
        /// it: `{{ auth.NAME }}`.
        name: String,
        /// Text in front of the key, such as `Bot` or `Token token=`. If it ends with a letter or digit, a space follows
        /// it.
        #[serde(default)]
        prefix: String,
        /// The key.
        secret: SecretSpec,
        /// Whether requests go out without the key when it is not set.
        #[serde(default)]
        optional: bool,
    },
    /// `Authorization: Bearer TOKEN` (RFC 6750).
    Bearer {
        /// The token.
        secret: SecretSpec,
        /// Whether requests go out without the token when it is not set.
        #[serde(default)]
        optional: bool,
    },
    /// `Authorization: Basic ...` (RFC 7617).
    Basic {
        /// The user name: text, or a secret.
        username: Username,
        /// The password; empty when absent.
        password: Option<SecretSpec>,
        /// Whether requests go out without the credential when none of its secrets is set.
        #[serde(default)]
        optional: bool,
    },
    /// Several secret headers.
    Headers {
        /// From the header's name to its secret.
        headers: IndexMap<String, SecretSpec>,
        /// Whether requests go out without the headers when none of the secrets is set.
        #[serde(default)]
        optional: bool,
    },
    /// An OAuth 2.0 access token (RFC 6749).
    Oauth2(Box<OauthSpec>),
    /// A keyed hash of a message that is composed from parts of the request.
    Hmac(Box<HmacSpec>),
    /// AWS Signature Version 4.
    AwsSigv4(Box<SigV4Spec>),
}

impl AuthSpec {
    /// Whether requests go out without the credential when none of its secrets is set.
    fn is_optional(&self) -> bool {
        match self {
            AuthSpec::None {} => false,
            AuthSpec::ApiKey { optional, .. }
            | AuthSpec::Bearer { optional, .. }
            | AuthSpec::Basic { optional, .. }
            | AuthSpec::Headers { optional, .. } => *optional,
            AuthSpec::Oauth2(spec) => spec.optional,
            AuthSpec::Hmac(spec) => spec.optional,
            AuthSpec::AwsSigv4(spec) => spec.optional,
        }
    }
}

/// Where an API key goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApiKeyPlace {
    /// A request header.
    Header,
    /// A query parameter.
    Query,
    /// A cookie.
    Cookie,
    /// A part of the path of `base_url`, which says where.
    Path,
}

/// Where a signature goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyPlace {
    /// A request header.
    Header,
    /// A query parameter.
    Query,
}

/// The user name of basic credentials.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Username {
    /// The name itself.
    Text(String),
    /// A secret that holds the name.
    Secret(SecretSpec),
}

/// One auth kind, or several that are applied in order.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum AuthList {
    /// One.
    One(Box<AuthSpec>),
    /// Several.
    Several(Vec<AuthSpec>),
}

/// A service's compiled auth: the placeholders that go into plans, and the secrets behind them.
#[derive(Debug, Default)]
pub(crate) struct Auth {
    headers: Vec<(Label, Text)>,
    query: Vec<(Label, Text)>,
    cookies: Vec<(Label, Text)>,
    /// Credentials that the base URL reaches by name, and where each is described.
    named: Vec<(String, Text, String)>,
    /// The credentials in the path of the base URL, in order.
    in_path: Vec<Text>,
    secrets: Vec<SecretRef>,
    grant: Option<Grant>,
    signers: Arc<Vec<Signer>>,
    optional: Vec<Optional>,
}

/// A credential that requests go without when none of its secrets is set: its parts in the lists of [`Auth`].
#[derive(Debug)]
struct Optional {
    secrets: Range<usize>,
    headers: Range<usize>,
    query: Range<usize>,
    cookies: Range<usize>,
    signers: Range<usize>,
    has_grant: bool,
}

/// The credentials that a request goes without, because their secrets are not set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LeftOut {
    optional: Vec<usize>,
    /// The names of their secrets.
    pub secrets: Vec<String>,
}

/// An auth kind that computes a value from the whole request.
#[derive(Debug)]
pub(super) enum Signer {
    Hmac(Hmac),
    SigV4(SigV4),
}

impl Auth {
    /// Compiles the section; mistakes go to `check`.
    pub(crate) fn compile(
        spec: Option<&AuthList>,
        pointer: &str,
        context: &Context<'_>,
        check: &Check,
    ) -> Auth {
        let mut auth = Auth::default();
        let mut signers = Vec::new();
        match spec {
            None => {}
            Some(AuthList::One(one)) => auth.add_one(one, pointer, context, &mut signers, check),
            Some(AuthList::Several(list)) => {
                for (i, one) in list.iter().enumerate() {
                    auth.add_one(one, &join_index(pointer, i), context, &mut signers, check);
                }
            }
        }
        auth.signers = Arc::new(signers);
        auth
    }

    fn add_one(
        &mut self,
        spec: &AuthSpec,
        pointer: &str,
        context: &Context<'_>,
        signers: &mut Vec<Signer>,
        check: &Check,
    ) {
        let before = self.lengths(signers);
        let had_grant = self.grant.is_some();
        self.add(spec, pointer, context, signers, check);
        if !spec.is_optional() {
            return;
        }
        let after = self.lengths(signers);
        let [secrets, headers, query, cookies, signers] =
            std::array::from_fn(|i| before[i]..after[i]);
        let group = self.optional.len();
        let mut own = Vec::new();
        for secret in &mut self.secrets[secrets.clone()] {
            if !secret.is_optional {
                secret.is_optional = true;
                secret.group = Some(group);
                own.push(secret.name.clone());
            }
        }
        if own.is_empty() && !check.failed() {
            check.error_at_key(
                Code::BadValue,
                &join(pointer, "optional"),
                "this credential has no secret that could be missing",
                Some("remove `optional`".to_owned()),
            );
        }
        self.optional.push(Optional {
            secrets,
            headers,
            query,
            cookies,
            signers,
            has_grant: !had_grant && self.grant.is_some(),
        });
    }

    fn lengths(&self, signers: &[Signer]) -> [usize; 5] {
        [
            self.secrets.len(),
            self.headers.len(),
            self.query.len(),
            self.cookies.len(),
            signers.len(),
        ]
    }

    fn add(
        &mut self,
        spec: &AuthSpec,
        pointer: &str,
        context: &Context<'_>,
        signers: &mut Vec<Signer>,
        check: &Check,
    ) {
        match spec {
            AuthSpec::None {} => {}
            AuthSpec::ApiKey {
                place,
                name,
                prefix,
                secret,
                optional,
            } => {
                report_bad_prefix(prefix, *place, &join(pointer, "prefix"), check);
                if let (ApiKeyPlace::Path, true) = (place, optional) {
                    check.error_at_key(
                        Code::BadValue,
                        &join(pointer, "optional"),
                        "a key in the path cannot be left out",
                        Some("remove `optional`".to_owned()),
                    );
                }
                let prefix = spaced(prefix).into();
                let Some(value) = self.secret(prefix, secret, &join(pointer, "secret"), check)
                else {
                    return;
                };
                let at = join(pointer, "name");
                match place {
                    ApiKeyPlace::Header => self.header(name, &at, value, check),
                    ApiKeyPlace::Query => self.query.push((percent_encode(name).into(), value)),
                    ApiKeyPlace::Cookie => self.cookie(name, &at, value, check),
                    ApiKeyPlace::Path => self.name(name, &at, value, check),
                }
            }
            AuthSpec::Bearer { secret, .. } => {
                let prefix = Cow::Borrowed("Bearer ");
                if let Some(value) = self.secret(prefix, secret, &join(pointer, "secret"), check) {
                    self.header("authorization", pointer, value, check);
                }
            }
            AuthSpec::Basic {
                username, password, ..
            } => {
                let username = match username {
                    Username::Text(text) => {
                        if text.contains("{{") {
                            check.error_with_help(
                                Code::BadTemplate,
                                &join(pointer, "username"),
                                "a user name has no expressions, and would be sent as it is written",
                                "write the name itself, or where it comes from, such as `{ env: NAME }`",
                            );
                        }
                        Some(Text::Plain(text.clone().into()))
                    }
                    Username::Secret(spec) => {
                        let at = join(pointer, "username");
                        let value = self.secret(Cow::Borrowed(""), spec, &at, check);
                        // Without a password, the user name is the key.
                        if let (Some(_), Some(_)) = (&value, password) {
                            let reference = self.secrets.last_mut();
                            reference.into_iter().for_each(|name| name.is_name = true);
                        }
                        value
                    }
                };
                let password = password.as_ref().and_then(|spec| {
                    let reference = SecretRef::compile(spec, &join(pointer, "password"), check)?;
                    let name = reference.name.clone();
                    self.secrets.push(reference);
                    Some(name)
                });
                if let Some(username) = username {
                    let value = Text::Credential(Credential::Basic {
                        username: Box::new(username),
                        password,
                    });
                    self.header("authorization", pointer, value, check);
                }
            }
            AuthSpec::Headers { headers, .. } => {
                for (name, spec) in headers {
                    let at = join(&join(pointer, "headers"), name);
                    if let Some(value) = self.secret(Cow::Borrowed(""), spec, &at, check) {
                        self.header(name, &at, value, check);
                    }
                }
            }
            AuthSpec::Oauth2(spec) => self.add_grant(spec, pointer, context, check),
            AuthSpec::Hmac(spec) => {
                let Some(hmac) = Hmac::compile(spec, pointer, context, &mut self.secrets, check)
                else {
                    return;
                };
                for (name, shown) in hmac.headers() {
                    let at = match spec
                        .headers
                        .keys()
                        .find(|key| key.eq_ignore_ascii_case(name))
                    {
                        Some(key) => join(&join(pointer, "headers"), key),
                        None => join(pointer, "name"),
                    };
                    self.header(
                        name,
                        &at,
                        Text::Credential(Credential::Computed { shown }),
                        check,
                    );
                }
                if let Some((name, shown)) = hmac.query() {
                    let value = Text::Credential(Credential::Computed { shown });
                    self.query.push((percent_encode(name).into(), value));
                }
                signers.push(Signer::Hmac(hmac));
            }
            AuthSpec::AwsSigv4(spec) => {
                let Some(sigv4) = SigV4::compile(spec, pointer, context, &mut self.secrets, check)
                else {
                    return;
                };
                for (name, shown) in sigv4.headers() {
                    let value = Text::Credential(Credential::Computed { shown });
                    self.header(name, pointer, value, check);
                }
                if let Some(secret) = sigv4.session_token() {
                    let mut known = self.secrets.iter();
                    let value = Text::Credential(Credential::Secret {
                        prefix: Cow::Borrowed(""),
                        secret: secret.to_owned().into(),
                        is_variable: known.any(|own| own.name == secret && own.is_variable()),
                    });
                    self.header("x-amz-security-token", pointer, value, check);
                }
                signers.push(Signer::SigV4(sigv4));
            }
        }
    }

    fn add_grant(&mut self, spec: &OauthSpec, pointer: &str, context: &Context<'_>, check: &Check) {
        if self.grant.is_some() {
            return check.error_at_map(
                Code::BadValue,
                pointer,
                "a service can have only one access token, and this is the second",
            );
        }
        if spec
            .prefix
            .chars()
            .any(|c| !(c.is_ascii_graphic() || c == ' '))
        {
            check.error(
                Code::BadHeader,
                &join(pointer, "prefix"),
                "the prefix has a character that is not allowed in a header",
            );
        }
        let value = Text::Credential(Credential::Secret {
            prefix: spaced(&spec.prefix).into(),
            secret: oauth::ACCESS_TOKEN.into(),
            is_variable: false,
        });
        self.header(&spec.name, &join(pointer, "name"), value, check);
        self.grant = Grant::compile(spec, pointer, context, &mut self.secrets, check);
    }

    fn secret(
        &mut self,
        prefix: Cow<'static, str>,
        spec: &SecretSpec,
        pointer: &str,
        check: &Check,
    ) -> Option<Text> {
        let reference = SecretRef::compile(spec, pointer, check)?;
        let secret = Label::from(reference.name.clone());
        let is_variable = reference.is_variable();
        self.secrets.push(reference);
        Some(Text::Credential(Credential::Secret {
            prefix,
            secret,
            is_variable,
        }))
    }

    fn header(&mut self, name: &str, pointer: &str, value: Text, check: &Check) {
        let lower = name.to_ascii_lowercase();
        // The header's name is either the last key of the pointer, or the value of the key `name`.
        let report = |code: Code, message: String| match pointer.ends_with(&join("", name)) {
            true => check.error_at_key(code, pointer, message, None),
            false => check.error_at_key_or_value(code, pointer, message),
        };
        if http::header::HeaderName::from_bytes(lower.as_bytes()).is_err() {
            report(Code::BadHeader, format!("`{name}` is no legal header name"));
        }
        if is_reserved(&lower) {
            report(
                Code::BadHeader,
                format!("the header `{name}` belongs to the HTTP connection itself"),
            );
        }
        let fills_cookie = lower == COOKIE && !self.cookies.is_empty();
        if fills_cookie || self.headers.iter().any(|(other, _)| **other == *lower) {
            report(
                Code::DuplicateKey,
                format!("two credentials would fill the header `{name}`"),
            );
        }
        self.headers.push((lower.into(), value));
    }

    fn cookie(&mut self, name: &str, pointer: &str, value: Text, check: &Check) {
        if http::header::HeaderName::from_bytes(name.as_bytes()).is_err() {
            let message = format!("`{name}` is no legal name of a cookie");
            check.error(Code::BadHeader, pointer, message);
        }
        let is_known = self.cookies.iter().any(|(other, _)| other == name);
        if is_known || self.headers.iter().any(|(other, _)| other == COOKIE) {
            let message = format!("two credentials would fill the cookie `{name}`");
            check.error(Code::DuplicateKey, pointer, message);
        }
        self.last_must_fit(Fit::Cookie);
        self.cookies.push((name.to_owned().into(), value));
    }

    /// Adds a credential that the base URL reaches by name.
    fn name(&mut self, name: &str, pointer: &str, value: Text, check: &Check) {
        if !is_identifier(name) {
            check.error_with_help(
                Code::BadName,
                pointer,
                format!("`{name}` is no name that an expression can read"),
                "use letters, digits and `_`",
            );
        }
        if self.named.iter().any(|(other, ..)| other == name) {
            let message = format!("another credential is called `{name}` too");
            check.error(Code::DuplicateName, pointer, message);
        }
        self.last_must_fit(Fit::Path);
        self.named
            .push((name.to_owned(), value, pointer.to_owned()));
    }

    fn last_must_fit(&mut self, fit: Fit) {
        if let Some(secret) = self.secrets.last_mut() {
            secret.fit = fit;
        }
    }

    /// The names by which the base URL reaches credentials.
    pub(crate) fn names_for_path(&self) -> impl Iterator<Item = &str> {
        self.named.iter().map(|(name, ..)| name.as_str())
    }

    /// Takes note of the credentials in the path of the service's base URL, and refuses what does not go together.
    pub(crate) fn settle_path(&mut self, base: &BaseUrl, pointer: &str, check: &Check) {
        let names = base.secrets();
        let by_name = |name: &String| self.named.iter().find(|(own, ..)| own == name);
        self.in_path = names
            .iter()
            .filter_map(|name| Some(by_name(name)?.1.clone()))
            .collect();
        for (name, _, pointer) in &self.named {
            if !names.contains(name) && is_identifier(name) {
                check.error_with_help(
                    Code::BadBaseUrl,
                    pointer,
                    format!("the base URL does not say where the key `{name}` goes"),
                    format!("write `{{{{ auth.{name} }}}}` in the path of `base_url`"),
                );
            }
        }
        let has_optional_grant = self.optional.iter().any(|one| one.has_grant);
        if has_optional_grant && base.reads_token() {
            check.error(
                Code::BadBaseUrl,
                pointer,
                "the base URL comes with the access token, so the access token cannot be optional",
            );
        }
    }

    /// The credentials that a request goes without: those that are optional and have none of their secrets set.
    pub(crate) fn left_out(&self, is_set: impl Fn(&SecretRef) -> bool) -> LeftOut {
        let mut left_out = LeftOut::default();
        for (group, one) in self.optional.iter().enumerate() {
            let own = || {
                let secrets = self.secrets[one.secrets.clone()].iter();
                secrets.filter(|secret| secret.group == Some(group))
            };
            if !own().any(&is_set) {
                left_out.optional.push(group);
                left_out
                    .secrets
                    .extend(own().map(|secret| secret.name.clone()));
            }
        }
        left_out
    }

    /// [`Auth::left_out`] by the secrets that were found.
    pub(crate) fn left_out_of(&self, secrets: &Secrets) -> LeftOut {
        self.left_out(|secret| secrets.expose(&secret.name).is_some())
    }

    /// The plan without these credentials.
    pub(crate) fn without<'p>(&self, plan: Cow<'p, Plan>, left_out: &LeftOut) -> Cow<'p, Plan> {
        if left_out.optional.is_empty() {
            return plan;
        }
        let mut plan = plan.into_owned();
        for one in self.left_out_ones(left_out) {
            let headers = &self.headers[one.headers.clone()];
            plan.headers
                .retain(|(name, _)| !headers.iter().any(|(own, _)| own == name));
            let query = &self.query[one.query.clone()];
            plan.query.retain(|(name, value)| {
                matches!(value, Text::Plain(_)) || !query.iter().any(|(own, _)| own == name)
            });
            remove_cookies(&mut plan, &self.cookies[one.cookies.clone()]);
        }
        Cow::Owned(plan)
    }

    fn left_out_ones(&self, left_out: &LeftOut) -> impl Iterator<Item = &Optional> {
        left_out
            .optional
            .iter()
            .filter_map(|group| self.optional.get(*group))
    }

    /// The secrets that a call needs.
    pub(crate) fn secrets(&self) -> &[SecretRef] {
        &self.secrets
    }

    /// How the access token is obtained, if the service uses one.
    pub(crate) fn grant(&self) -> Option<&Grant> {
        self.grant.as_ref()
    }

    /// How the access token is obtained; `None` also when requests go without it.
    pub(crate) fn grant_with(&self, secrets: &Secrets) -> Option<&Grant> {
        let left_out = self.left_out_of(secrets);
        let has_none = self.left_out_ones(&left_out).any(|one| one.has_grant);
        self.grant.as_ref().filter(|_| !has_none)
    }

    /// Calls `visit` with every expression, and whether it stands inside a longer text.
    pub(crate) fn visit(&self, visit: &mut dyn FnMut(&Expression, bool)) {
        if let Some(grant) = &self.grant {
            grant.visit(visit);
        }
        for signer in self.signers.iter() {
            match signer {
                Signer::Hmac(hmac) => hmac.visit(visit),
                Signer::SigV4(sigv4) => sigv4.visit(visit),
            }
        }
    }

    /// What signs each try of a request; `None` if no auth kind signs the whole request.
    pub(crate) fn stamper(&self, secrets: &Secrets, settings: &Arc<Value>) -> Option<Stamper> {
        if self.signers.is_empty() {
            return None;
        }
        let left_out = self.left_out_of(secrets);
        let left_out: Vec<usize> = self
            .left_out_ones(&left_out)
            .flat_map(|one| one.signers.clone())
            .collect();
        (left_out.len() < self.signers.len()).then(|| Stamper {
            signers: Arc::clone(&self.signers),
            left_out,
            secrets: secrets.clone(),
            settings: Arc::clone(settings),
        })
    }

    /// Whether an auth kind signs the whole request, so that it is valid for one URL only.
    pub(crate) fn signs_requests(&self) -> bool {
        !self.signers.is_empty()
    }

    /// Whether signing needs the settings.
    pub(crate) fn reads_settings(&self) -> bool {
        self.grant.is_some() || !self.signers.is_empty()
    }

    /// The lower-case names of the headers that carry credentials.
    pub(crate) fn header_names(&self) -> impl Iterator<Item = &str> {
        self.headers.iter().map(|(name, _)| &**name)
    }

    /// The encoded names of the query parameters that carry credentials.
    pub(crate) fn query_names(&self) -> impl Iterator<Item = &str> {
        self.query.iter().map(|(name, _)| &**name)
    }

    /// Puts the placeholders into a plan.
    pub(crate) fn add_placeholders(&self, plan: &mut Plan) {
        for (name, value) in &self.headers {
            set_header(&mut plan.headers, name, value.clone());
        }
        plan.query.extend(self.query.iter().cloned());
        if !self.cookies.is_empty() {
            self.add_cookies(plan);
        }
        if !self.in_path.is_empty() {
            plan.in_path.clone_from(&self.in_path);
        }
    }

    /// Puts the cookies in front of those of the request itself.
    fn add_cookies(&self, plan: &mut Plan) {
        let present = plan.headers.iter().find(|(name, _)| name == COOKIE);
        let plain = match present {
            Some((_, Text::Plain(text))) => Some(text.clone()),
            Some((_, Text::Credential(Credential::Cookies { plain, .. }))) => plain.clone(),
            _ => None,
        };
        let value = Text::Credential(Credential::Cookies {
            secret: self.cookies.clone(),
            plain,
        });
        set_header(&mut plan.headers, COOKIE, value);
    }

    /// The same request at a URL that the service gave. Our own credentials replace any credentials that the URL
    /// repeats.
    pub(crate) fn aim(&self, mut plan: Plan, url: url::Url) -> Plan {
        plan.query = url
            .query()
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .filter(|(name, _)| !self.query_names().any(|own| own == *name))
            .map(|(name, value)| {
                let value = Text::Plain(value.to_owned().into());
                (Label::from(name.to_owned()), value)
            })
            .collect();
        let mut target = url;
        target.set_query(None);
        target.set_fragment(None);
        plan.target = target.to_string();
        self.add_placeholders(&mut plan);
        plan
    }

    /// Whether a request carries these credentials. `path` has what the path has in their places. A request may go
    /// without an optional credential, but must not carry a wrong one.
    pub(crate) fn is_satisfied<'h>(
        &self,
        secrets: &Secrets,
        header: impl Fn(&str) -> Option<&'h str>,
        query: &str,
        path: &[&str],
    ) -> bool {
        // Values that are computed from the whole request cannot be compared, so they only have to be present.
        let has_header = |(name, value): &(Label, Text)| match secrets.reveal(value) {
            Some(value) => header(name) == Some(&*value),
            None => header(name).is_some() || is_left_out(value),
        };
        let pairs = |name: &str| {
            let pairs = query.split('&').map(in_pair);
            let given = pairs.filter(|(other, _)| *other == name);
            given.map(|(_, value)| value).collect::<Vec<_>>()
        };
        let has_pair = |(name, value): &(Label, Text)| {
            let value = secrets.reveal(value).map(|value| percent_encode(&value));
            let mut given = pairs(name).into_iter();
            given.any(|given| value.as_deref().is_none_or(|value| value == given))
        };
        let cookie = |name: &str| {
            let cookies = header(COOKIE).unwrap_or_default().split(';');
            let mut cookies = cookies.map(|cookie| in_pair(cookie.trim()));
            cookies
                .find(|(other, _)| *other == name)
                .map(|(_, value)| value)
        };
        let has_cookie =
            |(name, value): &(Label, Text)| cookie(name) == secrets.reveal(value).as_deref();
        let may_lack = |one: &Optional| {
            let headers = &self.headers[one.headers.clone()];
            let query = &self.query[one.query.clone()];
            let cookies = &self.cookies[one.cookies.clone()];
            headers.iter().all(|(name, _)| header(name).is_none())
                && query.iter().all(|(name, _)| pairs(name).is_empty())
                && cookies.iter().all(|(name, _)| cookie(name).is_none())
        };
        let lacking: Vec<&Optional> = self.optional.iter().filter(|one| may_lack(one)).collect();
        let all = |list: &[(Label, Text)],
                   range: &dyn Fn(&Optional) -> Range<usize>,
                   has: &dyn Fn(&(Label, Text)) -> bool| {
            let is_lacking = |i: usize| lacking.iter().any(|one| range(one).contains(&i));
            let mut places = list.iter().enumerate();
            places.all(|(i, place)| is_lacking(i) || has(place))
        };
        all(&self.headers, &|one| one.headers.clone(), &has_header)
            && all(&self.query, &|one| one.query.clone(), &has_pair)
            && all(&self.cookies, &|one| one.cookies.clone(), &has_cookie)
            && self.in_path.iter().enumerate().all(|(i, value)| {
                let value = secrets.reveal(value).map(|value| percent_encode(&value));
                path.get(i).copied() == value.as_deref()
            })
    }

    /// Whether the path of a request has a credential.
    pub(crate) fn has_secret_path(&self) -> bool {
        !self.in_path.is_empty()
    }

    /// A URL below the base URL with the credentials of its path filled in.
    pub(crate) fn filled(&self, url: &url::Url, secrets: &Secrets) -> Option<url::Url> {
        match self.in_path.is_empty() {
            true => Some(url.clone()),
            false => secrets.fill(url.as_str(), &self.in_path).parse().ok(),
        }
    }

    /// The same secrets, plus the credentials that are made from them alone and not from the request.
    pub(crate) fn with_sent(&self, secrets: Secrets) -> Secrets {
        let is_made = |value: &&Text| matches!(value, Text::Credential(Credential::Basic { .. }));
        let made = self.headers.iter().map(|(_, value)| value).filter(is_made);
        let made: Vec<String> = made
            .filter_map(|value| Some(secrets.reveal(value)?.into_owned()))
            .collect();
        made.iter()
            .fold(secrets, |all, header| all.with_sent(header))
    }

    /// Finds the values of all secrets.
    ///
    /// # Errors
    /// When one is missing or does not match its pattern.
    pub(crate) fn resolve(&self, store: &SecretStore) -> Result<Secrets, SecretError> {
        Secrets::resolve(&self.secrets, store, None)
    }
}

/// The name of the header that carries cookies.
const COOKIE: &str = "cookie";

/// A prefix as it stands in front of a secret: a word such as `Bot` needs a space behind it.
fn spaced(prefix: &str) -> String {
    match prefix.ends_with(|c: char| c.is_ascii_alphanumeric()) {
        true => format!("{prefix} "),
        false => prefix.to_owned(),
    }
}

fn report_bad_prefix(prefix: &str, place: ApiKeyPlace, pointer: &str, check: &Check) {
    let is_legal = |c: char| match place {
        ApiKeyPlace::Header => c.is_ascii_graphic() || c == ' ',
        ApiKeyPlace::Query => !c.is_control(),
        ApiKeyPlace::Cookie => super::secret::is_cookie_character(c),
        ApiKeyPlace::Path => false,
    };
    let message = match place {
        _ if spaced(prefix).chars().all(is_legal) => return,
        ApiKeyPlace::Path => "a key in the path has no prefix; write the text in `base_url`",
        ApiKeyPlace::Cookie => {
            "the prefix has a character that is not allowed in a cookie, or ends with a letter or digit, which a space \
             would follow"
        }
        _ => "the prefix has a character that is not allowed in its place",
    };
    check.error(Code::BadValue, pointer, message);
}

/// The name and the value of a pair such as `name=value`.
fn in_pair(pair: &str) -> (&str, &str) {
    pair.split_once('=').unwrap_or((pair, ""))
}

/// Takes these cookies out of a plan.
fn remove_cookies(plan: &mut Plan, cookies: &[(Label, Text)]) {
    let Some(at) = plan.headers.iter().position(|(name, _)| name == COOKIE) else {
        return;
    };
    let Text::Credential(Credential::Cookies { secret, plain }) = &mut plan.headers[at].1 else {
        return;
    };
    secret.retain(|(name, _)| !cookies.iter().any(|(own, _)| own == name));
    if secret.is_empty() {
        match plain.take() {
            Some(plain) => plan.headers[at].1 = Text::Plain(plain),
            None => drop(plan.headers.remove(at)),
        }
    }
}

/// Whether the header is left out when its secret is not set.
fn is_left_out(value: &Text) -> bool {
    matches!(value, Text::Credential(Credential::Secret { .. }))
}
