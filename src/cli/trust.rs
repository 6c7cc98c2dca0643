//! `toolrun trust` and `toolrun untrust`: which folders' tools may use what this machine has.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use etcetera::BaseStrategy as _;
use toolrun::catalog::{TrustError, TrustList};
use toolrun::tool::service::Service;
use toolrun::{Catalog, Tool};

use super::terminal::{self, say};
use super::{Done, Failure, exit, note};

/// The folder that is meant where none is named.
pub const DEFAULT_FOLDER: &str = "tools";
/// Services that are told of before a folder is trusted.
const MAX_TOLD: usize = 20;
/// Characters of a name that are shown.
const MAX_NAME: usize = 80;

/// Trust the tools of a folder.
#[derive(Debug, Args)]
pub struct Trust {
    /// The folder; ./tools unless given
    dir: Option<PathBuf>,
    /// Print the folders that are trusted, and change nothing
    #[arg(long, conflicts_with = "dir")]
    list: bool,
}

/// Trust the tools of a folder no more.
#[derive(Debug, Args)]
pub struct Untrust {
    /// The folder; ./tools unless given
    dir: Option<PathBuf>,
}

impl Trust {
    /// Runs the command.
    pub fn run(self) -> Done {
        let list = list_file()?;
        if self.list {
            return print_list(&list);
        }
        let dir = self.dir.unwrap_or_else(|| DEFAULT_FOLDER.into());
        let known = TrustList::read(&list).map_err(unusable)?;
        let folder = TrustList::add(&list, &dir).map_err(unusable)?;
        if let Some(by) = known.covering(&folder) {
            say(&format!("{} was trusted already", by.display()));
            return Ok(());
        }
        say(&format!("trusted: {}", folder.display()));
        powers(&folder).iter().for_each(|line| say(line));
        say("take it back with `toolrun untrust`");
        Ok(())
    }
}

impl Untrust {
    /// Runs the command.
    pub fn run(self) -> Done {
        let list = list_file()?;
        let dir = self.dir.unwrap_or_else(|| DEFAULT_FOLDER.into());
        // A folder that is gone can still be on the list.
        let folder = dir.canonicalize().or_else(|_| std::path::absolute(&dir))?;
        let removed = TrustList::remove(&list, &folder).map_err(unusable)?;
        for folder in &removed {
            say(&format!("trusted no more: {}", folder.display()));
        }
        let left = TrustList::read(&list).map_err(unusable)?;
        match left.covering(&folder) {
            Some(above) => Err(Failure::Told(
                exit::USAGE,
                format!(
                    "{} is still trusted, because {} is",
                    folder.display(),
                    above.display()
                ),
            )),
            None if removed.is_empty() => {
                say(&format!("{} was not trusted", folder.display()));
                Ok(())
            }
            None => Ok(()),
        }
    }
}

fn print_list(list: &Path) -> Done {
    let known = TrustList::read(list).map_err(unusable)?;
    let mut stdout = terminal::words();
    for folder in known.folders() {
        writeln!(stdout, "{}", folder.display())?;
    }
    stdout.flush()?;
    tell_ignored(&known);
    Ok(())
}

fn unusable(error: TrustError) -> Failure {
    let code = match error {
        TrustError::Folder { .. } => exit::USAGE,
        _ => exit::POLICY,
    };
    Failure::Told(code, error.to_string())
}

/// The list of trusted folders of this user.
fn list_file() -> Result<PathBuf, Failure> {
    let strategy = etcetera::choose_base_strategy().map_err(|error| {
        Failure::Told(
            exit::USAGE,
            format!("there is no place for the list of trusted folders: {error}"),
        )
    })?;
    Ok(strategy.config_dir().join("toolrun").join("trusted"))
}

/// What the user trusts. A list that cannot be used trusts nothing, which is told.
pub fn known() -> TrustList {
    let Ok(list) = list_file() else {
        return TrustList::default();
    };
    match TrustList::read(&list) {
        Ok(known) => {
            tell_ignored(&known);
            known
        }
        Err(error) => {
            note(&error.to_string());
            TrustList::default()
        }
    }
}

fn tell_ignored(known: &TrustList) {
    if known.ignored() > 0 {
        note(&format!(
            "{} line(s) of the list of trusted folders are no absolute plain path and are ignored",
            known.ignored()
        ));
    }
}

/// Asks on a terminal whether to trust the folder of a tool, and remembers a yes. False where nobody can be asked.
pub fn ask(tool: &Tool) -> Result<bool, Failure> {
    let Some(folder) = tool.service.origin.untrusted_folder() else {
        return Ok(false);
    };
    if !terminal::can_ask() {
        return Ok(false);
    }
    say(&format!(
        "{} is described in a folder that is not trusted: {}",
        tool.name,
        folder.display()
    ));
    powers(folder).iter().for_each(|line| say(line));
    if !terminal::ask("Trust this folder?")? {
        return Ok(false);
    }
    TrustList::add(&list_file()?, folder).map_err(unusable)?;
    Ok(true)
}

/// What the tools of a folder can do once it is trusted, in lines.
fn powers(folder: &Path) -> Vec<String> {
    let services = services(&Catalog::empty().with_local_folder(folder));
    let own = services_of_program();
    let mut lines = vec![
        "once it is trusted, its tools, and whatever is put there later, may send requests, and read the secrets, \
         environment variables and files that they name; a secret may be printed by a program"
            .to_owned(),
    ];
    let told = services.iter().take(MAX_TOLD);
    lines.extend(told.map(|service| power(service, &own)));
    if services.len() > MAX_TOLD {
        let more = services.len() - MAX_TOLD;
        lines.push(format!("  and {more} more service(s)"));
    }
    lines
}

fn services_of_program() -> Vec<Arc<Service>> {
    services(&Catalog::builtin())
}

/// The services of a catalog's tools, each once.
fn services(catalog: &Catalog) -> Vec<Arc<Service>> {
    let mut services: BTreeMap<String, Arc<Service>> = BTreeMap::new();
    for (_, tool) in catalog.load_all() {
        if let Ok(tool) = tool {
            services.insert(tool.service.id.clone(), Arc::clone(&tool.service));
        }
    }
    services.into_values().collect()
}

/// Where a service's requests go, and with which secrets and variables.
fn power(service: &Service, own: &[Arc<Service>]) -> String {
    let secrets = service.auth.secrets().iter().map(|s| s.name.clone());
    let settings = service.settings().iter();
    let variables = settings.filter_map(|(_, setting)| setting.env.clone());
    let mut named: Vec<String> = secrets.chain(variables).map(in_line).collect();
    named.sort();
    named.dedup();
    let with = match named.is_empty() {
        true => String::new(),
        false => format!(", with {}", named.join(", ")),
    };
    let warnings = named.iter().filter_map(|name| {
        let owner = owner_elsewhere(name, service, own)?;
        let (title, base) = (&owner.name, &owner.base);
        Some(format!(
            "\n    warning: {name} is the key of the built-in {title}, which stands at {base}"
        ))
    });
    let warnings: String = warnings.collect();
    format!("  {}: {}{with}{warnings}", service.name, service.base)
}

/// A name that a descriptor gives, such as a command, as a short piece of a line.
fn in_line(name: String) -> String {
    let line: String = name.replace(char::is_control, " ");
    match line.char_indices().nth(MAX_NAME) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    }
}

/// The built-in service at another origin that a secret is the key of.
fn owner_elsewhere<'s>(
    secret: &str,
    service: &Service,
    own: &'s [Arc<Service>],
) -> Option<&'s Service> {
    let origin = |service: &Service| Some(service.base.fixed()?.origin());
    let is_key = |owner: &&Arc<Service>| {
        owner
            .auth
            .secrets()
            .iter()
            .any(|known| known.name == secret)
    };
    let owner = own.iter().find(is_key)?;
    (origin(owner) != origin(service)).then_some(owner)
}
