//! `toolrun call`: runs a tool.

mod download;
mod dry_run;
mod one;
mod stand_in;
mod walk;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::send::SendError;
use crate::{Access, Catalog, Engine, Files, Limit, Tool};
use clap::Args;
use serde_json::Value;

use super::arguments::Clock;
use super::config::InForce;
use super::output::jq::Deadline;
use super::output::{Format, Printer, View};
use super::reach::{self, Here};
use super::terminal::{self, Progress};
use super::{Done, Failure, arguments, exit, note, trust, usage};

pub(crate) use dry_run::tell_optional;
use dry_run::{DryRun, print_plan};
pub(crate) use stand_in::{inject, loopback, sandboxed};
pub(crate) use watch::watch;

/// How many steps of work pass before the runtime looks at the clock and at signals.
const LOOKS: u32 = 4;

/// What the help says of `--trust`.
const TRUST: &str = "Trust a folder for this call; `toolrun trust` trusts it permanently. May be given several times. \
                     $TOOLRUN_TRUST lists folders too";

/// Call a tool.
#[derive(Debug, Args)]
#[command(mut_arg("trust", |arg| arg.help(TRUST)))]
pub(crate) struct Call {
    /// The tool, such as list-workspaces or anthropic-admin/list-workspaces
    name: String,
    /// Arguments: key=value, key=@FILE, key:=JSON, key:=@FILE, one JSON object, @FILE (JSON or YAML), or - for standard
    /// input
    #[arg(value_name = "ARGS")]
    arguments: Vec<String>,
    /// Follow the pages to the last one
    #[arg(long)]
    all: bool,
    /// Follow the pages until there are this many items
    #[arg(long, value_name = "N", value_parser = parse_count)]
    max_items: Option<u64>,
    /// Follow the pages, but at most this many
    #[arg(long, value_name = "N", value_parser = parse_count)]
    max_pages: Option<u64>,
    /// How to print the output; a table on a terminal and JSON in a pipe unless given
    #[arg(long, short, value_enum, value_name = "FORMAT")]
    output: Option<Format>,
    #[command(flatten)]
    view: View,
    /// Print what would be sent, with secrets masked, and send nothing
    #[arg(long, value_enum, value_name = "FORM", num_args = 0..=1, require_equals = true, default_missing_value = "http")]
    dry_run: Option<DryRun>,
    /// Call the service's sandbox: one that is started for this call, or one that listens at a loopback URL
    #[arg(long, value_name = "URL", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    sandbox: Option<String>,
    /// Make the sandbox answer with a fault first, such as rate_limited or overloaded:2
    #[arg(long, value_name = "FAULT[:TIMES]", requires = "sandbox")]
    fault: Option<String>,
    /// Save the file that the tool downloads; - is standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Overwrite the file of --out if it exists
    #[arg(long, requires = "out")]
    force: bool,
    /// Do not wait for the job that the tool creates; print the first response, which identifies it
    #[arg(long)]
    no_wait: bool,
    /// Consent to a tool that writes or destroys
    #[arg(long)]
    yes: bool,
    /// Give up a request, with its retries, after this time, such as 5s
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    timeout: Option<Duration>,
    /// Give up after this time, such as 5m; what was read until then is printed
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    deadline: Option<Duration>,
    /// Override a setting of the service
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_setting)]
    set: Vec<(String, String)>,
    #[command(flatten)]
    here: Here,
    /// When the command began, for its deadline
    #[arg(skip = Instant::now())]
    started: Instant,
}

pub(crate) fn parse_time(text: &str) -> Result<Duration, String> {
    text.parse::<crate::words::Duration>().map(|time| time.0)
}

pub(crate) fn parse_count(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("write a whole number, 1 at least".to_owned()),
        Ok(count) => Ok(count),
    }
}

/// Reads something that may never end, and does not wait for it beyond the deadline.
pub(crate) fn within<T: Send + 'static>(
    deadline: Option<Duration>,
    read: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    let Some(within) = deadline else {
        return Ok(read());
    };
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        // After the deadline, nobody receives this any more.
        let _ = sender.send(read());
    });
    receiver.recv_timeout(within).map_err(|_| {
        let limit = Limit::Deadline;
        let late = SendError::Timeout { within, limit };
        Failure::Error(late.into())
    })
}

/// What the futures of calls run on.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // If a service floods one task, the clock and signals must still be checked.
        .event_interval(LOOKS)
        .build()
        .map_err(|error| Failure::Told(exit::NETWORK, format!("cannot start: {error}")))
}

/// The data of a sandbox ends at a time of its own, so words such as `yesterday` count from there.
pub(crate) fn sandbox_clock(tool: &Arc<Tool>, catalog: &Catalog) -> Clock {
    let (tool, catalog) = (Arc::clone(tool), catalog.clone());
    Clock::of_sandbox(move || crate::sandbox::Sandbox::now_for(&catalog, &tool))
}

pub(crate) fn parse_setting(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| "write NAME=VALUE".to_owned())
}

impl Call {
    /// Whether errors must be one JSON object.
    pub(crate) fn wants_json(&self) -> bool {
        matches!(self.output, Some(Format::Json | Format::Ndjson))
    }

    /// Whether a long text may go through a pager.
    pub(crate) fn wants_pager(&self) -> bool {
        !self.view.no_pager
    }

    /// Takes this output format if no other is asked for.
    pub(crate) fn prefer(&mut self, format: Option<Format>) {
        // What is saved is never printed, so the service's own answer cannot be.
        let format = format.filter(|format| self.out.is_none() || *format != Format::Raw);
        self.output = self.output.or(format);
    }

    /// The format of the output.
    fn format(&self) -> Format {
        self.output.unwrap_or_else(Format::for_stdout)
    }

    /// Starts printing outputs of a tool.
    fn printer<'t>(&'t self, tool: &'t Tool) -> Printer<'t> {
        let started = self.started;
        let deadline = self.deadline.map(|within| Deadline { started, within });
        Printer::new(self.format(), &tool.projection, &self.view).until(deadline)
    }

    /// Runs the command.
    pub(crate) fn run(self, catalog: &Catalog, in_force: &InForce) -> Done {
        let mut catalog = catalog.clone();
        let mut tool = catalog.tool(&self.name)?;
        let tape = &self.here.tape;
        tape.check(self.sandbox.is_some())?;
        let is_sent = self.dry_run.is_none() && self.sandbox.is_none() && !tape.plays_alone();
        if is_sent && trust::ask(&tool)? {
            let folder = tool.service.origin.untrusted_folder();
            catalog = catalog.with_trusted_folder(folder.unwrap_or(Path::new("")));
            tool = catalog.tool(&self.name)?;
        }
        self.view.check(self.format(), &tool.projection)?;
        if self.view.jq.is_some() && self.out.as_deref() == Some(Path::new("-")) {
            return Err(usage(
                "--jq has nothing to work on: with `--out -` only the file is printed",
            ));
        }
        let arguments = self.read_arguments(&tool, &catalog)?;
        let engine = self.engine(&tool, in_force)?;
        let mut call = self.call(&tool, arguments);
        self.tell_unread(&tool);
        if let Some(form) = self.dry_run {
            let mut plan = engine.plan(&call)?;
            tell_optional(&engine, &tool);
            if matches!(form, DryRun::Curl) {
                plan = plan.with_variables(|name| in_force.variable_for(name));
                in_force.tell_moved(&tool.service);
            }
            return print_plan(&plan, form);
        }
        if self.sandbox.is_none() && !tape.plays_alone() {
            in_force.tell_overridden(&engine, &tool.service);
        }
        if self.is_agreed(&engine, &tool, &call)? {
            call = call.consent(Access::Destructive);
        }
        let _progress = Progress::start();
        let runtime = runtime()?;
        let done = runtime.block_on(async {
            match &self.sandbox {
                None => {
                    let done = self.exchange(&engine, &tool, call).await;
                    tell_dotenv(&engine, &done);
                    done
                }
                Some(url) => {
                    // Mistakes in the arguments are reported before a sandbox is started.
                    engine.plan(&call)?;
                    let fault = self.fault.as_deref();
                    let (engine, _server) = sandboxed(engine, &catalog, &tool, url, fault).await?;
                    self.exchange(&engine, &tool, call).await
                }
            }
        });
        // If a program or the operating system was asked for a secret, we no longer wait for it.
        runtime.shutdown_background();
        // The program ends here, and the tool has no secrets: to take it apart would be work for nothing.
        std::mem::forget(tool);
        done
    }

    /// Standard input, or a file that is a pipe, may never end. We do not wait for it beyond the deadline.
    fn read_arguments(&self, tool: &Arc<Tool>, catalog: &Catalog) -> Result<Value, Failure> {
        let (tool, words) = (Arc::clone(tool), self.arguments.clone());
        let clock = self.clock(&tool, catalog);
        let own = Arc::clone(&tool);
        let read = within(self.deadline, move || {
            arguments::parse(&own, &words, &clock)
        })?;
        read.map_err(usage)?.settle(&tool)
    }

    fn clock(&self, tool: &Arc<Tool>, catalog: &Catalog) -> Clock {
        match self.sandbox {
            None => Clock::of_system(),
            Some(_) => sandbox_clock(tool, catalog),
        }
    }

    fn engine(&self, tool: &Tool, in_force: &InForce) -> Result<Engine, Failure> {
        let engine = reach::plain(self.here.cacert.as_deref(), &self.here.tape, in_force)?;
        let own = in_force.settings(&tool.service);
        Ok(reach::with_settings(engine, own.iter().chain(&self.set)))
    }

    fn call(&self, tool: &Arc<Tool>, arguments: Value) -> crate::Call {
        let mut call = reach::call(tool, arguments, self.timeout, &self.here)
            // The only call of this process needs no random id.
            .id("call")
            .files(Files::Any);
        if self.no_wait {
            call = call.without_waiting();
        }
        if let Some(deadline) = self.deadline {
            call = call.deadline(deadline, self.started);
        }
        if self.yes {
            call = call.consent(Access::Destructive);
        }
        if let Some(pages) = self.max_pages {
            call = call.max_pages(pages);
        }
        if let Some(items) = self.max_items {
            call = call.max_items(items);
        }
        call
    }

    /// The tool's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The folders that are trusted for this call.
    pub(crate) fn trusted(&self) -> &[PathBuf] {
        &self.here.trust
    }

    /// Asks on a terminal whether a tool that writes may go on. Without a person to ask, the call ends for want of
    /// consent; a no is an error here.
    fn is_agreed(&self, engine: &Engine, tool: &Tool, call: &crate::Call) -> Result<bool, Failure> {
        let is_played = self.here.tape.plays_alone();
        let may_send = tool.service.origin.is_trusted() || self.sandbox.is_some() || is_played;
        if tool.access == Access::Read || self.yes || !may_send || !terminal::can_ask() {
            return Ok(false);
        }
        // Mistakes in the arguments are reported before anything is asked.
        let plan = engine.plan(call)?;
        let service = tool.service.title.as_ref().unwrap_or(&tool.service.name);
        let what = match tool.access {
            Access::Destructive => "This may destroy data for good",
            _ => "This may change data",
        };
        let place = match self.sandbox {
            None if is_played => format!("in the recording of {service}"),
            Some(_) => format!("in the sandbox of {service}"),
            None => format!("at {service}"),
        };
        let request = format!("{} {}", plan.method, plan.masked_url());
        let question = format!("{what} {place}: {} ({request}). Go on?", tool.name);
        match terminal::ask(&question)? {
            true => Ok(true),
            false => Err(Failure::Told(
                exit::POLICY,
                format!("{} was not called: the answer was no", tool.name),
            )),
        }
    }

    /// A plan that was made without the environment's settings is not the plan that a trusted tool would give.
    fn tell_unread(&self, tool: &Tool) {
        if tool.service.origin.is_trusted() {
            return;
        }
        if self.dry_run.is_some() {
            note(
                "the tool's folder is not trusted: it is planned without any value of this machine, and not called",
            );
        }
        for (setting, variable) in tool.service.unread_variables() {
            let is_given = self.set.iter().any(|(name, _)| name == setting);
            if !is_given && std::env::var_os(variable).is_some() {
                note(&format!(
                    "the environment variable {variable} is not read for the setting `{setting}`: the tool's folder is \
                     not trusted"
                ));
            }
        }
    }

    async fn exchange(&self, engine: &Engine, tool: &Tool, call: crate::Call) -> Done {
        if let Some(out) = &self.out {
            return self.download(engine, tool, call, out).await;
        }
        if self.no_wait && tool.wait.is_none() {
            note(&format!("{} creates no job to wait for", tool.name));
        }
        let walks = self.all || self.max_items.is_some() || self.max_pages.is_some();
        if !walks || tool.wait.is_some() {
            if walks {
                note(&format!("{} has no pages; there is one answer", tool.name));
            }
            let page = self.page(engine, tool, call).await?;
            Progress::end();
            return self.print_one(&page, tool);
        }
        if tool.paging.is_none() {
            note(&format!("{} has no pages; there is one answer", tool.name));
        }
        self.walk(engine, tool, call).await
    }
}

/// Reports what is wrong with the `.env` file, because it may explain why a secret is not the intended one. If the
/// secret is missing, the error itself says it.
pub(crate) fn tell_dotenv(engine: &Engine, done: &Done) {
    let is_told = matches!(done, Err(Failure::Error(crate::Error::Secret(_))));
    if let Some(problem) = engine.dotenv_problem().filter(|_| !is_told) {
        note(&problem);
    }
}
