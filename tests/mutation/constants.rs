//! Faults in literals: values that no such place can have, or that contradict the file's own schema.

use serde_json::Value;

use super::rules::{edited, hasty, revalued};
use super::spots::Descriptor;
use super::{Mutant, Rule};

/// The rules for literals.
pub(super) const ALL: [Rule; 6] = [
    foreign_paths,
    wrong_literals,
    wrong_examples_of_params,
    wrong_arguments,
    wrong_types_of_enums,
    wrong_statuses,
];

/// Values that no such place can have.
fn wrong_literals(descriptor: &Descriptor) -> Vec<Mutant> {
    const WRONG: &[(&str, &[&str])] = &[
        (
            "/request/path",
            &[
                "\"/a b\"",
                "\"//a\"",
                "\"/a#b\"",
                "\"/a\\tb\"",
                "\"https://a.test/x\"",
                "\"/a/{id}/b\"",
                "/a/./b",
            ],
        ),
        ("/request/headers/*", &["\"a\\rb\"", "\"a\\0b\""]),
        ("/headers/*", &["\"a\\rb\"", "\"a\\0b\""]),
        (
            "/request/body/content_type",
            &[
                "\"application json\"",
                "json",
                "\"text/\"",
                "\"/plain\"",
                "7",
            ],
        ),
        (
            "/request/body/multipart/*/content_type",
            &["\"image png\"", "png", "\"image/\""],
        ),
        ("/wait/interval", &["5", "0s", "soon", "5 seconds"]),
        ("/wait/max_interval", &["10", "0s", "1d"]),
        ("/wait/deadline", &["60", "never", "0s", "1 hour"]),
        ("/timeout/total", &["30", "0s", "30 sec", "-1s"]),
        ("/timeout/connect", &["5", "0s"]),
        ("/retry/base_delay", &["200", "fast"]),
        ("/retry/max_delay", &["20", "1 minute"]),
        ("/rate_limit/per", &["10", "minute", "1 m"]),
        ("/limits/response_bytes", &["1MB", "-1", "0"]),
        ("/auth/kind", &["apikey", "token", "basic_auth", "oauth"]),
        ("/auth/algorithm", &["sha-256", "md5", "SHA256"]),
        ("/auth/encoding", &["base32", "HEX"]),
        (
            "/auth/grant",
            &["password", "client-credentials", "authorization_code"],
        ),
        ("/auth/client_auth", &["header", "post"]),
        ("/auth/in", &["body", "headers", "Header"]),
        ("/auth/name", &["\"a b\"", "\"a:b\""]),
        (
            "/auth/token_url",
            &[
                "auth.test/token",
                "\"http://auth.test/token\"",
                "\"ftp://auth.test\"",
            ],
        ),
        ("/auth/secret/env", &["lower", "\"A B\"", "$A", "a-b"]),
        (
            "/auth/secret",
            &["sk-1234", "{ envv: A }", "{}", "{ env: A, file: b }"],
        ),
        (
            "/base_url",
            &[
                "api.test",
                "\"http://api.test\"",
                "\"https://a.test/?b=c\"",
                "\"https://a.test/#b\"",
                "\"https://u:p@a.test\"",
                "\"https://\"",
                "\"https://a.test:port\"",
                "\"https://a b.test\"",
                "\"https:/a.test\"",
            ],
        ),
        ("/errors/request_id/header", &["\"a b\"", "\"\""]),
        ("/response/kind", &["JSON", "html", "csv", "binary"]),
        ("/response/event_data", &["JSON", "xml"]),
        (
            "/response/errors/*/action",
            &["ignore", "fail_fast", "Retry"],
        ),
        ("/errors/rules/*/action", &["ignore", "Retry", "skip"]),
        (
            "/request/query/*/style",
            &["Comma", "csv", "deepObject", "spaceDelimited"],
        ),
        ("/request/query/*/explode", &["yes", "1"]),
        ("/request/idempotency_key/header", &["\"a b\"", "7"]),
        ("/request/idempotent", &["yes", "1"]),
        (
            "/params/properties/*/type",
            &[
                "int", "str", "bool", "float", "list", "dict", "String", "any",
            ],
        ),
        (
            "/params/properties/*/pattern",
            &["\"^[a-z\"", "\"(\"", "\"a{2,1}\"", "\"*a\""],
        ),
        (
            "/params/properties/*/format",
            &["datetime", "url", "iso8601", "guid"],
        ),
        ("/params/properties/*/enum", &["a", "{ a: 1 }", "7"]),
        ("/params/properties/*/maxLength", &["-1", "\"10\"", "1.5"]),
        ("/params/properties/*/minimum", &["\"1\"", "one", "[1]"]),
        (
            "/params/properties/*/maximum",
            &["\"1\"", "many", "{ a: 1 }"],
        ),
        ("/params/properties/*/minItems", &["-1", "\"1\"", "1.5"]),
        ("/params/properties/*/uniqueItems", &["yes", "1"]),
        ("/params/properties/*/description", &["7", "[a]"]),
        ("/response/chart/time", &["7", "[at]"]),
        ("/response/chart/values", &["7", "{ a: 1 }"]),
        ("/docs", &["7", "[a]"]),
    ];
    let mut mutants = Vec::new();
    for (spot, key) in descriptor.keyed() {
        let service = spot.path[0] == "service" && spot.path.len() > 1;
        for (_, values) in WRONG.iter().filter(|(pattern, _)| match service {
            true => super::spots::follows(&spot.path[1..], pattern),
            false => spot.is(pattern),
        }) {
            // A value of YAML that is the same, or a map where a text stands.
            let made = values
                .iter()
                .map(|value| revalued(descriptor, "wrong literal", spot, &key, value));
            mutants.extend(made);
        }
    }
    mutants
}

/// An example of a param that its own schema refuses.
fn wrong_examples_of_params(descriptor: &Descriptor) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for (spot, _) in descriptor
        .keyed()
        .filter(|(spot, _)| spot.is("/params/properties/*"))
    {
        let Some(members) = spot
            .json
            .as_object()
            .filter(|members| !members.contains_key("examples"))
        else {
            continue;
        };
        let wrong: &[&str] = match members.get("type").and_then(Value::as_str) {
            _ if members.contains_key("enum") => &["[there-is-no-such-choice]"],
            Some("string") => &["[7]", "[[a]]", "[true]"],
            Some("integer") => &["[one]", "[1.5]"],
            Some("number") => &["[one]", "[true]"],
            Some("boolean") => &["[1]", "[\"yes\"]"],
            Some("array") => &["[a]", "[{ a: 1 }]"],
            Some("object") => &["[[a]]", "[a]"],
            _ => &[],
        };
        // In a map on one line, at its end.
        if descriptor.text[spot.value.clone()].ends_with(" }") {
            let end = spot.value.end - 2;
            let made = wrong.iter().map(|value| {
                edited(
                    descriptor,
                    "wrong example of a param",
                    end..end,
                    &format!(", examples: {value}"),
                )
            });
            mutants.extend(made);
        }
    }
    mutants
}

/// An argument of an example that the schema of its param refuses.
fn wrong_arguments(descriptor: &Descriptor) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for (spot, key) in descriptor
        .keyed()
        .filter(|(spot, _)| spot.is("/examples/*/args/*"))
    {
        let param = descriptor.at(&format!("/params/properties/{}", spot.name()));
        let Some(param) = param.map(|param| &param.json) else {
            continue;
        };
        if let Some(choices) = param.get("enum").and_then(Value::as_array)
            && choices.contains(&spot.json)
            && let Some(text) = spot.json.as_str()
        {
            mutants.push(revalued(
                descriptor,
                "wrong argument",
                spot,
                &key,
                &hasty(text),
            ));
        }
        let others: &[&str] = match param.get("type").and_then(Value::as_str) {
            Some("string") => &["7", "[a]", "null"],
            Some("integer") => &["one", "1.5", "[1]"],
            Some("boolean") => &["\"yes\"", "1"],
            Some("array") => &["7", "{ a: 1 }"],
            Some("object") => &["7", "[a]"],
            _ => &[],
        };
        mutants.extend(
            others
                .iter()
                .map(|value| revalued(descriptor, "wrong argument", spot, &key, value)),
        );
    }
    mutants
}

/// A default that is not one of the choices, by a letter or by its case.
fn wrong_types_of_enums(descriptor: &Descriptor) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for (spot, key) in descriptor
        .keyed()
        .filter(|(spot, _)| spot.is("/params/properties/*/default"))
    {
        let above = descriptor
            .spots
            .iter()
            .find(|other| other.path == spot.path[..spot.path.len() - 1]);
        let choices = above.and_then(|above| above.json.get("enum")?.as_array());
        let (Some(choices), Some(text)) = (choices, spot.json.as_str()) else {
            continue;
        };
        for typo in [hasty(text), text.to_uppercase(), format!("{text}s")] {
            if !choices.iter().any(|choice| *choice == typo) {
                mutants.push(revalued(descriptor, "wrong choice", spot, &key, &typo));
            }
        }
    }
    mutants
}

/// Statuses that there are not, or of the wrong class.
fn wrong_statuses(descriptor: &Descriptor) -> Vec<Mutant> {
    const WRONG: &[(&str, &[&str])] = &[
        (
            "/retry/statuses",
            &["[42]", "[\"429\"]", "[5000]", "429", "[4xx]"],
        ),
        (
            "/response/errors/*/status",
            &["42", "\"404\"", "4040", "4xx", "[404, 4100]", "-404"],
        ),
        (
            "/errors/rules/*/status",
            &["42", "\"404\"", "4040", "4xx", "[404, 4100]"],
        ),
        (
            "/examples/*/response/status",
            &["20", "\"200\"", "2000", "ok"],
        ),
        ("/examples/*/created/status", &["20", "2000"]),
        ("/routes/*/status", &["20", "2000"]),
        ("/routes/*/refuse/*/status", &["40", "4000", "\"404\""]),
        ("/faults/*/status", &["42", "5000", "\"503\""]),
    ];
    let mut mutants = Vec::new();
    for (spot, key) in descriptor.keyed() {
        for (_, values) in WRONG.iter().filter(|(pattern, _)| spot.is(pattern)) {
            mutants.extend(
                values
                    .iter()
                    .map(|value| revalued(descriptor, "wrong status", spot, &key, value)),
            );
        }
    }
    mutants
}

/// The notation of another tool for a param in the path.
fn foreign_paths(descriptor: &Descriptor) -> Vec<Mutant> {
    let Some(path) = descriptor.at("/request/path") else {
        return Vec::new();
    };
    let raw = &descriptor.text[path.value.clone()];
    let (Some(open), Some(close)) = (raw.find("{{"), raw.find("}}")) else {
        return Vec::new();
    };
    let name = raw[open + 2..close].trim();
    // Inside a longer segment, a colon could be meant as one.
    let is_segment = raw[..open].ends_with('/')
        && raw[close + 2..]
            .trim_matches('"')
            .chars()
            .next()
            .is_none_or(|c| c == '/');
    if !is_segment
        || descriptor
            .at(&format!("/params/properties/{name}"))
            .is_none()
    {
        return Vec::new();
    }
    let range = path.value.start + open..path.value.start + close + 2;
    let others = [
        format!(":{name}"),
        format!("{{{name}}}"),
        format!("<{name}>"),
        format!("${{{name}}}"),
    ];
    let made = others
        .iter()
        .map(|other| edited(descriptor, "path of another notation", range.clone(), other));
    made.collect()
}
