//! `toolrun call`: runs a tool.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;
use toolrun::descriptor::Access;
use toolrun::engine::WalkLimits;
use toolrun::error::seconds;
use toolrun::send::{Destination, Event, Roots};
use toolrun::{Catalog, Engine, Files, Note, Page, Secret, Tool};
use url::Url;

use super::interrupt::{cancel, unless_interrupted};
use super::output::{Format, Printer};
use super::{Done, Failure, arguments, exit, note, say};

/// Call a tool.
#[derive(Debug, Args)]
pub struct Call {
    /// The tool, such as list-workspaces or anthropic-admin/list-workspaces
    name: String,
    /// Arguments: key=value, key:=JSON, one JSON object, @FILE (JSON or YAML), or - for standard input
    #[arg(value_name = "ARGS")]
    arguments: Vec<String>,
    /// Follow the pages to the last one
    #[arg(long)]
    all: bool,
    /// Follow the pages, for so many items at the most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_items: Option<u64>,
    /// Follow the pages, for so many pages at the most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_pages: Option<u64>,
    /// How to print the output; a table on a terminal and JSON in a pipe unless given
    #[arg(long, short, value_enum, value_name = "FORMAT")]
    output: Option<Format>,
    /// Print what would be sent, with secrets masked, and send nothing
    #[arg(long, value_enum, value_name = "FORM", num_args = 0..=1, require_equals = true, default_missing_value = "http")]
    dry_run: Option<DryRun>,
    /// Call the service's sandbox: one of its own, or one that listens at a loopback URL
    #[arg(long, value_name = "URL", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    sandbox: Option<String>,
    /// Let the sandbox answer with a fault first, such as rate_limited or overloaded:2
    #[arg(long, value_name = "FAULT[:TIMES]", requires = "sandbox")]
    fault: Option<String>,
    /// Save the file that the tool downloads; - is standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Overwrite the file of --out
    #[arg(long, requires = "out")]
    force: bool,
    /// Do not wait for the job that the tool creates; print what tells of it
    #[arg(long)]
    no_wait: bool,
    /// Consent to a tool that writes or destroys
    #[arg(long)]
    yes: bool,
    /// Give up a request, with its retries, after this time, such as 5s
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    timeout: Option<Duration>,
    /// Override a setting of the service
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_setting)]
    set: Vec<(String, String)>,
    /// Let the descriptors in a folder run the commands that print their secrets; may be given several times.
    /// $TOOLRUN_TRUST names folders too.
    #[arg(long, value_name = "DIR")]
    trust: Vec<PathBuf>,
    /// Trust the certificate authorities of a PEM file, or `system` for the operating system's
    #[arg(long, value_name = "FILE")]
    cacert: Option<String>,
    /// Tell what goes over the wire, secrets masked
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
    text.parse::<toolrun::descriptor::Duration>()
        .map(|time| time.0)
}

fn parse_setting(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| "write NAME=VALUE".to_owned())
}

impl Call {
    /// Whether errors are to be one JSON object.
    pub fn wants_json(&self) -> bool {
        matches!(self.output, Some(Format::Json | Format::Ndjson))
    }

    /// Runs the command.
    pub fn run(self, catalog: &Catalog) -> Done {
        let tool = catalog.tool(&self.name)?;
        let arguments =
            arguments::read(&tool, &self.arguments).map_err(|message| usage(&message))?;
        let waits = tool.wait.is_some() && !self.no_wait;
        let waiting = waits.then(progress);
        let engine = self.engine(waiting.clone())?;
        if let Some(form) = self.dry_run {
            let plan = engine.plan(&tool, arguments)?;
            return print_plan(&plan, form);
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::Told(exit::NETWORK, format!("cannot start: {error}")))?;
        let done = runtime.block_on(async {
            match &self.sandbox {
                None => self.exchange(&engine, &tool, arguments).await,
                Some(url) => {
                    // What is wrong with the arguments is told before a sandbox is started.
                    engine.plan(&tool, arguments.clone())?;
                    let (engine, _server) = self.with_sandbox(engine, catalog, &tool, url).await?;
                    self.exchange(&engine, &tool, arguments).await
                }
            }
        });
        if let Some(waiting) = waiting {
            waiting.finish_and_clear();
        }
        done
    }

    fn engine(&self, waiting: Option<ProgressBar>) -> Result<Engine, Failure> {
        let verbose = self.verbose;
        let mut engine = Engine::new()
            .with_observer(move |event| watch(&event, verbose, waiting.as_ref()))
            .with_roots(self.roots())
            .with_files(Files::Any);
        if self.no_wait {
            engine = engine.without_waiting();
        }
        let named = std::env::var_os("TOOLRUN_TRUST").unwrap_or_default();
        let named = std::env::split_paths(&named).filter(|folder| !folder.as_os_str().is_empty());
        for folder in self.trust.iter().cloned().chain(named) {
            engine = engine.with_trusted_folder(folder);
        }
        for (name, value) in &self.set {
            engine = engine.with_setting(name, value);
        }
        if let Some(timeout) = self.timeout {
            engine = engine.with_timeout(timeout);
        }
        if self.yes {
            engine = engine.with_consent(Access::Destructive);
        }
        Ok(engine)
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
        tool: &Tool,
        url: &str,
    ) -> Result<(Engine, Option<toolrun::sandbox::Server>), Failure> {
        let sandbox = toolrun::sandbox::Sandbox::load(catalog, &tool.service.name)?;
        let mut engine = engine;
        for (name, value) in sandbox.secrets() {
            engine = engine.with_secret(name, Secret::new(value));
        }
        if !url.is_empty() {
            let origin = loopback(url)?;
            if self.fault.is_some() {
                return Err(usage("--fault goes with a sandbox of the call's own"));
            }
            return Ok((engine.with_stand_in(origin), None));
        }
        if let Some(fault) = &self.fault {
            inject(&sandbox, fault)?;
        }
        let server = toolrun::sandbox::Server::start(Arc::new(sandbox))
            .await
            .map_err(|error| {
                Failure::Told(exit::NETWORK, format!("cannot start the sandbox: {error}"))
            })?;
        let origin = loopback(&format!("http://{}", server.address()))?;
        Ok((engine.with_stand_in(origin), Some(server)))
    }

    async fn exchange(&self, engine: &Engine, tool: &Tool, arguments: Value) -> Done {
        let format = self.output.unwrap_or_else(Format::for_stdout);
        if let Some(out) = &self.out {
            return self.download(engine, tool, arguments, out).await;
        }
        if self.no_wait && tool.wait.is_none() {
            note(&format!("{} creates no job to wait for", tool.name));
        }
        let walks = self.all || self.max_items.is_some() || self.max_pages.is_some();
        if !walks || tool.wait.is_some() {
            if walks {
                note(&format!("{} has no pages; there is one answer", tool.name));
            }
            let page = self.page(engine, tool, arguments).await?;
            let mut printer = Printer::new(format, tool);
            return match format {
                Format::Raw => printer.raw(&page.response.body),
                _ => printer.whole(&page.output(tool)?, &[]),
            };
        }
        if tool.paging.is_none() {
            note(&format!("{} has no pages; there is one answer", tool.name));
        }
        let limits = WalkLimits {
            max_pages: self.max_pages.unwrap_or(WalkLimits::default().max_pages),
            max_items: self.max_items,
        };
        let progress = progress();
        let notes = match format {
            Format::Ndjson | Format::Csv | Format::Raw => {
                let mut printer = Printer::new(format, tool);
                let mut pages = engine.pages(tool, arguments, limits)?;
                while let Some(page) = pages.next().await? {
                    progress.set_message(format!(
                        "{} pages, {} items",
                        pages.count(),
                        pages.items()
                    ));
                    match format {
                        Format::Raw => printer.raw_page(&page.response.body)?,
                        _ => printer.page(&page.output(tool)?)?,
                    }
                }
                pages.note().cloned().into_iter().collect()
            }
            _ => {
                progress.set_message("reading pages");
                let outcome = engine.call_all(tool, arguments, limits).await?;
                progress.finish_and_clear();
                Printer::new(format, tool).whole(&outcome.output, &outcome.notes)?;
                outcome.notes
            }
        };
        progress.finish_and_clear();
        tell_notes(&notes)
    }
}

impl Call {
    /// The one response of a call; where it creates a job, that of the job's end, unless it is interrupted before.
    async fn page(&self, engine: &Engine, tool: &Tool, arguments: Value) -> Result<Page, Failure> {
        if tool.wait.is_none() || self.no_wait {
            return Ok(engine.page(tool, arguments).await?);
        }
        let job = engine.start(tool, arguments).await?;
        match unless_interrupted(job.wait()).await {
            Some(last) => match last? {
                Some(page) => Ok(page),
                None => Ok(job.finish().await?),
            },
            None => Err(cancel(&job).await),
        }
    }

    async fn download(&self, engine: &Engine, tool: &Tool, arguments: Value, out: &Path) -> Done {
        if self.output == Some(Format::Raw) {
            return Err(usage(
                "`--output raw` has nothing to print: the service's answer goes to the file of --out",
            ));
        }
        let to_stdout = out.as_os_str() == "-";
        // What is only there in part must not go down a pipe, so it waits in a file until it is whole.
        let folder = to_stdout.then(tempfile::tempdir).transpose()?;
        let mut to = match &folder {
            Some(folder) => Destination::new(folder.path().join("download")),
            None => Destination::new(out),
        };
        if self.force {
            to = to.overwriting();
        }
        let Some(done) = unless_interrupted(engine.download(tool, arguments, &to)).await else {
            let told = "interrupted; nothing was saved".to_owned();
            return Err(Failure::Told(exit::INTERRUPTED, told));
        };
        let outcome = done?;
        if !to_stdout {
            let format = self.output.unwrap_or_else(Format::for_stdout);
            return Printer::new(format, tool).whole(&outcome.output, &[]);
        }
        // A rule may have found that there is nothing.
        if to.path().exists() {
            let mut stdout = std::io::stdout().lock();
            std::io::copy(&mut std::fs::File::open(to.path())?, &mut stdout)?;
            stdout.flush()?;
        }
        Ok(())
    }
}

fn usage(message: &str) -> Failure {
    Failure::Told(exit::USAGE, message.to_owned())
}

/// A walk that the service cut short gives an exit code of its own: a script must not take a part for the whole.
fn tell_notes(notes: &[Note]) -> Done {
    notes.iter().for_each(|text| note(&text.to_string()));
    match notes.iter().any(Note::is_fault) {
        true => Err(Failure::Silent(exit::RESPONSE)),
        false => Ok(()),
    }
}

/// Lets a sandbox fail as `FAULT` or `FAULT:TIMES` says.
pub fn inject(sandbox: &toolrun::sandbox::Sandbox, fault: &str) -> Done {
    let (name, times) = match fault.split_once(':') {
        None => (fault, 1),
        Some((name, times)) => {
            let times = times
                .parse()
                .map_err(|_| usage(&format!("`{times}` is no number of times")))?;
            (name, times)
        }
    };
    sandbox
        .inject(name, times)
        .map_err(|error| usage(&error.to_string()))
}

fn loopback(text: &str) -> Result<Url, Failure> {
    let url = Url::parse(text)
        .map_err(|error| usage(&format!("`{text}` is no URL of a sandbox: {error}")))?;
    if !toolrun::address::is_loopback(&url) {
        return Err(usage(&format!(
            "`{text}` is not on this machine; a sandbox listens on a loopback address"
        )));
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(usage(&format!(
            "`{text}` is more than an origin; write scheme, host and port, such as {}",
            url.origin().ascii_serialization()
        )));
    }
    Ok(url)
}

fn print_plan(plan: &toolrun::Plan, form: DryRun) -> Done {
    let text = match form {
        DryRun::Http => plan.to_http(),
        DryRun::Curl => plan.to_curl(),
        DryRun::Json => format!("{:#}\n", serde_json::json!(plan.view())),
    };
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    Ok(stdout.flush()?)
}

/// A line that moves on a terminal, and nothing elsewhere.
fn progress() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

fn watch(event: &Event, verbose: bool, waiting: Option<&ProgressBar>) {
    match event {
        Event::Waiting { polls, wait, .. } => {
            if let Some(waiting) = waiting {
                waiting.set_message(format!("waiting for the job, asked {polls} times"));
            }
            if verbose {
                say(&format!("* asking for the job in {}", seconds(*wait)));
            }
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
            "the rate limit of the service holds the next request back for {}",
            seconds(*wait)
        )),
        Event::Request {
            method,
            url,
            headers,
        } if verbose => {
            say(&format!("> {method} {url}"));
            headers
                .iter()
                .for_each(|(name, value)| say(&format!("> {name}: {value}")));
        }
        Event::Response {
            status,
            headers,
            bytes,
            elapsed,
        } if verbose => {
            say(&format!(
                "< {status} in {}, {bytes} bytes",
                seconds(*elapsed)
            ));
            headers
                .iter()
                .for_each(|(name, value)| say(&format!("< {name}: {value}")));
        }
        _ => {}
    }
}
