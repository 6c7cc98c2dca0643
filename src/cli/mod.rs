//! The command line: one file per command, one per output format. Only here is anything printed.

mod approve;
mod arguments;
mod audit;
mod batch;
mod call;
mod callers;
mod chosen;
mod ci;
mod commands;
mod completions;
mod config;
mod diff;
mod docs;
mod drift;
mod explain;
mod export;
mod fmt;
mod form;
mod hardening;
mod help;
mod hints;
mod import;
mod interrupt;
mod list;
mod lsp;
mod man;
mod markdown;
mod meant;
mod new;
mod output;
mod policy;
mod profile;
mod reach;
mod record;
mod report;
mod roots;
mod sandbox;
mod schemas;
mod serve;
mod show;
mod sql;
mod store;
mod sync;
mod tape;
mod terminal;
mod test;
mod trust;
mod validate;
mod xml;

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use crate::catalog::LoadError;
use crate::{Catalog, Error, ErrorKind};
use clap::{CommandFactory, FromArgMatches, Parser};
use commands::Command;
use config::InForce;
use serde_json::{Value, json};

use terminal::say;

/// Where help lists the options that all commands have: behind those of the command.
const LAST: usize = 900;

/// Run tools that are described in YAML.
#[derive(Debug, Parser)]
#[command(name = "toolrun", version, about, long_about = None, max_term_width = 100)]
struct Shared {
    /// A folder of descriptors that you trust; may be given several times. Tools are also found through $TOOLRUN_TOOLS
    /// and in ./tools.
    #[arg(long, global = true, value_name = "DIR", display_order = LAST)]
    tools: Vec<PathBuf>,
    /// The profile of the configuration file to use; "" is none. $TOOLRUN_PROFILE names it too
    #[arg(long, global = true, value_name = "NAME", display_order = LAST)]
    profile: Option<String>,
    /// Read secrets from this file of NAME=value lines, not from .env
    #[arg(long, global = true, value_name = "FILE", display_order = LAST)]
    env_file: Option<PathBuf>,
    /// Share rate budgets and access tokens through this store: sqlite:PATH or postgres://USER@HOST/DATABASE. $TOOLRUN_STORE
    /// names it too
    #[arg(long, global = true, value_name = "URL", display_order = LAST)]
    store: Option<String>,
}

/// A command line: the options that all commands have, and the command.
#[derive(Debug)]
struct Cli {
    shared: Shared,
    command: Command,
}

impl Cli {
    /// The whole program, with all commands.
    fn program() -> clap::Command {
        Cli::with(commands::all)
    }

    fn with(commands: impl FnOnce(clap::Command) -> clap::Command) -> clap::Command {
        commands(Shared::command())
            .subcommand_required(true)
            .arg_required_else_help(true)
    }

    /// Reads a command line, the program's name first. If a command comes next, the parser is told of no other: it
    /// copies the options that all commands have into each, which would be a thirteenth of the instructions of a cold
    /// call.
    ///
    /// # Errors
    /// When the parser does not understand it, or is asked for help.
    fn read(words: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
        let words: Vec<OsString> = words.into_iter().collect();
        let name = words.get(1).and_then(|word| word.to_str());
        let program = match name.and_then(commands::named) {
            Some(named) => Cli::with(|program| program.subcommand(named)),
            None => Cli::program(),
        };
        let matches = program.try_get_matches_from(words)?;
        let told = |error: clap::Error| error.format(&mut Cli::program());
        Ok(Cli {
            shared: Shared::from_arg_matches(&matches).map_err(told)?,
            command: Command::of(&matches).map_err(told)?,
        })
    }

    /// What flags and the profile say. Commands that use none of it also work with a broken configuration file.
    fn in_force(&self) -> Result<InForce, Failure> {
        let is_free = match &self.command {
            Command::Config(config) => config.wants_path(),
            Command::Explain(_)
            | Command::Approve(_)
            | Command::Audit(_)
            | Command::Trust(_)
            | Command::Untrust(_)
            | Command::Callers(_)
            | Command::Lsp(_)
            | Command::New(_)
            | Command::Import(_)
            | Command::Diff(_)
            | Command::Schemas(_)
            | Command::Completions(_)
            | Command::Man(_) => self.shared.profile.is_none(),
            _ => false,
        };
        match is_free {
            true => Ok(InForce::default()),
            false => InForce::new(
                self.shared.profile.as_deref(),
                self.shared.env_file.clone(),
                self.shared.store.as_deref(),
            ),
        }
    }
}

/// How a command fails.
#[derive(Debug)]
enum Failure {
    /// A call or a lookup failed.
    Error(Error),
    /// Nobody reads standard output any more, as after `| head`. There is nothing to report.
    Closed,
    /// Another error: the exit code and the message.
    Told(u8, String),
    /// The command has already printed everything.
    Silent(u8),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Error(error)
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Failure {
        Failure::Error(error.into())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::Closed,
            _ => Failure::Told(exit::OUTPUT, format!("cannot write: {error}")),
        }
    }
}

type Done = Result<(), Failure>;

/// What a command found, once it is printed. It counts also where nobody reads the output to its end, as before `| head`.
fn judged<E: Into<Failure>>(printed: Result<(), E>, verdict: Done) -> Done {
    match printed.map_err(Into::into) {
        Ok(()) | Err(Failure::Closed) => verdict,
        Err(failure) => Err(failure),
    }
}

/// The verdict of a command that looks for what is wrong.
fn failed_if(fails: bool) -> Done {
    match fails {
        true => Err(Failure::Silent(exit::DESCRIPTOR)),
        false => Ok(()),
    }
}

/// A failure of whoever called: wrong words, options or files.
fn usage(message: impl Into<String>) -> Failure {
    Failure::Told(exit::USAGE, message.into())
}

/// Exit codes. They are a part of the contract with scripts.
mod exit {
    pub(crate) const OUTPUT: u8 = 1;
    pub(crate) const USAGE: u8 = 2;
    pub(crate) const DESCRIPTOR: u8 = 3;
    pub(crate) const SECRET: u8 = 4;
    pub(crate) const POLICY: u8 = 5;
    pub(crate) const REFUSED: u8 = 6;
    pub(crate) const FAILED: u8 = 7;
    pub(crate) const NETWORK: u8 = 8;
    pub(crate) const RESPONSE: u8 = 9;
    /// A part of the work failed: some jobs of a batch are dead, or nobody knows whether they were carried out.
    pub(crate) const PARTIAL: u8 = 10;
    /// The exit code for a signal, as if the signal itself had ended the process.
    pub(crate) const SIGNAL: u8 = 128;

    /// The exit code for the name of a kind of error.
    pub(crate) fn of_kind(name: &str) -> u8 {
        let codes = OUTPUT..=RESPONSE;
        codes
            .into_iter()
            .find(|code| super::kind_name(*code) == name)
            .unwrap_or(PARTIAL)
    }
}

fn exit_code(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::Usage => exit::USAGE,
        ErrorKind::Descriptor => exit::DESCRIPTOR,
        ErrorKind::Secret => exit::SECRET,
        ErrorKind::Policy => exit::POLICY,
        ErrorKind::Refused => exit::REFUSED,
        ErrorKind::Failed => exit::FAILED,
        ErrorKind::Network => exit::NETWORK,
        ErrorKind::Response => exit::RESPONSE,
        ErrorKind::Output => exit::OUTPUT,
    }
}

/// Parses the command line, runs the command and returns its exit code.
pub fn main() -> ExitCode {
    hardening::harden();
    terminal::tell_panics();
    if let Some(code) = completions::answer().or_else(output::jq::answer) {
        return code;
    }
    let mut cli = match Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => {
            if let Some(done) = help::of_call(&error) {
                return ended(done, false);
            }
            let meant = meant::arguments_for_options(&error);
            let Some((message, as_json)) = meant.or_else(|| meant::tool_for_command(&error)) else {
                return tell_usage(&error);
            };
            return ended(Err(Failure::Told(exit::USAGE, message)), as_json);
        }
    };
    let mut as_json = match &cli.command {
        Command::Call(call) => call.wants_json(),
        Command::Batch(batch) => batch.wants_json(),
        Command::Worker(worker) => worker.wants_json(),
        Command::Config(config) => config.wants_json(),
        Command::List(list) => list.wants_json(),
        Command::Show(show) => show.wants_json(),
        Command::Sync(sync) => sync.wants_json(),
        Command::Policy(policy) => policy.wants_json(),
        Command::Approve(approve) => approve.wants_json(),
        Command::Audit(audit) => audit.wants_json(),
        Command::Callers(callers) => callers.wants_json(),
        Command::Sql(sql) => sql.wants_json(),
        _ => false,
    };
    NOTES.hold(as_json);
    let done = cli.in_force().and_then(|in_force| {
        if let Command::Call(call) = &mut cli.command {
            call.prefer(in_force.output());
            as_json = call.wants_json();
            NOTES.hold(as_json);
        }
        if let Command::Sql(sql) = &mut cli.command {
            sql.prefer(in_force.output());
            as_json = sql.wants_json();
            NOTES.hold(as_json);
        }
        run(cli, &in_force)
    });
    let done = tape::finish(done);
    ended(done, as_json)
}

fn run(cli: Cli, in_force: &InForce) -> Done {
    let trusted = match &cli.command {
        Command::Call(call) => call.trusted(),
        Command::Sql(sql) => sql.trusted(),
        Command::Batch(batch) => batch.trusted(),
        Command::Worker(worker) => worker.trusted(),
        Command::Sync(sync) => sync.trusted(),
        Command::Drift(drift) => drift.trusted(),
        _ => &[],
    };
    let catalog = catalog(&cli.shared.tools, trusted, in_force)?;
    match cli.command {
        Command::List(list) => list.run(&catalog),
        Command::Show(show) => show.run(&catalog),
        Command::Call(call) => call.run(&catalog, in_force),
        Command::Sql(sql) => sql.run(&catalog, in_force),
        Command::Batch(batch) => batch.run(&catalog, in_force),
        Command::Worker(worker) => worker.run(&catalog, in_force),
        Command::Sync(sync) => sync.run(&catalog, in_force),
        Command::Docs(docs) => docs.run(&catalog),
        Command::Fmt(fmt) => fmt.run(&catalog),
        Command::Validate(validate) => validate.run(&catalog),
        Command::Ci(ci) => ci.run(&catalog),
        Command::Lsp(lsp) => lsp.run(),
        Command::Diff(diff) => diff.run(),
        Command::Explain(explain) => explain.run(),
        Command::Drift(drift) => drift.run(&catalog, in_force),
        Command::Test(test) => test.run(&catalog),
        Command::Sandbox(sandbox) => sandbox.run(&catalog),
        Command::Serve(serve) => serve.run(&catalog, in_force),
        Command::Policy(policy) => policy.run(&catalog),
        Command::Approve(approve) => approve.run(),
        Command::Audit(audit) => audit.run(),
        Command::Callers(callers) => callers.run(),
        Command::Export(export) => export.run(&catalog),
        Command::Trust(trust) => trust.run(),
        Command::Untrust(untrust) => untrust.run(),
        Command::New(new) => new.run(),
        Command::Import(import) => import.run(),
        Command::Config(config) => config.run(&catalog, in_force, &cli.shared.tools),
        Command::Record(record) => record.run(&catalog),
        Command::Schemas(schemas) => schemas.run(),
        Command::Completions(completions) => completions.run(),
        Command::Man(man) => man.run(),
    }
}

/// Tells how a command ended, and gives its exit code.
fn ended(done: Done, as_json: bool) -> ExitCode {
    if !matches!(done, Err(Failure::Told(..) | Failure::Error(_))) {
        NOTES.release();
    }
    match done {
        Ok(()) | Err(Failure::Closed) => ExitCode::SUCCESS,
        Err(Failure::Silent(code)) => ExitCode::from(code),
        Err(Failure::Told(code, message)) => {
            match as_json {
                true => say_error(json!({ "kind": kind_name(code), "message": message })),
                false => say(&format!("error: {message}")),
            }
            ExitCode::from(code)
        }
        Err(Failure::Error(error)) => {
            tell(&error, as_json);
            ExitCode::from(exit_code(error.kind()))
        }
    }
}

/// Prints what the command line parser says: an error, or help.
fn tell_usage(error: &clap::Error) -> ExitCode {
    // The error quotes the arguments. They must not look like lines of ours.
    let shown =
        std::env::args_os().map(|word| OsString::from(terminal::line(&word.to_string_lossy())));
    let told = Cli::read(shown).err();
    let told = told.as_ref().filter(|told| told.kind() == error.kind());
    let text = told.unwrap_or(error).render();
    let said = terminal::say_usage(
        &text.to_string(),
        &text.ansi().to_string(),
        error.use_stderr(),
    );
    // Help that cannot be written is an error. A wrong command line already has an exit code of its own.
    if let Err(Failure::Told(code, message)) = said.map_err(Failure::from)
        && !error.use_stderr()
    {
        say(&format!("error: {message}"));
        return ExitCode::from(code);
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(exit::USAGE))
}

/// The places where tools are searched: first those that the user named, then the built-in ones, then those that depend
/// on the current folder. These are `./tools` and relative paths in the environment.
///
/// # Errors
/// When a folder that a flag or the profile names does not exist.
fn catalog(
    folders: &[PathBuf],
    trusted: &[PathBuf],
    in_force: &InForce,
) -> Result<Catalog, Failure> {
    let flags = folders
        .iter()
        .map(|folder| (folder.as_path(), "--tools".to_owned()));
    for (folder, by) in flags.chain(in_force.tools()) {
        if !folder.is_dir() {
            let folder = folder.display();
            return Err(Failure::Told(
                exit::USAGE,
                format!("there is no folder {folder} ({by})"),
            ));
        }
    }
    let (named, here): (Vec<PathBuf>, Vec<PathBuf>) = paths_of("TOOLRUN_TOOLS")
        .into_iter()
        .partition(|path| path.is_absolute());
    let here: Vec<PathBuf> = here
        .into_iter()
        .chain([trust::DEFAULT_FOLDER.into()])
        .filter(|path| path.is_dir())
        .collect();
    for folder in named.iter().filter(|folder| !folder.is_dir()) {
        note(&format!(
            "there is no folder {} ($TOOLRUN_TOOLS)",
            folder.display()
        ));
    }
    let own: Vec<PathBuf> = in_force
        .tools()
        .map(|(folder, _)| folder.to_owned())
        .collect();
    let has_folders =
        !(here.is_empty() && named.is_empty() && folders.is_empty() && own.is_empty());
    let mut catalog = Catalog::builtin();
    for folder in here {
        catalog = catalog.with_local_folder(folder);
    }
    for folder in folders.iter().chain(&named).chain(&own).rev() {
        catalog = catalog.with_folder(folder);
    }
    for folder in trusted.iter().chain(&paths_of("TOOLRUN_TRUST")) {
        catalog = catalog.with_trusted_folder(folder);
    }
    Ok(match has_folders {
        true => catalog.with_trust_list(&trust::known()),
        false => catalog,
    })
}

/// The paths in an environment variable.
fn paths_of(variable: &str) -> Vec<PathBuf> {
    let paths = std::env::var_os(variable).unwrap_or_default();
    std::env::split_paths(&paths)
        .filter(|path| !path.as_os_str().is_empty())
        .collect()
}

fn tell(error: &Error, as_json: bool) {
    let hint = hints::hint(error);
    if as_json {
        let mut error = error.to_json()["error"].take();
        if let Some(hint) = hint {
            error["hint"] = hint.into();
        }
        return say_error(error);
    }
    say(&format!("error: {error}"));
    if let Some(hint) = hint {
        say(&format!("hint: {hint}"));
    }
}

/// The name of the kind of error that has this exit code.
fn kind_name(code: u8) -> Value {
    let kinds = [
        ErrorKind::Usage,
        ErrorKind::Descriptor,
        ErrorKind::Secret,
        ErrorKind::Policy,
        ErrorKind::Refused,
        ErrorKind::Failed,
        ErrorKind::Network,
        ErrorKind::Response,
        ErrorKind::Output,
    ];
    if code > exit::SIGNAL {
        return "interrupted".into();
    }
    if code == exit::PARTIAL {
        return "partial".into();
    }
    let kind = kinds.into_iter().find(|kind| exit_code(*kind) == code);
    kind.map_or_else(|| "failed".into(), |kind| json!(kind))
}

/// Prints an error as one JSON object, together with the notes that were held back.
fn say_error(mut error: Value) {
    let notes = NOTES.take();
    if !notes.is_empty() {
        error["notes"] = notes.into();
    }
    terminal::say_json(&json!({ "error": error }));
}

/// Notes while a command runs. If an error must be the only text on standard error, notes are held back until the
/// result is known.
struct Notes(Mutex<Option<Vec<String>>>);

static NOTES: Notes = Notes(Mutex::new(None));

impl Notes {
    fn hold(&self, hold: bool) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = hold.then(Vec::new);
    }

    fn take(&self) -> Vec<String> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.take().unwrap_or_default()
    }

    fn release(&self) {
        self.take()
            .iter()
            .for_each(|note| say(&format!("note: {note}")));
    }
}

/// Prints a note, or holds it back.
fn note(text: &str) {
    let mut held = NOTES.0.lock().unwrap_or_else(PoisonError::into_inner);
    match &mut *held {
        Some(notes) => notes.push(text.to_owned()),
        None => say(&format!("note: {text}")),
    }
}
