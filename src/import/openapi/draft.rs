//! Turns an operation into the members of a tool's file.

use serde_json::{Map, Value, json};

use super::auth::{Auth, Schemes};
use super::body::Body;
use super::graph::Graph;
use super::operation::Operation;
use super::paging::{Pages, QueryParam, recognise};
use super::parameters::{self, Location, Parameter, Request, path_text};
use super::response::Success;
use super::schema::Schemas;
use super::server::{OperationBase, Server};
use super::service;
use super::spec::{Part, Spec};
use super::text;
use crate::import::report::{Losses, What};
use crate::plan::Method;
use crate::words::Name;

/// What all operations of a document share.
#[derive(Debug)]
pub(crate) struct Shared<'s> {
    /// The document.
    pub spec: &'s Spec,
    /// How its schemas refer to each other.
    pub graph: &'s Graph,
    /// The service's name.
    pub service: &'s Name,
    /// The server of the service.
    pub server: &'s Server,
    /// The security schemes of the document.
    pub schemes: &'s Schemes<'s>,
    /// The credentials of the service, which most operations take.
    pub auth: &'s Auth,
}

/// An operation as a tool.
#[derive(Debug)]
pub(crate) struct Draft<'s> {
    /// The members of the tool's file.
    pub members: Map<String, Value>,
    /// The parameters, each with its param's name.
    pub parameters: Vec<(Parameter<'s>, String)>,
    /// The body.
    pub body: Option<Body<'s>>,
    /// The names of the params that a call must give.
    pub required: Vec<String>,
}

impl<'s> Shared<'s> {
    /// Drafts the tool of an operation.
    ///
    /// # Errors
    /// Why the operation cannot become a tool.
    pub(crate) fn draft(
        &self,
        operation: &Operation<'s>,
        name: &str,
        losses: &Losses,
    ) -> Result<Draft<'s>, String> {
        let part = &operation.part;
        let base = self.server.base_of(operation, self.service, losses)?;
        let other = self.schemes.own_auth(self.auth, operation, losses);
        let auth = other.as_ref().unwrap_or(self.auth);
        let mut parameters = parameters::collect(self.spec, &operation.item, part, losses);
        // The caller must not set a header or query parameter that carries a credential.
        parameters.retain(|parameter| match parameter.location {
            Location::Header => !auth.owns_header(parameter.wire),
            Location::Query => !auth.owns_query(parameter.wire),
            Location::Cookie => !auth.owns_cookie(parameter.wire),
            Location::Path => true,
        });
        let mut body = Body::choose(self.spec, operation.method, part, losses)?;

        let roots: Vec<Part<'s>> = parameters
            .iter()
            .filter_map(|parameter| parameter.schema.clone())
            .chain(body.as_ref().and_then(Body::schema))
            .collect();
        let mut schemas = Schemas::new(self.spec, self.graph, losses, &roots);
        let mut request = Request::default();
        request.add_parameters(self.spec, operation.path, &parameters, &mut schemas, losses)?;
        if let Some(body) = &mut body {
            body.add_to(&mut request, self.spec, &mut schemas, losses)?;
        }
        if let OperationBase::Below(detour) = &base {
            request.path.insert_str(0, &path_text(detour));
        }
        let success = Success::of(self.spec, operation.method, part);
        let parameters: Vec<(Parameter<'s>, String)> = parameters
            .into_iter()
            .filter_map(|parameter| {
                let name = request.name_of(&parameter)?.to_owned();
                Some((parameter, name))
            })
            .collect();

        let mut members = self.description(operation, name, losses);
        let inline =
            |base_url: &Value, settings| service::inline(self.service, base_url, settings, auth);
        match (&base, &other) {
            (OperationBase::Own { base_url, settings }, _) => {
                members.insert("service".into(), inline(base_url, settings));
            }
            (OperationBase::Below(_), Some(_)) => {
                let service = inline(&self.server.base_url, &self.server.settings);
                members.insert("service".into(), service);
            }
            (OperationBase::Below(_), None) => {}
        }
        if let Some(params) = request.params(schemas.into_definitions()) {
            members.insert("params".into(), params);
        }
        members.insert(
            "request".into(),
            request_section(operation.method, &request, &success),
        );
        if let Some(paging) = self.paging(operation, &parameters, &success, losses) {
            members.insert("paging".into(), paging);
        }
        if let Some(response) = success.section(self.spec, losses) {
            members.insert("response".into(), response.into());
        }
        if let Some(callbacks) = part.get("callbacks") {
            losses.note(What::Callback, &callbacks.pointer, "callbacks are left out");
        }
        Ok(Draft {
            members,
            parameters,
            body,
            required: request.required,
        })
    }

    /// The members that name and describe the tool.
    fn description(
        &self,
        operation: &Operation<'s>,
        name: &str,
        losses: &Losses,
    ) -> Map<String, Value> {
        let part = &operation.part;
        let summary = part
            .text("summary")
            .map(|summary| text::one_line(summary, 120))
            .filter(|summary| !summary.is_empty());
        let words = part
            .text("description")
            .map(|words| text::plain(words, text::TOOL))
            .filter(|words| !words.is_empty());
        if words.is_none() && summary.is_none() {
            losses.note(
                What::Schema,
                &part.pointer,
                "the document does not describe the operation",
            );
        }
        let mut description = words
            .or_else(|| summary.clone())
            .unwrap_or_else(|| format!("{}.", operation.key()));
        if part.flag("deprecated") == Some(true) {
            description.insert_str(0, "Deprecated. ");
        }
        let mut members = Map::from_iter([
            ("spec".to_owned(), json!(1)),
            ("tool".to_owned(), json!(name)),
            ("service".to_owned(), json!(self.service.as_str())),
        ]);
        if let Some(title) = summary.filter(|summary| *summary != description) {
            members.insert("title".into(), title.into());
        }
        members.insert("description".into(), description.into());
        if let Some(docs) = part.get("externalDocs").and_then(|docs| docs.text("url")) {
            members.insert("docs".into(), docs.into());
        }
        members.insert("access".into(), access(operation.method).into());
        members
    }

    fn paging(
        &self,
        operation: &Operation<'s>,
        parameters: &[(Parameter<'s>, String)],
        success: &Success<'s>,
        losses: &Losses,
    ) -> Option<Value> {
        if operation.method != Method::Get {
            return None;
        }
        let query: Vec<QueryParam<'_>> = parameters
            .iter()
            .filter(|(parameter, _)| parameter.location == Location::Query)
            .map(|(parameter, name)| QueryParam {
                wire: parameter.wire,
                name: name.clone(),
                part: parameter.part.clone(),
                schema: parameter.schema.clone(),
            })
            .collect();
        match recognise(self.spec, operation.path, success, &query) {
            Pages::Known(paging) => Some(paging),
            Pages::None => None,
            Pages::Unclear(message) => {
                losses.note(What::Paging, &operation.part.pointer, message);
                None
            }
        }
    }
}

fn access(method: Method) -> &'static str {
    match method {
        Method::Get | Method::Head | Method::Options => "read",
        Method::Delete => "destructive",
        Method::Post | Method::Put | Method::Patch => "write",
    }
}

fn request_section(method: Method, request: &Request, success: &Success<'_>) -> Value {
    let mut section = Map::from_iter([
        ("method".to_owned(), json!(method)),
        ("path".to_owned(), json!(request.path)),
    ]);
    if !request.path_styles.is_empty() {
        section.insert("path_styles".into(), request.path_styles.clone().into());
    }
    let mut headers = request.headers.clone();
    if let Some(accept) = success.accept() {
        headers.insert("accept".into(), accept.into());
    }
    if !headers.is_empty() {
        section.insert("headers".into(), headers.into());
    }
    if let Some(query) = request.query() {
        section.insert("query".into(), query);
    }
    if let Some(body) = &request.body {
        section.insert("body".into(), body.clone());
    }
    section.into()
}
