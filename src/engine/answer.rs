//! What a response means: a value, nothing, an error, or a reason to send the request again.

use std::cell::OnceCell;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::engine::error::{Error, Upstream, masked_value, status_meaning};
use crate::json::{Json, Kind, Part};
use crate::project::{Action, ResponseKind, ResponseView, Rule};
use crate::said::{self, MOST_OF_CODE, MOST_OF_MESSAGE, clipped};
use crate::send::{Again, Destination, Notation, Response, Shown, file_name};
use crate::tool::Tool;

/// Most bytes of a body that are read to show its start in an error: enough to mask a secret before the text is cut.
const MASKED_START: usize = 16 << 10;

/// The status that says that the service does not accept the credential.
const UNAUTHENTICATED: u16 = 401;

/// How to read the response of one request.
#[derive(Clone, Copy)]
pub(crate) struct Judge<'c> {
    /// The tool that is called.
    pub tool: &'c Tool,
    /// The arguments of the call.
    pub params: &'c Value,
    /// The kind of the body.
    pub kind: ResponseKind,
    /// The file that the body goes to, if it goes to one.
    pub destination: Option<&'c Destination>,
}

/// What a response means.
pub(crate) enum Verdict {
    /// A success, with its body if it was read already.
    Success(Option<Json>),
    /// A success without a body.
    Empty,
    /// An error that a new access token may solve.
    Stale(Error),
    /// An error.
    Failed(Error),
}

impl Verdict {
    /// Notes in an error which optional secrets were not set, so that the request went without their credentials.
    pub(crate) fn without(self, unset_secrets: Vec<String>) -> Verdict {
        let noted = |error: Error| match error {
            Error::Upstream(mut upstream) => {
                upstream.unset_secrets = unset_secrets;
                Error::Upstream(upstream)
            }
            other => other,
        };
        match self {
            Verdict::Stale(error) => Verdict::Stale(noted(error)),
            Verdict::Failed(error) => Verdict::Failed(noted(error)),
            success => success,
        }
    }
}

impl Judge<'_> {
    /// Decides what a response means, and whether to send the request again.
    pub(crate) fn judge(&self, response: &Response) -> (Again, Verdict) {
        let loose = OnceCell::new();
        let read = || loose.get_or_init(|| self.read_loosely(response));
        let rule = find_rule(self.tool, response.status, || self.view(response, read()));
        match rule {
            Some(rule) => self.apply(rule, response, read()),
            None if !response.is_success() => {
                let error = self.upstream(None, response, read());
                let verdict = match response.status {
                    UNAUTHENTICATED => Verdict::Stale(error),
                    _ => Verdict::Failed(error),
                };
                (Again::ByPolicy, verdict)
            }
            None => {
                let verdict = self.check_success(response);
                (Again::ByPolicy, verdict.unwrap_or_else(Verdict::Failed))
            }
        }
    }

    fn apply(&self, rule: &Rule, response: &Response, body: &Json) -> (Again, Verdict) {
        let error = || self.upstream(Some(rule), response, body);
        match rule.action {
            Action::Fail => (Again::Never, Verdict::Failed(error())),
            Action::Empty => (Again::Never, Verdict::Empty),
            Action::Refresh => (Again::Never, Verdict::Stale(error())),
            Action::Retry => {
                let after = rule.after(&self.view(response, body));
                let after = after.and_then(|text| response.wait_of(&text));
                let again = Again::Yes {
                    after,
                    any_request: rule.safe,
                };
                (again, Verdict::Failed(error_after(error(), after)))
            }
        }
    }

    /// Whether the body of a response with a status of success says that it is an error.
    fn check_success(&self, response: &Response) -> Result<Verdict, Error> {
        let fails = &self.tool.rules.fail_when;
        let is_graphql = self.tool.is_graphql();
        if fails.is_none() && !is_graphql {
            return Ok(Verdict::Success(None));
        }
        let body = body_of(self.tool, self.kind, self.destination, response)?;
        if is_graphql {
            self.refuse_graphql_errors(response, &body)?;
        }
        let holds = match fails {
            Some(fails) => fails
                .holds(&self.view(response, &body))
                .map_err(|error| error.under("response.fail_when"))?,
            None => false,
        };
        match holds {
            true => Err(self.upstream(None, response, &body)),
            false => Ok(Verdict::Success(Some(body))),
        }
    }

    /// Whether a GraphQL response has errors: its status is a success even then (GraphQL, section 7.1.2).
    fn refuse_graphql_errors(&self, response: &Response, body: &Json) -> Result<(), Error> {
        let errors = body.part().member("errors");
        let Some(first) = errors.and_then(|errors| errors.element(0)) else {
            return Ok(());
        };
        let text = |members: &[&str]| {
            let text = text(first, members)?;
            Some(response.redactor().message(&text))
        };
        let mut error = self.upstream(None, response, body);
        if let Error::Upstream(upstream) = &mut error {
            upstream.message = text(&["message"]).or(upstream.message.take());
            upstream.code = text(&["extensions", "code"]).or(upstream.code.take());
        }
        Err(error)
    }

    /// The body as error rules see it. It may be of any kind, whatever the descriptor says.
    fn read_loosely(&self, response: &Response) -> Json {
        let own = match response.is_success() {
            true => body_of(self.tool, self.kind, self.destination, response).ok(),
            false => None,
        };
        own.unwrap_or_else(|| self.read_as_error(response))
    }

    fn read_as_error(&self, response: &Response) -> Json {
        let (json, text) = match &response.download {
            Some(download) => {
                let glance: Bytes = download.glance().into();
                let redactor = response.redactor();
                (redactor.json(glance.clone()), Some(redactor.bytes(glance)))
            }
            None => (response.data(Notation::Json), None),
        };
        let text = || text.unwrap_or_else(|| response.data(Notation::Text));
        let reading = &self.tool.rules.reading;
        let converted = |problem: String| match self.tool.rules.kind {
            kind if kind.is_converted() => {
                let read = kind.read(&response.body, reading);
                read.map(|json| masked_json(json, response))
            }
            _ => Err(problem),
        };
        ResponseKind::Json
            .read(&json, reading)
            .or_else(converted)
            .or_else(|_| ResponseKind::Text.read(&text(), reading))
            .unwrap_or_else(|_| Json::null())
    }

    fn view<'v>(&'v self, response: &'v Response, body: &'v Json) -> ResponseView<'v> {
        ResponseView::new(body, response.status, &response.headers, self.params)
    }

    fn upstream(&self, rule: Option<&Rule>, response: &Response, body: &Json) -> Error {
        let downloaded = response
            .download
            .as_ref()
            .map(|_| self.read_as_error(response));
        let body = downloaded.as_ref().unwrap_or(body);
        upstream_error(self.tool, rule, response, &self.view(response, body))
    }
}

/// The first error rule that applies to a response. `view` is only called if a rule has a condition.
pub(crate) fn find_rule<'t, 'v>(
    tool: &'t Tool,
    status: u16,
    view: impl Fn() -> ResponseView<'v>,
) -> Option<&'t Rule> {
    let rules = tool
        .rules
        .rules
        .iter()
        .chain(tool.service.errors.rules.iter());
    rules
        .filter(|rule| rule.covers(status))
        .find(|rule| !rule.has_condition() || rule.holds(&view()))
}

/// Makes an error from a response. The message comes from the rule, else from where the descriptor says, else from the
/// usual places. It is masked and shortened.
pub(crate) fn upstream_error(
    tool: &Tool,
    rule: Option<&Rule>,
    response: &Response,
    view: &ResponseView<'_>,
) -> Error {
    let fields = &tool.service.errors;
    let message = rule
        .and_then(|rule| rule.message(view))
        .or_else(|| fields.message(view));
    let code = rule
        .and_then(|rule| rule.code(view))
        .or_else(|| fields.code(view));
    // In a success, words in the usual places may not be about the error.
    let is_misleading = response.is_success() && response.download.is_none();
    let (message, code) = match is_misleading {
        true => {
            let body = || Some(format!("its body is {}", view.body.excerpt()));
            (message.or_else(body), code)
        }
        false => {
            let said = said::in_body(&glance(view.body.part()), response.status);
            let message = message.or(said.message).or_else(|| no_words(response));
            (message, code.or(said.code))
        }
    };
    let short = |text: String, most: usize| clipped(&response.redactor().message(&text), most);
    let (body, body_cut) = shown_body(response);
    Error::Upstream(Box::new(Upstream {
        status: response.status,
        meaning: status_meaning(response.status),
        code: code.map(|code| short(code, MOST_OF_CODE)),
        message: message.map(|message| short(message, MOST_OF_MESSAGE)),
        request_id: fields.request_id(view).map(|id| short(id, MOST_OF_CODE)),
        attempts: response.attempts,
        unset_secrets: Vec::new(),
        retry_after: response.retry_after,
        may_be_done: response.may_be_done,
        body,
        body_cut,
        body_incomplete: response.incomplete.clone(),
    }))
}

/// A part of an error's body with more bytes than this is not read whole.
const MOST_OF_WORDS: usize = 64 << 10;
/// Most members or elements of such a part that are read.
const MOST_OF_PARTS: usize = 100;

/// The parts of an error's body that may hold the message. A number that would lose digits becomes a string.
fn glance(part: Part<'_>) -> Value {
    let most = match part.text().len() <= MOST_OF_WORDS {
        true => usize::MAX,
        false => MOST_OF_PARTS,
    };
    match part.kind() {
        Kind::Object => part
            .members()
            .take(most)
            .map(|(key, member)| (key.name().into_owned(), glance(member)))
            .collect(),
        Kind::Array => part.elements().take(most).map(glance).collect(),
        Kind::Number if !part.is_exact() => part.as_text().into(),
        _ => serde_json::from_slice(part.text()).unwrap_or_default(),
    }
}

/// Describes a body that is not text.
fn no_words(response: &Response) -> Option<String> {
    let bytes = response.body.len();
    let media_type = response.header("content-type").unwrap_or("no content type");
    let is_text = std::str::from_utf8(&response.body).is_ok();
    (!is_text).then(|| format!("its body is {bytes} bytes of {media_type}"))
}

/// Most bytes of a body that an error carries.
const MOST_OF_BODY: usize = 16 << 10;

/// The body of an error response for the error value, and the number of bytes left out.
fn shown_body(response: &Response) -> (Option<Value>, u64) {
    if response.body.len() <= MOST_OF_BODY
        && let Ok(body) = Json::read(response.body.clone())
    {
        let mask = |text: &str| response.redactor().message(text);
        return (Some(masked_value(glance(body.part()), &mask)), 0);
    }
    match response.seen_body().shown(MOST_OF_BODY) {
        Shown::Text { text, cut } => (Some(text.into()), cut as u64),
        Shown::Nothing => (None, 0),
        Shown::Binary { bytes } | Shown::Withheld { bytes } => (None, bytes as u64),
    }
}

/// The body of a success as `$`.
///
/// # Errors
/// When the body is not of its kind.
pub(crate) fn body_of(
    tool: &Tool,
    kind: ResponseKind,
    destination: Option<&Destination>,
    response: &Response,
) -> Result<Json, Error> {
    if let (Some(download), Some(destination)) = (&response.download, destination) {
        return Ok(Json::of(&json!({
            "file": destination.path().to_string_lossy(),
            "bytes": download.bytes(),
            "content_type": response.header("content-type"),
            "filename": response.header("content-disposition").and_then(file_name),
        })));
    }
    let read = kind.read(&data(kind, response), &tool.rules.reading);
    let read = read.map(|json| tool.with_entries(json));
    let read = match kind.is_converted() || tool.reads_entries() {
        true => read.map(|json| masked_json(json, response)),
        false => read,
    };
    read.map_err(|problem| {
        let problem = response.redactor().message(&problem);
        let body = &response.body;
        let media_type = response.header("content-type").unwrap_or("no content type");
        let start = String::from_utf8_lossy(&body[..body.len().min(MASKED_START)]);
        let start: String = response
            .redactor()
            .message(&start)
            .chars()
            .take(60)
            .collect();
        Error::Response(format!(
            "the body is {problem}; it is {} bytes of {media_type} and starts with {start:?}",
            body.len()
        ))
    })
}

/// A value that was made from another notation, with secrets that the service repeats masked.
fn masked_json(json: Json, response: &Response) -> Json {
    Json::made(response.redactor().json(json.bytes().clone()).into())
}

/// The scalar at this path of members, as text.
fn text(part: Part<'_>, members: &[&str]) -> Option<String> {
    let found = members
        .iter()
        .try_fold(part, |part, name| part.member(name))?;
    match found.kind() {
        Kind::String => found.string().map(|text| text.into_owned()),
        Kind::Number | Kind::Bool => Some(found.as_text().into_owned()),
        Kind::Null | Kind::Array | Kind::Object => None,
    }
}

/// The body as data. This is the only place where a secret that the service repeats is masked in it.
pub(crate) fn data(kind: ResponseKind, response: &Response) -> Bytes {
    match kind {
        ResponseKind::Json | ResponseKind::Ndjson => response.data(Notation::Json),
        ResponseKind::Text => response.data(Notation::Text),
        // The value is masked once it is made.
        ResponseKind::Sse | ResponseKind::Xml => response.body.clone(),
        ResponseKind::Bytes | ResponseKind::Empty => Bytes::new(),
    }
}

/// The error with the waiting time that its rule found.
fn error_after(error: Error, after: Option<std::time::Duration>) -> Error {
    match error {
        Error::Upstream(mut upstream) => {
            upstream.retry_after = after.or(upstream.retry_after);
            Error::Upstream(upstream)
        }
        other => other,
    }
}
