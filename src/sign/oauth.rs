//! OAuth 2.0 (RFC 6749): access tokens by client credentials or a refresh token.

use std::borrow::Cow;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use url::{Url, form_urlencoded};

use super::field::{Field, FieldSpec, Line};
use super::{Secret, SecretError, SecretRef, SecretSpec, Secrets, SignedRequest, TokenError};
use crate::base_url::{BaseUrl, Context, UrlSpec};
use crate::jsonpath::JsonPath;
use crate::plan::{HeaderTemplate, Label, MASK, Method, RenderError, Scalar, Text, USER_AGENT};
use crate::project::compile_plain_path;
use crate::said::{MOST_OF_CODE, MOST_OF_MESSAGE, clipped, one_line};
use crate::source::{Check, Code, join};
use crate::template::{CallScope, Expression};
use crate::words::scalar_text;

/// The name of the access token among the secrets. No reference can have this name.
pub(crate) const ACCESS_TOKEN: &str = "the access token";
/// The same for the previous access token.
pub(crate) const FORMER_TOKEN: &str = "the former access token";
/// The same for the refresh token that the service gave last.
pub(crate) const ROTATED_TOKEN: &str = "the refresh token";

/// An OAuth 2.0 access token. It is fetched when it is needed, and kept until shortly before it expires.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OauthSpec {
    /// How the token is obtained.
    pub grant: GrantKind,
    /// The token endpoint; it may use settings, under the rules of `base_url`.
    pub token_url: UrlSpec,
    /// The client's id: text or a secret.
    pub client_id: FieldSpec,
    /// The client's secret. A public client has none.
    pub client_secret: Option<SecretSpec>,
    /// The refresh token, for the grant `refresh_token`.
    pub refresh_token: Option<SecretSpec>,
    /// The scopes to ask for, separated by spaces.
    pub scope: Option<String>,
    /// Where the client's id and secret go: basic credentials, or the body.
    #[serde(default)]
    pub client_auth: ClientAuth,
    /// Further parameters of the token request: text or secrets. One called `grant_type` replaces the grant's own.
    #[serde(default)]
    pub params: IndexMap<String, FieldSpec>,
    /// Further headers of the token request.
    #[serde(default)]
    pub headers: IndexMap<String, Scalar>,
    /// Where the answer holds the values.
    #[serde(default)]
    pub response: TokenResponseSpec,
    /// The header that carries the token.
    #[serde(default = "authorization")]
    pub name: String,
    /// The text in front of the token. If it ends with a letter or digit, a space follows it.
    #[serde(default = "bearer")]
    pub prefix: String,
    /// Whether requests go out without the access token when none of its secrets is set.
    #[serde(default)]
    pub optional: bool,
}

fn authorization() -> String {
    "authorization".to_owned()
}

fn bearer() -> String {
    "Bearer ".to_owned()
}

/// How an access token is obtained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GrantKind {
    /// By the client's own id and secret (RFC 6749, section 4.4).
    ClientCredentials,
    /// By a refresh token (RFC 6749, section 6).
    RefreshToken,
}

impl GrantKind {
    fn as_str(self) -> &'static str {
        match self {
            GrantKind::ClientCredentials => "client_credentials",
            GrantKind::RefreshToken => "refresh_token",
        }
    }
}

/// Where the client's id and secret go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    /// Into the header `authorization`, as basic credentials.
    #[default]
    Basic,
    /// Into the body, as `client_id` and `client_secret`.
    Body,
}

/// Where a token endpoint's answer holds the values.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TokenResponseSpec {
    /// The access token: a JSONPath.
    pub access_token: String,
    /// The seconds for which it is valid: a JSONPath.
    pub expires_in: String,
    /// The refresh token that replaces the one that was used: a JSONPath.
    pub refresh_token: String,
    /// Further values, which the base URL reaches as `token.NAME`: JSONPaths.
    pub values: IndexMap<String, String>,
}

impl Default for TokenResponseSpec {
    fn default() -> TokenResponseSpec {
        TokenResponseSpec {
            access_token: "$.access_token".to_owned(),
            expires_in: "$.expires_in".to_owned(),
            refresh_token: "$.refresh_token".to_owned(),
            values: IndexMap::new(),
        }
    }
}

/// A compiled grant.
#[derive(Debug)]
pub(crate) struct Grant {
    kind: GrantKind,
    token_url: BaseUrl,
    client_id: Field,
    client_secret: Option<String>,
    refresh_token: Option<String>,
    scope: Option<Line>,
    client_auth: ClientAuth,
    params: Vec<(String, Field)>,
    headers: HeaderTemplate,
    access_token: JsonPath,
    expires_in: JsonPath,
    rotated: JsonPath,
    values: Vec<(String, JsonPath)>,
}

/// What a token endpoint gave.
pub(crate) struct Token {
    /// The access token.
    pub access: Secret,
    /// The refresh token that replaces the one that was used.
    pub rotated: Option<Secret>,
    /// How long the access token is valid, where the answer says.
    pub lifetime: Option<Duration>,
    /// Further values by name.
    pub values: Value,
}

impl Grant {
    /// Compiles the section and adds its secrets to `secrets`; mistakes go to `check`.
    pub(crate) fn compile(
        spec: &OauthSpec,
        pointer: &str,
        context: &Context<'_>,
        secrets: &mut Vec<SecretRef>,
        check: &Check,
    ) -> Option<Grant> {
        let at = |key: &str| join(pointer, key);
        let mut secret = |spec: &SecretSpec, pointer: &str| {
            let reference = SecretRef::compile(spec, pointer, check)?;
            let name = reference.name.clone();
            secrets.push(reference);
            Some(name)
        };
        let client_secret = spec
            .client_secret
            .as_ref()
            .and_then(|s| secret(s, &at("client_secret")));
        let refresh_token = spec
            .refresh_token
            .as_ref()
            .and_then(|s| secret(s, &at("refresh_token")));
        match (spec.grant, &spec.refresh_token, &spec.client_secret) {
            (GrantKind::RefreshToken, None, _) if check.is_broken(&at("refresh_token")) => {}
            (GrantKind::RefreshToken, None, _) => check.error_at_map(
                Code::MissingKey,
                pointer,
                "the grant `refresh_token` needs the key `refresh_token`",
            ),
            (GrantKind::ClientCredentials, Some(_), _) => check.error_at_key(
                Code::BadValue,
                &at("refresh_token"),
                "the grant `client_credentials` uses no refresh token",
                Some("remove it, or write `grant: refresh_token`".to_owned()),
            ),
            _ => {}
        }
        let names = context.names;
        let client_id = Field::compile(&spec.client_id, &at("client_id"), names, secrets, check);
        if let (Some(Field::Secret(_)), Some(_)) = (&client_id, &client_secret) {
            let reference = secrets.last_mut();
            reference.into_iter().for_each(|name| name.is_name = true);
        }
        let params = spec
            .params
            .iter()
            .filter_map(|(name, field)| {
                let at = join(&at("params"), name);
                Some((
                    name.clone(),
                    Field::compile(field, &at, names, secrets, check)?,
                ))
            })
            .collect();
        let response = at("response");
        let path = |text: &str, key: &str| compile_single(text, &join(&response, key), check);
        let values = spec
            .response
            .values
            .iter()
            .filter_map(|(name, text)| {
                let at = join(&join(&response, "values"), name);
                Some((name.clone(), compile_single(text, &at, check)?))
            })
            .collect();
        Some(Grant {
            kind: spec.grant,
            token_url: BaseUrl::compile(&spec.token_url, &at("token_url"), context, check)?,
            client_id: client_id?,
            client_secret,
            refresh_token,
            scope: spec
                .scope
                .as_ref()
                .map(|scope| Line::compile(scope, &at("scope"), names, check)),
            client_auth: spec.client_auth,
            params,
            headers: HeaderTemplate::compile(&spec.headers, &at("headers"), names, check),
            access_token: path(&spec.response.access_token, "access_token")?,
            expires_in: path(&spec.response.expires_in, "expires_in")?,
            rotated: path(&spec.response.refresh_token, "refresh_token")?,
            values,
        })
    }

    /// The URL of the token endpoint.
    pub(crate) fn token_url(&self) -> &BaseUrl {
        &self.token_url
    }

    /// The names of the values that come with the token.
    pub(crate) fn value_names(&self) -> impl Iterator<Item = &str> {
        self.values.iter().map(|(name, _)| name.as_str())
    }

    /// Where an answer holds the access token.
    pub(crate) fn access_token_path(&self) -> &str {
        self.access_token.as_str()
    }

    /// Whether a token request may be sent again. A refresh token may become invalid after its first use.
    pub(crate) fn is_repeatable(&self) -> bool {
        self.kind == GrantKind::ClientCredentials
    }

    /// Calls `visit` with every expression, and whether it stands inside a longer text.
    pub(crate) fn visit(&self, visit: &mut dyn FnMut(&Expression, bool)) {
        self.token_url.visit(visit);
        self.client_id.visit(visit);
        self.headers.visit(visit);
        self.params.iter().for_each(|(_, field)| field.visit(visit));
        if let Some(scope) = &self.scope {
            scope.visit(visit);
        }
    }

    /// The request for a token at `url`.
    ///
    /// # Errors
    /// When an expression fails.
    pub(crate) fn request(
        &self,
        url: &Url,
        secrets: &Secrets,
        settings: &Value,
    ) -> Result<SignedRequest<'static>, RenderError> {
        let scope = CallScope {
            params: &Value::Null,
            settings,
        };
        let client_id = self.client_id.value(secrets, &scope)?;
        let client_secret = self
            .client_secret
            .as_deref()
            .and_then(|name| secrets.expose(name));
        let mut fields: Vec<(&str, String)> = vec![("grant_type", self.kind.as_str().to_owned())];
        if let Some(name) = &self.refresh_token {
            // Only the refresh token that the service gave last is still valid.
            let token = secrets
                .expose(ROTATED_TOKEN)
                .or_else(|| secrets.expose(name));
            fields.push(("refresh_token", token.unwrap_or_default().to_owned()));
        }
        if let Some(scope_line) = &self.scope {
            fields.push(("scope", scope_line.render(&scope)?));
        }
        let fixed = [
            ("accept", "application/json"),
            ("user-agent", USER_AGENT),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        let mut headers: Vec<(Label, Text)> = fixed
            .map(|(name, value)| (name.into(), Text::Plain(value.into())))
            .into();
        let mut authorization = None;
        match (self.client_auth, client_secret) {
            (ClientAuth::Basic, Some(secret)) => {
                // RFC 6749, section 2.3.1: both are form-encoded first.
                let pair = format!("{}:{}", form_encode(&client_id), form_encode(secret));
                authorization = Some(format!("Basic {}", STANDARD.encode(pair)));
            }
            (_, secret) => {
                fields.push(("client_id", client_id));
                fields.extend(secret.map(|secret| ("client_secret", secret.to_owned())));
            }
        }
        for (name, field) in &self.params {
            let value = field.value(secrets, &scope)?;
            fields.retain(|(other, _)| other != name);
            fields.push((name, value));
        }
        self.headers.render(&scope, &mut headers)?;
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(&fields);
        let mut headers: Vec<(Cow<'_, str>, Cow<'_, str>, bool)> = headers
            .into_iter()
            .map(|(name, value)| (name.to_string().into(), value.to_string().into(), false))
            .collect();
        if let Some(value) = authorization {
            headers.retain(|(name, ..)| name != "authorization");
            headers.push(("authorization".into(), value.into(), true));
        }
        Ok(SignedRequest {
            method: Method::Post,
            target: url.as_str().to_owned().into(),
            query: String::new(),
            headers,
            body: Some(body.finish().into()),
            stamper: None,
            follows_redirects: false,
        })
    }

    /// The body of a request for a token with its secrets masked.
    pub(crate) fn masked_body(&self, body: Option<&Bytes>) -> Bytes {
        let is_secret = |name: &str| match name {
            "refresh_token" | "client_secret" => true,
            "client_id" => matches!(self.client_id, Field::Secret(_)),
            _ => false,
        };
        let mut masked = form_urlencoded::Serializer::new(String::new());
        for (name, value) in form_urlencoded::parse(body.map_or(b"", |body| body)) {
            let is_param = self.is_secret_param(&name);
            let shown = if is_secret(&name) || is_param {
                MASK
            } else {
                &value
            };
            masked.append_pair(&name, shown);
        }
        masked.finish().into()
    }

    fn is_secret_param(&self, name: &str) -> bool {
        let mut params = self.params.iter();
        params.any(|(own, field)| own == name && matches!(field, Field::Secret(_)))
    }

    /// Reads the token from an answer. `mask` hides the secrets in what the endpoint says.
    ///
    /// # Errors
    /// When the endpoint refused, failed, or answered with something else.
    pub(crate) fn token(
        &self,
        status: u16,
        body: &[u8],
        attempts: u32,
        mask: impl Fn(&str) -> String,
    ) -> Result<Token, TokenError> {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let access = self.access_token.first(&body).and_then(Value::as_str);
        let Some(access) = access.filter(|token| !token.is_empty() && status < 300) else {
            return Err(refusal(status, &body, attempts, mask));
        };
        if access.chars().any(char::is_control) {
            return Err(TokenError::Shape(
                "the access token holds a line break or another control character".to_owned(),
            ));
        }
        let seconds = match self.expires_in.first(&body) {
            Some(Value::String(text)) => text.parse().ok(),
            Some(other) => other.as_f64(),
            None => None,
        };
        let values: Map<String, Value> = self
            .values
            .iter()
            .filter_map(|(name, path)| {
                let text = scalar_text(path.first(&body)?)?;
                Some((name.clone(), text.into()))
            })
            .collect();
        Ok(Token {
            access: Secret::new(access),
            rotated: self
                .refresh_token
                .as_ref()
                .and_then(|_| self.rotated.first(&body)?.as_str())
                .filter(|token| !token.is_empty())
                .map(Secret::new),
            lifetime: seconds
                .map(|s| Duration::try_from_secs_f64(s.max(0.0)).unwrap_or(Duration::MAX)),
            values: Value::Object(values),
        })
    }
}

fn compile_single(text: &str, pointer: &str, check: &Check) -> Option<JsonPath> {
    let path = compile_plain_path(text, pointer, check)?;
    if !path.is_singular() {
        check.error(
            Code::BadJsonPath,
            pointer,
            format!("`{text}` can match more than once, and one value is needed"),
        );
        return None;
    }
    Some(path)
}

fn form_encode(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// Error codes that mean that the credential itself is wrong (RFC 6749, section 5.2).
const REFUSED_CREDENTIAL: [&str; 4] = [
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "access_denied",
];

/// What an answer without a token means.
fn refusal(status: u16, body: &Value, attempts: u32, mask: impl Fn(&str) -> String) -> TokenError {
    // No other part of the body is repeated, because a token may be anywhere in it.
    let text = |key: &str, most: usize| {
        let said = body.get(key).and_then(Value::as_str);
        said.map(|said| clipped(&one_line(&mask(said)), most))
    };
    let code = text("error", MOST_OF_CODE);
    let message =
        text("error_description", MOST_OF_MESSAGE).or_else(|| text("message", MOST_OF_MESSAGE));
    let is_refused = code
        .as_deref()
        .is_some_and(|code| REFUSED_CREDENTIAL.contains(&code));
    if is_refused || status == 401 {
        return TokenError::Refused(SecretError::Refused {
            code: code.unwrap_or_else(|| format!("status {status}")),
            message,
        });
    }
    if status >= 300 {
        let told = message
            .or_else(|| code.clone())
            .unwrap_or_else(|| "it gave no reason".to_owned());
        return TokenError::Answered {
            status,
            code,
            told,
            attempts,
        };
    }
    let reason = message
        .or(code)
        .map(|said| format!(": {said}"))
        .unwrap_or_default();
    TokenError::Shape(format!("the token endpoint gave no access token{reason}"))
}
