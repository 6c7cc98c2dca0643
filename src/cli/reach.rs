//! How tools are reached by commands that call them many times: the options, and the engine that they make.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use url::Url;

use super::call::{parse_setting, parse_time, roots, sandboxed};
use super::config::InForce;
use super::{Failure, trust};
use crate::sandbox::Server;
use crate::{Catalog, Engine, Tool};

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

/// The values of the settings of a tool's service: those of the profile, and then those that are given here and that the
/// service has.
pub(crate) fn settings(
    tool: &Tool,
    set: &[(String, String)],
    in_force: &InForce,
) -> Vec<(String, String)> {
    let known = tool.service.settings();
    let is_known = |name: &str| known.iter().any(|(known, _)| known == name);
    let mut settings = in_force.settings(&tool.service);
    settings.extend(set.iter().filter(|(name, _)| is_known(name)).cloned());
    settings
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
    let engine = in_force.engine()?.with_roots(roots(here.cacert.as_deref()));
    let engine = settings.iter().fold(engine, |engine, (name, value)| {
        engine.with_setting(name, value)
    });
    let Some(url) = sandbox else {
        in_force.tell_overridden(&engine, &tool.service);
        return Ok(Reached {
            engine,
            _sandbox: None,
        });
    };
    let (engine, server) = sandboxed(engine, catalog, tool, url, None).await?;
    Ok(Reached {
        engine,
        _sandbox: server,
    })
}

/// Refuses a sandbox that is not on this machine before anything else happens.
pub(crate) fn check_sandbox(url: Option<&str>) -> Result<Option<Url>, Failure> {
    match url {
        Some(url) if !url.is_empty() => super::call::loopback(url).map(Some),
        _ => Ok(None),
    }
}
