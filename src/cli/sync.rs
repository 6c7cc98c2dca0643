//! `toolrun sync`: copies the rows of tools into tables, and keeps them up to date.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;

use super::arguments::{self, Clock};
use super::call::{self, parse_setting, parse_time};
use super::config::InForce;
use super::form::Form;
use super::interrupt::{Signal, next_signal_ends, unless_interrupted};
use super::reach::{self, Engines, Here};
use super::roots::roots;
use super::terminal::{self, Progress, line, say};
use super::{Done, Failure, exit, exit_code, hints, note, usage};
use crate::sync::{
    self, Counts, Destination, Fault, Into, Mode, Options, Policy, Singer, Source, Step,
    TableReport, Trouble, Watch,
};
use crate::{Catalog, Json, Pages, Tool};

/// Copy the rows of tools into a database or files, and keep them up to date.
#[derive(Debug, Args)]
#[command(mut_arg("trust", |arg| arg.help("Trust a folder for this run. May be given several times")))]
pub(crate) struct Sync {
    /// The tools; a tool whose arguments come from another one's rows is read after it
    #[arg(value_name = "TOOL", required = true)]
    names: Vec<String>,
    /// Where the rows go: sqlite:PATH, postgres://USER@HOST/DATABASE, ndjson:DIR, csv:DIR or parquet:DIR
    #[arg(long, value_name = "PLACE", required_unless_present = "singer")]
    into: Option<String>,
    /// The place that `into` names
    #[arg(skip)]
    place: Option<Into>,
    /// Write the messages of the Singer protocol to standard output
    #[arg(long, conflicts_with = "into")]
    singer: bool,
    /// Go on from the last STATE message of a run, in this file
    #[arg(long, value_name = "FILE", requires = "singer")]
    state: Option<PathBuf>,
    /// How rows are written: merge where the tool has a key, else replace, unless given
    #[arg(long, value_enum)]
    mode: Option<ModeWord>,
    /// What may change about the columns of a table that exists
    #[arg(long, value_enum, value_name = "POLICY", default_value = "evolve")]
    schema: PolicyWord,
    /// Read everything again, and replace the rows of each table at the end
    #[arg(long)]
    full: bool,
    /// Where tools with a cursor begin when they are read for the first time, such as 2026-11-01 or -30d
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    since: Option<String>,
    /// An argument of every tool that has the param, or of one: TOOL:KEY=VALUE. May be given several times
    #[arg(long = "arg", value_name = "[TOOL:]KEY=VALUE")]
    args: Vec<String>,
    /// Print what would be read and written, and do neither
    #[arg(long)]
    dry_run: bool,
    /// Read the services' sandboxes: those that are started for this run, or one that listens at a loopback URL
    #[arg(long, value_name = "URL", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    sandbox: Option<String>,
    /// Give up a request, with its retries, after this time, such as 5s
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    timeout: Option<Duration>,
    /// Override a setting of the services
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_setting)]
    set: Vec<(String, String)>,
    #[command(flatten)]
    here: Here,
    #[command(flatten)]
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ModeWord {
    /// The rows take the place of those before, in one step at the end
    Replace,
    /// The rows are added
    Append,
    /// A row takes the place of the one with its key, or is added
    Merge,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PolicyWord {
    /// Columns are added; one whose values have several types holds JSON texts
    Evolve,
    /// A value that does not fit is an error
    Freeze,
    /// A value that does not fit is left out, and told
    Discard,
}

impl Sync {
    /// Whether errors must be one JSON object.
    pub(crate) fn wants_json(&self) -> bool {
        self.form.is_json()
    }

    /// The folders that are trusted for this run.
    pub(crate) fn trusted(&self) -> &[PathBuf] {
        &self.here.trust
    }

    /// Runs the command.
    pub(crate) fn run(mut self, catalog: &Catalog, in_force: &InForce) -> Done {
        // The parser of the command line would quote the place, with its password.
        if let Some(into) = &self.into {
            let place: Into = into
                .parse()
                .map_err(|told: String| usage(format!("--into: {told}")))?;
            place.check().map_err(failure)?;
            self.place = Some(place);
        }
        let mut steps = sync::order(catalog, &self.names).map_err(failure)?;
        self.give_arguments(&mut steps, catalog)?;
        self.refuse_settings(&steps)?;
        let mut caller = Caller::new(&self, catalog, in_force)?;
        if self.dry_run {
            return self.print_plan(&steps, &caller.engines);
        }
        let mut destination = self.destination()?;
        let options = self.options();
        let progress = Progress::start();
        let mut told = Told;
        let reports = sync::copy_all(&steps, &mut *destination, &options, &mut caller, &mut told);
        drop(progress);
        self.tell(&reports, &caller)
    }

    /// A setting that no service has is a mistake.
    fn refuse_settings(&self, steps: &[Step]) -> Done {
        let is_known = |name: &str| {
            steps
                .iter()
                .any(|step| reach::has_setting(&step.tool, name))
        };
        match self.set.iter().find(|(name, _)| !is_known(name)) {
            Some((name, _)) => Err(usage(format!(
                "--set {name}: no service of this run has such a setting"
            ))),
            None => Ok(()),
        }
    }

    fn options(&self) -> Options {
        Options {
            mode: self.mode.map(|mode| match mode {
                ModeWord::Replace => Mode::Replace,
                ModeWord::Append => Mode::Append,
                ModeWord::Merge => Mode::Merge,
            }),
            policy: match self.schema {
                PolicyWord::Evolve => Policy::Evolve,
                PolicyWord::Freeze => Policy::Freeze,
                PolicyWord::Discard => Policy::Discard,
            },
            full: self.full,
        }
    }

    fn destination(&self) -> Result<Box<dyn Destination>, Failure> {
        if let Some(place) = &self.place {
            return place.open(&roots(None)).map_err(failure);
        }
        let state = match &self.state {
            None => None,
            Some(file) => {
                let shown = file.display();
                let text = std::fs::read_to_string(file)
                    .map_err(|error| usage(format!("cannot read {shown}: {error}")))?;
                let state = serde_json::from_str(&text)
                    .map_err(|error| usage(format!("{shown} is no state: {error}")))?;
                Some(state)
            }
        };
        let singer = Singer::new(Box::new(terminal::json()), state).map_err(failure)?;
        Ok(Box::new(singer))
    }

    /// Gives the tools the arguments of `--arg` and `--since`.
    fn give_arguments(&self, steps: &mut [Step], catalog: &Catalog) -> Done {
        for word in &self.args {
            let (own, word) = split_tool(word, steps);
            let name = param_of(word);
            let mut is_taken = false;
            for step in steps.iter_mut() {
                let is_meant = match &own {
                    Some(tool) => step.tool.name == *tool || step.tool.qualified_name() == *tool,
                    None => name.is_none_or(|name| step.tool.params.get(name).is_some()),
                };
                if is_meant {
                    is_taken = true;
                    let given = self.read(&step.tool, word, catalog)?;
                    step.arguments.extend(given);
                }
            }
            if !is_taken {
                return Err(usage(format!("no tool of this run takes `{word}` (--arg)")));
            }
        }
        let Some(since) = &self.since else {
            return Ok(());
        };
        let mut is_taken = false;
        for step in steps {
            let param = step.tool.sync.as_ref().and_then(|sync| sync.param.clone());
            if let Some(param) = param {
                is_taken = true;
                let given = self.read(&step.tool, &format!("{param}={since}"), catalog)?;
                step.since = given.get(&param).cloned();
            }
        }
        match is_taken {
            true => Ok(()),
            false => Err(usage(
                "--since has no use: no tool of this run has a cursor (`sync.cursor`)",
            )),
        }
    }

    fn read(
        &self,
        tool: &Arc<Tool>,
        word: &str,
        catalog: &Catalog,
    ) -> Result<Map<String, Value>, Failure> {
        let clock = match self.sandbox {
            None => Clock::of_system(),
            Some(_) => call::sandbox_clock(tool, catalog),
        };
        let read = arguments::parse(tool, &[word.to_owned()], &clock).map_err(usage)?;
        match read.settle(tool)? {
            Value::Object(given) => Ok(given),
            _ => Ok(Map::new()),
        }
    }

    /// Prints what would be read and written.
    fn print_plan(&self, steps: &[Step], engines: &Engines) -> Done {
        let place = self.place();
        let mut tables = Vec::new();
        let mut text = String::new();
        for (at, step) in steps.iter().enumerate() {
            let is_parent = steps.iter().any(|other| other.parent == Some(at));
            let (mode, mut arguments) =
                sync::planned(step, &self.options(), None, is_parent).map_err(failure)?;
            let parent = step.parent.map(|parent| &steps[parent].tool.name);
            let map = step.tool.sync.as_ref().map(|sync| &sync.map);
            for (param, column) in map.into_iter().flatten() {
                arguments[param] = format!("({column})").into();
            }
            let engine = engines.planning(&step.tool);
            let call = crate::Call::new(&step.tool, arguments);
            // The first call of a table may need a value that only its state has.
            let request = match engine.plan(&call) {
                Ok(plan) => format!("{} {}", plan.method, plan.masked_url()),
                Err(error) if parent.is_some() => format!("cannot be planned: {error}"),
                Err(error) => return Err(error.into()),
            };
            let written = match step.is_written {
                true => format!("{} {}", word_of(mode), step.table),
                false => "not written".to_owned(),
            };
            let each = parent.map_or(String::new(), |parent| {
                format!(", for each row of {parent}")
            });
            text.push_str(&format!(
                "{}: {request}{each}\n  {written}\n",
                step.tool.name
            ));
            tables.push(json!({
                "tool": step.tool.qualified_name(),
                "request": request,
                "parent": parent,
                "table": step.is_written.then_some(&step.table),
                "mode": step.is_written.then_some(mode),
            }));
        }
        if self.form.is_json() {
            let mut out = terminal::json();
            writeln!(out, "{:#}", json!({ "into": place, "tables": tables }))?;
            return Ok(out.flush()?);
        }
        let mut out = terminal::words();
        writeln!(
            out,
            "{text}into {place}; a table that exists goes on from its cursor"
        )?;
        Ok(out.flush()?)
    }

    /// The place without a password.
    fn place(&self) -> String {
        match &self.place {
            Some(place) => place.to_string(),
            None => "singer".to_owned(),
        }
    }

    /// Prints what was done.
    fn tell(&self, reports: &[TableReport], caller: &Caller<'_>) -> Done {
        let failed: Vec<&TableReport> = reports
            .iter()
            .filter(|report| report.error.is_some())
            .collect();
        // Standard output has the messages.
        if self.singer {
            let text: String = reports.iter().map(|report| told(report, false)).collect();
            text.lines().for_each(say);
        } else if self.form.is_json() {
            let mut out = terminal::json();
            let report = json!({ "into": self.place(), "tables": reports });
            writeln!(out, "{report:#}")?;
            out.flush()?;
        } else {
            let mut out = terminal::words();
            let text: String = reports.iter().map(|report| told(report, true)).collect();
            out.write_all(text.as_bytes())?;
            out.flush()?;
        }
        if let Some(signal) = caller.signal {
            next_signal_ends();
            return Err(signal.failure("what was not copied is as it was before"));
        }
        for report in failed.iter().filter(|report| report.lacks_beginning) {
            note(&format!(
                "{}: `--since` says where to begin, such as --since=-30d",
                report.table
            ));
        }
        let [first, ..] = failed.as_slice() else {
            return Ok(());
        };
        if reports.len() == 1
            && let Some(Fault {
                error: Some(error), ..
            }) = &first.error
        {
            let done = Err(Failure::Error((**error).clone()));
            caller.engines.tell_dotenv(&done);
            return done;
        }
        let code = |report: &TableReport| {
            report
                .error
                .as_ref()
                .map_or(exit::OUTPUT, |fault| exit_code(fault.kind))
        };
        let code = match failed.len() == reports.len() {
            true => code(first),
            false => exit::PARTIAL,
        };
        let messages: Vec<String> = failed.iter().map(|report| because(report)).collect();
        if reports.len() == 1 || self.form.is_json() {
            return Err(Failure::Told(code, messages.join("; ")));
        }
        messages
            .iter()
            .for_each(|message| say(&format!("error: {message}")));
        for report in failed {
            let error = report.error.as_ref().and_then(|fault| fault.error.as_ref());
            if let Some(hint) = error.and_then(|error| hints::hint(error)) {
                say(&format!("hint: {hint}"));
            }
        }
        Err(Failure::Silent(code))
    }
}

fn because(report: &TableReport) -> String {
    let reason = report
        .error
        .as_ref()
        .map_or("", |fault| fault.message.as_str());
    format!("{}: {reason}", report.table)
}

fn word_of(mode: Mode) -> &'static str {
    match mode {
        Mode::Replace => "replaces",
        Mode::Append => "appends to",
        Mode::Merge => "merges into",
    }
}

/// What was done for a table, in lines. What becomes of the rows before is known only where we write them.
fn told(report: &TableReport, is_ours: bool) -> String {
    let counts = report.counts;
    let table = line(&report.table);
    let is_copied = report.error.is_none();
    if !is_copied && counts == Counts::default() {
        return format!("{table}: not copied; {} rows were read\n", report.read);
    }
    let part = if is_copied { "" } else { "copied in part; " };
    let mut text = format!(
        "{table}: {part}{} rows read, {} added",
        report.read, counts.added
    );
    for (count, word) in [
        (counts.changed, "changed"),
        (counts.unchanged, "unchanged"),
        (report.known, "known"),
    ] {
        if count > 0 {
            text.push_str(&format!(", {count} {word}"));
        }
    }
    if is_ours && report.mode == Some(Mode::Replace) {
        text.push_str(", in place of those before");
    }
    text.push('\n');
    for (names, word) in [
        (&report.columns_added, "columns added"),
        (&report.conflicts, "columns of JSON texts now"),
    ] {
        if !names.is_empty() {
            text.push_str(&format!("  {word}: {}\n", line(&names.join(", "))));
        }
    }
    if !report.discarded.is_empty() {
        let left = report.discarded.iter();
        let left: Vec<String> = left
            .map(|(name, count)| format!("{} ({count})", line(name)))
            .collect();
        text.push_str(&format!("  values left out: {}\n", left.join(", ")));
    }
    if let Some(cursor) = &report.cursor {
        let value = |value: &Value| match value {
            Value::Null => "the beginning".to_owned(),
            Value::String(text) => line(text),
            Value::Object(many) => format!("{} cursors", many.len()),
            other => other.to_string(),
        };
        text.push_str(&format!(
            "  {table}.{}: from {} to {}\n",
            line(&cursor.column),
            value(&cursor.from),
            match &cursor.to {
                Value::Null => "nowhere, for want of rows".to_owned(),
                to => value(to),
            }
        ));
    }
    text
}

/// The tool that `TOOL:KEY=VALUE` names, and the rest.
fn split_tool<'w>(word: &'w str, steps: &[Step]) -> (Option<String>, &'w str) {
    let named = |name: &str| {
        steps
            .iter()
            .any(|step| step.tool.name == name || step.tool.qualified_name() == name)
    };
    match word.split_once(':') {
        Some((name, rest)) if named(name) => (Some(name.to_owned()), rest),
        _ => (None, word),
    }
}

/// The param that `KEY=VALUE` or `KEY:=JSON` gives.
fn param_of(word: &str) -> Option<&str> {
    let (key, _) = word.split_once('=')?;
    let key = key.strip_suffix(':').unwrap_or(key);
    Some(key.split(['.', '[']).next().unwrap_or(key))
}

fn failure(trouble: Trouble) -> Failure {
    let fault = Fault::from(trouble);
    match fault.error {
        Some(error) => Failure::Error(*error),
        None => Failure::Told(exit_code(fault.kind), fault.message),
    }
}

/// Tells what happens, as it happens.
struct Told;

impl Watch for Told {
    fn read(&mut self, table: &str, pages: u64, rows: u64) {
        Progress::read_of(table, pages, rows);
    }

    fn note(&mut self, table: &str, text: &str) {
        note(&format!("{table}: {text}"));
    }
}

/// Calls the tools, each through the engine of its service.
struct Caller<'c> {
    command: &'c Sync,
    runtime: Runtime,
    engines: Engines,
    pages: Option<Pages>,
    signal: Option<Signal>,
}

impl<'c> Caller<'c> {
    fn new(
        command: &'c Sync,
        catalog: &Catalog,
        in_force: &InForce,
    ) -> Result<Caller<'c>, Failure> {
        let sandbox = command.sandbox.as_deref();
        Ok(Caller {
            command,
            runtime: call::runtime()?,
            engines: Engines::new(catalog, in_force, &command.set, sandbox, &command.here)?,
            pages: None,
            signal: None,
        })
    }
}

impl Source for Caller<'_> {
    fn begin(&mut self, tool: &Arc<Tool>, arguments: Value) -> Result<(), Trouble> {
        let call = reach::call(tool, arguments, self.command.timeout, &self.command.here)
            .id("sync")
            .max_pages(u64::MAX);
        let engine = self.runtime.block_on(self.engines.of(tool));
        let engine = engine.map_err(|failure| match failure {
            Failure::Error(error) => Trouble::from(error),
            Failure::Told(_, message) => Trouble::Usage(message),
            Failure::Closed | Failure::Silent(_) => Trouble::Interrupted,
        })?;
        self.pages = Some(engine.pages(call)?);
        Ok(())
    }

    fn next(&mut self) -> Result<Option<Json>, Trouble> {
        let Some(pages) = &mut self.pages else {
            return Ok(None);
        };
        let next = self.runtime.block_on(unless_interrupted(pages.next()));
        match next {
            Err(signal) => {
                self.signal = Some(signal);
                pages.stop();
                Err(Trouble::Interrupted)
            }
            Ok(page) => match page? {
                None => Ok(None),
                Some(page) => Ok(Some(pages.output(&page)?)),
            },
        }
    }

    fn note(&self) -> Option<String> {
        let note = self.pages.as_ref()?.note()?;
        Some(note.to_string())
    }
}
