//! Which engine carries out a call: one for each service, with the service's settings, or with its sandbox.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::Mutex;
use url::Url;

use crate::engine::Engine;
use crate::engine::error::Error;
use crate::sandbox::{Sandbox, Server};
use crate::sign::Secret;
use crate::tool::Tool;

/// Makes the engine for the tools of one service.
pub(crate) type MakeEngine = dyn Fn(&Tool) -> Engine + Send + Sync;
/// Makes the sandbox that answers a tool's service.
pub(crate) type MakeSandbox = dyn Fn(&Arc<Tool>) -> Result<Sandbox, Error> + Send + Sync;

/// The engines of all services.
pub(crate) struct Backends {
    make: Box<MakeEngine>,
    sandboxes: Option<Box<MakeSandbox>>,
    kept: Mutex<HashMap<String, Backend>>,
}

struct Backend {
    engine: Engine,
    _sandbox: Option<Server>,
}

impl Backends {
    /// Engines that call the services.
    pub(crate) fn new(make: Box<MakeEngine>) -> Backends {
        Backends {
            make,
            sandboxes: None,
            kept: Mutex::default(),
        }
    }

    /// Calls the sandbox of each service, and no service.
    pub(crate) fn with_sandboxes(mut self, sandboxes: Box<MakeSandbox>) -> Backends {
        self.sandboxes = Some(sandboxes);
        self
    }

    /// The engine for a tool.
    ///
    /// # Errors
    /// When its service has no sandbox, or it cannot be started.
    pub(super) async fn engine(&self, tool: &Arc<Tool>) -> Result<Engine, Error> {
        // A sandbox keeps its data when descriptors are edited; settings may have changed.
        let id = match &self.sandboxes {
            Some(_) => tool.service().to_owned(),
            None => tool.service.id.clone(),
        };
        let mut kept = self.kept.lock().await;
        if let Some(backend) = kept.get(&id) {
            return Ok(backend.engine.clone());
        }
        let backend = self.start(tool).await?;
        let engine = backend.engine.clone();
        kept.insert(id, backend);
        Ok(engine)
    }

    async fn start(&self, tool: &Arc<Tool>) -> Result<Backend, Error> {
        let mut engine = (self.make)(tool);
        let Some(sandboxes) = &self.sandboxes else {
            return Ok(Backend {
                engine,
                _sandbox: None,
            });
        };
        let sandbox = sandboxes(tool)?;
        for (name, value) in sandbox.secrets() {
            engine = engine.with_secret(name, Secret::new(value));
        }
        let server = Server::start(Arc::new(sandbox)).await;
        let server =
            server.map_err(|error| Error::Policy(format!("the sandbox cannot start: {error}")))?;
        let origin = Url::parse(&format!("http://{}", server.address()));
        let origin = origin.map_err(|error| Error::Policy(error.to_string()))?;
        Ok(Backend {
            engine: engine.with_stand_in(origin),
            _sandbox: Some(server),
        })
    }
}
