//! The engine: runs a tool through all stages of a call.

pub(crate) mod answer;
pub(crate) mod call;
pub(crate) mod error;
mod gather;
mod job;
mod note;
mod page;
mod pages;
mod run;
mod session;
mod tape;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

pub use call::{Call, CallInfo};
pub use gather::{Gathered, Incomplete};
pub use job::Job;
pub use note::{Note, Resume, Stopped};
pub use page::Page;
pub use pages::Pages;

use crate::base_url::BaseUrl;
use crate::json::Json;
use crate::plan::Plan;
use crate::project::ResponseKind;
#[cfg(feature = "cli")]
use crate::recording::{Play, Recorder};
use crate::send::{
    Budget, Client, Destination, HttpTransport, Limiter, LocalLimiter, Roots, SendError, Transport,
};
#[cfg(feature = "serve")]
use crate::sign::Redactor;
use crate::sign::{LeftOut, Secret, SecretStore, Secrets, TokenShare};
#[cfg(feature = "cli")]
use crate::sign::{SecretError, SecretPlace, SecretRef, Whereabouts};
#[cfg(feature = "cli")]
use crate::source::Origin;
use crate::tool::Tool;
use crate::tool::service::Service;
use error::Error;
use run::{Run, accept};
use session::{Credentials, Session};
use tape::Tape;

/// Runs tools. One engine serves any number of tools and calls, also at the same time. It keeps connections, rate
/// limits, secrets and access tokens for each service. A clone is the same engine.
///
/// ```no_run
/// # async fn example() -> Result<(), toolrun::Error> {
/// use serde_json::json;
/// use toolrun::{Call, Catalog, Engine};
///
/// let tool = Catalog::builtin().tool("list-workspaces")?;
/// let engine = Engine::new().with_environment();
/// let outcome = engine.call(Call::new(&tool, json!({ "limit": 2 }))).await?;
/// println!("{}", outcome.output.text());
/// # Ok(())
/// # }
/// ```
///
/// # Cancellation
/// Every future of an engine, of [`Pages`] and of a [`Job`] may be dropped at any time, such as by a timeout or a
/// `select!`. The engine still works, no file is left behind, and a renewal of an access token that has begun is
/// finished in the background. The service may have got the request anyway: a call that writes may have been carried
/// out. [`Pages::next`] and [`Job::wait`] can be called again and lose nothing.
#[derive(Clone)]
pub struct Engine {
    setup: Arc<Setup>,
    state: Arc<State>,
}

/// The options of an engine.
#[derive(Clone)]
struct Setup {
    secrets: SecretStore,
    settings: Vec<(String, String)>,
    reads_environment: bool,
    roots: Roots,
    stand_in: Option<Url>,
    transport: Option<Arc<dyn Transport>>,
    layer: Option<Arc<Layer>>,
    limiter: Arc<dyn Limiter>,
    tokens: Option<Arc<dyn TokenShare>>,
    tape: Tape,
}

type Layer = dyn Fn(Arc<dyn Transport>) -> Arc<dyn Transport> + Send + Sync;

/// What an engine keeps between calls, by the id of the service.
#[derive(Default)]
struct State {
    services: Mutex<BTreeMap<String, Arc<Kept>>>,
}

/// What an engine keeps of one service.
#[derive(Default)]
struct Kept {
    settings: OnceLock<Arc<Value>>,
    session: OnceLock<Session>,
    /// What requests are sent with that a recording answers.
    played: OnceLock<Arc<Credentials>>,
    /// Held while the session is opened. So a service has one session, and a slow secret of one service does not hold up
    /// another service.
    opening: tokio::sync::Mutex<()>,
}

/// The result of a call.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Outcome {
    /// The projected output.
    pub output: Json,
    /// Why a walk stopped before the last page, if it did. For a single page, that more pages remain, if only a header
    /// says so.
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

    /// The output as a type of your program.
    ///
    /// # Errors
    /// When the output is not of that type; the error names the place in the output.
    ///
    /// ```no_run
    /// # async fn example(engine: toolrun::Engine, call: toolrun::Call) -> Result<(), toolrun::Error> {
    /// #[derive(serde::Deserialize)]
    /// struct Members { members: Vec<Member> }
    /// #[derive(serde::Deserialize)]
    /// struct Member { id: String, email: String }
    ///
    /// let Members { members } = engine.call(call).await?.parse()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let text = self.output.text();
        let mut reader = serde_json::Deserializer::from_str(text);
        serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let place = error.path().to_string();
            Error::Response(format!(
                "the output is not what the program takes, at `{place}`: {}",
                error.inner()
            ))
        })
    }
}

impl Default for Engine {
    fn default() -> Engine {
        Engine::new()
    }
}

impl Engine {
    /// An engine that knows only the secrets and settings that it is given. It reads neither the environment nor a
    /// `.env` file. It trusts the certificate authorities that come with the program.
    pub fn new() -> Engine {
        Engine {
            setup: Arc::new(Setup {
                secrets: SecretStore::default(),
                settings: Vec::new(),
                reads_environment: false,
                roots: Roots::default(),
                stand_in: None,
                transport: None,
                layer: None,
                limiter: Arc::new(LocalLimiter::default()),
                tokens: None,
                tape: Tape::default(),
            }),
            state: Arc::default(),
        }
    }

    /// Changes the options. Clones made before keep their options and sessions.
    fn change(mut self, change: impl FnOnce(&mut Setup)) -> Engine {
        change(Arc::make_mut(&mut self.setup));
        self.state = Arc::default();
        self
    }

    /// Reads the environment: secrets and settings by the variables that descriptors name, and the proxies of
    /// `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`.
    #[must_use]
    pub fn with_environment(self) -> Engine {
        self.change(|setup| {
            setup.reads_environment = true;
            setup.secrets.read_environment();
        })
    }

    /// Reads secrets that the environment does not have from a file of `NAME=value` lines. The file is read when the
    /// first secret is looked up in it. It need not exist.
    #[must_use]
    pub fn with_env_file(self, file: impl Into<PathBuf>) -> Engine {
        self.change(|setup| setup.secrets.read_file(file))
    }

    /// Gives a secret by the name of its variable or file, and overrides that variable or file.
    #[must_use]
    pub fn with_secret(self, name: impl Into<String>, value: Secret) -> Engine {
        self.change(|setup| setup.secrets.give(name, value))
    }

    /// Lets the descriptors in a folder, and in the folders below it, run the commands that print their secrets. Tools
    /// from a folder that a catalog trusts ([`crate::Catalog::with_trusted_folder`]) may do so already.
    #[must_use]
    pub fn with_trusted_folder(self, folder: impl Into<PathBuf>) -> Engine {
        self.change(|setup| setup.secrets.trust(folder))
    }

    /// Overrides a setting of the service.
    #[must_use]
    pub fn with_setting(self, name: impl Into<String>, value: impl Into<String>) -> Engine {
        self.change(|setup| setup.settings.push((name.into(), value.into())))
    }

    /// Chooses the certificate authorities.
    #[must_use]
    pub fn with_roots(self, roots: Roots) -> Engine {
        self.change(|setup| setup.roots = roots)
    }

    /// Sends all requests to a stand-in, such as a sandbox at `http://127.0.0.1:8080`. Only secrets given by
    /// [`Engine::with_secret`] are sent.
    #[must_use]
    pub fn with_stand_in(self, origin: Url) -> Engine {
        self.change(|setup| {
            setup.stand_in = Some(origin);
            setup.secrets.seal();
        })
    }

    /// Sends the requests of all services through this transport, in place of HTTP.
    #[must_use]
    pub fn with_transport(self, transport: Arc<dyn Transport>) -> Engine {
        self.change(|setup| setup.transport = Some(transport))
    }

    /// Wraps the transport of each service in your own, such as one that records.
    #[must_use]
    pub fn with_layer(
        self,
        layer: impl Fn(Arc<dyn Transport>) -> Arc<dyn Transport> + Send + Sync + 'static,
    ) -> Engine {
        self.change(|setup| setup.layer = Some(Arc::new(layer)))
    }

    /// Asks this limiter when a request may be sent, such as one that several machines share.
    #[must_use]
    pub fn with_limiter(self, limiter: Arc<dyn Limiter>) -> Engine {
        self.change(|setup| setup.limiter = limiter)
    }

    /// The request that would be sent, with secrets as placeholders. No secret is read.
    ///
    /// # Errors
    /// When the arguments are not what the tool takes.
    ///
    /// ```
    /// use serde_json::json;
    /// use toolrun::{Call, Catalog, Engine};
    ///
    /// let tool = Catalog::builtin().tool("list-members")?;
    /// let plan = Engine::new().plan(&Call::new(&tool, json!({ "limit": 5 })))?;
    /// assert_eq!(plan.masked_url(), "https://api.anthropic.com/v1/organizations/users?limit=5");
    /// # Ok::<(), toolrun::Error>(())
    /// ```
    pub fn plan(&self, call: &Call) -> Result<Plan, Error> {
        let tool = &*call.tool;
        let params = accept(tool, call.arguments.clone())?;
        let settings = self.resolve_settings(&tool.service)?;
        let mut plan = self.render(tool, &params, &settings)?;
        plan.target = tool.service.base.show(plan.target);
        let left_out = self.left_out(&tool.service);
        let plan = tool.service.auth.without(Cow::Owned(plan), &left_out);
        Ok(plan.into_owned())
    }

    /// The credentials that requests of a service go without, as far as that is known without asking anybody.
    pub(crate) fn left_out(&self, service: &Service) -> LeftOut {
        let store = &self.setup.secrets;
        service.auth.left_out(|secret| !store.is_unset(secret))
    }

    /// Calls a tool once: one page of a list. A job that the call creates is waited for.
    ///
    /// # Errors
    /// Whatever can go wrong, see [`Error`].
    pub async fn call(&self, call: Call) -> Result<Outcome, Error> {
        let (run, params, plan) = Run::begin(self, call)?;
        refuse_download(&run.tool)?;
        if run.tool.wait.is_some() {
            let page = run.fetch(&plan, params).await?;
            return Ok(Outcome::of_one(page.output()?));
        }
        let received = run.exchange(&plan, &params, run.tool.rules.kind, None);
        let page = run.page(received.await?, params)?;
        // The projection can show what the body says about the next page, but not a header.
        let leads_on = run
            .tool
            .paging
            .as_ref()
            .filter(|paging| paging.leads_by_header());
        let note = leads_on.and_then(|_| run.note_one(&plan, &page));
        Ok(Outcome {
            notes: note.into_iter().collect(),
            ..Outcome::of_one(page.output()?)
        })
    }

    /// Calls a tool once and gives its response: one page of a list.
    ///
    /// # Errors
    /// Whatever can go wrong, see [`Error`].
    pub async fn page(&self, call: Call) -> Result<Page, Error> {
        let (run, params, plan) = Run::begin(self, call)?;
        refuse_download(&run.tool)?;
        let mut page = run.fetch(&plan, params).await?;
        page.more = run.note_one(&plan, &page);
        Ok(page)
    }

    /// Calls a tool, follows its pages and concatenates their items. The output is projected once, from all pages.
    ///
    /// # Errors
    /// Whatever can go wrong, see [`Error`]; what was read before comes with it ([`Incomplete::read`]). Reaching a
    /// limit of the caller is not an error: [`Outcome::notes`] says so.
    pub async fn call_all(&self, call: Call) -> Result<Outcome, Incomplete> {
        gather::gather(self.pages(call)?).await
    }

    /// Starts a walk over a tool's pages. A tool without paging has one page. Nothing is sent before the first page is
    /// asked for.
    ///
    /// # Errors
    /// When the arguments are not what the tool takes, or the call lacks the consent that the tool needs.
    pub fn pages(&self, call: Call) -> Result<Pages, Error> {
        let (run, params, plan) = Run::begin(self, call)?;
        refuse_download(&run.tool)?;
        let settings = run.settings()?;
        Ok(Pages::new(run, settings, params, plan))
    }

    /// Calls a tool and gives the job that it created. A tool without `wait` is done at once.
    ///
    /// # Errors
    /// Whatever can go wrong, see [`Error`].
    pub async fn start(&self, call: Call) -> Result<Job, Error> {
        let (run, params, plan) = Run::begin(self, call)?;
        refuse_download(&run.tool)?;
        run.start(&plan, params).await
    }

    /// Calls a tool whose response is a file (`response.kind: bytes`) and saves it, byte for byte as the service sent
    /// it. The file is written under a temporary name in the same folder and renamed when it is whole. A download that
    /// fails or is dropped leaves nothing.
    ///
    /// # Errors
    /// Whatever can go wrong, see [`Error`]. A destination that cannot be written is refused before anything is sent.
    ///
    /// ```no_run
    /// # async fn example(engine: toolrun::Engine, call: toolrun::Call) -> Result<(), toolrun::Error> {
    /// use toolrun::Destination;
    ///
    /// let outcome = engine.download(call, &Destination::new("report.pdf")).await?;
    /// println!("{} bytes", outcome.output);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn download(&self, call: Call, to: &Destination) -> Result<Outcome, Error> {
        let (run, params, plan) = Run::begin(self, call)?;
        let kind = run.tool.rules.kind;
        if kind != ResponseKind::Bytes {
            return Err(Error::NoDownload {
                tool: run.tool.name.clone(),
                kind: kind.name(),
            });
        }
        to.check()?;
        let received = run.exchange(&plan, &params, kind, Some(to)).await?;
        let mut page = run.page(received, params)?;
        let download = page.response.download.take();
        let output = page.output()?;
        if let Some(download) = download {
            download.keep(to)?;
        }
        Ok(Outcome::of_one(output))
    }

    /// What is wrong with the `.env` file, if a secret was looked up in it. No part of the file is quoted.
    pub fn dotenv_problem(&self) -> Option<String> {
        self.setup.secrets.dotenv_problem()
    }
}

/// What a server needs of an engine before it asks a person.
#[cfg(feature = "serve")]
impl Engine {
    /// Runs every stage of a call up to its first request, and sends nothing: so a person is not asked about a call that
    /// cannot run. Gives the request with its secrets masked, and what masks them elsewhere.
    ///
    /// # Errors
    /// What the call would fail with before its first request.
    pub(crate) async fn rehearse(&self, call: Call) -> Result<(Plan, Redactor), Error> {
        let (run, _, plan) = Run::begin(self, call)?;
        refuse_download(&run.tool)?;
        let redactor = run.redactor().await?;
        let left_out = self.left_out(&run.tool.service);
        let plan = run.tool.service.auth.without(Cow::Owned(plan), &left_out);
        Ok((plan.into_owned(), redactor))
    }
}

/// What the command line needs of an engine.
#[cfg(feature = "cli")]
impl Engine {
    /// The value of a secret of the program itself, by its variable; `None` if it is not set.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn own_secret(&self, variable: &str) -> Result<Option<Secret>, SecretError> {
        let reference = SecretRef::own(variable, Origin::BuiltIn);
        self.setup.secrets.resolve_optional(&reference, None)
    }

    /// Writes down what is sent and received.
    #[must_use]
    pub(crate) fn with_recorder(self, recorder: Arc<Recorder>) -> Engine {
        self.change(|setup| setup.tape.record(recorder))
    }

    /// Lets a recording answer in place of services. No secret is looked up, and nothing is sent, unless it lets services be
    /// asked for what is missing.
    #[must_use]
    pub(crate) fn with_recording(self, play: Arc<Play>) -> Engine {
        self.change(|setup| setup.tape.play(play))
    }

    /// Keeps access tokens where other processes find them.
    #[must_use]
    pub(crate) fn with_tokens(self, tokens: Arc<dyn TokenShare>) -> Engine {
        self.change(|setup| setup.tokens = Some(tokens))
    }

    /// Takes the secret of a variable from another place, and from nowhere else.
    #[must_use]
    pub(crate) fn with_secret_at(self, variable: &str, place: SecretPlace) -> Engine {
        self.change(|setup| setup.secrets.move_to(variable, place))
    }

    /// Where a secret would be read.
    pub(crate) fn whereabouts(&self, secret: &SecretRef) -> Whereabouts {
        self.setup.secrets.whereabouts(secret)
    }

    /// The variable of a secret that the environment holds with another value than the file of secrets.
    pub(crate) fn overridden(&self, secret: &SecretRef) -> Option<String> {
        self.setup.secrets.overridden(secret)
    }
}

/// The part of an engine that its calls share.
impl Engine {
    fn secrets(&self) -> &SecretStore {
        &self.setup.secrets
    }

    fn has_stand_in(&self) -> bool {
        self.setup.stand_in.is_some()
    }

    fn tape(&self) -> &Tape {
        &self.setup.tape
    }

    fn render(&self, tool: &Tool, params: &Value, settings: &Value) -> Result<Plan, Error> {
        let base = self.service_base(&tool.service, settings)?;
        Ok(tool.render_at(&base, params, settings)?)
    }

    /// The base URL for requests: that of the service or of the stand-in. If it comes with the access token, it is a
    /// placeholder that is replaced when the request is sent.
    fn base_of<'s>(&self, url: &'s BaseUrl, settings: &Value) -> Result<Cow<'s, Url>, Error> {
        match &self.setup.stand_in {
            None => Ok(url.at(settings, None)?),
            Some(origin) => {
                let mut base = origin.clone();
                base.set_path(&url.path_at(settings)?);
                Ok(Cow::Owned(base))
            }
        }
    }

    /// The base URL of a service. A recording that answers may be of another origin.
    fn service_base<'s>(
        &self,
        service: &'s Service,
        settings: &Value,
    ) -> Result<Cow<'s, Url>, Error> {
        let base = self.base_of(&service.base, settings)?;
        Ok(match self.tape().playing() {
            Some(play) if !self.has_stand_in() && !service.base.reads_token() => {
                Cow::Owned(play.base_of(&service.name, base.into_owned()))
            }
            _ => base,
        })
    }

    /// What requests of a service are sent with that a recording answers.
    ///
    /// # Errors
    /// When the base URL is not known.
    fn played<'k>(
        &self,
        kept: &'k Kept,
        service: &Service,
    ) -> Result<Option<&'k Arc<Credentials>>, Error> {
        let Some(play) = self.tape().playing() else {
            return Ok(None);
        };
        if let Some(played) = kept.played.get() {
            return Ok(Some(played));
        }
        let settings = self.settings_of(kept, service)?;
        let told = match service.base.reads_token() && !self.has_stand_in() {
            true => Some(play.told_base_of(&service.name).ok_or_else(|| {
                SendError::Unrecorded(format!(
                    "the base URL of {} comes with an access token, and the recording does not say it",
                    service.name
                ))
            })?),
            false => None,
        };
        let base = match &told {
            Some(told) => Cow::Borrowed(told),
            None => self.service_base(service, &settings)?,
        };
        let played = self.tape().credentials(play, service, &base, told.clone());
        Ok(Some(kept.played.get_or_init(|| Arc::new(played))))
    }

    fn resolve_settings(&self, service: &Service) -> Result<Value, Error> {
        let Setup {
            settings,
            reads_environment,
            ..
        } = &*self.setup;
        Ok(service.resolve_settings(settings, *reads_environment)?)
    }

    /// What the engine keeps of a service.
    fn kept(&self, service: &Service) -> Arc<Kept> {
        let services = &self.state.services;
        let mut services = services.lock().unwrap_or_else(PoisonError::into_inner);
        match services.get(&service.id) {
            Some(kept) => Arc::clone(kept),
            None => Arc::clone(services.entry(service.id.clone()).or_default()),
        }
    }

    /// The values of a service's settings, looked up once.
    fn settings_of(&self, kept: &Kept, service: &Service) -> Result<Arc<Value>, Error> {
        if let Some(settings) = kept.settings.get() {
            return Ok(Arc::clone(settings));
        }
        let settings = Arc::new(self.resolve_settings(service)?);
        Ok(Arc::clone(kept.settings.get_or_init(|| settings)))
    }

    /// Opens the session of a service with its secrets.
    fn open<'k>(
        &self,
        kept: &'k Kept,
        service: &Service,
        secrets: Secrets,
    ) -> Result<&'k Session, Error> {
        let settings = self.settings_of(kept, service)?;
        let base = self.service_base(service, &settings)?;
        let token_url = match service.auth.grant_with(&secrets) {
            Some(grant) => Some(self.base_of(grant.token_url(), &settings)?.into_owned()),
            None => None,
        };
        let session = Session::new(&self.setup, service, secrets, &base, token_url)?;
        Ok(kept.session.get_or_init(|| session))
    }
}

impl Setup {
    /// The client for requests below one base URL of the service. `budget` names the rate limit that they count in.
    fn client(&self, service: &Service, base: &Url, budget: String) -> Result<Client, Error> {
        let transport = match &self.transport {
            Some(transport) => Arc::clone(transport),
            None => {
                let proxies = self.reads_environment;
                Arc::new(HttpTransport::new(
                    &service.sending,
                    base,
                    &self.roots,
                    proxies,
                )?)
            }
        };
        let transport = match &self.layer {
            Some(layer) => layer(transport),
            None => transport,
        };
        let transport = self.tape.heard(transport, service);
        let budget = match service.sending.rate_limit {
            Some((requests, per)) => Some(Budget::new(budget, requests, per)),
            None => self.limiter.counts_all().then(|| Budget::unlimited(budget)),
        };
        let turns = budget.map(|budget| (Arc::clone(&self.limiter), budget));
        Ok(Client::new(transport, turns, base))
    }
}

/// A download needs a destination for each call. Without one, it is refused before anything is sent.
fn refuse_download(tool: &Tool) -> Result<(), Error> {
    match tool.rules.kind {
        ResponseKind::Bytes => Err(Error::NoDestination {
            tool: tool.name.clone(),
        }),
        _ => Ok(()),
    }
}
