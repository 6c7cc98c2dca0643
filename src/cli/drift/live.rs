//! `drift --live`: each tool that reads is called once, and what the services answer is held against the descriptors.
//! Nothing that is heard outlives the run.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::Value;

use crate::catalog::{FileKind, Loaded};
use crate::check::files_at;
use crate::cli::call::runtime;
use crate::cli::config::InForce;
use crate::cli::interrupt::unless_interrupted;
use crate::cli::reach::{self, Engines, Reach};
use crate::cli::terminal::Progress;
use crate::cli::{Failure, exit, hints, note, tape, trust, usage};
use crate::drift::{Drift, cheapest};
use crate::har::Reader;
use crate::recording::{Recorder, RecordingError};
use crate::send::{Request, ResponseFuture, Transport, TransportError, TransportErrorKind};
use crate::source::Power;
use crate::tool::Tool;
use crate::{Catalog, Error, ErrorKind};

/// How many requests are sent unless another number is given.
pub(super) const MOST_REQUESTS: u64 = 50;
/// Most tools that are named for one reason.
const MOST_NAMED: usize = 8;

/// The tools that may be called, and the catalog that trusts them: those that are named, those in these files, or all that
/// are not built in.
///
/// # Errors
/// When there are none, or one is not trusted. Then nothing was sent.
pub(super) fn tools(
    catalog: &Catalog,
    names: &[String],
    paths: &[String],
    reach: &Reach,
) -> Result<(Catalog, Vec<Loaded>), Failure> {
    if !(names.is_empty() || paths.is_empty()) {
        return Err(usage(
            "name tools, or the files of tools with --against, and not both",
        ));
    }
    reach::check_sandbox(reach.sandbox.as_deref())?;
    let mut catalog = catalog.clone();
    loop {
        let loaded = match (names.is_empty(), paths.is_empty()) {
            (false, _) => named(&catalog, names)?,
            (_, false) => in_files(&catalog, paths)?,
            _ => in_folders(&catalog)?,
        };
        let mut sound = loaded.iter().filter_map(|(_, tool)| tool.as_ref().ok());
        let untrusted = sound.find(|tool| !tool.is_trusted() && cheapest(tool).is_ok());
        let Some(tool) = untrusted.filter(|_| !reach.asks_no_service()) else {
            return Ok((catalog, loaded));
        };
        let origin = &tool.service.origin;
        if !trust::ask(tool)? {
            origin.permit(|| Power::Send).map_err(Error::from)?;
        }
        let folder = origin.untrusted_folder().unwrap_or(Path::new(""));
        catalog = catalog.clone().with_trusted_folder(folder);
    }
}

fn named(catalog: &Catalog, names: &[String]) -> Result<Vec<Loaded>, Failure> {
    let tools = names.iter().map(|name| Ok(catalog.tool(name)?));
    let tools = tools.collect::<Result<Vec<_>, Failure>>()?;
    let files: BTreeSet<&str> = tools.iter().map(|tool| tool.source.name.as_str()).collect();
    Ok(catalog.load_those(|entry| files.contains(entry.file.display().as_str())))
}

fn in_files(catalog: &Catalog, paths: &[String]) -> Result<Vec<Loaded>, Failure> {
    let mut wanted = files_at(paths).map_err(usage)?;
    wanted.retain(|file| file.kind() == FileKind::Tool);
    let places: HashSet<PathBuf> = wanted.iter().map(|file| file.canonical()).collect();
    let loaded = catalog.load_those(|entry| places.contains(&entry.file.canonical()));
    let found: HashSet<PathBuf> = loaded.iter().map(|(one, _)| one.file.canonical()).collect();
    let mut lost = wanted
        .iter()
        .filter(|file| !found.contains(&file.canonical()));
    match lost.next() {
        None if !loaded.is_empty() => Ok(loaded),
        None => Err(usage(format!("there is no tool in {}", paths.join(", ")))),
        Some(file) => Err(usage(format!(
            "{} is no tool that can be called; name the folder of its service with --tools",
            file.display()
        ))),
    }
}

fn in_folders(catalog: &Catalog) -> Result<Vec<Loaded>, Failure> {
    let loaded = catalog.load_those(|entry| entry.file.is_on_disk());
    match loaded.is_empty() {
        true => Err(usage(
            "there is no folder of tools here; name one with --tools, or name the tools to call",
        )),
        false => Ok(loaded),
    }
}

/// Calls the tools, and gives what came to `drift`. Tells what was not called and what failed.
///
/// Gives the kind of the first failure, so far as that is no answer of another shape; else of the first.
///
/// # Errors
/// When nothing can be called or held.
pub(super) fn call(
    tools: &[Arc<Tool>],
    catalog: &Catalog,
    in_force: &InForce,
    reach: &Reach,
    most: u64,
    drift: &mut Drift,
) -> Result<Option<ErrorKind>, Failure> {
    let recorder = Recorder::of_drift(tape::pseudonyms()?);
    let recorder = Arc::new(recorder.map_err(|error| tape::no_place(&error))?);
    let budget = Budget::of(most);
    let sandbox = reach.sandbox.as_deref();
    let engines = Engines::new(catalog, in_force, &reach.set, sandbox, &reach.here)?;
    let (heard, limit) = (Arc::clone(&recorder), budget.clone());
    let engines = engines.with(|engine| {
        engine
            .with_recorder(heard)
            .with_layer(move |transport| limit.layer(transport))
    });
    let mut calls = Calls {
        engines,
        reach,
        budget,
        most,
        made: 0,
        left_out: BTreeMap::new(),
        stopped: BTreeSet::new(),
        failures: Vec::new(),
    };
    let progress = Progress::start();
    let runtime = runtime()?;
    let done = runtime.block_on(unless_interrupted(calls.all(tools)));
    runtime.shutdown_background();
    drop(progress);
    done.map_err(|signal| signal.failure("nothing was held against the descriptors"))??;
    calls.tell();
    if calls.made == 0 && calls.failures.is_empty() {
        return Err(usage("no tool was called, so that nothing is known"));
    }
    hold(&recorder, drift, reach.here.tape.file())?;
    Ok(calls.failure())
}

/// Gives what was heard to `drift`.
fn hold(recorder: &Recorder, drift: &mut Drift, name: Option<&Path>) -> Result<(), Failure> {
    let (recorded, file) = recorder.finish_unnamed().map_err(|error| match error {
        RecordingError::Secret { request, part, .. } => Failure::Told(
            exit::POLICY,
            format!("nothing was held: there is a secret in {part} of the answer to {request}"),
        ),
        error @ RecordingError::Io(_) => Failure::Told(exit::OUTPUT, error.to_string()),
    })?;
    recorded.notes.iter().for_each(|text| note(text));
    let name = name.map_or("live".to_owned(), |name| name.display().to_string());
    drift.file(&name);
    if recorded.entries == 0 {
        return Ok(());
    }
    super::read(drift, &name, Reader::new(BufReader::new(file)))
        .map_err(|error| Failure::Told(exit::OUTPUT, format!("{name}: {error}")))
}

/// The calls of one run.
struct Calls<'r> {
    engines: Engines,
    reach: &'r Reach,
    budget: Budget,
    most: u64,
    made: u64,
    /// The tools that were not called, by the reason.
    left_out: BTreeMap<String, Vec<String>>,
    /// Services that are not called any more.
    stopped: BTreeSet<String>,
    failures: Vec<ErrorKind>,
}

impl Calls<'_> {
    async fn all(&mut self, tools: &[Arc<Tool>]) -> Result<(), Failure> {
        for tool in tools {
            let reason = match cheapest(tool) {
                Err(reason) => reason.to_owned(),
                Ok(_) if self.stopped.contains(&tool.service.id) => {
                    "their service cannot be called".to_owned()
                }
                Ok(_) if self.budget.is_spent() => self.spent(),
                Ok(arguments) => {
                    self.one(tool, Value::Object(arguments)).await?;
                    continue;
                }
            };
            self.leave_out(reason, tool);
        }
        Ok(())
    }

    fn spent(&self) -> String {
        match self.most {
            1 => "the one request is spent".to_owned(),
            most => format!("all {most} requests are spent"),
        }
    }

    fn leave_out(&mut self, reason: String, tool: &Tool) {
        let names = self.left_out.entry(reason).or_default();
        names.push(tool.qualified_name());
    }

    async fn one(&mut self, tool: &Arc<Tool>, arguments: Value) -> Result<(), Failure> {
        let engine = match self.engines.of(tool).await {
            Ok(engine) => engine,
            Err(Failure::Error(error)) => {
                self.fail(tool, &error, false);
                return Ok(());
            }
            Err(other) => return Err(other),
        };
        let has_arguments = arguments.as_object().is_some_and(|given| !given.is_empty());
        let call = reach::call(tool, arguments, self.reach.timeout, &self.reach.here);
        match engine.page(call).await {
            Ok(_) => self.made += 1,
            Err(_) if self.budget.has_refused() => {
                let reason = format!("{}, and they had not answered", self.spent());
                self.leave_out(reason, tool);
            }
            Err(error) => self.fail(tool, &error, has_arguments),
        }
        Ok(())
    }

    fn fail(&mut self, tool: &Tool, error: &Error, has_arguments: bool) {
        let kind = error.kind();
        let mut text = format!("{}: {error}", tool.qualified_name());
        if let Some(hint) = hints::hint(error) {
            text.push_str(&format!("; {hint}"));
        }
        if kind == ErrorKind::Refused && has_arguments {
            text.push_str(
                "; the arguments are those of an example, which the service may not know",
            );
        }
        note(&text);
        // What does not depend on the tool would only be told again.
        if !matches!(
            kind,
            ErrorKind::Refused | ErrorKind::Failed | ErrorKind::Response
        ) {
            self.stopped.insert(tool.service.id.clone());
        }
        self.failures.push(kind);
    }

    /// Tells what was not called, and why.
    fn tell(&self) {
        for (reason, names) in &self.left_out {
            let shown = names.len().min(MOST_NAMED);
            let more = match names.len() - shown {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            note(&format!(
                "not called, because {reason}: {}{more}",
                names[..shown].join(", ")
            ));
        }
        for name in self.engines.unused() {
            note(&format!(
                "no service that was called has a setting `{name}`"
            ));
        }
        self.engines.tell_dotenv(&Ok(()));
    }

    fn failure(&self) -> Option<ErrorKind> {
        let mut kinds = self.failures.iter().copied();
        let first = self.failures.first().copied();
        kinds.find(|kind| *kind != ErrorKind::Response).or(first)
    }
}

/// How many requests may still be sent.
#[derive(Clone)]
struct Budget(Arc<Left>);

struct Left {
    requests: AtomicU64,
    /// Whether one was refused since this was last asked.
    refused: AtomicBool,
}

/// A transport that sends nothing once the budget is spent.
struct Limited {
    transport: Arc<dyn Transport>,
    budget: Budget,
}

impl Budget {
    fn of(most: u64) -> Budget {
        Budget(Arc::new(Left {
            requests: AtomicU64::new(most),
            refused: AtomicBool::new(false),
        }))
    }

    fn layer(&self, transport: Arc<dyn Transport>) -> Arc<dyn Transport> {
        let budget = self.clone();
        Arc::new(Limited { transport, budget })
    }

    fn is_spent(&self) -> bool {
        self.0.requests.load(Ordering::SeqCst) == 0
    }

    fn has_refused(&self) -> bool {
        self.0.refused.swap(false, Ordering::SeqCst)
    }

    fn take(&self) -> bool {
        let less = |left: u64| left.checked_sub(1);
        let requests = &self.0.requests;
        let taken = requests.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
        self.0.refused.fetch_or(taken.is_err(), Ordering::SeqCst);
        taken.is_ok()
    }
}

impl Transport for Limited {
    fn send(&self, request: Request) -> ResponseFuture<'_> {
        match self.budget.take() {
            true => self.transport.send(request),
            false => Box::pin(std::future::ready(Err(TransportError::new(
                TransportErrorKind::Refused,
                "all requests are spent",
            )))),
        }
    }
}
