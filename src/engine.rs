//! The engine: runs a tool through all stages of a call.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use url::Url;

use crate::base_url::BaseUrl;
use crate::descriptor::Access;
use crate::error::{CALLERS_LIMIT, Error, Upstream, status_meaning};
use crate::paging::{DEFAULT_MAX_PAGES, Followed, Next, Note};
use crate::plan::{Plan, Text};
use crate::project::ResponseView;
use crate::send::{self, Client, Event, Response, Roots, tell};
use crate::service::Service;
use crate::session::{Asking, Credentials, Session};
use crate::sign::{Secret, SecretRef, SecretStore, Secrets, sign};
use crate::tool::Tool;

type Watcher = Arc<dyn Fn(Event) + Send + Sync>;

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
/// println!("{}", outcome.output["workspaces"]);
/// # Ok(())
/// # }
/// ```
pub struct Engine {
    secrets: Arc<SecretStore>,
    settings: Vec<(String, String)>,
    timeout: Option<Duration>,
    roots: Roots,
    consent: Access,
    stand_in: Option<Url>,
    observer: Option<Watcher>,
    resolved: Mutex<HashMap<String, Arc<Value>>>,
    sessions: Mutex<HashMap<String, Arc<Session>>>,
    /// Whoever opens a session holds it, so that a service has one.
    opening: tokio::sync::Mutex<()>,
}

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
    pub output: Value,
    /// Why a walk stopped before the last page, where it did.
    pub notes: Vec<Note>,
    /// Pages that were read.
    pub pages: u64,
}

impl Default for Engine {
    fn default() -> Engine {
        Engine::new()
    }
}

impl Engine {
    /// An engine that takes secrets from the environment, `.env` and files, trusts the bundled certificate
    /// authorities and runs `read` tools alone.
    pub fn new() -> Engine {
        Engine {
            secrets: Arc::default(),
            settings: Vec::new(),
            timeout: None,
            roots: Roots::default(),
            consent: Access::Read,
            stand_in: None,
            observer: None,
            resolved: Mutex::default(),
            sessions: Mutex::default(),
            opening: tokio::sync::Mutex::default(),
        }
    }

    /// Gives a secret by the name of its variable or file, in place of what stands there.
    #[must_use]
    pub fn with_secret(mut self, name: impl Into<String>, value: Secret) -> Engine {
        Arc::make_mut(&mut self.secrets).give(name, value);
        self
    }

    /// Lets the descriptors in a folder, and in those below it, run the commands that print their secrets.
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

    fn render(&self, tool: &Tool, params: &Value, settings: &Value) -> Result<Plan, Error> {
        let base = self.place(&tool.service.base, settings)?;
        Ok(tool.render_at(&base, params, settings)?)
    }

    /// Calls a tool once: one page of a list.
    ///
    /// # Errors
    /// Whatever can go wrong, see [`Error`].
    pub async fn call(&self, tool: &Tool, arguments: Value) -> Result<Outcome, Error> {
        let (params, plan) = self.prepare(tool, arguments)?;
        let response = self.exchange(tool, &plan, &params).await?;
        let output = match tool.projection.run_direct(&response.body) {
            Some(output) => output,
            None => Page::new(tool, response, params)?.output(tool)?,
        };
        Ok(Outcome {
            output,
            notes: Vec::new(),
            pages: 1,
        })
    }

    /// Calls a tool once and gives its response: one page of a list.
    ///
    /// # Errors
    /// Whatever can go wrong, see [`Error`].
    pub async fn page(&self, tool: &Tool, arguments: Value) -> Result<Page, Error> {
        let (params, plan) = self.prepare(tool, arguments)?;
        let response = self.exchange(tool, &plan, &params).await?;
        Page::new(tool, response, params)
    }

    /// The stages up to the plan of the first request.
    fn prepare(&self, tool: &Tool, arguments: Value) -> Result<(Value, Plan), Error> {
        let params = accept(tool, arguments)?;
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
    /// Whatever can go wrong, see [`Error`].
    pub async fn call_all(
        &self,
        tool: &Tool,
        arguments: Value,
        limits: WalkLimits,
    ) -> Result<Outcome, Error> {
        let mut pages = self.pages(tool, arguments, limits)?;
        let mut all: Option<(Page, Vec<Value>)> = None;
        while let Some(mut page) = pages.next().await? {
            let mut items = all.map(|(_, items)| items).unwrap_or_default();
            if let Some(own) = page.items_mut(tool) {
                items.append(own);
            }
            all = Some((page, items));
        }
        let Some((mut last, items)) = all else {
            return Err(Error::Response("the walk has no first page".to_owned()));
        };
        if let Some(own) = last.items_mut(tool) {
            *own = items;
        }
        Ok(Outcome {
            output: last.output(tool)?,
            pages: pages.count,
            notes: pages.note.into_iter().collect(),
        })
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
        let settings = self.settings_of(&tool.service)?;
        Ok(Pages {
            engine: self,
            tool,
            limits,
            settings,
            upcoming: Some((params, plan)),
            followed: Followed::default(),
            note: None,
            count: 0,
            items: 0,
        })
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

    /// The base URL that the service's requests are sent below now.
    fn base<'s>(&self, service: &'s Service, settings: &Value) -> Result<Cow<'s, Url>, Error> {
        let told = || self.opened(service)?.current()?.base.clone();
        match service.base.reads_token().then(told).flatten() {
            Some(base) => Ok(Cow::Owned(base)),
            None => self.place(&service.base, settings),
        }
    }

    /// Sends a plan and gives the response, which is no error status.
    async fn exchange(&self, tool: &Tool, plan: &Plan, params: &Value) -> Result<Response, Error> {
        let service = &tool.service;
        let session = self.session(service).await?;
        let sending = self.authenticate(service, &session, plan);
        let response = match self.timeout {
            Some(timeout) => {
                tokio::time::timeout(timeout, sending)
                    .await
                    .unwrap_or(Err(Error::Timeout {
                        within: timeout,
                        limit: CALLERS_LIMIT,
                    }))
            }
            None => sending.await,
        }?;
        if response.status >= 300 {
            return Err(upstream_error(service, &response, params));
        }
        Ok(response)
    }

    /// Sends a plan with the service's credentials, and once more with a new access token when the service does not
    /// know the one it got.
    async fn authenticate(
        &self,
        service: &Service,
        session: &Session,
        plan: &Plan,
    ) -> Result<Response, Error> {
        let settings = match service.auth.reads_settings() {
            true => Some(self.settings_of(service)?),
            false => None,
        };
        let asking = Asking {
            service,
            settings: settings.as_deref().unwrap_or(&Value::Null),
            is_stand_in: self.stand_in.is_some(),
            deadline: self.timeout.map(|timeout| Instant::now() + timeout),
            observer: self.observer.as_deref(),
        };
        let credentials = session.credentials(asking).await?;
        let response = self
            .transmit(plan, &credentials, settings.as_ref(), asking)
            .await?;
        if response.status == UNAUTHENTICATED && session.renew(&credentials, asking).await? {
            let credentials = session.credentials(asking).await?;
            return self
                .transmit(plan, &credentials, settings.as_ref(), asking)
                .await;
        }
        Ok(response)
    }

    /// Signs a plan and sends it.
    async fn transmit(
        &self,
        plan: &Plan,
        credentials: &Credentials,
        settings: Option<&Arc<Value>>,
        asking: Asking<'_>,
    ) -> Result<Response, Error> {
        let Asking {
            service,
            deadline,
            observer,
            ..
        } = asking;
        let plan = match &credentials.base {
            None => Cow::Borrowed(plan),
            Some(base) => settle(plan, base)?,
        };
        let stamper =
            settings.and_then(|settings| service.auth.stamper(&credentials.secrets, settings));
        let request = sign(&plan, &credentials.secrets, stamper);
        tell(observer, || {
            let view = plan.view();
            Event::Request {
                method: plan.method,
                url: view.url,
                headers: view.headers,
            }
        });
        send::send(
            &credentials.client,
            service,
            &request,
            plan.idempotent,
            &credentials.redactor,
            deadline,
            observer,
        )
        .await
        .map_err(|error| error.masked(|text| credentials.redactor.message(text)))
    }

    fn opened(&self, service: &Service) -> Option<Arc<Session>> {
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.get(&service.id).map(Arc::clone)
    }

    async fn session(&self, service: &Service) -> Result<Arc<Session>, Error> {
        if let Some(session) = self.opened(service) {
            return Ok(session);
        }
        let _turn = self.opening.lock().await;
        if let Some(session) = self.opened(service) {
            return Ok(session);
        }
        let secrets = self.resolve(service).await?;
        let settings = self.settings_of(service)?;
        let base = self.place(&service.base, &settings)?;
        let client = Client::new(service, &base, &self.roots)?;
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
        tokio::task::spawn_blocking(move || Secrets::resolve(&references, &store))
            .await
            .unwrap_or_else(|ended| std::panic::resume_unwind(ended.into_panic()))
            .map_err(Error::from)
    }
}

/// The status of a request whose credential the service does not know.
const UNAUTHENTICATED: u16 = 401;

/// A plan at the base URL that the access token told. A URL that the service gave is there already.
fn settle<'p>(plan: &'p Plan, base: &Url) -> Result<Cow<'p, Plan>, Error> {
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
    /// The values of a service's settings, found once.
    fn settings_of(&self, service: &Service) -> Result<Arc<Value>, Error> {
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

fn upstream_error(service: &Service, response: &Response, params: &Value) -> Error {
    let body = serde_json::from_slice(&response.body).unwrap_or(Value::Null);
    let view = ResponseView::new(&body, response.status, response.headers.list(), params);
    Error::Upstream(Box::new(Upstream {
        status: response.status,
        meaning: status_meaning(response.status),
        code: service.errors.code(&view),
        message: service.errors.message(&view),
        request_id: service.errors.request_id(&view),
        attempts: response.attempts,
        retry_after: response.retry_after,
    }))
}

/// The body as JSON; an empty one is null.
fn parse(response: &Response) -> Result<Value, Error> {
    let body = response
        .body
        .strip_prefix(b"\xEF\xBB\xBF")
        .unwrap_or(&response.body);
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Null);
    }
    serde_json::from_slice(body).map_err(|error| {
        let kind = response
            .headers
            .list()
            .iter()
            .find(|(name, _)| name == "content-type")
            .map_or("no content type", |(_, value)| value.as_str());
        let start: String = String::from_utf8_lossy(body).chars().take(60).collect();
        Error::Response(format!(
            "the body is no JSON: {error}; it is {} bytes of {kind} and starts with {start:?}",
            body.len()
        ))
    })
}

/// A walk over the pages of a list.
pub struct Pages<'e> {
    engine: &'e Engine,
    tool: &'e Tool,
    limits: WalkLimits,
    settings: Arc<Value>,
    upcoming: Option<(Value, Plan)>,
    followed: Followed,
    note: Option<Note>,
    count: u64,
    items: u64,
}

/// One page of a list, or the one response of a tool without paging.
#[derive(Debug)]
pub struct Page {
    /// The response.
    pub response: Response,
    /// The parsed body.
    pub body: Value,
    /// The arguments that it answers, with defaults.
    pub params: Value,
    /// Items on the page.
    pub items: u64,
}

impl Page {
    fn new(tool: &Tool, response: Response, params: Value) -> Result<Page, Error> {
        let body = parse(&response)?;
        let items = match &tool.paging {
            Some(paging) => paging.items(&body)?.len() as u64,
            None => 0,
        };
        Ok(Page {
            response,
            body,
            params,
            items,
        })
    }

    /// The projected output of this page.
    ///
    /// # Errors
    /// When the response is not as the descriptor says.
    pub fn output(&self, tool: &Tool) -> Result<Value, Error> {
        let view = self.view();
        Ok(tool.projection.run(&view)?)
    }

    fn view(&self) -> ResponseView<'_> {
        ResponseView::new(
            &self.body,
            self.response.status,
            self.response.headers.list(),
            &self.params,
        )
    }

    fn items_mut(&mut self, tool: &Tool) -> Option<&mut Vec<Value>> {
        tool.paging.as_ref()?.items_mut(&mut self.body)
    }
}

impl Pages<'_> {
    /// The next page; `None` after the last, or when a limit was reached, of which [`Pages::note`] tells.
    ///
    /// # Errors
    /// Whatever can go wrong, see [`Error`]. The walk is over then.
    pub async fn next(&mut self) -> Result<Option<Page>, Error> {
        let Some((params, plan)) = self.upcoming.take() else {
            return Ok(None);
        };
        let (params, plan) = self.shrink(params, plan)?;
        let response = self.engine.exchange(self.tool, &plan, &params).await?;
        let mut page = Page::new(self.tool, response, params)?;
        self.count += 1;
        self.items += page.items;
        if let Some(paging) = &self.tool.paging {
            match self.surplus() {
                Some(surplus) if surplus > 0 => self.cut(&mut page, surplus),
                _ => self.prepare_next(paging, &page, &plan)?,
            }
        }
        Ok(Some(page))
    }

    /// Asks for no more items than the cap leaves, where the tool says which param sets the size of a page.
    fn shrink(&self, params: Value, plan: Plan) -> Result<(Value, Plan), Error> {
        let limit = self.tool.paging.as_ref().and_then(|paging| paging.limit());
        let (Some(limit), Some(max_items)) = (limit, self.limits.max_items) else {
            return Ok((params, plan));
        };
        let left = max_items - self.items;
        if params
            .get(limit)
            .and_then(Value::as_u64)
            .is_some_and(|size| size <= left)
        {
            return Ok((params, plan));
        }
        let mut smaller = params.clone();
        smaller[limit] = left.into();
        // A size that the tool does not allow leaves the page as it was, to be cut afterwards.
        match self.tool.accept(smaller) {
            Ok(smaller) => {
                let plan = self.engine.render(self.tool, &smaller, &self.settings)?;
                Ok((smaller, plan))
            }
            Err(_) => Ok((params, plan)),
        }
    }

    /// Items beyond the cap; `None` when there is no cap or it is not reached.
    fn surplus(&self) -> Option<u64> {
        self.items.checked_sub(self.limits.max_items?)
    }

    fn cut(&mut self, page: &mut Page, surplus: u64) {
        let keep = page.items - surplus;
        if let Some(items) = page.items_mut(self.tool) {
            items.truncate(usize::try_from(keep).unwrap_or(usize::MAX));
        }
        page.items = keep;
        self.items -= surplus;
        self.note = Some(Note::MaxItems {
            max_items: self.items,
            next: None,
        });
    }

    /// Why the walk stopped before the last page, where it did.
    pub fn note(&self) -> Option<&Note> {
        self.note.as_ref()
    }

    /// Pages read so far.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Items read so far.
    pub fn items(&self) -> u64 {
        self.items
    }

    fn reached_cap(&self, next: &Next) -> Option<Note> {
        let next = match next {
            Next::Arguments(arguments) => Some(Value::Object(arguments.clone())),
            Next::Url(_) | Next::End => None,
        };
        if let Some(max_items) = self.limits.max_items.filter(|cap| self.items >= *cap) {
            return Some(Note::MaxItems { max_items, next });
        }
        let max_pages = self.limits.max_pages;
        (self.count >= max_pages).then_some(Note::MaxPages { max_pages, next })
    }

    fn prepare_next(
        &mut self,
        paging: &crate::paging::Paging,
        page: &Page,
        plan: &Plan,
    ) -> Result<(), Error> {
        let base = self.engine.base(&self.tool.service, &self.settings)?;
        let plan = match self.tool.service.base.reads_token() {
            true => &*settle(plan, &base)?,
            false => plan,
        };
        let Some(next) = paging.next(&page.view(), &base, &plan.masked_url())? else {
            self.note = Some(Note::MissingCursor { page: self.count });
            return Ok(());
        };
        if !self.followed.is_new(&next) {
            self.note = Some(Note::RepeatedCursor { page: self.count });
            return Ok(());
        }
        if next != Next::End
            && let Some(note) = self.reached_cap(&next)
        {
            self.note = Some(note);
            return Ok(());
        }
        self.upcoming = match next {
            Next::End => None,
            Next::Arguments(arguments) => {
                let mut params = page.params.clone();
                if let Some(members) = params.as_object_mut() {
                    members.extend(arguments);
                }
                let params = accept(self.tool, params)?;
                let plan = self.engine.render(self.tool, &params, &self.settings)?;
                Some((params, plan))
            }
            Next::Url(url) => Some((page.params.clone(), self.plan_for(url, plan))),
        };
        Ok(())
    }

    /// The same request at the URL that the service gave, with our own credentials and not those that it may repeat.
    fn plan_for(&self, url: Url, plan: &Plan) -> Plan {
        let mut plan = plan.clone();
        let auth = &self.tool.service.auth;
        plan.query = url
            .query()
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .filter(|(name, _)| !auth.query_names().any(|own| own == *name))
            .map(|(name, value)| (name.to_owned(), Text::Plain(value.to_owned())))
            .collect();
        let mut target = url;
        target.set_query(None);
        target.set_fragment(None);
        plan.target = target.to_string();
        auth.place(&mut plan);
        plan
    }
}
