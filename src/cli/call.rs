//! `toolrun call`: runs a tool.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::json::{Key, Kind, Part};
use crate::send::{SeenBody, SendError, Shown};
use crate::words::seconds;
use crate::{
    Access, Catalog, Destination, Engine, Event, Files, Gathered, Limit, Note, Page, Pages, Resume,
    Roots, Secret, Stopped, Tool,
};
use clap::{Args, ValueEnum};
use serde_json::Value;
use url::Url;

use super::config::InForce;
use super::interrupt::{cancel, next_signal_ends, unless_interrupted};
use super::output::{Format, Printer, View};
use super::terminal::{self, Progress, line, say};
use super::{Done, Failure, arguments, exit, note, trust, usage};

/// Call a tool.
#[derive(Debug, Args)]
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
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_items: Option<u64>,
    /// Follow the pages, but at most this many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
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
    /// Trust a folder for this call; `toolrun trust` trusts it permanently. May be given several times. $TOOLRUN_TRUST
    /// lists folders too.
    #[arg(long, value_name = "DIR")]
    trust: Vec<PathBuf>,
    /// Trust the certificate authorities of a PEM file, or `system` for those of the operating system
    #[arg(long, value_name = "FILE")]
    cacert: Option<String>,
    /// Show what is sent and received, with secrets masked
    #[arg(long, short)]
    verbose: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum DryRun {
    Http,
    Curl,
    Json,
}

fn parse_time(text: &str) -> Result<Duration, String> {
    text.parse::<crate::words::Duration>().map(|time| time.0)
}

fn parse_setting(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| "write NAME=VALUE".to_owned())
}

impl Call {
    /// Whether errors must be one JSON object.
    pub(crate) fn wants_json(&self) -> bool {
        matches!(self.output, Some(Format::Json | Format::Ndjson))
    }

    /// Takes this output format if no other is asked for.
    pub(crate) fn prefer(&mut self, format: Option<Format>) {
        // What is saved is never printed, so the service's own answer cannot be.
        let format = format.filter(|format| self.out.is_none() || *format != Format::Raw);
        self.output = self.output.or(format);
    }

    /// Runs the command.
    pub(crate) fn run(self, catalog: &Catalog, in_force: &InForce) -> Done {
        let started = Instant::now();
        let mut catalog = catalog.clone();
        let mut tool = catalog.tool(&self.name)?;
        if self.dry_run.is_none() && self.sandbox.is_none() && trust::ask(&tool)? {
            let folder = tool.service.origin.untrusted_folder();
            catalog = catalog.with_trusted_folder(folder.unwrap_or(Path::new("")));
            tool = catalog.tool(&self.name)?;
        }
        let format = self.output.unwrap_or_else(Format::for_stdout);
        self.view.check(format, &tool)?;
        if self.view.jq.is_some() && self.out.as_deref() == Some(Path::new("-")) {
            return Err(usage(
                "--jq has nothing to work on: with `--out -` only the file is printed",
            ));
        }
        let arguments = self.read_arguments(&tool)?;
        let engine = self.engine(&tool, in_force)?;
        let mut call = self.call(&tool, arguments, started);
        self.tell_unread(&tool);
        if let Some(form) = self.dry_run {
            let plan = engine.plan(&call)?;
            let left_out = engine.left_out(&tool.service);
            if !left_out.secrets.is_empty() {
                note(&unauthenticated(&left_out.secrets));
            }
            if matches!(form, DryRun::Curl) {
                in_force.tell_moved(&tool.service);
            }
            return print_plan(&plan, form);
        }
        if self.sandbox.is_none() {
            in_force.tell_overridden(&engine, &tool.service);
        }
        if self.is_agreed(&engine, &tool, &call)? {
            call = call.consent(Access::Destructive);
        }
        let _progress = Progress::start();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            // If a service floods one task, the clock and signals must still be checked.
            .event_interval(LOOKS)
            .build()
            .map_err(|error| Failure::Told(exit::NETWORK, format!("cannot start: {error}")))?;
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
                    let (engine, _server) = self.with_sandbox(engine, &catalog, &tool, url).await?;
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
    fn read_arguments(&self, tool: &Arc<Tool>) -> Result<Value, Failure> {
        let (tool, words) = (Arc::clone(tool), self.arguments.clone());
        let Some(within) = self.deadline else {
            let read = arguments::parse(&tool, &words).map_err(usage)?;
            return read.settle(&tool);
        };
        let (sender, receiver) = std::sync::mpsc::channel();
        let within_thread = Arc::clone(&tool);
        std::thread::spawn(move || {
            // After the deadline, nobody receives this any more.
            let _ = sender.send(arguments::parse(&within_thread, &words));
        });
        match receiver.recv_timeout(within) {
            Ok(read) => read.map_err(usage)?.settle(&tool),
            Err(_) => {
                let limit = Limit::Deadline;
                let late = SendError::Timeout { within, limit };
                Err(Failure::Error(late.into()))
            }
        }
    }

    /// Of two values of a setting, the later counts.
    fn engine(&self, tool: &Tool, in_force: &InForce) -> Result<Engine, Failure> {
        let engine = in_force.engine()?.with_roots(self.roots());
        let settings = in_force.settings(&tool.service);
        let settings = settings.iter().chain(&self.set);
        Ok(settings.fold(engine, |engine, (name, value)| {
            engine.with_setting(name, value)
        }))
    }

    fn call(&self, tool: &Arc<Tool>, arguments: Value, started: Instant) -> crate::Call {
        let verbose = self.verbose;
        let mut call = crate::Call::new(tool, arguments)
            .observer(move |_, event| watch(&event, verbose))
            .files(Files::Any);
        if self.no_wait {
            call = call.without_waiting();
        }
        if let Some(timeout) = self.timeout {
            call = call.timeout(timeout);
        }
        if let Some(deadline) = self.deadline {
            call = call.deadline(deadline, started);
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
        &self.trust
    }

    /// Asks on a terminal whether a tool that writes may go on. Without a person to ask, the call ends for want of
    /// consent.
    fn is_agreed(&self, engine: &Engine, tool: &Tool, call: &crate::Call) -> Result<bool, Failure> {
        let may_send = tool.service.origin.is_trusted() || self.sandbox.is_some();
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
            Some(_) => format!("in the sandbox of {service}"),
            None => format!("at {service}"),
        };
        let request = format!("{} {}", plan.method, plan.masked_url());
        Ok(terminal::ask(&format!(
            "{what} {place}: {} ({request}). Go on?",
            tool.name
        ))?)
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

    fn roots(&self) -> Roots {
        match self.cacert.as_deref() {
            Some("system") => Roots::System,
            Some(file) => Roots::File(file.into()),
            None => match std::env::var_os("SSL_CERT_FILE") {
                Some(file) if !file.is_empty() => Roots::File(file.into()),
                _ => Roots::Bundled,
            },
        }
    }

    async fn with_sandbox(
        &self,
        engine: Engine,
        catalog: &Catalog,
        tool: &Arc<Tool>,
        url: &str,
    ) -> Result<(Engine, Option<crate::sandbox::Server>), Failure> {
        let mut engine = engine;
        if !url.is_empty() {
            for (name, value) in crate::sandbox::Sandbox::secrets_for(catalog, tool)? {
                engine = engine.with_secret(name, Secret::new(value));
            }
            let origin = loopback(url)?;
            if self.fault.is_some() {
                return Err(usage(
                    "--fault needs a sandbox that this call starts, so --sandbox must have no URL",
                ));
            }
            return Ok((engine.with_stand_in(origin), None));
        }
        let sandbox = crate::sandbox::Sandbox::for_tool(catalog, tool)?;
        for (name, value) in sandbox.secrets() {
            engine = engine.with_secret(name, Secret::new(value));
        }
        if let Some(fault) = &self.fault {
            inject(&sandbox, fault)?;
        }
        let server = crate::sandbox::Server::start(Arc::new(sandbox))
            .await
            .map_err(|error| {
                Failure::Told(exit::NETWORK, format!("cannot start the sandbox: {error}"))
            })?;
        let origin = loopback(&format!("http://{}", server.address()))?;
        Ok((engine.with_stand_in(origin), Some(server)))
    }

    async fn exchange(&self, engine: &Engine, tool: &Tool, call: crate::Call) -> Done {
        let format = self.output.unwrap_or_else(Format::for_stdout);
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
            return print_one(&page, tool, format, &self.view);
        }
        if tool.paging.is_none() {
            note(&format!("{} has no pages; there is one answer", tool.name));
        }
        self.walk(engine, tool, call, format).await
    }
}

impl Call {
    /// Follows the pages and prints what was read, no matter how the walk ends.
    async fn walk(&self, engine: &Engine, tool: &Tool, call: crate::Call, format: Format) -> Done {
        let mut pages = engine.pages(call)?;
        let mut printer = WalkPrinter::new(format, tool, &self.view);
        let read = read_pages(&mut pages, &mut printer).await;
        Progress::end();
        if matches!(read, Err(Failure::Closed)) {
            return read;
        }
        let notes: Vec<Note> = pages.note().cloned().into_iter().collect();
        let printed = match pages.count() {
            0 => Ok(()),
            _ => printer.finish(&notes),
        };
        for text in &notes {
            match text.is_incomplete() {
                true => note(&text.where_it_stopped()),
                false => note(&text.to_string()),
            }
        }
        // If both failed, the exit code is that of the walk, and the other error is printed too.
        if let (Err(_), Err(Failure::Told(_, message))) = (&read, &printed) {
            note(message);
        }
        read.and(printed)
    }

    /// The single response of a call. If the call creates a job, it is the job's last response, unless it is
    /// interrupted before.
    async fn page(&self, engine: &Engine, tool: &Tool, call: crate::Call) -> Result<Page, Failure> {
        if tool.wait.is_none() || self.no_wait {
            return Ok(engine.page(call).await?);
        }
        let job = engine.start(call).await?;
        match unless_interrupted(job.wait()).await {
            Ok(last) => match last? {
                Some(page) => Ok(page),
                None => Ok(job.finish().await?),
            },
            Err(signal) => Err(cancel(&job, signal).await),
        }
    }

    async fn download(&self, engine: &Engine, tool: &Tool, call: crate::Call, out: &Path) -> Done {
        if self.output == Some(Format::Raw) {
            return Err(usage(
                "`--output raw` has nothing to print: the service's answer goes to the file of --out",
            ));
        }
        let to_stdout = out.as_os_str() == "-";
        // A partial file must not go down a pipe. So the download goes into a temporary file until it is complete.
        let folder = to_stdout.then(tempfile::tempdir).transpose()?;
        let mut to = match &folder {
            Some(folder) => Destination::new(folder.path().join("download")),
            None => Destination::new(out),
        };
        if self.force {
            to = to.overwriting();
        }
        let outcome = match unless_interrupted(engine.download(call, &to)).await {
            Ok(done) => done?,
            Err(signal) => return Err(signal.failure("nothing was saved")),
        };
        Progress::end();
        if !to_stdout {
            let format = self.output.unwrap_or_else(Format::for_stdout);
            return Printer::new(format, tool, &self.view).whole(&outcome.output, &[]);
        }
        // An error rule may have said that there is no content.
        if to.path().exists() {
            let mut file = std::fs::File::open(to.path())?;
            // If the reader is slow, a signal must not leave files behind.
            drop(folder);
            next_signal_ends();
            let mut stdout = terminal::data();
            std::io::copy(&mut file, &mut stdout)?;
            stdout.flush()?;
        }
        Ok(())
    }
}

/// Reports what is wrong with the `.env` file, because it may explain why a secret is not the intended one. If the
/// secret is missing, the error itself says it.
fn tell_dotenv(engine: &Engine, done: &Done) {
    let is_told = matches!(done, Err(Failure::Error(crate::Error::Secret(_))));
    if let Some(problem) = engine.dotenv_problem().filter(|_| !is_told) {
        note(&problem);
    }
}

/// Prints the single response of a call. If it is one page of several, a note says so.
fn print_one(page: &Page, tool: &Tool, format: Format, view: &View) -> Done {
    let mut printer = Printer::new(format, tool, view);
    let mut notes: Vec<Note> = page.more.iter().cloned().collect();
    let mut printed = Ok(());
    if format == Format::Raw {
        notes.retain(|note| !is_told(note, &vec![(None, page.body.part())]));
        printer.raw(&page.response.body)?;
    } else {
        let output = page.output()?;
        let beside = match view.jq {
            // What the expression keeps is not known.
            Some(_) => Vec::new(),
            None => beside_rows(output.part(), tool, format),
        };
        notes.retain(|note| !is_told(note, &beside));
        printed = printer.whole(&output, &notes);
        if matches!(printed, Err(Failure::Closed)) {
            return printed;
        }
    }
    for text in &notes {
        match text.stopped {
            Stopped::OnePage => note(&format!("{text}; --all follows the pages")),
            _ => note(&text.to_string()),
        }
    }
    printed
}

/// What is printed next to the rows: members, or a value without a name.
type Beside<'o> = Vec<(Option<Key<'o>>, Part<'o>)>;

fn beside_rows<'o>(output: Part<'o>, tool: &Tool, format: Format) -> Beside<'o> {
    let has_rows = tool.projection.rows(output).is_some();
    let key = tool.projection.rows_key();
    match key.filter(|_| !format.has_rows_alone()) {
        Some(rows) if output.kind() == Kind::Object => output
            .members()
            .filter(|(key, _)| !key.is(rows))
            .map(|(key, part)| (Some(key), part))
            .collect(),
        _ if has_rows => Vec::new(),
        _ => vec![(None, output)],
    }
}

/// Whether the output already names the next page: by its cursor or its URL.
fn is_told(note: &Note, printed: &Beside<'_>) -> bool {
    match &note.next {
        Some(Resume::Arguments(arguments)) => arguments.iter().all(|(name, value)| {
            printed.iter().any(|(key, part)| {
                key.is_some_and(|key| is_under(key, *part, name, value))
                    || has_value(*part, name, value)
            })
        }),
        Some(Resume::Url(url)) => printed.iter().any(|(_, part)| {
            has_text(*part, &|text| {
                text.len() > 1 && url.ends_with(text.trim_start_matches('.'))
            })
        }),
        _ => false,
    }
}

/// Whether a value occurs in the output. A number or the like may occur by chance, so it only counts under a similar
/// name.
fn has_value(printed: Part<'_>, name: &str, wanted: &Value) -> bool {
    if let Value::String(wanted) = wanted {
        return has_text(printed, &|text| text == wanted);
    }
    let mut members = printed.members();
    members.any(|(key, part)| is_under(key, part, name, wanted) || has_value(part, name, wanted))
        || printed.elements().any(|item| has_value(item, name, wanted))
}

fn is_under(key: Key<'_>, part: Part<'_>, name: &str, wanted: &Value) -> bool {
    let is_wanted = || serde_json::from_slice::<Value>(part.text()).is_ok_and(|own| own == *wanted);
    key.name().contains(name) && is_wanted()
}

fn has_text(printed: Part<'_>, is_wanted: &dyn Fn(&str) -> bool) -> bool {
    printed.string().is_some_and(|text| is_wanted(&text))
        || printed.elements().any(|item| has_text(item, is_wanted))
        || printed
            .members()
            .any(|(_, member)| has_text(member, is_wanted))
}

/// Reads pages to the end and passes them to the printer.
async fn read_pages(pages: &mut Pages, printer: &mut WalkPrinter<'_>) -> Done {
    loop {
        let page = match unless_interrupted(pages.next()).await {
            Ok(Ok(Some(page))) => page,
            Ok(Ok(None)) => return Ok(()),
            Ok(Err(error)) => return Err(error.into()),
            Err(signal) => {
                pages.stop();
                next_signal_ends();
                let told = match pages.count() {
                    0 => "nothing was read",
                    _ => "the result is incomplete",
                };
                return Err(signal.failure(told));
            }
        };
        Progress::read(pages.count(), pages.items());
        let taken = printer.take(pages, page);
        if matches!(taken, Err(Failure::Told(..))) && printer.printer.rows_wait() {
            pages.stop();
        }
        taken?;
    }
}

/// Prints the pages of a walk: immediately if the format allows it, otherwise as one output.
struct WalkPrinter<'t> {
    printer: Printer<'t>,
    format: Format,
    /// Whether all rows are gathered before any is printed.
    gathers: bool,
    gathered: Gathered,
}

impl<'t> WalkPrinter<'t> {
    fn new(format: Format, tool: &'t Tool, view: &'t View) -> WalkPrinter<'t> {
        WalkPrinter {
            printer: Printer::new(format, tool, view),
            format,
            gathers: view.sort.is_some() || (view.jq.is_some() && format != Format::Ndjson),
            gathered: Gathered::default(),
        }
    }

    fn take(&mut self, pages: &mut Pages, page: Page) -> Done {
        match self.format {
            Format::Raw => self.printer.raw_page(&page.response.body),
            Format::Ndjson | Format::Csv if !self.gathers => {
                self.printer.page(&pages.output(&page)?)
            }
            _ => {
                let output = pages.output(&page)?;
                self.gathered.add(page, output);
                Ok(())
            }
        }
    }

    fn finish(mut self, notes: &[Note]) -> Done {
        match self.gathered.output()? {
            Some(output) => self.printer.whole(&output, notes),
            None => self.printer.finish(),
        }
    }
}

/// Makes a sandbox fail as `FAULT` or `FAULT:TIMES` says.
pub(crate) fn inject(sandbox: &crate::sandbox::Sandbox, fault: &str) -> Done {
    let (name, times) = match fault.split_once(':') {
        None => (fault, 1),
        Some((name, times)) => {
            let times = times
                .parse()
                .map_err(|_| usage(format!("`{times}` is no number of times")))?;
            (name, times)
        }
    };
    sandbox
        .inject(name, times)
        .map_err(|error| usage(error.to_string()))
}

fn loopback(text: &str) -> Result<Url, Failure> {
    let url = Url::parse(text)
        .map_err(|error| usage(format!("`{text}` is no URL of a sandbox: {error}")))?;
    if !crate::address::is_loopback(&url) {
        return Err(usage(format!(
            "`{text}` is not on this machine; a sandbox listens on a loopback address"
        )));
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(usage(format!(
            "`{text}` is more than an origin; write scheme, host and port, such as {}",
            url.origin().ascii_serialization()
        )));
    }
    Ok(url)
}

fn print_plan(plan: &crate::Plan, form: DryRun) -> Done {
    let (text, mut stdout) = match form {
        DryRun::Http => (plan.to_http(), terminal::words()),
        DryRun::Curl => (plan.to_curl(), terminal::data()),
        DryRun::Json => (
            format!("{:#}\n", serde_json::json!(plan.view())),
            terminal::json(),
        ),
    };
    if matches!(form, DryRun::Curl) && terminal::is_terminal() && terminal::shown(&text) != text {
        note(
            "characters that a terminal would obey or hide are shown escaped; in a pipe the command has them as they are",
        );
    }
    stdout.write_all(text.as_bytes())?;
    Ok(stdout.flush()?)
}

fn watch(event: &Event, verbose: bool) {
    tell_progress(event);
    match event {
        Event::Waiting { wait, .. } if verbose => {
            say(&format!("* asking for the job in {}", seconds(*wait)));
        }
        Event::Retry {
            reason,
            wait,
            attempt,
            of,
        } => note(&format!(
            "{reason}; try {attempt} of {of} in {}",
            seconds(*wait)
        )),
        Event::RateLimited { wait } if verbose || wait.as_secs() >= 1 => note(&format!(
            "the rate limit of the service delays the next request by {}",
            seconds(*wait)
        )),
        Event::Unauthenticated { secrets } if verbose => {
            say(&format!("* {}", unauthenticated(secrets)));
        }
        Event::Request {
            method,
            url,
            headers,
            body,
        } if verbose => {
            say(&format!("> {method} {}", line(url)));
            tell_message('>', headers, body);
        }
        Event::Response {
            status,
            headers,
            bytes,
            body,
            elapsed,
        } if verbose => {
            say(&format!(
                "< {status} in {}, {bytes} bytes",
                seconds(*elapsed)
            ));
            tell_message('<', headers, body);
        }
        _ => {}
    }
}

/// What it means that optional secrets are not set.
fn unauthenticated(secrets: &[String]) -> String {
    let (are, their) = match secrets.len() {
        1 => ("is", "its"),
        _ => ("are", "their"),
    };
    format!(
        "{} {are} not set: the request goes without {their} credential",
        secrets.join(", ")
    )
}

/// Tells on the line of progress what is waited for.
fn tell_progress(event: &Event) {
    match event {
        Event::Waiting { polls, wait, .. } => {
            let end = if *polls == 1 { "" } else { "s" };
            Progress::waits(format!("for the job, asked {polls} time{end}"), Some(*wait));
        }
        Event::Retry {
            reason,
            wait,
            attempt,
            of,
        } => Progress::waits(format!("for try {attempt} of {of}: {reason}"), Some(*wait)),
        Event::RateLimited { wait } => {
            Progress::waits("for the rate limit of the service", Some(*wait));
        }
        Event::Request { .. } => Progress::goes_on(),
        Event::Response { .. } | Event::Unauthenticated { .. } => {}
    }
}

/// Most bytes of a body that are shown.
const MOST_OF_BODY: usize = 8 << 10;

/// How many steps of work pass before the runtime looks at the clock and at signals.
const LOOKS: u32 = 4;

/// Shows the header fields and the body of a request (`>`) or a response (`<`).
fn tell_message(mark: char, headers: &[(String, String)], body: &SeenBody) {
    for (name, value) in headers {
        say(&format!("{mark} {}: {}", line(name), line(value)));
    }
    let told = match body.shown(MOST_OF_BODY) {
        Shown::Nothing => return,
        Shown::Withheld { bytes } => format!("({bytes} bytes that carry credentials)"),
        Shown::Binary { bytes } => format!("({bytes} bytes that are no text)"),
        Shown::Text { text, cut: 0 } => text,
        Shown::Text { text, cut } => format!("{text}\n({cut} more bytes)"),
    };
    say(&mark.to_string());
    told.lines()
        .for_each(|text| say(&format!("{mark} {}", line(text))));
}
