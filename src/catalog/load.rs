//! Loading: from a file to a compiled tool or service.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::entry::{Entry, File};
use crate::parallel;
use crate::source::{Check, Code, Finding, Origin};
use crate::tool::service::Service;
use crate::tool::{ServiceSource, Tool};

/// Reads and compiles one tool and its service. They may do only what both of their files may do.
///
/// # Errors
/// Every finding of either file that keeps the tool from being used.
pub(crate) fn load(entry: &Entry) -> Result<Arc<Tool>, Vec<Finding>> {
    load_with(entry, &Services::default())
}

/// Reads and compiles several tools, as [`load`]. Tools of one service share it.
pub(crate) fn load_many(entries: &[Entry]) -> Vec<Result<Arc<Tool>, Vec<Finding>>> {
    let services = Services::default();
    parallel::map(entries, |entry| load_with(entry, &services))
}

/// Services that were compiled for other tools. What one may do depends on the tool's file too.
#[derive(Default)]
struct Services(Mutex<HashMap<(PathBuf, Origin), Arc<OnceLock<Compiled>>>>);

type Compiled = Result<Arc<Service>, Vec<Finding>>;

impl Services {
    fn get(&self, file: &File, origin: Origin) -> Compiled {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = known.entry((file.path.clone(), origin.clone()));
        let service = Arc::clone(place.or_default());
        drop(known);
        service
            .get_or_init(|| load_service_as(file, origin))
            .clone()
    }
}

fn load_with(entry: &Entry, services: &Services) -> Result<Arc<Tool>, Vec<Finding>> {
    let beside = entry.file.service_file();
    let has_service = beside.exists();
    let origin = match has_service {
        true => entry.file.origin().and(beside.origin()),
        false => entry.file.origin(),
    };
    let check = Check::new(entry.file.open_as(origin.clone())?);
    let service = match has_service {
        true => ServiceSource::Beside(services.get(&beside, origin)?),
        false => ServiceSource::Absent,
    };
    let tool = Tool::load(&check, &service);
    if let Some(tool) = &tool {
        check_name(tool, entry, &check);
    }
    let findings = check.into_findings();
    match tool {
        Some(tool) if findings.is_empty() => Ok(Arc::new(tool)),
        _ => Err(findings),
    }
}

/// Reads and compiles several tools, as [`load`].
///
/// # Errors
/// Every finding of the first that is not valid.
pub(crate) fn load_each(entries: &[Entry]) -> Result<Vec<Arc<Tool>>, Vec<Finding>> {
    load_many(entries).into_iter().collect()
}

/// A tool's file must have the tool's name, and its folder the service's. Mistakes go to `check`.
pub(crate) fn check_name(tool: &Tool, entry: &Entry, check: &Check) {
    if tool.name != entry.name {
        check.error_with_help(
            Code::BadName,
            "/tool",
            format!(
                "the tool `{}` stands in a file called `{}`",
                tool.name, entry.name
            ),
            "a tool's file is named for the tool, so that its name leads to it",
        );
    }
}

/// Reads and compiles a service.
///
/// # Errors
/// Every finding.
pub(crate) fn load_service(file: &File) -> Result<Arc<Service>, Vec<Finding>> {
    load_service_as(file, file.origin())
}

fn load_service_as(file: &File, origin: Origin) -> Result<Arc<Service>, Vec<Finding>> {
    let check = Check::new(file.open_as(origin)?);
    let service = Service::load(&check);
    let findings = check.into_findings();
    match service {
        Some(service) if findings.is_empty() => Ok(Arc::new(service)),
        _ => Err(findings),
    }
}
