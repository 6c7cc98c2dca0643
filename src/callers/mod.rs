//! Callers: who may call the tools over HTTP, and how much. A file names them; of their tokens it has only hashes.

mod edit;
mod issuer;
mod spec;
mod token;

use std::path::Path;

use jiff::Timestamp;

pub(crate) use edit::{EditError, Entry, add, remove};
pub(crate) use issuer::{Issuer, is_safe};
pub(crate) use spec::CALLERS;
pub(crate) use token::{TokenHash, new_token};

use crate::catalog::read_own_file;
use crate::policy::Caller;
use crate::sign::sha256;
use crate::source::{Check, Code, Finding, Severity, Source};
use spec::{CallersSpec, TokenSpec};

/// The name of whoever started the server; no caller over HTTP has it.
pub(crate) const LOCAL: &str = "local";
/// Most characters of a caller's name.
const LONGEST_NAME: usize = 64;

/// The callers of a file.
#[derive(Debug)]
pub(crate) struct Callers {
    known: Vec<Known>,
    issuer: Option<Issuer>,
    /// The digest of the file.
    version: String,
}

/// A caller who has a token.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Known {
    /// The name and what else is known.
    pub caller: Caller,
    /// The hash of the token.
    pub hash: TokenHash,
    /// How much the caller may do.
    pub allowance: Allowance,
    /// From when on the token is none.
    pub expires: Option<Timestamp>,
    /// Whether the caller may read the metrics.
    pub reads_metrics: bool,
}

/// How much a caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Allowance {
    /// Calls at once; as many as the server runs, if `None`.
    pub concurrency: Option<u32>,
    /// Requests in a minute; as many as come, if `None`.
    pub rate: Option<u32>,
}

impl Callers {
    /// Reads a file of the user.
    ///
    /// # Errors
    /// Every finding.
    pub(crate) fn load(path: &Path) -> Result<Callers, Vec<Finding>> {
        let source = Source::open(path)?;
        // Whoever can write the file decides who is let in.
        let unsafe_reason = read_own_file(path).err();
        let check = Check::proving(source);
        if let Some(reason) = unsafe_reason {
            check.error_in_text(Code::UnreadableFile, 0..0, reason, None);
        }
        let callers = Callers::compile(&check);
        let findings = check.into_findings();
        let is_wrong = |finding: &Finding| finding.severity == Severity::Error;
        match callers.filter(|_| !findings.iter().any(is_wrong)) {
            Some(callers) => Ok(callers),
            None => Err(findings),
        }
    }

    /// The callers of a source; mistakes go to `check`.
    fn compile(check: &Check) -> Option<Callers> {
        let spec: CallersSpec = crate::format::decode(&CALLERS, check)?;
        let known = spec.tokens.iter().enumerate();
        let known: Vec<Known> = known
            .filter_map(|(at, token)| compile(token, at, check))
            .collect();
        let issuer = spec.oauth.as_ref();
        Some(Callers {
            known,
            issuer: issuer.and_then(|issuer| Issuer::compile(issuer, check)),
            version: sha256(check.source().text().as_bytes()),
        })
    }

    fn none() -> Callers {
        Callers {
            known: Vec::new(),
            issuer: None,
            version: String::new(),
        }
    }

    /// Whose access tokens are taken too.
    pub(crate) fn issuer(&self) -> Option<&Issuer> {
        self.issuer.as_ref()
    }

    /// The caller of this name.
    pub(crate) fn named(&self, name: &str) -> Option<&Known> {
        self.known.iter().find(|known| known.caller.name == name)
    }

    /// The digest of the file: another text has other callers.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// All of them, in the order of the file.
    pub(crate) fn all(&self) -> &[Known] {
        &self.known
    }

    /// Who has this token. It is compared with all of them, whichever it is.
    pub(crate) fn find(&self, token: &str) -> Option<&Known> {
        let hash = TokenHash::of(token);
        let mut found = None;
        for known in &self.known {
            if known.hash.is(&hash) {
                found = Some(known);
            }
        }
        found
    }
}

/// Every check of a file of callers.
pub(crate) fn check(check: &Check) {
    Callers::compile(check);
}

/// Why a name is none, or `None` if it is one.
pub(crate) fn fault_of_name(name: &str) -> Option<String> {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@');
    if name == LOCAL {
        let reason = "`local` is whoever started the server; give the caller another name";
        return Some(reason.to_owned());
    }
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    match starts_well && name.chars().all(is_legal) && name.len() <= LONGEST_NAME {
        true => None,
        false => Some(format!(
            "a caller's name has letters, digits, `.`, `_`, `-` and `@`, begins with a letter or a digit, and has at most {LONGEST_NAME} characters"
        )),
    }
}

/// When a token ends: a day begins at midnight UTC. `None` if the text is no time.
pub(crate) fn time_of(text: &str) -> Option<Timestamp> {
    match text.parse::<Timestamp>() {
        Ok(time) => Some(time),
        // A longer text is a time without its zone, which would be guessed.
        Err(_) if text.len() == "2027-01-31".len() => format!("{text}T00:00:00Z").parse().ok(),
        Err(_) => None,
    }
}

fn compile(spec: &TokenSpec, at: usize, check: &Check) -> Option<Known> {
    let place = |key: &str| format!("/tokens/{at}/{key}");
    if let Some(reason) = fault_of_name(&spec.name) {
        check.error(Code::BadName, &place("name"), reason);
    }
    let hash = TokenHash::parse(&spec.token);
    if hash.is_none() && !check.is_broken(&place("token")) {
        check.error_with_help(
            Code::BadValue,
            &place("token"),
            "this is no hash of a token: `sha256:` and 64 hexadecimal digits, in small letters",
            "write the hash of the token, which stands in no file itself; the command `callers add` makes both",
        );
    }
    let expires = spec.expires.as_deref().map(|text| (text, time_of(text)));
    if let Some((_, None)) = expires {
        check.error(
            Code::BadValue,
            &place("expires"),
            "this is no time: write a day such as 2027-01-31, or a time such as 2027-01-31T18:00:00Z",
        );
    }
    report_twins(spec, at, check);
    Some(Known {
        caller: Caller {
            name: spec.name.clone(),
            claims: spec.claims.clone(),
        },
        hash: hash?,
        allowance: Allowance {
            concurrency: spec.concurrency,
            rate: spec.rate,
        },
        expires: expires.and_then(|(_, time)| time),
        reads_metrics: spec.metrics,
    })
}

/// Reports a name or a token that an earlier caller has.
fn report_twins(spec: &TokenSpec, at: usize, check: &Check) {
    let value = check.source().value();
    let earlier = value["tokens"].as_array().into_iter().flatten().take(at);
    for other in earlier {
        if other["name"] == spec.name.as_str() {
            check.error(
                Code::DuplicateName,
                &format!("/tokens/{at}/name"),
                format!("an earlier caller is called `{}` too", spec.name),
            );
        }
        if other["token"] == spec.token.as_str() && TokenHash::parse(&spec.token).is_some() {
            check.error(
                Code::BadValue,
                &format!("/tokens/{at}/token"),
                "an earlier caller has the same token",
            );
        }
    }
}
