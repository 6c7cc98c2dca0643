//! Exchanges of a recording as examples of their tools.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Write as _};
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::Catalog;
use crate::catalog::Entry as ToolEntry;
use crate::check::examples::{self, Failure as ExampleFailure};
use crate::check::tool_with;
use crate::cli::terminal;
use crate::cli::{Done, Failure, exit, note, usage};
use crate::format::ExampleSpec;
use crate::har::{self, Entry, Kind, Own, Read, Reader};
use crate::plan::Files;
use crate::project::ResponseKind;
use crate::recording::compare;
use crate::staged::rewrite;
use crate::tool::Tool;
use crate::words::scalar_text;
use crate::yaml::with_values;

/// Most bytes of a body that an example may have.
const MOST_OF_BODY: usize = 64 << 10;
/// Most characters of an example's name.
const MOST_OF_NAME: usize = 60;

/// A call of a recording: its exchanges, each with the last of its tries.
#[derive(Default)]
struct Call {
    arguments: Value,
    /// The request and the answer: those of the first request, of the later pages, of the polls.
    first: Option<Pair>,
    pages: Vec<Pair>,
    last_poll: Option<Pair>,
}

/// The first request of an exchange, and its last answer.
struct Pair {
    request: Entry,
    answer: Entry,
}

/// What became of the calls of one tool.
#[derive(Default)]
struct Told {
    added: usize,
    known: usize,
    refused: Vec<String>,
}

/// Adds the exchanges of a recording to the files of their tools.
pub(super) fn add(file: &Path, only: Option<&str>, catalog: &Catalog) -> Done {
    let calls = calls(file, only)?;
    if calls.is_empty() {
        let whose = only.map(|tool| format!(" of {tool}")).unwrap_or_default();
        return Err(usage(format!(
            "{} holds no call{whose} that toolrun recorded",
            file.display()
        )));
    }
    let mut out = terminal::words();
    let mut is_refused = false;
    for ((service, tool), calls) in calls {
        let found = catalog.load_those(|entry| entry.name == tool);
        let found = found.into_iter().find_map(|(entry, loaded)| {
            let loaded = loaded.ok()?;
            (loaded.service.name == service).then_some((entry, loaded))
        });
        let Some((entry, loaded)) = found else {
            is_refused = true;
            writeln!(out, "refused: there is no valid tool {service}/{tool}")?;
            continue;
        };
        let shown = entry.file.display();
        let told = add_to(&entry, &loaded, &calls);
        let told = told.unwrap_or_else(|reason| Told {
            refused: vec![reason],
            ..Told::default()
        });
        if told.added > 0 {
            let noun = if told.added == 1 {
                "example"
            } else {
                "examples"
            };
            writeln!(out, "{shown}: {} {noun} added", told.added)?;
        }
        if told.known > 0 {
            writeln!(out, "{shown}: {} there already", told.known)?;
        }
        for reason in &told.refused {
            is_refused = true;
            writeln!(out, "{shown}: refused: {reason}")?;
        }
    }
    out.flush()?;
    match is_refused {
        true => Err(Failure::Silent(exit::RESPONSE)),
        false => Ok(()),
    }
}

type Calls = BTreeMap<(String, String), Vec<Call>>;

/// The calls of each tool, in their order.
fn calls(file: &Path, only: Option<&str>) -> Result<Calls, Failure> {
    let shown = file.display();
    let opened =
        File::open(file).map_err(|error| usage(format!("cannot read {shown}: {error}")))?;
    let mut calls = Calls::new();
    let mut others = 0;
    for read in Reader::new(BufReader::new(opened)) {
        let entry = match read {
            Ok(Read::Entry(entry, _)) => *entry,
            Ok(Read::Skipped(flaw)) => {
                note(&format!("{shown}: {flaw}"));
                continue;
            }
            Err(error) => return Err(usage(format!("{shown}: {error}"))),
        };
        let Some(own) = entry.own.clone() else {
            others += 1;
            continue;
        };
        let is_wanted = only
            .is_none_or(|name| name == own.tool || name == format!("{}/{}", own.service, own.tool));
        if own.kind != Kind::Token && own.kind != Kind::Cancel && is_wanted {
            let of_tool = calls
                .entry((own.service.clone(), own.tool.clone()))
                .or_default();
            sort_in(of_tool, &own, entry);
        }
    }
    if others > 0 {
        note(&format!(
            "{others} entries of {shown} are not of toolrun, and are of no tool"
        ));
    }
    Ok(calls)
}

/// Puts an exchange into the call that it belongs to.
fn sort_in(calls: &mut Vec<Call>, own: &Own, entry: Entry) {
    let number = |name: &str| own.more.get(name).and_then(Value::as_u64);
    let attempt = number("attempt").unwrap_or(1);
    let is_later = number("page").is_some() || number("poll").is_some();
    let is_first = !is_later && attempt == 1 && number("redirects").is_none();
    if is_first || calls.is_empty() {
        calls.push(Call {
            arguments: own.arguments.clone(),
            ..Call::default()
        });
    }
    let Some(call) = calls.last_mut() else { return };
    let goes_on = attempt > 1 || number("redirects").is_some();
    let pair = |entry: Entry| Pair {
        request: entry.clone(),
        answer: entry,
    };
    if let Some(page) = number("page") {
        // The first page is the first request.
        let at = usize::try_from(page).unwrap_or_default().saturating_sub(2);
        match call.pages.get_mut(at) {
            Some(known) if goes_on => known.answer = entry,
            _ => call.pages.push(pair(entry)),
        }
        return;
    }
    let slot = match number("poll") {
        Some(_) => &mut call.last_poll,
        None => &mut call.first,
    };
    match slot {
        Some(known) if goes_on => known.answer = entry,
        slot => *slot = Some(pair(entry)),
    }
}

/// Adds calls to a tool's file. Those that would not pass are refused.
fn add_to(entry: &ToolEntry, tool: &Arc<Tool>, calls: &[Call]) -> Result<Told, String> {
    let path = tool
        .source
        .path()
        .ok_or("a built-in file cannot be changed")?;
    let mut told = Told::default();
    let mut all = match tool.source.value().get("examples") {
        Some(Value::Array(examples)) => examples.clone(),
        _ => Vec::new(),
    };
    let before = all.len();
    for call in calls {
        let number = call.first.as_ref().map_or(0, |pair| pair.request.number);
        match example(tool, call) {
            Err(reason) => told.refused.push(format!("entry {number}: {reason}")),
            Ok(example) => match all.iter().any(|known| is_same(known, &example)) {
                true => told.known += 1,
                false => all.push(named(example, &all)),
            },
        }
    }
    told.added = all.len() - before;
    if told.added == 0 {
        return Ok(told);
    }
    let text = with_examples(tool.source.text(), all, before)?;
    // The new file counts only if it loads and all of its new examples hold.
    let again = tool_with(entry, text.clone()).map_err(|findings| {
        let first = findings.first().map(ToString::to_string);
        format!(
            "the new file would not be valid: {}",
            first.unwrap_or_default()
        )
    })?;
    for example in again.examples.iter().skip(before) {
        if let Some(failure) = examples::run(&again, example).first() {
            return Err(format!(
                "the example `{}` would fail: {}",
                example.name, failure.message
            ));
        }
    }
    rewrite(path, &text).map_err(|error| format!("cannot write the file: {error}"))?;
    Ok(told)
}

/// The file with these examples, of which the first ones are there already.
fn with_examples(text: &str, all: Vec<Value>, before: usize) -> Result<String, String> {
    let place = |i: usize| format!("toolrun-example-{i}");
    let added = before..all.len();
    let mut text = text.to_owned();
    if before == 0 {
        // A list that is written in lines can be read better than one in brackets.
        let line = if text.ends_with('\n') || text.is_empty() {
            ""
        } else {
            "\n"
        };
        let is_there = with_values(&text, &[("/examples".to_owned(), json!([]))]);
        if is_there.as_deref() != Ok(text.as_str()) {
            let list: String = added
                .clone()
                .map(|i| format!("  - name: {}\n", place(i)))
                .collect();
            text = format!("{text}{line}\nexamples:\n{list}");
        }
    } else {
        let mut with_places = all.clone();
        for i in added.clone() {
            with_places[i] = json!({ "name": place(i) });
        }
        text = with_values(&text, &[("/examples".to_owned(), with_places.into())])?;
        for i in added {
            let name = place(i);
            let in_line = format!("- name: {name}");
            text = text.replace(&format!("- {{ name: {name} }}"), &in_line);
        }
    }
    with_values(&text, &[("/examples".to_owned(), all.into())])
}

/// Whether both show the same call with the same answer.
fn is_same(one: &Value, other: &Value) -> bool {
    let parts = ["args", "response", "pages", "created"];
    parts.into_iter().all(|part| {
        let empty = |value: Option<&Value>| value.cloned().unwrap_or_default();
        match part {
            "args" => {
                let args = |value: &Value| value.get("args").cloned().unwrap_or_else(|| json!({}));
                args(one) == args(other)
            }
            part => {
                without_defaults(empty(one.get(part))) == without_defaults(empty(other.get(part)))
            }
        }
    })
}

fn without_defaults(mut response: Value) -> Value {
    if response.get("status") == Some(&json!(200))
        && let Some(members) = response.as_object_mut()
    {
        members.shift_remove("status");
    }
    response
}

/// The example with a name that no other one has.
fn named(mut example: Value, others: &[Value]) -> Value {
    let name = example["name"].as_str().unwrap_or_default().to_owned();
    let is_taken = |name: &str| others.iter().any(|other| other["name"] == name);
    let mut unique = name.clone();
    let mut number = 2;
    while is_taken(&unique) {
        unique = format!("{name} ({number})");
        number += 1;
    }
    example["name"] = unique.into();
    example
}

/// The example of a call.
///
/// # Errors
/// Why it would not pass.
fn example(tool: &Arc<Tool>, call: &Call) -> Result<Value, String> {
    let first = call
        .first
        .as_ref()
        .ok_or("its first request is not in the recording")?;
    let arguments = short(tool, &call.arguments)?;
    let mut example = Map::new();
    example.insert("name".to_owned(), name_of(&arguments).into());
    example.insert("args".to_owned(), arguments.clone().into());
    let request = request(tool, &arguments, &first.request)?;
    let is_error = first
        .answer
        .response
        .as_ref()
        .is_some_and(|answer| answer.status >= 400);
    let responses = |with_headers: bool| -> Result<Map<String, Value>, String> {
        let mut parts = Map::new();
        let response =
            |pair: &Pair, is_json: bool| response(tool, &pair.answer, is_json, with_headers);
        if !call.pages.is_empty() && !is_error {
            let mut pages =
                vec![json!({ "request": request.clone(), "response": response(first, false)? })];
            for page in &call.pages {
                pages.push(json!({ "response": response(page, false)? }));
            }
            parts.insert("pages".to_owned(), pages.into());
            return Ok(parts);
        }
        parts.insert("request".to_owned(), request.clone());
        match (&tool.wait, &call.last_poll) {
            (Some(_), Some(last)) if !is_error => {
                parts.insert("created".to_owned(), response(first, true)?);
                parts.insert("response".to_owned(), response(last, false)?);
            }
            (Some(_), None) if !is_error => {
                parts.insert("created".to_owned(), response(first, true)?);
            }
            _ if tool.rules.kind == ResponseKind::Bytes && !is_error => {}
            _ => drop(parts.insert("response".to_owned(), response(first, false)?)),
        }
        Ok(parts)
    };
    let mut reason = String::new();
    // Most tools read no header fields of answers.
    for with_headers in [false, true] {
        let mut whole = example.clone();
        whole.extend(responses(with_headers)?);
        match completed(tool, whole, is_error) {
            Ok(example) => return Ok(example),
            Err(why) => reason = why,
        }
    }
    Err(reason)
}

/// The example with what the descriptor makes of it.
fn completed(
    tool: &Tool,
    mut example: Map<String, Value>,
    is_error: bool,
) -> Result<Value, String> {
    if is_error {
        let status = example
            .get("response")
            .and_then(|response| response.get("status"));
        let status = status.cloned().unwrap_or_default();
        example.insert("error".to_owned(), json!({ "status": status }));
    } else if example.contains_key("response") || example.contains_key("pages") {
        // The failure says what stands here instead.
        example.insert("output".to_owned(), "(what the descriptor gives)".into());
    }
    for _ in 0..2 {
        let whole = Value::Object(example.clone());
        let spec: ExampleSpec = serde_json::from_value(whole.clone())
            .map_err(|error| format!("it would be no example: {error}"))?;
        let failures = examples::run(tool, &spec);
        let Some(first) = failures.first() else {
            return Ok(whole);
        };
        let told = format!("{}: {}", first.part, first.message);
        for failure in &failures {
            match failure {
                ExampleFailure {
                    difference: Some((_, actual)),
                    expectation,
                    ..
                } if expectation == "/output" => {
                    example.insert("output".to_owned(), actual.clone());
                }
                _ => return Err(told),
            }
        }
    }
    Err("what the descriptor makes of it is not the same each time".to_owned())
}

/// The arguments without those that are defaults.
fn short(tool: &Tool, arguments: &Value) -> Result<Map<String, Value>, String> {
    let Value::Object(all) = arguments else {
        return Err("its arguments are not in the recording".to_owned());
    };
    let accept = |arguments: &Map<String, Value>| {
        let accepted = tool.accept(Value::Object(arguments.clone()));
        accepted.map_err(|problems| {
            let first = problems.first().map(ToString::to_string);
            format!(
                "the tool does not take its arguments: {}",
                first.unwrap_or_default()
            )
        })
    };
    let whole = accept(all)?;
    let mut short = all.clone();
    for name in all.keys() {
        let mut less = short.clone();
        less.shift_remove(name);
        if accept(&less).is_ok_and(|accepted| accepted == whole) {
            short = less;
        }
    }
    Ok(short)
}

fn name_of(arguments: &Map<String, Value>) -> String {
    let words = arguments
        .iter()
        .map(|(name, value)| match scalar_text(value) {
            Some(text) => format!("{name} {text}"),
            None => name.clone(),
        });
    let name = words.collect::<Vec<_>>().join(", ");
    let name: String = name.chars().filter(|c| !c.is_control()).collect();
    match name.chars().count() {
        0 => "without arguments".to_owned(),
        count if count > MOST_OF_NAME => {
            let start: String = name.chars().take(MOST_OF_NAME).collect();
            format!("{start}...")
        }
        _ => name,
    }
}

/// The request that the arguments give. It must be the one of the recording.
fn request(tool: &Tool, arguments: &Map<String, Value>, recorded: &Entry) -> Result<Value, String> {
    let params = tool.accept(Value::Object(arguments.clone()));
    let params = params.map_err(|_| "the tool does not take its arguments".to_owned())?;
    let settings = tool
        .service
        .default_settings()
        .map_err(|error| error.to_string())?;
    let plan = tool
        .render(&params, &settings)
        .map_err(|error| error.to_string())?;
    // The bytes of a file are not known here.
    if let Ok(settled) = plan.settle(&Files::Denied) {
        let headers = settled.plan.masked_headers();
        let media_type = headers.iter().find(|(name, _)| name == "content-type");
        let media_type = media_type.map_or("", |(_, value)| value.as_str());
        let body = settled.body.as_ref().filter(|body| !body.is_empty());
        let body = body.map(|body| har::Body::of_bytes(media_type, body.to_vec()));
        let names = tool.service.auth.query_names();
        let url = plan.masked_url();
        let differences = compare(recorded, plan.method.as_str(), &url, body.as_ref(), names);
        if !differences.is_empty() {
            return Err(format!(
                "the tool makes another request of its arguments: {}",
                differences.join("; ")
            ));
        }
    }
    let view = plan.view();
    let mut request = json!({ "method": view.method, "url": view.url });
    if !view.body.is_null() {
        request["body"] = view.body;
    }
    Ok(request)
}

/// An answer, as examples write it.
fn response(
    tool: &Tool,
    entry: &Entry,
    is_json: bool,
    with_headers: bool,
) -> Result<Value, String> {
    let recorded = entry.response.as_ref().ok_or("no answer came")?;
    let mut response = Map::new();
    if recorded.status != 200 {
        response.insert("status".to_owned(), recorded.status.into());
    }
    if with_headers {
        let kept = recorded.headers.iter().filter(|(name, _)| {
            ![
                "date",
                "content-length",
                "content-encoding",
                "transfer-encoding",
                "set-cookie",
            ]
            .contains(&name.as_str())
        });
        let headers: Map<String, Value> = kept
            .map(|(name, value)| (name.clone(), value.as_str().into()))
            .collect();
        response.insert("headers".to_owned(), headers.into());
    }
    let bytes = recorded
        .body
        .bytes()
        .ok_or("the recording does not hold the body of its answer")?;
    if bytes.len() > MOST_OF_BODY {
        return Err(format!(
            "its answer has {} bytes; an example may have {MOST_OF_BODY}",
            bytes.len()
        ));
    }
    let body = body(tool, bytes, is_json || recorded.status >= 400)?;
    if !body.is_null() {
        response.insert("body".to_owned(), body);
    }
    if response.is_empty() {
        response.insert("status".to_owned(), recorded.status.into());
    }
    Ok(response.into())
}

fn body(tool: &Tool, bytes: &[u8], is_loose: bool) -> Result<Value, String> {
    let text = || std::str::from_utf8(bytes).map_err(|_| "its answer is no text".to_owned());
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    if is_loose {
        return Ok(serde_json::from_slice(bytes).unwrap_or(Value::String(text()?.to_owned())));
    }
    let kind = tool.rules.kind;
    if kind.is_converted() {
        return Ok(text()?.into());
    }
    let read = kind.read(&bytes.to_vec().into(), &tool.rules.reading)?;
    read.value().map_err(|error| error.to_string())
}
