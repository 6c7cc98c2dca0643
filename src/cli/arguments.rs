//! From words on the command line to a tool's arguments.

use std::cell::{Cell, OnceCell};
use std::io::Read;

use crate::json::{Json, MAX_DEPTH, duplicate_key};
use crate::params::{ArgumentProblem, Doubt, KeyError, Place};
use crate::yaml::{self, Limits, LineIndex, ProblemKind};
use crate::{Error, Tool};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::hints::shell_word;
use super::{Failure, note};

/// Size of the largest text of arguments that is read, in bytes.
const MAX_BYTES: u64 = 64 << 20;

/// What the words say.
pub(crate) struct Arguments {
    value: Value,
    /// What is sent in place of what was written.
    notes: Vec<String>,
    doubts: Vec<Doubtful>,
}

/// What words such as `yesterday` count from.
pub(crate) struct Clock {
    time: OnceCell<Timestamp>,
    /// The time of a sandbox, if its data ends at a time of its own.
    of_sandbox: Option<Box<dyn Fn() -> Option<Timestamp> + Send>>,
}

impl Clock {
    /// The system's clock.
    pub(crate) fn of_system() -> Clock {
        Clock {
            time: OnceCell::new(),
            of_sandbox: None,
        }
    }

    /// The clock of a sandbox, or the system's where the sandbox cannot be read: the call will say why.
    pub(crate) fn of_sandbox(time: impl Fn() -> Option<Timestamp> + Send + 'static) -> Clock {
        Clock {
            time: OnceCell::new(),
            of_sandbox: Some(Box::new(time)),
        }
    }

    /// The moment, which is the same for all words.
    fn now(&self) -> Timestamp {
        *self.time.get_or_init(|| {
            let of_sandbox = self.of_sandbox.as_ref().and_then(|time| time());
            of_sandbox.unwrap_or_else(Timestamp::now)
        })
    }
}

/// An argument that may not be what was meant.
struct Doubtful {
    /// The argument, as problems name it.
    argument: String,
    /// What to write instead.
    advice: String,
    /// Whether it is said even where the tool takes the argument as it is.
    is_said: bool,
}

/// Reads the words behind the tool's name: JSON objects, `@FILE`, `-`, and pairs of a key and a value, any number of
/// them. A later word overrides an earlier one. Words for points in time all count from one moment, which the clock
/// tells.
///
/// # Errors
/// Which word is wrong, and why.
pub(crate) fn parse(tool: &Tool, words: &[String], clock: &Clock) -> Result<Arguments, String> {
    let mut reader = Reader {
        tool,
        clock,
        arguments: Map::new(),
        lists: Vec::new(),
        given: Vec::new(),
        notes: Vec::new(),
        doubts: Vec::new(),
    };
    let word_at = |at: usize| words.get(at).map(String::as_str);
    for (at, word) in words.iter().enumerate() {
        let before = at.checked_sub(1).and_then(word_at);
        reader.take(word, before, word_at(at + 1))?;
    }
    Ok(Arguments {
        value: Value::Object(reader.arguments),
        notes: reader.notes,
        doubts: reader.doubts,
    })
}

impl Arguments {
    /// Whether the words give this value to a param.
    pub(crate) fn gives(&self, name: &str, value: &Value) -> bool {
        self.value.get(name) == Some(value)
    }

    /// The arguments as they are, for a part of what a call needs. Says what is sent in place of what was written.
    pub(crate) fn unsettled(self) -> Value {
        self.notes.iter().for_each(|text| note(text));
        self.value
    }

    /// The arguments. Says what is sent in place of what was written; where an argument is refused that may not be what
    /// was meant, the error says what to write.
    pub(crate) fn settle(self, tool: &Tool) -> Result<Value, Failure> {
        self.notes.iter().for_each(|text| note(text));
        if self.doubts.is_empty() {
            return Ok(self.value);
        }
        match tool.accept(self.value.clone()) {
            Ok(_) => {
                let said = self.doubts.iter().filter(|doubt| doubt.is_said);
                said.for_each(|doubt| note(&format!("{}: {}", doubt.argument, doubt.advice)));
                Ok(self.value)
            }
            Err(mut problems) => {
                for problem in &mut problems {
                    let doubt = self.doubts.iter().find(|doubt| doubt.is_about(problem));
                    if let Some(doubt) = doubt {
                        problem.message.push_str(&format!("; {}", doubt.advice));
                    }
                }
                Err(Failure::Error(Error::Arguments {
                    tool: tool.name.clone(),
                    problems,
                }))
            }
        }
    }
}

impl Doubtful {
    fn is_about(&self, problem: &ArgumentProblem) -> bool {
        let inside = problem.argument.strip_prefix(&self.argument);
        inside.is_some_and(|rest| rest.is_empty() || rest.starts_with('['))
    }
}

struct Reader<'t> {
    tool: &'t Tool,
    clock: &'t Clock,
    arguments: Map<String, Value>,
    /// Arrays that were given item by item, to which further words add.
    lists: Vec<Vec<String>>,
    /// What was given as a key and a value.
    given: Vec<Vec<String>>,
    notes: Vec<String>,
    doubts: Vec<Doubtful>,
}

impl Reader<'_> {
    fn take(&mut self, word: &str, before: Option<&str>, next: Option<&str>) -> Result<(), String> {
        if word == "-" {
            let text = bounded(std::io::stdin())
                .map_err(|error| format!("cannot read arguments from standard input: {error}"))?;
            refuse_empty("standard input", &text)?;
            self.arguments.extend(object("standard input", &text)?);
        } else if let Some(path) = word.strip_prefix('@') {
            let text = read_file(path)
                .map_err(|error| format!("cannot read arguments from {path}: {error}"))?;
            self.arguments.extend(object(path, &text)?);
        } else if word.trim_start().starts_with('{') {
            self.arguments.extend(object("the arguments", word)?);
        } else {
            let (key, text) = word
                .split_once('=')
                .ok_or_else(|| self.no_pair(word, before, next))?;
            match key.strip_suffix(':') {
                Some(key) => self.json(key, text)?,
                None => self.text(key, text)?,
            }
        }
        Ok(())
    }

    /// `key:=JSON` and `key:=@FILE`
    fn json(&mut self, key: &str, text: &str) -> Result<(), String> {
        let place = place(self.tool, key)?;
        let value = if let Some(path) = text.strip_prefix('@') {
            let (what, source) = file_names(key, path);
            let text = read_file(path)
                .map_err(|error| format!("`{key}:=@FILE`: cannot read {what}: {error}"))?;
            refuse_empty(&source, &text)?;
            value_of(&source, &text)?
        } else {
            let source = format!("`{key}:=`");
            let found = serde_json::from_str(text).map_err(|error| match looks_secret(key) {
                true => format!("{source} needs JSON: {error}"),
                false => format!("{source} needs JSON, and `{text}` is not JSON: {error}"),
            })?;
            refuse_losses(&source, text)?;
            found
        };
        let path = place.path;
        self.insert(path, value, false)
    }

    /// `key=value`, `key=@FILE` and `key=\@value`
    fn text(&mut self, key: &str, text: &str) -> Result<(), String> {
        let place = place(self.tool, key)?;
        if let Some(path) = text.strip_prefix('@')
            && let [param] = place.path.as_slice()
            && self.tool.takes_path(param)
        {
            return Err(format!(
                "`{key}=@FILE` gives the text of a file, and `{key}` takes its path: write {}",
                shell_word(&format!("{key}={path}"))
            ));
        }
        let from_file;
        let (whole, is_written) = match text.strip_prefix('@') {
            Some(path) => {
                from_file = text_of_file(key, path)?;
                (from_file.as_str(), false)
            }
            None => (unescaped(text), true),
        };
        let Some(schema) = place.schema else {
            return self.insert(place.path, whole.into(), false);
        };
        // The line break at the end of a file is part of a string, and of no other value.
        let text = if is_written { whole } else { whole.trim() };
        let counted = Cell::new(false);
        let given = self
            .tool
            .params
            .read(schema, text, &|| {
                counted.set(true);
                self.clock.now()
            })
            .map_err(|duplicate| format!("{key}: {duplicate}"))?;
        // A text in a file is data, and no word for a point in time.
        let value = match !is_written && given.value.is_string() {
            true => Value::from(whole),
            false => given.value,
        };
        if is_written && given.is_moment {
            let sent = match &value {
                Value::Array(items) => items.first().unwrap_or(&value),
                value => value,
            };
            let sent = sent.as_str().unwrap_or_default();
            let by = match counted.get() && self.clock.of_sandbox.is_some() {
                true => ", by the sandbox's clock",
                false => "",
            };
            self.notes
                .push(format!("{key}={text} is sent as {sent}{by}"));
        }
        if let Some(doubt) = given.doubt.filter(|_| is_written) {
            self.doubts.push(doubtful(key, text, &place.path, &doubt));
        } else if let Some(meant) = text.strip_prefix('=').filter(|_| is_written) {
            self.doubts.push(Doubtful {
                argument: place.path.join("."),
                advice: format!("write {}", written(key, meant)),
                is_said: false,
            });
        }
        let is_item = value.is_array();
        self.insert(place.path, value, is_item)
    }

    /// Puts a value into its place. If it is an array that is given item by item, words with the same key add up:
    /// `roles=admin roles=user`.
    fn insert(&mut self, path: Vec<String>, value: Value, is_item: bool) -> Result<(), String> {
        let goes_on = self.lists.contains(&path);
        let mut members = &mut self.arguments;
        let (last, outer) = path.split_last().ok_or("an argument needs a key")?;
        for (depth, name) in outer.iter().enumerate() {
            let inner = members
                .entry(name.clone())
                .or_insert_with(|| Value::Object(Map::new()));
            members = inner.as_object_mut().ok_or_else(|| {
                let (key, at) = (path.join("."), path[..=depth].join("."));
                format!("{key}: an earlier argument gives `{at}` as something that is no object")
            })?;
        }
        match (members.get_mut(last), value) {
            (Some(Value::Array(items)), Value::Array(more)) if goes_on => items.extend(more),
            (_, value) => {
                members.insert(last.clone(), value);
                if self.given.contains(&path) {
                    let key = path.join(".");
                    self.notes.push(format!(
                        "{key} is given more than once; the last one counts"
                    ));
                }
            }
        }
        if !self.given.contains(&path) {
            self.given.push(path.clone());
        }
        self.lists.retain(|known| is_item || *known != path);
        if is_item && !goes_on {
            self.lists.push(path);
        }
        Ok(())
    }

    /// What a word without `=` should have been: `limit 3`, `limit:3`, or the `3` of `limit= 3`.
    fn no_pair(&self, word: &str, before: Option<&str>, next: Option<&str>) -> String {
        let next = next.filter(|next| !next.contains('=') && !next.starts_with(['@', '{']));
        let (name, value) = match (word.split_once(':'), before) {
            (Some((name, value)), _) => (name, Some(value)),
            (None, Some(before)) if before.ends_with('=') => {
                (before.trim_end_matches([':', '=']), Some(word))
            }
            (None, _) => (word, next),
        };
        let shown = if looks_secret(name) { name } else { word };
        match meant(self.tool, name, value) {
            Some(right) => format!("`{shown}` is no argument; write key=value, as in {right}"),
            None => format!(
                "`{shown}` is no argument; write key=value, key:=JSON, one JSON object, @FILE, or - for standard input"
            ),
        }
    }
}

/// Where a key leads.
fn place<'t>(tool: &'t Tool, key: &str) -> Result<Place<'t>, String> {
    tool.params.place(key).map_err(|error| match error {
        KeyError::NoObject { at } => {
            format!("{key}: `{at}` is no object, so nothing can be set inside of it")
        }
        KeyError::Unknown { at, name, known } => {
            format!("{key}: `{at}` has no member `{name}`; {known}")
        }
        KeyError::Unclear { at } => format!(
            "{key}: `{at}` takes any members, so it is not clear what the dots mean; write {at}:='{{...}}'"
        ),
    })
}

/// The argument that somebody meant who wrote the name of a param and its value as two words, or as an option. `None` if
/// the tool has no such param.
pub(crate) fn meant(tool: &Tool, name: &str, value: Option<&str>) -> Option<String> {
    let plain = name.trim_start_matches('-');
    let param = tool
        .params
        .get(plain)
        .or_else(|| tool.params.get(&plain.replace('-', "_")))?;
    let is_flag = param.schema["type"] == "boolean";
    let value = match value.filter(|value| !value.is_empty()) {
        Some(_) if looks_secret(param.name) => "VALUE",
        Some(value) if !is_flag || value.parse::<bool>().is_ok() => value,
        _ if is_flag => "true",
        _ => "VALUE",
    };
    Some(shell_word(&format!("{}={value}", param.name)))
}

/// A pair as it is written for a shell, without the value of a secret.
fn written(key: &str, value: &str) -> String {
    match looks_secret(key) {
        true => format!("{key}=VALUE"),
        false => shell_word(&format!("{key}={value}")),
    }
}

/// Whether the name of a param says that its values must not be shown.
fn looks_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let words = [
        "secret",
        "token",
        "password",
        "passwd",
        "credential",
        "authorization",
        "api_key",
        "apikey",
        "private_key",
    ];
    words.iter().any(|word| key.contains(word))
}

/// The text of a file that an argument names.
fn text_of_file(key: &str, path: &str) -> Result<String, String> {
    let (what, _) = file_names(key, path);
    read_file(path).map_err(|error| {
        let literal = match looks_secret(key) {
            true => "...",
            false => path,
        };
        let literal = shell_word(&format!("{key}=\\@{literal}"));
        format!(
            "`{key}=@FILE`: cannot read {what}: {error}; a text that begins with @ is written {literal}"
        )
    })
}

/// How messages call a file that an argument names: in a sentence, and as a source. If the argument is a secret that
/// begins with `@`, the name is a part of it.
fn file_names(key: &str, path: &str) -> (String, String) {
    match looks_secret(key) {
        true => ("that file".to_owned(), format!("the file of `{key}`")),
        false => (path.to_owned(), path.to_owned()),
    }
}

/// A `\` in front of an `@` says that no file is meant.
fn unescaped(text: &str) -> &str {
    match text.trim_start_matches('\\').starts_with('@') {
        true => text.strip_prefix('\\').unwrap_or(text),
        false => text,
    }
}

fn doubtful(key: &str, text: &str, path: &[String], doubt: &Doubt) -> Doubtful {
    let is_secret = looks_secret(key);
    let advice = match doubt {
        Doubt::Boolean(value) => format!("write {key}={value}"),
        Doubt::Offset(time) => format!("for UTC write {key}={time}"),
        Doubt::Items(_) if is_secret => {
            format!("the text with its commas is one item; repeat `{key}=` for several")
        }
        Doubt::Items(items) => format!(
            "{text} is one item; for several write {}",
            shell_word(&format!("{key}:={}", Value::from(items.clone())))
        ),
    };
    Doubtful {
        argument: path.join("."),
        advice,
        is_said: matches!(doubt, Doubt::Items(_)),
    }
}

/// Nothing at all is no value: most likely, what should have written it failed.
fn refuse_empty(source: &str, text: &str) -> Result<(), String> {
    match text.trim().is_empty() {
        true => Err(format!(
            "{source}: there is nothing in it; for no arguments write {{}}"
        )),
        false => Ok(()),
    }
}

fn read_file(path: &str) -> std::io::Result<String> {
    bounded(std::fs::File::open(path)?)
}

fn bounded(from: impl Read) -> std::io::Result<String> {
    let mut text = String::new();
    from.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    match text.len() as u64 > MAX_BYTES {
        true => Err(std::io::Error::other(format!(
            "it is larger than {MAX_BYTES} bytes"
        ))),
        false => Ok(text),
    }
}

/// A number that would lose digits is refused, so that no other number is sent; and so is a key that is there twice,
/// because one of its values would be lost.
fn refuse_losses(source: &str, text: &str) -> Result<(), String> {
    if let Some(duplicate) = duplicate_key(text) {
        return Err(format!("{source}: {duplicate}"));
    }
    match Json::read(text.to_owned().into()).map(|json| json.value()) {
        Ok(Err(error)) => Err(format!(
            "{source}: {error}; write it as a string, if the tool takes one"
        )),
        _ => Ok(()),
    }
}

/// How large a YAML text of arguments may be.
const YAML: Limits = Limits {
    bytes: 64 << 20,
    depth: MAX_DEPTH,
    nodes: 2_000_000,
};

/// YAML with the same rules as descriptors. Anything that JSON cannot represent is refused, with its place.
fn read_yaml(source: &str, text: &str) -> Result<Value, String> {
    let problems = match yaml::read(text, &YAML) {
        Ok(document) => return Ok(document.value),
        Err(problems) => problems,
    };
    let Some(problem) = problems
        .first()
        .filter(|problem| problem.kind != ProblemKind::Empty)
    else {
        return Ok(Value::Null);
    };
    let (line, column) = LineIndex::new(text).line_column(problem.span.start);
    let help = match &problem.help {
        Some(help) => format!("; {help}"),
        None => String::new(),
    };
    let message = &problem.message;
    Err(format!(
        "{source}: neither JSON nor YAML: {message}{help}, at line {line} column {column}"
    ))
}

/// The value of a text in JSON or YAML. JSON is YAML too, so one reader would do for both. But the errors of the JSON
/// reader name line and column.
fn value_of(source: &str, text: &str) -> Result<Value, String> {
    match serde_json::from_str(text) {
        Ok(value) => {
            refuse_losses(source, text)?;
            Ok(value)
        }
        Err(error) if text.trim_start().starts_with(['{', '[']) => {
            Err(format!("{source}: not valid JSON: {error}"))
        }
        Err(_) => read_yaml(source, text),
    }
}

fn object(source: &str, text: &str) -> Result<Map<String, Value>, String> {
    match value_of(source, text)? {
        Value::Object(members) => Ok(members),
        Value::Null => Ok(Map::new()),
        _ => Err(format!("{source}: the arguments must be one object")),
    }
}
