//! A recorded answer, held against what a tool says about responses.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use jsonschema::Validator;
use jsonschema::error::ValidationErrorKind;
use serde_json::{Map, Value};
use url::Url;

use super::matching::Role;
use super::notes::{Mend, Note, Of, Place, Where};
use super::paths::{Level, maker};
use super::reading::service_place;
use super::shape::Shape;
use super::shown::Hidden;
use crate::engine::answer::find_rule;
use crate::har::Response;
use crate::json::{Json, Kind};
use crate::paging::Next;
use crate::params::compile_output;
use crate::project::{Action, ResponseKind, ResponseView};
use crate::recording::{Removed, has_hidden};
use crate::source::{Code, join};
use crate::tool::Tool;
use crate::words::kind_of;

/// A tool, and what was seen of it.
pub(super) struct Watched {
    pub index: usize,
    pub tool: Arc<Tool>,
    pub level: Level,
    pub shape: Shape,
    validator: OnceLock<Option<Validator>>,
    pub requests: usize,
    pub answers: usize,
    pub errors: usize,
    /// All exchanges.
    pub exchanges: usize,
    /// What was removed from recordings of it.
    removed: Removed,
}

/// An answer of a recording.
pub(super) struct Recorded<'r> {
    pub response: &'r Response,
    /// The same with other values where it has hidden ones, if it has.
    pub lifted: Option<&'r Response>,
    /// What was removed from it.
    pub removed: &'r Removed,
    /// Where the request went.
    pub url: &'r Url,
}

/// What the projection makes of an answer in which hidden values are replaced.
enum Lifted {
    /// Nothing is hidden.
    Same,
    Output(Value),
    /// It fails, because of what stands there now.
    Unknown,
}

/// What a note of an answer is about.
type Told = Vec<Note>;

/// A recorded answer, as the rules of a tool see it.
struct Answer<'a> {
    tool: &'a Tool,
    status: u16,
    headers: Vec<(String, String)>,
    params: Value,
    hidden: &'a Hidden,
}

impl Watched {
    pub(super) fn new(index: usize, tool: Arc<Tool>) -> Watched {
        let mut level = Level::of_body(&tool.source);
        for example in &tool.examples {
            let pages = example.pages.iter().flatten().map(|page| &page.response);
            for response in example.response.iter().chain(pages) {
                if (200..300).contains(&response.status)
                    && let Ok(body) = tool.rules.canned(&response.body)
                {
                    let body = tool.with_entries(body);
                    level.observe(body.part(), None, &Hidden::default(), false);
                }
            }
        }
        Watched {
            index,
            level,
            shape: Shape::default(),
            validator: OnceLock::new(),
            requests: 0,
            answers: 0,
            errors: 0,
            exchanges: 0,
            removed: Removed::default(),
            tool,
        }
    }

    fn validator(&self) -> Option<&Validator> {
        let schema = self.tool.output_schema.as_ref()?;
        let validator = self.validator.get_or_init(|| compile_output(schema).ok());
        validator.as_ref()
    }

    /// Whether no recorded answer needs to have what an example has at this JSON Pointer.
    pub(super) fn may_lack(&self, pointer: &str) -> bool {
        let name = pointer.rsplit('/').next().unwrap_or_default();
        let name = name.replace("~1", "/").replace("~0", "~");
        self.removed.has(&name) || self.level.may_lack(pointer)
    }

    /// Whether an answer is the last page of a list.
    fn is_last(&self, view: &ResponseView<'_>, url: &Url) -> bool {
        let mut base = url.clone();
        base.set_path("");
        base.set_query(None);
        let paging = self.tool.paging.as_ref();
        let next = paging.map(|paging| paging.next(view, &base, url.as_str()));
        matches!(next, Some(Ok(Some(Next::End))))
    }

    /// The output of an answer with other values where it has hidden ones.
    fn lifted(&self, recorded: &Recorded<'_>, answer: &Answer<'_>) -> Lifted {
        let Some(response) = recorded.lifted else {
            return Lifted::Same;
        };
        let tool = answer.tool;
        let output = response.body.bytes().and_then(|bytes| {
            let bytes = Bytes::copy_from_slice(bytes);
            let body = tool.rules.kind.read(&bytes, &tool.rules.reading).ok()?;
            let body = tool.with_entries(body);
            let view = ResponseView::new(&body, answer.status, &answer.headers, &answer.params);
            tool.projection.run(&view).ok()?.value().ok()
        });
        output.map_or(Lifted::Unknown, Lifted::Output)
    }

    /// Holds an answer against the tool. Gives what is wrong. `arguments` are those of the request; what is hidden in them has
    /// a value that stands for it.
    pub(super) fn answer(
        &mut self,
        role: Role,
        recorded: &Recorded<'_>,
        arguments: &Map<String, Value>,
        hidden: &Hidden,
        at: Where,
    ) -> Told {
        let tool = Arc::clone(&self.tool);
        let response = recorded.response;
        self.removed.add(recorded.removed);
        let lower = |(name, value): &(String, String)| (name.to_ascii_lowercase(), value.clone());
        let answer = Answer {
            tool: &tool,
            status: response.status,
            headers: response.headers.iter().map(lower).collect(),
            params: Value::Object(arguments.clone()),
            hidden,
        };
        let bytes = response.body.bytes().map(Bytes::copy_from_slice);
        let loose = answer.loosely(bytes.as_ref());
        let view = || ResponseView::new(&loose, answer.status, &answer.headers, &answer.params);
        if let Some(rule) = find_rule(&tool, answer.status, view) {
            let is_error = rule.action != Action::Empty;
            self.errors += usize::from(is_error);
            return Vec::new();
        }
        if !(200..300).contains(&answer.status) {
            self.errors += 1;
            return answer.error(&view(), bytes.is_some());
        }
        self.answers += 1;
        let (Some(bytes), false) = (bytes, is_without_body(tool.rules.kind)) else {
            return Vec::new();
        };
        self.success(role, recorded, &answer, &bytes, at)
    }

    fn success(
        &mut self,
        role: Role,
        recorded: &Recorded<'_>,
        answer: &Answer<'_>,
        bytes: &Bytes,
        at: Where,
    ) -> Told {
        let tool = answer.tool;
        let source = &tool.source;
        let reads_body = !self.level.probes.is_empty();
        if bytes.iter().all(u8::is_ascii_whitespace) && tool.rules.kind == ResponseKind::Json {
            let place = Place::key(source, "/response/output");
            let message = format!(
                "answers with the status {} have no body, and the output reads it",
                answer.status
            );
            let note = Note::new(Code::UnknownStatus, place, message).of(Of::Answers);
            return if reads_body { vec![note] } else { Vec::new() };
        }
        let body = match tool.rules.kind.read(bytes, &tool.rules.reading) {
            Ok(body) => tool.with_entries(body),
            Err(_) => {
                let place = Place::key(source, "/response/kind");
                let message = format!("answers are not of the kind `{}`", tool.rules.kind.name());
                return vec![Note::new(Code::ChangedShape, place, message).of(Of::Answers)];
            }
        };
        let view = ResponseView::new(&body, answer.status, &answer.headers, &answer.params);
        if answer.says_error(&view) {
            self.answers -= 1;
            self.errors += 1;
            return Vec::new();
        }
        let is_job = match (&tool.wait, role) {
            (Some(_), Role::Call) => true,
            (Some(wait), Role::Poll) => !matches!(wait.is_done(&view), Ok(true)),
            (None, _) => false,
        };
        if is_job {
            return Vec::new();
        }
        self.shape.add(body.part());
        let mut notes = Vec::new();
        // What is read of a list that is none would only be noise.
        if self.lists(&view, &mut notes) == Lists::Other {
            return notes;
        }
        let is_last = self.is_last(&view, recorded.url);
        self.level
            .observe(body.part(), Some(at), answer.hidden, is_last);
        let lifted = self.lifted(recorded, answer);
        match tool.projection.run(&view) {
            Ok(output) => self.output(answer, &output, &lifted, &mut notes),
            Err(_) if self.level.is_odd_at(at) => {}
            Err(error) if !matches!(lifted, Lifted::Same) || !recorded.removed.is_empty() => {
                let place = Place::key(source, "/response/output");
                let message = format!(
                    "the projection fails at `{}` in answers of which fields are hidden, so that they are not checked",
                    error.part
                );
                notes.push(Note::new(Code::UnreadValue, place, message).of(Of::Answers));
            }
            Err(error) => {
                let pointer: String = error
                    .part
                    .split('.')
                    .map(|part| format!("/{part}"))
                    .collect();
                let place = Place::value(source, format!("/response{pointer}"));
                let message = format!("the projection fails at `{}`", error.part);
                notes.push(Note::new(Code::ChangedShape, place, message).of(Of::Answers));
            }
        }
        notes
    }

    /// The arrays that pages concatenate.
    fn lists(&self, view: &ResponseView<'_>, notes: &mut Told) -> Lists {
        let Some(paging) = &self.tool.paging else {
            return Lists::Sound;
        };
        let body = view.body.part();
        if paging.lists(body).is_ok() {
            return Lists::Sound;
        }
        let place = Place::value(&self.tool.source, "/paging/items");
        let path = paging.items_path();
        let mut steps = path.singular().unwrap_or_default().iter();
        let found = steps.try_fold(body, |part, step| step.select_in(part));
        let found = found
            .map(|part| part.kind())
            .filter(|kind| *kind != Kind::Null);
        let path = path.as_str();
        let (message, lists) = match found {
            _ if paging.list_count() > 1 => {
                let message = "answers have not all of these lists, or lists of different lengths";
                (message.to_owned(), Lists::Missing)
            }
            Some(kind) => (
                format!(
                    "answers have {} at `{path}`, where a list should be",
                    kind.name()
                ),
                Lists::Other,
            ),
            None => (format!("answers have no list at `{path}`"), Lists::Missing),
        };
        notes.push(Note::new(Code::ChangedShape, place, message).of(Of::Answers));
        lists
    }

    fn output(&self, answer: &Answer<'_>, output: &Json, lifted: &Lifted, notes: &mut Told) {
        let tool = answer.tool;
        if let Some(key) = tool.projection.rows_key()
            && tool.projection.rows(output.part()).is_none()
        {
            let found = output
                .part()
                .member(key)
                .map_or(Kind::Null, |part| part.kind());
            if found != Kind::Null {
                let place = Place::value(&tool.source, "/response/rows");
                let message = format!("`{key}` should be a list of rows, and is {}", found.name());
                notes.push(Note::new(Code::ChangedShape, place, message).of(Of::Answers));
            }
        }
        let Some(validator) = self.validator() else {
            return;
        };
        let Ok(output) = output.value() else { return };
        if validator.is_valid(&output) {
            return;
        }
        for error in validator.iter_errors(&output) {
            let note = answer.unlike_schema(&error);
            notes.push(match is_hidden(&error, &output, lifted, answer.hidden) {
                false => note,
                true => {
                    let shown = answer.place_in_output(&error.instance_path().to_string());
                    let message =
                        format!("{shown} is hidden in recordings, so that it is not checked");
                    Note::new(Code::UnreadValue, note.place, message).of(Of::Answers)
                }
            });
        }
    }
}

/// Whether an answer has the lists that pages concatenate.
#[derive(Debug, PartialEq, Eq)]
enum Lists {
    Sound,
    Missing,
    /// Something else is in their place.
    Other,
}

/// Whether an output breaks a schema with what is hidden in the recording.
fn is_hidden(
    error: &jsonschema::ValidationError<'_>,
    output: &Value,
    lifted: &Lifted,
    hidden: &Hidden,
) -> bool {
    let pointer = error.instance_path().to_string();
    let value = output.pointer(&pointer);
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            return hidden.is_removed(property.as_str().unwrap_or_default());
        }
        // What is hidden in a list or an object does not change it.
        ValidationErrorKind::Type { .. }
        | ValidationErrorKind::AdditionalProperties { .. }
        | ValidationErrorKind::MinItems { .. }
        | ValidationErrorKind::MaxItems { .. }
        | ValidationErrorKind::MinProperties { .. }
        | ValidationErrorKind::MaxProperties { .. }
            if matches!(value, Some(Value::Array(_) | Value::Object(_))) =>
        {
            return false;
        }
        _ => {}
    }
    // What the arguments have hidden stands in both.
    if value.is_some_and(has_hidden) {
        return true;
    }
    match lifted {
        Lifted::Same => false,
        Lifted::Output(other) => value != other.pointer(&pointer),
        Lifted::Unknown => true,
    }
}

/// Whether the body of a success is ignored or goes to a file.
fn is_without_body(kind: ResponseKind) -> bool {
    matches!(kind, ResponseKind::Empty | ResponseKind::Bytes)
}

impl Answer<'_> {
    /// The body as error rules see it.
    fn loosely(&self, bytes: Option<&Bytes>) -> Json {
        let Some(bytes) = bytes else {
            return Json::null();
        };
        let reading = &self.tool.rules.reading;
        let own = self.tool.rules.kind;
        ResponseKind::Json
            .read(bytes, reading)
            .or_else(|error| match own.is_converted() {
                true => own.read(bytes, reading),
                false => Err(error),
            })
            .or_else(|_| ResponseKind::Text.read(bytes, reading))
            .unwrap_or_else(|_| Json::null())
    }

    /// Whether the body of a success says that it is an error.
    fn says_error(&self, view: &ResponseView<'_>) -> bool {
        let errors = view.body.part().member("errors");
        let is_graphql =
            self.tool.is_graphql() && errors.is_some_and(|errors| errors.element(0).is_some());
        let fails = self.tool.rules.fail_when.as_ref();
        let fails = fails.is_some_and(|fails| fails.holds(view).unwrap_or(false));
        let wait = self.tool.wait.as_ref();
        is_graphql || fails || wait.is_some_and(|wait| wait.has_failed(view).unwrap_or(false))
    }

    /// What is not known about an error.
    fn error(&self, view: &ResponseView<'_>, has_body: bool) -> Told {
        let status = self.status;
        let (source, prefix) = service_place(self.tool);
        let mut notes = Vec::new();
        // What a service does not have stands at its name.
        let known = |pointer: &str| {
            let pointer = format!("{prefix}{pointer}");
            match source.value().pointer(&pointer) {
                Some(_) => pointer,
                None => format!("{prefix}/service"),
            }
        };
        let retries = &self.tool.service.sending.retry;
        let is_passing = status >= 500 || [408, 425, 429].contains(&status);
        let is_redirect = [301, 302, 303, 307, 308].contains(&status);
        if is_passing && !retries.statuses.contains(&status) {
            let place = Place::value(&source, known("/retry/statuses"));
            let message = format!(
                "the service answers with the status {status}, which no rule knows and `retry` does not try again"
            );
            notes.push(Note::new(Code::UnknownStatus, place, message).of(Of::Errors));
        } else if status < 400 && !is_redirect {
            let place = Place::key(&source, known("/errors"));
            let message =
                format!("the service answers with the status {status}, which no rule knows");
            notes.push(Note::new(Code::UnknownStatus, place, message).of(Of::Errors));
        }
        let is_object = view.body.part().kind() == Kind::Object;
        if is_redirect || !has_body || !is_object || view.body.part().members().next().is_none() {
            return notes;
        }
        let fields = &self.tool.service.errors;
        let section = source.value().pointer(&format!("{prefix}/errors"));
        let has = |key: &str| section.is_some_and(|section| section.get(key).is_some());
        for (key, found) in [
            ("message", fields.message(view).is_some()),
            ("code", fields.code(view).is_some()),
        ] {
            let path = section.and_then(|section| section.get(key)?.as_str());
            let name = path.and_then(|path| path.rsplit('.').next());
            if has(key) && !found && !name.is_some_and(|name| self.hidden.is_removed(name)) {
                let place = Place::value(&source, format!("{prefix}/errors/{key}"));
                let message = format!(
                    "error answers have no `{key}` here: they have {}",
                    self.members(view)
                );
                notes.push(Note::new(Code::UnknownError, place, message).of(Of::Errors));
            }
        }
        let Ok(body) = view.body.value() else {
            return notes;
        };
        let said = crate::said::in_body(&body, status);
        let is_silent = said
            .message
            .is_none_or(|message| message.starts_with("its body is "));
        if section.is_none() && is_silent {
            let place = Place::key(&source, known("/errors"));
            let message = format!(
                "error answers have no message where services commonly put it: they have {}",
                self.members(view)
            );
            let help = "say under `errors` where message and code are".to_owned();
            notes.push(
                Note::new(Code::UnknownError, place, message)
                    .of(Of::Errors)
                    .help(Some(help)),
            );
        }
        notes
    }

    /// The names of the members of an answer.
    fn members(&self, view: &ResponseView<'_>) -> String {
        let names = view.body.part();
        let names = names
            .members()
            .map(|(key, _)| self.hidden.named(&key.name()));
        super::notes::listed(&names.collect(), 6)
    }

    /// What an output has that the schema of the output does not allow.
    fn unlike_schema(&self, error: &jsonschema::ValidationError<'_>) -> Note {
        let source = &self.tool.source;
        let instance = error.instance_path().to_string();
        let shown = self.place_in_output(&instance);
        let pointer = format!("/response/schema{}", error.schema_path());
        let keyword = error.kind().keyword();
        let value = error.instance();
        let (message, mend) = match error.kind() {
            ValidationErrorKind::Type { .. } => {
                let kind = type_name(value);
                let message = format!("{shown} is {} in recorded answers", kind_of(value));
                (message, Some(Mend::Type(pointer.clone(), kind.to_owned())))
            }
            ValidationErrorKind::Enum { .. } => {
                let last = instance.rsplit('/').find(|token| !is_index(token));
                match self.hidden.value(last.unwrap_or_default(), value) {
                    Some(word) => (
                        format!(
                            "{shown} is `{word}` in recorded answers, which is not among the values"
                        ),
                        Some(Mend::Enum(pointer.clone(), value.clone().into_owned())),
                    ),
                    None => (
                        format!("{shown} has values in recorded answers that are not among these"),
                        None,
                    ),
                }
            }
            ValidationErrorKind::Required { property } => {
                let name = property.as_str().unwrap_or_default();
                let message =
                    format!("{shown} has no `{name}` in recorded answers, and it is required");
                let mend = Mend::Optional(pointer.clone(), name.to_owned());
                (message, Some(mend))
            }
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                let names = unexpected
                    .iter()
                    .map(|name| self.hidden.named(name))
                    .collect();
                let names = super::notes::listed(&names, 8);
                (
                    format!(
                        "{shown} has members in recorded answers that the schema does not allow: {names}"
                    ),
                    None,
                )
            }
            _ => (
                format!("{shown} does not satisfy `{keyword}` in recorded answers"),
                None,
            ),
        };
        let known = source.value().pointer(&pointer).is_some();
        let note = Note::new(Code::UnlikeSchema, Place::value(source, &pointer), message);
        let output = maker(source.value(), &instance);
        Note {
            output: output.filter(|_| value.is_null()),
            ..note.of(Of::Answers).mend(mend.filter(|_| known))
        }
    }

    /// A place in the output, for people: `workspaces[].name`. Keys of maps that may be ids are not shown.
    fn place_in_output(&self, instance: &str) -> String {
        let mut place = String::new();
        for token in instance.split('/').skip(1) {
            match is_index(token) {
                true => place.push_str("[]"),
                false => {
                    if !place.is_empty() {
                        place.push('.');
                    }
                    place.push_str(&self.hidden.named(token));
                }
            }
        }
        match place.as_str() {
            "" => "the output".to_owned(),
            place => format!("`{place}`"),
        }
    }
}

fn is_index(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|b| b.is_ascii_digit())
}

/// The name of the type that takes a value.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The place of an example's body, which does not hold any more.
pub(super) fn example_bodies(tool: &Tool) -> Vec<(String, &Value)> {
    let mut bodies = Vec::new();
    for (i, example) in tool.examples.iter().enumerate() {
        let at = format!("/examples/{i}");
        let is_success = |status: u16| (200..300).contains(&status);
        if let Some(response) = &example.response
            && is_success(response.status)
        {
            bodies.push((format!("{at}/response/body"), &response.body));
        }
        for (page, one) in example.pages.iter().flatten().enumerate() {
            if is_success(one.response.status) {
                let at = join(&join(&at, "pages"), &page.to_string());
                bodies.push((format!("{at}/response/body"), &one.response.body));
            }
        }
    }
    bodies
}
