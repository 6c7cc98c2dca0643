//! What changes between two versions of descriptors, and for whom: those who call the tools, those who run them, and the
//! requests that are sent.
//!
//! Both versions are loaded as for a call ([`side`]), from disk or from git ([`git`]), and compared by what they mean:
//! schemas by the values that fit them ([`schema`]), requests by what both render of the same arguments ([`wire`]), outputs by
//! what both make of the same responses ([`output`]). What cannot be told is said, and counts as breaking.

mod accept;
mod change;
mod git;
mod output;
mod params;
mod record;
mod rules;
mod schema;
mod service;
mod side;
mod tool;
mod variants;
mod veil;
mod wire;
mod written;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

pub(crate) use accept::Accepted;
pub(crate) use change::Classes;
use change::Side as In;
pub(crate) use change::{Change, Class};
pub(crate) use git::{GitError, Repository, revision_and_path};
use record::{Record, Version, place};
pub(crate) use side::Side;
use side::{At, Loaded, Other};
use wire::Difference;
use written::{same, settled};

use crate::parallel;
use crate::source::{Code, Finding, Source, join};
use crate::tool::Tool;
use crate::tool::service::Service;
use crate::words::nearest_of;

/// What changes from one version to another.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    /// The files of the new version.
    pub files: Vec<String>,
    /// The changes, by file and place.
    pub changes: Vec<Change>,
    /// The errors of files that cannot be used, in the new version.
    pub errors: Vec<Finding>,
    /// What was not valid before and is now: the service and the tool.
    pub mended: Vec<(String, String)>,
    /// Entries of `allow` that accept nothing, because they accepted an earlier change or name none.
    pub needless: Vec<Finding>,
}

/// Compares two versions. `accepted` are changes that are accepted beside those that the files of the new version allow.
pub(crate) fn compare(old: &Side, new: &Side, accepted: &[Accepted]) -> Comparison {
    let (before, now) = (side::load(old), side::load(new));
    let mut comparison = Comparison {
        files: new.files(),
        errors: now.findings.clone(),
        ..Comparison::default()
    };
    let mut differ = Differ {
        old: &before,
        new: &now,
        changes: Vec::new(),
        mended: Vec::new(),
    };
    differ.tools();
    differ.services();
    differ.others();
    differ.broken();
    comparison.changes = differ.changes;
    comparison.mended = differ.mended;
    comparison
        .changes
        .sort_by(|a, b| (&a.source.name, a.span.start).cmp(&(&b.source.name, b.span.start)));
    comparison.needless = accept::apply(&mut comparison.changes, &before, &now, accepted);
    veil::hide_secrets(&mut comparison.changes, &before, &now);
    comparison
}

/// What changed in a document from which descriptors came. `base` are the descriptors as they came from it, `here` as they are
/// now, and `fresh` as they would come from it now. Changes that people made are none of the document's. Each change stands in
/// the files that are here, where they have its place.
pub(crate) fn compare_document(base: Option<&Side>, here: &Side, fresh: &Side) -> Comparison {
    let mut comparison = compare(here, fresh, &[]);
    comparison.files = here.files();
    if let Some(base) = base {
        let upstream = compare(base, fresh, &[]).changes;
        comparison.changes.retain(|change| {
            change.code == Code::NotCompared || upstream.iter().any(|own| own.is_like(change))
        });
    }
    let files = side::load(here);
    let tools = files.tools.values().map(|at| Arc::clone(&at.thing.source));
    let services = files
        .services
        .values()
        .map(|at| Arc::clone(at.thing.source()));
    let sources: HashMap<String, Arc<Source>> = tools
        .chain(services)
        .map(|source| (source.name.clone(), source))
        .collect();
    for change in comparison
        .changes
        .iter_mut()
        .filter(|change| change.side == In::New)
    {
        if let Some(source) = sources.get(&change.source.name) {
            change.span = place(source, &change.at);
            change.source = Arc::clone(source);
        }
    }
    comparison
}

struct Differ<'s> {
    old: &'s Loaded,
    new: &'s Loaded,
    changes: Vec<Change>,
    mended: Vec<(String, String)>,
}

/// A pair of services, by their files and where they stand in them.
type Pair = (String, String);

/// The versions of a service, and the differences of its tools' requests that come from it.
struct Shared<'s> {
    old: &'s Arc<Service>,
    new: &'s Arc<Service>,
    differences: BTreeMap<String, Difference>,
    /// Whether requests of tools were compared, so that its headers and query need not be guessed.
    has_tools: bool,
}

impl<'s> Differ<'s> {
    fn tools(&mut self) {
        let pairs: Vec<(&At<Arc<Tool>>, &At<Arc<Tool>>)> = self
            .old
            .tools
            .iter()
            .filter_map(|(name, tool)| Some((tool, self.new.tools.get(name)?)))
            .collect();
        let found = parallel::map(&pairs, |(old, new)| compare_tools(&old.thing, &new.thing));
        let mut shared: HashMap<Pair, Shared<'s>> = HashMap::new();
        for ((old, new), (changes, differences)) in pairs.iter().zip(found) {
            self.changes.extend(changes);
            let (before, now) = (&old.thing.service, &new.thing.service);
            let services = shared.entry(pair(before, now)).or_insert_with(|| Shared {
                old: before,
                new: now,
                differences: BTreeMap::new(),
                has_tools: true,
            });
            services.differences.extend(differences);
        }
        // Services without tools, or whose tools are all gone or new.
        for (name, At { thing: old, .. }) in &self.old.services {
            if let Some(At { thing: new, .. }) = self.new.services.get(name) {
                let services = || Shared {
                    old,
                    new,
                    differences: BTreeMap::new(),
                    has_tools: false,
                };
                shared.entry(pair(old, new)).or_insert_with(services);
            }
        }
        for services in shared.into_values() {
            self.changes.extend(compare_services(&services));
        }
        self.gone_and_added();
    }

    fn gone_and_added(&mut self) {
        let is_broken = |loaded: &Loaded, path: &Path| loaded.broken.contains_key(path);
        let gone: Vec<&At<Arc<Tool>>> = self
            .old
            .tools
            .iter()
            .filter(|(name, at)| {
                !self.new.tools.contains_key(*name) && !is_broken(self.new, &at.path)
            })
            .map(|(_, at)| at)
            .collect();
        let added: Vec<&At<Arc<Tool>>> = self
            .new
            .tools
            .iter()
            .filter(|(name, _)| !self.old.tools.contains_key(*name))
            .map(|(_, at)| at)
            .collect();
        for At { thing: tool, .. } in &gone {
            let guess = renamed(tool, &added);
            let guess = guess.map(|name| format!("; it is probably called `{name}` now (a guess)"));
            let name = tool.qualified_name();
            let message = format!("the tool `{name}` is gone{}", guess.unwrap_or_default());
            let classes = Classes::callers(Class::Breaking);
            self.push_tool(Code::ToolGone, classes, In::Old, tool, message);
        }
        for At { thing: tool, path } in added {
            if is_broken(self.old, path) {
                let (service, name) = (tool.service().to_owned(), tool.name.clone());
                self.mended.push((service, name));
                continue;
            }
            let message = format!("the tool `{}` is new", tool.qualified_name());
            let classes = Classes::callers(Class::Compatible);
            self.push_tool(Code::ToolAdded, classes, In::New, tool, message);
        }
    }

    fn push_tool(
        &mut self,
        code: Code,
        classes: Classes,
        side: In,
        tool: &Arc<Tool>,
        message: String,
    ) {
        self.changes.push(Change {
            code,
            classes,
            service: tool.service().to_owned(),
            tool: Some(tool.name.clone()),
            what: String::new(),
            message,
            side,
            at: "/tool".to_owned(),
            span: place(&tool.source, "/tool"),
            source: Arc::clone(&tool.source),
            accepted: None,
            hint: None,
        });
    }

    /// Services that only one version has.
    fn services(&mut self) {
        let names = |loaded: &Loaded| -> BTreeSet<String> {
            let tools = loaded.tools.keys().map(|(service, _)| service.clone());
            loaded.services.keys().cloned().chain(tools).collect()
        };
        let (before, now) = (names(self.old), names(self.new));
        for (name, at) in &self.old.services {
            if !now.contains(name) && !self.new.broken.contains_key(&at.path) {
                let message = format!("the service `{name}` is gone");
                let classes = Classes::callers(Class::Breaking).and_operators(Class::Breaking);
                self.push_service(Code::ServiceGone, classes, In::Old, &at.thing, message);
            }
        }
        for (name, at) in &self.new.services {
            if before.contains(name) {
                continue;
            }
            if self.old.broken.contains_key(&at.path) {
                self.mended.push((name.clone(), String::new()));
                continue;
            }
            let message = format!("the service `{name}` is new");
            let classes = Classes::callers(Class::Compatible).and_operators(Class::Compatible);
            self.push_service(Code::ServiceAdded, classes, In::New, &at.thing, message);
        }
    }

    fn push_service(
        &mut self,
        code: Code,
        classes: Classes,
        side: In,
        service: &Arc<Service>,
        message: String,
    ) {
        self.changes.push(Change {
            code,
            classes,
            service: service.name.clone(),
            tool: None,
            what: String::new(),
            message,
            side,
            at: "/service".to_owned(),
            span: place(service.source(), "/service"),
            source: Arc::clone(service.source()),
            accepted: None,
            hint: None,
        });
    }

    /// Policies, files of callers, and sandboxes.
    fn others(&mut self) {
        for (path, (kind, old)) in &self.old.others {
            match self.new.others.get(path) {
                Some((other, new)) if other == kind => self.other(*kind, path, old, new),
                _ if self.new.broken.contains_key(path) => {}
                _ => {
                    let message = format!("{} is gone", word(*kind));
                    self.push_other(*kind, In::Old, path, old, Class::Breaking, message);
                }
            }
        }
        for (path, (kind, new)) in &self.new.others {
            let known = self.old.others.get(path);
            let is_known = known.is_some_and(|(other, _)| other == kind);
            if !is_known && !self.old.broken.contains_key(path) {
                let message = format!("{} is new", word(*kind));
                let class = match kind {
                    Other::Policy => Class::Breaking,
                    Other::Callers | Other::Sandbox => Class::Compatible,
                };
                self.push_other(*kind, In::New, path, new, class, message);
            }
        }
    }

    fn other(&mut self, kind: Other, path: &Path, old: &Arc<Source>, new: &Arc<Source>) {
        const WORDS: [&str; 3] = ["description", "allow", "cases"];
        let Some(key) = first_difference(old.value(), new.value()) else {
            return;
        };
        let message = format!("`{key}` of {} is another", word(kind));
        let class = match WORDS.contains(&key.as_str()) {
            true => Class::Cosmetic,
            false => Class::Breaking,
        };
        let at = first_place(
            &join("", &key),
            old.value().get(&key),
            new.value().get(&key),
        );
        let (side, source) = match new.value().get(&key) {
            Some(_) => (In::New, new),
            None => (In::Old, old),
        };
        self.push_other(kind, side, path, source, class, message);
        if let Some(change) = self.changes.last_mut() {
            change.span = place(source, &at);
            change.at = at;
        }
    }

    fn push_other(
        &mut self,
        kind: Other,
        side: In,
        path: &Path,
        source: &Arc<Source>,
        class: Class,
        message: String,
    ) {
        let (code, classes) = match kind {
            Other::Policy => (
                Code::PolicyChanged,
                Classes::callers(class).and_operators(class),
            ),
            Other::Callers => (
                Code::CallersChanged,
                Classes::callers(class).and_operators(class),
            ),
            Other::Sandbox => (
                Code::SandboxChanged,
                Classes::callers(class.min(Class::Cosmetic)),
            ),
        };
        self.changes.push(Change {
            code,
            classes,
            service: path.display().to_string(),
            tool: None,
            what: String::new(),
            message,
            side,
            at: String::new(),
            span: place(source, ""),
            source: Arc::clone(source),
            accepted: None,
            hint: None,
        });
    }

    /// Files of the old version that are not valid: what changed in them is not known.
    fn broken(&mut self) {
        let mut paths: Vec<&PathBuf> = self.old.broken.keys().collect();
        paths.sort();
        for path in paths {
            let Some(first) = self.old.broken[path].first() else {
                continue;
            };
            // What is still broken is an error of the new version. What is only beside a broken service is told there.
            let own = path.to_string_lossy();
            if self.new.broken.contains_key(path) || !first.source.name.ends_with(&*own) {
                continue;
            }
            let message = format!(
                "the old version is not valid, so that what changed is not known: {}: {} [{}]",
                first.position(),
                first.message,
                first.code
            );
            let source = self.new_source(path);
            let side = match source {
                Some(_) => In::New,
                None => In::Old,
            };
            let source = source.unwrap_or_else(|| Arc::clone(&first.source));
            self.changes.push(Change {
                code: Code::NotCompared,
                classes: Classes::callers(Class::Breaking)
                    .and_operators(Class::Breaking)
                    .and_wire(Class::Breaking),
                service: path.display().to_string(),
                tool: None,
                what: String::new(),
                message,
                side,
                at: String::new(),
                span: place(&source, ""),
                source,
                accepted: None,
                hint: None,
            });
        }
    }

    /// The file of the new version at a path.
    fn new_source(&self, path: &Path) -> Option<Arc<Source>> {
        let tools = self.new.tools.values();
        let tool = tools.into_iter().find(|at| at.path == path);
        let service = self.new.services.values().find(|at| at.path == path);
        let other = self.new.others.get(path);
        tool.map(|at| Arc::clone(&at.thing.source))
            .or_else(|| service.map(|at| Arc::clone(at.thing.source())))
            .or_else(|| other.map(|(_, source)| Arc::clone(source)))
    }
}

fn word(kind: Other) -> &'static str {
    match kind {
        Other::Policy => "the policy",
        Other::Callers => "the file of callers",
        Other::Sandbox => "the sandbox",
    }
}

/// The first key in which two files differ in what they mean; one that matters comes first.
fn first_difference(old: &Value, new: &Value) -> Option<String> {
    const WORDS: [&str; 3] = ["description", "allow", "cases"];
    let none = serde_json::Map::new();
    let (old, new) = (
        old.as_object().unwrap_or(&none),
        new.as_object().unwrap_or(&none),
    );
    let mut differing: Vec<&String> = new
        .keys()
        .chain(old.keys().filter(|key| !new.contains_key(*key)))
        .filter(|key| !same(old.get(*key), new.get(*key)))
        .collect();
    differing.sort_by_key(|key| WORDS.contains(&key.as_str()));
    differing.first().map(|key| (*key).clone())
}

/// The place of the first item in which two lists differ.
fn first_place(at: &str, old: Option<&Value>, new: Option<&Value>) -> String {
    let (Some(Value::Array(old)), Some(Value::Array(new))) = (old, new) else {
        return at.to_owned();
    };
    let differs = |i: &usize| old.get(*i).map(settled) != new.get(*i).map(settled);
    match (0..new.len()).find(differs) {
        Some(index) => format!("{at}/{index}"),
        None => at.to_owned(),
    }
}

fn pair(old: &Service, new: &Service) -> Pair {
    let name = |service: &Service| format!("{}{}", service.source().name, service.pointer());
    (name(old), name(new))
}

type Compared = (Vec<Change>, Vec<(String, Difference)>);

fn compare_tools(old: &Arc<Tool>, new: &Arc<Tool>) -> Compared {
    let is_same_service = same(Some(old.service.spec()), Some(new.service.spec()));
    if is_same_service && same(Some(old.source.value()), Some(new.source.value())) {
        return (Vec::new(), Vec::new());
    }
    let mut record = Record::of_tool(
        Version::new(&old.source, ""),
        Version::new(&new.source, ""),
        new.service(),
        &new.name,
    );
    let shared = tool::compare(old, new, &mut record);
    (record.changes, shared)
}

fn compare_services(shared: &Shared<'_>) -> Vec<Change> {
    let (old, new) = (shared.old, shared.new);
    if same(Some(old.spec()), Some(new.spec())) {
        return Vec::new();
    }
    let mut record = Record::of_service(
        Version::new(old.source(), old.pointer()),
        Version::new(new.source(), new.pointer()),
        &new.name,
    );
    service::compare(old, new, &mut record);
    for (at, difference) in &shared.differences {
        tool::note_request(difference, at, difference.new.is_none(), &mut record);
    }
    if !shared.has_tools {
        note_unrendered(&mut record);
    }
    record.changes
}

/// Headers and parameters of a service without tools, of which no request shows what they send.
fn note_unrendered(record: &mut Record) {
    for key in ["headers", "query"] {
        let at = join("", key);
        let (before, now) = record.both(&at);
        if same(before, now) {
            continue;
        }
        let message = format!("the `{key}` of every request are others");
        let classes = Classes::wire(Class::Breaking);
        record.at(Code::RequestChanged, classes, &at, key, message);
    }
}

/// What a tool that is gone is probably called now: a new one that sends the same request, or has a name like it and the
/// same params.
fn renamed(tool: &Tool, added: &[&At<Arc<Tool>>]) -> Option<String> {
    let part = |tool: &Tool, key: &str| tool.source.value().get(key).map(settled);
    let request = part(tool, "request");
    let same_request = added
        .iter()
        .find(|at| part(&at.thing, "request") == request && at.thing.access == tool.access);
    if let Some(at) = same_request {
        return Some(at.thing.qualified_name());
    }
    let params = part(tool, "params");
    let alike = added
        .iter()
        .filter(|at| at.thing.service() == tool.service() && part(&at.thing, "params") == params);
    let names: Vec<&str> = alike.map(|at| at.thing.name.as_str()).collect();
    let name = nearest_of(&tool.name, names.into_iter())?;
    Some(format!("{}/{name}", tool.service()))
}
