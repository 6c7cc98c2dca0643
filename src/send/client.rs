//! The client of one service: its transport, its rate limit and its base URL.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::limiter::wait_for_turn;
use super::{Budget, Limiter, Observer, SendError, Transport};
use crate::sign::SignedRequest;

/// The client of one service.
pub(crate) struct Client {
    transport: Arc<dyn Transport>,
    turns: Option<(Arc<dyn Limiter>, Budget)>,
    base: Url,
    /// The last target, parsed: most calls have the same target as the one before.
    last: Mutex<Option<Url>>,
    /// The header fields of the last request, ready to be sent, without the values of credentials: most calls send the
    /// same.
    fields: Mutex<Vec<(HeaderName, HeaderValue)>>,
    /// Whether a recording answers.
    plays: bool,
}

impl Client {
    /// A client of the service at `base`.
    pub(crate) fn new(
        transport: Arc<dyn Transport>,
        turns: Option<(Arc<dyn Limiter>, Budget)>,
        base: &Url,
    ) -> Client {
        Client {
            transport,
            turns,
            base: base.clone(),
            last: Mutex::default(),
            fields: Mutex::default(),
            plays: false,
        }
    }

    /// A client that a recording answers. It has no limit and waits for nothing.
    pub(crate) fn of_recording(transport: Arc<dyn Transport>, base: &Url) -> Client {
        Client {
            plays: true,
            ..Client::new(transport, None, base)
        }
    }

    /// Whether a recording answers.
    pub(crate) fn plays(&self) -> bool {
        self.plays
    }

    /// The header fields of a request. One that is as it was in the request before is not read again.
    ///
    /// # Errors
    /// When one of them cannot be sent.
    pub(super) fn headers(&self, request: &SignedRequest<'_>) -> Result<HeaderMap, SendError> {
        let mut fields = self.fields.lock().unwrap_or_else(PoisonError::into_inner);
        fields.truncate(request.headers.len());
        let mut headers = HeaderMap::with_capacity(request.headers.len() + 2);
        for (i, (name, text, is_secret)) in request.headers.iter().enumerate() {
            let refuse =
                || SendError::Policy(format!("the header `{name}` cannot be sent as it is"));
            let known = fields.get(i).filter(|(known, _)| known.as_str() == name);
            let (header, value) = match known {
                Some((known, value)) if !is_secret && value.as_bytes() == text.as_bytes() => {
                    headers.insert(known.clone(), value.clone());
                    continue;
                }
                Some((known, _)) => (known.clone(), HeaderValue::from_str(text)),
                None => {
                    let header = HeaderName::from_bytes(name.as_bytes());
                    (header.map_err(|_| refuse())?, HeaderValue::from_str(text))
                }
            };
            let mut value = value.map_err(|_| refuse())?;
            let kept = match is_secret {
                true => HeaderValue::from_static(""),
                false => value.clone(),
            };
            match fields.get_mut(i) {
                Some(field) => *field = (header.clone(), kept),
                None => fields.push((header.clone(), kept)),
            }
            value.set_sensitive(*is_secret);
            headers.insert(header, value);
        }
        Ok(headers)
    }

    /// The URL of a target and a query.
    pub(super) fn url(&self, target: &str, query: &str) -> Result<Url, url::ParseError> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let mut url = match &*last {
            Some(url) if url.as_str() == target => url.clone(),
            _ => {
                let url = Url::parse(target)?;
                *last = Some(url.clone());
                url
            }
        };
        drop(last);
        if !query.is_empty() {
            url.set_query(Some(query));
        }
        Ok(url)
    }

    /// The base URL of all requests.
    pub(super) fn base(&self) -> &Url {
        &self.base
    }

    pub(super) fn transport(&self) -> &dyn Transport {
        &*self.transport
    }

    /// Waits until the rate limit lets a request go.
    ///
    /// # Errors
    /// When the limiter fails.
    pub(super) async fn wait_for_turn(&self, observer: Observer<'_>) -> Result<(), SendError> {
        match &self.turns {
            None => Ok(()),
            Some((limiter, budget)) => wait_for_turn(&**limiter, budget, observer).await,
        }
    }

    /// Tells the rate limit that the service asked to wait so long.
    pub(super) async fn refused(&self, wait: Duration) {
        if let Some((limiter, budget)) = &self.turns {
            limiter.refused(budget, wait).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;
    use crate::plan::Method;
    use crate::send::Scripted;

    type Field = (&'static str, &'static str, bool);

    fn request(fields: &[Field]) -> SignedRequest<'static> {
        SignedRequest {
            method: Method::Get,
            target: "https://a.test/x".into(),
            query: String::new(),
            headers: fields
                .iter()
                .map(|(name, value, is_secret)| ((*name).into(), (*value).into(), *is_secret))
                .collect(),
            body: None,
            stamper: None,
            follows_redirects: true,
        }
    }

    fn client() -> Client {
        let base = Url::parse("https://a.test").unwrap();
        Client::new(Arc::new(Scripted::default()), None, &base)
    }

    /// Whatever was sent before, a request has its own fields, and no credential is kept.
    #[test]
    fn fields_are_those_of_the_request_itself() {
        let requests: [&[Field]; 9] = [
            &[("accept", "a", false), ("x-key", "canary-1", true)],
            &[("accept", "a", false), ("x-key", "canary-2", true)],
            &[("accept", "b", false), ("x-key", "plain", false)],
            &[("accept", "canary-3", true), ("x-key", "plain", false)],
            &[("accept", "", false), ("x-key", "", false)],
            &[("x-key", "canary-1", true), ("accept", "a", false)],
            &[("accept", "a", false)],
            &[],
            &[
                ("accept", "a", false),
                ("x-a", "1", false),
                ("x-b", "2", false),
                ("x-c", "3", true),
            ],
        ];
        let client = client();
        for (first, second) in requests
            .iter()
            .flat_map(|one| requests.iter().map(move |two| (one, two)))
        {
            for fields in [first, second] {
                let request = request(fields);
                let sent = client.headers(&request).unwrap();
                let sent: Vec<(&str, &[u8], bool)> = sent
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.as_bytes(), value.is_sensitive()))
                    .collect();
                let expected: Vec<(&str, &[u8], bool)> = fields
                    .iter()
                    .map(|(name, value, is_secret)| (*name, value.as_bytes(), *is_secret))
                    .collect();
                assert_eq!(sent, expected, "{first:?} {second:?}");
                let kept = format!("{:?}", client.fields.lock().unwrap());
                assert!(!kept.contains("canary"), "{kept}");
            }
        }
    }

    #[test]
    fn what_cannot_be_sent_is_refused_whatever_was_sent_before() {
        for bad in [
            ("x-a", "1\n2", false),
            ("x-a", "1\n2", true),
            ("x a", "1", false),
        ] {
            let client = client();
            for _ in 0..2 {
                let error = client.headers(&request(&[("accept", "a", false), bad]));
                let told = error.unwrap_err().to_string();
                assert!(
                    told.contains(&format!("the header `{}` cannot be sent", bad.0)),
                    "{told}"
                );
                assert!(
                    client
                        .headers(&request(&[("accept", "a", false), ("x-a", "1", false)]))
                        .is_ok()
                );
            }
        }
    }
}
