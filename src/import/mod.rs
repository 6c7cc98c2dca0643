//! Import.
#![allow(missing_docs)]
mod document;
mod merge;
mod select;
mod yaml;
