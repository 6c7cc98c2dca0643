//! `query_tools`: one question in SQL in place of many calls. Each call of a tool that it makes passes the gate, and leaves its
//! line in the log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use rmcp::model::{CallToolResult, ContentBlock, Tool as Listed};
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::call::PATIENCE;
use super::data::{self, Changed};
use super::gate::{Caller, Decision, Gate};
use super::meta::wrong;
use super::metrics::Trace;
use super::observe::{Ending, Finished};
use super::record::{Sight, Trail};
use super::set::{Served, ToolSet, hints};
use super::table;
use super::teach::{self, Lesson};
use crate::definition::Annotations;
use crate::engine::Call;
use crate::engine::error::ErrorKind;
use crate::json::Json;
use crate::said::{MOST_OF_MESSAGE, clipped};
use crate::sql::{
    Begun, Ended, Limits, Outcome, Reading, Running, Source, SqlError, start, table_name,
};
use crate::tool::Tool;

/// The tool's name.
pub(super) const NAME: &str = "query_tools";
/// What the server says about it.
pub(super) const INSTRUCTIONS: &str =
    " query_tools asks the tools that read in SQL, to join, filter and count in one call.";
/// Bytes that are kept free for what is said about the rest.
const ASIDE: usize = 300;

/// The tool as the protocol lists it.
pub(super) fn listed() -> Listed {
    let input = json!({
        "type": "object",
        "properties": {
            "query": { "type": "string", "description": "One SELECT in SQLite's SQL. EXPLAIN before it lists its requests and makes none." },
            "format": { "enum": ["json", "table"], "default": "json" },
        },
        "required": ["query"],
        "additionalProperties": false,
    });
    let output = json!({
        "type": "object",
        "properties": { "rows": { "type": "array" }, "table": { "type": "string" }, "note": { "type": "string" } },
    });
    let description = "Ask tools in SQL. Each tool that reads is a table of its name with _ for -, such as list_members; the fields of its rows are columns, and so are its params: `where param = value` or a join sets them. Lists and objects are JSON texts.";
    Listed::new(NAME, description, map(input))
        .with_title("Query tools")
        .with_raw_output_schema(Arc::new(map(output)))
        .with_annotations(hints(Annotations {
            read_only: true,
            destructive: false,
            idempotent: true,
            open_world: true,
        }))
}

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// A query to carry out.
pub(super) struct Query {
    pub shared: Arc<Shared>,
    pub caller: Caller,
    /// The calls of the caller that may run at once; as many as the server runs, if `None`.
    pub turns: Option<Arc<Semaphore>>,
    pub trace: Trace,
    pub set: Arc<ToolSet>,
    pub arguments: Map<String, Value>,
    pub cancelled: CancellationToken,
}

/// How the rows are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Table,
}

impl Query {
    /// Carries out the query. `None` if the client has cancelled it.
    pub(super) async fn run(self) -> Option<CallToolResult> {
        if let Some(audit) = &self.shared.audit
            && audit.ready().await.is_err()
        {
            return Some(teach::of_audit(false).result());
        }
        let _in_flight = self.shared.metrics.begin();
        let result = match self.wanted() {
            Ok((query, form)) => self.ask(query, form).await,
            Err(lesson) => Ok(Err(lesson)),
        };
        let Ok(result) = result else {
            return None;
        };
        let decision = match &result {
            Ok(_) => "allow",
            Err(_) => "invalid",
        };
        let noted = self
            .shared
            .note(&self.caller, Some(NAME), &self.arguments, decision);
        // A query that gave rows has run.
        let noted = noted.await.map_err(|_| teach::of_audit(result.is_ok()));
        Some(match noted.and(result) {
            Ok(result) => result,
            Err(lesson) => lesson.result(),
        })
    }

    fn wanted(&self) -> Result<(String, Form), Lesson> {
        if let Some(name) = self
            .arguments
            .keys()
            .find(|name| !["query", "format"].contains(&name.as_str()))
        {
            return Err(wrong(
                name,
                "is no argument of this tool; it takes query and format",
            ));
        }
        let form = match self.arguments.get("format").and_then(Value::as_str) {
            Some("table") => Form::Table,
            Some("json") => Form::Json,
            None if self.arguments.get("format").is_none_or(Value::is_null) => Form::Json,
            _ => return Err(wrong("format", "must be json or table")),
        };
        match self.arguments.get("query") {
            Some(Value::String(query)) => Ok((query.clone(), form)),
            _ => Err(wrong("query", "must be a text: one SELECT")),
        }
    }

    /// Asks, unless the client cancels it.
    async fn ask(
        &self,
        query: String,
        form: Form,
    ) -> Result<Result<CallToolResult, Lesson>, Cancelled> {
        let own = self.turns.as_ref().map(|turns| turns.try_acquire());
        let Ok(_own) = own.transpose() else {
            return Ok(Err(busy("as many of your calls run as may at once")));
        };
        let turn = tokio::time::timeout(PATIENCE, self.shared.running.acquire()).await;
        let Ok(Ok(_turn)) = turn else {
            return Ok(Err(busy("too many calls run at once")));
        };
        let source = Arc::new(Tables::new(self));
        let deadline = self.shared.limits.deadline;
        let limits = Limits {
            deadline: Some((deadline, Instant::now())),
            ..Limits::default()
        };
        let running = start(
            query,
            Arc::<Tables>::clone(&source) as Arc<dyn Source>,
            limits,
        );
        let mut gathered = Gathered::new(form, self.shared.limits.result_bytes);
        let (outcome, is_cancelled) = gathered.take(running, &self.cancelled).await;
        let recorded = source.record(is_cancelled).await;
        if is_cancelled {
            return Err(Cancelled);
        }
        Ok(recorded.and_then(|()| gathered.result(outcome)))
    }
}

/// The client gave up.
struct Cancelled;

fn busy(message: &str) -> Lesson {
    Lesson::new("busy", message)
        .advise("wait, then ask again")
        .retry(true, Some(2))
}

/// The rows of a result, whole ones up to a budget of bytes.
struct Gathered {
    form: Form,
    room: usize,
    columns: Vec<String>,
    rows: Vec<Value>,
    text: String,
    changed: Changed,
    is_cut: bool,
    /// What does not fit even alone, and its bytes.
    too_large: Option<(&'static str, usize)>,
}

impl Gathered {
    fn new(form: Form, most: usize) -> Gathered {
        Gathered {
            form,
            room: most.saturating_sub(ASIDE),
            columns: Vec::new(),
            rows: Vec::new(),
            text: String::new(),
            changed: Changed::default(),
            is_cut: false,
            too_large: None,
        }
    }

    /// Takes rows until there is no room, no row, or nobody who wants them. Beyond the room nothing is read.
    async fn take(
        &mut self,
        mut running: Running,
        cancelled: &CancellationToken,
    ) -> (Outcome, bool) {
        let columns = tokio::select! {
            biased;
            () = cancelled.cancelled() => return (running.end().await, true),
            columns = running.columns() => columns,
        };
        self.columns = columns.unwrap_or_default();
        if self.form == Form::Table {
            self.text = table::head(&self.columns);
            if self.text.len() > self.room {
                self.is_cut = true;
                self.too_large = Some(("line of column names", self.text.len()));
                self.text.clear();
                return (running.end().await, false);
            }
        }
        let mut rows = Vec::new();
        loop {
            rows.clear();
            let count = tokio::select! {
                biased;
                () = cancelled.cancelled() => return (running.end().await, true),
                count = running.rows(&mut rows) => count,
            };
            if count == 0 || !rows.iter().all(|row| self.fits(row)) {
                return (running.end().await, false);
            }
        }
    }

    fn fits(&mut self, row: &Json) -> bool {
        let bytes = row.bytes().len();
        if bytes > self.room.saturating_mul(8) {
            return self.cut(bytes);
        }
        let row = data::value(row.part(), &mut self.changed);
        let line = match self.form {
            Form::Json => row.to_string(),
            Form::Table => table::line(&row, &self.columns),
        };
        if self.text.len() + line.len() + 1 > self.room {
            return self.cut(line.len());
        }
        if !self.text.is_empty() {
            self.text.push(match self.form {
                Form::Json => ',',
                Form::Table => '\n',
            });
        }
        self.text.push_str(&line);
        self.rows.push(row);
        true
    }

    fn cut(&mut self, bytes: usize) -> bool {
        self.is_cut = true;
        self.too_large = self.rows.is_empty().then_some(("first row", bytes));
        false
    }

    fn result(self, outcome: Outcome) -> Result<CallToolResult, Lesson> {
        let mut notes = Vec::new();
        match outcome.result {
            Ok(()) | Err(SqlError::Stopped) => {}
            Err(error) if self.is_cut => drop(error),
            Err(error) if self.rows.is_empty() => return Err(lesson(&error)),
            Err(error) => {
                let lesson = lesson(&error).fact("rows", self.rows.into());
                return Err(lesson.fact("note", "These rows were read before the error.".into()));
            }
        }
        match self.too_large {
            Some((what, bytes)) => notes.push(format!(
                "The {what} alone has {bytes} bytes, more than a result may have; select fewer columns."
            )),
            None if self.is_cut => notes.push(format!(
                "These are the first {} rows; more do not fit. Use limit and offset, fewer columns, or count and group.",
                self.rows.len()
            )),
            None if self.rows.is_empty() => notes.push("No row fits the query.".to_owned()),
            None => {}
        }
        let mut changed = self.changed;
        let more = outcome.notes.iter().map(|note| {
            let mut note = data::text(note, &mut changed);
            if !note.ends_with('.') {
                note.push('.');
            }
            note
        });
        let more: Vec<String> = more.collect();
        notes.extend(changed.told().map(str::to_owned));
        let room = self.room + ASIDE - self.text.len();
        let note = joined(notes, more, room);
        let mut members = Map::new();
        match self.form {
            Form::Json => drop(members.insert("rows".to_owned(), self.rows.into())),
            Form::Table => drop(members.insert("table".to_owned(), self.text.into())),
        }
        if !note.is_empty() {
            members.insert("note".to_owned(), note.into());
        }
        let structured = Value::Object(members);
        let text = match (self.form, &structured["table"]) {
            (Form::Table, Value::String(table)) => {
                match structured.get("note").and_then(Value::as_str) {
                    Some(note) => format!("{table}\n\n{note}"),
                    None => table.clone(),
                }
            }
            _ => structured.to_string(),
        };
        let mut result = CallToolResult::success(vec![ContentBlock::text(text)]);
        result.structured_content = Some(structured);
        Ok(result)
    }
}

/// Notes as one text: all of the first, and of the others as many as there is room for.
fn joined(first: Vec<String>, others: Vec<String>, room: usize) -> String {
    let mut text = first.join(" ");
    let all = others.len();
    for (at, note) in others.into_iter().enumerate() {
        let rest = match all - at {
            1 => String::new(),
            more => format!(" There are {} more notes.", more - 1),
        };
        if text.len() + note.len() + rest.len() + ASIDE / 3 > room {
            text.push_str(&format!(" There are {} more notes.", all - at));
            break;
        }
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&note);
    }
    text.trim_start().to_owned()
}

/// What a model is told of a query that failed.
fn lesson(error: &SqlError) -> Lesson {
    if let SqlError::Call {
        table,
        arguments,
        error,
    } = error
    {
        return teach::of_error(table, error)
            .fact("table", table.as_str().into())
            .fact("arguments", arguments.as_str().into());
    }
    if let Some(error) = error.engine() {
        return teach::of_error("the query", error);
    }
    let kind = json!(error.kind());
    let advice = match error {
        SqlError::Requests { .. } => "ask for less: `EXPLAIN` before the query lists its requests",
        SqlError::Computing(_) | SqlError::Memory(_) => "ask for less, or for fewer tables at once",
        SqlError::NotATable { .. } | SqlError::Refused { .. } => {
            "use other tables, or call the tool itself"
        }
        _ => "correct the query",
    };
    let is_usage = error.kind() == ErrorKind::Usage;
    // A query is quoted, and may be long.
    let message = clipped(&error.to_string(), MOST_OF_MESSAGE);
    Lesson::new(kind.as_str().unwrap_or("usage"), message)
        .advise(advice)
        .retry(!is_usage && matches!(error, SqlError::Computing(_)), None)
}

/// The tools of a set as tables, for one caller.
struct Tables {
    shared: Arc<Shared>,
    set: Arc<ToolSet>,
    gate: Gate,
    caller: Caller,
    trace: Trace,
    /// The tools by their qualified names and by the names of tables; several where a name is of several.
    names: BTreeMap<String, Vec<Arc<Served>>>,
    started: Instant,
    made: Mutex<Vec<Made>>,
}

/// A call that the query made, or that was refused.
struct Made {
    served: Arc<Served>,
    arguments: Map<String, Value>,
    decision: Decision,
    sight: Arc<Sight>,
    begun: Instant,
    ended: Option<(Ended, Instant)>,
}

impl Tables {
    fn new(query: &Query) -> Tables {
        let mut names: BTreeMap<String, Vec<Arc<Served>>> = BTreeMap::new();
        for served in query.set.tools() {
            let own = BTreeSet::from([
                table_name(&served.tool.name),
                served.tool.qualified_name(),
                table_name(&served.definition.name),
            ]);
            for name in own {
                names.entry(name).or_default().push(Arc::clone(served));
            }
        }
        Tables {
            shared: Arc::clone(&query.shared),
            set: Arc::clone(&query.set),
            gate: query.shared.gate(),
            caller: query.caller.clone(),
            trace: query.trace.clone(),
            names,
            started: Instant::now(),
            made: Mutex::default(),
        }
    }

    fn keep(&self, made: Made) -> usize {
        let mut all = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(made);
        all.len() - 1
    }

    /// Writes what the query did, a line for each call, and counts it.
    ///
    /// # Errors
    /// When it cannot be written; then the result is not to be given.
    async fn record(&self, is_cancelled: bool) -> Result<(), Lesson> {
        let made = std::mem::take(&mut *self.made.lock().unwrap_or_else(PoisonError::into_inner));
        let mut recorded = Ok(());
        for made in made {
            let at = made.ended.as_ref().map_or_else(Instant::now, |(_, at)| *at);
            let ended = made.ended.map(|(ended, _)| ended);
            let ending = match (&made.decision, ended) {
                // It was stopped before its engine was there.
                (Decision::Allow(..), None) => Ending::Cancelled,
                (Decision::Allow(..), Some(ended)) if is_cancelled && ended.is_stopped => {
                    Ending::Cancelled
                }
                (
                    Decision::Allow(..),
                    Some(Ended {
                        rows,
                        bytes,
                        error: None,
                        ..
                    }),
                ) => Ending::Done {
                    bytes,
                    rows: Some(rows),
                },
                (
                    Decision::Allow(..),
                    Some(Ended {
                        error: Some(error), ..
                    }),
                ) => {
                    let lesson = teach::of_error(&made.served.definition.name, &error);
                    Ending::Failed {
                        kind: lesson.kind.clone(),
                        status: lesson.status,
                    }
                }
                _ => Ending::Refused,
            };
            let finished = Finished {
                caller: self.caller.clone(),
                tool: made.served.tool.qualified_name(),
                arguments: made.arguments.keys().cloned().collect(),
                decision: made.decision,
                approval: None,
                ending,
                took: at.saturating_duration_since(made.begun),
            };
            self.shared.metrics.count(&finished, &self.trace);
            self.shared.observer.tell(&finished);
            let trail = Trail {
                shared: &self.shared,
                id: &OnceLock::new(),
                caller: &self.caller,
                served: &made.served,
                arguments: &made.arguments,
                sight: &made.sight,
            };
            recorded = recorded.and(trail.record(&finished, self.gate.policy()).await);
        }
        recorded
    }
}

impl Source for Tables {
    fn names(&self) -> Vec<String> {
        let tools = self.set.tools().map(|served| served.tool.name.clone());
        self.names.keys().cloned().chain(tools).collect()
    }

    fn tool(&self, name: &str) -> Result<Arc<Tool>, SqlError> {
        let key = match name.contains('/') {
            true => name.to_owned(),
            false => table_name(name),
        };
        let found = self.names.get(&key).map_or(&[][..], Vec::as_slice);
        match found {
            [] => Err(SqlError::NoTable {
                name: name.to_owned(),
                hint: self.set.nearest(name),
            }),
            [served] if !served.is_offered => Err(SqlError::NotATable {
                name: table_name(name),
                reason: served.refusal.clone(),
            }),
            [served] => Ok(Arc::clone(&served.tool)),
            several => {
                let tools = several.iter().map(|served| served.tool.qualified_name());
                Err(SqlError::Ambiguous {
                    name: table_name(name),
                    tools: tools.collect(),
                })
            }
        }
    }

    fn begin<'s>(&'s self, table: &'s str, tool: &'s Arc<Tool>, arguments: &'s Value) -> Begun<'s> {
        Box::pin(async move {
            let is_it = |served: &&Arc<Served>| Arc::ptr_eq(&served.tool, tool);
            let Some(served) = self.set.tools().find(is_it) else {
                return Err(SqlError::NoTable {
                    name: table.to_owned(),
                    hint: None,
                });
            };
            let given = map(arguments.clone());
            let decision = self.gate.decide(&self.caller, tool, &given);
            let refused = match &decision {
                Decision::Allow(..) => None,
                Decision::Ask(_, reason) => Some(SqlError::Refused {
                    table: table.to_owned(),
                    reason: format!(
                        "a person has to approve it ({}); call {} itself",
                        reason.why, served.definition.name
                    ),
                }),
                Decision::Refuse(reason) => Some(SqlError::Refused {
                    table: table.to_owned(),
                    reason: reason.why.clone(),
                }),
                Decision::Invalid(problems) => {
                    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                    Some(SqlError::Arguments {
                        table: table.to_owned(),
                        reason: problems.join("; "),
                    })
                }
            };
            let sight = Arc::<Sight>::default();
            let id = self.keep(Made {
                served: Arc::clone(served),
                arguments: given,
                decision,
                sight: Arc::clone(&sight),
                begun: Instant::now(),
                ended: None,
            });
            if let Some(refused) = refused {
                return Err(refused);
            }
            let engine = self.shared.backends.engine(tool).await;
            let engine = engine.map_err(|error| {
                let ended = Ended {
                    error: Some(error.clone()),
                    ..Ended::default()
                };
                self.end(id, ended);
                SqlError::Load(Box::new(error))
            })?;
            let call = Call::new(tool, arguments.clone())
                .caller(self.caller.name.clone())
                .deadline(self.shared.limits.deadline, self.started);
            let call = match &self.shared.audit {
                Some(_) => sight.watch(tool, call),
                None => call,
            };
            Ok(Reading { engine, call, id })
        })
    }

    fn end(&self, id: usize, ended: Ended) {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = made.get_mut(id) {
            made.ended = Some((ended, Instant::now()));
        }
    }
}
