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
//! use toolrun::{Catalog, Engine};
//!
//! # async fn example() -> Result<(), toolrun::Error> {
//! let catalog = Catalog::builtin().with_folder("my-tools");
//! let tool = catalog.tool("list-members")?;
//! let engine = Engine::new();
//! let mut pages = engine.pages(&tool, json!({ "limit": 100 }), Default::default())?;
//! while let Some(page) = pages.next().await? {
//!     println!("{}", page.output(&tool)?);
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
pub use engine::Job;
pub use engine::error::{Error, ErrorKind, Upstream};
pub use engine::walk::{Incomplete, Note, Pages, Stopped};
pub use engine::{Engine, Outcome, Page, WalkLimits};
pub use plan::{Files, Plan};
pub use sign::Secret;
pub use tool::Tool;
