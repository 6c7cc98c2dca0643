//! The request with its credentials in it. It is signed again each time it is sent.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use super::auth::Signer;
use super::error::SignError;
use super::values::Secrets;
use crate::plan::{MASK, Method, Plan, Text, percent_encode};

/// Signs a request each time it is sent, with the time of that moment.
pub(crate) struct Stamper {
    pub(super) signers: Arc<Vec<Signer>>,
    /// Those of the signers that do not sign, because their secrets are not set.
    pub(super) left_out: Vec<usize>,
    pub(super) secrets: Secrets,
    pub(super) settings: Arc<Value>,
}

/// A request with its credentials in it. It has no `Debug`: nothing may print it.
#[derive(Clone)]
pub(crate) struct SignedRequest<'p> {
    /// The HTTP method.
    pub method: Method,
    /// Scheme, authority and path.
    pub target: Cow<'p, str>,
    /// The query, percent-encoded, without its `?`.
    pub query: String,
    /// Header fields, and whether each carries a credential.
    pub headers: Vec<(Cow<'p, str>, Cow<'p, str>, bool)>,
    /// The body's bytes.
    pub body: Option<Bytes>,
    /// Signs each try of the request.
    pub(crate) stamper: Option<Arc<Stamper>>,
    /// Whether a redirect on the same origin is followed. After a redirect, a signature would be wrong.
    pub(crate) follows_redirects: bool,
}

impl<'p> SignedRequest<'p> {
    /// Whether the request asks for a part of the response (`Range`).
    pub(crate) fn asks_for_range(&self) -> bool {
        self.headers
            .iter()
            .any(|(name, ..)| name.eq_ignore_ascii_case("range"))
    }

    /// The request for one try, signed by each signer in order.
    ///
    /// # Errors
    /// When a key cannot be read, or an expression fails.
    pub(crate) fn stamped(&self) -> Result<Cow<'_, SignedRequest<'p>>, SignError> {
        match self.stamper {
            None => Ok(Cow::Borrowed(self)),
            Some(_) => self.stamped_at(jiff::Timestamp::now()),
        }
    }

    pub(super) fn stamped_at(
        &self,
        now: jiff::Timestamp,
    ) -> Result<Cow<'_, SignedRequest<'p>>, SignError> {
        let Some(stamper) = &self.stamper else {
            return Ok(Cow::Borrowed(self));
        };
        let mut request = self.clone();
        let (secrets, settings) = (&stamper.secrets, &*stamper.settings);
        let signers = stamper.signers.iter().enumerate();
        for (_, signer) in signers.filter(|(i, _)| !stamper.left_out.contains(i)) {
            match signer {
                Signer::Hmac(hmac) => hmac.stamp(&mut request, secrets, settings, now)?,
                Signer::SigV4(sigv4) => sigv4.stamp(&mut request, secrets, settings, now)?,
            }
        }
        Ok(Cow::Owned(request))
    }

    /// The values of the headers that carry credentials.
    pub(crate) fn credentials(&self) -> impl Iterator<Item = &str> {
        let secret = self.headers.iter().filter(|(_, _, is_secret)| *is_secret);
        secret.map(|(_, value, _)| &**value)
    }

    /// Header fields, secrets masked.
    pub(crate) fn masked_headers(&self) -> Vec<(String, String)> {
        self.headers
            .iter()
            .map(|(name, value, is_secret)| match is_secret {
                true => (name.to_string(), MASK.to_owned()),
                false => (name.to_string(), value.to_string()),
            })
            .collect()
    }

    /// The host with its port, as the header `host` will have it.
    pub(super) fn host(&self) -> String {
        let Ok(url) = url::Url::parse(&self.target) else {
            return String::new();
        };
        let host = url.host_str().unwrap_or_default();
        match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    pub(super) fn set_header(&mut self, name: &str, value: String) {
        match self.headers.iter_mut().find(|(other, ..)| other == name) {
            Some((_, present, is_secret)) => (*present, *is_secret) = (value.into(), true),
            None => self
                .headers
                .push((name.to_owned().into(), value.into(), true)),
        }
    }
}

/// Bytes that most queries take at the most.
const QUERY_ROOM: usize = 64;

/// Fills in the plan's credentials. Those that depend on the whole request are left to `stamper`.
pub(crate) fn sign<'p>(
    plan: &'p Plan,
    body: Option<&Bytes>,
    secrets: &'p Secrets,
    stamper: Option<Stamper>,
) -> SignedRequest<'p> {
    let mut query = String::with_capacity(QUERY_ROOM);
    for (name, value) in &plan.query {
        let value = match value {
            Text::Plain(encoded) => Cow::Borrowed(&**encoded),
            credential => match secrets.reveal(credential) {
                Some(value) => Cow::Owned(percent_encode(&value)),
                None => continue,
            },
        };
        if !query.is_empty() {
            query.push('&');
        }
        query.push_str(name);
        query.push('=');
        query.push_str(&value);
    }
    let mut headers = Vec::with_capacity(plan.headers.len());
    for (name, value) in &plan.headers {
        if let Some(revealed) = secrets.reveal(value) {
            let is_secret = matches!(value, Text::Credential(_));
            headers.push(((&**name).into(), revealed, is_secret));
        }
    }
    SignedRequest {
        method: plan.method,
        target: match plan.in_path.is_empty() {
            true => (&*plan.target).into(),
            false => secrets.fill(&plan.target, &plan.in_path).into(),
        },
        query,
        headers,
        body: body.cloned(),
        follows_redirects: stamper.is_none(),
        stamper: stamper.map(Arc::new),
    }
}
