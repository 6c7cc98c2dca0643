//! Imported tools against others that know what a request is: Google's own client for its descriptions, and the saved
//! requests of Postman collections themselves. The documents are fetched by `.ci/documents`; without them, the tests say so
//! and pass.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Map, Value, json};

use crate::import_documents::{documents, has_ending, import, read, sample};
use crate::support::Workspace;

type Pairs = BTreeMap<String, Vec<String>>;

/// Method, path in decoded segments with its host, query and body.
#[derive(Debug, PartialEq)]
struct Sent {
    method: String,
    place: Vec<String>,
    query: Pairs,
    body: Value,
}

fn sent(method: &str, url: &str, body: Value) -> Sent {
    let (place, query) = url.split_once('?').unwrap_or((url, ""));
    let decoded = |text: &str| {
        percent_encoding::percent_decode_str(text)
            .decode_utf8_lossy()
            .into_owned()
    };
    let mut pairs = Pairs::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        pairs
            .entry(name.into_owned())
            .or_default()
            .push(value.into_owned());
    }
    let body = match body {
        Value::Object(members) if members.is_empty() => Value::Null,
        other => other,
    };
    Sent {
        method: method.to_owned(),
        place: place
            .trim_end_matches('/')
            .split('/')
            .map(decoded)
            .collect(),
        query: pairs,
        body,
    }
}

fn planned(workspace: &Workspace, tool: &str, arguments: &Value) -> Result<Sent, String> {
    let told = workspace.run(&["call", tool, &arguments.to_string(), "--dry-run=json"]);
    if told.code != 0 {
        return Err(told.stderr);
    }
    let plan = told.json();
    let text = |key: &str| plan[key].as_str().unwrap().to_owned();
    Ok(sent(&text("method"), &text("url"), plan["body"].clone()))
}

/// The names of params in a path, in order.
fn names_in(path: &str) -> Vec<String> {
    let places = path
        .split("{{")
        .skip(1)
        .filter_map(|rest| rest.split_once("}}"));
    places
        .map(|(name, _)| param_of(&format!("{{{{{name}}}}}")).unwrap())
        .collect()
}

/// The param of a text that is exactly one expression.
fn param_of(text: &str) -> Option<String> {
    let inner = text.strip_prefix("{{")?.strip_suffix("}}")?.trim();
    let named = inner
        .strip_prefix("params[\"")
        .and_then(|name| name.strip_suffix("\"]"));
    match named {
        Some(name) => Some(name.to_owned()),
        None if inner.chars().all(|c| c.is_alphanumeric() || c == '_') => Some(inner.to_owned()),
        None => None,
    }
}

/// Wire name and param of each entry of a query or a body.
fn entries(section: &Value) -> Vec<(String, String)> {
    match section {
        Value::Array(names) => names
            .iter()
            .map(|name| {
                (
                    name.as_str().unwrap().to_owned(),
                    name.as_str().unwrap().to_owned(),
                )
            })
            .collect(),
        Value::Object(members) => members
            .iter()
            .filter_map(|(wire, value)| {
                let value = value.get("value").unwrap_or(value);
                Some((wire.clone(), param_of(value.as_str()?)?))
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// A value that a schema takes.
fn value_for(schema: &Value) -> Option<Value> {
    if let Some(first) = schema["enum"].get(0) {
        return Some(first.clone());
    }
    let is_digits = matches!(schema["format"].as_str(), Some("int64" | "uint64"));
    match schema["type"].as_str()? {
        "integer" => Some(json!(schema["minimum"].as_i64().unwrap_or(5).max(1))),
        "number" => Some(json!(2.5)),
        "boolean" => Some(json!(true)),
        "string" if is_digits => Some(json!("5")),
        "string" if schema.get("format").is_some() || schema.get("pattern").is_some() => None,
        "string" => Some(json!("a b&ü/1")),
        "array" => {
            let item = value_for(&schema["items"])?;
            item.is_string().then(|| json!([item, item]))
        }
        _ => None,
    }
}

/// What Google's client is asked, and the arguments of our tool.
fn job(document: &Path, pointer: &str, tool: &Value) -> Option<(Value, Value)> {
    let properties = &tool["params"]["properties"];
    let required = tool["params"]["required"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let mut arguments = Map::new();
    let mut path = Vec::new();
    for (i, name) in names_in(tool["request"]["path"].as_str()?)
        .into_iter()
        .enumerate()
    {
        let value = format!("p {i}");
        path.push(value.clone());
        let kind = properties[&name]["type"].as_str();
        if kind != Some("string") || properties[&name].get("pattern").is_some() {
            return None;
        }
        arguments.insert(name, value.into());
    }
    let mut fill = |section: &Value, most: usize| {
        let mut filled = Map::new();
        for (wire, param) in entries(section) {
            let is_required = required.iter().any(|name| *name == param);
            if filled.len() >= most && !is_required {
                continue;
            }
            if let Some(value) = value_for(&properties[&param]) {
                arguments.insert(param, value.clone());
                filled.insert(wire, value);
            }
        }
        filled
    };
    let query = fill(&tool["request"]["query"], 4);
    let body = tool["request"]["body"]
        .get("json")
        .map(|body| fill(body, 4));
    let job = json!({ "document": document, "pointer": pointer, "path": path, "query": query, "body": body });
    Some((job, arguments.into()))
}

#[test]
fn googles_own_client_sends_the_same() {
    const LEAST: usize = 40;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let all = documents(
        "discovery/googleapiclient/discovery_cache/documents",
        |path| has_ending(path, ".json") && !has_ending(path, "index.json"),
    );
    let client = root.join("target/documents/google-client");
    if all.is_empty() || !client.is_dir() {
        return eprintln!("skipped: no client of Google; .ci/documents fetches it");
    }
    let workspace = Workspace::new();
    let (mut jobs, mut calls) = (Vec::new(), Vec::new());
    for path in sample(all, 25) {
        let Some((document, import)) = read(&path).and_then(|document| {
            let import = import(&document)?;
            Some((document, import))
        }) else {
            continue;
        };
        let _ = document;
        for file in &import.files {
            workspace.write(
                &format!("descriptors/{}/{}", import.service, file.name),
                &file.text,
            );
        }
        let tools = &import.report.tools;
        for known in tools.iter().step_by(tools.len().div_ceil(5).max(1)) {
            let name = format!("{}.yaml", known.tool);
            let file = import.files.iter().find(|file| file.name == name).unwrap();
            let tool: Value = serde_yaml::from_str(&file.text).unwrap();
            if let Some((job, arguments)) = job(&path, &known.pointer, &tool) {
                jobs.push(job.to_string() + "\n");
                calls.push((format!("{}/{}", import.service, known.tool), arguments));
            }
        }
    }
    let mut python = Command::new("python3")
        .arg(root.join("tests/it/google_agreement.py"))
        .env(
            "PYTHONPATH",
            std::env::join_paths([client, root.join("target/documents/discovery")]).unwrap(),
        )
        .env("PYTHONWARNINGS", "ignore")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = python.stdin.take().unwrap();
    let lines = jobs.concat();
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = python.wait_with_output().unwrap();
    let _ = writer.join();
    if output.status.code() == Some(77) {
        return eprintln!("skipped: Google's client cannot be loaded");
    }
    let answers: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(answers.len(), calls.len());
    let (mut same, mut unlike, mut wrong) = (0, 0, Vec::new());
    for ((tool, arguments), answer) in calls.iter().zip(&answers) {
        if answer.get("unlike").is_some() {
            unlike += 1;
            eprintln!("{tool}: Google's client: {}", answer["unlike"]);
            continue;
        }
        let mut expected = sent(
            answer["method"].as_str().unwrap(),
            answer["url"].as_str().unwrap(),
            answer["body"].clone(),
        );
        // Its own parameter says that answers are JSON, as they are anyway.
        expected.query.remove("alt");
        match planned(&workspace, tool, arguments) {
            Ok(mut ours) => {
                ours.query.remove("key");
                match ours == expected {
                    true => same += 1,
                    false => wrong.push(format!(
                        "{tool} {arguments}\n  Google {expected:?}\n  ours   {ours:?}"
                    )),
                }
            }
            Err(error) => wrong.push(format!("{tool} {arguments}: {error}")),
        }
    }
    eprintln!("{same} requests as Google's client builds them, {unlike} that it cannot build");
    assert!(
        wrong.is_empty(),
        "{} of {}\n{}",
        wrong.len(),
        calls.len(),
        wrong.join("\n")
    );
    assert!(same >= LEAST, "only {same}");
    assert!(unlike * 10 <= calls.len(), "{unlike} of {}", calls.len());
}

/// A text in which variables have their values, and those without one are `v`.
fn filled(text: &str, variables: &BTreeMap<String, String>) -> String {
    let mut text = text.to_owned();
    for _ in 0..10 {
        let Some((before, rest)) = text.split_once("{{") else {
            break;
        };
        let Some((name, after)) = rest.split_once("}}") else {
            break;
        };
        let value = variables.get(name.trim()).map_or("v", String::as_str);
        text = format!("{before}{value}{after}");
    }
    text
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn is_on(entry: &Value) -> bool {
    entry["disabled"] != true
}

/// What a saved request sends: method, URL with query, and a body of JSON or fields. `None` where it has a variable whose
/// value nobody knows in its server.
fn saved(request: &Value, variables: &BTreeMap<String, String>) -> Option<Sent> {
    let url = &request["url"];
    let raw = filled(url["raw"].as_str().or(url.as_str())?, variables);
    let (before, query) = raw.split_once('?').unwrap_or((&raw, ""));
    if before.starts_with('v') || !before.contains('.') && !before.contains("localhost") {
        return None;
    }
    let before = match before.contains("://") {
        true => before.replacen("http://", "https://", 1),
        false => format!("https://{before}"),
    };
    let values = url["variable"].as_array().into_iter().flatten();
    let values: BTreeMap<&str, String> = values
        .filter_map(|entry| {
            Some((
                entry["key"].as_str()?,
                filled(&plain(&entry["value"]), variables),
            ))
        })
        .collect();
    let segments = before
        .split('/')
        .map(|segment| match segment.strip_prefix(':') {
            Some(name) if !name.is_empty() => values
                .get(name)
                .filter(|value| !value.is_empty())
                .map_or("v", String::as_str)
                .to_owned(),
            _ => segment.to_owned(),
        });
    let place = segments.collect::<Vec<_>>().join("/");
    let query = match url["query"].as_array() {
        Some(list) => list
            .iter()
            .filter(|entry| is_on(entry))
            .map(|entry| {
                format!(
                    "{}={}",
                    plain(&entry["key"]),
                    filled(&plain(&entry["value"]), variables)
                )
            })
            .collect::<Vec<_>>()
            .join("&"),
        None => query.to_owned(),
    };
    let body = &request["body"];
    let fields = |list: &Value| {
        let mut pairs: Pairs = BTreeMap::new();
        for field in list
            .as_array()
            .into_iter()
            .flatten()
            .filter(|entry| is_on(entry))
        {
            let value = filled(&plain(&field["value"]), variables);
            pairs.entry(plain(&field["key"])).or_default().push(value);
        }
        json!(pairs)
    };
    let body = match body["mode"].as_str() {
        Some("raw") => {
            let text = filled(body["raw"].as_str().unwrap_or_default(), variables);
            match text.trim().is_empty() {
                true => Value::Null,
                false => serde_json::from_str(&text).unwrap_or_else(|_| text.into()),
            }
        }
        Some("urlencoded") => fields(&body["urlencoded"]),
        _ => Value::Null,
    };
    let method = request["method"].as_str().unwrap_or("GET");
    Some(sent(method, &format!("{place}?{query}"), body))
}

#[test]
fn collections_send_what_they_have_saved() {
    let mut all = documents("postman-to-openapi/test/resources/input/v21", |path| {
        has_ending(path, ".json")
    });
    all.extend(documents("postgen/samples/postman_collections", |path| {
        has_ending(path, "postman_collection.json")
    }));
    if all.is_empty() {
        return;
    }
    let workspace = Workspace::new();
    let (mut same, mut bodies, mut wrong) = (0, 0, Vec::new());
    for (number, path) in all.iter().enumerate() {
        let Some(document) = read(path) else { continue };
        let Some(import) = import(&document) else {
            continue;
        };
        let service = import.service.to_string();
        let folder = format!("descriptors/c{number}/{service}");
        for file in &import.files {
            workspace.write(&format!("{folder}/{}", file.name), &file.text);
        }
        let collection = document.get("collection").unwrap_or(&document);
        let known = collection["variable"].as_array().into_iter().flatten();
        let variables: BTreeMap<String, String> = known
            .map(|entry| (plain(&entry["key"]), plain(&entry["value"])))
            .filter(|(_, value)| !value.is_empty())
            .collect();
        for known in &import.report.tools {
            let item = document.pointer(&known.pointer).unwrap();
            let request = &item["request"];
            let Some(mut expected) = saved(request, &variables) else {
                continue;
            };
            let tool = std::fs::read_to_string(
                workspace
                    .path()
                    .join(format!("{folder}/{}.yaml", known.tool)),
            )
            .unwrap();
            let tool: Value = serde_yaml::from_str(&tool).unwrap();
            let mut arguments = tool["examples"][0]["args"]
                .as_object()
                .cloned()
                .unwrap_or_default();
            for name in tool["params"]["required"].as_array().into_iter().flatten() {
                let name = name.as_str().unwrap();
                let schema = &tool["params"]["properties"][name];
                if schema["type"] == "string" && !arguments.contains_key(name) {
                    arguments.insert(name.to_owned(), "v".into());
                }
            }
            let about = format!(
                "{} {}",
                path.file_name().unwrap().to_string_lossy(),
                known.pointer
            );
            let told = {
                let mut run = workspace.toolrun();
                run.arg("--tools")
                    .arg(workspace.path().join(format!("descriptors/c{number}")));
                run.args([
                    "call",
                    &format!("{service}/{}", known.tool),
                    &Value::Object(arguments.clone()).to_string(),
                    "--dry-run=json",
                ]);
                crate::support::output(&mut run)
            };
            if told.code != 0 {
                wrong.push(format!("{about}: {}", told.stderr));
                continue;
            }
            let plan = told.json();
            let text = |key: &str| plan[key].as_str().unwrap().to_owned();
            let body = match (request["body"]["mode"].as_str(), &plan["body"]) {
                (Some("urlencoded"), Value::String(text)) => {
                    json!(sent("", &format!("?{text}"), Value::Null).query)
                }
                (Some("raw" | "urlencoded"), body) => body.clone(),
                _ => Value::Null,
            };
            let mut ours = sent(&text("method"), &text("url"), body);
            // Secrets are references: they have no value here.
            let secrets: Vec<String> = ours
                .query
                .iter()
                .filter(|(_, values)| values.iter().any(|value| value.contains("***")))
                .map(|(name, _)| name.clone())
                .collect();
            for name in secrets {
                ours.query.remove(&name);
                expected.query.remove(&name);
            }
            match ours == expected {
                true => {
                    same += 1;
                    bodies += usize::from(!ours.body.is_null());
                }
                false => wrong.push(format!(
                    "{about} {arguments:?}\n  saved {expected:?}\n  ours  {ours:?}"
                )),
            }
        }
    }
    eprintln!("{same} requests as they are saved, {bodies} of them with a body");
    assert!(
        wrong.is_empty(),
        "{} beside {same}\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(
        same >= 35 && bodies >= 20,
        "only {same}, {bodies} with a body"
    );
}

/// The examples of a Swagger document that its params must take: the default, the words, and `x-example` of a parameter, and
/// the example of a body's schema and of its members.
#[test]
fn params_take_what_swagger_documents_show() {
    let all = documents("oas-examples/2.0/json", |path| has_ending(path, ".json"));
    let (mut taken, mut places, mut wrong) = (0, 0, Vec::new());
    let count = all.len();
    for path in all {
        let Some(document) = read(&path) else {
            continue;
        };
        let Some(import) = import(&document) else {
            continue;
        };
        for known in &import.report.tools {
            let name = format!("{}.yaml", known.tool);
            let file = import.files.iter().find(|file| file.name == name).unwrap();
            let tool: Value = serde_yaml::from_str(&file.text).unwrap();
            let operation = document.pointer(&known.pointer).unwrap();
            let item = known.pointer.rsplit_once('/').unwrap().0;
            let lists = [
                &document.pointer(item).unwrap()["parameters"],
                &operation["parameters"],
            ];
            for parameter in lists.iter().filter_map(|list| list.as_array()).flatten() {
                let parameter = target(&document, parameter);
                for (param, value) in shown(&document, parameter) {
                    let schema = &tool["params"]["properties"][&param];
                    if schema.is_null() {
                        continue;
                    }
                    places += 1;
                    let mut schema = schema.clone();
                    schema["$defs"] = tool["params"]["$defs"].clone();
                    if schema["$defs"].is_null() {
                        schema.as_object_mut().unwrap().remove("$defs");
                    }
                    match jsonschema::draft202012::is_valid(&schema, &value) {
                        true => taken += 1,
                        false => wrong.push(format!("{} {param}: {value} by {schema}", known.tool)),
                    }
                }
            }
        }
    }
    eprintln!("{taken} of {places} values of {count} Swagger documents are taken");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count == 0 || taken >= 8, "only {taken}");
}

fn target<'d>(document: &'d Value, part: &'d Value) -> &'d Value {
    let reference = part["$ref"]
        .as_str()
        .and_then(|text| text.strip_prefix('#'));
    reference
        .and_then(|pointer| document.pointer(pointer))
        .unwrap_or(part)
}

/// The values that a parameter shows, by the names of the params.
fn shown(document: &Value, parameter: &Value) -> Vec<(String, Value)> {
    let name = parameter["name"].as_str().unwrap_or_default().to_owned();
    if parameter["in"] != "body" {
        let items = parameter["items"]["enum"].as_array().into_iter().flatten();
        let words = parameter["enum"].as_array().into_iter().flatten().cloned();
        let one = ["default", "x-example"]
            .iter()
            .filter_map(|key| parameter.get(*key).cloned());
        let listed = items.map(|word| json!([word]));
        return one
            .chain(words)
            .chain(listed)
            .map(|value| (name.clone(), value))
            .collect();
    }
    let schema = target(document, &parameter["schema"]);
    let whole = schema["example"].as_object().cloned().unwrap_or_default();
    let members = schema["properties"].as_object().into_iter().flatten();
    let own = members.flat_map(|(name, member)| {
        let member = target(document, member);
        let words = member["enum"].as_array().into_iter().flatten();
        let all = words.chain(member.get("example"));
        all.map(|value| (name.clone(), value.clone()))
            .collect::<Vec<_>>()
    });
    own.chain(whole).collect()
}
