//! The schemas for editors: those of the typed forms, and rules that the engine checks in other ways, with words of its
//! own. An editor then shows such a mistake while somebody types. The engine never reads these rules.

mod keywords;
mod patterns;
mod places;
mod snippets;

use serde_json::{Map, Value, json};

use places::PLACES;

/// The schema `schema` of the type `root` with every rule that belongs to it.
pub(super) fn for_editors(schema: &Value, root: &str) -> Value {
    let mut schema = schema.clone();
    for place in PLACES {
        let at = match place.of == root {
            true => place.at.to_owned(),
            false => format!("/$defs/{}{}", place.of, place.at),
        };
        match schema.pointer_mut(&at) {
            Some(Value::Object(members)) => add(members, place.rules.schema()),
            Some(any @ Value::Bool(true)) => *any = place.rules.schema(),
            _ => {}
        }
    }
    define_used(&mut schema);
    name_definitions(&mut schema);
    schema
}

/// Gives each definition a plain name, which an editor shows.
fn name_definitions(schema: &mut Value) {
    // A service inside a tool's file has no version of its own.
    if let Some(Value::Array(snippets)) = schema.pointer_mut("/$defs/ServiceSpec/defaultSnippets") {
        for body in snippets
            .iter_mut()
            .filter_map(|snippet| snippet["body"].as_object_mut())
        {
            body.shift_remove("spec");
        }
    }
    let Some(Value::Object(definitions)) = schema.get_mut("$defs") else {
        return;
    };
    for (name, definition) in definitions {
        let kinds = definition.get_mut("oneOf").and_then(Value::as_array_mut);
        for alternative in kinds.into_iter().flatten() {
            let kind = alternative.pointer("/properties/kind/const").cloned();
            if let (Some(kind), Value::Object(members)) = (kind, alternative) {
                members.entry("title").or_insert(kind);
            }
        }
        if let Value::Object(members) = definition {
            members.insert("title".to_owned(), plain_name(name).into());
        }
    }
}

/// `RateLimitSpec` as `rate limit`.
fn plain_name(name: &str) -> String {
    let name = name.trim_end_matches("Spec").trim_end_matches("Ref");
    let mut plain = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !plain.is_empty() {
            plain.push(' ');
        }
        plain.push(letter.to_ascii_lowercase());
    }
    plain
}

/// Adds rules to a schema. Where it has a keyword already, both count.
fn add(members: &mut Map<String, Value>, rules: Value) {
    let Value::Object(rules) = rules else { return };
    // Some editors read one `$ref` or one choice a schema, so that a second one goes into a part of its own.
    let refers = rules.contains_key("$ref")
        && (members.contains_key("$ref") || members.contains_key("anyOf"));
    let clashes = refers || rules.keys().any(|keyword| members.contains_key(keyword));
    match clashes {
        false => members.extend(rules),
        true => {
            let all = members.entry("allOf").or_insert_with(|| json!([]));
            if let Value::Array(all) = all {
                all.push(Value::Object(rules));
            }
        }
    }
}

/// Adds the definitions that the rules refer to, and those that these refer to.
fn define_used(schema: &mut Value) {
    loop {
        let text = schema.to_string();
        let known = schema["$defs"].as_object();
        let missing: Vec<&Definition> = DEFINITIONS
            .iter()
            .filter(|definition| {
                text.contains(&format!("\"#/$defs/{}\"", definition.name))
                    && known.is_none_or(|known| !known.contains_key(definition.name))
            })
            .collect();
        if missing.is_empty() {
            return;
        }
        for definition in missing {
            schema["$defs"][definition.name] = (definition.schema)();
        }
    }
}

/// A part of the schemas for editors that other parts refer to.
struct Definition {
    name: &'static str,
    schema: fn() -> Value,
}

const DEFINITIONS: [Definition; 18] = [
    Definition {
        name: "Params",
        schema: keywords::params,
    },
    Definition {
        name: "Schema",
        schema: keywords::schema,
    },
    Definition {
        name: "JsonPath",
        schema: patterns::json_path,
    },
    Definition {
        name: "OnePath",
        schema: patterns::one_path,
    },
    Definition {
        name: "Text",
        schema: patterns::text,
    },
    Definition {
        name: "Expression",
        schema: patterns::expression,
    },
    Definition {
        name: "Answer",
        schema: patterns::answer,
    },
    Definition {
        name: "Path",
        schema: patterns::path,
    },
    Definition {
        name: "BaseUrl",
        schema: patterns::base_url,
    },
    Definition {
        name: "ExampleUrl",
        schema: patterns::example_url,
    },
    Definition {
        name: "HeaderName",
        schema: patterns::header_name,
    },
    Definition {
        name: "RequestHeader",
        schema: patterns::request_header,
    },
    Definition {
        name: "HeaderValue",
        schema: patterns::header_value,
    },
    Definition {
        name: "Regex",
        schema: patterns::regex,
    },
    Definition {
        name: "Time",
        schema: patterns::time,
    },
    Definition {
        name: "Tree",
        schema: places::tree_schema,
    },
    Definition {
        name: "Projection",
        schema: places::projection_schema,
    },
    Definition {
        name: "Warnings",
        schema: places::warnings_schema,
    },
];

/// A reference to a definition.
fn refer(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

/// The places and definitions that none of these schemas for editors has. Each schema comes with its type's name.
#[cfg(test)]
pub(crate) fn unused_in(schemas: &[(&str, Value)]) -> Vec<String> {
    let is_used = |place: &&places::Place| {
        schemas.iter().any(|(root, schema)| {
            let at = match place.of == *root {
                true => place.at.to_owned(),
                false => format!("/$defs/{}{}", place.of, place.at),
            };
            schema.pointer(&at).is_some()
        })
    };
    let places = PLACES.iter().filter(|place| !is_used(place));
    let texts: String = schemas
        .iter()
        .map(|(_, schema)| schema.to_string())
        .collect();
    let definitions = DEFINITIONS
        .iter()
        .filter(|definition| !texts.contains(&format!("\"#/$defs/{}\"", definition.name)));
    places
        .map(|place| format!("{}{}", place.of, place.at))
        .chain(definitions.map(|definition| definition.name.to_owned()))
        .collect()
}
