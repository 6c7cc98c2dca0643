//! How tools are reached by commands that call them many times: the options, and the engine that they make.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::Value;
use url::Url;

use super::call::{parse_setting, parse_time, sandboxed, tell_dotenv, watch};
use super::config::InForce;
use super::roots::roots;
use super::tape::Tape;
use super::{Done, Failure, trust};
use crate::sandbox::Server;
use crate::{Call, Catalog, Engine, Tool};

/// How tools are reached.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Reach {
    /// Call the service's sandbox: one that is started for this command, or one that listens at a loopback URL
    #[arg(long, value_name = "URL", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub sandbox: Option<String>,
    /// Override a setting of the service
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_setting)]
    pub set: Vec<(String, String)>,
    /// Give up a request, with its retries, after this time, such as 5s
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub timeout: Option<Duration>,
    #[command(flatten)]
    pub here: Here,
}

/// What belongs to this machine, and not to what is done.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Here {
    /// Trust a folder for this command; `toolrun trust` trusts it permanently. May be given several times. $TOOLRUN_TRUST
    /// lists folders too.
    #[arg(long, value_name = "DIR")]
    pub trust: Vec<PathBuf>,
    /// Trust the certificate authorities of a PEM file, or `system` for those of the operating system
    #[arg(long, value_name = "FILE")]
    pub cacert: Option<String>,
    /// Show what is sent and received, with secrets masked
    #[arg(long, short)]
    pub verbose: bool,
    #[command(flatten)]
    pub tape: Tape,
}

impl Reach {
    /// Whether a sandbox or a recording stands in for each service.
    pub(crate) fn asks_no_service(&self) -> bool {
        self.sandbox.is_some() || self.here.tape.plays_alone()
    }
}

/// An engine, and the sandbox that runs as long as this is kept.
pub(crate) struct Reached {
    pub engine: Engine,
    _sandbox: Option<Server>,
}

/// The tool of a name. On a terminal it asks whether its folder is trusted, unless only its sandbox is called.
pub(crate) fn tool(
    catalog: &mut Catalog,
    name: &str,
    is_sandbox: bool,
) -> Result<Arc<Tool>, Failure> {
    let tool = catalog.tool(name)?;
    if is_sandbox || !trust::ask(&tool)? {
        return Ok(tool);
    }
    let folder = tool.service.origin.untrusted_folder();
    *catalog = catalog
        .clone()
        .with_trusted_folder(folder.unwrap_or(Path::new("")));
    Ok(catalog.tool(name)?)
}

/// Whether a tool's service has a setting.
pub(crate) fn has_setting(tool: &Tool, name: &str) -> bool {
    let mut known = tool.service.settings().iter();
    known.any(|(known, _)| known == name)
}

/// The values of the settings of a tool's service: those of the profile, and then those that are given here and that the
/// service has.
pub(crate) fn settings(
    tool: &Tool,
    set: &[(String, String)],
    in_force: &InForce,
) -> Vec<(String, String)> {
    let mut settings = in_force.settings(&tool.service);
    settings.extend(
        set.iter()
            .filter(|(name, _)| has_setting(tool, name))
            .cloned(),
    );
    settings
}

/// The engine of this machine, before it has the settings of a service.
pub(crate) fn plain(
    cacert: Option<&str>,
    tape: &Tape,
    in_force: &InForce,
) -> Result<Engine, Failure> {
    tape.engine(in_force.engine()?.with_roots(roots(cacert)))
}

/// An engine with these values of settings. Of two values of a setting, the later counts.
pub(crate) fn with_settings<'s>(
    engine: Engine,
    settings: impl IntoIterator<Item = &'s (String, String)>,
) -> Engine {
    settings.into_iter().fold(engine, |engine, (name, value)| {
        engine.with_setting(name, value)
    })
}

/// The engine that calls a tool, or its sandbox.
pub(crate) async fn engine(
    catalog: &Catalog,
    tool: &Arc<Tool>,
    settings: &[(String, String)],
    sandbox: Option<&str>,
    here: &Here,
    in_force: &InForce,
) -> Result<Reached, Failure> {
    let engine = with_settings(
        plain(here.cacert.as_deref(), &here.tape, in_force)?,
        settings,
    );
    reached(engine, catalog, tool, sandbox, &here.tape, in_force).await
}

async fn reached(
    engine: Engine,
    catalog: &Catalog,
    tool: &Arc<Tool>,
    sandbox: Option<&str>,
    tape: &Tape,
    in_force: &InForce,
) -> Result<Reached, Failure> {
    tape.check(sandbox.is_some())?;
    let (engine, server) = match sandbox {
        Some(url) => sandboxed(engine, catalog, tool, url, None).await?,
        None => {
            if !tape.plays_alone() {
                in_force.tell_overridden(&engine, &tool.service);
            }
            (engine, None)
        }
    };
    Ok(Reached {
        engine,
        _sandbox: server,
    })
}

/// A call whose requests are told as they are made.
pub(crate) fn call(
    tool: &Arc<Tool>,
    arguments: Value,
    timeout: Option<Duration>,
    here: &Here,
) -> Call {
    let verbose = here.verbose;
    let call = Call::new(tool, arguments).observer(move |_, event| watch(&event, verbose));
    match timeout {
        Some(timeout) => call.timeout(timeout),
        None => call,
    }
}

/// The engines of several services. Each is made when the first tool of its service is called.
pub(crate) struct Engines {
    catalog: Catalog,
    in_force: InForce,
    plain: Engine,
    set: Vec<(String, String)>,
    sandbox: Option<String>,
    tape: Tape,
    made: BTreeMap<String, Reached>,
    /// The names of `set` that a service has.
    used: BTreeSet<String>,
}

impl Engines {
    pub(crate) fn new(
        catalog: &Catalog,
        in_force: &InForce,
        set: &[(String, String)],
        sandbox: Option<&str>,
        here: &Here,
    ) -> Result<Engines, Failure> {
        Ok(Engines {
            catalog: catalog.clone(),
            in_force: in_force.clone(),
            plain: plain(here.cacert.as_deref(), &here.tape, in_force)?,
            set: set.to_vec(),
            sandbox: sandbox.map(str::to_owned),
            tape: here.tape.clone(),
            made: BTreeMap::new(),
            used: BTreeSet::new(),
        })
    }

    /// Changes all engines that are made from here on.
    pub(crate) fn with(mut self, change: impl FnOnce(Engine) -> Engine) -> Engines {
        self.plain = change(self.plain);
        self
    }

    /// The engine that calls a tool, or its sandbox.
    pub(crate) async fn of(&mut self, tool: &Arc<Tool>) -> Result<Engine, Failure> {
        let id = &tool.service.id;
        if let Some(reached) = self.made.get(id) {
            return Ok(reached.engine.clone());
        }
        let names = self.set.iter().map(|(name, _)| name);
        self.used
            .extend(names.filter(|name| has_setting(tool, name)).cloned());
        let (engine, sandbox) = (self.planning(tool), self.sandbox.as_deref());
        let reached = reached(
            engine,
            &self.catalog,
            tool,
            sandbox,
            &self.tape,
            &self.in_force,
        )
        .await?;
        let engine = reached.engine.clone();
        self.made.insert(id.clone(), reached);
        Ok(engine)
    }

    /// The engine that plans the calls of a tool, and is not to send them.
    pub(crate) fn planning(&self, tool: &Tool) -> Engine {
        let settings = settings(tool, &self.set, &self.in_force);
        with_settings(self.plain.clone(), &settings)
    }

    /// The settings that were given and that no service so far has.
    pub(crate) fn unused(&self) -> impl Iterator<Item = &str> {
        let names = self.set.iter().map(|(name, _)| name.as_str());
        names.filter(|name| !self.used.contains(*name))
    }

    /// As [`tell_dotenv`]: all engines read the same file.
    pub(crate) fn tell_dotenv(&self, done: &Done) {
        let mut engines = self.made.values().map(|reached| &reached.engine);
        if let Some(engine) = engines.find(|engine| engine.dotenv_problem().is_some()) {
            tell_dotenv(engine, done);
        }
    }
}

/// Refuses a sandbox that is not on this machine before anything else happens.
pub(crate) fn check_sandbox(url: Option<&str>) -> Result<Option<Url>, Failure> {
    match url {
        Some(url) if !url.is_empty() => super::call::loopback(url).map(Some),
        _ => Ok(None),
    }
}
