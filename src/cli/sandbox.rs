//! `toolrun sandbox`: serves a service's sandbox.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::Catalog;
use clap::Args;

use super::{Done, Failure, call, exit, say};

/// Serve a service's sandbox.
#[derive(Debug, Args)]
pub struct Sandbox {
    /// The service; needed only if several have a sandbox
    service: Option<String>,
    /// The address to listen at; a loopback address
    #[arg(long, default_value = "127.0.0.1:8787", value_name = "ADDRESS")]
    addr: SocketAddr,
    /// Make the first requests fail, such as rate_limited or overloaded:2
    #[arg(long, value_name = "FAULT[:TIMES]")]
    fault: Vec<String>,
}

impl Sandbox {
    /// Runs the command until it is interrupted.
    pub fn run(self, catalog: &Catalog) -> Done {
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
            say(&format!(
                "call it: toolrun call TOOL --sandbox=http://{address}"
            ));
            crate::sandbox::serve(listener, Arc::new(sandbox)).await;
            Ok(())
        })
    }
}
