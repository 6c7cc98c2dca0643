//! A session: what the calls of one service share, including the access token that they renew.
//!
//! A renewal is a task of its own. It continues if the call that began it is dropped or runs out of time: if the
//! service rotates refresh tokens, the old one is spent by then, and the new one must not be lost.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;
use tokio::sync::OwnedMutexGuard;
use url::Url;

use super::Setup;
use super::call::Watcher;
use super::error::Error;
use crate::address::is_loopback;
use crate::send::{
    self, About, Again, Client, Event, Exchange, Purpose, SeenBody, SendError, Unsigned, tell,
};
use crate::sign::{ACCESS_TOKEN, Redactor, SavedToken, Secrets, Token};
use crate::tool::service::Service;

/// A token is renewed this long before it expires, or a tenth of its lifetime if that is less.
const SKEW: Duration = Duration::from_secs(30);

/// For how long a token of this lifetime is used.
fn usable_for(lifetime: Duration) -> Duration {
    lifetime - SKEW.min(lifetime / 10)
}

/// What the calls of one service share.
pub(crate) struct Session {
    /// The credentials of requests, if the service has no access token.
    fixed: Arc<Credentials>,
    renewal: Option<Arc<Renewal>>,
}

/// The credentials of a request, and the client that sends it.
pub(crate) struct Credentials {
    /// The client that sends it.
    pub client: Arc<Client>,
    /// The secrets, with the access token if there is one.
    pub secrets: Secrets,
    /// Masks the secrets.
    pub redactor: Redactor,
    /// The base URL, if it came with the access token.
    pub base: Option<Url>,
    expires: Option<Instant>,
}

impl Credentials {
    /// None: a recording answers. `base` is the base URL, if it came with an access token.
    pub(super) fn without_secrets(
        client: Client,
        secrets: Secrets,
        base: Option<Url>,
    ) -> Credentials {
        Credentials {
            client: Arc::new(client),
            redactor: Redactor::default(),
            secrets,
            base,
            expires: None,
        }
    }
}

/// What is needed to renew the access token.
struct Renewal {
    client: Client,
    token_url: Url,
    setup: Arc<Setup>,
    current: Mutex<Option<Arc<Credentials>>>,
    /// The task that holds the lock asks for a token; all others wait for the result.
    flight: Arc<tokio::sync::Mutex<Flight>>,
    flights: AtomicU64,
}

/// The last request for a token.
#[derive(Default)]
struct Flight {
    outcome: Option<Result<Arc<Credentials>, Error>>,
    secrets: Option<Secrets>,
}

/// For whom a token is requested.
#[derive(Clone)]
pub(crate) struct Asking {
    /// The service.
    pub service: Arc<Service>,
    /// The tool that is called.
    pub tool: String,
    /// Its settings.
    pub settings: Arc<Value>,
    /// Whether all requests go to a stand-in, so that a base URL of the token is ignored.
    pub is_stand_in: bool,
    /// When the caller gives up. No try begins after that.
    pub deadline: Option<Instant>,
    /// The observer of the call.
    pub watcher: Option<Watcher>,
}

/// The name of a service's rate budget. It is the same on every machine, wherever the descriptors are.
fn budget_name(service: &Service, base: &Url) -> String {
    format!("{} {}", service.name, base.origin().ascii_serialization())
}

impl Session {
    /// A session with these secrets, below this base URL. `token_url` is the token endpoint of the service's grant.
    ///
    /// # Errors
    /// When the client cannot be built.
    pub(crate) fn new(
        setup: &Arc<Setup>,
        service: &Service,
        secrets: Secrets,
        base: &Url,
        token_url: Option<Url>,
    ) -> Result<Session, Error> {
        let filled = service.auth.filled(base, &secrets);
        let base = filled.as_ref().unwrap_or(base);
        let client = setup.client(service, base, budget_name(service, base))?;
        let renewal = match token_url {
            None => None,
            Some(token_url) => Some(Arc::new(Renewal {
                client: setup.client(
                    service,
                    &token_url,
                    format!("{} token", budget_name(service, &token_url)),
                )?,
                token_url,
                setup: Arc::clone(setup),
                current: Mutex::default(),
                flight: Arc::default(),
                flights: AtomicU64::new(0),
            })),
        };
        let secrets = service.auth.with_sent(secrets);
        let redactor = Redactor::new(&secrets);
        Ok(Session {
            fixed: Arc::new(Credentials {
                client: Arc::new(client),
                secrets,
                redactor,
                base: None,
                expires: None,
            }),
            renewal,
        })
    }

    /// The current credentials; `None` before the first token.
    pub(crate) fn current(&self) -> Option<Arc<Credentials>> {
        match &self.renewal {
            None => Some(Arc::clone(&self.fixed)),
            Some(renewal) => renewal.current(),
        }
    }

    /// What masks the secrets that are known now.
    #[cfg(feature = "serve")]
    pub(crate) fn redactor(&self) -> Redactor {
        match self.current() {
            Some(credentials) => credentials.redactor.clone(),
            None => self.fixed.redactor.clone(),
        }
    }

    /// The credentials of each request; `None` if the service has an access token.
    pub(crate) fn fixed(&self) -> Option<&Arc<Credentials>> {
        self.renewal.is_none().then_some(&self.fixed)
    }

    /// The credentials for a request. Requests an access token if there is none or it has expired.
    ///
    /// # Errors
    /// When the token endpoint refuses, fails or cannot be reached.
    pub(crate) async fn credentials(&self, asking: &Asking) -> Result<Arc<Credentials>, Error> {
        let Some(renewal) = &self.renewal else {
            return Ok(Arc::clone(&self.fixed));
        };
        let is_fresh = |credentials: &Arc<Credentials>| {
            credentials
                .expires
                .is_none_or(|expires| Instant::now() < expires)
        };
        renewal.obtain(is_fresh, &self.fixed, asking).await
    }

    /// Makes sure that the next request carries another access token than `stale`. False if the service has no access
    /// token to renew.
    ///
    /// # Errors
    /// As [`Session::credentials`].
    pub(crate) async fn renew(
        &self,
        stale: &Arc<Credentials>,
        asking: &Asking,
    ) -> Result<bool, Error> {
        let Some(renewal) = &self.renewal else {
            return Ok(false);
        };
        let is_other = |credentials: &Arc<Credentials>| !Arc::ptr_eq(credentials, stale);
        renewal.obtain(is_other, &self.fixed, asking).await?;
        Ok(true)
    }
}

impl Renewal {
    fn current(&self) -> Option<Arc<Credentials>> {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.clone()
    }

    /// The current credentials if they are good, else new ones. If several calls ask at once, one sends a request, and
    /// all get its outcome, good or bad.
    async fn obtain(
        self: &Arc<Self>,
        is_good: impl Fn(&Arc<Credentials>) -> bool,
        fixed: &Arc<Credentials>,
        asking: &Asking,
    ) -> Result<Arc<Credentials>, Error> {
        let seen = self.flights.load(Ordering::SeqCst);
        if let Some(current) = self.current().filter(&is_good) {
            return Ok(current);
        }
        let flight = Arc::clone(&self.flight).lock_owned().await;
        if self.flights.load(Ordering::SeqCst) > seen
            && let Some(outcome) = &flight.outcome
        {
            return outcome.clone();
        }
        let renewal = Arc::clone(self);
        let (fixed, asking) = (Arc::clone(fixed), asking.clone());
        let task = tokio::spawn(async move { renewal.fly(flight, &fixed, &asking).await });
        match task.await {
            Ok(outcome) => outcome,
            Err(ended) if ended.is_panic() => std::panic::resume_unwind(ended.into_panic()),
            Err(_) => Err(SendError::Network {
                what: "the access token was not renewed".to_owned(),
                reason: "the program is ending".to_owned(),
            }
            .into()),
        }
    }

    /// Requests a token and stores the outcome.
    async fn fly(
        &self,
        mut flight: OwnedMutexGuard<Flight>,
        fixed: &Credentials,
        asking: &Asking,
    ) -> Result<Arc<Credentials>, Error> {
        let known = flight
            .secrets
            .clone()
            .unwrap_or_else(|| fixed.secrets.clone());
        let outcome = self.fetch(known, fixed, asking).await;
        if let Ok(credentials) = &outcome {
            flight.secrets = Some(credentials.secrets.clone());
            *self.current.lock().unwrap_or_else(PoisonError::into_inner) =
                Some(Arc::clone(credentials));
        }
        flight.outcome = Some(outcome.clone());
        self.flights.fetch_add(1, Ordering::SeqCst);
        outcome
    }

    /// Requests a token with the known secrets. Each try has the service's own time limit; the caller's deadline only
    /// decides whether another try begins.
    async fn fetch(
        &self,
        known: Secrets,
        fixed: &Credentials,
        asking: &Asking,
    ) -> Result<Arc<Credentials>, Error> {
        let service = &*asking.service;
        let Some(grant) = service.auth.grant() else {
            return Err(Error::Response("the service has no grant".to_owned()));
        };
        let observer = asking.watcher.as_deref();
        let held = match &self.setup.tokens {
            None => None,
            Some(share) => {
                let held = share.hold(self.parts(service, fixed)).await;
                held.map_err(|reason| SendError::Network {
                    what: "the access token that processes share cannot be read".to_owned(),
                    reason,
                })?
            }
        };
        let saved = held.as_ref().and_then(|held| held.saved());
        if let Some(token) = saved.and_then(|saved| self.usable(saved)) {
            return self.credentials_of(token, known, fixed, asking, Instant::now());
        }
        let known = known.with_rotated(saved.and_then(|saved| saved.rotated.clone()));
        let request = grant.request(&self.token_url, &known, &asking.settings)?;
        let known = request.credentials().fold(known, Secrets::with_sent);
        let redactor = Redactor::new(&known);
        tell(observer, || Event::Request {
            method: request.method,
            url: redactor.message(&request.target),
            headers: request.masked_headers(),
            body: SeenBody::withheld(request.body.clone().unwrap_or_default()),
        });
        let started = Instant::now();
        let exchange = Exchange {
            client: &self.client,
            policy: &service.sending,
            request: &request,
            idempotent: grant.is_repeatable(),
            redactor: &redactor,
            shows_body: false,
            deadline: asking.deadline,
            destination: None,
            observer,
            unsigned: self.setup.tape.is_on().then(|| Unsigned {
                method: request.method,
                url: redactor.message(&request.target),
                headers: request.masked_headers(),
                body: grant.masked_body(request.body.as_ref()),
                purpose: Purpose::Token,
                attempt: 1,
                redirects: 0,
                about: Arc::new(About {
                    service: service.name.clone(),
                    tool: asking.tool.clone(),
                    arguments: Value::Null,
                    base: redactor.message(self.token_url.as_str()),
                    redactor: redactor.clone(),
                }),
            }),
        };
        let (response, ()) = send::send(&exchange, |_| (Again::ByPolicy, ()))
            .await
            .map_err(|error| Error::from(error).masked(|text| redactor.message(text)))?;
        let token = grant.token(response.status, &response.body, response.attempts, |text| {
            redactor.message(text)
        })?;
        if let Some(held) = &held {
            let saved = SavedToken {
                access: token.access.clone(),
                rotated: (token.rotated.clone()).or_else(|| known.rotated().cloned()),
                renewed_at: token
                    .lifetime
                    .and_then(|lifetime| SystemTime::now().checked_add(usable_for(lifetime))),
                values: token.values.clone(),
            };
            // This process can go on; the others would use a refresh token that is spent.
            if let Err(reason) = held.save(&saved).await {
                tell(observer, || Event::TokenNotSaved {
                    reason: redactor.message(&reason),
                });
            }
        }
        self.credentials_of(token, known, fixed, asking, started)
    }

    /// What the token depends on: who uses other secrets has another token.
    fn parts(&self, service: &Service, fixed: &Credentials) -> Vec<String> {
        let mut values: Vec<String> = service
            .auth
            .secrets()
            .iter()
            .filter_map(|secret| {
                let value = fixed.secrets.expose(&secret.name)?;
                Some(format!("{}={value}", secret.name))
            })
            .collect();
        values.sort();
        values.insert(0, format!("{} {}", service.name, self.token_url));
        values
    }

    /// A saved token that is worth a try: it has not expired, and it is not the one that this process wants to replace.
    fn usable(&self, saved: &SavedToken) -> Option<Token> {
        let lifetime = match saved.renewed_at {
            None => None,
            Some(at) => Some(at.duration_since(SystemTime::now()).ok()?),
        };
        let current = self.current();
        let known = current
            .as_ref()
            .and_then(|current| current.secrets.expose(ACCESS_TOKEN));
        if known == Some(saved.access.expose()) {
            return None;
        }
        Some(Token {
            access: saved.access.clone(),
            rotated: saved.rotated.clone(),
            lifetime,
            values: saved.values.clone(),
        })
    }

    /// Credentials with a token that is valid from `started` on.
    fn credentials_of(
        &self,
        token: Token,
        known: Secrets,
        fixed: &Credentials,
        asking: &Asking,
        started: Instant,
    ) -> Result<Arc<Credentials>, Error> {
        let service = &*asking.service;
        let base = self.base(&token, asking)?;
        let previous = self.current();
        let client = match (&base, previous) {
            (Some(base), Some(previous)) if previous.base.as_ref() == Some(base) => {
                Arc::clone(&previous.client)
            }
            (Some(base), _) => Arc::new(self.setup.client(
                service,
                base,
                budget_name(service, base),
            )?),
            (None, _) => Arc::clone(&fixed.client),
        };
        let expires = token
            .lifetime
            .and_then(|lifetime| started.checked_add(usable_for(lifetime)));
        let secrets = known.renewed(token);
        Ok(Arc::new(Credentials {
            client,
            redactor: Redactor::new(&secrets),
            secrets,
            base,
            expires,
        }))
    }

    /// The base URL that came with the token, if the service's base URL uses it.
    fn base(&self, token: &Token, asking: &Asking) -> Result<Option<Url>, Error> {
        let base = &asking.service.base;
        if !base.reads_token() || asking.is_stand_in {
            return Ok(None);
        }
        let url = base.at(&asking.settings, Some(&token.values))?.into_owned();
        // A token endpoint on another machine must not lead requests to this machine.
        match is_loopback(&url) && !is_loopback(&self.token_url) {
            true => Err(Error::Policy(
                "the token endpoint names an address on this machine as the service's".to_owned(),
            )),
            false => Ok(Some(url)),
        }
    }
}
