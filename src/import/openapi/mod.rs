//! Import of OpenAPI 3.0 and 3.1 documents, and of others that are rewritten as such: one service, and one tool per
//! operation.
//!
//! Every file is checked as `validate` would. An operation whose descriptor does not pass is skipped, and the report
//! says why.

mod auth;
mod body;
mod draft;
mod example;
mod graph;
mod media;
mod names;
mod operation;
mod paging;
mod parameters;
mod response;
pub(super) mod saved;
mod schema;
mod server;
mod service;
mod spec;
#[cfg(test)]
mod tests;
mod text;
mod tools;
mod xml;

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::inner::{Format, Inner};
use super::report::{Imported, Ledger, Losses, Report, Skipped, What};
use super::select::{Aspects, Selection};
use super::{File, Import, ImportError, yaml};
use crate::check::{prove_service, prove_tool};
use crate::parallel;
use crate::source::{Check, Code, Finding, Severity, Source};
use crate::tool::service::Service;
use crate::tool::{ServiceSource, Tool};
use crate::words::Name;

use auth::Schemes;
use draft::Shared;
use graph::Graph;
use operation::Operation;
use server::Server;
use spec::Spec;
use tools::Nameless;

/// Options of an import.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The service's name; derived from the title if absent.
    pub service: Option<Name>,
    /// The base URL of the service, instead of the document's.
    pub base_url: Option<String>,
    /// Which operations to import.
    pub selection: Selection,
    /// The tool names of an earlier import, by operation (`GET /pets`).
    pub known_names: HashMap<String, String>,
}

pub(super) use example::rendered as rendered_example;
pub(super) use names::variable_name;
pub(super) use parameters::expression;
pub(super) use tools::TAKEN;

/// The words of a name in any spelling.
pub(super) fn words_of(text: &str) -> Vec<String> {
    names::words(text)
}

/// A name for the service of an OpenAPI document, by its title.
pub(crate) fn service_name(document: &Value) -> Name {
    let title = document.pointer("/info/title").and_then(Value::as_str);
    names::service(title.unwrap_or_default())
}

/// Turns a document into descriptors: one of OpenAPI 3 or Swagger 2.0, a description by Google's discovery service, or a
/// Postman collection. A text is taken for curl commands.
///
/// # Errors
/// When it is none of them, or no valid service can be made from it.
pub fn import(document: Value, options: &Options) -> Result<Import, ImportError> {
    let original = document.clone();
    let inner = Inner::read(document)?;
    import_inner(inner, &original, options)
}

/// Turns a document into descriptors. `original` is the document before it was rewritten: the report names places in it.
///
/// # Errors
/// As [`import`].
pub(crate) fn import_inner(
    inner: Inner,
    original: &Value,
    options: &Options,
) -> Result<Import, ImportError> {
    let name = match &options.service {
        Some(name) => name.clone(),
        None => service_name(&inner.document),
    };
    let Inner {
        document,
        format,
        version,
        places,
        skipped,
        lost,
    } = inner;
    let spec = Spec::new(document)?;
    let origin = Origin::of(&spec);
    let mut report = Report {
        title: origin.title.clone(),
        version: origin.version.clone(),
        format: format.name().to_owned(),
        openapi: match format {
            Format::OpenApi => spec.version.clone(),
            _ => version,
        },
        service: name.to_string(),
        operations: skipped.len(),
        skipped,
        ..Report::default()
    };
    let rewritten = (report.skipped.len(), lost);
    let all = operations(&spec, &mut report);
    let keys = all.iter().map(Operation::key).collect();
    // The parts that all tools share do not depend on the selection, so that a later import with another selection
    // fits.
    let losses = Losses::default();
    let server = Server::of(&spec, &name, options.base_url.as_deref(), &all, &losses)?;
    let schemes = Schemes::of(&spec, &name, &server);
    let auth = schemes.choose(&all, &losses);
    // Names do not depend on the selection either.
    let all = name_operations(&name, all, &options.known_names);
    let named = select_operations(all, &options.selection, &mut report);
    if named.is_empty() && report.unselected > 0 {
        return Err(none_selected(&report).into());
    }
    if let Some(webhooks) = spec.root().get("webhooks") {
        losses.note(What::Callback, &webhooks.pointer, "webhooks are left out");
    }
    let members = service::descriptor(&spec, &name, &server, &auth);
    let text = origin.header(None) + &yaml::document(&members, &["settings", "auth"]);
    let service = Arc::new(checked_service(&text)?);
    let mut files = vec![File {
        name: "service.yaml".to_owned(),
        key: None,
        text,
    }];

    let graph = Graph::new(&spec);
    let shared = Shared {
        spec: &spec,
        graph: &graph,
        service: &name,
        server: &server,
        schemes: &schemes,
        auth: &auth,
    };
    let made = parallel::map(&named, |(operation, tool)| {
        let losses = Losses::default();
        let text = tool_text(&shared, operation, tool, &origin, &service, &losses);
        (text, losses)
    });
    let mut ledger = Ledger::default();
    ledger.add(None, losses);
    for ((operation, tool), (text, losses)) in named.iter().zip(made) {
        let pointer = operation.part.pointer.clone();
        match text {
            Ok(text) => {
                ledger.add(Some(tool), losses);
                files.push(File {
                    name: format!("{tool}.yaml"),
                    key: Some(operation.key()),
                    text,
                });
                report.tools.push(Imported {
                    tool: tool.clone(),
                    operation: operation.key(),
                    pointer,
                });
            }
            Err(reason) => report.skipped.push(Skipped {
                operation: operation.key(),
                pointer,
                reason,
            }),
        }
    }
    report.lost = ledger.into_losses();
    if format != Format::OpenApi {
        report.lead_back(&places, original, rewritten);
    }
    if report.tools.is_empty() {
        return Err(ImportError::Empty(Box::new(report)));
    }
    Ok(Import {
        service: name,
        files,
        operations: keys,
        report,
    })
}

/// All operations of the document. Operations that cannot be read are reported as skipped.
fn operations<'s>(spec: &'s Spec, report: &mut Report) -> Vec<Operation<'s>> {
    let mut operations = Vec::new();
    let paths = spec.root().get("paths");
    for (path, written) in paths.into_iter().flat_map(|paths| paths.members()) {
        if path.starts_with("x-") {
            continue;
        }
        let item = match spec.resolve(&written) {
            Ok(item) => item,
            Err(error) => {
                report.operations += 1;
                report.skipped.push(Skipped {
                    operation: path.to_owned(),
                    pointer: written.pointer,
                    reason: error.to_string(),
                });
                continue;
            }
        };
        for (key, part) in item.members() {
            let method = operation::method(key);
            if method.is_none() && key != "trace" {
                continue;
            }
            report.operations += 1;
            let reason = match method {
                Some(method) if part.value.is_object() => {
                    let item = item.clone();
                    operations.push(Operation {
                        method,
                        path,
                        item,
                        part,
                    });
                    continue;
                }
                Some(_) => "it is not an object",
                None => "TRACE requests are not supported",
            };
            report.skipped.push(Skipped {
                operation: format!("{} {path}", key.to_ascii_uppercase()),
                pointer: part.pointer,
                reason: reason.to_owned(),
            });
        }
    }
    operations
}

fn select_operations<'s>(
    all: Vec<(Operation<'s>, String)>,
    selection: &Selection,
    report: &mut Report,
) -> Vec<(Operation<'s>, String)> {
    let tags: Vec<Vec<&str>> = all.iter().map(|(operation, _)| operation.tags()).collect();
    let aspects: Vec<Aspects<'_>> = all
        .iter()
        .zip(&tags)
        .map(|((operation, _), tags)| Aspects {
            tags,
            path: operation.path,
            operation: operation.id().unwrap_or_default(),
            method: operation.method.as_str(),
        })
        .collect();
    let unmatched = selection.unmatched(&aspects);
    report.idle_selectors = unmatched.into_iter().map(str::to_owned).collect();
    let taken: Vec<bool> = aspects.iter().map(|one| selection.selects(one)).collect();
    report.unselected = taken.iter().filter(|taken| !**taken).count();
    let chosen = all.iter().zip(taken).filter(|(_, taken)| *taken);
    chosen.map(|(named, _)| named.clone()).collect()
}

fn none_selected(report: &Report) -> String {
    let idle = match report.idle_selectors.as_slice() {
        [] => String::new(),
        idle => format!(": `{}` matches no operation", idle.join("`, `")),
    };
    format!(
        "none of the {} operations is selected{idle}",
        report.operations
    )
}

fn name_operations<'s>(
    service: &Name,
    operations: Vec<Operation<'s>>,
    known: &HashMap<String, String>,
) -> Vec<(Operation<'s>, String)> {
    let nameless: Vec<Nameless<'_>> = operations
        .iter()
        .map(|operation| Nameless {
            id: operation.id(),
            method: operation.method.as_str(),
            path: operation.path,
            known: known.get(&operation.key()).map(String::as_str),
        })
        .collect();
    let names = tools::tools(service, &nameless);
    drop(nameless);
    operations.into_iter().zip(names).collect()
}

/// The document that files come from, named in the first line of each.
struct Origin {
    title: String,
    version: String,
}

impl Origin {
    fn of(spec: &Spec) -> Origin {
        let root = spec.root();
        let info = root.get("info");
        let said = |key: &str| info.as_ref().and_then(|info| info.text(key));
        Origin {
            title: text::one_line(said("title").unwrap_or("an OpenAPI document"), 100),
            version: text::one_line(said("version").unwrap_or_default(), 40),
        }
    }

    fn header(&self, operation: Option<&Operation<'_>>) -> String {
        let from = format!("{} {}", self.title, self.version);
        super::header(from.trim(), operation.map(Operation::key).as_deref())
    }
}

fn checked_service(text: &str) -> Result<Service, String> {
    let refuse = |findings: Vec<Finding>| {
        format!(
            "the service would not be valid: {}",
            describe_errors(&findings)
        )
    };
    let source = Source::parse("service.yaml".into(), text.to_owned().into()).map_err(refuse)?;
    let check = Check::proving(source);
    match prove_service(&check) {
        Some(service) if !check.failed() => Ok(service),
        _ => Err(refuse(check.into_findings())),
    }
}

/// The text of a tool's file, checked.
fn tool_text(
    shared: &Shared<'_>,
    operation: &Operation<'_>,
    name: &str,
    origin: &Origin,
    service: &Arc<Service>,
    losses: &Losses,
) -> Result<String, String> {
    let mut draft = shared.draft(operation, name, losses)?;
    let header = origin.header(Some(operation));
    let write = |members: &Map<String, Value>| {
        const APART: [&str; 6] = [
            "params", "request", "paging", "response", "examples", "allow",
        ];
        header.clone() + &yaml::document(members, &APART)
    };
    let (tool, warnings) = check_tool(name, write(&draft.members), Some(service))?;
    let mut examples = saved::make(operation, &draft, &tool, losses);
    if let Some(example) = example::make(shared.spec, &draft, &tool) {
        let is_saved = |saved: &Value| saved["request"] == example["request"];
        if !examples.iter().any(is_saved) {
            examples.insert(0, example);
        }
    }
    if !examples.is_empty() {
        draft.members.insert("examples".into(), examples.into());
        if let Err(reason) = check_tool(name, write(&draft.members), Some(service)) {
            draft.members.shift_remove("examples");
            losses.note(What::Example, &operation.part.pointer, reason);
        }
    }
    if !warnings.is_empty() {
        let reasons = warnings.iter().map(|code| allow_entry(*code));
        draft
            .members
            .insert("allow".into(), Value::Object(reasons.collect()));
        check_tool(name, write(&draft.members), Some(service))?;
    }
    Ok(write(&draft.members))
}

/// Runs every check of `validate`; gives the tool and the codes of the warnings. Without a service, the tool has its own.
///
/// # Errors
/// The messages of the first errors.
pub(super) fn check_tool(
    name: &str,
    text: String,
    service: Option<&Arc<Service>>,
) -> Result<(Tool, Vec<Code>), String> {
    let source = Source::parse(format!("{name}.yaml"), text.into())
        .map_err(|found| describe_errors(&found))?;
    let check = Check::proving(source);
    let beside = service.map_or(ServiceSource::Absent, |service| {
        ServiceSource::Beside(Arc::clone(service))
    });
    let tool = prove_tool(&check, &beside);
    let failed = check.failed();
    let findings = check.into_findings();
    match tool {
        Some(tool) if !failed => {
            let mut codes: Vec<Code> = findings.iter().map(|finding| finding.code).collect();
            codes.sort_by_key(|code| code.name());
            codes.dedup();
            Ok((tool, codes))
        }
        _ => Err(describe_errors(&findings)),
    }
}

/// The `allow` entry for a warning about an imported tool: the code and the reason.
pub(super) fn allow_entry(code: Code) -> (String, Value) {
    let reason = match code {
        Code::UndescribedParam => "The document does not describe it.",
        Code::UncheckedFormat => "The document uses its own formats.",
        _ => "The document says so.",
    };
    (code.name().to_owned(), reason.into())
}

/// The messages of the first errors, and how many more there are.
fn describe_errors(findings: &[Finding]) -> String {
    const MOST: usize = 3;
    let errors: Vec<String> = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .map(|finding| format!("{} ({})", finding.message, finding.code))
        .collect();
    let shown = errors
        .iter()
        .take(MOST)
        .cloned()
        .collect::<Vec<_>>()
        .join("; ");
    match errors.len().saturating_sub(MOST) {
        0 => shown,
        more => format!("{shown}; and {more} more"),
    }
}
