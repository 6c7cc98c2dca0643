//! Exchanges of a recording as examples of their tools.

use std::path::Path;

use crate::Catalog;
use crate::cli::Done;

pub(super) fn add(_: &Path, _: Option<&str>, _: &Catalog) -> Done {
    Ok(())
}
