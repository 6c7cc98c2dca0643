//! Reload: when a descriptor is edited, the tools change while the server runs. A tool that no longer compiles stays as it was.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Gate, Shared, ToolSet};
use crate::catalog::{Catalog, Entry};
use crate::policy::Policy;
use crate::source::Finding;
use crate::tool::Tool;

/// How often folders are looked at, at most.
const LOOK: Duration = Duration::from_millis(500);
/// Looking takes at most one part of so many of the time.
const SHARE: u32 = 50;
/// But a change is seen in this time, however large the folders.
const LONGEST: Duration = Duration::from_secs(10);
/// How deep descriptors lie below a folder: in it, or in the folder of a service.
const DEPTH: usize = 2;

/// Where the tools come from, and which of them are served.
pub(crate) struct Folder {
    catalog: Catalog,
    /// Whether a tool is served.
    wanted: Box<dyn Fn(&Tool) -> bool + Send + Sync>,
    /// Whether a file may hold a tool that is served. Other files are not read.
    may_be_wanted: Box<dyn Fn(&Entry) -> bool + Send + Sync>,
    /// The tools that compiled last.
    good: BTreeMap<String, Arc<Tool>>,
    direct: usize,
    /// Whether models may ask the tools in SQL.
    #[cfg(feature = "store")]
    queries: bool,
    /// The file of the policy.
    policy: Option<PathBuf>,
    /// The last policy that compiled.
    gate: Gate,
    /// What the files looked like when they were loaded last.
    seen: u64,
}

/// The folders and the policy that are looked at.
type Roots = (Vec<PathBuf>, Option<PathBuf>);

/// Tells the operator something.
pub(crate) type Tell = dyn Fn(&str) + Send + Sync;

impl Folder {
    /// The tools of a catalog. Up to `direct` of them are listed one by one.
    pub(crate) fn new(
        catalog: Catalog,
        wanted: Box<dyn Fn(&Tool) -> bool + Send + Sync>,
        direct: usize,
    ) -> Folder {
        Folder {
            catalog,
            wanted,
            may_be_wanted: Box::new(|_| true),
            good: BTreeMap::new(),
            direct,
            #[cfg(feature = "store")]
            queries: false,
            policy: None,
            gate: Gate::default(),
            seen: 0,
        }
    }

    /// Reads only files that may hold a tool that is served.
    pub(crate) fn reading(
        mut self,
        may_be_wanted: Box<dyn Fn(&Entry) -> bool + Send + Sync>,
    ) -> Folder {
        self.may_be_wanted = may_be_wanted;
        self
    }

    /// Lets a policy decide about calls.
    pub(crate) fn with_policy(mut self, file: Option<PathBuf>) -> Folder {
        self.policy = file;
        self
    }

    /// Lets models ask the tools in SQL.
    #[cfg(feature = "store")]
    pub(crate) fn with_queries(mut self, queries: bool) -> Folder {
        self.queries = queries;
        self
    }

    /// Loads all tools and the policy, and says what is wrong. A tool that does not compile any more keeps its last form,
    /// and so does the policy.
    ///
    /// # Errors
    /// Every finding of the policy, when none has compiled before.
    pub(crate) fn load(&mut self, tell: &Tell) -> Result<(ToolSet, Gate), Vec<Finding>> {
        // What changes from here on is seen by the next look.
        self.seen = fingerprint(&self.roots());
        let mut good = BTreeMap::new();
        // A policy is held against all tools: a rule for one that does not exist is a mistake.
        let reads_all = self.policy.is_some();
        let is_read = |entry: &Entry| reads_all || (self.may_be_wanted)(entry);
        for (entry, loaded) in self.catalog.load_those(is_read) {
            let key = entry.file.display();
            match loaded {
                Ok(tool) => drop(good.insert(key, tool)),
                Err(findings) => {
                    let last = self.good.remove(&key);
                    let kept = match &last {
                        Some(_) => "it is served as it was",
                        None => "it is not served",
                    };
                    tell(&format!("{key} is broken; {kept}{}", listed(&findings)));
                    good.extend(last.map(|tool| (key, tool)));
                }
            }
        }
        self.good = good;
        self.load_policy(tell)?;
        let gate = self.gate.clone();
        let mut tools = Vec::new();
        let mut untrusted = BTreeMap::new();
        for tool in self.good.values().filter(|tool| (self.wanted)(tool)) {
            match tool.service.origin.untrusted_folder() {
                None => tools.push(Arc::clone(tool)),
                Some(folder) => *untrusted.entry(folder.to_owned()).or_insert(0) += 1,
            }
        }
        for (folder, count) in untrusted {
            tell(&format!(
                "{count} tools of {} are not served: the folder is not trusted",
                folder.display()
            ));
        }
        let (set, problems) = ToolSet::new(tools, self.direct, &gate);
        #[cfg(feature = "store")]
        let set = match self.queries {
            true => set.with_queries(),
            false => set,
        };
        problems.iter().for_each(|problem| tell(problem));
        Ok((set, gate))
    }

    /// Loads the policy. One that is broken leaves the last good one in force.
    fn load_policy(&mut self, tell: &Tell) -> Result<(), Vec<Finding>> {
        let Some(file) = &self.policy else {
            return Ok(());
        };
        let tools: Vec<Arc<Tool>> = self.good.values().cloned().collect();
        let before = self.gate.policy().map(|policy| policy.version().to_owned());
        match Policy::load(file, Some(&tools)) {
            Ok((policy, warnings)) => {
                let is_new = before.as_deref() != Some(policy.version());
                if is_new && !warnings.is_empty() {
                    tell(&format!("{}:{}", file.display(), listed(&warnings)));
                }
                if is_new && before.is_some() {
                    let (file, rules) = (file.display(), policy.len());
                    tell(&format!(
                        "{file} has changed; its {rules} rules are in force"
                    ));
                }
                self.gate = Gate::of(policy);
                Ok(())
            }
            Err(findings) if before.is_none() => Err(findings),
            Err(findings) => {
                let (file, findings) = (file.display(), listed(&findings));
                tell(&format!(
                    "{file} is broken; the policy from before stays in force{findings}"
                ));
                Ok(())
            }
        }
    }

    /// What a change of it is seen by.
    fn roots(&self) -> Roots {
        (self.catalog.folders(), self.policy.clone())
    }
}

pub(super) fn listed(findings: &[Finding]) -> String {
    let lines = findings.iter().map(|finding| {
        let position = finding.position();
        format!(
            "\n  {position}: {} [{}]",
            finding.message,
            finding.code.name()
        )
    });
    lines.collect()
}

/// Looks at the folders of a catalog until the server ends, and replaces its tools when a file has changed.
pub(crate) async fn watch(shared: Arc<Shared>, mut folder: Folder, tell: Arc<Tell>) {
    let roots = folder.roots();
    if roots.0.is_empty() && roots.1.is_none() {
        return;
    }
    loop {
        let begun = Instant::now();
        let now = look(&roots).await;
        let pause = LOOK.max(begun.elapsed() * SHARE).min(LONGEST);
        if now != folder.seen {
            let again = Arc::clone(&tell);
            let loaded = tokio::task::spawn_blocking(move || {
                let loaded = folder.load(&*again);
                (folder, loaded)
            });
            let Ok((returned, Ok((set, gate)))) = loaded.await else {
                return tell("the tools could not be reloaded; those from before stay");
            };
            folder = returned;
            let (tools, offered) = (set.len(), set.offered());
            shared.replace(set, gate);
            tell(&format!("reloaded: {tools} tools, {offered} of them run"));
        }
        tokio::select! {
            () = shared.stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// A fingerprint of the names, sizes and times of all descriptor files, and of the text of the policy.
fn fingerprint((roots, policy): &Roots) -> u64 {
    let mut hasher = DefaultHasher::new();
    // A policy is small, and a change of it must never be overlooked.
    // Opening a pipe would wait for its writer.
    let is_file = |file: &&PathBuf| file.metadata().is_ok_and(|facts| facts.is_file());
    let policy = policy.as_ref().filter(is_file);
    let policy = policy.and_then(|file| std::fs::read(file).ok());
    policy.hash(&mut hasher);
    roots.iter().for_each(|root| add(root, DEPTH, &mut hasher));
    hasher.finish()
}

async fn look(roots: &Roots) -> u64 {
    let roots = roots.clone();
    let looked = tokio::task::spawn_blocking(move || fingerprint(&roots));
    looked.await.unwrap_or_default()
}

fn add(folder: &Path, depth: usize, hasher: &mut DefaultHasher) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    paths.sort();
    for path in paths {
        let is_yaml = path
            .extension()
            .is_some_and(|ending| ending == "yaml" || ending == "yml");
        let Ok(facts) = std::fs::metadata(&path) else {
            continue;
        };
        if facts.is_dir() && depth > 1 {
            add(&path, depth - 1, hasher);
        } else if is_yaml {
            path.hash(hasher);
            facts.len().hash(hasher);
            facts.modified().ok().hash(hasher);
        }
    }
}
