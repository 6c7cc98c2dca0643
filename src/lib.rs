//! toolrun runs tools that are described in YAML.
//!
//! A descriptor says how to call one HTTP operation: method, path template, params schema, response projection. One
//! generic engine validates it, renders it into a signed request, sends it, and projects the response into the
//! tool's output. A new tool is a new YAML file and no new Rust code.
//!
//! A [`Catalog`] finds and compiles a [`Tool`]. A [`Call`] is the tool with its arguments and what holds for this call
//! alone. An [`Engine`] runs it, in one straight line of stages: check the arguments, render the request, sign it, send
//! it, and project the response into the output; for a list, once for each page.
//!
//! ```no_run
//! use serde_json::json;
//! use toolrun::{Call, Catalog, Engine};
//!
//! # async fn example() -> Result<(), toolrun::Error> {
//! let catalog = Catalog::builtin().with_folder("my-tools");
//! let tool = catalog.tool("list-members")?;
//! let engine = Engine::new().with_environment();
//! let mut pages = engine.pages(Call::new(&tool, json!({ "limit": 100 })))?;
//! while let Some(page) = pages.next().await? {
//!     println!("{}", page.output()?);
//! }
//! # Ok(())
//! # }
//! ```

#![cfg_attr(
    not(all(
        feature = "sandbox",
        feature = "import",
        feature = "serve",
        feature = "store"
    )),
    allow(
        dead_code,
        unused_imports,
        reason = "some of it serves one feature alone"
    )
)]

mod address;
mod base_url;
#[cfg(feature = "store")]
mod batch;
mod callers;
mod catalog;
mod check;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
mod definition;
#[cfg(feature = "cli")]
mod diff;
#[cfg(feature = "cli")]
mod drift;
mod engine;
#[cfg(feature = "cli")]
mod export;
mod format;
mod har;
#[cfg(feature = "import")]
mod import;
mod json;
mod jsonpath;
#[cfg(feature = "cli")]
mod lsp;
mod paging;
mod parallel;
mod params;
mod plan;
mod policy;
#[cfg(feature = "postgres")]
mod postgres;
mod project;
mod recording;
mod said;
#[cfg(feature = "sandbox")]
mod sandbox;
mod send;
#[cfg(feature = "serve")]
mod serve;
mod sign;
mod source;
#[cfg(feature = "store")]
mod sql;
mod staged;
#[cfg(feature = "store")]
mod store;
#[cfg(feature = "store")]
mod sync;
#[cfg(feature = "store")]
mod table;
mod template;
mod tool;
mod wait;
mod words;
mod yaml;

pub use catalog::{Catalog, Entry, TrustList};
pub use check::Report;
pub use engine::error::{Error, ErrorKind, Unfinished, Upstream};
pub use engine::{
    Call, CallInfo, Engine, Gathered, Incomplete, Job, Note, Outcome, Page, Pages, Resume, Stopped,
};
pub use format::Access;
pub use json::Json;
pub use plan::{Files, Method, Plan};
#[cfg(feature = "sandbox")]
pub use sandbox::{Sandbox, Server};
pub use send::{
    Body, Budget, Destination, Event, Limit, Limiter, Request, ResponseFuture, Roots, Scripted,
    SeenBody, Sent, Shown, Transport, TransportError, TransportErrorKind, Turn, TurnFuture,
};
pub use sign::Secret;
pub use source::{Code, Finding, Position, Severity};
pub use tool::Tool;

/// The parts of an [`Error`]: what went wrong at which stage, with its facts.
pub mod error {
    pub use crate::catalog::{FindingText, LoadError, TrustError};
    pub use crate::json::ValueError;
    pub use crate::params::ArgumentProblem;
    pub use crate::plan::{FileError, RenderError};
    pub use crate::send::{ClientError, NoPlace, SendError};
    pub use crate::sign::{SecretError, SignError};
    pub use crate::source::{Power, Untrusted};
    pub use crate::template::EvalError;
    pub use crate::tool::service::SettingError;
}

/// Descriptors from OpenAPI documents: [`parse`](openapi::parse) reads a document, [`import`](openapi::import) makes files
/// of it. Nothing is fetched and nothing is written.
#[cfg(feature = "import")]
pub mod openapi {
    pub use crate::import::document::parse;
    pub use crate::import::openapi::{Options, import};
    pub use crate::import::report::{Loss, Report, What};
    pub use crate::import::{File, Import, ImportError, Selection, Selector};
    pub use crate::words::Name;
}

/// Checks descriptors: files, all descriptors below folders, and what globs such as `tools/**/*.yaml` match.
///
/// # Errors
/// When a path does not exist, or a glob is malformed or matches nothing. What is wrong with a descriptor is a finding.
pub fn validate(paths: &[String]) -> Result<Report, String> {
    check::paths(paths)
}

/// For toolrun's own tests, benchmarks and fuzzing: no part of the interface, and free to change.
#[doc(hidden)]
pub mod internals {
    pub use crate::jsonpath::JsonPath;
    pub use crate::plan::{PathTemplate, QuerySpec, QueryTemplate};
    #[cfg(feature = "sandbox")]
    pub use crate::sandbox::Incoming;
    pub use crate::sign::{AuthList, Redactor, SecretStore, Secrets};
    pub use crate::source::{Check, Code, Finding, Severity, Source};
    pub use crate::template::{CallScope, Expression, Names, Template};
    pub use crate::words::Name;

    /// The secrets of a tool's service.
    ///
    /// # Errors
    /// When a secret is missing.
    pub fn secrets(tool: &crate::Tool, store: &SecretStore) -> Result<Secrets, crate::Error> {
        Ok(tool.service.auth.resolve(store)?)
    }

    /// Renders a valid tool with its defaults and with its examples, and runs the examples.
    ///
    /// # Panics
    /// When a request leaves the service's base URL, or an example of a valid tool fails.
    pub fn exercise(tool: &crate::Tool) {
        use serde_json::{Value, json};

        let settings = tool
            .service
            .default_settings()
            .unwrap_or_else(|_| json!({}));
        let examples = tool.example_arguments().cloned().map(Value::Object);
        for arguments in examples.chain([json!({})]) {
            let Ok(arguments) = tool.accept(arguments) else {
                continue;
            };
            let Ok(plan) = tool.render(&arguments, &settings) else {
                continue;
            };
            if !tool.service.base.reads_token() {
                let base = tool.service.base.at(&settings, None);
                let base = base.expect("the base URL was rendered");
                let start = base.as_str().trim_end_matches('/');
                assert!(plan.target.starts_with(start), "{}", plan.target);
            }
            let _ = (plan.view(), plan.to_http(), plan.to_curl());
        }
        for example in &tool.examples {
            let failures = crate::check::examples::run(tool, example);
            assert!(failures.is_empty(), "an example of a valid tool fails");
        }
    }

    /// Validates descriptors.
    pub mod check {
        pub use crate::check::*;
    }

    /// Reads YAML with its places.
    pub mod yaml {
        pub use crate::yaml::*;
    }
}

/// The examples of the README compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// The examples of the page about the library compile.
#[cfg(doctest)]
#[doc = include_str!("../docs/library.md")]
struct LibraryPage;
