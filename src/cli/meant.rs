//! `--limit 3` where `limit=3` is meant, and `toolrun NAME` where `toolrun call NAME` is: the error gives the right form.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::commands::Command;
use super::config::InForce;
use super::{Cli, arguments, catalog};
use crate::catalog::LoadError;

/// How many options that are none are looked at.
const MOST: usize = 32;

/// What to say, and whether as JSON. `None` if the command line is wrong in another way, or the tool has no such param.
pub(crate) fn arguments_for_options(error: &clap::Error) -> Option<(String, bool)> {
    let mut words = words()?;
    let mut options: Vec<(String, Option<String>)> = Vec::new();
    let mut option = unknown_option(error, &words)?;
    let cli = loop {
        options.push(take(&mut words, &option)?);
        match Cli::read(words.iter().map(OsString::from)) {
            Ok(cli) => break cli,
            Err(error) if options.len() < MOST => option = unknown_option(&error, &words)?,
            Err(_) => return None,
        }
    };
    let Command::Call(call) = &cli.command else {
        return None;
    };
    let in_force = InForce::new(cli.shared.profile.as_deref(), None, None).ok()?;
    let catalog = catalog(&cli.shared.tools, call.trusted(), &in_force).ok()?;
    let tool = catalog.tool(call.name()).ok()?;
    let right = options
        .iter()
        .map(|(name, value)| arguments::meant(&tool, name, value.as_deref()))
        .collect::<Option<Vec<String>>>()?;
    let names: Vec<String> = options
        .iter()
        .map(|(name, _)| format!("`{name}`"))
        .collect();
    let (are, names) = match names.len() {
        1 => ("is no option", names.join("")),
        _ => ("are no options", names.join(" and ")),
    };
    let message = format!(
        "{names} {are} of `toolrun call`; {} takes arguments without dashes: write {}",
        tool.name,
        right.join(" ")
    );
    Some((message, call.wants_json()))
}

/// What to say, and whether as JSON, where a tool stands in the place of the command.
pub(crate) fn tool_for_command(error: &clap::Error) -> Option<(String, bool)> {
    let Some(ContextValue::String(name)) = error.get(ContextKind::InvalidSubcommand) else {
        return None;
    };
    let mut words = words()?;
    let at = words.iter().position(|word| word == name)?;
    words.insert(at, "call".to_owned());
    // The rest of the line may be wrong too, and that is told once the command is right.
    let cli = Cli::read(words.iter().map(OsString::from))
        .or_else(|_| Cli::read(words.iter().take(at + 2).map(OsString::from)))
        .ok()?;
    let Command::Call(call) = &cli.command else {
        return None;
    };
    let in_force = InForce::new(cli.shared.profile.as_deref(), None, None).ok()?;
    let catalog = catalog(&cli.shared.tools, call.trusted(), &in_force).ok()?;
    let tool = match catalog.tool(call.name()) {
        Ok(tool) => tool.name.clone(),
        Err(LoadError::AmbiguousTool { candidates, .. }) => candidates.first()?.clone(),
        Err(_) => return None,
    };
    let message = format!("`{name}` is a tool, and no command: write `toolrun call {tool} ...`");
    Some((message, call.wants_json()))
}

/// The words of the command line. Words that are no text are never meant for a tool.
fn words() -> Option<Vec<String>> {
    std::env::args_os()
        .map(|word| word.into_string().ok())
        .collect()
}

/// The name of an option that the parser does not know, if it is longer than a letter.
fn unknown_option(error: &clap::Error, words: &[String]) -> Option<String> {
    let Some(ContextValue::String(name)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    if name.starts_with("--") {
        return Some(name.clone());
    }
    // The parser reads `-limit` as several options of one letter each.
    let is_it = |word: &&String| word.starts_with(name.as_str()) && word.len() > name.len();
    words.iter().find(is_it).cloned()
}

/// Takes an option and its value out of the command line.
fn take(words: &mut Vec<String>, option: &str) -> Option<(String, Option<String>)> {
    let name = option.split('=').next().unwrap_or(option);
    let is_it = |word: &String| {
        word.strip_prefix(name)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    };
    let at = words.iter().position(is_it)?;
    let word = words.remove(at);
    if let Some((_, value)) = word.split_once('=') {
        return Some((name.to_owned(), Some(value.to_owned())));
    }
    // `-7d` is a value, `-o` is an option.
    let is_option = |next: &str| {
        let rest = next.strip_prefix('-');
        rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    let is_value =
        |next: &String| !is_option(next) && !next.contains('=') && !next.starts_with(['{', '@']);
    let value = words
        .get(at)
        .is_some_and(is_value)
        .then(|| words.remove(at));
    Some((name.to_owned(), value))
}
