//! The engine: runs a tool through all stages of a call.

pub(crate) mod answer;
pub mod error;
mod job;
mod session;
pub mod walk;

pub use job::Job;

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use url::Url;

use crate::base_url::BaseUrl;
use crate::format::Access;
use crate::paging::{DEFAULT_MAX_PAGES, Next, Paging};
use crate::plan::{FileError, Files, Plan, Settled};
use crate::project::{Json, ResponseKind, ResponseView};
use crate::send::{self, Client, Destination, Event, Response, Roots, SeenBody, tell};
use crate::sign::{Secret, SecretRef, SecretStore, Secrets, sign};
use crate::source::Power;
use crate::tool::Tool;
use crate::tool::service::Service;
use answer::{Judge, Verdict};
use error::{Error, Limit};
use session::{Asking, Credentials, Session, Watcher};
use walk::{Incomplete, Note, Pages};

/// The status of a success that has no body.
const NO_CONTENT: u16 = 204;

/// Runs tools. One engine serves any number of tools and calls; connections, rate limits and secrets are kept for
/// each service.
///
/// ```no_run
/// # async fn example() -> Result<(), toolrun::Error> {
/// use serde_json::json;
/// use toolrun::{Catalog, Engine};
///
/// let tool = Catalog::builtin().tool("list-workspaces")?;
/// let engine = Engine::new();
/// let outcome = engine.call(&tool, json!({ "limit": 2 })).await?;
/// println!("{}", outcome.output.text());
/// # Ok(())
/// # }
/// ```
pub struct Engine {
    secrets: Arc<SecretStore>,
    settings: Vec<(String, String)>,
    timeout: Option<Duration>,
    deadline: Option<Deadline>,
    roots: Roots,
    consent: Access,
    waits: bool,
    files: Files,
    stand_in: Option<Url>,
    observer: Option<Watcher>,
    resolved: Mutex<HashMap<String, Arc<Value>>>,
    sessions: Mutex<HashMap<String, Arc<Session>>>,
    /// Whoever opens a session holds that of its service, so that a service has one, and a secret that takes its time
    /// holds up no other service.
    opening: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

/// When everything must be done.
#[derive(Clone, Copy)]
struct Deadline {
    at: Instant,
    within: Duration,
}

impl Deadline {
    fn error(self) -> Error {
        Error::Timeout {
            within: self.within,
            limit: Limit::Deadline,
        }
    }
}

/// How long a program that prints a secret may take to end after the deadline.
const GRACE: Duration = Duration::from_millis(500);

/// Bounds of a walk over pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WalkLimits {
    /// Pages at the most.
    pub max_pages: u64,
    /// Items at the most.
    pub max_items: Option<u64>,
}

impl Default for WalkLimits {
    fn default() -> WalkLimits {
        WalkLimits {
            max_pages: DEFAULT_MAX_PAGES,
            max_items: None,
        }
    }
}

/// What a call gave.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The projected output.
    pub output: Json,
    /// Why a walk stopped before the last page, where it did; and that one page is not all, where only a header says so.
    pub notes: Vec<Note>,
    /// Pages that were read.
    pub pages: u64,
}

impl Outcome {
    fn of_one(output: Json) -> Outcome {
        Outcome {
            output,
            notes: Vec::new(),
            pages: 1,
        }
    }
}

impl Default for Engine {
    fn default() -> Engine {
        Engine::new()
    }
}

impl Engine {
    /// An engine that takes secrets from the environment, `.env` and files, trusts the bundled certificate
    /// authorities, runs `read` tools alone and sends no local files.
    pub fn new() -> Engine {
        Engine {
            secrets: Arc::default(),
            settings: Vec::new(),
            timeout: None,
            deadline: None,
            roots: Roots::default(),
            consent: Access::Read,
            waits: true,
            files: Files::Denied,
            stand_in: None,
            observer: None,
            resolved: Mutex::default(),
            sessions: Mutex::default(),
            opening: Mutex::default(),
        }
    }

    /// Gives a secret by the name of its variable or file, in place of what stands there.
    #[must_use]
    pub fn with_secret(mut self, name: impl Into<String>, value: Secret) -> Engine {
        Arc::make_mut(&mut self.secrets).give(name, value);
        self
    }

    /// Lets the descriptors in a folder, and in those below it, run the commands that print their secrets. Tools that a
    /// catalog found in a folder that it was told to trust ([`crate::Catalog::with_trusted_folder`]) may anyway.
    #[must_use]
    pub fn with_trusted_folder(mut self, folder: impl Into<PathBuf>) -> Engine {
        Arc::make_mut(&mut self.secrets).trust(folder);
        self
    }

    /// Overrides a setting of the service.
    #[must_use]
    pub fn with_setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Engine {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// Limits each request, with its retries, in time.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Engine {
        self.timeout = Some(timeout);
        self
    }

    /// Limits in time all that is done, counted from `since`: every request with its retries, the programs that print
    /// secrets, walks and the waiting for jobs. A time too long to be counted is no limit.
    #[must_use]
    pub fn with_deadline(mut self, within: Duration, since: Instant) -> Engine {
        let at = since.checked_add(within);
        self.deadline = at.map(|at| Deadline { at, within });
        Arc::make_mut(&mut self.secrets).end_programs(at);
        self
    }

    /// Chooses the certificate authorities.
    #[must_use]
    pub fn with_roots(mut self, roots: Roots) -> Engine {
        self.roots = roots;
        self
    }

    /// Consents to tools up to this access.
    #[must_use]
    pub fn with_consent(mut self, access: Access) -> Engine {
        self.consent = access;
        self
    }

    /// Does not wait for the jobs that calls create: they give the first response.
    #[must_use]
    pub fn without_waiting(mut self) -> Engine {
        self.waits = false;
        self
    }

    /// Allows local files to be read and sent, where a tool's body says `file` and an argument names one.
    #[must_use]
    pub fn with_files(mut self, files: Files) -> Engine {
        self.files = files;
        self
    }

    /// Watches what happens on the wire. Events never carry a secret.
    #[must_use]
    pub fn with_observer(mut self, observer: impl Fn(Event) + Send + Sync + 'static) -> Engine {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Sends all requests to a stand-in, such as a sandbox at `http://127.0.0.1:8080`, and no secret but those
    /// given by [`Engine::with_secret`].
    #[must_use]
    pub fn with_stand_in(mut self, origin: Url) -> Engine {
        self.stand_in = Some(origin);
        Arc::make_mut(&mut self.secrets).seal();
        self
    }

    /// What would be sent, with secrets as placeholders. No secret is read.
    ///
    /// # Errors
    /// When the arguments are not what the tool takes.
    ///
    /// ```
    /// use serde_json::json;
    ///
    /// let tool = toolrun::Catalog::builtin().tool("list-members")?;
    /// let plan = toolrun::Engine::new().plan(&tool, json!({ "limit": 5 }))?;
    /// assert_eq!(plan.masked_url(), "https://api.anthropic.com/v1/organizations/users?limit=5");
    /// # Ok::<(), toolrun::Error>(())
    /// ```
    pub fn plan(&self, tool: &Tool, arguments: Value) -> Result<Plan, Error> {
        let params = accept(tool, arguments)?;
        let settings = tool.service.resolve_settings(&self.settings)?;
        let mut plan = self.render(tool, &params, &settings)?;
        plan.target = tool.service.base.show(plan.target);
        Ok(plan)
    }

    pub(crate) fn render(
        &self,
        tool: &Tool,
        params: &Value,
        settings: &Value,
    ) -> Result<Plan, Error> {
        let base = self.place(&tool.service.base, settings)?;
        Ok(tool.render_at(&base, params, settings)?)
    }

    /// Calls a tool once: one page of a list.
    ///
    /// # Errors
    /// Whatever can go wrong, see [`Error`].
    pub async fn call(&self, tool: &Tool, arguments: Value) -> Result<Outcome, Error> {
        let (params, plan) = self.prepare(tool, arguments)?;
        refuse_download(tool)?;
        if tool.wait.is_some() {
            let page = self.fetch(tool, &plan, params).await?;
            return Ok(Outcome::of_one(page.output(tool)?));
        }
        let received = self.exchange(tool, &plan, &params, tool.rules.kind, None);
        let page = self.read(tool, received.await?, params)?;
        // A way on in the body is the projection's matter.
        let leads_on = tool
            .paging
            .as_ref()
            .filter(|paging| paging.leads_by_header());
        let note = leads_on.and_then(|_| self.note_one(tool, &plan, &page));
        Ok(Outcome {
            notes: note.into_iter().collect(),
            ..Outcome::of_one(page.output(tool)?)
        })
    }

    /// Calls a tool once and gives its response: one page of a list.
    ///
    /// # Errors
    /// Whatever can go wrong, see [`Error`].
    pub async fn page(&self, tool: &Tool, arguments: Value) -> Result<Page, Error> {
        let (params, plan) = self.prepare(tool, arguments)?;
        refuse_download(tool)?;
        let mut page = self.fetch(tool, &plan, params).await?;
        page.more = self.note_one(tool, &plan, &page);
        Ok(page)
    }

    /// Whether a page that was asked for alone is one of more.
    fn note_one(&self, tool: &Tool, plan: &Plan, page: &Page) -> Option<Note> {
        let paging = tool.paging.as_ref().filter(|_| !page.is_empty)?;
        let next = self
            .settings_of(&tool.service)
            .and_then(|settings| self.next_page(tool, paging, &settings, page, plan));
        Note::of_one_page(next.map(|(next, _)| next), &tool.service.auth)
    }

    /// What follows a page, and the plan of that page at the base URL of now.
    pub(crate) fn next_page(
        &self,
        tool: &Tool,
        paging: &Paging,
        settings: &Value,
        page: &Page,
        plan: &Plan,
    ) -> Result<(Option<Next>, Plan), Error> {
        let (base, plan) = self.ground(&tool.service, settings, plan)?;
        let next = paging.next(&page.view(), &base, &plan.masked_url());
        let next = next.map_err(|error| self.masked(&tool.service, error.into()))?;
        Ok((next, plan.into_owned()))
    }

    /// The page that a response is.
    pub(crate) fn read(
        &self,
        tool: &Tool,
        received: Received,
        params: Value,
    ) -> Result<Page, Error> {
        Page::new(tool, received, params).map_err(|error| self.masked(&tool.service, error))
    }

    /// The error without the service's secrets, which a response may repeat where none is expected.
    pub(crate) fn masked(&self, service: &Service, error: Error) -> Error {
        match self.opened(service).and_then(|session| session.current()) {
            Some(credentials) => error.masked(|text| credentials.redactor.message(text)),
            None => error,
        }
    }

    /// Calls a tool whose response is a file (`response.kind: bytes`) and saves it. The file is byte for byte what the
    /// service sent. It is written under a temporary name beside its own, which it gets when it is whole; a download
    /// that fails, or is dropped, leaves nothing.
    ///
    /// # Errors
    /// Whatever can go wrong, see [`Error`]. A destination that cannot be is refused before anything is sent.
    ///
    /// ```no_run
    /// # async fn example(engine: toolrun::Engine, tool: toolrun::Tool) -> Result<(), toolrun::Error> {
    /// use toolrun::send::Destination;
    ///
    /// let to = Destination::new("report.pdf");
    /// let outcome = engine.download(&tool, serde_json::json!({ "id": 7 }), &to).await?;
    /// println!("{} bytes", outcome.output);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn download(
        &self,
        tool: &Tool,
        arguments: Value,
        to: &Destination,
    ) -> Result<Outcome, Error> {
        let (params, plan) = self.prepare(tool, arguments)?;
        let kind = tool.rules.kind;
        if kind != ResponseKind::Bytes {
            return Err(Error::NoDownload {
                tool: tool.name.clone(),
                kind: kind.name(),
            });
        }
        to.check()?;
        let received = self.exchange(tool, &plan, &params, kind, Some(to)).await?;
        let mut page = Page::new(tool, received, params)?;
        let download = page.response.download.take();
        let output = page.output(tool)?;
        if let Some(download) = download {
            download.keep(to)?;
        }
        Ok(Outcome::of_one(output))
    }

    /// Calls a tool and gives what it created, to be waited for (`wait`). A tool without `wait` is done at once.
    ///
    /// # Errors
    /// Whatever can go wrong, see [`Error`].
    pub async fn start<'e>(&'e self, tool: &'e Tool, arguments: Value) -> Result<Job<'e>, Error> {
        let (params, plan) = self.prepare(tool, arguments)?;
        refuse_download(tool)?;
        self.begin(tool, &plan, params).await
    }

    async fn begin<'e>(
        &'e self,
        tool: &'e Tool,
        plan: &Plan,
        params: Value,
    ) -> Result<Job<'e>, Error> {
        // What creates a job tells of it in JSON, whatever the job gives in the end.
        let kind = match tool.wait {
            Some(_) => ResponseKind::Json,
            None => tool.rules.kind,
        };
        let received = self.exchange(tool, plan, &params, kind, None).await?;
        let first = self.read(tool, received, params)?;
        Job::new(self, tool, first, plan)
    }

    /// The response to a plan; where it creates a job, the last response of that.
    pub(crate) async fn fetch(
        &self,
        tool: &Tool,
        plan: &Plan,
        params: Value,
    ) -> Result<Page, Error> {
        if tool.wait.is_none() {
            let received = self.exchange(tool, plan, &params, tool.rules.kind, None);
            return Ok(self.read(tool, received.await?, params)?.counted(tool));
        }
        let job = self.begin(tool, plan, params).await?;
        match self.waits {
            true => job.finish().await,
            false => Ok(job.into_first()),
        }
    }

    /// The stages up to the plan of the first request.
    fn prepare(&self, tool: &Tool, arguments: Value) -> Result<(Value, Plan), Error> {
        let params = accept(tool, arguments)?;
        self.permit_sending(&tool.service)?;
        let settings = self.settings_of(&tool.service)?;
        let plan = self.render(tool, &params, &settings)?;
        if tool.access > self.consent {
            return Err(Error::Consent {
                tool: tool.name.clone(),
                access: tool.access,
            });
        }
        Ok((params, plan))
    }

    /// Calls a tool and follows its pages, concatenating their items; the output is projected once, over all.
    ///
    /// # Errors
    /// Whatever can go wrong, see [`Error`]; with it comes what was read before ([`Incomplete::read`]). The caller's own
    /// limits are no error: [`Outcome::notes`] tells of them.
    pub async fn call_all(
        &self,
        tool: &Tool,
        arguments: Value,
        limits: WalkLimits,
    ) -> Result<Outcome, Incomplete> {
        walk::gather(self.pages(tool, arguments, limits)?).await
    }

    /// Starts a walk over a tool's pages. A tool without paging has one page.
    ///
    /// # Errors
    /// When the arguments are not what the tool takes, or nobody consented to the tool.
    pub fn pages<'e>(
        &'e self,
        tool: &'e Tool,
        arguments: Value,
        limits: WalkLimits,
    ) -> Result<Pages<'e>, Error> {
        let (params, plan) = self.prepare(tool, arguments)?;
        refuse_download(tool)?;
        let settings = self.settings_of(&tool.service)?;
        Ok(Pages::new(self, tool, limits, settings, (params, plan)))
    }

    /// Where a URL of the service leads: to itself, or to the stand-in. One that the access token tells is a
    /// placeholder, which is replaced when the request is sent.
    fn place<'s>(&self, url: &'s BaseUrl, settings: &Value) -> Result<Cow<'s, Url>, Error> {
        match &self.stand_in {
            None => Ok(url.at(settings, None)?),
            Some(origin) => {
                let mut placed = origin.clone();
                placed.set_path(&url.path_at(settings)?);
                Ok(Cow::Owned(placed))
            }
        }
    }

    pub(crate) fn tell(&self, event: impl FnOnce() -> Event) {
        tell(self.observer.as_deref(), event);
    }

    /// The base URL that the service's requests are sent below now.
    pub(crate) fn base<'s>(
        &self,
        service: &'s Service,
        settings: &Value,
    ) -> Result<Cow<'s, Url>, Error> {
        let told = || self.opened(service)?.current()?.base.clone();
        match service.base.reads_token().then(told).flatten() {
            Some(base) => Ok(Cow::Owned(base)),
            None => self.place(&service.base, settings),
        }
    }

    /// The base URL that the service's requests are sent below now, and the plan below it.
    pub(crate) fn ground<'s, 'p>(
        &self,
        service: &'s Service,
        settings: &Value,
        plan: &'p Plan,
    ) -> Result<(Cow<'s, Url>, Cow<'p, Plan>), Error> {
        let base = self.base(service, settings)?;
        let plan = match service.base.reads_token() {
            true => at_told_base(plan, &base)?,
            false => Cow::Borrowed(plan),
        };
        Ok((base, plan))
    }

    /// Sends a plan and gives the response, which is no error.
    pub(crate) async fn exchange(
        &self,
        tool: &Tool,
        plan: &Plan,
        params: &Value,
        kind: ResponseKind,
        destination: Option<&Destination>,
    ) -> Result<Received, Error> {
        self.permit_sending(&tool.service)?;
        // A file that is not there is told before a secret that is not.
        let settled = self.settle(&tool.service, plan)?;
        self.refuse_late()?;
        let session = self.session(&tool.service).await?;
        let taking = Taking {
            tool,
            params,
            kind,
            destination,
        };
        let sending = self.authenticate(&session, &settled, taking);
        let Some(timeout) = self.timeout else {
            return self.in_time(sending).await;
        };
        let sending = tokio::time::timeout(timeout, sending);
        self.in_time(async {
            sending.await.unwrap_or(Err(Error::Timeout {
                within: timeout,
                limit: Limit::Caller,
            }))
        })
        .await
    }

    /// A service that nobody trusts is sent nothing: only its own sandbox is asked.
    fn permit_sending(&self, service: &Service) -> Result<(), Error> {
        match self.stand_in {
            Some(_) => Ok(()),
            None => Ok(service.origin.permit(|| Power::Send)?),
        }
    }

    /// Reads the local files that a plan sends, also to a sandbox, unless nobody trusts the service.
    fn settle<'p>(&self, service: &Service, plan: &'p Plan) -> Result<Settled<'p>, Error> {
        if service.origin.is_trusted() {
            return Ok(plan.settle(&self.files)?);
        }
        plan.settle(&Files::Denied).map_err(|error| match error {
            FileError::Denied(path) => match service.origin.permit(|| Power::File(path.clone())) {
                Err(untrusted) => untrusted.into(),
                Ok(()) => FileError::Denied(path).into(),
            },
            other => other.into(),
        })
    }

    /// Does some work before the deadline.
    async fn in_time<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let Some(deadline) = self.deadline else {
            return work.await;
        };
        // Nothing is begun when it is too late already.
        self.refuse_late()?;
        let done = tokio::time::timeout_at(deadline.at.into(), work).await;
        done.unwrap_or_else(|_| Err(deadline.error()))
    }

    fn refuse_late(&self) -> Result<(), Error> {
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline.at => Err(deadline.error()),
            _ => Ok(()),
        }
    }

    /// When all must be done.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline.map(|deadline| deadline.at)
    }

    /// When a request that begins now must be done.
    fn request_deadline(&self) -> Option<Instant> {
        let timeout = self.timeout.map(|timeout| Instant::now() + timeout);
        [timeout, self.deadline()].into_iter().flatten().min()
    }

    /// Sends a plan with the service's credentials, and once more with a new access token when the service does not
    /// know the one it got.
    async fn authenticate(
        &self,
        session: &Session,
        settled: &Settled<'_>,
        taking: Taking<'_>,
    ) -> Result<Received, Error> {
        let service = &*taking.tool.service;
        let settings = match service.auth.reads_settings() {
            true => Some(self.settings_of(service)?),
            false => None,
        };
        let asking = Asking {
            service: Arc::clone(&taking.tool.service),
            settings: settings.clone().unwrap_or_default(),
            is_stand_in: self.stand_in.is_some(),
            deadline: self.request_deadline(),
            watcher: self.observer.clone(),
        };
        let mut is_renewed = false;
        loop {
            let credentials = session.credentials(&asking).await?;
            let (response, verdict) = self
                .transmit(settled, &credentials, settings.as_ref(), &asking, taking)
                .await?;
            let body = match verdict {
                Verdict::Success(body) => body,
                Verdict::Empty => {
                    return Ok(Received {
                        response,
                        kind: taking.kind,
                        body: Some(taking.tool.empty_body(taking.kind)),
                        is_empty: true,
                    });
                }
                Verdict::Failed(error) => return Err(error),
                Verdict::Stale(error)
                    if is_renewed || !session.renew(&credentials, &asking).await? =>
                {
                    return Err(error);
                }
                Verdict::Stale(_) => {
                    is_renewed = true;
                    continue;
                }
            };
            let body = match (body, taking.destination) {
                (None, Some(_)) => Some(answer::read(taking.kind, taking.destination, &response)?),
                (body, _) => body,
            };
            return Ok(Received {
                response,
                kind: taking.kind,
                body,
                is_empty: false,
            });
        }
    }

    /// Signs a plan and sends it.
    async fn transmit(
        &self,
        settled: &Settled<'_>,
        credentials: &Credentials,
        settings: Option<&Arc<Value>>,
        asking: &Asking,
        taking: Taking<'_>,
    ) -> Result<(Response, Verdict), Error> {
        let service = &*asking.service;
        let observer = asking.watcher.as_deref();
        let plan = match &credentials.base {
            None => Cow::Borrowed(&*settled.plan),
            Some(base) => at_told_base(&settled.plan, base)?,
        };
        let stamper =
            settings.and_then(|settings| service.auth.stamper(&credentials.secrets, settings));
        let request = sign(&plan, settled.body.as_ref(), &credentials.secrets, stamper);
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
            tool: taking.tool,
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
            deadline: asking.deadline,
            destination: taking.destination,
            observer,
        };
        send::send(&exchange, |response| judge.judge(response))
            .await
            .map_err(|error| Error::from(error).masked(|text| credentials.redactor.message(text)))
    }

    fn opened(&self, service: &Service) -> Option<Arc<Session>> {
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.get(&service.id).map(Arc::clone)
    }

    fn opening_of(&self, service: &Service) -> Arc<tokio::sync::Mutex<()>> {
        let mut opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(opening.entry(service.id.clone()).or_default())
    }

    async fn session(&self, service: &Service) -> Result<Arc<Session>, Error> {
        if let Some(session) = self.opened(service) {
            return Ok(session);
        }
        let opening = self.opening_of(service);
        let _turn = opening.lock().await;
        if let Some(session) = self.opened(service) {
            return Ok(session);
        }
        let secrets = self.resolve(service).await?;
        let settings = self.settings_of(service)?;
        let base = self.place(&service.base, &settings)?;
        let client = Client::new(&service.sending, &base, &self.roots)?;
        let token_url = match service.auth.grant() {
            Some(grant) => Some(self.place(grant.token_url(), &settings)?.into_owned()),
            None => None,
        };
        let session = Session::new(service, client, secrets, token_url, &self.roots)?;
        let session = Arc::new(session);
        self.sessions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(service.id.clone(), Arc::clone(&session));
        Ok(session)
    }

    /// The values of the service's secrets. Where a program or the operating system is asked, it may take its time,
    /// which must not hold up other calls.
    async fn resolve(&self, service: &Service) -> Result<Secrets, Error> {
        if !service.auth.secrets().iter().any(SecretRef::is_slow) {
            return Ok(service.auth.resolve(&self.secrets)?);
        }
        let references = service.auth.secrets().to_vec();
        let store = Arc::clone(&self.secrets);
        let asking = tokio::task::spawn_blocking(move || Secrets::resolve(&references, &store));
        let answer = match self.deadline {
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

/// How a response is to be taken.
#[derive(Clone, Copy)]
struct Taking<'c> {
    tool: &'c Tool,
    params: &'c Value,
    kind: ResponseKind,
    destination: Option<&'c Destination>,
}

/// A plan at the base URL that the access token told. A URL that the service gave is there already.
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

impl Engine {
    /// What is wrong with the `.env` file, where a secret was looked for in it. No part of it is quoted.
    pub fn dotenv_problem(&self) -> Option<String> {
        self.secrets.dotenv_problem()
    }

    /// The values of a service's settings, found once.
    pub(crate) fn settings_of(&self, service: &Service) -> Result<Arc<Value>, Error> {
        let mut resolved = self.resolved.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(settings) = resolved.get(&service.id) {
            return Ok(Arc::clone(settings));
        }
        let settings = Arc::new(service.resolve_settings(&self.settings)?);
        resolved.insert(service.id.clone(), Arc::clone(&settings));
        Ok(settings)
    }
}

fn accept(tool: &Tool, arguments: Value) -> Result<Value, Error> {
    tool.accept(arguments).map_err(|problems| Error::Arguments {
        tool: tool.name.clone(),
        problems,
    })
}

/// A file needs a place of its own for each call, so it is refused before anything is sent.
fn refuse_download(tool: &Tool) -> Result<(), Error> {
    match tool.rules.kind {
        ResponseKind::Bytes => Err(Error::NoDestination {
            tool: tool.name.clone(),
        }),
        _ => Ok(()),
    }
}

/// A response that is no error.
pub(crate) struct Received {
    pub response: Response,
    kind: ResponseKind,
    /// Where it was read already.
    body: Option<Json>,
    is_empty: bool,
}

impl Received {
    /// The body as `$`.
    ///
    /// # Errors
    /// When it is not of its kind.
    pub fn body(&mut self) -> Result<Json, Error> {
        match self.body.take() {
            Some(body) => Ok(body),
            None => answer::read(self.kind, None, &self.response),
        }
    }
}

/// One page of a list, or the one response of a tool without paging.
#[derive(Debug)]
pub struct Page {
    /// The response.
    pub response: Response,
    /// The body: a JSON text that was checked.
    pub body: Json,
    /// The arguments that it answers, with defaults.
    pub params: Value,
    /// Items on the page.
    pub items: u64,
    /// The first body of the job that this is the last response of.
    pub created: Option<Json>,
    /// Whether this is the first response of a job that nobody waited for.
    pub is_pending: bool,
    /// That more pages remain, of a page that was asked for alone ([`Engine::page`]).
    pub more: Option<Note>,
    /// Whether an error rule, or the status, says that there is nothing.
    pub(crate) is_empty: bool,
}

impl Page {
    pub(crate) fn new(tool: &Tool, mut received: Received, params: Value) -> Result<Page, Error> {
        let mut body = received.body()?;
        let is_empty = received.is_empty || received.response.status == NO_CONTENT;
        match &tool.paging {
            // An empty page need not have a list.
            Some(_) if is_empty => body = tool.empty_body(received.kind),
            // Null items are an empty page, also for what the projection makes of them.
            Some(paging) if paging.items(body.part())?.is_none() => {
                body = paging.put_items(&body, b"[]").unwrap_or(body);
            }
            _ => {}
        }
        Ok(Page {
            response: received.response,
            body,
            params,
            items: 0,
            created: None,
            is_pending: false,
            more: None,
            is_empty,
        })
    }

    /// The page with its items counted, which takes a look at all of them.
    fn counted(mut self, tool: &Tool) -> Page {
        if let Some(paging) = &tool.paging
            && let Ok(Some(items)) = paging.items(self.body.part())
        {
            self.items = items.elements().count() as u64;
        }
        self
    }

    /// The projected output of this page.
    ///
    /// # Errors
    /// When the response is not as the descriptor says.
    pub fn output(&self, tool: &Tool) -> Result<Json, Error> {
        let view = self.view();
        match &tool.wait {
            Some(wait) if self.is_pending => Ok(wait.project_first(&view)?),
            _ => Ok(tool.projection.run(&view)?),
        }
    }

    pub(crate) fn view(&self) -> ResponseView<'_> {
        ResponseView::new(
            &self.body,
            self.response.status,
            self.response.headers.list(),
            &self.params,
        )
        .of_job(self.created.as_ref())
    }
}
