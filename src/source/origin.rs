//! Where a descriptor comes from. This decides what it may do on this machine.

use std::fmt;
use std::path::{Path, PathBuf};

/// Where a descriptor comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Origin {
    /// It is built into the program.
    #[default]
    BuiltIn,
    /// The user named its folder as a folder of tools.
    Named,
    /// The user trusted its folder. Its secrets may also come from commands.
    Trusted,
    /// Its folder was found, for example as `./tools`, and nobody trusted it. Such a descriptor gets no value of this
    /// machine, and sends requests only to its own sandbox.
    Untrusted {
        /// The folder to trust.
        folder: PathBuf,
    },
}

/// Something that only a trusted descriptor may do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Power {
    /// Send a request.
    Send,
    /// Read a secret of this name.
    Secret(String),
    /// Read an environment variable for a setting.
    Setting {
        /// The setting.
        name: String,
        /// The variable.
        variable: String,
    },
    /// Read a local file.
    File(String),
}

/// An untrusted descriptor may not do this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{power}, but its folder {} is not trusted and may not do that", in_line(.folder))]
pub struct Untrusted {
    /// The folder.
    pub folder: PathBuf,
    /// What is refused.
    pub power: Power,
}

impl fmt::Display for Power {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Power::Send => f.write_str("the tool would send a request"),
            Power::Secret(name) => write!(f, "the tool would read the secret {name}"),
            Power::Setting { name, variable } => write!(
                f,
                "the tool would read the environment variable {variable} for its setting `{name}`"
            ),
            Power::File(path) => write!(f, "the tool would read the file {path:?}"),
        }
    }
}

/// A path on one line, even if its name contains line breaks.
fn in_line(path: &Path) -> String {
    let escaped = |c: char| match c.is_control() {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    path.display().to_string().chars().map(escaped).collect()
}

impl Origin {
    /// Whether the user trusts the descriptor.
    pub fn is_trusted(&self) -> bool {
        self.untrusted_folder().is_none()
    }

    /// The folder that the user would have to trust; `None` if that is not needed.
    pub fn untrusted_folder(&self) -> Option<&Path> {
        match self {
            Origin::Untrusted { folder } => Some(folder),
            Origin::BuiltIn | Origin::Named | Origin::Trusted => None,
        }
    }

    /// Refuses what only a trusted descriptor may do.
    ///
    /// # Errors
    /// When the descriptor is not trusted.
    pub fn permit(&self, power: impl FnOnce() -> Power) -> Result<(), Untrusted> {
        match self.untrusted_folder() {
            None => Ok(()),
            Some(folder) => Err(Untrusted {
                folder: folder.to_owned(),
                power: power(),
            }),
        }
    }

    /// The origin of a thing that is made of two files: it may do only what both may do.
    #[must_use]
    pub fn and(self, other: Origin) -> Origin {
        let rank = |origin: &Origin| match origin {
            Origin::Untrusted { .. } => 0,
            Origin::Named => 1,
            Origin::Trusted => 2,
            Origin::BuiltIn => 3,
        };
        match rank(&other) < rank(&self) {
            true => other,
            false => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn of_two_origins_the_weaker_counts() {
        let untrusted = Origin::Untrusted {
            folder: "/x".into(),
        };
        let all = [untrusted, Origin::Named, Origin::Trusted, Origin::BuiltIn];
        for (i, one) in all.iter().enumerate() {
            for (j, other) in all.iter().enumerate() {
                assert_eq!(one.clone().and(other.clone()), all[i.min(j)]);
            }
        }
    }
}
