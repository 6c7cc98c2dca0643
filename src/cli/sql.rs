//! `toolrun sql`: a query whose tables are tools.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};

use super::call::{self, parse_count, parse_setting, parse_time};
use super::config::InForce;
use super::hints;
use super::interrupt::{next_signal_ends, unless_interrupted};
use super::output::jq::Deadline;
use super::output::{Format, Printer, View};
use super::reach::{self, Engines, Here};
use super::terminal::{Progress, say};
use super::{Done, Failure, exit, exit_code, note, usage};
use crate::catalog::LoadError;
use crate::json::Json;
use crate::project::Projection;
use crate::sql::{self, Begun, Limits, Outcome, Reading, Source, SqlError, Table};
use crate::words::Name;
use crate::{Catalog, Error, Tool};

/// The most bytes of rows that wait for a format that prints all of them at once.
const GATHERED: usize = 256 << 20;

/// What the help says of `--trust` and `--verbose`.
const TRUST: &str = "Trust a folder for this query; `toolrun trust` trusts it permanently. May be given several times";
const VERBOSE: &str =
    "Show what is sent and received, with secrets masked, and how many requests each table made";

/// Ask tools in SQL.
#[derive(Debug, Args)]
#[command(
    mut_arg("trust", |arg| arg.help(TRUST)),
    mut_arg("verbose", |arg| arg.help(VERBOSE))
)]
pub(crate) struct Sql {
    /// The query, such as 'select name from list_workspaces limit 5'; @FILE reads it from a file, - from standard input.
    /// EXPLAIN before it lists the requests that it would make, and makes none
    #[arg(value_name = "QUERY", required_unless_present = "tables")]
    query: Option<String>,
    /// List the tables with their columns and params; with words, those whose name has one of them
    #[arg(long, value_name = "WORDS", num_args = 0.., conflicts_with = "query")]
    tables: Option<Vec<String>>,
    /// How to print the rows; a table on a terminal and JSON in a pipe unless given
    #[arg(long, short, value_enum, value_name = "FORMAT")]
    output: Option<Format>,
    #[command(flatten)]
    view: View,
    /// The most requests that the query may make
    #[arg(long, value_name = "N", default_value = "100", value_parser = parse_count)]
    max_requests: u64,
    /// Call the services' sandboxes: those that are started for this query, or one that listens at a loopback URL
    #[arg(long, value_name = "URL", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    sandbox: Option<String>,
    /// Give up a request, with its retries, after this time, such as 5s
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    timeout: Option<Duration>,
    /// Give up after this time, such as 5m; the rows until then are printed
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    deadline: Option<Duration>,
    /// Override a setting of the services that have it
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_setting)]
    set: Vec<(String, String)>,
    #[command(flatten)]
    here: Here,
    /// When the command began, for its deadline
    #[arg(skip = Instant::now())]
    started: Instant,
}

impl Sql {
    /// Whether errors must be one JSON object.
    pub(crate) fn wants_json(&self) -> bool {
        matches!(self.output, Some(Format::Json | Format::Ndjson))
    }

    /// Takes this output format if no other is asked for. Several answers of services are no answer of one.
    pub(crate) fn prefer(&mut self, format: Option<Format>) {
        let format = format.filter(|format| *format != Format::Raw);
        self.output = self.output.or(format);
    }

    /// The folders that are trusted for this query.
    pub(crate) fn trusted(&self) -> &[PathBuf] {
        &self.here.trust
    }

    fn format(&self) -> Format {
        self.output.unwrap_or_else(Format::for_stdout)
    }

    /// Runs the command.
    pub(crate) fn run(self, catalog: &Catalog, in_force: &InForce) -> Done {
        if self.format() == Format::Raw {
            return Err(usage(
                "a query has no answer of a service to print raw: it makes its rows of several; -o names another format",
            ));
        }
        self.view.check(self.format(), &Projection::default())?;
        if let Some(words) = &self.tables {
            return self.list(catalog, words);
        }
        let query = self.read_query()?;
        let tables = Arc::new(Tables::new(&self, catalog, in_force, &query)?);
        let _progress = Progress::start();
        let runtime = call::runtime()?;
        let done = runtime.block_on(self.ask(query, &tables));
        runtime.block_on(tables.tell_engines(&done));
        runtime.shutdown_background();
        done
    }

    fn read_query(&self) -> Result<String, Failure> {
        let text = self.query.as_deref().unwrap_or_default();
        let (what, file) = match text.strip_prefix('@') {
            Some(file) => (file, Some(PathBuf::from(file))),
            None if text == "-" => ("standard input", None),
            None => return Ok(text.to_owned()),
        };
        let read = call::within(self.deadline, move || match file {
            Some(file) => bounded(std::fs::File::open(file)?),
            None => bounded(std::io::stdin().lock()),
        })?;
        read.map_err(|error| usage(format!("cannot read the query from {what}: {error}")))
    }

    /// Runs a query and prints its rows, no matter how it ends.
    async fn ask(&self, query: String, tables: &Arc<Tables>) -> Done {
        let limits = Limits {
            requests: u32::try_from(self.max_requests).unwrap_or(u32::MAX),
            deadline: self.deadline.map(|within| (within, self.started)),
            ..Limits::default()
        };
        let source: Arc<dyn Source> = Arc::<Tables>::clone(tables);
        let mut running = sql::start(query, source, limits);
        let columns = match unless_interrupted(running.columns()).await {
            Ok(columns) => Ok(columns),
            Err(signal) => {
                next_signal_ends();
                Err(signal)
            }
        };
        let projection = match &columns {
            Ok(Some(columns)) => Some(Projection::of_columns(columns)),
            _ => None,
        };
        let mut sheet = match &projection {
            Some(projection) => match Sheet::new(self, projection) {
                Ok(sheet) => Some(sheet),
                Err(failure) => {
                    running.end().await;
                    return Err(failure);
                }
            },
            None => None,
        };
        let mut interrupted = columns.err();
        let mut printed = Ok(());
        if let Some(sheet) = &mut sheet {
            let mut rows = Vec::new();
            while printed.is_ok() {
                rows.clear();
                match unless_interrupted(running.rows(&mut rows)).await {
                    Ok(0) => break,
                    Ok(_) => printed = sheet.take(&mut rows),
                    Err(signal) => {
                        next_signal_ends();
                        interrupted = Some(signal);
                        break;
                    }
                }
            }
        }
        let outcome = running.end().await;
        Progress::end();
        if matches!(printed, Err(Failure::Closed)) {
            return printed;
        }
        let rows = sheet.as_ref().map_or(0, |sheet| sheet.rows);
        // An empty list would look like a result.
        let sheet = sheet.filter(|sheet| sheet.rows > 0 || outcome.result.is_ok());
        let finished = sheet.map_or(Ok(()), Sheet::finish);
        self.tell(&outcome);
        if let Some(signal) = interrupted {
            return Err(signal.failure(match rows {
                0 => "no row was given",
                _ => "the rows are incomplete",
            }));
        }
        printed?;
        if outcome.result.is_err() && rows > 0 {
            note(&format!(
                "the result is incomplete: {rows} rows were given before the error"
            ));
        }
        match outcome.result {
            Ok(()) => finished,
            Err(error) => {
                if let Err(Failure::Told(_, message)) = &finished {
                    note(message);
                }
                Err(tables.failure(error))
            }
        }
    }

    fn tell(&self, outcome: &Outcome) {
        outcome.notes.iter().for_each(|text| note(text));
        if self.here.verbose {
            for (table, count) in &outcome.made {
                let requests = match count {
                    1 => "1 request".to_owned(),
                    count => format!("{count} requests"),
                };
                say(&format!("* {table} made {requests}"));
            }
        }
    }

    /// Prints the tables.
    fn list(&self, catalog: &Catalog, words: &[String]) -> Done {
        let columns = ["table", "columns", "params", "needs", "description"].map(str::to_owned);
        let projection = Projection::of_columns(&columns);
        let mut sheet = Sheet::new(self, &projection)?;
        let mut seen = BTreeSet::new();
        for (entry, loaded) in catalog.load_all() {
            let Ok(tool) = loaded else {
                note(&format!(
                    "{} is not valid, and no table",
                    entry.file.display()
                ));
                continue;
            };
            let Ok(mut table) = Table::new(&tool) else {
                continue;
            };
            // A name that several services share leads to none of them.
            if !matches!(catalog.tool(&tool.name), Ok(found) if found.qualified_name() == tool.qualified_name())
            {
                table.name = format!("\"{}\"", tool.qualified_name());
            }
            let plain = sql::table_name(&tool.name);
            let is_wanted = |word: &String| plain.contains(&sql::table_name(word));
            if (words.is_empty() || words.iter().any(is_wanted)) && seen.insert(table.name.clone())
            {
                sheet.row(Json::of(&described(&table)))?;
            }
        }
        if sheet.rows == 0 && !words.is_empty() {
            note("no table has such a name");
        }
        sheet.finish()
    }
}

/// The text of a query. A device or a pipe may never end.
fn bounded(from: impl Read) -> std::io::Result<String> {
    let mut query = Vec::new();
    from.take(sql::LONGEST as u64 + 1).read_to_end(&mut query)?;
    match query.len() > sql::LONGEST {
        true => Err(std::io::Error::other(format!(
            "the query is longer than {} KiB",
            sql::LONGEST >> 10
        ))),
        false => String::from_utf8(query).map_err(std::io::Error::other),
    }
}

/// A table as a row of the list.
fn described(table: &Table) -> Value {
    let columns: Vec<&str> = table.shown().collect();
    let params = table.params.iter().map(|param| param.column.as_str());
    let params: Vec<&str> = params.collect();
    let needs: Vec<&str> = table
        .params
        .iter()
        .filter(|param| param.is_needed)
        .map(|param| param.name.as_str())
        .collect();
    json!({
        "table": table.name,
        "columns": columns.join(", "),
        "params": params.join(", "),
        "needs": needs.join(", "),
        "description": table.tool.description.trim(),
    })
}

/// Prints rows: as they come if the format allows it, otherwise all at once.
struct Sheet<'s> {
    printer: Printer<'s>,
    /// Whether all rows are gathered before any is printed.
    gathers: bool,
    /// The list of rows that wait, without its last bracket.
    text: Vec<u8>,
    rows: u64,
}

impl<'s> Sheet<'s> {
    fn new(sql: &'s Sql, projection: &'s Projection) -> Result<Sheet<'s>, Failure> {
        let (format, view) = (sql.format(), &sql.view);
        view.check(format, projection)?;
        let streams = matches!(format, Format::Ndjson | Format::Csv)
            && view.sort.is_none()
            && (view.jq.is_none() || format == Format::Ndjson);
        let started = sql.started;
        let deadline = sql.deadline.map(|within| Deadline { started, within });
        Ok(Sheet {
            printer: Printer::new(format, projection, view).until(deadline),
            gathers: !streams,
            text: Vec::new(),
            rows: 0,
        })
    }

    fn take(&mut self, rows: &mut Vec<Json>) -> Done {
        for row in rows.drain(..) {
            self.row(row)?;
        }
        if !self.gathers {
            let output = self.output();
            self.printer.page(&output)?;
        }
        Ok(())
    }

    fn row(&mut self, row: Json) -> Done {
        self.rows += 1;
        self.text.push(match self.text.is_empty() {
            true => b'[',
            false => b',',
        });
        self.text.extend_from_slice(row.bytes());
        match self.text.len() > GATHERED {
            true => Err(Failure::Told(
                exit::POLICY,
                format!(
                    "the rows have more than {} MiB, too many to print at once: ask for fewer, or print them as ndjson or csv",
                    GATHERED >> 20
                ),
            )),
            false => Ok(()),
        }
    }

    fn output(&mut self) -> Json {
        let mut text = std::mem::take(&mut self.text);
        if text.is_empty() {
            text.push(b'[');
        }
        text.push(b']');
        Json::made(text)
    }

    /// Prints what waits.
    fn finish(mut self) -> Done {
        let output = self.output();
        match self.gathers {
            true => self.printer.whole(&output, &[]),
            false => {
                self.printer.page(&output)?;
                self.printer.finish()
            }
        }
    }
}

/// The tools of a catalog as tables.
struct Tables {
    catalog: Catalog,
    names: Vec<String>,
    here: Here,
    timeout: Option<Duration>,
    deadline: Option<(Duration, Instant)>,
    engines: tokio::sync::Mutex<Engines>,
    /// A failure of the command line that ended the query.
    failure: Mutex<Option<Failure>>,
}

impl Tables {
    fn new(
        sql: &Sql,
        catalog: &Catalog,
        in_force: &InForce,
        query: &str,
    ) -> Result<Tables, Failure> {
        let mut names = BTreeSet::new();
        for entry in catalog.entries() {
            if Name::new(&entry.name).is_none() {
                continue;
            }
            names.insert(entry.name.clone());
            match &entry.service {
                Some(service) => drop(names.insert(format!("{service}/{}", entry.name))),
                // Only the file itself says which service it is of.
                None if query.contains('/') => {
                    let tool = crate::catalog::load(&entry).ok();
                    names.extend(tool.map(|tool| tool.qualified_name()));
                }
                None => {}
            }
        }
        let sandbox = sql.sandbox.as_deref();
        let engines = Engines::new(catalog, in_force, &sql.set, sandbox, &sql.here)?;
        Ok(Tables {
            catalog: catalog.clone(),
            names: names.into_iter().collect(),
            here: sql.here.clone(),
            timeout: sql.timeout,
            deadline: sql.deadline.map(|within| (within, sql.started)),
            engines: tokio::sync::Mutex::new(engines),
            failure: Mutex::default(),
        })
    }

    /// Says what there is to say about the engines: also which settings no service of the query has.
    async fn tell_engines(&self, done: &Done) {
        let engines = self.engines.lock().await;
        engines.tell_dotenv(done);
        for name in engines.unused() {
            note(&format!(
                "no service that the query called has a setting `{name}`"
            ));
        }
    }

    /// How the command fails.
    fn failure(&self, error: SqlError) -> Failure {
        let own = self
            .failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(own) = own {
            return own;
        }
        // Before a request there is nothing to say about its call.
        if let SqlError::Call {
            table,
            arguments,
            error,
        } = &error
            && !matches!(**error, Error::Secret(_) | Error::Setting(_))
        {
            note(&format!("this was {table}, called with {arguments}"));
        }
        match error {
            SqlError::Call { error, .. } | SqlError::Load(error) | SqlError::Late(error) => {
                Failure::Error(*error)
            }
            error => {
                let hint = hints::of_query(&error).map(|hint| format!("; {hint}"));
                let message = format!("{error}{}", hint.unwrap_or_default());
                Failure::Told(exit_code(error.kind()), message)
            }
        }
    }
}

impl Source for Tables {
    fn names(&self) -> Vec<String> {
        self.names.clone()
    }

    fn tool(&self, name: &str) -> Result<Arc<Tool>, SqlError> {
        self.catalog.tool(name).map_err(|error| match error {
            LoadError::AmbiguousTool { candidates, .. } => SqlError::Ambiguous {
                name: sql::table_name(name),
                tools: candidates,
            },
            other => SqlError::Load(Box::new(Error::from(other))),
        })
    }

    fn begin<'s>(
        &'s self,
        _table: &'s str,
        tool: &'s Arc<Tool>,
        arguments: &'s Value,
    ) -> Begun<'s> {
        Box::pin(async move {
            let engine = self.engines.lock().await.of(tool).await;
            let engine = engine.map_err(|failure| match failure {
                Failure::Error(error) => SqlError::Load(Box::new(error)),
                other => {
                    let mut own = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
                    *own = Some(other);
                    SqlError::Stopped
                }
            })?;
            let mut call = reach::call(tool, arguments.clone(), self.timeout, &self.here);
            if let Some((within, since)) = self.deadline {
                call = call.deadline(within, since);
            }
            Ok(Reading {
                engine,
                call,
                id: 0,
            })
        })
    }
}
