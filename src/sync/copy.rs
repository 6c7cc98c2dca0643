//! The copy of tables, one after the other.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::cursor;
use super::destination::{Counts, Destination, Mode, Opening, Row};
use super::keys::{Keys, Seen, hex, key_of_row, short};
use super::order::Step;
use super::report::{CursorReport, TableReport, Trouble};
use super::state::State;
use crate::engine::error::{Error, ErrorKind};
use crate::format::SyncSpec;
use crate::json::{Json, Kind, Part, write};
use crate::table::{Change, Column, Columns, Growth, Type, VALUE};
use crate::tool::Tool;

/// Most rows with the largest cursor that are remembered. One more says that there are too many.
const MOST_AT_EDGE: usize = 10_000;

/// What may change about a table that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    /// Columns are added and widened.
    Evolve,
    /// A row that does not fit is an error.
    Freeze,
    /// What does not fit is left out.
    Discard,
}

/// How tables are copied.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// `None` merges where there is a key, and replaces elsewhere.
    pub mode: Option<Mode>,
    pub policy: Policy,
    /// Whether what was read before counts for nothing.
    pub full: bool,
}

/// Who calls the tools.
pub(crate) trait Source {
    /// Begins to call a tool.
    ///
    /// # Errors
    /// When it cannot be called with these arguments.
    fn begin(&mut self, tool: &Arc<Tool>, arguments: Value) -> Result<(), Trouble>;

    /// The output of the next page of the call.
    ///
    /// # Errors
    /// When the page cannot be read, or the user ends the work.
    fn next(&mut self) -> Result<Option<Json>, Trouble>;

    /// Why the pages ended before the last one, if they did without an error.
    fn note(&self) -> Option<String>;
}

/// Who is told how the work goes on.
pub(crate) trait Watch {
    /// So many rows of a table were read, on so many pages.
    fn read(&mut self, table: &str, pages: u64, rows: u64);

    /// What there is to say about a table at once.
    fn note(&mut self, table: &str, text: &str);
}

/// What leads to the calls of a tool with a parent.
#[derive(Default)]
struct Drivers {
    arguments: Vec<Map<String, Value>>,
    known: HashSet<[u8; 16]>,
    /// Rows of the parent that do not have the columns.
    lacking: u64,
    /// Why the parent was not read.
    failed: Option<ErrorKind>,
}

/// Copies the tables of all steps. One that fails does not keep the others from being tried.
pub(crate) fn copy_all(
    steps: &[Step],
    destination: &mut dyn Destination,
    options: &Options,
    source: &mut dyn Source,
    watch: &mut dyn Watch,
) -> Vec<TableReport> {
    let mut drivers: Vec<Drivers> = steps.iter().map(|_| Drivers::default()).collect();
    let mut reports = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        let children: Vec<usize> = (0..steps.len())
            .filter(|child| steps[*child].parent == Some(at))
            .collect();
        let mut copy = Copy {
            step,
            options,
            children: children.iter().map(|child| &steps[*child]).collect(),
            feeds: children.iter().map(|_| Drivers::default()).collect(),
            mode: None,
            report: TableReport {
                tool: step.tool.qualified_name(),
                table: step.table.clone(),
                ..TableReport::default()
            },
            watch,
        };
        let done = copy.run(&drivers[at], destination, source);
        let Copy {
            feeds, mut report, ..
        } = copy;
        let failed = done.as_ref().err().map(Trouble::kind);
        if let Err(trouble) = done {
            destination.abandon();
            report.error = Some(trouble.into());
        }
        for (child, mut feed) in children.into_iter().zip(feeds) {
            feed.failed = failed;
            drivers[child] = feed;
        }
        let is_interrupted = report.error.as_ref().is_some_and(|fault| fault.interrupted);
        if step.is_written || report.error.is_some() {
            reports.push(report);
        }
        if is_interrupted {
            break;
        }
    }
    reports
}

/// The copy of one table.
struct Copy<'c> {
    step: &'c Step,
    options: &'c Options,
    children: Vec<&'c Step>,
    /// What leads to the calls of each child.
    feeds: Vec<Drivers>,
    mode: Option<Mode>,
    report: TableReport,
    watch: &'c mut dyn Watch,
}

/// What is known while a table is written.
struct Written {
    mode: Mode,
    policy: Policy,
    growth: Growth,
    key: Vec<String>,
    /// The column of the cursor, its largest values before, and those now.
    cursor: Option<String>,
    from: BTreeMap<String, Value>,
    cursors: BTreeMap<String, Value>,
    columns: Columns,
    /// Columns that the table had before.
    before: BTreeSet<String>,
    was_new: bool,
    keys: Option<Keys>,
    duplicates: u64,
    /// Digests of the rows that the table has at its edge, and those of the edge from now on.
    old_edge: BTreeMap<String, BTreeSet<String>>,
    edge: BTreeMap<String, BTreeSet<String>>,
}

impl Copy<'_> {
    fn spec(&self) -> Option<&SyncSpec> {
        self.step.tool.sync.as_ref()
    }

    fn key(&self) -> &[String] {
        match &self.step.tool.sync {
            Some(sync) => &sync.key,
            None => &[],
        }
    }

    fn run(
        &mut self,
        drivers: &Drivers,
        destination: &mut dyn Destination,
        source: &mut dyn Source,
    ) -> Result<(), Trouble> {
        if let Some(kind) = drivers.failed {
            let parent = "the tool that gives its arguments could not be read".to_owned();
            return Err(Trouble::Parent(parent, kind));
        }
        if drivers.lacking > 0 {
            self.note(format!(
                "{} rows of the parent have no value for an argument; nothing was read for them",
                drivers.lacking
            ));
        }
        if !self.step.is_written {
            self.watch.note(
                &self.step.table,
                &format!(
                    "{} is read for the arguments of others, and not written",
                    self.step.tool.name
                ),
            );
            let state = State::new(&self.step.tool.qualified_name());
            return self.read_all(drivers, &state, source, &mut |_, _, _| Ok(()));
        }
        let old = destination.open(&self.step.table)?;
        let name = self.step.tool.qualified_name();
        if !old.is_new() && old.tool != name {
            return Err(Trouble::Usage(format!(
                "the table {} has the rows of {}; copy {name} into another place",
                self.step.table, old.tool
            )));
        }
        let (mode, mut state) = self.begin(&old)?;
        (self.mode, self.report.mode) = (Some(mode), Some(mode));
        let mut written = self.written(&old, &state, mode, destination.columns())?;
        let key = self.key().to_vec();
        state.columns = old.columns.clone();
        destination.start(&Opening {
            mode,
            key: if mode == Mode::Append { &[] } else { &key },
            state: &state,
            is_whole: state.cursors.is_empty() || !self.children.is_empty(),
        })?;
        let from = state.clone();
        let mut counts = Counts::default();
        // Both are told of the rows.
        let mut report = std::mem::take(&mut self.report);
        let done = self.read_all(drivers, &from, source, &mut |watch, driver, rows| {
            let rows = written.take(rows, driver, &mut report, watch)?;
            if !rows.is_empty() {
                counts += destination.write(&written.columns, rows)?;
            }
            Ok(())
        });
        report.read = self.report.read;
        report.lacks_beginning = self.report.lacks_beginning;
        report.notes.append(&mut self.report.notes);
        self.report = report;
        // What was merged stays, also after an error.
        self.report.counts = counts;
        done?;
        // A list that ended without a row has its columns anyway.
        state.cursors = std::mem::take(&mut written.cursors);
        state.key = if mode == Mode::Append {
            Vec::new()
        } else {
            key
        };
        state.edge = std::mem::take(&mut written.edge);
        state.columns = written.columns.kept();
        counts += destination.commit(&written.columns, &state, written.keys.as_mut())?;
        self.report.counts = counts;
        self.finish(&from, &state, &written, &*destination);
        Ok(())
    }

    /// The mode, and the state that begins with this run.
    fn begin(&mut self, old: &State) -> Result<(Mode, State), Trouble> {
        let has_key = !self.key().is_empty();
        let default = match has_key {
            true => Mode::Merge,
            false => Mode::Replace,
        };
        let mut mode = self.options.mode.unwrap_or(default);
        if mode == Mode::Merge && !has_key {
            return Err(Trouble::Usage(format!(
                "{} cannot be merged: its descriptor names no key (`sync.key`)",
                self.step.tool.name
            )));
        }
        let mut state = State::new(&self.step.tool.qualified_name());
        state.cursor = self.spec().and_then(|sync| sync.cursor.clone());
        state.arguments = Value::Object(self.step.arguments.clone());
        if old.is_new() {
            return Ok((mode, state));
        }
        if mode == Mode::Merge && old.key != self.key() {
            self.note("the table was written without this key, so it is read anew".to_owned());
            mode = Mode::Replace;
        }
        if self.options.full {
            mode = Mode::Replace;
        }
        if mode == Mode::Replace || state.cursor.is_none() {
            return Ok((mode, state));
        }
        if old.arguments != state.arguments {
            self.note(
                "the arguments are others than in the run before, so it is read from the beginning"
                    .to_owned(),
            );
        } else if old.cursor != state.cursor {
            self.note(
                "the column of the cursor is another than in the run before, so it is read from the beginning"
                    .to_owned(),
            );
        } else {
            state.cursors = old.cursors.clone();
            state.edge = old.edge.clone();
        }
        Ok((mode, state))
    }

    fn written(
        &self,
        old: &State,
        state: &State,
        mode: Mode,
        columns: Columns,
    ) -> Result<Written, Trouble> {
        let mut columns = old.columns_in(columns);
        let growth = match self.options.policy {
            Policy::Freeze | Policy::Discard if !old.is_new() => Growth::Closed,
            _ => Growth::Open,
        };
        if growth == Growth::Open {
            for (name, kind) in declared(&self.step.tool) {
                columns.add(&name, Column::new(kind));
            }
        }
        let keys = match mode {
            Mode::Append => None,
            _ if self.key().is_empty() => None,
            _ => Some(Keys::new()?),
        };
        Ok(Written {
            mode,
            policy: self.options.policy,
            growth,
            key: self.key().to_vec(),
            cursor: state.cursor.clone(),
            from: state.cursors.clone(),
            cursors: state.cursors.clone(),
            columns,
            before: old.columns.iter().map(|(name, _)| name.clone()).collect(),
            was_new: old.is_new(),
            keys,
            duplicates: 0,
            old_edge: state.edge.clone(),
            edge: state.edge.clone(),
        })
    }

    /// Reads all pages of all calls, and gives the rows of each to `take`.
    fn read_all(
        &mut self,
        drivers: &Drivers,
        from: &State,
        source: &mut dyn Source,
        take: &mut dyn FnMut(&mut dyn Watch, &Map<String, Value>, Vec<Json>) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        let whole = [Map::new()];
        let calls: &[Map<String, Value>] = match self.step.parent {
            Some(_) => &drivers.arguments,
            None => &whole,
        };
        let (mut pages, mut gone) = (0, 0);
        for driver in calls {
            let arguments = self.arguments(driver, from)?;
            self.note_beginning(&arguments);
            source.begin(&self.step.tool, arguments)?;
            let mut is_first = true;
            loop {
                let output = match source.next() {
                    // The row of the parent may be gone by now, or have nothing of this kind.
                    Err(Trouble::Call(error))
                        if is_first && self.step.parent.is_some() && is_gone(&error) =>
                    {
                        gone += 1;
                        break;
                    }
                    output => match output? {
                        Some(output) => output,
                        None => break,
                    },
                };
                is_first = false;
                pages += 1;
                let rows = rows_of(&self.step.tool, &output, driver)?;
                self.report.read += rows.len() as u64;
                self.watch.read(&self.step.table, pages, self.report.read);
                for row in &rows {
                    self.feed(row.part());
                }
                take(self.watch, driver, rows)?;
            }
            if let Some(note) = source.note() {
                self.note(note);
            }
        }
        if gone > 0 {
            self.note(format!(
                "the service found nothing (404) for {gone} rows of the parent; there are no rows for them"
            ));
        }
        Ok(())
    }

    /// Notes whether a call lacks the value at which its cursor begins.
    fn note_beginning(&mut self, arguments: &Value) {
        let param = self.spec().and_then(|sync| sync.param.clone());
        self.report.lacks_beginning = param.is_some_and(|param| {
            let own = self.step.tool.params.get(&param);
            own.is_some_and(|own| own.required) && arguments.get(&param).is_none()
        });
    }

    /// The arguments of one call.
    fn arguments(&self, driver: &Map<String, Value>, from: &State) -> Result<Value, Trouble> {
        let tool = &self.step.tool;
        let mut arguments = self.step.arguments.clone();
        arguments.extend(driver.clone());
        if let Some(sync) = self.spec()
            && let Some(param) = &sync.param
        {
            // All rows of a parent are needed for its children.
            let last = from
                .cursors
                .get(&name_of(driver))
                .filter(|_| self.children.is_empty());
            let value = match (last, sync.lag) {
                // Where rows are only added, none is read again.
                (Some(last), Some(lag)) if self.mode != Some(Mode::Append) => {
                    Some(cursor::before(last, lag.0).map_err(Trouble::Rows)?)
                }
                (Some(last), _) => Some(last.clone()),
                (None, _) => self.step.since.clone(),
            };
            if let Some(value) = value {
                let schema = tool.params.get(param).map(|param| param.schema.clone());
                let value = cursor::argument(&value, &schema.unwrap_or_default());
                arguments.insert(param.clone(), value);
            }
        }
        Ok(with_large_pages(tool, arguments))
    }

    /// Where reading began: at the largest value before, or at the one that was given.
    fn beginning(&self, from: &State) -> Value {
        if self.children.is_empty() && !from.cursors.is_empty() {
            return largest(from);
        }
        let param = self.spec().and_then(|sync| sync.param.as_ref());
        let given = param.and_then(|param| self.step.arguments.get(param));
        self.step
            .since
            .as_ref()
            .or(given)
            .cloned()
            .unwrap_or_default()
    }

    /// Takes note of the calls of children that a row leads to.
    fn feed(&mut self, row: Part<'_>) {
        for (child, feed) in self.children.iter().zip(&mut self.feeds) {
            let map = child.tool.sync.as_ref().map(|sync| &sync.map);
            let mut arguments = Map::new();
            for (param, column) in map.into_iter().flatten() {
                let value = row.member(column).filter(|part| !part.is_null());
                let value = value.and_then(|part| serde_json::from_slice(part.text()).ok());
                if let Some(value) = value {
                    arguments.insert(param.clone(), value);
                }
            }
            if arguments.len() < map.map_or(0, |map| map.len()) {
                feed.lacking += 1;
            } else if feed.known.insert(short(name_of(&arguments).as_bytes())) {
                feed.arguments.push(arguments);
            }
        }
    }

    fn note(&mut self, text: String) {
        self.watch.note(&self.step.table, &text);
        self.report.notes.push(text);
    }

    fn finish(
        &mut self,
        from: &State,
        state: &State,
        written: &Written,
        destination: &dyn Destination,
    ) {
        if let Some(column) = &state.cursor {
            self.report.cursor = Some(CursorReport {
                column: column.clone(),
                from: self.beginning(from),
                to: largest(state),
            });
        }
        if !written.was_new {
            let names = written.columns.names();
            let added = names.filter(|name| !written.before.contains(*name));
            self.report.columns_added = added.map(str::to_owned).collect();
        }
        if written.duplicates > 0 {
            self.note(format!(
                "{} rows had the key of an earlier row of this run and other values; the later one stays (`sync.key` is {})",
                written.duplicates,
                state.key.join(", ")
            ));
        }
        if self.report.counts.kept > 0 {
            self.note(format!(
                "{} rows of the table were not among those read; merging keeps them, replacing would not",
                self.report.counts.kept
            ));
        }
        for (name, own) in destination.renamed(&written.columns) {
            if written.was_new || !written.before.contains(&name) {
                self.note(format!("the column `{name}` is called `{own}` there"));
            }
        }
        if written.columns.len() == 0 {
            self.note("there are no rows, and no columns are known: there is no table".to_owned());
        }
        if written.mode == Mode::Append && self.spec().is_some_and(|sync| sync.lag.is_some()) {
            self.note(
                "rows are only added, so those that come late are missed; merged, they would not be".to_owned(),
            );
        }
    }
}

/// Whether the service says that what was asked for is not there.
fn is_gone(error: &Error) -> bool {
    matches!(error, Error::Upstream(upstream) if matches!(upstream.status, 404 | 410))
}

/// The name of a call among those of its table: its arguments that come from the parent.
fn name_of(driver: &Map<String, Value>) -> String {
    match driver.is_empty() {
        true => String::new(),
        false => json!(driver).to_string(),
    }
}

/// The largest value of a table's cursor, or those of all of its calls.
fn largest(state: &State) -> Value {
    match state.cursors.get("") {
        Some(value) => value.clone(),
        None if state.cursors.is_empty() => Value::Null,
        None => json!(state.cursors),
    }
}

/// Asks for the largest pages that the tool gives, unless the arguments say how large they are.
fn with_large_pages(tool: &Tool, arguments: Map<String, Value>) -> Value {
    let small = Value::Object(arguments.clone());
    let Some(limit) = tool.paging.as_ref().and_then(|paging| paging.limit()) else {
        return small;
    };
    let most = tool
        .params
        .get(limit)
        .and_then(|param| param.schema.get("maximum")?.as_u64());
    match most {
        Some(most) if !arguments.contains_key(limit) => {
            let mut large = arguments;
            large.insert(limit.to_owned(), most.into());
            let large = Value::Object(large);
            // The tool may not allow it together with the other arguments.
            match tool.accept(large.clone()) {
                Ok(_) => large,
                Err(_) => small,
            }
        }
        _ => small,
    }
}

/// The columns that the descriptor names, and their types, as far as it tells them.
fn declared(tool: &Tool) -> Vec<(String, Type)> {
    let mut columns: Vec<(String, Type)> = Vec::new();
    if let Some(sync) = &tool.sync {
        columns.extend(sync.map.keys().map(|param| (param.clone(), Type::Unknown)));
    }
    let schema = tool.output_schema.as_ref().and_then(|schema| {
        let rows = match tool.projection.rows_key() {
            Some(key) => schema.get("properties")?.get(key)?,
            None => schema,
        };
        rows.get("items")?.get("properties")?.as_object()
    });
    let kind = |name: &str| {
        let own = schema.and_then(|members| members.get(name));
        own.map_or(Type::Unknown, type_of)
    };
    for name in tool.projection.columns().unwrap_or_default() {
        let kind = kind(&name);
        columns.push((name, kind));
    }
    for (name, own) in schema.into_iter().flatten() {
        columns.push((name.clone(), type_of(own)));
    }
    columns
}

/// The type of the values of a schema, where it is one.
fn type_of(schema: &Value) -> Type {
    let names: Vec<&str> = match &schema["type"] {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let names: Vec<&str> = names.into_iter().filter(|name| *name != "null").collect();
    match names.as_slice() {
        ["boolean"] => Type::Bool,
        ["integer"] => Type::Integer,
        ["number"] => Type::Float,
        ["string"] => Type::Text,
        ["array" | "object"] => Type::Json,
        _ => Type::Unknown,
    }
}

/// The rows of an output, with the columns of the parent. An output that is no list is one row; without any output there is
/// none.
fn rows_of(tool: &Tool, output: &Json, driver: &Map<String, Value>) -> Result<Vec<Json>, Trouble> {
    let part = output.part();
    if part.is_null() {
        return Ok(Vec::new());
    }
    let rows = tool.projection.rows_or_one(part).map_err(Trouble::Rows)?;
    Ok(rows.into_iter().map(|row| object(row, driver)).collect())
}

/// A row as an object without white space, with the columns of the parent that it does not have itself. One that it has
/// with another value comes under another name.
fn object(row: Part<'_>, driver: &Map<String, Value>) -> Json {
    let mut text = Vec::with_capacity(row.text().len());
    // Writing to memory cannot fail.
    match row.kind() {
        Kind::Object => drop(write::compact(row, &mut text)),
        _ => {
            text.extend_from_slice(format!("{{\"{VALUE}\":").as_bytes());
            drop(write::compact(row, &mut text));
            text.push(b'}');
        }
    }
    let mut json = Json::made(text);
    for (name, value) in driver {
        let value = Json::of(value);
        let own = json.part().member(name).filter(|own| !own.is_null());
        json = match own.map(|own| own.text() == value.part().text()) {
            Some(true) => json,
            Some(false) => json.with_member(&format!("parent_{name}"), &value),
            None => json.with_member(name, &value),
        };
    }
    json
}

/// The value of the cursor in a row.
fn cursor_of(row: Part<'_>, column: &str) -> Result<Option<Value>, Trouble> {
    match row.member(column) {
        None => Ok(None),
        Some(part) if part.is_null() => Ok(None),
        Some(part) if matches!(part.kind(), Kind::Number | Kind::String) => {
            Ok(serde_json::from_slice(part.text()).ok())
        }
        Some(part) => Err(Trouble::Rows(format!(
            "the cursor `{column}` is {}, and not a time, a number or a text",
            part.kind().name()
        ))),
    }
}

fn tell(
    change: Change,
    policy: Policy,
    report: &mut TableReport,
    watch: &mut dyn Watch,
) -> Result<(), Trouble> {
    match change {
        Change::Added(_) | Change::Widened(..) => {}
        Change::Conflict(name, was) => {
            watch.note(
                &report.table,
                &format!(
                    "the column `{name}` had values of the type {}, and now has others too: it holds JSON texts now",
                    was.name()
                ),
            );
            report.conflicts.push(name);
        }
        Change::Misfit(name) if policy == Policy::Discard => {
            let count = report.discarded.entry(name.clone()).or_default();
            *count += 1;
            if *count == 1 {
                watch.note(
                    &report.table,
                    &format!("values of `{name}` do not fit the table, and are left out"),
                );
            }
        }
        Change::Misfit(name) => {
            return Err(Trouble::Rows(format!(
                "a value of `{name}` does not fit the table, whose columns are not to change"
            )));
        }
    }
    Ok(())
}

impl Written {
    /// Makes rows of a page ready to be written: leaves out those that the table has, finds their keys, moves the cursor and
    /// lets the columns grow.
    fn take(
        &mut self,
        rows: Vec<Json>,
        driver: &Map<String, Value>,
        report: &mut TableReport,
        watch: &mut dyn Watch,
    ) -> Result<Vec<Row>, Trouble> {
        let name = name_of(driver);
        let mut kept = Vec::with_capacity(rows.len());
        for json in rows {
            let row = json.part();
            if !self.moves_on(&name, row)? {
                report.known += 1;
                continue;
            }
            let key = match self.key_of(row)? {
                (_, Seen::Same) => continue,
                (key, seen) => {
                    self.duplicates += u64::from(seen == Seen::Differs);
                    key
                }
            };
            let changes = self.columns.learn(row, self.growth);
            if self.columns.len() == 0 {
                // A row without members is a row too.
                self.columns.add(VALUE, Column::new(Type::Unknown));
            }
            for change in changes {
                tell(change, self.policy, report, watch)?;
            }
            kept.push(Row { json, key });
        }
        Ok(kept)
    }

    /// Moves the cursor. Gives whether the row is one to write.
    fn moves_on(&mut self, name: &str, row: Part<'_>) -> Result<bool, Trouble> {
        let Some(column) = &self.cursor else {
            return Ok(true);
        };
        let value = cursor_of(row, column)?;
        if self.mode == Mode::Append && self.is_known(name, value.as_ref(), row)? {
            return Ok(false);
        }
        if let Some(value) = value {
            self.advance(name, value, row)?;
        }
        Ok(true)
    }

    /// The key of a row, and whether it came before.
    fn key_of(&mut self, row: Part<'_>) -> Result<(Option<[u8; 16]>, Seen), Trouble> {
        let Some(keys) = &mut self.keys else {
            return Ok((None, Seen::New));
        };
        let own = key_of_row(&self.key, row).ok_or_else(|| {
            let columns = self.key.join(", ");
            Trouble::Rows(format!(
                "a row has no value for its key ({columns}): {}",
                row.excerpt()
            ))
        })?;
        Ok((Some(own), keys.see(&own, row)?))
    }

    /// Where rows are only added: whether the table has this one.
    fn is_known(&self, name: &str, value: Option<&Value>, row: Part<'_>) -> Result<bool, Trouble> {
        let (Some(value), Some(last)) = (value, self.from.get(name)) else {
            return Ok(false);
        };
        match (compared(value, last)?, self.old_edge.get(name)) {
            (Ordering::Less, _) => Ok(true),
            (Ordering::Equal, Some(edge)) if edge.len() > MOST_AT_EDGE => Err(too_many()),
            (Ordering::Equal, Some(edge)) => Ok(edge.contains(&hex(short(row.text())))),
            (Ordering::Equal, None) | (Ordering::Greater, _) => Ok(false),
        }
    }

    /// Moves the cursor, and the rows at the edge with it.
    fn advance(&mut self, name: &str, value: Value, row: Part<'_>) -> Result<(), Trouble> {
        let order = match self.cursors.get(name) {
            None => Ordering::Greater,
            Some(largest) => compared(&value, largest)?,
        };
        if order == Ordering::Greater {
            self.cursors.insert(name.to_owned(), value);
            self.edge.remove(name);
        }
        if order != Ordering::Less {
            // A later run may add rows, whatever this one does.
            let edge = self.edge.entry(name.to_owned()).or_default();
            if edge.len() <= MOST_AT_EDGE {
                edge.insert(hex(short(row.text())));
            }
            if self.mode == Mode::Append && edge.len() > MOST_AT_EDGE {
                return Err(too_many());
            }
        }
        Ok(())
    }
}

fn too_many() -> Trouble {
    Trouble::Rows(format!(
        "more than {MOST_AT_EDGE} rows have the largest value of the cursor, so it is not known which ones \
         the next run finds again; merge or replace them"
    ))
}

fn compared(one: &Value, two: &Value) -> Result<Ordering, Trouble> {
    cursor::compare(one, two).ok_or_else(|| {
        Trouble::Rows(format!(
            "the values {one} and {two} of the cursor cannot be compared"
        ))
    })
}

/// What would be done for a step: the arguments of its first call, and how its rows would be written.
///
/// # Errors
/// When it cannot be done.
pub(crate) fn planned(
    step: &Step,
    options: &Options,
    old: Option<&State>,
    is_parent: bool,
) -> Result<(Mode, Value), Trouble> {
    struct Nobody;
    impl Watch for Nobody {
        fn read(&mut self, _: &str, _: u64, _: u64) {}
        fn note(&mut self, _: &str, _: &str) {}
    }
    let own = [step];
    let mut copy = Copy {
        step,
        options,
        children: if is_parent { own.to_vec() } else { Vec::new() },
        feeds: Vec::new(),
        mode: None,
        report: TableReport::default(),
        watch: &mut Nobody,
    };
    let new = State::default();
    let (mode, state) = copy.begin(old.unwrap_or(&new))?;
    copy.mode = Some(mode);
    let arguments = copy.arguments(&Map::new(), &state)?;
    Ok((mode, arguments))
}
