//! `toolrun callers`: who may call the tools of `serve --http`. A token is printed once, and only its hash is kept.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::form::Form;
use super::output::layout::{padded, width};
use super::terminal;
use super::{Done, Failure, say, usage};
use crate::Error;
use crate::callers::{
    Callers, EditError, Entry, Known, TokenHash, add, fault_of_name, new_token, remove, time_of,
};

/// Add, list and remove callers.
#[derive(Debug, Args)]
pub(crate) struct CallersCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make a token for a caller and print it, this once; the file gets its hash
    Add(Add),
    /// List the callers of a file
    List {
        /// The file of callers
        #[arg(long, value_name = "FILE")]
        callers: PathBuf,
        #[command(flatten)]
        form: Form,
    },
    /// Remove a caller from a file; a server that runs ends its requests
    Remove {
        /// The caller's name
        name: String,
        /// The file of callers
        #[arg(long, value_name = "FILE")]
        callers: PathBuf,
    },
}

#[derive(Debug, Args)]
struct Add {
    /// The caller's name, such as agent-1
    name: String,
    /// The file of callers; it is made if there is none
    #[arg(long, value_name = "FILE")]
    callers: PathBuf,
    /// What else policies know about the caller, as a JSON object
    #[arg(long, value_name = "JSON", value_parser = parse_claims)]
    claims: Option<Map<String, Value>>,
    /// Run at most this many calls of the caller at once
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    concurrency: Option<u32>,
    /// Take at most this many requests of the caller in a minute
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: Option<u32>,
    /// Let the token end then: a day such as 2027-01-31, or a time such as 2027-01-31T18:00:00Z
    #[arg(long, value_name = "TIME", value_parser = parse_end)]
    expires: Option<String>,
    /// Let the caller read /metrics
    #[arg(long)]
    metrics: bool,
}

fn parse_claims(text: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(text).map_err(|error| format!("write one JSON object: {error}"))
}

fn parse_end(text: &str) -> Result<String, String> {
    match time_of(text) {
        Some(end) if end > jiff::Timestamp::now() => Ok(text.to_owned()),
        Some(_) => Err("this time is over".to_owned()),
        None => {
            Err("write a day such as 2027-01-31, or a time such as 2027-01-31T18:00:00Z".to_owned())
        }
    }
}

impl CallersCommand {
    /// Whether errors must be one JSON object.
    pub(crate) fn wants_json(&self) -> bool {
        matches!(&self.what, What::List { form, .. } if form.is_json())
    }

    /// Runs the command.
    pub(crate) fn run(self) -> Done {
        match self.what {
            What::Add(new) => new.run(),
            What::List { callers, form } => list(&callers, &form),
            What::Remove { name, callers } => remove_one(&callers, &name),
        }
    }
}

impl Add {
    fn run(self) -> Done {
        if let Some(reason) = fault_of_name(&self.name) {
            return Err(usage(reason));
        }
        let Some(token) = new_token() else {
            let message = "this machine has no randomness for a token";
            return Err(Failure::Told(1, message.to_owned()));
        };
        let members = [
            ("claims", self.claims.map(Value::Object)),
            ("concurrency", self.concurrency.map(Value::from)),
            ("rate", self.rate.map(Value::from)),
            ("expires", self.expires.map(Value::from)),
            ("metrics", self.metrics.then_some(Value::Bool(true))),
        ];
        let more = members
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), value?)))
            .collect();
        let entry = Entry {
            name: self.name.clone(),
            hash: TokenHash::of(&token),
            more,
        };
        let file = &self.callers;
        add(file, &entry).map_err(|error| told(error, file, &self.name))?;
        say(&format!(
            "{} is a caller of {}; this is the token, which is not shown again:",
            self.name,
            file.display()
        ));
        let mut out = terminal::words();
        writeln!(out, "{token}")?;
        Ok(out.flush()?)
    }
}

fn remove_one(file: &Path, name: &str) -> Done {
    remove(file, name).map_err(|error| told(error, file, name))?;
    say(&format!(
        "{name} is no caller of {} any more",
        file.display()
    ));
    Ok(())
}

/// An error of an edit in words.
fn told(error: EditError, file: &Path, name: &str) -> Failure {
    let file = file.display();
    match error {
        EditError::Broken(findings) => Error::from(findings).into(),
        EditError::Known => usage(format!(
            "{file} has a caller `{name}` already; for another token, remove the caller and add it again"
        )),
        EditError::Unknown(hint) => {
            let hint = hint.map(|hint| format!("; {hint}")).unwrap_or_default();
            usage(format!("{file} has no caller `{name}`{hint}"))
        }
        EditError::Layout => Failure::Told(
            1,
            format!("{file} cannot be changed without a loss of its layout; change it by hand"),
        ),
        EditError::File(reason) => Failure::Told(1, format!("{file} was not changed: {reason}")),
    }
}

fn list(file: &Path, form: &Form) -> Done {
    let callers = Callers::load(file).map_err(Error::from)?;
    if form.is_json() {
        let all: Vec<Value> = callers.all().iter().map(as_json).collect();
        writeln!(terminal::json(), "{:#}", json!({ "callers": all }))?;
        return Ok(());
    }
    let mut rows = vec![["NAME", "CONCURRENCY", "RATE", "EXPIRES", "CLAIMS"].map(str::to_owned)];
    rows.extend(callers.all().iter().map(as_row));
    let widest = |column: usize| rows.iter().map(|row| width(&row[column])).max();
    let widths: Vec<usize> = (0..5).map(|column| widest(column).unwrap_or(0)).collect();
    let mut out = terminal::words();
    for row in &rows {
        let cells = row.iter().zip(&widths);
        let cells: Vec<String> = cells
            .map(|(cell, width)| padded(cell, *width, false))
            .collect();
        writeln!(out, "{}", cells.join("  ").trim_end())?;
    }
    Ok(out.flush()?)
}

fn has_ended(known: &Known) -> bool {
    known
        .expires
        .is_some_and(|end| end <= jiff::Timestamp::now())
}

fn as_row(known: &Known) -> [String; 5] {
    let number = |number: Option<u32>| number.map_or("-".to_owned(), |number| number.to_string());
    let end = match known.expires {
        None => "-".to_owned(),
        Some(end) if has_ended(known) => format!("{end} (over)"),
        Some(end) => end.to_string(),
    };
    let claims = match known.caller.claims.is_empty() {
        true => "-".to_owned(),
        false => json!(known.caller.claims).to_string(),
    };
    [
        known.caller.name.clone(),
        number(known.allowance.concurrency),
        number(known.allowance.rate),
        end,
        claims,
    ]
}

fn as_json(known: &Known) -> Value {
    json!({
        "name": known.caller.name,
        "claims": known.caller.claims,
        "concurrency": known.allowance.concurrency,
        "rate": known.allowance.rate,
        "expires": known.expires.map(|end| end.to_string()),
        "has_ended": has_ended(known),
        "metrics": known.reads_metrics,
    })
}
