//! The plan: what will be sent, as a plain value that knows no HTTP library.
//!
//! A request section is compiled once into a [`RequestTemplate`]; rendering it with a call's arguments gives a
//! [`Plan`]. Dry run, curl export, example tests and the real request all come from the same plan. Secrets stand in
//! it as placeholders.

mod body;
mod curl;
mod files;
mod header;
mod label;
mod path;
mod path_style;
mod query;
mod reserved;
mod settle;
mod style;
mod view;

use std::borrow::Cow;
use std::fmt;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

pub(crate) use body::{
    Body, BodyContent, BodyKind, BodySpec, BodyTemplate, Field, FormTemplate, ValuePlace,
};
pub use files::{FileError, Files};
pub(crate) use header::{HeaderTemplate, is_reserved};
pub(crate) use label::Label;
pub use path::PathTemplate;
pub(crate) use path::{Segment, behind_colon, bracketed};
pub(crate) use path_style::{PathStyleSpec, StyledPath};
pub use query::{QuerySpec, QueryTemplate};
pub(crate) use settle::{Generated, Settled};
pub(crate) use style::Style;
#[cfg(feature = "cli")]
pub(crate) use view::PlanView;

use crate::source::{Check, Code, join};
use crate::template::{CallScope, EvalError, Names};

/// An HTTP request method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs)]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
}

impl Method {
    /// The method as it is written in the request line.
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
            Method::Options => "OPTIONS",
        }
    }

    /// Whether sending the request twice has the effect of sending it once (RFC 9110, section 9.2.2).
    pub fn is_idempotent(self) -> bool {
        !matches!(self, Method::Post | Method::Patch)
    }

    /// Whether a request may change something at the service (RFC 9110, section 9.2.1).
    pub fn changes(self) -> bool {
        !matches!(self, Method::Get | Method::Head | Method::Options)
    }

    /// Whether a body is meaningful with this method (RFC 9110, section 9.3).
    pub fn takes_body(self) -> bool {
        matches!(
            self,
            Method::Post | Method::Put | Method::Patch | Method::Delete
        )
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A literal scalar or a string with `{{ expression }}`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Scalar {
    /// Text, with or without expressions.
    Text(String),
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(serde_json::Number),
}

impl From<&Scalar> for Value {
    fn from(scalar: &Scalar) -> Value {
        match scalar {
            Scalar::Text(text) => Value::String(text.clone()),
            Scalar::Bool(flag) => Value::Bool(*flag),
            Scalar::Number(number) => Value::Number(number.clone()),
        }
    }
}

/// The HTTP request that the tool makes.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RequestSpec {
    /// The HTTP method.
    pub method: Method,
    /// The path below the service's base URL. Each `{{ expression }}` fills exactly one path segment and is
    /// percent-encoded.
    #[schemars(regex(pattern = "^/"))]
    pub path: String,
    /// How arrays and objects are written in the path: from the name of a param to its style. A param without a style is
    /// a scalar.
    #[serde(default)]
    pub path_styles: IndexMap<String, PathStyleSpec>,
    /// Request headers, added to the service's own.
    #[serde(default)]
    pub headers: IndexMap<String, Scalar>,
    /// Query parameters: a list of param names, or a map from the name on the wire to a value.
    #[serde(default)]
    pub query: QuerySpec,
    /// The request body.
    pub body: Option<BodySpec>,
    /// Whether the request may be sent again after a failure. The default depends on the method: yes for every method
    /// except POST and PATCH. With an `idempotency_key`, the default is yes.
    pub idempotent: Option<bool>,
    /// A key by which the service recognises a request that it already received: a new UUID for each call, and the same
    /// one for each retry.
    pub idempotency_key: Option<IdempotencyKeySpec>,
}

impl RequestSpec {
    /// A request that the engine itself makes, such as one that asks for a job's state.
    pub(crate) fn without_body(
        method: Method,
        path: &str,
        query: QuerySpec,
        headers: IndexMap<String, Scalar>,
    ) -> RequestSpec {
        RequestSpec {
            method,
            path: path.to_owned(),
            path_styles: IndexMap::new(),
            query,
            headers,
            body: None,
            idempotent: None,
            idempotency_key: None,
        }
    }
}

/// Where the idempotency key goes.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IdempotencyKeySpec {
    /// The name of the header, such as `Idempotency-Key`.
    pub header: String,
}

/// Text in a plan: plain text, a value that is made when the plan is sent, or a credential that is filled in when it is
/// signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Text {
    /// Text as it will be sent.
    Plain(Cow<'static, str>),
    /// A value that each call makes anew.
    Generated(Generated),
    /// A credential.
    Credential(Credential),
}

/// A place where a secret goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// The secret itself, behind a prefix such as `Bearer `.
    Secret {
        /// Text in front of the secret.
        prefix: Cow<'static, str>,
        /// The secret's name in its [`crate::sign::SecretRef`].
        secret: Label,
        /// Whether that is the name of an environment variable.
        is_variable: bool,
    },
    /// HTTP basic credentials (RFC 7617).
    Basic {
        /// The user name, plain or a secret.
        username: Box<Text>,
        /// The name of the password's secret; `None` for an empty password.
        password: Option<String>,
    },
    /// Cookies that carry secrets, and those of the request itself.
    Cookies {
        /// The name and the value of each that carries a secret.
        secret: Vec<(Label, Text)>,
        /// The others, as they are sent.
        plain: Option<Cow<'static, str>>,
    },
    /// A value that is computed from the whole request when it is signed, such as a signature or its time.
    Computed {
        /// The text that replaces it until then.
        shown: String,
    },
}

/// The text that is shown instead of a secret.
pub(crate) const MASK: &str = "***";

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Text::Plain(text) => f.write_str(text),
            Text::Generated(generated) => generated.fmt(f),
            Text::Credential(Credential::Secret { prefix, .. }) => write!(f, "{prefix}{MASK}"),
            Text::Credential(Credential::Basic { .. }) => write!(f, "Basic {MASK}"),
            Text::Credential(Credential::Cookies { secret, plain }) => {
                let own = secret.iter().map(|(name, value)| format!("{name}={value}"));
                let plain = plain.iter().map(|plain| plain.clone().into_owned());
                let cookies: Vec<String> = own.chain(plain).collect();
                f.write_str(&cookies.join("; "))
            }
            Text::Credential(Credential::Computed { shown }) => f.write_str(shown),
        }
    }
}

/// The request that will be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The HTTP method.
    pub method: Method,
    /// Scheme, authority and path, all percent-encoded; no query. A credential in the path stands in it as [`MASK`].
    pub(crate) target: String,
    /// The credentials in the path, in order. They are the first places of the target that have the mask.
    pub(crate) in_path: Vec<Text>,
    /// Query parameters in order; plain names and values are percent-encoded already.
    pub(crate) query: Vec<(Label, Text)>,
    /// Header fields in order; names are lower case.
    pub(crate) headers: Vec<(Label, Text)>,
    /// The body.
    pub(crate) body: Option<Body>,
    /// Whether the request may be sent again after a failure.
    pub idempotent: bool,
}

/// A request could not be rendered from these arguments.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// An expression failed.
    #[error("{place}: {error}")]
    Expression {
        /// The part of the request.
        place: String,
        /// What failed.
        error: EvalError,
    },
    /// A value is not allowed in its place.
    #[error("{place}: {message}")]
    Value {
        /// The part of the request.
        place: String,
        /// Why it is not allowed there.
        message: String,
    },
}

impl RenderError {
    /// The error with `mask` applied to those of its texts that may repeat a value.
    #[must_use]
    pub(crate) fn masked(self, mask: impl Fn(&str) -> String) -> RenderError {
        match self {
            RenderError::Expression { place, error } => RenderError::Expression {
                place,
                error: EvalError {
                    reason: mask(&error.reason),
                    ..error
                },
            },
            RenderError::Value { place, message } => RenderError::Value {
                place,
                message: mask(&message),
            },
        }
    }

    pub(crate) fn value(place: impl Into<String>, message: impl Into<String>) -> RenderError {
        RenderError::Value {
            place: place.into(),
            message: message.into(),
        }
    }

    pub(crate) fn expression(place: impl Into<String>) -> impl FnOnce(EvalError) -> RenderError {
        let place = place.into();
        move |error| RenderError::Expression { place, error }
    }
}

/// How requests name this program.
pub(crate) const USER_AGENT: &str = concat!("toolrun/", env!("CARGO_PKG_VERSION"));

/// Query parameters or header fields that most requests have at the most.
const EXPECTED: usize = 8;

/// A compiled request section.
#[derive(Debug)]
pub(crate) struct RequestTemplate {
    /// The HTTP method.
    pub method: Method,
    /// The path.
    pub path: PathTemplate,
    /// The tool's query parameters.
    pub query: QueryTemplate,
    /// The tool's headers.
    pub headers: HeaderTemplate,
    /// The body.
    pub body: Option<BodyTemplate>,
    /// Whether the request may be sent again after a failure.
    pub idempotent: bool,
    /// The `accept` header, unless the service or the tool sets one.
    pub accept: &'static str,
    /// The lower-case name of the header that carries the idempotency key.
    pub idempotency_header: Option<Label>,
}

impl RequestTemplate {
    /// Compiles the section; mistakes go to `check`, which stands at `pointer`.
    pub(crate) fn compile(
        spec: &RequestSpec,
        pointer: &str,
        names: &Names,
        check: &Check,
    ) -> RequestTemplate {
        if let Some(body) = &spec.body {
            report_misfit(spec, body, pointer, check);
        }
        let headers =
            HeaderTemplate::compile(&spec.headers, &join(pointer, "headers"), names, check);
        let idempotency_header = spec.idempotency_key.as_ref().map(|key| {
            let at = join(&join(pointer, "idempotency_key"), "header");
            header::report_added(&key.header, &headers, &at, check);
            Label::from(key.header.to_ascii_lowercase())
        });
        let is_idempotent = spec.method.is_idempotent() || idempotency_header.is_some();
        RequestTemplate {
            method: spec.method,
            path: PathTemplate::compile(&spec.path, &join(pointer, "path"), names, check)
                .with_styles(&spec.path_styles, &join(pointer, "path_styles"), check),
            query: QueryTemplate::compile(&spec.query, &join(pointer, "query"), names, check),
            headers,
            body: spec
                .body
                .as_ref()
                .map(|body| BodyTemplate::compile(body, &join(pointer, "body"), names, check)),
            idempotent: spec.idempotent.unwrap_or(is_idempotent),
            idempotency_header,
            accept: "application/json",
        }
    }

    /// Calls `visit` with every expression, and whether it stands inside a longer text.
    pub(crate) fn visit(&self, visit: &mut dyn FnMut(&crate::template::Expression, bool)) {
        self.path.visit(visit);
        self.query.visit(visit);
        self.headers.visit(visit);
        if let Some(body) = &self.body {
            body.visit(visit);
        }
    }

    /// Puts this idempotency key into the header field that carries one, if there is such a field.
    ///
    /// # Errors
    /// When it is no value of a header field.
    pub(crate) fn put_idempotency_key(
        &self,
        plan: &mut Plan,
        key: &str,
    ) -> Result<(), RenderError> {
        let Some(name) = &self.idempotency_header else {
            return Ok(());
        };
        if key.is_empty() || !key.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return Err(RenderError::Value {
                place: "the idempotency key".to_owned(),
                message: "it is no text of visible ASCII characters".to_owned(),
            });
        }
        header::set(&mut plan.headers, name, Text::Plain(key.to_owned().into()));
        Ok(())
    }

    /// Renders the plan for these params, below `base`, with the parts that the service adds to every request.
    ///
    /// # Errors
    /// When a value is not allowed in the place where the template puts it.
    pub(crate) fn render(
        &self,
        base: &Url,
        common: (&QueryTemplate, &HeaderTemplate),
        scope: &CallScope<'_>,
    ) -> Result<Plan, RenderError> {
        let (common_query, common_headers) = common;
        let target = self.path.render(base, scope)?;
        let mut query = Vec::with_capacity(EXPECTED);
        common_query.render(scope, &mut query)?;
        self.query.render(scope, &mut query)?;
        let mut headers = Vec::with_capacity(EXPECTED);
        headers.push(("accept".into(), Text::Plain(self.accept.into())));
        headers.push(("user-agent".into(), Text::Plain(USER_AGENT.into())));
        common_headers.render(scope, &mut headers)?;
        self.headers.render(scope, &mut headers)?;
        if let Some(name) = &self.idempotency_header {
            header::set(&mut headers, name, Text::Generated(Generated::Uuid));
        }
        let body = match &self.body {
            Some(template) => template.render(scope)?,
            None => None,
        };
        if let Some(body) = &body {
            let media_type = body.content_type.clone();
            let content_type = match &body.content {
                BodyContent::One(_) => Text::Plain(media_type.into()),
                BodyContent::Multipart(_) => Text::Generated(Generated::Boundary { media_type }),
            };
            header::set(&mut headers, "content-type", content_type);
        }
        Ok(Plan {
            method: self.method,
            target,
            in_path: Vec::new(),
            query,
            headers,
            body,
            idempotent: self.idempotent,
        })
    }
}

/// Reports a body that the method or the headers do not allow.
fn report_misfit(spec: &RequestSpec, body: &BodySpec, pointer: &str, check: &Check) {
    let at = join(pointer, "body");
    if check.is_broken(&join(pointer, "method")) {
        // Which method it is, is not known.
    } else if !spec.method.takes_body() {
        check.error_at_key(
            Code::BadBody,
            &at,
            format!("{} requests have no body", spec.method),
            Some("use POST, PUT or PATCH, or move the values to `query`".to_owned()),
        );
    } else if matches!(body.kind, BodyKind::Graphql(_)) && spec.method != Method::Post {
        check.error_with_help(
            Code::BadBody,
            &join(pointer, "method"),
            format!("a GraphQL operation cannot be a {} request", spec.method),
            "use POST",
        );
    }
    let is_content_type = |name: &&String| name.eq_ignore_ascii_case("content-type");
    if let Some(name) = spec.headers.keys().find(is_content_type) {
        check.error_at_key(
            Code::BadHeader,
            &join(&join(pointer, "headers"), name),
            format!("the body sets the header `{name}` itself"),
            Some("write `content_type` in the body".to_owned()),
        );
    }
}

/// Sets a header, replacing one of the same name.
pub(crate) fn set_header(
    headers: &mut Vec<(Label, Text)>,
    name: impl Into<Label> + AsRef<str>,
    value: Text,
) {
    header::set(headers, name, value);
}

/// Percent-encodes all characters except the unreserved ones of RFC 3986.
pub(crate) fn percent_encode(text: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~');
    if is_unreserved(text) {
        return text.to_owned();
    }
    utf8_percent_encode(text, RESERVED).to_string()
}

/// [`percent_encode`] for a text that is given away. Most texts are returned as they are.
pub(crate) fn percent_encoded(text: Cow<'static, str>) -> Cow<'static, str> {
    match is_unreserved(&text) {
        true => text,
        false => percent_encode(&text).into(),
    }
}

fn is_unreserved(text: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes().all(is_plain)
}
