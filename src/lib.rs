//! toolrun runs tools that are described in YAML.
//!
//! A descriptor says how to call one HTTP operation: method, path template, params schema, response projection. One
//! generic engine validates it, renders it into a signed request, sends it, and projects the response into the
//! tool's output. A new tool is a new YAML file and no new Rust code.
//!
//! A call is one straight line of stages, each a module that takes a plain value and gives a plain value:
//! [`catalog`] finds and compiles a tool, [`params`] checks arguments, [`plan`] renders, [`sign`] fills in
//! credentials, [`send`] exchanges, [`project`] makes the output, [`paging`] says what comes next and [`wait`] when a
//! job is done. [`Engine`] runs them.
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

#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![cfg_attr(
    not(all(feature = "sandbox", feature = "import")),
    allow(
        dead_code,
        unused_imports,
        reason = "some of it serves one feature alone"
    )
)]

pub mod address;
pub mod base_url;
pub mod catalog;
pub mod check;
pub mod engine;
pub mod format;
#[cfg(feature = "import")]
pub mod import;
pub mod json;
pub mod jsonpath;
pub mod paging;
mod parallel;
pub mod params;
pub mod plan;
pub mod project;
mod said;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod send;
pub mod sign;
pub mod source;
pub mod template;
pub mod tool;
pub mod wait;
pub mod words;
pub mod yaml;

pub use catalog::Catalog;
pub use engine::error::{Error, ErrorKind, Unfinished, Upstream};
pub use engine::{
    Call, CallInfo, Engine, Gathered, Incomplete, Job, Note, Outcome, Page, Pages, Resume, Stopped,
};
pub use format::Access;
pub use plan::{Files, Plan};
pub use send::{
    Body, Budget, Destination, Event, Limit, Limiter, Request, Roots, Scripted, Sending, Transport,
    TransportError, TransportErrorKind, Turn,
};
pub use sign::Secret;
pub use tool::Tool;

/// The README's examples compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
