//! Waiting: a request creates a job, which is asked for until it is done.

use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;

use crate::answer::upstream_error;
use crate::engine::{Engine, Page, aimed};
use crate::error::{Error, Limit, Unfinished};
use crate::paging::follow_url;
use crate::plan::{Method, Plan, QuerySpec, RenderError, RequestSpec, RequestTemplate, Scalar};
use crate::project::{
    Condition, Extract, ExtractSpec, Json, Node, ProjectError, Projector, ResponseKind,
    ResponseView,
};
use crate::send::Event;
use crate::source::{Check, Code, join};
use crate::template::{Expression, Names};
use crate::tool::Tool;
use crate::words;

/// The name by which expressions know the first body.
const CREATED: &str = "created";
/// The shortest time that a service may set: one that always says 0 would be asked without end.
const LEAST_ASKED: Duration = Duration::from_millis(100);
const DEFAULT_INTERVAL: Duration = Duration::from_secs(2);
const DEFAULT_MAX_INTERVAL: Duration = Duration::from_secs(30);
const DEFAULT_DEADLINE: Duration = Duration::from_secs(600);

/// How the job that the request creates is waited for. Expressions in requests know the params, `settings` and `created`,
/// the first body.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WaitSpec {
    /// The path of the job, which is asked for with GET. Each `{{ expression }}` fills exactly one segment.
    #[schemars(regex(pattern = "^/"))]
    pub path: Option<String>,
    /// In place of `path`: the URL of the job, taken from the first response; it must stay on the service's origin and
    /// below its base URL.
    pub url: Option<ExtractSpec>,
    /// Query parameters beside `path`.
    #[serde(default)]
    pub query: QuerySpec,
    /// Request headers beside the service's own.
    #[serde(default)]
    pub headers: IndexMap<String, Scalar>,
    /// When the job is done: an expression over `body`, `status`, `headers`, `params` and `created`, or a JSONPath.
    pub until: String,
    /// When the job has failed, told in the same way.
    pub fail_when: Option<String>,
    /// The first time from one request to the next; each later one is twice as long. A `retry-after` of the service
    /// takes its place. 2s when absent.
    pub interval: Option<words::Duration>,
    /// The longest time from one request to the next; 30s when absent.
    pub max_interval: Option<words::Duration>,
    /// How long is waited at the most; 10m when absent.
    pub deadline: Option<words::Duration>,
    /// The request that cancels the job.
    pub cancel: Option<CancelSpec>,
    /// What a call gives that does not wait: a projection of the first body. Without it the whole first body.
    pub output: Option<Value>,
}

/// The request that cancels a job.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelSpec {
    /// The HTTP method.
    pub method: Method,
    /// The path, as of any request.
    #[schemars(regex(pattern = "^/"))]
    pub path: String,
}

/// A compiled wait section.
#[derive(Debug)]
pub struct Wait {
    poll: RequestTemplate,
    url: Option<Extract>,
    until: Condition,
    fail_when: Option<Condition>,
    interval: Duration,
    max_interval: Duration,
    deadline: Duration,
    cancel: Option<RequestTemplate>,
    output: Option<Projector>,
}

/// The request that asks for a job cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WaitError {
    /// The first response is not as described.
    #[error(transparent)]
    Shape(#[from] ProjectError),
    /// The first body has a value that cannot stand in its place.
    #[error("wait: {0}")]
    Render(#[from] RenderError),
    /// The first response does not say where the job is.
    #[error("wait.url: the first response names no URL of the job")]
    NoUrl,
    /// The job is not the service's own.
    #[error("the job: {0}")]
    Leaves(String),
}

impl Wait {
    /// Compiles the section, which stands at `pointer`; mistakes go to `check`. `names` are those of requests,
    /// `response_names` those of projections.
    pub fn compile(
        spec: &WaitSpec,
        pointer: &str,
        names: &Names,
        response_names: &Names,
        check: &Check,
    ) -> Wait {
        let names = names.clone().with(CREATED);
        let response_names = response_names.clone().with(CREATED);
        let at = |key: &str| join(pointer, key);
        let condition = |text: &str, key: &str| {
            Condition::compile(text, &at(key), Code::BadWait, &response_names, check)
        };
        report_bad_target(spec, pointer, check);
        let request = RequestSpec::without_body(
            Method::Get,
            spec.path.as_deref().unwrap_or("/"),
            spec.query.clone(),
            spec.headers.clone(),
        );
        let interval = spec.interval.map_or(DEFAULT_INTERVAL, |time| time.0);
        let wait = Wait {
            poll: RequestTemplate::compile(&request, pointer, &names, check),
            url: spec
                .url
                .as_ref()
                .map(|url| Extract::compile(url, &at("url"), &response_names, check)),
            until: condition(&spec.until, "until"),
            fail_when: spec
                .fail_when
                .as_ref()
                .map(|text| condition(text, "fail_when")),
            interval,
            max_interval: spec
                .max_interval
                .map_or(DEFAULT_MAX_INTERVAL.max(interval), |time| time.0),
            deadline: spec.deadline.map_or(DEFAULT_DEADLINE, |time| time.0),
            cancel: spec.cancel.as_ref().map(|cancel| {
                let request = RequestSpec::without_body(
                    cancel.method,
                    &cancel.path,
                    QuerySpec::default(),
                    IndexMap::new(),
                );
                RequestTemplate::compile(&request, &at("cancel"), &names, check)
            }),
            output: spec
                .output
                .as_ref()
                .map(|output| Node::compile(output, &at("output"), &response_names, check))
                .map(Projector::new),
        };
        if wait.max_interval < wait.interval {
            check.error(
                Code::BadWait,
                &at("max_interval"),
                "the longest interval is shorter than the first one",
            );
        }
        if wait.deadline <= wait.interval {
            let key = if spec.deadline.is_some() {
                "deadline"
            } else {
                "interval"
            };
            check.error(
                Code::BadWait,
                &at(key),
                "the deadline passes before the job is asked for the first time",
            );
        }
        wait
    }

    /// Calls `visit` with every expression of the requests, and whether it stands inside a longer text.
    pub fn visit(&self, visit: &mut dyn FnMut(&Expression, bool)) {
        self.poll.visit(visit);
        if let Some(cancel) = &self.cancel {
            cancel.visit(visit);
        }
    }

    /// Asks for jobs whose last response is of this kind.
    pub fn accept(&mut self, kind: ResponseKind) {
        self.poll.accept = kind.accept();
    }

    /// The request that asks for the job.
    pub fn poll(&self) -> &RequestTemplate {
        &self.poll
    }

    /// The request that cancels the job, where there is one.
    pub fn cancel(&self) -> Option<&RequestTemplate> {
        self.cancel.as_ref()
    }

    /// The plan of the request that cancels a job, where there is one.
    pub fn cancel_plan(
        &self,
        tool: &Tool,
        first: &ResponseView<'_>,
        base: &url::Url,
        settings: &Value,
    ) -> Option<Result<Plan, WaitError>> {
        let request = self.cancel.as_ref()?;
        let plan = with_created(first.params, first.body).and_then(|params| {
            let plan = tool.render_request(request, base, &params, settings);
            plan.map_err(WaitError::from)
        });
        Some(plan)
    }

    /// Whether the job is done.
    ///
    /// # Errors
    /// When the response contradicts a path, or an expression fails.
    pub fn is_done(&self, response: &ResponseView<'_>) -> Result<bool, ProjectError> {
        let done = self.until.holds(response);
        done.map_err(|error| error.under("wait.until"))
    }

    /// Whether the job has failed.
    ///
    /// # Errors
    /// As [`Wait::is_done`].
    pub fn has_failed(&self, response: &ResponseView<'_>) -> Result<bool, ProjectError> {
        let failed = self.fail_when.as_ref().map(|fails| fails.holds(response));
        let failed = failed.transpose();
        Ok(failed.map_err(|error| error.under("wait.fail_when"))? == Some(true))
    }

    /// What a call gives that does not wait.
    ///
    /// # Errors
    /// As [`Wait::is_done`].
    pub fn project_first(&self, response: &ResponseView<'_>) -> Result<Json, ProjectError> {
        let response = response.as_first_of_job();
        match &self.output {
            None => Ok(response.body.clone()),
            Some(output) => output
                .part_of(&response)
                .map(|output| output.unwrap_or_else(Json::null))
                .map_err(|error| error.under("wait.output")),
        }
    }

    /// The plan of the request that asks for a job, from the first response. A relative URL starts at `current`.
    ///
    /// # Errors
    /// When the response does not lead to a request to the service.
    pub fn plan(
        &self,
        tool: &Tool,
        first: &ResponseView<'_>,
        base: &url::Url,
        current: &str,
        settings: &Value,
    ) -> Result<Plan, WaitError> {
        let params = with_created(first.params, first.body)?;
        let plan = tool.render_request(&self.poll, base, &params, settings)?;
        let Some(extract) = &self.url else {
            return Ok(plan);
        };
        let found = extract
            .extract(&first.as_first_of_job())
            .map_err(|error| error.under("wait.url"))?;
        let Some(text) = found.as_str().filter(|text| !text.is_empty()) else {
            return Err(WaitError::NoUrl);
        };
        let url = follow_url(text, base, current).map_err(WaitError::Leaves)?;
        Ok(aimed(plan, url, &tool.service.auth))
    }
}

/// The params as requests of a job see them, with the first body among them by its name.
fn with_created(params: &Value, created: &Json) -> Result<Value, WaitError> {
    let created = created.value().map_err(|error| ProjectError {
        part: CREATED.to_owned(),
        message: error.to_string(),
    })?;
    let mut params = params.clone();
    if let Some(members) = params.as_object_mut() {
        members.insert(CREATED.to_owned(), created);
    }
    Ok(params)
}

/// A body as an error shows it: one that is too large for a tree is cut, as a text.
fn shown(body: &Json) -> Value {
    body.value().unwrap_or_else(|_| body.excerpt().into())
}

fn report_bad_target(spec: &WaitSpec, pointer: &str, check: &Check) {
    if spec.path.is_some() == spec.url.is_some() {
        check.error_at_key(
            Code::BadWait,
            pointer,
            "waiting needs exactly one of `path` and `url`",
            Some(
                "`path` is made of the first body, as in /jobs/{{ created.id }}; `url` is taken from it as it is"
                    .to_owned(),
            ),
        );
    }
    if spec.url.is_some() && !spec.query.is_empty() {
        check.error_at_key(
            Code::BadWait,
            &join(pointer, "query"),
            "a `url` brings its own query",
            None,
        );
    }
}

/// What keeps a tool from waiting.
pub fn report_misfits(
    params: &[&str],
    kind: ResponseKind,
    has_paging: bool,
    pointer: &str,
    check: &Check,
) {
    let refuse = |message: String| check.error_at_key(Code::BadWait, pointer, message, None);
    if has_paging {
        refuse("a tool that waits for a job has no pages".to_owned());
    }
    if matches!(kind, ResponseKind::Bytes | ResponseKind::Empty) {
        refuse(format!(
            "a response of kind {} cannot say whether a job is done",
            kind.name()
        ));
    }
    if params.contains(&CREATED) {
        check.error_at_key(
            Code::BadName,
            &join("/params/properties", CREATED),
            format!("a param cannot be called `{CREATED}`: it is the name of the job's first body"),
            None,
        );
    }
}

/// A job that a call created. Dropped, it goes on at the service; nobody asks for it any more.
pub struct Job<'e> {
    engine: &'e Engine,
    tool: &'e Tool,
    first: Page,
    poll: Option<Plan>,
    settings: Arc<Value>,
    started: Instant,
}

impl<'e> Job<'e> {
    pub(crate) fn new(
        engine: &'e Engine,
        tool: &'e Tool,
        first: Page,
        plan: &Plan,
    ) -> Result<Job<'e>, Error> {
        let settings = engine.settings_of(&tool.service)?;
        let (base, plan) = engine.ground(&tool.service, &settings, plan)?;
        let poll = tool
            .wait
            .as_ref()
            .map(|wait| wait.plan(tool, &first.view(), &base, &plan.masked_url(), &settings))
            .transpose()?;
        Ok(Job {
            engine,
            tool,
            first,
            poll,
            settings,
            started: Instant::now(),
        })
    }

    /// The first response, which tells of the job.
    pub fn first(&self) -> &Page {
        &self.first
    }

    /// Where the job is asked for, secrets masked; `None` where there is nothing to wait for.
    pub fn url(&self) -> Option<String> {
        self.poll.as_ref().map(Plan::masked_url)
    }

    pub(crate) fn into_first(self) -> Page {
        Page {
            is_pending: self.poll.is_some(),
            ..self.first
        }
    }

    /// Asks for the job until it is done and gives its last response.
    ///
    /// # Errors
    /// When the job fails, is not done in time, or cannot be asked for.
    pub async fn finish(self) -> Result<Page, Error> {
        match self.wait().await? {
            Some(last) => Ok(last),
            None => Ok(self.first),
        }
    }

    /// Asks for the job until it is done and gives its last response; `None` where there is nothing to wait for. The
    /// future may be dropped, and the job be waited for again or cancelled.
    ///
    /// # Errors
    /// As [`Job::finish`].
    pub async fn wait(&self) -> Result<Option<Page>, Error> {
        let (Some(wait), Some(plan)) = (&self.tool.wait, &self.poll) else {
            return Ok(None);
        };
        let own = self.started + wait.deadline;
        let deadline = match self.engine.deadline() {
            Some(all) => own.min(all.into()),
            None => own,
        };
        let mut interval = wait.interval;
        let mut asked = self.first.response.retry_after;
        let mut last = None;
        let mut polls = 0;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let pause = asked.map_or(interval, |asked| asked.max(LEAST_ASKED));
            if left.is_zero() || asked.is_some_and(|asked| asked > left) {
                let error = self.unfinished(plan, polls, last);
                let redactor = self.first.response.redactor();
                return Err(error.masked(|text| redactor.message(text)));
            }
            let pause = pause.min(left);
            self.engine.tell(|| Event::Waiting {
                polls,
                elapsed: self.started.elapsed(),
                wait: pause,
            });
            tokio::time::sleep(pause).await;
            let page = match self.ask(plan).await {
                Err(Error::Timeout {
                    limit: Limit::Deadline,
                    ..
                }) => {
                    return Err(self.unfinished(plan, polls, last));
                }
                answer => answer?,
            };
            polls += 1;
            if wait.has_failed(&page.view())? {
                return Err(upstream_error(
                    self.tool,
                    None,
                    &page.response,
                    &page.view(),
                ));
            }
            if wait.is_done(&page.view())? {
                return Ok(Some(page));
            }
            interval = (interval * 2).min(wait.max_interval);
            asked = page.response.retry_after;
            last = Some(page.body);
        }
    }

    fn unfinished(&self, plan: &Plan, polls: u32, last: Option<Json>) -> Error {
        Error::Unfinished(Box::new(Unfinished {
            within: self.started.elapsed(),
            polls,
            url: plan.masked_url(),
            last: shown(last.as_ref().unwrap_or(&self.first.body)),
        }))
    }

    async fn ask(&self, plan: &Plan) -> Result<Page, Error> {
        let params = &self.first.params;
        let kind = self.tool.rules.kind;
        let received = self.engine.exchange(self.tool, plan, params, kind, None);
        let mut page = self
            .engine
            .read(self.tool, received.await?, params.clone())?;
        page.created = Some(self.first.body.clone());
        Ok(page)
    }

    /// Asks the service to cancel the job; false where the descriptor does not say how.
    ///
    /// # Errors
    /// Whatever can go wrong with a request.
    pub async fn cancel(&self) -> Result<bool, Error> {
        let base = self.engine.base(&self.tool.service, &self.settings)?;
        let plan = self.tool.wait.as_ref().and_then(|wait| {
            wait.cancel_plan(self.tool, &self.first.view(), &base, &self.settings)
        });
        let Some(plan) = plan.transpose()? else {
            return Ok(false);
        };
        let kind = ResponseKind::Empty;
        let cancelled = self
            .engine
            .exchange(self.tool, &plan, &self.first.params, kind, None);
        cancelled.await.map(|_| true)
    }
}
