//! The values of one service's secrets, and the texts that are made with them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::oauth::{self, Token};
use super::secret::{Secret, SecretError, SecretRef, SecretStore};
use crate::plan::{Credential, MASK, Text, percent_encode};

/// The values of a service's secrets, by name.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    pub(super) values: HashMap<String, Secret>,
    /// The names of values that are user names and not secrets.
    pub(super) names: Vec<String>,
    /// Texts that are made from secrets and sent, such as the credentials of `Basic`.
    pub(super) sent: Vec<Secret>,
}

impl Secrets {
    /// Finds the values of secrets.
    ///
    /// # Errors
    /// When one is missing or does not match its pattern.
    pub fn resolve(
        references: &[SecretRef],
        store: &SecretStore,
        until: Option<Instant>,
    ) -> Result<Secrets, SecretError> {
        let mut values = HashMap::with_capacity(references.len());
        for reference in references {
            if let Some(value) = store.resolve_optional(reference, until)? {
                values.insert(reference.name.clone(), value);
            }
        }
        let is_secret = |name: &str| references.iter().any(|r| r.name == name && !r.is_name);
        let names = values.keys().filter(|name| !is_secret(name));
        if let Some(lone) = lone(references, &values) {
            // Some secrets of a credential are set and others are not: that is a mistake, and not a wish to go without it.
            store.resolve(lone, until)?;
        }
        Ok(Secrets {
            names: names.cloned().collect(),
            values,
            sent: Vec::new(),
        })
    }

    /// The values that must be masked everywhere.
    pub(crate) fn to_mask(&self) -> impl Iterator<Item = &Secret> {
        let values = self.values.iter();
        let secret = values.filter(|(name, _)| !self.names.contains(name));
        secret.map(|(_, value)| value).chain(&self.sent)
    }

    /// The same secrets, plus the part of a header behind its scheme, such as the credentials of `Basic`. It must be
    /// masked too.
    pub(crate) fn with_sent(mut self, header: &str) -> Secrets {
        let credentials = header.split_once(' ').map_or(header, |(_, text)| text);
        if self.to_mask().all(|known| known.expose() != credentials) {
            self.sent.push(Secret::new(credentials));
        }
        self
    }

    /// The value of a secret.
    pub(crate) fn expose(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(Secret::expose)
    }

    /// The same secrets, with what a token endpoint gave. The previous access token is kept, because a service may
    /// still repeat it and it must be masked.
    pub(crate) fn renewed(mut self, token: Token) -> Secrets {
        let before = self
            .values
            .insert(oauth::ACCESS_TOKEN.to_owned(), token.access);
        let kept = [
            (oauth::FORMER_TOKEN, before),
            (oauth::ROTATED_TOKEN, token.rotated),
        ];
        for (name, value) in kept {
            if let Some(value) = value {
                self.values.insert(name.to_owned(), value);
            }
        }
        self
    }

    /// The same secrets, with the refresh token that a process before got, if there is one.
    pub(crate) fn with_rotated(mut self, token: Option<Secret>) -> Secrets {
        if let Some(token) = token {
            self.values.insert(oauth::ROTATED_TOKEN.to_owned(), token);
        }
        self
    }

    /// The refresh token that the service gave last.
    pub(crate) fn rotated(&self) -> Option<&Secret> {
        self.values.get(oauth::ROTATED_TOKEN)
    }

    /// A URL whose path shows these credentials as the mask, with the credentials in it.
    pub(super) fn fill(&self, target: &str, in_path: &[Text]) -> String {
        let mut filled = String::with_capacity(target.len());
        let mut rest = target;
        for credential in in_path {
            let (Some((before, behind)), Some(value)) =
                (rest.split_once(MASK), self.reveal(credential))
            else {
                break;
            };
            filled.push_str(before);
            filled.push_str(&percent_encode(&value));
            rest = behind;
        }
        filled.push_str(rest);
        filled
    }

    /// The text with its secrets filled in; `None` when a secret is not set, or the value is computed later.
    pub(super) fn reveal<'s>(&'s self, text: &'s Text) -> Option<Cow<'s, str>> {
        match text {
            Text::Plain(text) => Some((&**text).into()),
            // A settled plan contains none of these.
            Text::Generated(generated) => Some(generated.to_string().into()),
            Text::Credential(Credential::Secret { prefix, secret, .. }) => {
                let value = self.expose(secret)?;
                Some(match prefix.is_empty() {
                    true => value.into(),
                    false => format!("{prefix}{value}").into(),
                })
            }
            Text::Credential(Credential::Basic { username, password }) => {
                let password = match password {
                    Some(name) => self.expose(name)?,
                    None => "",
                };
                let pair = format!("{}:{password}", self.reveal(username)?);
                Some(format!("Basic {}", STANDARD.encode(pair)).into())
            }
            Text::Credential(Credential::Cookies { secret, plain }) => {
                let own = secret.iter().filter_map(|(name, value)| {
                    let value = self.reveal(value)?;
                    Some(format!("{name}={value}"))
                });
                let cookies: Vec<String> = own
                    .chain(plain.iter().map(|plain| plain.clone().into_owned()))
                    .collect();
                (!cookies.is_empty()).then(|| cookies.join("; ").into())
            }
            Text::Credential(Credential::Computed { .. }) => None,
        }
    }
}

/// A secret that is not set although another one of its optional credential is.
fn lone<'r>(
    references: &'r [SecretRef],
    values: &HashMap<String, Secret>,
) -> Option<&'r SecretRef> {
    let is_set = |reference: &&SecretRef| values.contains_key(&reference.name);
    let mut missing = references
        .iter()
        .filter(|reference| reference.group.is_some() && !is_set(reference));
    missing.find(|lone| {
        let mut others = references.iter().filter(|other| other.group == lone.group);
        others.any(|other| is_set(&other))
    })
}
