//! A tool, compiled: everything that a call needs, so that a call parses nothing but its arguments and the response.

pub(crate) mod service;

use std::sync::Arc;

use serde_json::Value;

use crate::format::{self, decode};
use crate::format::{Access, ExampleSpec, ServiceRef, SyncSpec, ToolSpec};
use crate::json::Json;
use crate::paging::{Paging, follow_url, report_other_rows};
use crate::params::{ArgumentProblem, Params, as_meant};
use crate::plan::{Plan, RenderError, RequestTemplate};
use crate::project::{
    Projection, ResponseKind, ResponseRules, ResponseView, Rule, response_names, with_body_types,
};
use crate::source::{Check, Code, Source, join};
use crate::template::{Bound, CallScope, Can, Expression, Names};
use crate::tool::service::{SENT_ONCE, Service};
use crate::wait::{Wait, WaitError, report_misfits, with_created};

/// A compiled tool.
#[derive(Debug)]
pub struct Tool {
    /// The tool's name.
    pub name: String,
    /// The name for people.
    pub title: Option<String>,
    /// What the tool does.
    pub description: String,
    /// Where the operation is documented.
    pub docs: Option<String>,
    /// What the tool may do to the service's data.
    pub access: Access,
    /// The service.
    pub(crate) service: Arc<Service>,
    /// The params.
    pub(crate) params: Params,
    /// The request.
    pub(crate) request: RequestTemplate,
    /// How the pages of a list follow each other.
    pub(crate) paging: Option<Paging>,
    /// How to wait for the job that the request creates.
    pub(crate) wait: Option<Wait>,
    /// How to read responses.
    pub(crate) rules: ResponseRules,
    /// What the tool makes of the response.
    pub(crate) projection: Projection,
    /// How the rows are copied into a table.
    pub(crate) sync: Option<SyncSpec>,
    /// Calls with the request they send and the output they give.
    pub(crate) examples: Vec<ExampleSpec>,
    /// The path template, as the descriptor writes it.
    pub(crate) path: String,
    /// The JSON Schema of the output, if the descriptor has one.
    pub output_schema: Option<Value>,
    /// The file that the tool comes from.
    pub(crate) source: Arc<Source>,
}

impl AsRef<Tool> for Tool {
    fn as_ref(&self) -> &Tool {
        self
    }
}

/// Where a tool's service comes from, if its file does not contain it.
pub(crate) enum ServiceSource {
    /// The `service.yaml` beside the tool's file.
    Beside(Arc<Service>),
    /// The `service.yaml` beside the tool's file has findings of its own. The name that it has, if that is sound.
    Broken(Option<String>),
    /// There is no `service.yaml`.
    Absent,
}

impl Tool {
    /// Reads and compiles a tool's file; mistakes go to `check`.
    pub(crate) fn load(check: &Check, folder: &ServiceSource) -> Option<Tool> {
        let tool = Tool::read(check, folder, &|_| ());
        tool.filter(|tool| tool.is_whole() && !check.failed())
    }

    /// Like [`Tool::load`]. A file with mistakes gives a tool too, if `check` asks for every check: without the broken
    /// parts, so that the others can be checked. `prove` checks the params section before it is used.
    pub(crate) fn read(
        check: &Check,
        folder: &ServiceSource,
        prove: &dyn Fn(&Value),
    ) -> Option<Tool> {
        let mut spec: ToolSpec = decode(&format::TOOL, check)?;
        let params = as_meant(spec.params.take().map(Value::Object), "/params", check);
        params.iter().for_each(prove);
        let params = Params::sound_of(params, "/params", check);
        let service = match find_service(&spec, folder, check) {
            Some(service) => service,
            // The tool's own mistakes are still reported.
            None => Arc::new(Service::stand_in(check)?),
        };
        Some(Tool::compile(spec, params, service, check))
    }

    /// Whether the tool has its service.
    pub(crate) fn is_whole(&self) -> bool {
        !self.service.is_stand_in
    }

    fn compile(spec: ToolSpec, params: Params, service: Arc<Service>, check: &Check) -> Tool {
        let param_names: Vec<&str> = params.iter().map(|param| param.name).collect();
        let settings = service.settings().iter().map(|(name, _)| name.as_str());
        let lost = service.lost_settings.iter().map(String::as_str);
        let mut names = Names::default().with_members("params", &param_names);
        names = match service.has_unknown_settings {
            true => names.with("settings"),
            false => names.with_members("settings", settings.chain(lost)),
        };
        for name in &param_names {
            names = names.with(name);
        }
        if params.are_unknown() {
            names = Names::anything();
        }
        if check.proves() {
            names = names.of_types(params.types(true));
        }
        let mut request = RequestTemplate::compile(&spec.request, "/request", &names, check);
        let response_names = match params.are_unknown() {
            true => Names::anything(),
            false => response_names(&param_names),
        };
        let response_names = match check.proves() {
            true => response_names
                .of_types(params.types(false))
                .of_type("status", Can::be_integer()),
            false => response_names,
        };
        let rules =
            ResponseRules::compile(spec.response.as_ref(), "/response", &response_names, check);
        let mut wait = spec.wait.as_ref().map(|wait| {
            let has_paging = spec.paging.is_some();
            report_misfits(&param_names, rules.kind, has_paging, "/wait", check);
            Wait::compile(wait, "/wait", &names, &response_names, check)
        });
        // The request that gives the last response asks for that kind of response.
        match &mut wait {
            Some(wait) => wait.accept(rules.kind),
            None => request.accept = rules.kind.accept(),
        }
        // Error answers have another shape, so that their rules know no types of the body.
        let success_names = match check.proves() {
            true => with_body_types(response_names.clone(), spec.response.as_ref()),
            false => response_names.clone(),
        };
        let mut output_names = rules.kind.names(&success_names);
        if wait.is_some() {
            output_names = output_names.with("created");
        }
        let projection =
            Projection::compile(spec.response.as_ref(), "/response", &output_names, check);
        let paging = spec.paging.as_ref().and_then(|paging| {
            if !rules.kind.has_items() {
                let message = format!("a response of kind {} has no pages", rules.kind.name());
                check.error_at_key(Code::BadPaging, "/paging", message, None);
            }
            Paging::compile(paging, "/paging", &param_names, &success_names, check)
        });
        let is_guess = ["/response/output", "/response/rows", "/paging/items"];
        if let Some(paging) = &paging
            && !is_guess.iter().any(|place| check.is_broken(place))
        {
            for rows in projection.rows_paths() {
                report_other_rows(paging, rows, "/paging", check);
            }
            if projection.counts_rows() {
                check.error_with_help(
                    Code::BadProjection,
                    "/response/output",
                    "the `index` of a `zip` would begin at 0 on every page",
                    "leave `index` out of a tool with pages",
                );
            }
        }
        report_vain_retries(&rules, &request, wait.is_some(), &service, check);
        report_reserved_names(&param_names, check);
        let tool = Tool {
            name: spec.tool.to_string(),
            title: spec.title,
            description: spec.description,
            docs: spec.docs,
            access: spec.access,
            service,
            request,
            paging,
            wait,
            rules,
            projection,
            sync: spec.sync,
            examples: spec.examples,
            path: spec.request.path,
            output_schema: spec.response.and_then(|response| response.schema),
            source: check.source().clone(),
            params,
        };
        report_optional_in_text(&tool, check);
        tool
    }

    /// The name of the service.
    pub fn service(&self) -> &str {
        &self.service.name
    }

    /// The JSON Schema of the arguments.
    pub fn arguments_schema(&self) -> &Value {
        self.params.schema()
    }

    /// Whether the tool gives a list in pages.
    pub fn has_pages(&self) -> bool {
        self.paging.is_some()
    }

    /// The arguments of the examples in the descriptor.
    pub fn example_arguments(&self) -> impl Iterator<Item = &serde_json::Map<String, Value>> {
        self.examples.iter().map(|example| &example.args)
    }

    /// Whether the tool comes from a folder that is trusted: it may read secrets and files, and send requests.
    pub fn is_trusted(&self) -> bool {
        self.service.origin.is_trusted()
    }

    /// Calls `visit` with every expression of the tool's requests, and whether it stands inside a longer text.
    pub(crate) fn visit_requests(&self, visit: &mut dyn FnMut(&Expression, bool)) {
        self.request.visit(visit);
        if let Some(wait) = &self.wait {
            wait.visit(visit);
        }
    }

    /// The value of `$` when an error rule says that there is no content. For a list, it is a page without items.
    pub(crate) fn empty_body(&self, kind: ResponseKind) -> Json {
        let page = self.paging.as_ref().and_then(Paging::empty_body);
        page.unwrap_or_else(|| kind.empty())
    }

    /// Whether bodies have a map that is read as the list of its entries.
    pub(crate) fn reads_entries(&self) -> bool {
        self.paging.as_ref().is_some_and(Paging::has_entries)
    }

    /// A body as `$`: where the items are the entries of a map, it has the list of them.
    pub(crate) fn with_entries(&self, body: Json) -> Json {
        match &self.paging {
            Some(paging) => paging.with_entries(body),
            None => body,
        }
    }

    /// Whether the value of a param is the path of a local file that is sent.
    pub(crate) fn takes_path(&self, param: &str) -> bool {
        let body = self.request.body.as_ref();
        body.is_some_and(|body| body.takes_path(param))
    }

    /// Whether the request is a GraphQL operation.
    pub(crate) fn is_graphql(&self) -> bool {
        let body = self.request.body.as_ref();
        body.is_some_and(|body| body.is_graphql())
    }

    /// The name with its service's, such as `anthropic-admin/list-workspaces`.
    pub fn qualified_name(&self) -> String {
        format!("{}/{}", self.service.name, self.name)
    }

    /// Checks the arguments and fills in defaults.
    ///
    /// # Errors
    /// Every violation of the params schema.
    pub(crate) fn accept(&self, arguments: Value) -> Result<Value, Vec<ArgumentProblem>> {
        self.params.accept(arguments)
    }

    /// Renders the plan for arguments that passed the check.
    ///
    /// # Errors
    /// When a value is not allowed in the place where the template puts it.
    pub(crate) fn render(&self, arguments: &Value, settings: &Value) -> Result<Plan, RenderError> {
        let base = self.service.base.at(settings, None)?;
        let mut plan = self.render_at(&base, arguments, settings)?;
        plan.target = self.service.base.show(plan.target);
        Ok(plan)
    }

    /// Like [`Tool::render`], below this base URL instead of the service's own.
    ///
    /// # Errors
    /// As [`Tool::render`].
    pub(crate) fn render_at(
        &self,
        base: &url::Url,
        arguments: &Value,
        settings: &Value,
    ) -> Result<Plan, RenderError> {
        self.render_request(&self.request, base, arguments, settings)
    }

    /// The plan of the request that asks for a job's state, made from the first response. A relative URL starts at
    /// `current`.
    ///
    /// # Errors
    /// When the first response does not lead to a request to the service.
    pub(crate) fn poll_plan(
        &self,
        wait: &Wait,
        first: &ResponseView<'_>,
        base: &url::Url,
        current: &str,
        settings: &Value,
    ) -> Result<Plan, WaitError> {
        let params = with_created(first.params, first.body)?;
        let plan = self.render_request(wait.poll(), base, &params, settings)?;
        let Some(text) = wait.told_url(first)? else {
            return Ok(plan);
        };
        let url = follow_url(&text, base, current).map_err(WaitError::Leaves)?;
        Ok(self.service.auth.aim(plan, url))
    }

    /// The plan of the request that cancels a job, if there is one.
    pub(crate) fn cancel_plan(
        &self,
        wait: &Wait,
        first: &ResponseView<'_>,
        base: &url::Url,
        settings: &Value,
    ) -> Option<Result<Plan, WaitError>> {
        let request = wait.cancel()?;
        let plan = with_created(first.params, first.body).and_then(|params| {
            let plan = self.render_request(request, base, &params, settings);
            plan.map_err(WaitError::from)
        });
        Some(plan)
    }

    /// Renders a second request of the tool, such as one for a job, with the same arguments.
    ///
    /// # Errors
    /// As [`Tool::render`].
    pub(crate) fn render_request(
        &self,
        request: &RequestTemplate,
        base: &url::Url,
        arguments: &Value,
        settings: &Value,
    ) -> Result<Plan, RenderError> {
        let scope = CallScope {
            params: arguments,
            settings,
        };
        let common = (&self.service.query, &self.service.headers);
        let _bound = Bound::of_many();
        let mut plan = request.render(base, common, &scope)?;
        self.service.auth.add_placeholders(&mut plan);
        Ok(plan)
    }
}

fn find_service(spec: &ToolSpec, folder: &ServiceSource, check: &Check) -> Option<Arc<Service>> {
    if check.is_broken("/service")
        && !check
            .source()
            .value()
            .get("service")
            .is_some_and(Value::is_object)
    {
        return None;
    }
    let name = match &spec.service {
        ServiceRef::Inline(inline) => {
            if inline.spec.is_some() {
                check.error_at_key(
                    Code::UnknownKey,
                    "/service/spec",
                    "an inline service has no `spec` of its own",
                    Some("remove it; the file's own `spec` counts".to_owned()),
                );
            }
            return Service::compile(inline, "/service", check).map(Arc::new);
        }
        ServiceRef::Name(name) => name.as_str(),
    };
    match folder {
        ServiceSource::Beside(service) if service.name == name => Some(Arc::clone(service)),
        ServiceSource::Beside(service) => {
            report_other_service(&service.name, name, check);
            None
        }
        ServiceSource::Broken(beside) => {
            if let Some(beside) = beside.as_ref().filter(|beside| *beside != name) {
                report_other_service(beside, name, check);
            }
            None
        }
        ServiceSource::Absent => {
            check.error_with_help(
                Code::MissingService,
                "/service",
                format!("there is no service.yaml of `{name}` beside this file"),
                "put the file beside its service.yaml, or write the service inline",
            );
            None
        }
    }
}

fn report_other_service(beside: &str, name: &str, check: &Check) {
    check.error_with_help(
        Code::MissingService,
        "/service",
        format!("the service.yaml beside this file describes `{beside}`, not `{name}`"),
        format!("write `service: {beside}`, or move the file"),
    );
}

fn report_vain_retries(
    rules: &ResponseRules,
    request: &RequestTemplate,
    polls: bool,
    service: &Service,
    check: &Check,
) {
    let report = |is_vain: &dyn Fn(&Rule) -> bool, reason: &str| {
        let at = "/response/errors";
        rules.rules.report_vain_retries(is_vain, reason, at, check);
    };
    let is_guess = [
        "/service/retry",
        "/request/method",
        "/request/idempotent",
        "/request/idempotency_key",
    ];
    if is_guess.iter().any(|place| check.is_broken(place)) {
        // Whether the request may be sent again is not known.
    } else if service.sending.retry.max_attempts <= 1 {
        report(&|_| true, SENT_ONCE);
    } else if !request.idempotent && !polls {
        let reason = "the request is not safe to repeat; write `safe: true` if this answer means that nothing was done";
        report(&|rule| !rule.safe, reason);
    }
}

fn report_reserved_names(params: &[&str], check: &Check) {
    for name in params
        .iter()
        .filter(|name| ["params", "settings"].contains(name))
    {
        check.error_at_key(
            Code::BadName,
            &format!("/params/properties/{name}"),
            format!("a param cannot be called `{name}`: expressions use that name for all of them"),
            None,
        );
    }
}

/// A param that may be absent would leave a gap in a text. So a param in a text must always have a value.
fn report_optional_in_text(tool: &Tool, check: &Check) {
    // A misspelt name in `required` is reported separately.
    let params = &tool.params;
    let required = params.schema().get("required").and_then(Value::as_array);
    if required.is_some_and(|names| {
        !names
            .iter()
            .all(|name| name.as_str().is_some_and(|name| params.get(name).is_some()))
    }) {
        return;
    }
    tool.visit_requests(&mut |expression, in_text| {
        if !in_text {
            return;
        }
        let name = match (expression.names(), expression.text().split_once('.')) {
            ([root], Some(("params", name))) if root == "params" => name,
            ([name], None) if expression.text() == name => name,
            _ => return,
        };
        let is_guess = || {
            let lost = |key: &str| check.is_broken(&join(&join("/params/properties", name), key));
            check.is_broken("/params/required") || lost("default") || lost("required")
        };
        if let Some(param) = tool.params.get(name)
            && !param.required
            && param.default().is_none()
            && !is_guess()
        {
            check.error_at_key(
                Code::OptionalInText,
                &join("/params/properties", name),
                format!("the param `{name}` may be absent, but the request needs it inside a text"),
                Some(format!("add `{name}` to `required`, or give it a default")),
            );
        }
    });
}
