//! The tools that a command is about: those that are named, or those of services.

use crate::Catalog;
use crate::catalog::{Entry, LoadError, Loaded};
use crate::definition::is_name_of;
use crate::tool::Tool;
use crate::words::{Name, nearest};

use super::{Done, Failure, usage};

/// Names that lead to nothing are mistakes.
pub(crate) fn check(catalog: &Catalog, names: &[String], services: &[String]) -> Done {
    for name in names {
        match catalog.tool(name) {
            Ok(_) | Err(LoadError::AmbiguousTool { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let entries = catalog.entries();
    for service in services {
        let mut known = entries.iter().filter_map(|entry| entry.service.as_deref());
        // A tool that stands alone has its service inside.
        let has_alone = entries.iter().any(|entry| entry.service.is_none());
        if Name::new(service).is_none() || (!has_alone && !known.any(|name| name == service)) {
            let known = entries.iter().filter_map(|entry| entry.service.as_deref());
            let hint = nearest(service, known).map(|hint| format!("; {hint}"));
            let hint = hint.unwrap_or_default();
            return Err(usage(format!("there is no service `{service}`{hint}")));
        }
    }
    Ok(())
}

/// Whether a tool is one of them.
pub(crate) fn is_chosen(tool: &Tool, names: &[String], services: &[String]) -> bool {
    let qualified = tool.qualified_name();
    let is_named =
        |name: &String| *name == tool.name || *name == qualified || is_name_of(name, &qualified);
    (names.is_empty() || names.iter().any(is_named))
        && (services.is_empty() || services.iter().any(|name| name == tool.service()))
}

/// The chosen tools, and what is broken among them. Files that cannot be one of them are not read.
///
/// # Errors
/// When a name leads to nothing.
pub(crate) fn load_all(
    catalog: &Catalog,
    names: &[String],
    services: &[String],
) -> Result<Vec<Loaded>, Failure> {
    check(catalog, names, services)?;
    let all = catalog
        .load_those(|entry| may_be_chosen(entry, names, services))
        .into_iter();
    let is_one = |(_, loaded): &Loaded| {
        let tool = loaded.as_ref().ok();
        tool.is_none_or(|tool| is_chosen(tool, names, services))
    };
    Ok(all.filter(is_one).collect())
}

/// Whether a file may hold a chosen tool, by what it is called.
pub(crate) fn may_be_chosen(entry: &Entry, names: &[String], services: &[String]) -> bool {
    let is_of = |service: &str| entry.service.as_deref().is_none_or(|own| own == service);
    let is_named = |name: &String| match name.split_once('/') {
        Some((service, name)) => entry.name == name && is_of(service),
        // A name that models know has underscores, and the service in front.
        None => entry.name == *name || name.contains('_'),
    };
    (names.is_empty() || names.iter().any(is_named))
        && (services.is_empty() || services.iter().any(|service| is_of(service)))
}
