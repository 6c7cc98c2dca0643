//! `toolrun sandbox`: serves a service's sandbox.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::catalog::load;
use crate::{Access, Catalog, Engine, Tool};
use clap::Args;
use serde_json::Value;

use super::{Done, Failure, call, exit, say};

/// Serve a service's sandbox.
#[derive(Debug, Args)]
pub(crate) struct Sandbox {
    /// The service; needed only if several have a sandbox
    service: Option<String>,
    /// The address to listen at; a loopback address
    #[arg(long, default_value = "127.0.0.1:8787", value_name = "ADDRESS")]
    addr: SocketAddr,
    /// Make the first requests fail, such as rate_limited or overloaded:2
    #[arg(long, value_name = "FAULT[:TIMES]")]
    fault: Vec<String>,
}

/// Tells a command line that is ready to be run: of a tool that reads and needs no arguments, if there is one.
fn example(catalog: &Catalog, sandbox: &crate::sandbox::Sandbox, address: &str) {
    let Ok((_, entries)) = catalog.sandbox(sandbox.service()) else {
        return;
    };
    let origin = format!("http://{address}");
    let needs_nothing = |tool: &Arc<Tool>| {
        tool.access == Access::Read && !tool.params.iter().any(|param| param.required)
    };
    let mut tools: Vec<Arc<Tool>> = entries
        .iter()
        .filter_map(|entry| load(entry).ok())
        .collect();
    tools.retain(needs_nothing);
    let tool = tools
        .iter()
        .find(|tool| tool.paging.is_some())
        .or(tools.first());
    let name = tool.map_or_else(|| "TOOL".to_owned(), |tool| tool.qualified_name());
    say(&format!("call it: toolrun call {name} --sandbox={origin}"));
    if let Some(curl) = tool.and_then(|tool| curl(tool, sandbox, &origin)) {
        say(&format!("or from any client: {curl}"));
    }
}

/// A command of curl that calls the tool, with the made-up key in it.
fn curl(tool: &Arc<Tool>, sandbox: &crate::sandbox::Sandbox, origin: &str) -> Option<String> {
    let engine = Engine::new().with_stand_in(origin.parse().ok()?);
    let call = crate::Call::new(tool, Value::Object(serde_json::Map::new()));
    let mut text = engine.plan(&call).ok()?.to_curl();
    for (name, value) in sandbox.secrets() {
        text = text
            .replace(&format!("${{{name}}}"), value)
            .replace(&format!("${name}"), value);
    }
    Some(text.trim().replace(" \\\n  ", " "))
}

impl Sandbox {
    /// Runs the command until it is interrupted.
    pub(crate) fn run(self, catalog: &Catalog) -> Done {
        if !self.addr.ip().is_loopback() {
            return Err(Failure::Told(
                exit::POLICY,
                format!(
                    "{} is not a loopback address; a sandbox only serves this machine",
                    self.addr
                ),
            ));
        }
        let service = match self.service {
            Some(service) => service,
            None => match catalog.sandboxes().as_slice() {
                [one] => one.clone(),
                several => {
                    return Err(Failure::Told(
                        exit::USAGE,
                        format!("name the service: {}", several.join(", ")),
                    ));
                }
            },
        };
        let sandbox = crate::sandbox::Sandbox::load(catalog, &service)?;
        for fault in &self.fault {
            call::inject(&sandbox, fault)?;
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|error| Failure::Told(exit::NETWORK, format!("cannot start: {error}")))?;
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind(self.addr)
                .await
                .map_err(|error| {
                    Failure::Told(
                        exit::NETWORK,
                        format!("cannot listen on {}: {error}", self.addr),
                    )
                })?;
            let address = listener.local_addr()?;
            say(&format!(
                "the sandbox of {service} listens on http://{address}"
            ));
            for (name, value) in sandbox.secrets() {
                say(&format!("it accepts this made-up key: {name}={value}"));
            }
            example(catalog, &sandbox, &address.to_string());
            crate::sandbox::serve(listener, Arc::new(sandbox)).await;
            Ok(())
        })
    }
}
