//! The user's configuration file, `toolrun.toml`: profiles, one for each organisation or purpose.
//!
//! It names where secrets are, and never holds one. So a text from the file is only quoted if it cannot be a secret.

use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::catalog::read_own_file;
use crate::check::mask_literal_secrets;
use crate::sign::{KeyringSpec, SecretPlace};
use crate::words::{list, nearest};
use crate::yaml::LineIndex;
use clap::ValueEnum as _;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::output::Format;
use super::trust::config_file;
use super::{Failure, exit, usage};
use crate::store::Address;

/// The file in the user's configuration folder.
const FILE: &str = "toolrun.toml";

/// What a profile says.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Profile {
    /// Its name.
    pub name: String,
    /// A file of `NAME=value` lines with secrets.
    pub env_file: Option<PathBuf>,
    /// How the output of calls is printed.
    pub output: Option<Format>,
    /// Folders of tools.
    pub tools: Vec<PathBuf>,
    /// Values of settings, by their name.
    pub settings: Vec<(String, String)>,
    /// Where secrets are, by the variable that descriptors name.
    pub secrets: Vec<(String, SecretPlace)>,
    /// The store that all commands share.
    pub store: Option<Address>,
}

/// The configuration file.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Config {
    /// The name of the profile that is in force if no other is named.
    pub default: Option<String>,
    /// The profiles, in the order of the file.
    pub profiles: Vec<Profile>,
}

/// Who named the profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chosen {
    /// `--profile`
    Flag,
    /// `$TOOLRUN_PROFILE`
    Environment,
    /// `default` in the file
    File,
}

impl Chosen {
    /// How it is called in messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Chosen::Flag => "--profile",
            Chosen::Environment => "$TOOLRUN_PROFILE",
            Chosen::File => "default",
        }
    }
}

/// The path of the configuration file, whether there is one or not.
pub(crate) fn path() -> Result<PathBuf, Failure> {
    match std::env::var_os("TOOLRUN_CONFIG") {
        Some(file) if !file.is_empty() => {
            let file = PathBuf::from(file);
            // With a relative path, whoever wrote the current folder would choose the file.
            match file.is_absolute() {
                true => Ok(file),
                false => Err(usage(format!(
                    "$TOOLRUN_CONFIG must be an absolute path, and {} is none",
                    file.display()
                ))),
            }
        }
        _ => config_file(FILE, "the configuration"),
    }
}

/// The profile that is in force, and who named it. Without a configuration file, this costs one look at the folder.
///
/// # Errors
/// When the file cannot be used, or there is no profile of that name.
pub(crate) fn in_force(flag: Option<&str>) -> Result<Option<(Profile, Chosen)>, Failure> {
    let variable = || {
        std::env::var("TOOLRUN_PROFILE")
            .ok()
            .filter(|name| !name.is_empty())
    };
    let named = match flag {
        Some(name) => Some((name.to_owned(), Chosen::Flag)),
        None => variable().map(|name| (name, Chosen::Environment)),
    };
    let file = match (path(), &named) {
        (Ok(file), _) => file,
        // Nobody asks for a profile, and without a home there is no file.
        (Err(_), None) if std::env::var_os("TOOLRUN_CONFIG").is_none_or(|file| file.is_empty()) => {
            return Ok(None);
        }
        (Err(failure), _) => return Err(failure),
    };
    let config = read(&file)?;
    let Some((name, chosen)) = named.or_else(|| {
        let default = config.as_ref()?.default.clone()?;
        Some((default, Chosen::File))
    }) else {
        return Ok(None);
    };
    // An empty name says that no profile is wanted.
    if name.is_empty() {
        return Ok(None);
    }
    let Some(config) = config else {
        return Err(usage(format!(
            "there is no profile `{name}` ({}), because there is no file {}",
            chosen.name(),
            file.display()
        )));
    };
    let names: Vec<String> = config
        .profiles
        .iter()
        .map(|profile| profile.name.clone())
        .collect();
    let mut profiles = config.profiles.into_iter();
    match profiles.find(|profile| profile.name == name) {
        Some(profile) => Ok(Some((profile, chosen))),
        None => Err(usage(format!(
            "there is no profile `{name}` ({}) in {}; {}",
            chosen.name(),
            file.display(),
            known(&name, &names)
        ))),
    }
}

/// Reads a configuration file. `None` if there is none and nobody named it.
///
/// # Errors
/// When it cannot be read, is not to be trusted, or is malformed.
pub(crate) fn read(file: &Path) -> Result<Option<Config>, Failure> {
    if let Err(error) = file.symlink_metadata()
        && error.kind() == std::io::ErrorKind::NotFound
    {
        let is_named = std::env::var_os("TOOLRUN_CONFIG").is_some_and(|named| named == file);
        return match is_named {
            true => Err(usage(format!(
                "there is no file {} ($TOOLRUN_CONFIG)",
                file.display()
            ))),
            false => Ok(None),
        };
    }
    let unusable = |reason: &str| {
        format!(
            "the configuration {} cannot be used: {reason}",
            file.display()
        )
    };
    match read_own_file(file) {
        Ok(Some(text)) => parse(file, &text)
            .map(Some)
            .map_err(|flaws| usage(list(unusable("").trim_end_matches([' ', ':']), &flaws))),
        Ok(None) => Err(usage(unusable("it is a link that leads nowhere"))),
        Err(reason) => Err(Failure::Told(exit::POLICY, unusable(&reason))),
    }
}

/// The name that was probably meant, else all that there are.
fn known(name: &str, names: &[String]) -> String {
    let near = nearest(name, names.iter().map(String::as_str));
    near.unwrap_or_else(|| match names.is_empty() {
        true => "it has none".to_owned(),
        false => format!("it has {}", names.join(", ")),
    })
}

/// Reads the text of a configuration file; paths are relative to its folder.
fn parse(file: &Path, text: &str) -> Result<Config, Vec<String>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader {
        file,
        lines: LineIndex::new(text),
        flaws: Vec::new(),
    };
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let at = error.span().map_or(0, |span| span.start);
        // The parser's words do not quote values.
        reader.flaw(
            at,
            None,
            error.message().trim_end().replace('\n', ", "),
            None,
        );
    }
    if reader.flaws.is_empty() {
        let config = reader.config(table.get_ref());
        if reader.flaws.is_empty() {
            return Ok(config);
        }
    }
    reader.flaws.sort_by_key(|(at, _)| *at);
    Err(reader.flaws.into_iter().map(|(_, text)| text).collect())
}

struct Reader<'t> {
    file: &'t Path,
    lines: LineIndex<'t>,
    /// What is wrong, and the byte where.
    flaws: Vec<(usize, String)>,
}

type Table<'t> = DeTable<'t>;
type Item<'t> = Spanned<DeValue<'t>>;

impl Reader<'_> {
    /// Reports a flaw in the form of a finding.
    fn flaw(&mut self, at: usize, code: Option<&str>, message: String, help: Option<String>) {
        let (line, column) = self.lines.line_column(at);
        let code = code.map(|code| format!(" [{code}]")).unwrap_or_default();
        let help = help.map(|help| format!(" ({help})")).unwrap_or_default();
        let file = self.file.display();
        self.flaws
            .push((at, format!("{file}:{line}:{column}: {message}{code}{help}")));
    }

    fn unknown_key(&mut self, key: &str, span: Range<usize>, known: &[&str]) {
        let help = nearest(key, known.iter().copied())
            .unwrap_or_else(|| format!("the keys are {}", known.join(", ")));
        let message = format!("there is no key `{}` here", mask_literal_secrets(key));
        self.flaw(span.start, Some("unknown-key"), message, Some(help));
    }

    fn wrong_type(&mut self, key: &str, item: &Item<'_>, wanted: &str) {
        let message = format!("`{key}` must be {wanted}, not {}", kind(item.get_ref()));
        self.flaw(item.span().start, Some("wrong-type"), message, None);
    }

    fn config(&mut self, table: &Table<'_>) -> Config {
        const KEYS: [&str; 2] = ["default", "profiles"];
        let mut config = Config::default();
        let mut default_at = 0;
        for (key, item) in table {
            match key.get_ref().as_ref() {
                "default" => {
                    default_at = item.span().start;
                    config.default = self.text("default", item);
                }
                "profiles" => {
                    for (name, item) in self.table("profiles", item) {
                        let at = name.span().start;
                        let name = name.get_ref();
                        if name.is_empty() || name.contains(char::is_control) {
                            let message = "a profile needs a name without control characters";
                            self.flaw(at, Some("bad-name"), message.to_owned(), None);
                        }
                        let profile = self.profile(name, item);
                        config.profiles.push(profile);
                    }
                }
                other => self.unknown_key(other, key.span(), &KEYS),
            }
        }
        let names: Vec<String> = config
            .profiles
            .iter()
            .map(|profile| profile.name.clone())
            .collect();
        if let Some(default) = config.default.as_ref().filter(|name| !names.contains(name)) {
            let message = format!("there is no profile `{}`", mask_literal_secrets(default));
            let help = known(default, &names);
            self.flaw(default_at, Some("unknown-name"), message, Some(help));
        }
        config
    }

    fn profile(&mut self, name: &str, item: &Item<'_>) -> Profile {
        const KEYS: [&str; 6] = [
            "env_file", "output", "tools", "settings", "secrets", "store",
        ];
        let mut profile = Profile {
            name: name.to_owned(),
            ..Profile::default()
        };
        for (key, item) in self.table(name, item) {
            match key.get_ref().as_ref() {
                "env_file" => profile.env_file = self.path("env_file", item),
                "output" => profile.output = self.output(item),
                "tools" => profile.tools = self.tools(item),
                "settings" => profile.settings = self.settings(item),
                "secrets" => profile.secrets = self.secrets(item),
                "store" => profile.store = self.store(item),
                other => self.unknown_key(other, key.span(), &KEYS),
            }
        }
        profile
    }

    /// The members of a table; none if it is something else, which is reported.
    fn table<'i, 't>(
        &mut self,
        key: &str,
        item: &'i Item<'t>,
    ) -> Vec<(&'i Spanned<std::borrow::Cow<'t, str>>, &'i Item<'t>)> {
        match item.get_ref() {
            DeValue::Table(table) => table.iter().collect(),
            _ => {
                self.wrong_type(key, item, "a table");
                Vec::new()
            }
        }
    }

    fn text(&mut self, key: &str, item: &Item<'_>) -> Option<String> {
        match item.get_ref() {
            DeValue::String(text) if text.is_empty() || text.contains(char::is_control) => {
                let message = format!("`{key}` must be a text without control characters");
                self.flaw(item.span().start, Some("bad-value"), message, None);
                None
            }
            DeValue::String(text) => Some(text.to_string()),
            _ => {
                self.wrong_type(key, item, "a string");
                None
            }
        }
    }

    /// The address of a store. The file names where secrets are and holds none, so there must be no password in it.
    fn store(&mut self, item: &Item<'_>) -> Option<Address> {
        let text = self.text("store", item)?;
        let at = item.span().start;
        if let Some(path) = text.strip_prefix("sqlite:") {
            let item = Spanned::new(item.span(), DeValue::String(path.to_owned().into()));
            return self.path("store", &item).map(Address::Sqlite);
        }
        let flaw = match text.parse::<Address>() {
            Ok(address) if !address.holds_password() => return Some(address),
            Ok(_) => (
                "`store` holds a password".to_owned(),
                Some("remove it from the address, and set $PGPASSWORD".to_owned()),
            ),
            Err(error) => (format!("`store` is no address of a store: {error}"), None),
        };
        self.flaw(at, Some("bad-value"), flaw.0, flaw.1);
        None
    }

    /// A path: absolute, below the user's home (`~/`), or below the folder of the file.
    fn path(&mut self, key: &str, item: &Item<'_>) -> Option<PathBuf> {
        let text = self.text(key, item)?;
        if let Some(below) = text.strip_prefix("~/") {
            let home = etcetera::home_dir().ok();
            if home.is_none() {
                let message =
                    format!("`{key}` is below your home, and it is not known where that is");
                self.flaw(item.span().start, Some("bad-value"), message, None);
            }
            return Some(home?.join(below));
        }
        // A shell would replace these, and a file of this name is hardly meant.
        if text.starts_with(['~', '$']) {
            let message = format!(
                "`{key}` is the path `{}`, whose first part only a shell understands",
                mask_literal_secrets(&text)
            );
            let help = "write the whole path, or `~/` for your own home".to_owned();
            self.flaw(item.span().start, Some("bad-value"), message, Some(help));
            return None;
        }
        Some(self.file.parent().unwrap_or(Path::new("/")).join(text))
    }

    fn output(&mut self, item: &Item<'_>) -> Option<Format> {
        let text = self.text("output", item)?;
        if let Ok(format) = Format::from_str(&text, false) {
            return Some(format);
        }
        let formats = Format::value_variants().iter();
        let names =
            formats.filter_map(|format| Some(format.to_possible_value()?.get_name().to_owned()));
        let names: Vec<String> = names.collect();
        let help = nearest(&text, names.iter().map(String::as_str))
            .unwrap_or_else(|| format!("the formats are {}", names.join(", ")));
        let message = format!(
            "there is no output format `{}`",
            mask_literal_secrets(&text)
        );
        self.flaw(item.span().start, Some("bad-value"), message, Some(help));
        None
    }

    fn tools(&mut self, item: &Item<'_>) -> Vec<PathBuf> {
        match item.get_ref() {
            DeValue::Array(items) => {
                let paths = items.iter().map(|item| self.path("tools", item));
                paths.collect::<Vec<_>>().into_iter().flatten().collect()
            }
            _ => {
                self.wrong_type("tools", item, "a list of folders");
                Vec::new()
            }
        }
    }

    fn settings(&mut self, item: &Item<'_>) -> Vec<(String, String)> {
        let mut settings = Vec::new();
        for (key, item) in self.table("settings", item) {
            let name = key.get_ref();
            let value = match item.get_ref() {
                DeValue::String(_) => self.text(name, item),
                DeValue::Integer(number) if number.radix() == 10 => Some(number.to_string()),
                DeValue::Float(number) => Some(number.to_string()),
                DeValue::Boolean(flag) => Some(flag.to_string()),
                _ => {
                    self.wrong_type(name, item, "a string, a decimal number or a boolean");
                    None
                }
            };
            let Some(value) = value else { continue };
            if mask_literal_secrets(&value) != value {
                self.literal_secret(item, "name the secret in `secrets`, by a reference");
            }
            settings.push((name.to_string(), value));
        }
        settings
    }

    fn secrets(&mut self, item: &Item<'_>) -> Vec<(String, SecretPlace)> {
        let mut secrets = Vec::new();
        for (key, item) in self.table("secrets", item) {
            let variable = key.get_ref();
            if !is_variable(variable) {
                let message = "a key of `secrets` is the variable that descriptors name, in upper-case letters, digits and `_`";
                self.flaw(key.span().start, Some("bad-name"), message.to_owned(), None);
                continue;
            }
            if let Some(place) = self.secret_place(variable, item) {
                secrets.push((variable.to_string(), place));
            }
        }
        secrets
    }

    fn secret_place(&mut self, variable: &str, item: &Item<'_>) -> Option<SecretPlace> {
        const KEYS: [&str; 2] = ["env", "keyring"];
        const FORMS: &str = "write `{ env = \"VARIABLE\" }` or `{ keyring = { service = \"...\", account = \"...\" } }`";
        if matches!(item.get_ref(), DeValue::String(_)) {
            self.literal_secret(item, FORMS);
            return None;
        }
        let mut places = Vec::new();
        for (key, item) in self.table(variable, item) {
            match key.get_ref().as_ref() {
                "env" => match item.get_ref() {
                    DeValue::String(name) if is_variable(name) => {
                        places.push(SecretPlace::Variable(name.to_string()));
                    }
                    DeValue::String(_) => {
                        self.literal_secret(item, "name the variable that holds the secret, in upper-case letters, digits and `_`");
                        return None;
                    }
                    _ => self.wrong_type("env", item, "the name of a variable"),
                },
                "keyring" => places.extend(self.keyring(item)),
                other => self.unknown_key(other, key.span(), &KEYS),
            }
        }
        if places.len() > 1 || places.is_empty() && self.flaws.is_empty() {
            let message = format!("the secret {variable} needs exactly one place");
            self.flaw(
                item.span().start,
                Some("bad-value"),
                message,
                Some(FORMS.to_owned()),
            );
        }
        places.pop()
    }

    fn keyring(&mut self, item: &Item<'_>) -> Option<SecretPlace> {
        const KEYS: [&str; 2] = ["service", "account"];
        let (mut service, mut account) = (None, None);
        for (key, item) in self.table("keyring", item) {
            match key.get_ref().as_ref() {
                "service" => service = self.text("service", item),
                "account" => account = self.text("account", item),
                other => self.unknown_key(other, key.span(), &KEYS),
            }
        }
        match (service, account) {
            (Some(service), Some(account)) => {
                Some(SecretPlace::Keyring(KeyringSpec { service, account }))
            }
            _ => {
                let message = "an entry of the keyring needs `service` and `account`";
                self.flaw(
                    item.span().start,
                    Some("missing-key"),
                    message.to_owned(),
                    None,
                );
                None
            }
        }
    }

    fn literal_secret(&mut self, item: &Item<'_>, help: &str) {
        let message = "this may be a secret, and everyone who sees the file could read it";
        self.flaw(
            item.span().start,
            Some("literal-secret"),
            message.to_owned(),
            Some(help.to_owned()),
        );
    }
}

/// Only upper case is accepted, so that a secret that is written here by mistake is no name.
fn is_variable(name: &str) -> bool {
    let is_legal = |(at, byte): (usize, u8)| {
        byte == b'_' || byte.is_ascii_uppercase() || (at > 0 && byte.is_ascii_digit())
    };
    !name.is_empty() && name.bytes().enumerate().all(is_legal) && mask_literal_secrets(name) == name
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
