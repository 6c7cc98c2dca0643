//! The descriptor format: the typed form of `service.yaml` and of a tool's file, and their JSON Schemas. A part that
//! belongs to one stage of a call is defined in that stage's module.

mod editor;
mod excess;
mod habits;
mod mend;
#[cfg(feature = "cli")]
mod order;
mod schema;
mod shape;
mod sync;

use std::fmt;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

#[cfg(test)]
pub(crate) use editor::unused_in;
#[cfg(feature = "cli")]
pub(crate) use order::KeyOrder;
pub(crate) use schema::{FileSchema, SERVICE, TOOL, generate};
pub(crate) use shape::decode;
pub(crate) use sync::SyncSpec;

pub(crate) use crate::base_url::SettingSpec;
pub(crate) use crate::send::{LimitsSpec, RateLimitSpec, RetrySpec, TimeoutSpec};

use crate::base_url::UrlSpec;
use crate::paging::PagingSpec;
use crate::plan::{QuerySpec, RequestSpec, Scalar};
use crate::project::{ErrorsSpec, ResponseSpec};
use crate::recording::RedactSpec;
use crate::sign::AuthList;
use crate::wait::WaitSpec;
use crate::words::Name;

/// The version of the descriptor format: 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SpecVersion;

impl<'de> Deserialize<'de> for SpecVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<SpecVersion, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Number(number) if number.as_f64() == Some(1.0) => Ok(SpecVersion),
            other => Err(de::Error::custom(format!(
                "{other} is no version of the descriptor format that is known here; the only one is 1"
            ))),
        }
    }
}

impl JsonSchema for SpecVersion {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SpecVersion".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "const": 1 })
    }
}

/// What all tools of a service share.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    title = "toolrun service",
    description = "A service of toolrun: what all its tools share."
)]
pub(crate) struct ServiceSpec {
    /// The version of the format.
    pub spec: Option<SpecVersion>,
    /// The service's name; also the name of its folder.
    pub service: Name,
    /// The name for people.
    pub title: Option<String>,
    /// What the service is.
    pub description: Option<String>,
    /// Where its documentation is.
    pub docs: Option<String>,
    /// Scheme, host, port and base path. It must be https, or http on loopback, without credentials, query or fragment.
    /// Expressions over `settings` fill labels of the host and segments of the path. `token` has the values that came
    /// with the access token.
    pub base_url: UrlSpec,
    /// Named values that a user may override by environment variable or `--set`; expressions reach them as
    /// `settings.NAME`.
    #[serde(default)]
    pub settings: IndexMap<String, SettingSpec>,
    /// Headers of every request.
    #[serde(default)]
    pub headers: IndexMap<String, Scalar>,
    /// Query parameters of every request.
    #[serde(default)]
    pub query: QuerySpec,
    /// How requests are authenticated. Without it, they carry no credential.
    pub auth: Option<AuthList>,
    /// How many requests may be sent in a period. Further requests wait.
    pub rate_limit: Option<RateLimitSpec>,
    /// When a failed request is sent again.
    #[serde(default)]
    pub retry: RetrySpec,
    /// How long a request may take.
    #[serde(default)]
    pub timeout: TimeoutSpec,
    /// How large a response may be.
    #[serde(default)]
    pub limits: LimitsSpec,
    /// Where error responses say what went wrong.
    pub errors: Option<ErrorsSpec>,
    /// Fields that recordings do not show: JSONPaths into the bodies of requests and responses and into the arguments. A
    /// pseudonym stands in the place of each, the same one for the same value, or it is removed.
    #[serde(default)]
    pub redact: Vec<RedactSpec>,
    /// Whether the service may stand at a private or link-local address.
    #[serde(default)]
    pub allow_private_network: bool,
    /// Warnings that are intended: from a code to the reason.
    #[serde(default)]
    #[expect(dead_code, reason = "it is read from the source, with its places")]
    pub allow: IndexMap<String, String>,
}

/// The service of a tool: the name of the one whose `service.yaml` stands beside the tool's file, or the service
/// itself.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum ServiceRef {
    /// The name of the folder's service.
    Name(Name),
    /// The service itself, for a file that stands alone.
    Inline(Box<ServiceSpec>),
}

/// What a tool may do to the service's data.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// Reads only; runs without consent.
    Read,
    /// Changes data in a way that can be undone.
    Write,
    /// Deletes, or changes in a way that cannot be undone.
    Destructive,
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Access::Read => "read",
            Access::Write => "write",
            Access::Destructive => "destructive",
        })
    }
}

/// One tool: one HTTP operation of a service.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    title = "toolrun tool",
    description = "A tool of toolrun: one HTTP operation of a service."
)]
pub(crate) struct ToolSpec {
    /// The version of the format.
    #[expect(dead_code, reason = "it is checked when the file is read")]
    pub spec: SpecVersion,
    /// The tool's name; also the name of its file.
    pub tool: Name,
    /// The tool's service.
    pub service: ServiceRef,
    /// The name for people.
    pub title: Option<String>,
    /// What the tool does, for people and models that choose among tools.
    #[schemars(length(min = 1))]
    pub description: String,
    /// Where the operation is documented.
    pub docs: Option<String>,
    /// What the tool may do to the service's data. `read` runs; the others need consent.
    pub access: Access,
    /// The tool's params: a JSON Schema (2020-12) of the arguments object. `type: object` and
    /// `additionalProperties: false` are implied.
    pub params: Option<Map<String, Value>>,
    /// The HTTP request.
    pub request: RequestSpec,
    /// How the pages of a list follow each other.
    pub paging: Option<PagingSpec>,
    /// How to wait for the job that the request creates, if it creates one.
    pub wait: Option<WaitSpec>,
    /// What the tool makes of the response. If it waits for a job, of the last response.
    pub response: Option<ResponseSpec>,
    /// How the rows are copied into a table.
    pub sync: Option<SyncSpec>,
    /// Calls with the request they send and the output they give. They are checked offline and shown in help.
    #[serde(default)]
    pub examples: Vec<ExampleSpec>,
    /// Warnings that are intended: from a code to the reason.
    #[serde(default)]
    #[expect(dead_code, reason = "it is read from the source, with its places")]
    pub allow: IndexMap<String, String>,
}

/// One call, with the request that it sends and the output that it gives.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExampleSpec {
    /// What the example shows.
    pub name: String,
    /// The arguments.
    #[serde(default)]
    pub args: Map<String, Value>,
    /// The request that the arguments give.
    pub request: Option<ExampleRequest>,
    /// If the tool waits for a job: the first response, which names the job.
    pub created: Option<ExampleResponse>,
    /// If the tool waits for a job: the whole URL that asks for the job's state. A secret in the query is `***`.
    pub poll: Option<String>,
    /// A response of the service. For a job, it is the last one.
    pub response: Option<ExampleResponse>,
    /// The pages of a list, in place of `request` and `response`: each leads to the next one.
    #[schemars(length(min = 1))]
    pub pages: Option<Vec<ExamplePage>>,
    /// The output that the response gives, or all pages together. `null` expects the output to be null.
    #[serde(default, deserialize_with = "given")]
    pub output: Option<Value>,
    /// What a caller is told of a response that is an error.
    pub error: Option<ExampleError>,
}

/// One page of a list.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExamplePage {
    /// The request that leads to the page. That of the first page is made of the arguments, that of every other page of
    /// the response before it.
    pub request: Option<ExampleRequest>,
    /// The response of the service.
    pub response: ExampleResponse,
    /// The output of this page alone.
    #[serde(default, deserialize_with = "given")]
    pub output: Option<Value>,
}

/// What a caller is told of an error. Only the keys that are given are compared.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
pub struct ExampleError {
    /// Whether the service refused the request or failed.
    pub kind: Option<ExampleErrorKind>,
    /// The service's own code.
    pub code: Option<String>,
    /// The service's own message.
    pub message: Option<String>,
    /// The HTTP status.
    #[schemars(range(min = 100, max = 599))]
    pub status: Option<u16>,
}

/// The kind of an error that a response is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExampleErrorKind {
    /// The service refused the request.
    Refused,
    /// The service failed: a status of 500 or more.
    Failed,
}

/// A value that is written, even if it is null.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// The request that an example expects.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExampleRequest {
    /// The method.
    pub method: crate::plan::Method,
    /// The whole URL, percent-encoded; a secret in the query is `***`.
    pub url: String,
    /// Headers that the request must have. It may have others too. A secret is `***`.
    #[serde(default)]
    pub headers: IndexMap<String, String>,
    /// The body.
    pub body: Option<Value>,
}

/// A canned response.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExampleResponse {
    /// The HTTP status.
    #[serde(default = "ok_status")]
    #[schemars(range(min = 100, max = 599))]
    pub status: u16,
    /// Response headers.
    #[serde(default)]
    pub headers: IndexMap<String, String>,
    /// The body, in the form that `$` has. In the first response of a job, it is JSON.
    #[serde(default)]
    pub body: Value,
}

fn ok_status() -> u16 {
    200
}
