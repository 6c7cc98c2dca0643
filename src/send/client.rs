//! The client of one service: its transport, its rate limit and its base URL.

use std::sync::{Arc, Mutex, PoisonError};

use url::Url;

use super::limiter::wait_for_turn;
use super::{Budget, Limiter, Observer, SendError, Transport};

/// The client of one service.
pub struct Client {
    transport: Arc<dyn Transport>,
    turns: Option<(Arc<dyn Limiter>, Budget)>,
    base: Url,
    /// The last target, parsed: most calls have the same target as the one before.
    last: Mutex<Option<Url>>,
}

impl Client {
    /// A client of the service at `base`.
    pub fn new(
        transport: Arc<dyn Transport>,
        turns: Option<(Arc<dyn Limiter>, Budget)>,
        base: &Url,
    ) -> Client {
        Client {
            transport,
            turns,
            base: base.clone(),
            last: Mutex::default(),
        }
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
}
