//! The form of what `list`, `show` and `config` tell: words for people, or one JSON value for programs.

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub(crate) struct Form {
    /// How to print it
    #[arg(long, short, value_enum, value_name = "FORMAT", default_value = "text")]
    output: Kind,
    /// The same as --output json
    #[arg(long, conflicts_with = "output")]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Text,
    Json,
}

impl Form {
    /// Whether one JSON value is asked for. Errors are one JSON object then, too.
    pub(crate) fn is_json(&self) -> bool {
        self.json || self.output == Kind::Json
    }
}
