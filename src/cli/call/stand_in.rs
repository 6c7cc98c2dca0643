//! `--sandbox`: a stand-in of the service.

use std::sync::Arc;

use url::Url;

use crate::cli::{Done, Failure, exit, usage};
use crate::{Catalog, Engine, Secret, Tool};

/// The engine that calls a sandbox: one at a URL, or one that is started here, if the URL is empty.
pub(crate) async fn sandboxed(
    engine: Engine,
    catalog: &Catalog,
    tool: &Arc<Tool>,
    url: &str,
    fault: Option<&str>,
) -> Result<(Engine, Option<crate::sandbox::Server>), Failure> {
    let mut engine = engine;
    if !url.is_empty() {
        for (name, value) in crate::sandbox::Sandbox::secrets_for(catalog, tool)? {
            engine = engine.with_secret(name, Secret::new(value));
        }
        let origin = loopback(url)?;
        if fault.is_some() {
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
    if let Some(fault) = fault {
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

pub(crate) fn loopback(text: &str) -> Result<Url, Failure> {
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
