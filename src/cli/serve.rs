//! `toolrun serve`: gives the tools to agents, over the Model Context Protocol.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::call::{parse_setting, parse_time};
use super::config::InForce;
use super::interrupt::unless_interrupted;
use super::reach;
use super::roots::roots;
use super::tape::Tape;
use super::{Done, Failure, chosen, exit, note, say, terminal, usage};
use crate::callers::Callers;
use crate::sandbox::Sandbox;
use crate::serve::{
    Access, Approvals, Audit, Backends, Folder, Gate, Guests, Limits, Observer, Shared, ToolSet,
    over_http, over_stdio, watch,
};
use crate::tool::Tool;
use crate::{Catalog, Error};

#[cfg(feature = "otel")]
use crate::serve::Telemetry;

/// Serve tools to agents.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The tools to serve, such as list-workspaces or anthropic-admin/list-workspaces; all unless given
    #[arg(value_name = "TOOLS")]
    names: Vec<String>,
    /// Serve only the tools of this service; may be given several times
    #[arg(long, value_name = "NAME")]
    service: Vec<String>,
    /// Listen for HTTP at this address, such as 127.0.0.1:8788, and not on standard input; other addresses than those of this
    /// machine need --callers
    #[arg(long, value_name = "ADDRESS")]
    http: Option<SocketAddr>,
    /// List the tools one by one up to this many; more are found by a search
    #[arg(long, value_name = "N", default_value_t = 20)]
    direct: usize,
    /// Let models ask the tools that read in SQL too, by the tool query_tools
    #[arg(long)]
    sql: bool,
    /// The most bytes of a result; whole rows are left out beyond it, and the result says how to get them
    #[arg(long, value_name = "BYTES", default_value_t = 32_000, value_parser = parse_bytes)]
    max_result_bytes: usize,
    /// Give up a call after this time
    #[arg(long, value_name = "TIME", default_value = "50s", value_parser = parse_time)]
    deadline: Duration,
    /// Run at most this many calls at once
    #[arg(long, value_name = "N", default_value = "64", value_parser = parse_calls)]
    max_calls: usize,
    /// Call the services' sandboxes, and not the services
    #[arg(long)]
    sandbox: bool,
    /// Override a setting of a service
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_setting)]
    set: Vec<(String, String)>,
    /// Trust the certificate authorities of a PEM file, or `system` for those of the operating system
    #[arg(long, value_name = "FILE")]
    cacert: Option<String>,
    #[command(flatten)]
    tape: Tape,
    /// Let the rules of this file decide which calls run, and not the access of the tools alone
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Write a line for each call to this file, each with the hash of the line before it
    #[arg(long, value_name = "FILE")]
    audit: Option<PathBuf>,
    /// Write the values of these arguments to the audit log too, and of no others
    #[arg(long, value_name = "NAMES", requires = "audit", value_delimiter = ',')]
    audit_arguments: Vec<String>,
    /// Let in only the callers that this file names; `toolrun callers add` adds them
    #[arg(long, value_name = "FILE", requires = "http")]
    callers: Option<PathBuf>,
    /// Answer requests for this host name too, such as tools.example.com; may be given several times
    #[arg(long, value_name = "NAME", requires = "http", value_parser = parse_host)]
    allow_host: Vec<String>,
    /// Say each call on standard error: its tool, rows, bytes and time
    #[arg(long, short)]
    verbose: bool,
}

/// Fewest bytes of a result: enough to say what was left out.
const FEWEST: usize = 2_000;

fn parse_bytes(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(bytes) if bytes >= FEWEST => Ok(bytes),
        _ => Err(format!("write a whole number, {FEWEST} at least")),
    }
}

fn parse_calls(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(calls) if (1..=100_000).contains(&calls) => Ok(calls),
        _ => Err("write a whole number, 1 at least".to_owned()),
    }
}

/// A host name, with or without a port.
fn parse_host(text: &str) -> Result<String, String> {
    let url = url::Url::parse(&format!("http://{text}"));
    let is_host = |url: &url::Url| {
        url.host_str().is_some()
            && url.path() == "/"
            && url.query().is_none()
            && url.username().is_empty()
    };
    match url {
        Ok(url) if is_host(&url) && !text.contains(['/', '@', '#', '*']) => {
            Ok(text.to_ascii_lowercase())
        }
        _ => {
            Err("write a host name, such as tools.example.com or tools.example.com:8443".to_owned())
        }
    }
}

impl Serve {
    /// Runs the command until its client leaves, or a signal ends it.
    pub(crate) fn run(self, catalog: &Catalog, in_force: &InForce) -> Done {
        let open = self.http.filter(|address| !address.ip().is_loopback());
        if let Some(address) = open.filter(|_| self.callers.is_none()) {
            return Err(Failure::Told(
                exit::POLICY,
                format!(
                    "{address} is not a loopback address, so others could call the tools: name those who may with --callers FILE"
                ),
            ));
        }
        chosen::check(catalog, &self.names, &self.service)?;
        self.tape.check(self.sandbox)?;
        let (names, services) = (self.names.clone(), self.service.clone());
        let folder = Folder::new(catalog.clone(), self.wanted(), self.direct).reading(Box::new(
            move |entry| chosen::may_be_chosen(entry, &names, &services),
        ));
        let mut folder = folder
            .with_policy(self.policy.clone())
            .with_queries(self.sql);
        let (set, gate) = folder.load(&tell).map_err(Error::from)?;
        if set.len() == 0 {
            return Err(usage("there is no tool to serve"));
        }
        self.refuse_settings(&set)?;
        let welcome = welcome(&set, &gate);
        let access = self.access()?;
        let shared = Shared::new(
            set,
            self.backends(catalog, in_force)?,
            gate,
            self.approvals(),
            self.audit()?,
            self.observer(),
            Limits {
                result_bytes: self.max_result_bytes,
                deadline: self.deadline,
                running: self.max_calls,
                ..Limits::default()
            },
        );
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::Told(exit::NETWORK, format!("cannot start: {error}")))?;
        let done = runtime.block_on(async {
            let watching = tokio::spawn(watch(Arc::clone(&shared), folder, Arc::new(tell)));
            #[cfg(not(feature = "otel"))]
            if std::env::var_os("OTEL_EXPORTER_OTLP_ENDPOINT").is_some() {
                note("nothing is sent to $OTEL_EXPORTER_OTLP_ENDPOINT: this program was built without the feature `otel`");
            }
            #[cfg(feature = "otel")]
            {
                let telemetry =
                    Telemetry::from_environment(roots(self.cacert.as_deref()), Arc::new(tell));
                let telemetry = telemetry.map_err(usage)?;
                telemetry
                    .into_iter()
                    .for_each(|telemetry| shared.tell_to(telemetry));
            }
            self.attend();
            let done = self.serve(&shared, &welcome, access).await;
            #[cfg(feature = "otel")]
            shared.flush().await;
            watching.abort();
            done
        });
        shared.close();
        // A read of standard input cannot be given up.
        runtime.shutdown_background();
        done
    }

    async fn serve(&self, shared: &Arc<Shared>, welcome: &str, access: Access) -> Done {
        let serving = async {
            match self.http {
                None => {
                    say(&format!("{welcome} on standard input and output"));
                    over_stdio(shared)
                        .await
                        .map_err(|reason| Failure::Told(exit::NETWORK, reason))
                }
                Some(address) => {
                    let listener = tokio::net::TcpListener::bind(address).await;
                    let listener = listener.map_err(|error| {
                        Failure::Told(
                            exit::NETWORK,
                            format!("cannot listen on {address}: {error}"),
                        )
                    })?;
                    let address = listener.local_addr()?;
                    say(&format!("{welcome} on http://{address}/mcp"));
                    Ok(over_http(shared, listener, access).await?)
                }
            }
        };
        let mut serving = std::pin::pin!(serving);
        match unless_interrupted(&mut serving).await {
            Ok(done) => done,
            Err(_) => {
                // What runs is finished; a second signal ends it.
                shared.end();
                match unless_interrupted(async { (serving.await, shared.ended().await) }).await {
                    Ok((done, ())) => done,
                    Err(signal) => Err(signal.failure("calls were given up")),
                }
            }
        }
    }

    /// Who may speak to the server over HTTP.
    fn access(&self) -> Result<Access, Failure> {
        let Some(file) = &self.callers else {
            return Ok(Access {
                hosts: self.allow_host.clone(),
                guests: None,
            });
        };
        let callers = Callers::load(file).map_err(Error::from)?;
        if callers.all().is_empty() && callers.issuer().is_none() {
            note(&format!(
                "{} names no caller, so every request is refused: `toolrun callers add NAME --callers {}` adds one",
                file.display(),
                file.display()
            ));
        }
        Ok(Access {
            hosts: self.allow_host.clone(),
            guests: Some(Arc::new(Guests::new(
                file,
                callers,
                roots(self.cacert.as_deref()),
                Arc::new(tell),
            ))),
        })
    }

    /// Which tools are served.
    fn wanted(&self) -> Box<dyn Fn(&Tool) -> bool + Send + Sync> {
        let (names, services) = (self.names.clone(), self.service.clone());
        Box::new(move |tool| chosen::is_chosen(tool, &names, &services))
    }

    /// A setting that no service has is a mistake.
    fn refuse_settings(&self, set: &ToolSet) -> Done {
        let has = |name: &str| {
            set.tools()
                .any(|served| reach::has_setting(&served.tool, name))
        };
        match self.set.iter().find(|(name, _)| !has(name)) {
            Some((name, _)) => Err(usage(format!(
                "--set {name}: no service of the served tools has such a setting"
            ))),
            None => Ok(()),
        }
    }

    fn backends(&self, catalog: &Catalog, in_force: &InForce) -> Result<Backends, Failure> {
        let engine = reach::plain(self.cacert.as_deref(), &self.tape, in_force)?;
        let (in_force, set) = (in_force.clone(), self.set.clone());
        let backends = Backends::new(Box::new(move |tool| {
            let settings = reach::settings(tool, &set, &in_force);
            reach::with_settings(engine.clone(), &settings)
        }));
        let catalog = catalog.clone();
        Ok(match self.sandbox {
            false => backends,
            true => backends.with_sandboxes(Box::new(move |tool| {
                match tool.service.origin.is_trusted() {
                    true => Sandbox::load(&catalog, tool.service()),
                    false => Sandbox::for_tool(&catalog, tool),
                }
            })),
        })
    }

    /// Where people approve calls.
    fn approvals(&self) -> Approvals {
        let desk = super::approve::desk().map_err(|failure| match failure {
            Failure::Told(_, reason) => reason,
            _ => "there is no folder for it".to_owned(),
        });
        if let Err(reason) = desk.as_ref().map(|_| ())
            && self.policy.is_some()
        {
            note(&format!("nobody can approve calls by a command: {reason}"));
        }
        Approvals::new(desk, super::approve::command)
    }

    /// Lets the person at the terminal of a server over HTTP answer for the calls that wait. On standard input and output the
    /// client speaks.
    fn attend(&self) {
        if self.http.is_none() || self.policy.is_none() || !terminal::can_ask() {
            return;
        }
        if let Ok(desk) = super::approve::desk() {
            std::thread::spawn(move || super::approve::attend(&desk));
        }
    }

    fn audit(&self) -> Result<Option<Audit>, Failure> {
        let Some(file) = &self.audit else {
            return Ok(None);
        };
        let audit = Audit::open(file, self.audit_arguments.clone(), Arc::new(tell));
        audit
            .map(Some)
            .map_err(|reason| Failure::Told(exit::POLICY, reason))
    }

    fn observer(&self) -> Observer {
        let verbose = self.verbose;
        Observer::new(move |finished| {
            if verbose {
                say(&finished.to_string());
            }
        })
    }
}

/// What the operator is told while the server runs.
fn tell(text: &str) {
    note(text);
}

/// What is served.
fn welcome(set: &ToolSet, gate: &Gate) -> String {
    let (offered, all) = (set.offered(), set.len());
    let how = match set.searches {
        true => "found by a search",
        false => "listed one by one",
    };
    match all - offered {
        others if let Some(policy) = gate.policy() => {
            let rules = policy.len();
            format!(
                "serves {offered} tools by a policy of {rules} rules, {how}, and refuses {others},"
            )
        }
        0 => format!("serves {offered} tools, {how},"),
        others => {
            format!("serves {offered} tools that read, {how}, and refuses {others} that write,")
        }
    }
}
