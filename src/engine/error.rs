//! What can go wrong with a call. Errors are values with a kind and facts; only the command line turns them into exit
//! codes and hints.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::catalog::LoadError;
use crate::format::Access;
use crate::paging::PagingError;
use crate::params::ArgumentProblem;
use crate::plan::{FileError, RenderError};
use crate::project::ProjectError;
use crate::said::one_line;
use crate::send::{ClientError, SendError};
use crate::sign::{SecretError, SignError, TokenError};
use crate::source::{Finding, Untrusted};
use crate::tool::service::SettingError;
use crate::wait::WaitError;
use crate::words::{excerpt, list, seconds};

/// The kind of an error; each kind has one exit code on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// No such tool, or arguments that the tool does not take.
    Usage,
    /// The tool's descriptor is not valid.
    Descriptor,
    /// A secret is missing or does not match its pattern.
    Secret,
    /// Refused by policy: no consent, a redirect to another origin, a private address.
    Policy,
    /// The service refused the request (4xx).
    Refused,
    /// The service failed (5xx).
    Failed,
    /// The network failed, or the time ran out.
    Network,
    /// The response is not as the descriptor says.
    Response,
    /// The response cannot be written to its destination.
    Output,
}

/// An error response of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Upstream {
    /// The HTTP status.
    pub status: u16,
    /// What the status means, such as `not_found` or `rate_limited`.
    pub meaning: &'static str,
    /// The service's own code.
    pub code: Option<String>,
    /// The service's own message: from where the descriptor says, else from the usual places. At most about 2 KB; it
    /// says how much was cut.
    pub message: Option<String>,
    /// The service's id of the request.
    pub request_id: Option<String>,
    /// How often the request was sent.
    pub attempts: u32,
    /// The names of optional secrets that are not set, so that the request went without their credentials.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unset_secrets: Vec<String>,
    /// How long the service asks to wait.
    #[serde(skip)]
    pub retry_after: Option<Duration>,
    /// An earlier try got no answer or a server error, and may have been carried out anyway.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub may_be_done: bool,
    /// The body, secrets masked: a JSON value, else text of at most 16 KB; `None` if it is empty or not text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// Bytes of the body that `body` leaves out.
    #[serde(skip_serializing_if = "is_zero")]
    pub body_cut: u64,
    /// Why the service's response is incomplete, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_incomplete: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// What went wrong with a call.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The tool does not exist or cannot be used.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The tool needs something that only a trusted folder may do, and its folder is not trusted.
    #[error(transparent)]
    Untrusted(#[from] Untrusted),
    /// The arguments are not what the tool takes.
    #[error("{}", list(&format!("the arguments of {tool} are not valid"), .problems))]
    Arguments {
        /// The tool.
        tool: String,
        /// Every violation.
        problems: Vec<ArgumentProblem>,
    },
    /// An argument cannot be written in its place in the request.
    #[error("the request cannot be built: {0}")]
    Render(#[from] RenderError),
    /// A local file cannot be read, or the call does not allow to send it.
    #[error(transparent)]
    File(#[from] FileError),
    /// A setting has no usable value.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// A secret is missing or wrong.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The tool may do more than the call consents to.
    #[error("{tool} is a {access} tool, which needs consent")]
    Consent {
        /// The tool.
        tool: String,
        /// What it may do.
        access: Access,
    },
    /// A safety rule forbids the request or the answer.
    #[error("{0}")]
    Policy(String),
    /// The service answered with an error.
    #[error("{}", upstream(.0))]
    Upstream(Box<Upstream>),
    /// The request got no response that can be used.
    #[error(transparent)]
    Send(SendError),
    /// The response is not as the descriptor says.
    #[error("the response is not as described: {0}")]
    Response(String),
    /// The tool downloads a file, and the call names no place for it.
    #[error("{tool} downloads a file, and the call names no place for it")]
    NoDestination {
        /// The tool.
        tool: String,
    },
    /// The tool's response is not a file, so there is nothing to save.
    #[error("{tool} downloads no file; its response is {kind}")]
    NoDownload {
        /// The tool.
        tool: String,
        /// The kind of its response.
        kind: &'static str,
    },
    /// A job was not done in time.
    #[error("{}", unfinished(.0))]
    Unfinished(Box<Unfinished>),
}

/// A job that was not done in time. The service may still work on it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Unfinished {
    /// How long was waited.
    #[serde(skip)]
    pub within: Duration,
    /// How often the job was polled.
    pub polls: u32,
    /// Where the job is, secrets masked.
    pub url: String,
    /// The body of the last poll; the first body if there was no poll.
    pub last: Value,
}

fn upstream(upstream: &Upstream) -> String {
    let mut text = format!(
        "the service answered {} ({})",
        upstream.status, upstream.meaning
    );
    if let Some(message) = &upstream.message {
        text.push_str(": ");
        text.push_str(&one_line(message));
    }
    let facts: Vec<String> = [
        upstream
            .code
            .as_ref()
            .map(|code| format!("code {}", one_line(code))),
        upstream
            .request_id
            .as_ref()
            .map(|id| format!("request id {}", one_line(id))),
        (upstream.attempts > 1).then(|| format!("{} attempts", upstream.attempts)),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !facts.is_empty() {
        text.push_str(&format!(" [{}]", facts.join(", ")));
    }
    if upstream.may_be_done {
        text.push_str("; an earlier try failed and may have been carried out all the same");
    }
    if let Some(reason) = &upstream.body_incomplete {
        text.push_str(&format!("; its answer is not whole: {}", one_line(reason)));
    }
    text
}

fn unfinished(job: &Unfinished) -> String {
    format!(
        "the job is not done after {} and {} polls of {}; it was last {}",
        seconds(job.within),
        job.polls,
        job.url,
        excerpt(&job.last)
    )
}

impl From<Vec<Finding>> for Error {
    fn from(findings: Vec<Finding>) -> Error {
        LoadError::from(findings).into()
    }
}

impl From<ClientError> for Error {
    fn from(error: ClientError) -> Error {
        SendError::from(error).into()
    }
}

impl From<SignError> for Error {
    fn from(error: SignError) -> Error {
        match error {
            SignError::Secret(error) => error.into(),
            SignError::Render(error) => error.into(),
            SignError::Target => Error::Policy(error.to_string()),
        }
    }
}

impl From<SendError> for Error {
    fn from(error: SendError) -> Error {
        match error {
            SendError::Sign(error) => error.into(),
            other => Error::Send(other),
        }
    }
}

impl From<TokenError> for Error {
    fn from(error: TokenError) -> Error {
        match error {
            TokenError::Refused(error) => error.into(),
            TokenError::Answered {
                status,
                code,
                told,
                attempts,
            } => Error::Upstream(Box::new(Upstream {
                status,
                meaning: status_meaning(status),
                code,
                message: Some(format!("the token endpoint: {told}")),
                request_id: None,
                attempts,
                unset_secrets: Vec::new(),
                retry_after: None,
                may_be_done: false,
                body: None,
                body_cut: 0,
                body_incomplete: None,
            })),
            TokenError::Shape(message) => Error::Response(message),
        }
    }
}

impl From<PagingError> for Error {
    fn from(error: PagingError) -> Error {
        match error {
            PagingError::Shape(error) => error.into(),
            PagingError::Leaves(message) => Error::Policy(message),
        }
    }
}

impl From<WaitError> for Error {
    fn from(error: WaitError) -> Error {
        match error {
            WaitError::Leaves(_) => Error::Policy(error.to_string()),
            WaitError::Shape(_) | WaitError::Render(_) | WaitError::NoUrl => {
                Error::Response(error.to_string())
            }
        }
    }
}

impl From<ProjectError> for Error {
    fn from(error: ProjectError) -> Error {
        Error::Response(error.to_string())
    }
}

impl Error {
    /// The error with `mask` applied to all texts that may repeat what a service said.
    #[must_use]
    #[cold]
    pub(crate) fn masked(self, mask: impl Fn(&str) -> String) -> Error {
        match self {
            Error::Policy(message) => Error::Policy(mask(&message)),
            Error::Render(error) => Error::Render(error.masked(mask)),
            Error::Response(message) => Error::Response(mask(&message)),
            Error::Send(error) => Error::Send(error.masked(mask)),
            Error::Upstream(upstream) => {
                let mask = |text: Option<String>| text.map(|text| mask(&text));
                Error::Upstream(Box::new(Upstream {
                    code: mask(upstream.code),
                    message: mask(upstream.message),
                    request_id: mask(upstream.request_id),
                    ..*upstream
                }))
            }
            Error::Unfinished(job) => Error::Unfinished(Box::new(Unfinished {
                url: mask(&job.url),
                last: masked_value(job.last, &mask),
                ..*job
            })),
            other => other,
        }
    }

    /// The kind.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Load(LoadError::Descriptor(_)) => ErrorKind::Descriptor,
            Error::Load(_)
            | Error::Arguments { .. }
            | Error::Render(_)
            | Error::NoDestination { .. }
            | Error::NoDownload { .. } => ErrorKind::Usage,
            Error::Send(error) => kind_of_sending(error),
            _ if self.untrusted().is_some() => ErrorKind::Policy,
            Error::Setting(_) => ErrorKind::Usage,
            Error::File(error) if error.is_policy() => ErrorKind::Policy,
            Error::File(_) => ErrorKind::Usage,
            Error::Secret(SecretError::CommandRefused { .. }) | Error::Untrusted(_) => {
                ErrorKind::Policy
            }
            Error::Secret(_) => ErrorKind::Secret,
            Error::Consent { .. } | Error::Policy(_) => ErrorKind::Policy,
            Error::Upstream(upstream) if upstream.status >= 500 => ErrorKind::Failed,
            Error::Upstream(_) => ErrorKind::Refused,
            Error::Unfinished(_) => ErrorKind::Network,
            Error::Response(_) => ErrorKind::Response,
        }
    }

    /// What the tool may not do and which folder would have to be trusted, if trust is what is missing.
    pub fn untrusted(&self) -> Option<&Untrusted> {
        match self {
            Error::Untrusted(untrusted)
            | Error::Secret(SecretError::Untrusted(untrusted))
            | Error::Setting(SettingError::Untrusted(untrusted)) => Some(untrusted),
            _ => None,
        }
    }

    /// The error as one JSON object: `{"error": {"kind", "message", ...}}`. It has no hint: only the command line knows
    /// how the caller gives flags, secrets and consent.
    pub fn to_json(&self) -> Value {
        let mut error = json!({ "kind": self.kind(), "message": self.to_string() });
        if let Some(untrusted) = self.untrusted() {
            error["folder"] = untrusted.folder.to_string_lossy().into();
        }
        match self {
            Error::Arguments { problems, .. } => error["problems"] = json!(problems),
            Error::Load(LoadError::Descriptor(findings)) => error["findings"] = json!(findings),
            Error::Unfinished(job) => error["job"] = json!(job),
            Error::Upstream(upstream) => {
                error["status"] = upstream.status.into();
                error["upstream"] = json!(upstream);
                if let Some(after) = upstream.retry_after {
                    error["retry_after_seconds"] = after.as_secs().into();
                }
            }
            _ => {}
        }
        json!({ "error": error })
    }
}

fn kind_of_sending(error: &SendError) -> ErrorKind {
    match error {
        SendError::Client(ClientError::Roots { .. } | ClientError::Proxy { .. })
        | SendError::Destination { .. } => ErrorKind::Usage,
        SendError::Sign(SignError::Secret(_)) => ErrorKind::Secret,
        SendError::Sign(SignError::Render(_)) => ErrorKind::Usage,
        SendError::Sign(SignError::Target) | SendError::Policy(_) | SendError::Unrecorded(_) => {
            ErrorKind::Policy
        }
        SendError::Client(ClientError::Setup(_))
        | SendError::Network { .. }
        | SendError::Timeout { .. } => ErrorKind::Network,
        SendError::Response(_) => ErrorKind::Response,
        SendError::Save { .. } => ErrorKind::Output,
    }
}

/// A value of an error with `mask` applied to its strings and keys. A key that is then taken gets a `*`.
pub(crate) fn masked_value(value: Value, mask: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => mask(&text).into(),
        Value::Array(items) => {
            let masked = |item| masked_value(item, mask);
            items.into_iter().map(masked).collect()
        }
        Value::Object(members) => {
            let mut masked = Map::with_capacity(members.len());
            for (key, member) in members {
                let mut key = mask(&key);
                while masked.contains_key(&key) {
                    key.push('*');
                }
                masked.insert(key, masked_value(member, mask));
            }
            masked.into()
        }
        other => other,
    }
}

/// What an HTTP error status means, in one word.
pub(crate) fn status_meaning(status: u16) -> &'static str {
    match status {
        300..400 => "redirected",
        400 | 422 => "invalid_request",
        401 => "unauthenticated",
        402 => "payment_required",
        403 => "forbidden",
        404 => "not_found",
        405 => "method_not_allowed",
        408 => "timeout",
        409 => "conflict",
        410 => "gone",
        413 => "too_large",
        429 => "rate_limited",
        503 => "unavailable",
        504 => "timeout",
        529 => "overloaded",
        _ if status < 500 => "refused",
        _ => "failed",
    }
}
