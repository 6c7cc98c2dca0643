//! `toolrun config`: what is in force, and where each value comes from.
//!
//! A flag comes before the environment, that before the profile, and that before what is built in. Where a secret is
//! looked for is for the profile to say; the environment does not stand in for it, so that no organisation's key is
//! taken for another's.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::sign::{SecretPlace, Whereabouts, check_env_file};
use crate::tool::service::Service;
use crate::words::scalar_text;
use crate::{Catalog, Engine};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::form::Form;
use super::output::Format;
use super::profile::{self, Chosen, Profile};
use super::store::NamedStore;
use super::terminal::{self, shown};
use super::{Done, Failure, note, paths_of, trust, usage};

/// The file of secrets if none is named.
const ENV_FILE: &str = ".env";

/// Show what is in force, and where it comes from.
#[derive(Debug, Args)]
pub(crate) struct Config {
    /// `path` prints where the configuration file is, or would be
    #[arg(value_enum)]
    what: Option<What>,
    #[command(flatten)]
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Print the path of the configuration file
    Path,
}

/// What flags and the profile say, for all commands.
#[derive(Debug, Clone, Default)]
pub(crate) struct InForce {
    profile: Option<(Profile, Chosen)>,
    env_file: Option<PathBuf>,
    store: Option<NamedStore>,
}

impl InForce {
    /// Finds the profile.
    ///
    /// # Errors
    /// When there is none of that name, or the configuration file cannot be used.
    pub(crate) fn new(
        profile: Option<&str>,
        env_file: Option<PathBuf>,
        store: Option<&str>,
    ) -> Result<InForce, Failure> {
        let profile = profile::in_force(profile)?;
        Ok(InForce {
            store: NamedStore::find(store, profile.as_ref().map(|(profile, _)| profile))?,
            profile,
            env_file,
        })
    }

    /// The store that a flag, the environment or the profile names.
    pub(crate) fn store(&self) -> Option<&NamedStore> {
        self.store.as_ref()
    }

    fn profile(&self) -> Option<&Profile> {
        self.profile.as_ref().map(|(profile, _)| profile)
    }

    /// The name of the profile.
    pub(crate) fn profile_name(&self) -> Option<String> {
        self.profile().map(|profile| profile.name.clone())
    }

    /// The profile as the source of a value.
    fn origin(&self) -> String {
        self.profile()
            .map_or_else(String::new, |profile| format!("profile {}", profile.name))
    }

    /// How the output of calls is printed, unless a flag says it.
    pub(crate) fn output(&self) -> Option<Format> {
        self.profile()?.output
    }

    /// Folders of tools, after those of flags and the environment. With each comes who named it.
    pub(crate) fn tools(&self) -> impl Iterator<Item = (&Path, String)> {
        let tools = self.profile().map(|profile| profile.tools.as_slice());
        let tools = tools.unwrap_or_default().iter();
        tools.map(|folder| (folder.as_path(), self.origin()))
    }

    /// The file of secrets, and who named it.
    fn env_file(&self) -> (PathBuf, Option<String>) {
        if let Some(file) = &self.env_file {
            return (file.clone(), Some("--env-file".to_owned()));
        }
        match self.profile().and_then(|profile| profile.env_file.clone()) {
            Some(file) => (file, Some(self.origin())),
            None => (ENV_FILE.into(), None),
        }
    }

    /// An engine that finds secrets as the profile says.
    ///
    /// # Errors
    /// When the file of secrets was named and cannot be read.
    pub(crate) fn engine(&self) -> Result<Engine, Failure> {
        let (file, named) = self.env_file();
        if let Some(by) = named
            && let Err(reason) = check_env_file(&file)
        {
            let file = file.display();
            let message = format!("the file of secrets {file} ({by}) cannot be read: {reason}");
            return Err(usage(message));
        }
        let engine = Engine::new().with_environment().with_env_file(file);
        let places = self.profile().map(|profile| profile.secrets.as_slice());
        let places = places.unwrap_or_default().iter();
        let engine = places.fold(engine, |engine, (variable, place)| {
            engine.with_secret_at(variable, place.clone())
        });
        Ok(match &self.store {
            None => engine,
            Some(store) => store.share(engine),
        })
    }

    /// The profile's values of a service's settings, where the environment has none. A service that is not trusted gets
    /// none.
    pub(crate) fn settings(&self, service: &Service) -> Vec<(String, String)> {
        let Some(profile) = self.profile().filter(|_| service.origin.is_trusted()) else {
            return Vec::new();
        };
        let is_open = |name: &str| {
            let setting = service.settings().iter().find(|(known, _)| known == name);
            setting.is_some_and(|(_, setting)| variable(setting.env.as_deref()).is_none())
        };
        let settings = profile.settings.iter().filter(|(name, _)| is_open(name));
        settings.cloned().collect()
    }

    /// Says where a file of secrets that somebody named does not count, because the environment comes first.
    pub(crate) fn tell_overridden(&self, engine: &Engine, service: &Service) {
        let (file, Some(by)) = self.env_file() else {
            return;
        };
        for secret in service.auth.secrets() {
            if let Some(name) = engine.overridden(secret) {
                note(&format!(
                    "{name} is taken from the environment, and not from {} ({by}), which has another value",
                    file.display()
                ));
            }
        }
    }

    /// The variable that the profile names in place of a descriptor's own, if a shell can name it.
    pub(crate) fn variable_for(&self, variable: &str) -> Option<String> {
        let places = self.profile()?.secrets.iter();
        let mut places = places.filter(|(name, _)| name == variable);
        let is_word = |name: &&String| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        match places.next() {
            Some((_, SecretPlace::Variable(other))) => Some(other).filter(is_word).cloned(),
            _ => None,
        }
    }

    /// Says where secrets are that a profile has in another place than the descriptor.
    pub(crate) fn tell_moved(&self, service: &Service) {
        let Some(profile) = self.profile() else {
            return;
        };
        for secret in service.auth.secrets() {
            let place = profile
                .secrets
                .iter()
                .find(|(name, _)| *name == secret.name);
            if let Some((name, place)) = place.filter(|_| secret.is_variable()) {
                note(&format!(
                    "in the profile {}, {place} is used in place of {name}",
                    profile.name
                ));
            }
        }
    }
}

/// The value of a variable of the environment.
fn variable(name: Option<&str>) -> Option<String> {
    std::env::var(name?).ok()
}

/// What is in force, as it is printed.
struct Report {
    file: Value,
    profile: Value,
    profiles: Vec<String>,
    output: Value,
    env_file: Value,
    store: Value,
    tools: Vec<Value>,
    settings: Vec<Value>,
    secrets: Vec<Value>,
}

impl Config {
    /// Whether errors must be one JSON object.
    pub(crate) fn wants_json(&self) -> bool {
        self.form.is_json()
    }

    /// Whether only a path is asked for, so that the file itself does not matter.
    pub(crate) fn wants_path(&self) -> bool {
        self.what == Some(What::Path)
    }

    /// Runs the command.
    pub(crate) fn run(self, catalog: &Catalog, in_force: &InForce, named: &[PathBuf]) -> Done {
        let file = profile::path()?;
        if self.wants_path() {
            let mut stdout = match self.wants_json() {
                true => terminal::json(),
                false => terminal::words(),
            };
            match self.wants_json() {
                true => writeln!(stdout, "{}", json!({ "path": file }))?,
                false => writeln!(stdout, "{}", file.display())?,
            }
            return Ok(stdout.flush()?);
        }
        let report = Report::of(&file, catalog, in_force, named)?;
        match self.wants_json() {
            false => report.print(),
            true => {
                let mut stdout = terminal::json();
                writeln!(stdout, "{:#}", report.json())?;
                Ok(stdout.flush()?)
            }
        }
    }
}

impl Report {
    fn of(
        file: &Path,
        catalog: &Catalog,
        in_force: &InForce,
        named: &[PathBuf],
    ) -> Result<Report, Failure> {
        let config = profile::read(file)?;
        let services = services(catalog);
        let engine = in_force.engine()?;
        let (env_file, by) = in_force.env_file();
        let is_named = std::env::var_os("TOOLRUN_CONFIG").is_some_and(|named| !named.is_empty());
        tell_unused(in_force, &services);
        Ok(Report {
            file: json!({
                "path": shown_path(file),
                "exists": config.is_some(),
                "from": if is_named { "$TOOLRUN_CONFIG" } else { "default" },
            }),
            profile: match &in_force.profile {
                None => Value::Null,
                Some((profile, chosen)) => json!({ "name": profile.name, "from": chosen.name() }),
            },
            profiles: config
                .into_iter()
                .flat_map(|config| config.profiles)
                .map(|profile| profile.name)
                .collect(),
            output: match in_force
                .output()
                .and_then(|format| format.to_possible_value())
            {
                Some(format) => json!({ "value": format.get_name(), "from": in_force.origin() }),
                None => {
                    json!({ "value": "a table on a terminal, JSON in a pipe", "from": "default" })
                }
            },
            env_file: json!({
                "path": shown_path(&env_file),
                "exists": env_file.is_file(),
                "others_can_read": others_can_read(&env_file),
                "from": by.unwrap_or_else(|| "default".to_owned()),
            }),
            store: match in_force.store() {
                None => json!({ "address": null, "from": "default" }),
                Some(store) => {
                    json!({ "address": store.store().address().to_string(), "from": store.from() })
                }
            },
            tools: tools(in_force, named),
            settings: services
                .iter()
                .flat_map(|service| settings(service, in_force))
                .collect(),
            secrets: services
                .iter()
                .flat_map(|service| secrets(service, &engine, &env_file))
                .collect(),
        })
    }

    fn json(self) -> Value {
        json!({
            "file": self.file,
            "profile": self.profile,
            "profiles": self.profiles,
            "output": self.output,
            "env_file": self.env_file,
            "store": self.store,
            "tools": self.tools,
            "settings": self.settings,
            "secrets": self.secrets,
        })
    }

    /// What, whose, the value and its source.
    fn rows(&self) -> Vec<[String; 4]> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let row = |what: &str, of: String, value: String, from: String| {
            [what.to_owned(), of, value, from]
        };
        let is_there = |file: &Value| match file["exists"] == true {
            true => text(&file["from"]),
            false => format!("{}; there is no such file", text(&file["from"])),
        };
        let mut rows = vec![
            row(
                "file",
                String::new(),
                text(&self.file["path"]),
                is_there(&self.file),
            ),
            match &self.profile {
                Value::Null => row("profile", String::new(), "none".to_owned(), String::new()),
                profile => row(
                    "profile",
                    String::new(),
                    text(&profile["name"]),
                    text(&profile["from"]),
                ),
            },
            row(
                "output",
                String::new(),
                text(&self.output["value"]),
                text(&self.output["from"]),
            ),
            row(
                "env file",
                String::new(),
                text(&self.env_file["path"]),
                match self.env_file["others_can_read"] == true {
                    true => format!(
                        "{}; other users can read it: `chmod 600` keeps it yours",
                        is_there(&self.env_file)
                    ),
                    false => is_there(&self.env_file),
                },
            ),
        ];
        let others = self
            .profiles
            .iter()
            .filter(|name| self.profile["name"] != **name);
        rows.extend(
            others.map(|name| row("other profile", String::new(), name.clone(), String::new())),
        );
        if let Some(address) = self.store["address"].as_str() {
            let from = text(&self.store["from"]);
            rows.push(row("store", String::new(), address.to_owned(), from));
        }
        for folder in &self.tools {
            rows.push(row(
                "tools",
                String::new(),
                text(&folder["path"]),
                text(&folder["from"]),
            ));
        }
        for setting in &self.settings {
            let value = match &setting["value"] {
                Value::Null => "not set".to_owned(),
                value => text(value),
            };
            let name = format!("{}: {}", text(&setting["service"]), text(&setting["name"]));
            rows.push(row("setting", name, value, text(&setting["from"])));
        }
        for secret in &self.secrets {
            let is_set = match secret["set"].as_bool() {
                Some(true) => "set",
                Some(false) => "not set",
                None => "not looked at",
            };
            let name = format!("{}: {}", text(&secret["service"]), text(&secret["name"]));
            rows.push(row(
                "secret",
                name,
                is_set.to_owned(),
                text(&secret["from"]),
            ));
        }
        rows
    }

    /// Aligned on a terminal that is wide enough, else on two lines each; in a pipe with tabs between the columns.
    fn print(&self) -> Done {
        let mut rows = self.rows();
        for row in &mut rows {
            // A tab or a line break in a value must not look like ours.
            row.iter_mut()
                .for_each(|cell| *cell = terminal::line(&shown(cell)).replace('\t', " "));
        }
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
        let [a, b, c, d] = [0, 1, 2, 3].map(|column| width(column).unwrap_or(0));
        let fits = a + b + c + d + 6 <= terminal::width();
        let mut stdout = terminal::words();
        for [what, of, value, from] in &rows {
            if terminal::is_terminal() && !fits {
                let name = format!("{what} {of}");
                writeln!(stdout, "{}: {value}\n    {from}", name.trim_end())?;
            } else if terminal::is_terminal() {
                let line = format!("{what:a$}  {of:b$}  {value:c$}  {from}");
                writeln!(stdout, "{}", line.trim_end())?;
            } else {
                writeln!(stdout, "{what}\t{of}\t{value}\t{from}")?;
            }
        }
        Ok(stdout.flush()?)
    }
}

/// Whether other users of the machine may read a file; false where that is not known.
fn others_can_read(file: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        const GROUP_AND_OTHERS: u32 = 0o044;
        let known = std::fs::metadata(file)
            .ok()
            .filter(std::fs::Metadata::is_file);
        known.is_some_and(|known| known.permissions().mode() & GROUP_AND_OTHERS != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        false
    }
}

fn shown_path(path: &Path) -> String {
    path.display().to_string()
}

/// The folders of tools, in the order in which they are looked through.
fn tools(in_force: &InForce, named: &[PathBuf]) -> Vec<Value> {
    let row = |folder: &Path, from: &str| json!({ "path": shown_path(folder), "from": from });
    let mut tools: Vec<Value> = named.iter().map(|folder| row(folder, "--tools")).collect();
    let (absolute, relative): (Vec<PathBuf>, Vec<PathBuf>) = paths_of("TOOLRUN_TOOLS")
        .into_iter()
        .partition(|path| path.is_absolute());
    tools.extend(absolute.iter().map(|folder| row(folder, "$TOOLRUN_TOOLS")));
    tools.extend(in_force.tools().map(|(folder, from)| row(folder, &from)));
    tools.push(json!({ "path": "the tools of toolrun itself", "from": "default" }));
    let here = relative
        .iter()
        .map(|folder| (folder.as_path(), "$TOOLRUN_TOOLS"));
    let here = here.chain([(Path::new(trust::DEFAULT_FOLDER), "default")]);
    tools.extend(
        here.filter(|(folder, _)| folder.is_dir())
            .map(|(folder, from)| row(folder, &format!("{from}; only if it is trusted"))),
    );
    tools
}

/// The services of all tools that can be used.
fn services(catalog: &Catalog) -> Vec<Arc<Service>> {
    let mut services: BTreeMap<(String, String), Arc<Service>> = BTreeMap::new();
    let mut broken = 0;
    for (_, tool) in catalog.load_all() {
        match tool {
            Ok(tool) => {
                let service = &tool.service;
                services.insert(
                    (service.name.clone(), service.id.clone()),
                    Arc::clone(service),
                );
            }
            Err(_) => broken += 1,
        }
    }
    if broken > 0 {
        note(&format!(
            "{broken} descriptor(s) cannot be used; `toolrun validate` says why"
        ));
    }
    services.into_values().collect()
}

fn settings(service: &Service, in_force: &InForce) -> Vec<Value> {
    let own = in_force.settings(service);
    let is_trusted = service.origin.is_trusted();
    let row = |(name, setting): &(String, crate::format::SettingSpec)| {
        let from_variable = variable(setting.env.as_deref()).filter(|_| is_trusted);
        let from_profile = own.iter().find(|(known, _)| known == name);
        let default = setting
            .default
            .as_ref()
            .and_then(|default| scalar_text(&default.into()));
        let (value, from) = match (from_variable, from_profile, default) {
            (Some(value), ..) => (
                Some(value),
                format!("${}", setting.env.clone().unwrap_or_default()),
            ),
            (None, Some((_, value)), _) => (Some(value.clone()), in_force.origin()),
            (None, None, Some(value)) => (Some(value), "default".to_owned()),
            (None, None, None) => (None, String::new()),
        };
        let value = value.map(|value| crate::check::mask_literal_secrets(&value).into_owned());
        json!({ "service": service.name, "name": name, "value": value, "from": from })
    };
    service.settings().iter().map(row).collect()
}

/// Whether each secret of a service is set, and where. No value is shown.
fn secrets(service: &Service, engine: &Engine, env_file: &Path) -> Vec<Value> {
    let row = |secret: &crate::sign::SecretRef| {
        let (is_set, from) = match engine.whereabouts(secret) {
            Whereabouts::Environment(name) => (Some(true), format!("${name}")),
            Whereabouts::EnvFile(name) => (Some(true), format!("{name} in {}", env_file.display())),
            Whereabouts::File(path) => (Some(true), path.display().to_string()),
            Whereabouts::Nowhere(name) => (Some(false), format!("would be {name}")),
            Whereabouts::NotAsked(name) => (None, name),
            Whereabouts::Untrusted => (
                None,
                "the folder of its descriptor is not trusted".to_owned(),
            ),
        };
        let from = match (is_set, secret.is_optional()) {
            (Some(false), true) => format!("{from}, optional"),
            _ => from,
        };
        json!({ "service": service.name, "name": secret.name, "set": is_set, "from": from })
    };
    service.auth.secrets().iter().map(row).collect()
}

/// Says which settings and secrets of the profile no service has: they may be misspelt.
fn tell_unused(in_force: &InForce, services: &[Arc<Service>]) {
    let Some(profile) = in_force.profile() else {
        return;
    };
    let has_setting = |name: &str| {
        let mut settings = services.iter().flat_map(|service| service.settings());
        settings.any(|(known, _)| known == name)
    };
    for (name, _) in profile
        .settings
        .iter()
        .filter(|(name, _)| !has_setting(name))
    {
        note(&format!(
            "no service has the setting `{name}` of the profile {}",
            profile.name
        ));
    }
    let has_secret = |name: &str| {
        let mut secrets = services.iter().flat_map(|service| service.auth.secrets());
        secrets.any(|secret| secret.is_variable() && secret.name == name)
    };
    for (name, _) in profile.secrets.iter().filter(|(name, _)| !has_secret(name)) {
        note(&format!(
            "no service has the secret {name} of the profile {}",
            profile.name
        ));
    }
}
