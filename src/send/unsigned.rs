//! What recordings may know of a request: its plan, in which places stand for secrets.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;
use url::Url;

use crate::plan::Method;
use crate::sign::Redactor;

/// What a request is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The first request of a call.
    #[default]
    Call,
    /// A later page of a list; the first one is 1.
    Page(u64),
    /// The state of a job, asked for the so-manyth time.
    Poll(u32),
    /// The end of a job that is no longer wanted.
    Cancel,
    /// An access token.
    Token,
}

/// Whose request it is.
pub(crate) struct About {
    /// The service's name.
    pub service: String,
    /// The tool's name.
    pub tool: String,
    /// The arguments, with defaults.
    pub arguments: Value,
    /// The service's base URL at that time, secrets masked.
    pub base: String,
    /// Masks the secrets that are known.
    pub redactor: Redactor,
}

/// A request without its credentials. A place stands for each.
#[derive(Clone)]
pub(crate) struct Unsigned {
    /// The HTTP method.
    pub method: Method,
    /// The whole URL, secrets masked.
    pub url: String,
    /// Header fields, secrets masked.
    pub headers: Vec<(String, String)>,
    /// The body; of a request of an access token, with secrets masked.
    pub body: Bytes,
    /// What it is for.
    pub purpose: Purpose,
    /// The number of the try, counted from 1.
    pub attempt: u32,
    /// How many redirects led to it.
    pub redirects: usize,
    /// Whose request it is.
    pub about: Arc<About>,
}

impl Unsigned {
    /// The request as it is sent now, to the target of a redirect if there is one.
    #[cold]
    pub(super) fn sent(
        &self,
        attempt: u32,
        redirects: usize,
        redirected: Option<&Url>,
        redactor: &Redactor,
    ) -> Arc<Unsigned> {
        Arc::new(Unsigned {
            attempt,
            redirects,
            url: redirected.map_or_else(
                || self.url.clone(),
                |target| redactor.message(target.as_str()),
            ),
            ..self.clone()
        })
    }

    /// The value of a header field by its lower-case name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}
