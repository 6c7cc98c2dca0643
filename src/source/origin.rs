//! Where a descriptor comes from, which decides what it may do with this machine.

use std::fmt;
use std::path::{Path, PathBuf};

/// Where a descriptor comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Origin {
    /// It comes with the program.
    #[default]
    BuiltIn,
    /// The user named its folder as one of tools.
    Named,
    /// The user said that its folder is trusted: its secrets may be printed by commands, too.
    Trusted,
    /// It lies in a folder that happens to be there, and that nobody trusted. Such a descriptor gets no value of this
    /// machine and sends nothing, except to its own sandbox.
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

/// A descriptor of a folder that nobody trusted may not do this.
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

/// A path in one line, whatever its name is.
fn in_line(path: &Path) -> String {
    let escaped = |c: char| match c.is_control() {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    path.display().to_string().chars().map(escaped).collect()
}

impl Origin {
    /// Whether somebody vouches for the descriptor.
    pub fn is_trusted(&self) -> bool {
        self.untrusted_folder().is_none()
    }

    /// The folder that would have to be trusted; `None` where that is not needed.
    pub fn untrusted_folder(&self) -> Option<&Path> {
        match self {
            Origin::Untrusted { folder } => Some(folder),
            Origin::BuiltIn | Origin::Named | Origin::Trusted => None,
        }
    }

    /// Refuses what only a trusted descriptor may do.
    ///
    /// # Errors
    /// When nobody trusted the descriptor.
    pub fn permit(&self, power: impl FnOnce() -> Power) -> Result<(), Untrusted> {
        match self.untrusted_folder() {
            None => Ok(()),
            Some(folder) => Err(Untrusted {
                folder: folder.to_owned(),
                power: power(),
            }),
        }
    }

    /// The origin of what is made of two files: it may do what both may.
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
