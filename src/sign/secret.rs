//! Secrets: references in descriptors, and values that are never shown.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Instant;

use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::dotenv::Dotenv;
use super::redact::SHORTEST;
use super::{command, keyring};
use crate::source::{Check, Code, Origin, Power, Untrusted, join};

/// A reference to a secret. It is never the secret itself.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    extend("oneOf" = [
        { "required": ["env"] },
        { "required": ["file"] },
        { "required": ["command"] },
        { "required": ["keyring"] }
    ])
)]
pub struct SecretSpec {
    /// The environment variable that holds the secret. A `.env` file in the current folder is read too.
    #[schemars(regex(pattern = "^[A-Z_][A-Z0-9_]*$"))]
    pub env: Option<String>,
    /// A plain text file that holds the secret, of at most 64 KiB. White space around the secret is removed. A relative
    /// path starts at the current folder.
    pub file: Option<String>,
    /// A program that prints the secret, with its arguments. It runs without a shell, and only for descriptors in a
    /// folder that the user trusts: `toolrun trust DIR`, `--trust DIR` or TOOLRUN_TRUST.
    #[schemars(length(min = 1))]
    pub command: Option<Vec<String>>,
    /// An entry of the operating system's own store of secrets.
    pub keyring: Option<KeyringSpec>,
    /// A regular expression that the secret must match, so that a wrong kind of key is reported before it is sent.
    pub pattern: Option<String>,
    /// What to do to get the secret, shown when it is missing.
    pub help: Option<String>,
}

/// An entry of the operating system's own store of secrets.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyringSpec {
    /// The entry's service.
    pub service: String,
    /// The entry's account.
    pub account: String,
}

/// A compiled reference to a secret.
#[derive(Debug, Clone)]
pub struct SecretRef {
    /// The name that stands for the secret in plans and messages: the variable, the file, the command, or the entry
    /// as `SERVICE/ACCOUNT`.
    pub name: String,
    /// What to do to get it.
    pub help: Option<String>,
    /// Where the reference stands in its descriptor, as a JSON Pointer.
    pub pointer: String,
    /// Whether requests go without it when it is not set.
    pub(super) is_optional: bool,
    /// The optional credential that it belongs to: requests go without all of it, or not at all.
    pub(super) group: Option<usize>,
    /// What the place where it goes allows.
    pub(super) fit: Fit,
    /// Where its descriptor comes from.
    origin: Origin,
    /// Whether it is only a user name, next to the secret that proves who the user is. Answers may show it.
    pub(super) is_name: bool,
    source: SecretSource,
    pattern: Option<String>,
}

/// What the place of a secret allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// Any value that can be sent.
    Anywhere,
    /// Characters of a cookie's value (RFC 6265).
    Cookie,
    /// A part of a path, which can be masked wherever it turns up.
    Path,
}

impl Fit {
    /// Why a value does not fit.
    fn problem(self, value: &str) -> Option<&'static str> {
        match self {
            Fit::Cookie if !value.chars().all(is_cookie_character) => {
                Some("holds a character that a cookie cannot have")
            }
            Fit::Path if value.chars().any(char::is_control) => {
                Some("holds a line break or another control character")
            }
            Fit::Path if value.chars().count() < SHORTEST => {
                Some("is too short to be masked in a URL; it must have 12 characters")
            }
            _ => None,
        }
    }
}

/// Whether the character may be a part of a cookie's value (RFC 6265, section 4.1.1).
pub(super) fn is_cookie_character(c: char) -> bool {
    c.is_ascii_graphic() && !matches!(c, '"' | ',' | ';' | '\\')
}

#[derive(Debug, Clone)]
enum SecretSource {
    Env(String),
    File(PathBuf),
    Command {
        command: Vec<String>,
        /// The descriptor's file; a built-in one has none.
        file: Option<PathBuf>,
    },
    Keyring(KeyringSpec),
}

impl SecretRef {
    /// A secret of the program itself, by the name of its variable. It need not be set.
    #[cfg(feature = "cli")]
    pub(crate) fn own(variable: &str, origin: Origin) -> SecretRef {
        SecretRef {
            name: variable.to_owned(),
            help: None,
            pointer: String::new(),
            is_optional: true,
            group: None,
            fit: Fit::Anywhere,
            origin,
            is_name: false,
            source: SecretSource::Env(variable.to_owned()),
            pattern: None,
        }
    }

    /// Whether requests go without it when it is not set.
    pub fn is_optional(&self) -> bool {
        self.is_optional
    }

    /// Whether its name is that of an environment variable.
    pub fn is_variable(&self) -> bool {
        matches!(self.source, SecretSource::Env(_))
    }

    /// The pattern that the value must match.
    pub fn pattern(&self) -> Option<&str> {
        self.pattern.as_deref()
    }

    /// Compiles the reference; mistakes go to `check`.
    pub fn compile(spec: &SecretSpec, pointer: &str, check: &Check) -> Option<SecretRef> {
        let (name, source) = match (&spec.env, &spec.file, &spec.command, &spec.keyring) {
            (Some(variable), None, None, None) => {
                // Only upper case is accepted: a secret that is written here by mistake is then reported, and not
                // repeated as a name.
                let legal = variable.bytes().enumerate().all(|(i, b)| {
                    b == b'_' || b.is_ascii_uppercase() || (i > 0 && b.is_ascii_digit())
                });
                if variable.is_empty() || !legal {
                    check.error_with_help(
                        Code::BadName,
                        &join(pointer, "env"),
                        "this is no name of an environment variable; such a name has upper-case letters, digits and `_`",
                        "name the variable that holds the secret; never write the secret itself here",
                    );
                    return None;
                }
                (variable.clone(), SecretSource::Env(variable.clone()))
            }
            (None, Some(file), None, None) => {
                (file.clone(), SecretSource::File(PathBuf::from(file)))
            }
            (None, None, Some(command), None) => {
                if command.first().is_none_or(String::is_empty) {
                    check.error(
                        Code::BadValue,
                        &join(pointer, "command"),
                        "the command names no program",
                    );
                    return None;
                }
                let file = check.source().path().map(Path::to_path_buf);
                let command = command.clone();
                (command.join(" "), SecretSource::Command { command, file })
            }
            (None, None, None, Some(entry)) => (
                format!("{}/{}", entry.service, entry.account),
                SecretSource::Keyring(entry.clone()),
            ),
            _ => {
                check.error_with_help(
                    Code::BadValue,
                    pointer,
                    "a secret needs exactly one source",
                    "write `env: VARIABLE`, `file: PATH`, `command: [PROGRAM, ARGUMENT]` or `keyring: { service, account }`",
                );
                return None;
            }
        };
        Some(SecretRef {
            name,
            help: spec.help.clone(),
            pointer: pointer.to_owned(),
            is_optional: false,
            group: None,
            fit: Fit::Anywhere,
            origin: check.source().origin().clone(),
            is_name: false,
            source,
            pattern: spec.pattern.clone(),
        })
    }
}

/// The value of a secret. It is never printed: `Debug` and `Display` both write `***`.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes a value.
    pub fn new(value: impl Into<String>) -> Secret {
        Secret(SecretString::from(value.into()))
    }

    /// The value itself. Only signing and redaction may ask for it.
    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(crate::plan::MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(crate::plan::MASK)
    }
}

/// A secret could not be read. No variant carries any part of a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// It was not given, and is not set in the environment or in `.env`, as far as they are read.
    #[error("the secret {name} is not set{}{}",
        if *.is_looked_for { "" } else { ": it was not given, and neither the environment nor a file of secrets is read" },
        .dotenv.as_ref().map(|problem| format!(" ({problem})")).unwrap_or_default())]
    Missing {
        /// The variable.
        name: String,
        /// Whether it was looked for in the environment, or in a file of secrets.
        is_looked_for: bool,
        /// What is wrong with the `.env` file.
        dotenv: Option<String>,
        /// The file of `NAME=value` lines that was looked in too.
        file: Option<PathBuf>,
        /// What the descriptor says about getting it.
        help: Option<String>,
    },
    /// The file cannot be read.
    #[error("the secret file {name} cannot be read: {reason}")]
    Unreadable {
        /// The file.
        name: String,
        /// The operating system's reason.
        reason: String,
    },
    /// The value does not look like the right kind of secret.
    #[error("the secret {name} does not look right: it must match {pattern}")]
    Unlike {
        /// The variable or file.
        name: String,
        /// The pattern of the descriptor.
        pattern: String,
        /// What the descriptor says about getting it.
        help: Option<String>,
    },
    /// The program that prints the secret failed.
    #[error("the command {name} gives no secret: {reason}")]
    Command {
        /// The command.
        name: String,
        /// Why not.
        reason: String,
    },
    /// The descriptor that names it is not trusted.
    #[error(transparent)]
    Untrusted(#[from] Untrusted),
    /// The program that prints the secret may not run.
    #[error("the command {name} is not run: {}", match .folder {
        Some(folder) => format!("the folder {folder} is not trusted to run commands"),
        None => "a built-in descriptor may not run anything".to_owned(),
    })]
    CommandRefused {
        /// The command.
        name: String,
        /// The folder of its descriptor.
        folder: Option<String>,
    },
    /// The operating system's store has no such entry.
    #[error("the keyring has no entry {name}")]
    NoEntry {
        /// The entry, as `SERVICE/ACCOUNT`.
        name: String,
        /// What the descriptor says about getting it.
        help: Option<String>,
    },
    /// The operating system's store does not give the entry.
    #[error("the entry {name} of the keyring cannot be read: {reason}")]
    Keyring {
        /// The entry, as `SERVICE/ACCOUNT`.
        name: String,
        /// Why not.
        reason: &'static str,
    },
    /// The value is not written as the descriptor says.
    #[error("the secret {name} is no {encoding}")]
    Undecodable {
        /// The secret.
        name: String,
        /// How it should be written.
        encoding: &'static str,
    },
    /// The token endpoint does not accept the credential.
    #[error("the token endpoint refused the credential ({code}){}", .message.as_ref().map(|m| format!(": {m}")).unwrap_or_default())]
    Refused {
        /// The endpoint's code.
        code: String,
        /// The endpoint's words, masked.
        message: Option<String>,
    },
    /// The value cannot be sent in its place.
    #[error("the secret {name} {reason}")]
    Misfit {
        /// The variable or file.
        name: String,
        /// Why not.
        reason: &'static str,
    },
    /// The value cannot be sent in a header or URL.
    #[error("the secret {name} holds a line break or another control character")]
    Unsendable {
        /// The variable or file.
        name: String,
    },
}

/// Where secrets come from. An empty store has those alone that it is given, and those that descriptors name as a file,
/// a command or an entry of the keyring.
#[derive(Debug, Clone, Default)]
pub struct SecretStore {
    given: HashMap<String, Secret>,
    only_given: bool,
    trusted: Vec<PathBuf>,
    reads_environment: bool,
    file: Option<PathBuf>,
    dotenv: OnceLock<Dotenv>,
    /// Where the secrets of some variables are instead.
    moved: HashMap<String, SecretPlace>,
}

/// Where a secret is that descriptors name by a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretPlace {
    /// In another variable.
    Variable(String),
    /// In an entry of the operating system's own store.
    Keyring(KeyringSpec),
}

impl fmt::Display for SecretPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretPlace::Variable(name) => f.write_str(name),
            SecretPlace::Keyring(entry) => write!(f, "{}/{}", entry.service, entry.account),
        }
    }
}

/// What is known of a secret without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whereabouts {
    /// The variable of the environment that holds it.
    Environment(String),
    /// The variable in the file of secrets that holds it.
    EnvFile(String),
    /// The file that holds it.
    File(PathBuf),
    /// It is not set: the variable or the file that would hold it.
    Nowhere(String),
    /// A command or an entry of the keyring, which is not asked.
    NotAsked(String),
    /// Its descriptor is not trusted, so it is not looked for.
    Untrusted,
}

/// Largest file that holds a secret, in bytes.
const MAX_FILE_BYTES: u64 = 64 << 10;

impl SecretStore {
    /// Gives a secret by name. It is used instead of the environment.
    pub fn give(&mut self, name: impl Into<String>, value: Secret) {
        self.given.insert(name.into(), value);
    }

    /// Takes the secret of a variable from another place, and from nowhere else.
    pub fn move_to(&mut self, variable: impl Into<String>, place: SecretPlace) {
        self.moved.insert(variable.into(), place);
    }

    /// Lets the descriptors in a folder run the commands that they name.
    pub fn trust(&mut self, folder: impl Into<PathBuf>) {
        self.trusted.push(folder.into());
    }

    /// Looks for secrets in the environment.
    pub fn read_environment(&mut self) {
        self.reads_environment = true;
    }

    /// Looks for secrets in a file of `NAME=value` lines too, after the environment.
    pub fn read_file(&mut self, file: impl Into<PathBuf>) {
        self.file = Some(file.into());
        self.dotenv = OnceLock::new();
    }

    /// From now on, reads no environment variable, `.env` or file, and runs no program.
    pub fn seal(&mut self) {
        self.only_given = true;
    }

    /// Finds the value of a secret and checks its pattern. A program that prints it is ended at `until`.
    ///
    /// # Errors
    /// When it is missing, unreadable, or does not match its pattern.
    pub fn resolve(
        &self,
        reference: &SecretRef,
        until: Option<Instant>,
    ) -> Result<Secret, SecretError> {
        // A sealed store holds what the user gave for a sandbox, and no value of this machine.
        if !self.only_given {
            let power = || Power::Secret(reference.name.clone());
            reference.origin.permit(power)?;
        }
        if let Some(given) = self.given.get(&reference.name) {
            return Ok(given.clone());
        }
        let source = self.source(reference);
        let name = match self.moved_to(reference) {
            Some(place) => place.to_string(),
            None => reference.name.clone(),
        };
        let missing = || SecretError::Missing {
            name: name.clone(),
            is_looked_for: self.reads_environment
                || self.file.is_some()
                || !reference.is_variable(),
            dotenv: self.dotenv_problem(),
            file: self.file.clone(),
            help: reference.help.clone(),
        };
        if self.only_given {
            return Err(missing());
        }
        let value = match &*source {
            SecretSource::Env(variable) => self.variable(variable).ok_or_else(missing)?,
            SecretSource::File(path) => {
                let text = read_file(path).map_err(|reason| SecretError::Unreadable {
                    name: reference.name.clone(),
                    reason,
                })?;
                Secret::new(text.trim())
            }
            SecretSource::Command { command, file } => {
                let folder = self.trusted_folder(reference, file.as_deref())?;
                command::run(&reference.name, command, &folder, until)?
            }
            SecretSource::Keyring(entry) => {
                let found = keyring::find(&name, &entry.service, &entry.account)?;
                found.ok_or_else(|| SecretError::NoEntry {
                    name: name.clone(),
                    help: reference.help.clone(),
                })?
            }
        };
        if value.expose().is_empty() {
            return Err(missing());
        }
        if value.expose().chars().any(char::is_control) {
            return Err(SecretError::Unsendable { name: name.clone() });
        }
        if let Some(pattern) = &reference.pattern
            && !matches(pattern, value.expose())
        {
            return Err(SecretError::Unlike {
                name: name.clone(),
                pattern: pattern.clone(),
                help: reference.help.clone(),
            });
        }
        Ok(value)
    }

    /// Where the secret of a reference is, if that is not where its descriptor says.
    fn moved_to(&self, reference: &SecretRef) -> Option<&SecretPlace> {
        match &reference.source {
            SecretSource::Env(variable) => self.moved.get(variable),
            _ => None,
        }
    }

    fn source<'r>(&self, reference: &'r SecretRef) -> Cow<'r, SecretSource> {
        match self.moved_to(reference) {
            None => Cow::Borrowed(&reference.source),
            Some(SecretPlace::Variable(name)) => Cow::Owned(SecretSource::Env(name.clone())),
            Some(SecretPlace::Keyring(entry)) => Cow::Owned(SecretSource::Keyring(entry.clone())),
        }
    }

    /// Whether reading the secret may ask somebody: a program, or the operating system.
    pub fn is_slow(&self, reference: &SecretRef) -> bool {
        !matches!(*self.source(reference), SecretSource::Env(_))
    }

    /// Where a secret would be read, without reading a file that holds one secret, running a program or asking the
    /// operating system.
    pub fn whereabouts(&self, reference: &SecretRef) -> Whereabouts {
        if !reference.origin.is_trusted() {
            return Whereabouts::Untrusted;
        }
        match &*self.source(reference) {
            SecretSource::Env(name) if self.in_environment(name).is_some() => {
                Whereabouts::Environment(name.clone())
            }
            SecretSource::Env(name) if self.in_file(name).is_some() => {
                Whereabouts::EnvFile(name.clone())
            }
            SecretSource::Env(name) => Whereabouts::Nowhere(name.clone()),
            SecretSource::File(path) if path.is_file() => Whereabouts::File(path.clone()),
            SecretSource::File(path) => Whereabouts::Nowhere(path.display().to_string()),
            SecretSource::Command { command, .. } => Whereabouts::NotAsked(command.join(" ")),
            SecretSource::Keyring(entry) => {
                Whereabouts::NotAsked(format!("{}/{}", entry.service, entry.account))
            }
        }
    }

    /// The variable of a secret that is in the environment with another value than in the file of secrets.
    pub fn overridden(&self, reference: &SecretRef) -> Option<String> {
        let SecretSource::Env(name) = &*self.source(reference) else {
            return None;
        };
        let (outer, inner) = (self.in_environment(name)?, self.in_file(name)?);
        (outer.expose() != inner.expose()).then(|| name.clone())
    }

    /// Like [`SecretStore::resolve`]; `None` for a secret that is not set and is optional.
    ///
    /// # Errors
    /// As [`SecretStore::resolve`].
    pub fn resolve_optional(
        &self,
        reference: &SecretRef,
        until: Option<Instant>,
    ) -> Result<Option<Secret>, SecretError> {
        match self.resolve(reference, until) {
            Err(SecretError::Missing { .. } | SecretError::NoEntry { .. })
                if reference.is_optional =>
            {
                Ok(None)
            }
            Err(SecretError::Unreadable { .. }) if self.lacks_file(reference) => Ok(None),
            Err(error) => Err(error),
            Ok(value) => match reference.fit.problem(value.expose()) {
                None => Ok(Some(value)),
                Some(reason) => Err(SecretError::Misfit {
                    name: reference.name.clone(),
                    reason,
                }),
            },
        }
    }

    /// Whether an optional secret's file does not exist.
    fn lacks_file(&self, reference: &SecretRef) -> bool {
        match &*self.source(reference) {
            SecretSource::File(path) => reference.is_optional && !path.exists(),
            _ => false,
        }
    }

    /// Whether it is known without asking anybody that a secret is not set.
    pub fn is_unset(&self, reference: &SecretRef) -> bool {
        let is_given = self.given.contains_key(&reference.name);
        let is_nowhere = || matches!(self.whereabouts(reference), Whereabouts::Nowhere(_));
        !is_given && (self.only_given || is_nowhere())
    }

    /// The folder of a descriptor whose commands may run. For a link, its target counts: a link in a trusted folder
    /// does not make its target trusted.
    fn trusted_folder(
        &self,
        reference: &SecretRef,
        file: Option<&Path>,
    ) -> Result<PathBuf, SecretError> {
        let untrusted = |folder: Option<&Path>| SecretError::CommandRefused {
            name: reference.name.clone(),
            folder: folder.map(|folder| folder.display().to_string()),
        };
        let file = file.ok_or_else(|| untrusted(None))?;
        let folder = file
            .canonicalize()
            .ok()
            .and_then(|file| Some(file.parent()?.to_path_buf()));
        let folder = folder.ok_or_else(|| untrusted(file.parent()))?;
        let mut trusted = self
            .trusted
            .iter()
            .filter_map(|trusted| trusted.canonicalize().ok());
        let is_trusted = reference.origin == Origin::Trusted
            || trusted.any(|trusted| folder.starts_with(trusted));
        match is_trusted {
            true => Ok(folder),
            false => Err(untrusted(Some(&folder))),
        }
    }

    fn variable(&self, name: &str) -> Option<Secret> {
        self.in_environment(name)
            .or_else(|| self.in_file(name).cloned())
    }

    fn in_environment(&self, name: &str) -> Option<Secret> {
        let value = || std::env::var(name).ok().filter(|value| !value.is_empty());
        self.reads_environment
            .then(value)
            .flatten()
            .map(Secret::new)
    }

    fn in_file(&self, name: &str) -> Option<&Secret> {
        let file = self.file.as_ref()?;
        self.dotenv.get_or_init(|| Dotenv::open(file)).get(name)
    }

    /// What is wrong with the `.env` file, if a secret was looked up in it. No part of the file is quoted.
    pub fn dotenv_problem(&self) -> Option<String> {
        self.dotenv.get()?.problem()
    }
}

/// The text of a file that holds a secret. Only regular files are read, because a device or a pipe may never end.
fn read_file(path: &Path) -> Result<String, String> {
    let failed = |error: std::io::Error| error.kind().to_string();
    if !path.metadata().map_err(failed)?.is_file() {
        return Err("it is no plain file".to_owned());
    }
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut text = String::new();
    file.take(MAX_FILE_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(failed)?;
    match text.len() as u64 > MAX_FILE_BYTES {
        true => Err(format!("it is larger than {MAX_FILE_BYTES} bytes")),
        false => Ok(text),
    }
}

/// A pattern such as `^sk-` is a plain prefix. Only other patterns need the regex engine, which costs more than the
/// rest of signing.
fn matches(pattern: &str, value: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    match pattern.strip_prefix('^') {
        Some(prefix) if prefix.chars().all(plain) => value.starts_with(prefix),
        _ => regex::Regex::new(pattern).is_ok_and(|regex| regex.is_match(value)),
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn a_secret_never_shows_itself() {
        let secret = Secret::new("canary-1234");
        assert_eq!(
            format!("{secret} {secret:?} {:?}", Some(&secret)),
            "*** *** Some(***)"
        );
    }

    #[test]
    fn patterns_are_matched_without_echo() {
        assert!(matches("^sk-ant-admin", "sk-ant-admin01-x"));
        assert!(!matches("^sk-ant-admin", "sk-ant-api03-x"));
        assert!(matches("^[a-f0-9]{4}$", "00ff"));
        assert!(!matches("^[a-f0-9]{4}$", "00fg"));
    }
}
