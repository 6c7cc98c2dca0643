//! Waiting: how to ask for the state of a job that a request created, and how to see that it is done.

use std::time::Duration;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::json::Json;
use crate::plan::{Method, QuerySpec, RenderError, RequestSpec, RequestTemplate, Scalar};
use crate::project::{
    Condition, Extract, ExtractSpec, Node, ProjectError, Projector, ResponseKind, ResponseView,
    report_unlikely,
};
use crate::source::{Check, Code, join};
use crate::template::{Expression, Names};
use crate::words;

/// The name of the first body in expressions.
const CREATED: &str = "created";
const DEFAULT_INTERVAL: Duration = Duration::from_secs(2);
const DEFAULT_MAX_INTERVAL: Duration = Duration::from_secs(30);
const DEFAULT_DEADLINE: Duration = Duration::from_secs(600);

/// How to wait for the job that the request creates. Expressions in requests know the params, `settings` and `created`,
/// the first body.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WaitSpec {
    /// The path of the job. It is requested with GET. Each `{{ expression }}` fills exactly one segment.
    #[schemars(regex(pattern = "^/"))]
    pub path: Option<String>,
    /// Instead of `path`: the URL of the job, taken from the first response. It must be on the service's origin and
    /// below its base URL.
    pub url: Option<ExtractSpec>,
    /// Query parameters, with `path`.
    #[serde(default)]
    pub query: QuerySpec,
    /// Request headers, added to the service's own.
    #[serde(default)]
    pub headers: IndexMap<String, Scalar>,
    /// When the job is done: an expression over `body`, `status`, `headers`, `params` and `created`, or a JSONPath.
    pub until: String,
    /// When the job has failed. It is written in the same way as `until`.
    pub fail_when: Option<String>,
    /// The first time between two requests. Each later one is twice as long. If the service sends `retry-after`, that
    /// is used instead. 2s when absent.
    pub interval: Option<words::Duration>,
    /// The longest time between two requests; 30s when absent.
    pub max_interval: Option<words::Duration>,
    /// How long to wait at most; 10m when absent.
    pub deadline: Option<words::Duration>,
    /// The request that cancels the job.
    pub cancel: Option<CancelSpec>,
    /// The output of a call that does not wait: a projection of the first body. Without it, the output is the whole
    /// first body.
    pub output: Option<Value>,
}

/// The request that cancels a job.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CancelSpec {
    /// The HTTP method.
    pub method: Method,
    /// The path, as of any request.
    #[schemars(regex(pattern = "^/"))]
    pub path: String,
}

/// A compiled wait section.
#[derive(Debug)]
pub(crate) struct Wait {
    poll: RequestTemplate,
    url: Option<Extract>,
    until: Condition,
    fail_when: Option<Condition>,
    /// The first time between two requests.
    pub interval: Duration,
    /// The longest time between two requests.
    pub max_interval: Duration,
    /// How long to wait at most.
    pub deadline: Duration,
    cancel: Option<RequestTemplate>,
    output: Option<Projector>,
}

/// The request that asks for a job's state cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WaitError {
    /// The first response is not as described.
    #[error(transparent)]
    Shape(#[from] ProjectError),
    /// The first body has a value that is not allowed in its place.
    #[error("wait: {0}")]
    Render(#[from] RenderError),
    /// The first response does not say where the job is.
    #[error("wait.url: the first response does not give the job's URL")]
    NoUrl,
    /// The job's URL does not belong to the service.
    #[error("the job: {0}")]
    Leaves(String),
}

impl Wait {
    /// Compiles the section, which stands at `pointer`; mistakes go to `check`. `names` are those of requests,
    /// `response_names` those of projections.
    pub(crate) fn compile(
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
                .inspect(|output| report_unlikely(output, &at("output"), check))
                .map(|output| Node::compile(output, &at("output"), &response_names, check))
                .map(Projector::new),
        };
        let is_lost = |key: &str| check.is_broken(&at(key));
        if is_lost("interval") || is_lost("max_interval") || is_lost("deadline") {
            return wait;
        }
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
                "the deadline ends before the job's state is asked for the first time",
            );
        }
        wait
    }

    /// Calls `visit` with every expression of the requests, and whether it stands inside a longer text.
    pub(crate) fn visit(&self, visit: &mut dyn FnMut(&Expression, bool)) {
        self.poll.visit(visit);
        if let Some(cancel) = &self.cancel {
            cancel.visit(visit);
        }
    }

    /// Makes the requests for jobs whose last response is of this kind.
    pub(crate) fn accept(&mut self, kind: ResponseKind) {
        self.poll.accept = kind.accept();
    }

    /// The request that asks for the job's state.
    pub(crate) fn poll(&self) -> &RequestTemplate {
        &self.poll
    }

    /// The request that cancels the job, if there is one.
    pub(crate) fn cancel(&self) -> Option<&RequestTemplate> {
        self.cancel.as_ref()
    }

    /// Whether the job is done.
    ///
    /// # Errors
    /// When the response contradicts a path, or an expression fails.
    pub(crate) fn is_done(&self, response: &ResponseView<'_>) -> Result<bool, ProjectError> {
        let done = self.until.holds(response);
        done.map_err(|error| error.under("wait.until"))
    }

    /// Whether the job has failed.
    ///
    /// # Errors
    /// As [`Wait::is_done`].
    pub(crate) fn has_failed(&self, response: &ResponseView<'_>) -> Result<bool, ProjectError> {
        let failed = self.fail_when.as_ref().map(|fails| fails.holds(response));
        let failed = failed.transpose();
        Ok(failed.map_err(|error| error.under("wait.fail_when"))? == Some(true))
    }

    /// The output of a call that does not wait.
    ///
    /// # Errors
    /// As [`Wait::is_done`].
    pub(crate) fn project_first(&self, response: &ResponseView<'_>) -> Result<Json, ProjectError> {
        let response = response.as_first_of_job();
        match &self.output {
            None => Ok(response.body.clone()),
            Some(output) => output
                .part_of(&response)
                .map(|output| output.unwrap_or_else(Json::null))
                .map_err(|error| error.under("wait.output")),
        }
    }

    /// The job's URL from the first response, if the descriptor takes it from there.
    ///
    /// # Errors
    /// When the first response does not have it.
    pub(crate) fn told_url(&self, first: &ResponseView<'_>) -> Result<Option<String>, WaitError> {
        let Some(extract) = &self.url else {
            return Ok(None);
        };
        let found = extract
            .extract(&first.as_first_of_job())
            .map_err(|error| error.under("wait.url"))?;
        match found.as_str().filter(|text| !text.is_empty()) {
            Some(text) => Ok(Some(text.to_owned())),
            None => Err(WaitError::NoUrl),
        }
    }
}

/// The params as a job's requests see them, together with the first body.
///
/// # Errors
/// When the body is too large for a tree, or has a number that would lose digits.
pub(crate) fn with_created(params: &Value, created: &Json) -> Result<Value, WaitError> {
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

fn report_bad_target(spec: &WaitSpec, pointer: &str, check: &Check) {
    let is_lost = |key: &str| check.is_broken(&join(pointer, key));
    if spec.path.is_some() == spec.url.is_some() && !is_lost("path") && !is_lost("url") {
        check.error_at_key(
            Code::BadWait,
            pointer,
            "waiting needs exactly one of `path` and `url`",
            Some(
                "`path` is built from values of the first body, as in /jobs/{{ created.id }}; `url` is a whole URL in it"
                    .to_owned(),
            ),
        );
    }
    if spec.url.is_some() && !spec.query.is_empty() {
        check.error_at_key(
            Code::BadWait,
            &join(pointer, "query"),
            "a `url` already has its own query",
            None,
        );
    }
}

/// Why a tool with these sections cannot wait.
pub(crate) fn report_misfits(
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
