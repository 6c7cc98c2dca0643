//! Import.
#![allow(missing_docs)]
mod document;
mod yaml;
