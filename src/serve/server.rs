//! The server: what each request of the protocol gives.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use axum::http::HeaderMap;
use axum::http::request::Parts;
use rmcp::handler::server::ServerHandler;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock,
    CustomRequest, CustomResult, ErrorCode, Implementation, ListResourceTemplatesResult,
    ListResourcesResult, ListToolsResult, PaginatedRequestParams, ProgressToken, ProtocolVersion,
    ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult, RequestMetaObject,
    ResourceContents, ResourceTemplate, ServerCapabilities, ServerConfig, SubscriptionFilter, Tool,
};
use rmcp::service::{NotificationContext, Peer, RequestContext, SubscriptionContext};
use rmcp::{ErrorData, RoleServer};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::ask::Client;
use super::call::Job;
use super::gate::Caller;
use super::guests::Guest;
use super::meta::{self, Meta};
use super::metrics::Trace;
#[cfg(feature = "store")]
use super::query;
use super::resource::TEMPLATE;
use super::teach::Lesson;

/// How long a list of tools may be kept, in milliseconds.
const FRESH: u64 = 60_000;

/// The handler of one connection, or of all HTTP requests.
#[derive(Clone)]
pub(crate) struct Server {
    pub(super) shared: Arc<Shared>,
}

/// Who sends a request: over HTTP whoever was let in, and otherwise the local user.
fn guest(context: &RequestContext<RoleServer>) -> Guest {
    match context.extensions.get::<Parts>() {
        None => Guest::local(),
        // The door gives every request its guest. What has none is from nobody, and never from the local user.
        Some(parts) => {
            let guest = parts.extensions.get::<Guest>();
            guest.cloned().unwrap_or_else(Guest::nobody)
        }
    }
}

/// The name and the claims of who sends a request.
fn caller(context: &RequestContext<RoleServer>) -> Caller {
    guest(context).caller
}

/// Where a call of a tool comes from, and what its sender can be told before the answer.
pub(super) struct Sender {
    pub guest: Guest,
    pub trace: Trace,
    pub progress: Option<(ProgressToken, Peer<RoleServer>)>,
    pub cancelled: CancellationToken,
    pub client: Client,
}

/// What the caller says of its trace, in `_meta` or in the headers.
pub(super) fn trace(meta: &RequestMetaObject, headers: Option<&HeaderMap>) -> Trace {
    let said = |name: &str| {
        let in_meta = meta.get(name).and_then(Value::as_str);
        let in_headers = || headers?.get(name)?.to_str().ok();
        in_meta.or_else(in_headers).map(str::to_owned)
    };
    ["traceparent", "tracestate"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), said(name)?)))
        .collect()
}

/// The first revision whose results say how long they may be kept.
fn is_modern(context: &RequestContext<RoleServer>) -> bool {
    let version = context.protocol_version();
    version.is_some_and(|version| version.as_str() >= ProtocolVersion::V_2026_07_28.as_str())
}

/// There is one page of everything, so every cursor is wrong but the empty one.
fn refuse_cursor(request: Option<&PaginatedRequestParams>) -> Result<(), ErrorData> {
    let cursor = request.and_then(|request| request.cursor.as_deref());
    match cursor {
        None | Some("") => Ok(()),
        Some(_) => Err(ErrorData::invalid_params(
            "there is no page at this cursor",
            None,
        )),
    }
}

impl Server {
    /// Records a call that no tool of a service carries out, and gives the error if that fails.
    async fn note(
        &self,
        caller: &Caller,
        tool: Option<&str>,
        arguments: &Map<String, Value>,
        decision: &'static str,
    ) -> Result<(), ErrorData> {
        let recorded = self.shared.note(caller, tool, arguments, decision).await;
        recorded.map_err(|lesson| ErrorData::internal_error(lesson.message().to_owned(), None))
    }

    /// The answer of a tool of our own.
    async fn own(
        &self,
        caller: &Caller,
        name: &str,
        arguments: &Map<String, Value>,
        result: Result<Value, Lesson>,
    ) -> Result<CallToolResponse, ErrorData> {
        let decision = match &result {
            Ok(_) => "allow",
            Err(_) => "invalid",
        };
        let noted = self.shared.note(caller, Some(name), arguments, decision);
        Ok(answer(noted.await.and(result)))
    }

    /// A call of a tool: one of a service, or one of our own.
    ///
    /// # Errors
    /// When there is no such tool, or the call cannot be recorded.
    pub(super) async fn call(
        &self,
        name: &str,
        arguments: Map<String, Value>,
        sender: Sender,
    ) -> Result<CallToolResponse, ErrorData> {
        let set = self.shared.set();
        let caller = &sender.guest.caller;
        #[cfg(feature = "store")]
        if set.queries && name == query::NAME {
            let query = query::Query {
                shared: Arc::clone(&self.shared),
                caller: sender.guest.caller,
                turns: sender.guest.turns,
                trace: sender.trace,
                set,
                arguments,
                cancelled: sender.cancelled,
            };
            return match self.shared.tasks.track_future(query.run()).await {
                Some(result) => Ok(result.into()),
                None => Err(ErrorData::internal_error("the call was cancelled", None)),
            };
        }
        let meta = Meta::of(name).filter(|_| set.searches);
        let target = match meta {
            Some(Meta::Search) => {
                let found = meta::search(&set, &arguments);
                return self.own(caller, "search_tools", &arguments, found).await;
            }
            Some(Meta::Describe) => {
                let described = meta::describe(&set, &arguments);
                return self
                    .own(caller, "describe_tool", &arguments, described)
                    .await;
            }
            Some(calling @ (Meta::Call | Meta::CallList)) => {
                match meta::target(&set, calling, &arguments) {
                    Ok(target) => target,
                    Err(lesson) => {
                        return self.own(caller, name, &arguments, Err(lesson)).await;
                    }
                }
            }
            None => match set.get(name) {
                Some(served) => (Arc::clone(served), arguments),
                None => {
                    self.note(caller, None, &arguments, "unknown-tool").await?;
                    self.shared.metrics.count_unknown_tool();
                    let known = set.nearest(name);
                    let hint = known.map(|hint| format!("; {hint}")).unwrap_or_default();
                    let name: String = name.chars().take(80).collect();
                    let message = format!("there is no tool `{name}`{hint}");
                    return Err(ErrorData::invalid_params(message, None));
                }
            },
        };
        let (served, arguments) = target;
        let job = Job {
            shared: Arc::clone(&self.shared),
            caller: sender.guest.caller,
            turns: sender.guest.turns,
            trace: sender.trace,
            served,
            arguments,
            is_found: meta.is_some(),
            progress: sender.progress,
            cancelled: sender.cancelled,
            client: sender.client,
            id: OnceLock::new(),
            sight: Arc::default(),
        };
        match self.shared.tasks.track_future(job.run()).await {
            Some(response) => Ok(response),
            // Nobody gets this answer.
            None => Err(ErrorData::internal_error("the call was cancelled", None)),
        }
    }
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_tool_list_changed()
            .enable_resources()
            .build();
        let name = Implementation::new("toolrun", env!("CARGO_PKG_VERSION")).with_title("toolrun");
        ServerConfig::new(capabilities)
            .with_server_info(name)
            .with_instructions(self.shared.set().instructions.clone())
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        refuse_cursor(request.as_ref())?;
        let set = self.shared.set();
        let listed = ListToolsResult::with_all_items(set.listing().to_vec());
        Ok(match is_modern(&context) {
            true => listed
                .with_ttl_ms(FRESH)
                .with_cache_scope(CacheScope::Public),
            false => listed,
        })
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        let set = self.shared.set();
        set.listing().iter().find(|tool| tool.name == name).cloned()
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let parts = context.extensions.get::<Parts>();
        let token = context.meta.get_progress_token();
        let sender = Sender {
            guest: guest(&context),
            trace: trace(&context.meta, parts.map(|parts| &parts.headers)),
            progress: token.map(|token| (token, context.peer.clone())),
            client: Client::of(
                &context,
                is_modern(&context),
                request.request_state,
                request.input_responses,
            ),
            cancelled: context.ct,
        };
        let arguments = request.arguments.unwrap_or_default();
        self.call(&request.name, arguments, sender).await
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        refuse_cursor(request.as_ref())?;
        // A result is for whoever asked for it: only its link leads to it.
        Ok(ListResourcesResult::with_all_items(Vec::new()))
    }

    async fn list_resource_templates(
        &self,
        request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        refuse_cursor(request.as_ref())?;
        let template = ResourceTemplate::new(TEMPLATE, "result")
            .with_description("A result that was too large for one answer, from a row on.")
            .with_mime_type("application/json");
        Ok(ListResourceTemplatesResult::with_all_items(vec![template]))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let most = self.shared.limits.result_bytes;
        let uri = request.uri;
        let piece = self.shared.shelf.read(&caller(&context), &uri, most);
        let piece = piece.map_err(|reason| {
            let data = Some(serde_json::json!({ "uri": uri }));
            ErrorData::resource_not_found(reason.to_string(), data)
        })?;
        let media_type = match piece.is_json {
            true => "application/json",
            false => "text/plain",
        };
        let contents = ResourceContents::TextResourceContents {
            uri,
            mime_type: Some(media_type.to_owned()),
            text: piece.text,
            meta: None,
        };
        Ok(ReadResourceResult::new(vec![contents]).into())
    }

    fn accepted_subscription_filter(
        &self,
        _requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        Some(SubscriptionFilter::builder().tools_list_changed().build())
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let mut changes = self.shared.changes.subscribe();
        changes.borrow_and_update();
        loop {
            tokio::select! {
                () = context.cancelled() => return Ok(()),
                () = self.shared.stop.cancelled() => return Ok(()),
                changed = changes.changed() => {
                    let told = context.sink().notify_tool_list_changed().await;
                    if changed.is_err() || told.is_err() {
                        return Ok(());
                    }
                }
            }
        }
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        let mut changes = self.shared.changes.subscribe();
        changes.borrow_and_update();
        let stop = self.shared.stop.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    changed = changes.changed() => {
                        let told = context.peer.notify_tool_list_changed().await;
                        if changed.is_err() || told.is_err() {
                            return;
                        }
                    }
                }
            }
        });
    }

    /// A request of a known method with malformed params comes here too.
    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        const KNOWN: [&str; 7] = [
            "initialize",
            "tools/call",
            "tools/list",
            "resources/list",
            "resources/read",
            "resources/templates/list",
            "subscriptions/listen",
        ];
        let method = request.method;
        // The newest revision has no `initialize`.
        let is_gone = method == "initialize" && is_modern(&context);
        if method == "tools/call" {
            let caller = caller(&context);
            self.note(&caller, None, &Map::new(), "malformed").await?;
        }
        Err(match KNOWN.contains(&method.as_str()) && !is_gone {
            true => {
                let message = format!("the params of {method} are malformed: {}", needs(&method));
                ErrorData::invalid_params(message, None)
            }
            false => ErrorData::new(ErrorCode::METHOD_NOT_FOUND, method, None),
        })
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Borrowed(ProtocolVersion::KNOWN_VERSIONS)
    }
}

/// What the params of a method need.
fn needs(method: &str) -> &'static str {
    match method {
        "tools/call" => "`name` must be a text, and `arguments` an object",
        "resources/read" => "`uri` must be a text",
        "tools/list" | "resources/list" | "resources/templates/list" => "`cursor` must be a text",
        _ => "they are not as the protocol says",
    }
}

/// The result of a tool that we carry out ourselves.
fn answer(result: Result<Value, Lesson>) -> CallToolResponse {
    match result {
        Ok(value) => {
            let mut result = CallToolResult::success(vec![ContentBlock::text(value.to_string())]);
            result.structured_content = Some(value);
            result.into()
        }
        Err(lesson) => lesson.result().into(),
    }
}
