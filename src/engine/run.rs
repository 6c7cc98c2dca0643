//! Carries out a call: from its arguments to a response that is not an error.

use std::borrow::Cow;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use url::Url;

use super::answer::{self, Judge, Verdict};
use super::call::{Call, Deadline, Options, Watcher};
use super::error::Error;
use super::note::Note;
use super::page::{Page, Received};
use super::session::{Asking, Credentials, Session};
use super::{Engine, Kept};
use crate::base_url::BaseUrl;
use crate::paging::{Next, Paging};
use crate::plan::{FileError, Files, Plan, Settled};
use crate::project::ResponseKind;
use crate::send::{
    self, About, Destination, Event, Limit, Purpose, Response, SeenBody, SendError, Unsigned, tell,
};
use crate::sign::{LeftOut, Secrets, sign};
use crate::source::Power;
use crate::tool::Tool;

/// How long after the deadline a program that prints a secret may take to end.
const GRACE: Duration = Duration::from_millis(500);

/// A call in progress. It owns what it needs and is cheap to clone.
#[derive(Clone)]
pub(crate) struct Run {
    engine: Engine,
    /// What the engine keeps of the tool's service.
    kept: Arc<Kept>,
    pub(super) tool: Arc<Tool>,
    pub(super) options: Arc<Options>,
    watcher: Option<Watcher>,
    /// What its next request is for.
    purpose: Purpose,
}

/// How to read a response.
#[derive(Clone, Copy)]
struct Taking<'c> {
    params: &'c Value,
    kind: ResponseKind,
    destination: Option<&'c Destination>,
}

impl Run {
    /// Runs the stages up to the plan of the first request. Gives the arguments with defaults, and the plan.
    pub(crate) fn begin(engine: &Engine, call: Call) -> Result<(Run, Value, Plan), Error> {
        let params = accept(&call.tool, call.arguments)?;
        let run = Run {
            engine: engine.clone(),
            kept: engine.kept(&call.tool.service),
            watcher: call.options.watcher(&call.tool),
            tool: call.tool,
            options: Arc::new(call.options),
            purpose: Purpose::default(),
        };
        run.permit_sending()?;
        let settings = run.settings()?;
        let mut plan = run.render(&params, &settings)?;
        if let Some(key) = &run.options.idempotency_key {
            run.tool.request.put_idempotency_key(&mut plan, key)?;
        }
        if run.tool.access > run.options.consent {
            return Err(Error::Consent {
                tool: run.tool.name.clone(),
                access: run.tool.access,
            });
        }
        Ok((run, params, plan))
    }

    /// The same call, with a next request for this purpose.
    pub(crate) fn for_purpose(&self, purpose: Purpose) -> Run {
        Run {
            purpose,
            ..self.clone()
        }
    }

    /// Whether only a recording answers, so that there is nothing to wait for.
    pub(crate) fn is_played(&self) -> bool {
        let play = self.engine.tape().playing();
        play.is_some_and(|play| !play.is_live())
    }

    /// The values of the service's settings.
    pub(crate) fn settings(&self) -> Result<Arc<Value>, Error> {
        self.engine.settings_of(&self.kept, &self.tool.service)
    }

    pub(crate) fn render(&self, params: &Value, settings: &Value) -> Result<Plan, Error> {
        self.engine.render(&self.tool, params, settings)
    }

    pub(crate) fn tell(&self, event: impl FnOnce() -> Event) {
        tell(self.watcher.as_deref(), event);
    }

    /// Whether more pages remain after a page that was asked for alone.
    pub(crate) fn note_one(&self, plan: &Plan, page: &Page) -> Option<Note> {
        let paging = self.tool.paging.as_ref().filter(|_| !page.is_empty)?;
        let next = self
            .settings()
            .and_then(|settings| self.next_page(paging, &settings, page, plan));
        Note::of_one_page(next.map(|(next, _)| next), &self.tool.service.auth)
    }

    /// What follows a page, and the plan of the next page below the current base URL.
    pub(crate) fn next_page(
        &self,
        paging: &Paging,
        settings: &Value,
        page: &Page,
        plan: &Plan,
    ) -> Result<(Option<Next>, Plan), Error> {
        let (base, plan) = self.at_current_base(settings, plan)?;
        let next = paging.next(&page.view(), &base, &plan.masked_url());
        let next = next.map_err(|error| self.masked(error.into()))?;
        Ok((next, plan.into_owned()))
    }

    /// Makes a page from a response.
    pub(crate) fn page(&self, received: Received, params: Value) -> Result<Page, Error> {
        let page = Page::new(&self.tool, received, params).map_err(|error| self.masked(error))?;
        Ok(page.until(self.options.deadline.map(Deadline::of_projections)))
    }

    /// The error with the service's secrets masked: a response may repeat one anywhere.
    #[cold]
    pub(crate) fn masked(&self, error: Error) -> Error {
        match self
            .kept
            .session
            .get()
            .and_then(|session| session.current())
        {
            Some(credentials) => error.masked(|text| credentials.redactor.message(text)),
            None => error,
        }
    }

    /// The current base URL of the service.
    pub(crate) fn current_base(&self, settings: &Value) -> Result<Cow<'_, Url>, Error> {
        let service = &self.tool.service;
        let told = || {
            let current = self
                .kept
                .session
                .get()
                .and_then(|session| session.current());
            let played = self.kept.played.get().map(Arc::clone);
            current.or(played)?.base.clone()
        };
        match service.base.reads_token().then(told).flatten() {
            Some(base) => Ok(Cow::Owned(base)),
            None => self.engine.service_base(service, settings),
        }
    }

    /// The current base URL of the service, and the plan below it.
    pub(crate) fn at_current_base<'p>(
        &self,
        settings: &Value,
        plan: &'p Plan,
    ) -> Result<(Cow<'_, Url>, Cow<'p, Plan>), Error> {
        let base = self.current_base(settings)?;
        let plan = match self.tool.service.base.reads_token() {
            true => at_told_base(plan, &base)?,
            false => Cow::Borrowed(plan),
        };
        Ok((base, plan))
    }

    /// Sends a plan and gives the response, which is not an error.
    pub(crate) async fn exchange(
        &self,
        plan: &Plan,
        params: &Value,
        kind: ResponseKind,
        destination: Option<&Destination>,
    ) -> Result<Received, Error> {
        self.permit_sending()?;
        // A missing file is reported before a missing secret.
        let settled = self.settle(plan)?;
        self.refuse_late()?;
        let taking = Taking {
            params,
            kind,
            destination,
        };
        if let Some(played) = self.engine.played(&self.kept, &self.tool.service)?
            && let Some(received) = Box::pin(self.play(played, &settled, taking)).await?
        {
            return Ok(received);
        }
        let session = self.session().await?;
        // Pinned here, so that it is not moved from one future into the next.
        let sending = pin!(self.authenticate(session, &settled, taking));
        let Some(timeout) = self.options.timeout else {
            return self.in_time(sending).await;
        };
        let sending = tokio::time::timeout(timeout, sending);
        self.in_time(pin!(async {
            sending.await.unwrap_or_else(|_| {
                Err(SendError::Timeout {
                    within: timeout,
                    limit: Limit::Caller,
                }
                .into())
            })
        }))
        .await
    }

    /// The answer of a recording. `None` if it has none, and the service is to be asked.
    #[cold]
    async fn play(
        &self,
        played: &Credentials,
        settled: &Settled<'_>,
        taking: Taking<'_>,
    ) -> Result<Option<Received>, Error> {
        let mut is_renewed = false;
        loop {
            let deadline = self.request_deadline();
            let answer = self.transmit(settled, played, None, deadline, taking).await;
            let (response, verdict) = match answer {
                Err(Error::Send(SendError::Unrecorded(reason))) if self.is_played() => {
                    return Err(SendError::Unrecorded(reason).into());
                }
                Err(Error::Send(SendError::Unrecorded(_))) => {
                    self.permit_asking()?;
                    return Ok(None);
                }
                answer => answer?,
            };
            // The access token was renewed between the two.
            let renews = self.tool.service.auth.grant().is_some();
            match verdict {
                Verdict::Stale(_) if renews && !is_renewed => is_renewed = true,
                verdict => return self.received(response, verdict, taking).map(Some),
            }
        }
    }

    /// Nothing is sent to a service that is not trusted, only to its own sandbox.
    fn permit_sending(&self) -> Result<(), Error> {
        match self.engine.tape().playing() {
            // Nothing may have to be sent.
            Some(_) => Ok(()),
            None => self.permit_asking(),
        }
    }

    fn permit_asking(&self) -> Result<(), Error> {
        match self.engine.has_stand_in() {
            true => Ok(()),
            false => Ok(self.tool.service.origin.permit(|| Power::Send)?),
        }
    }

    /// Reads the local files that a plan sends, also to a sandbox, if the service is trusted.
    fn settle<'p>(&self, plan: &'p Plan) -> Result<Settled<'p>, Error> {
        let origin = &self.tool.service.origin;
        if origin.is_trusted() {
            return Ok(plan.settle(&self.options.files)?);
        }
        plan.settle(&Files::Denied).map_err(|error| match error {
            FileError::Denied(path) => match origin.permit(|| Power::File(path.clone())) {
                Err(untrusted) => untrusted.into(),
                Ok(()) => FileError::Denied(path).into(),
            },
            other => other.into(),
        })
    }

    /// Does some work before the deadline.
    async fn in_time<T, F>(&self, work: Pin<&mut F>) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let Some(deadline) = self.options.deadline else {
            return work.await;
        };
        // Nothing begins after the deadline.
        self.refuse_late()?;
        let done = tokio::time::timeout_at(deadline.at.into(), work).await;
        done.unwrap_or_else(|_| Err(deadline.error()))
    }

    fn refuse_late(&self) -> Result<(), Error> {
        match self.options.deadline {
            Some(deadline) if Instant::now() >= deadline.at => Err(deadline.error()),
            _ => Ok(()),
        }
    }

    /// When the whole call must have ended.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.options.deadline.map(|deadline| deadline.at)
    }

    /// When a request that begins now must have ended.
    fn request_deadline(&self) -> Option<Instant> {
        let timeout = self.options.timeout.map(|timeout| Instant::now() + timeout);
        [timeout, self.deadline()].into_iter().flatten().min()
    }

    /// Sends a plan with the service's credentials. If the service does not accept the access token, gets a new one and
    /// sends the plan once more.
    async fn authenticate(
        &self,
        session: &Session,
        settled: &Settled<'_>,
        taking: Taking<'_>,
    ) -> Result<Received, Error> {
        let settings = match self.tool.service.auth.reads_settings() {
            true => Some(self.settings()?),
            false => None,
        };
        let deadline = self.request_deadline();
        let mut is_renewed = false;
        let mut obtained;
        loop {
            let credentials = match session.fixed() {
                Some(fixed) => fixed,
                None => {
                    obtained = session.credentials(&self.asking(deadline)?).await?;
                    &obtained
                }
            };
            let (response, verdict) = self
                .transmit(settled, credentials, settings.as_ref(), deadline, taking)
                .await?;
            match verdict {
                Verdict::Stale(error)
                    if is_renewed
                        || !session.renew(credentials, &self.asking(deadline)?).await? =>
                {
                    return Err(error);
                }
                Verdict::Stale(_) => is_renewed = true,
                verdict => return self.received(response, verdict, taking),
            }
        }
    }

    /// What was received, if it is no error.
    fn received(
        &self,
        response: Box<Response>,
        verdict: Verdict,
        taking: Taking<'_>,
    ) -> Result<Received, Error> {
        let (body, is_empty) = match verdict {
            Verdict::Success(body) => (body, false),
            Verdict::Empty => (Some(self.tool.empty_body(taking.kind)), true),
            Verdict::Failed(error) | Verdict::Stale(error) => return Err(error),
        };
        let body = match (body, taking.destination) {
            (None, Some(_)) => Some(answer::body_of(
                &self.tool,
                taking.kind,
                taking.destination,
                &response,
            )?),
            (body, _) => body,
        };
        Ok(Received {
            response,
            kind: taking.kind,
            body,
            is_empty,
        })
    }

    /// For whom an access token is requested.
    fn asking(&self, deadline: Option<Instant>) -> Result<Asking, Error> {
        Ok(Asking {
            service: Arc::clone(&self.tool.service),
            tool: self.tool.name.clone(),
            settings: self.settings()?,
            is_stand_in: self.engine.has_stand_in(),
            deadline,
            watcher: self.watcher.clone(),
        })
    }

    /// Signs a plan and sends it.
    async fn transmit(
        &self,
        settled: &Settled<'_>,
        credentials: &Credentials,
        settings: Option<&Arc<Value>>,
        deadline: Option<Instant>,
        taking: Taking<'_>,
    ) -> Result<(Box<Response>, Verdict), Error> {
        let service = &*self.tool.service;
        let observer = self.watcher.as_deref();
        let plan = match &credentials.base {
            None => Cow::Borrowed(&*settled.plan),
            Some(base) => at_told_base(&settled.plan, base)?,
        };
        let left_out = match credentials.client.plays() {
            // A recording needs no credential.
            true => LeftOut::default(),
            false => service.auth.left_out_of(&credentials.secrets),
        };
        if !left_out.secrets.is_empty() {
            tell(observer, || Event::Unauthenticated {
                secrets: left_out.secrets.clone(),
            });
        }
        let plan = service.auth.without(plan, &left_out);
        let stamper =
            settings.and_then(|settings| service.auth.stamper(&credentials.secrets, settings));
        let mut request = sign(&plan, settled.body.as_ref(), &credentials.secrets, stamper);
        if credentials.client.plays() {
            request.follows_redirects = !service.auth.signs_requests();
        }
        tell(observer, || Event::Request {
            method: plan.method,
            url: plan.masked_url(),
            headers: plan.masked_headers(),
            body: SeenBody::new(
                settled.body.clone().unwrap_or_default(),
                &credentials.redactor,
            ),
        });
        let judge = Judge {
            tool: &self.tool,
            params: taking.params,
            kind: taking.kind,
            destination: taking.destination,
        };
        let exchange = send::Exchange {
            client: &credentials.client,
            policy: &service.sending,
            request: &request,
            idempotent: plan.idempotent,
            redactor: &credentials.redactor,
            shows_body: true,
            deadline,
            destination: taking.destination,
            observer,
            unsigned: match self.engine.tape().is_on() {
                true => Some(self.unsigned(&plan, settled, credentials, taking.params)?),
                false => None,
            },
        };
        let (response, verdict) = send::send(&exchange, |response| judge.judge(response))
            .await
            .map_err(|error| {
                Error::from(error).masked(|text| credentials.redactor.message(text))
            })?;
        Ok((response, verdict.without(left_out.secrets)))
    }

    /// What recordings may know of a request.
    #[cold]
    fn unsigned(
        &self,
        plan: &Plan,
        settled: &Settled<'_>,
        credentials: &Credentials,
        params: &Value,
    ) -> Result<Unsigned, Error> {
        let service = &self.tool.service;
        let base = match &credentials.base {
            Some(base) => base.to_string(),
            None => self
                .engine
                .service_base(service, &*self.settings()?)?
                .to_string(),
        };
        Ok(Unsigned {
            method: plan.method,
            url: plan.masked_url(),
            headers: plan.masked_headers(),
            body: settled.body.clone().unwrap_or_default(),
            purpose: self.purpose,
            attempt: 1,
            redirects: 0,
            about: Arc::new(About {
                service: service.name.clone(),
                tool: self.tool.name.clone(),
                arguments: params.clone(),
                base,
                redactor: credentials.redactor.clone(),
            }),
        })
    }

    /// The session of the service. The first call opens it; others wait for that, at most until their deadline.
    /// What masks the secrets of the service that are known before the first request.
    #[cfg(feature = "serve")]
    pub(super) async fn redactor(&self) -> Result<crate::sign::Redactor, Error> {
        match self.is_played() {
            true => Ok(crate::sign::Redactor::default()),
            false => Ok(self.session().await?.redactor()),
        }
    }

    async fn session(&self) -> Result<&Session, Error> {
        if let Some(session) = self.kept.session.get() {
            return Ok(session);
        }
        let opening = pin!(async { Ok(self.kept.opening.lock().await) });
        let _turn = self.in_time(opening).await?;
        if let Some(session) = self.kept.session.get() {
            return Ok(session);
        }
        let secrets = self.resolve_secrets().await?;
        self.engine.open(&self.kept, &self.tool.service, secrets)
    }

    /// The values of the service's secrets. A program or the operating system may take long to give one, which must not
    /// hold up other calls.
    async fn resolve_secrets(&self) -> Result<Secrets, Error> {
        let references = self.tool.service.auth.secrets();
        let until = self.deadline();
        let store = self.engine.secrets();
        if !references.iter().any(|reference| store.is_slow(reference)) {
            return Ok(Secrets::resolve(references, self.engine.secrets(), until)?);
        }
        let (references, engine) = (references.to_vec(), self.engine.clone());
        let asking = tokio::task::spawn_blocking(move || {
            Secrets::resolve(&references, engine.secrets(), until)
        });
        let answer = match self.options.deadline {
            None => asking.await,
            Some(deadline) => {
                let last = deadline.at + GRACE;
                let answer = tokio::time::timeout_at(last.into(), asking).await;
                self.refuse_late()?;
                answer.map_err(|_| deadline.error())?
            }
        };
        answer
            .unwrap_or_else(|ended| std::panic::resume_unwind(ended.into_panic()))
            .map_err(Error::from)
    }
}

/// The arguments with defaults.
pub(super) fn accept(tool: &Tool, arguments: Value) -> Result<Value, Error> {
    tool.accept(arguments).map_err(|problems| Error::Arguments {
        tool: tool.name.clone(),
        problems,
    })
}

/// A plan below the base URL that came with the access token. A URL from the service is already below it.
fn at_told_base<'p>(plan: &'p Plan, base: &Url) -> Result<Cow<'p, Plan>, Error> {
    if let Some(target) = BaseUrl::settle(&plan.target, base) {
        return Ok(Cow::Owned(Plan {
            target,
            ..plan.clone()
        }));
    }
    match Url::parse(&plan.target).is_ok_and(|target| target.origin() == base.origin()) {
        true => Ok(Cow::Borrowed(plan)),
        false => Err(Error::Policy(
            "the access token was renewed and leads to another origin than the pages before"
                .to_owned(),
        )),
    }
}
