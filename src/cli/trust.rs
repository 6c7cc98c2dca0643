//! `toolrun trust` and `toolrun untrust`: the tools of which folders may use the secrets and files of this machine.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base_url::BaseUrl;
use crate::catalog::{TrustError, TrustList};
use crate::tool::service::Service;
use crate::{Catalog, Tool};
use clap::Args;
use etcetera::BaseStrategy as Folders;

use super::terminal::{self, say};
use super::{Done, Failure, exit, note};

/// The folder if none is named.
pub(crate) const DEFAULT_FOLDER: &str = "tools";
/// How many services are described before a folder is trusted.
const MAX_TOLD: usize = 20;
/// How many characters of a name are shown.
const MAX_NAME: usize = 80;

/// Trust the tools of a folder.
#[derive(Debug, Args)]
pub(crate) struct Trust {
    /// The folder; ./tools unless given
    dir: Option<PathBuf>,
    /// Print the trusted folders, and change nothing
    #[arg(long, conflicts_with = "dir")]
    list: bool,
}

/// Stop trusting the tools of a folder.
#[derive(Debug, Args)]
pub(crate) struct Untrust {
    /// The folder; ./tools unless given
    dir: Option<PathBuf>,
}

impl Trust {
    /// Runs the command.
    pub(crate) fn run(self) -> Done {
        let list = list_file()?;
        if self.list {
            return print_list(&list);
        }
        let dir = self.dir.unwrap_or_else(|| DEFAULT_FOLDER.into());
        let known = TrustList::load(&list).map_err(unusable)?;
        let folder = TrustList::add(&list, &dir).map_err(unusable)?;
        if let Some(by) = known.covering(&folder) {
            say(&format!("{} was trusted already", by.display()));
            return Ok(());
        }
        say(&format!("trusted: {}", folder.display()));
        powers(&folder).iter().for_each(|line| say(line));
        say("undo it with `toolrun untrust`");
        Ok(())
    }
}

impl Untrust {
    /// Runs the command.
    pub(crate) fn run(self) -> Done {
        let list = list_file()?;
        let dir = self.dir.unwrap_or_else(|| DEFAULT_FOLDER.into());
        // A folder that no longer exists may still be on the list.
        let folder = dir.canonicalize().or_else(|_| std::path::absolute(&dir))?;
        let removed = TrustList::remove(&list, &folder).map_err(unusable)?;
        for folder in &removed {
            say(&format!("trusted no more: {}", folder.display()));
        }
        let left = TrustList::load(&list).map_err(unusable)?;
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
    let known = TrustList::load(list).map_err(unusable)?;
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
    config_file("trusted", "the list of trusted folders")
}

/// A file in the user's configuration folder; `what` says what it is.
pub(crate) fn config_file(name: &str, what: &str) -> Result<PathBuf, Failure> {
    place(what, |strategy| {
        strategy.config_dir().join("toolrun").join(name)
    })
}

/// A folder for what is true for a while; `what` says what it holds.
pub(crate) fn state_folder(name: &str, what: &str) -> Result<PathBuf, Failure> {
    place(what, |strategy| {
        // Not every system has a place for that alone.
        let state = strategy.state_dir().unwrap_or_else(|| strategy.data_dir());
        state.join("toolrun").join(name)
    })
}

fn place(what: &str, choose: impl Fn(&dyn Folders) -> PathBuf) -> Result<PathBuf, Failure> {
    let strategy = etcetera::choose_base_strategy().map_err(|error| {
        Failure::Told(
            exit::USAGE,
            format!("there is no place for {what}: {error}"),
        )
    })?;
    let file = choose(&strategy);
    // With a relative home folder, the file would depend on the current folder.
    match file.is_absolute() {
        true => Ok(file),
        false => Err(Failure::Told(
            exit::USAGE,
            format!(
                "there is no place for {what}: {} is no absolute path; set HOME",
                file.display()
            ),
        )),
    }
}

/// The folders that the user trusts. If the list cannot be used, nothing is trusted, and a note says so.
pub(crate) fn known() -> TrustList {
    let list = match list_file() {
        Ok(list) => list,
        Err(Failure::Told(_, reason)) => {
            note(&reason);
            return TrustList::default();
        }
        Err(_) => return TrustList::default(),
    };
    match TrustList::load(&list) {
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
            "{} line(s) of the list of trusted folders are ignored, because they are no absolute plain paths",
            known.ignored()
        ));
    }
}

/// Asks on a terminal whether to trust the folder of a tool, and remembers a yes. False if nobody can be asked.
pub(crate) fn ask(tool: &Tool) -> Result<bool, Failure> {
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

/// What the tools of a folder could do if it were trusted, in lines.
fn powers(folder: &Path) -> Vec<String> {
    let services = services(&Catalog::empty().with_local_folder(folder));
    let own = services_of_program();
    let mut lines = vec![
        "once it is trusted, its tools, and whatever is put there later, may send requests, and read the secrets, \
         environment variables and files that they name; they may run programs that print secrets"
            .to_owned(),
    ];
    let powers = services.iter().map(|service| Reach::of(service, &own));
    let mut powers: Vec<Reach> = powers.collect();
    // The author of the folder chose the names, and so their order. The most important facts come first, so that they
    // are shown even if there is much more.
    powers.sort_by_key(|reach| (reach.warnings.is_empty(), reach.named.is_empty()));
    let is_told = |(at, reach): (usize, &Reach)| at < MAX_TOLD || !reach.warnings.is_empty();
    let told = powers
        .iter()
        .enumerate()
        .filter(|power| is_told(*power))
        .count();
    lines.extend(powers.iter().take(told).map(Reach::line));
    if powers.len() > told {
        let rest = &powers[told..];
        let with = rest.iter().filter(|reach| !reach.named.is_empty()).count();
        let with = match with {
            0 => String::new(),
            some => format!(
                ", {some} of them with secrets or variables; `toolrun show` tells of each tool"
            ),
        };
        lines.push(format!("  and {} more service(s){with}", rest.len()));
    }
    lines
}

fn services_of_program() -> Vec<Arc<Service>> {
    services(&Catalog::builtin())
}

/// The services of a catalog's tools, without duplicates.
fn services(catalog: &Catalog) -> Vec<Arc<Service>> {
    let mut services: BTreeMap<String, Arc<Service>> = BTreeMap::new();
    for (_, tool) in catalog.load_all() {
        if let Ok(tool) = tool {
            services.insert(tool.service.id.clone(), Arc::clone(&tool.service));
        }
    }
    services.into_values().collect()
}

/// Where a service's requests go, and which secrets and variables they use.
struct Reach {
    service: String,
    places: Vec<String>,
    named: Vec<String>,
    warnings: Vec<String>,
}

impl Reach {
    fn of(service: &Service, own: &[Arc<Service>]) -> Reach {
        let secrets = service.auth.secrets().iter().map(|s| s.name.clone());
        let settings = service.settings().iter();
        let variables = settings.filter_map(|(_, setting)| setting.env.clone());
        let mut named: Vec<String> = secrets.chain(variables).collect();
        named.sort();
        named.dedup();
        let warnings = named.iter().filter_map(|name| {
            let owner = owner_elsewhere(name, service, own)?;
            let (name, title, base) = (in_line(name), &owner.name, &owner.base);
            Some(format!(
                "{name} is the key of the built-in {title}, whose address is {base}"
            ))
        });
        Reach {
            service: service.name.clone(),
            places: base_urls(service).map(ToString::to_string).collect(),
            warnings: warnings.collect(),
            named: named.iter().map(|name| in_line(name)).collect(),
        }
    }

    fn line(&self) -> String {
        let with = match self.named.is_empty() {
            true => String::new(),
            false => format!(", with {}", self.named.join(", ")),
        };
        let warnings = self
            .warnings
            .iter()
            .map(|text| format!("\n    warning: {text}"));
        let (service, places) = (&self.service, self.places.join(" and "));
        format!(
            "  {service}: {places}{with}{}",
            warnings.collect::<String>()
        )
    }
}

/// The base URLs of a service's requests, including the URL for access tokens.
fn base_urls(service: &Service) -> impl Iterator<Item = &BaseUrl> {
    let token_url = service.auth.grant().map(crate::sign::Grant::token_url);
    std::iter::once(&service.base).chain(token_url)
}

/// A text from a descriptor, such as a command, shortened for one line.
fn in_line(name: &str) -> String {
    let line: String = name.replace(char::is_control, " ");
    match line.char_indices().nth(MAX_NAME) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    }
}

/// The built-in service that a secret belongs to, if this service would send the secret to another origin.
fn owner_elsewhere<'s>(
    secret: &str,
    service: &Service,
    own: &'s [Arc<Service>],
) -> Option<&'s Service> {
    let origin = |url: &BaseUrl| Some(url.fixed()?.origin());
    let is_key = |owner: &&Arc<Service>| {
        let mut secrets = owner.auth.secrets().iter();
        secrets.any(|known| known.name == secret)
    };
    let owner = own.iter().find(is_key)?;
    let known: Vec<_> = base_urls(owner).map(origin).collect();
    let leaves = |url: &BaseUrl| origin(url).is_none() || !known.contains(&origin(url));
    base_urls(service).any(leaves).then_some(owner)
}
