//! A plain call over HTTP: one message that calls a tool and asks for nothing but the answer. For each request the SDK
//! makes a service, three tasks and their channels, and reads the message a second time, which takes longer than the rest of
//! the server. A plain call is answered without them, in the words of the SDK's model.
//!
//! Whatever is not plain in any way goes to the SDK: what it refuses, and how, is its own. For what is plain, both give the
//! same answer, byte for byte.

use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use rmcp::ErrorData;
use rmcp::model::{
    JsonRpcMessage, ProtocolVersion, RequestId, RequestMetaObject, ServerJsonRpcMessage,
    ServerResult,
};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::ask::Client;
use super::call::broken;
use super::guests::Guest;
use super::http;
use super::server::{Sender, Server, trace};
use super::set::ToolSet;
use super::twin;

const METHOD: &str = "tools/call";
const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";
const VERSION: &str = "mcp-protocol-version";

/// A message that calls a tool. What has other members is not plain.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Message<'a> {
    jsonrpc: &'a str,
    id: RequestId,
    method: &'a str,
    params: Params,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    name: String,
    #[serde(default)]
    arguments: Option<Map<String, Value>>,
    #[serde(default, rename = "_meta")]
    meta: RequestMetaObject,
}

/// A plain call.
pub(super) struct PlainCall {
    id: RequestId,
    params: Params,
    /// Whether the sender speaks the newest revision, which says with each request who asks.
    is_modern: bool,
}

impl PlainCall {
    /// The call that a request is. `None` if it is anything else, or anything more.
    pub(super) fn of(headers: &HeaderMap, body: &[u8], set: &ToolSet) -> Option<PlainCall> {
        if !has_plain_headers(headers) {
            return None;
        }
        let message: Message<'_> = serde_json::from_slice(body).ok()?;
        if message.jsonrpc != "2.0" || message.method != METHOD {
            return None;
        }
        let Message { id, params, .. } = message;
        // Progress is told in a stream.
        if params.meta.get_progress_token().is_some() {
            return None;
        }
        let version = one(headers, VERSION)?;
        let is_modern = match params.meta.get(PROTOCOL) {
            None => {
                if !is_legacy(version) {
                    return None;
                }
                false
            }
            Some(said) => {
                if !is_newest(&params, said, version?, headers, set) {
                    return None;
                }
                true
            }
        };
        Some(PlainCall {
            id,
            params,
            is_modern,
        })
    }

    /// Carries it out. When this future is dropped, the call is cancelled, and recorded as such.
    pub(super) async fn answer(
        self,
        shared: &Arc<Shared>,
        guest: Guest,
        headers: &HeaderMap,
    ) -> Response {
        let cancelled = CancellationToken::new();
        let gone = cancelled.clone().drop_guard();
        let meta = &self.params.meta;
        let capabilities = meta.client_capabilities().filter(|_| self.is_modern);
        let sender = Sender {
            guest,
            trace: trace(meta, Some(headers)),
            progress: None,
            client: Client::answered(capabilities.as_ref()),
            cancelled,
        };
        let server = Server {
            shared: Arc::clone(shared),
        };
        let Params {
            name, arguments, ..
        } = self.params;
        // A task of its own goes on to its end, so that a call that its client has left is recorded.
        let called = tokio::spawn(async move {
            server
                .call(&name, arguments.unwrap_or_default(), sender)
                .await
        });
        let called = called.await;
        gone.disarm();
        let message: ServerJsonRpcMessage = match called {
            Ok(Ok(response)) => {
                let mut result = ServerResult::from(response);
                if !self.is_modern {
                    result.strip_result_type_for_legacy_peer();
                    result.strip_non_object_output_for_legacy_peer();
                }
                JsonRpcMessage::response(result, self.id)
            }
            Ok(Err(error)) => JsonRpcMessage::error(error, Some(self.id)),
            Err(_) => {
                let error = ErrorData::internal_error(broken().message().to_owned(), None);
                JsonRpcMessage::error(error, Some(self.id))
            }
        };
        match twin::written(message) {
            Ok(body) => http::answer(StatusCode::OK, body),
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }
}

/// Where a request of the newest revision says which one it is.
const PROTOCOL: &str = "io.modelcontextprotocol/protocolVersion";

/// Whether the headers are as every client sends them with a call.
fn has_plain_headers(headers: &HeaderMap) -> bool {
    let is_json = matches!(one(headers, "content-type"), Some(Some(JSON)));
    let Some(Some(accepted)) = one(headers, "accept") else {
        return false;
    };
    let mut accepts = (false, false);
    for kind in accepted.split(',').map(str::trim) {
        match kind {
            JSON => accepts.0 = true,
            EVENTS => accepts.1 = true,
            // Kinds with parameters are weighed by the SDK.
            _ => return false,
        }
    }
    let resumes = headers.contains_key("mcp-session-id") || headers.contains_key("last-event-id");
    is_json && accepts == (true, true) && !resumes
}

/// The value of a header that stands there once, or not at all. `None` if it stands there more than once, or is no text.
fn one<'a>(headers: &'a HeaderMap, name: &str) -> Option<Option<&'a str>> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    match (first, values.next()) {
        (None, _) => Some(None),
        (Some(value), None) => Some(Some(value.to_str().ok()?)),
        _ => None,
    }
}

/// Whether a revision has the handshake. Without the header it is the first one that went over HTTP.
fn is_legacy(version: Option<&str>) -> bool {
    version.is_none_or(|version| {
        version < ProtocolVersion::NO_INITIALIZE.as_str()
            && ProtocolVersion::KNOWN_VERSIONS
                .iter()
                .any(|known| known.as_str() == version)
    })
}

/// Whether a request is of the newest revision, and its headers say the same as the message.
fn is_newest(
    params: &Params,
    said: &Value,
    version: &str,
    headers: &HeaderMap,
    set: &ToolSet,
) -> bool {
    let newest = ProtocolVersion::V_2026_07_28;
    let says = |name, value: &str| one(headers, name).flatten() == Some(value);
    said == version
        && version == newest.as_str()
        && params.meta.missing_required_keys(&newest).is_empty()
        && says("mcp-method", METHOD)
        && says("mcp-name", &params.name)
        // An encoded name may look like itself.
        && !params.name.starts_with("=?")
        && !headers
            .keys()
            .any(|name| name.as_str().starts_with("mcp-param-"))
        && !set.wants_headers(&params.name)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use pretty_assertions::assert_eq;
    use serde_json::json;

    use super::*;
    use crate::catalog::Catalog;
    use crate::serve::Gate;

    const PLAIN: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}}"#;

    fn set() -> ToolSet {
        let tool = Catalog::builtin().tool("list-workspaces").unwrap();
        ToolSet::new(vec![tool], 20, &Gate::default()).0
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let own = [
            ("content-type", JSON),
            ("accept", "application/json, text/event-stream"),
        ];
        for (name, value) in own {
            if !pairs.iter().any(|(one, _)| *one == name) {
                headers.append(name, HeaderValue::from_static(value));
            }
        }
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn only_a_call_that_asks_for_nothing_more_is_plain() {
        let set = set();
        let is_plain = |headers: &HeaderMap, body: &str| {
            PlainCall::of(headers, body.as_bytes(), &set).is_some()
        };
        for headers in [
            headers(&[]),
            headers(&[(VERSION, "2024-11-05")]),
            headers(&[(VERSION, "2025-06-18")]),
            headers(&[("accept", "text/event-stream,application/json")]),
            headers(&[("traceparent", "00-1-2-01")]),
        ] {
            assert!(is_plain(&headers, PLAIN), "{headers:?}");
        }
        for headers in [
            headers(&[(VERSION, "2025-06-18"), (VERSION, "2025-06-18")]),
            headers(&[(VERSION, "2026-07-28")]),
            headers(&[(VERSION, "2020-01-01")]),
            headers(&[(VERSION, "2099-01-01")]),
            headers(&[("accept", "application/json")]),
            headers(&[("accept", "application/json, text/event-stream;q=0")]),
            headers(&[("accept", "application/json"), ("accept", EVENTS)]),
            headers(&[("content-type", "application/json; charset=utf-8")]),
            headers(&[("mcp-session-id", "1")]),
            headers(&[("last-event-id", "1")]),
        ] {
            assert!(!is_plain(&headers, PLAIN), "{headers:?}");
        }
        for body in [
            r#"{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"a","arguments":{"b":[1]}}}"#,
            r#"{"params":{"_meta":{"traceparent":"x"},"name":"a","arguments":null},"method":"tools/call","id":-1,"jsonrpc":"2.0"}"#,
        ] {
            assert!(is_plain(&headers(&[]), body), "{body}");
        }
        for body in [
            "",
            "[]",
            r#"{"jsonrpc":"1.0","id":1,"method":"tools/call","params":{"name":"a"}}"#,
            r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"a"}}"#,
            r#"{"jsonrpc":"2.0","id":null,"method":"tools/call","params":{"name":"a"}}"#,
            r#"{"jsonrpc":"2.0","id":1.5,"method":"tools/call","params":{"name":"a"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"name":"a"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#,
            r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"tools/call","params":{"name":"a"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"},"x":1}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","requestState":"x"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":[]}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","_meta":{"progressToken":1}}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","_meta":{"io.modelcontextprotocol/protocolVersion":1}}}"#,
        ] {
            assert!(!is_plain(&headers(&[]), body), "{body}");
        }
    }

    #[test]
    fn the_newest_revision_is_plain_when_headers_and_message_agree() {
        let set = set();
        let body = |name: &str| {
            json!({ "jsonrpc": "2.0", "id": 1, "method": METHOD, "params": { "name": name, "_meta": {
                PROTOCOL: "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {} } } })
            .to_string()
        };
        let good = [
            (VERSION, "2026-07-28"),
            ("mcp-method", METHOD),
            ("mcp-name", "a"),
        ];
        let plain = PlainCall::of(&headers(&good), body("a").as_bytes(), &set).unwrap();
        assert_eq!((plain.is_modern, plain.params.name.as_str()), (true, "a"));
        for extra in [("mcp-param-limit", "1"), ("mcp-name", "b")] {
            let all = [good.as_slice(), &[extra]].concat();
            assert!(PlainCall::of(&headers(&all), body("a").as_bytes(), &set).is_none());
        }
        assert!(PlainCall::of(&headers(&good), body("b").as_bytes(), &set).is_none());
        assert!(PlainCall::of(&headers(&good[..1]), body("a").as_bytes(), &set).is_none());
    }
}
