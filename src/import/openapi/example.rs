//! Examples: a call with the document's own examples, and the request that the engine makes from it.

use serde_json::{Map, Value, json};

use super::body::Filled;
use super::draft::Draft;
use super::schema::{Shape, shape};
use super::spec::{Part, Spec};
use crate::check::mask_literal_secrets;
use crate::tool::Tool;

/// Most characters of the arguments, as JSON, so that the example stays readable.
const LONGEST: usize = 1500;

/// The example of a tool, with all the examples of the document as arguments, or only the required ones if the tool
/// does not take all. `None` if neither works.
pub(crate) fn make(spec: &Spec, draft: &Draft<'_>, tool: &Tool) -> Option<Value> {
    let all = arguments(spec, draft);
    if all.is_empty() || draft.required.iter().any(|name| !all.contains_key(name)) {
        return None;
    }
    let required: Map<String, Value> = all
        .iter()
        .filter(|(name, _)| draft.required.contains(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    [all, required]
        .into_iter()
        .filter(|arguments| !arguments.is_empty())
        .find_map(|arguments| rendered("as documented", arguments.into(), tool))
}

/// The example, if the tool takes the arguments and can make a request from them.
pub(crate) fn rendered(name: &str, arguments: Value, tool: &Tool) -> Option<Value> {
    let written = arguments.to_string();
    if written.len() > LONGEST || mask_literal_secrets(&written) != written.as_str() {
        return None;
    }
    let accepted = tool.accept(arguments.clone()).ok()?;
    let settings = tool.service.default_settings().ok()?;
    let plan = tool.render(&accepted, &settings).ok()?;
    let view = plan.view();
    let mut request = Map::from_iter([
        ("method".to_owned(), view.method.into()),
        ("url".to_owned(), view.url.into()),
    ]);
    if !view.body.is_null() {
        request.insert("body".into(), view.body);
    }
    Some(json!({ "name": name, "args": arguments, "request": request }))
}

/// A value for every param that the document has an example for.
fn arguments(spec: &Spec, draft: &Draft<'_>) -> Map<String, Value> {
    let mut arguments = Map::new();
    for (parameter, name) in &draft.parameters {
        let is_required = draft.required.contains(name);
        let schema = parameter.schema.as_ref();
        let value = example(spec, &parameter.part)
            .or_else(|| of_schema(spec, schema?, is_required))
            .map(|value| as_list(value, schema.map(|schema| shape(spec, schema))));
        if let Some(value) = value {
            arguments.insert(name.clone(), value);
        }
    }
    let Some(body) = &draft.body else {
        return arguments;
    };
    if body.takes_files() {
        return arguments;
    }
    let whole = example(spec, &body.media).or_else(|| of_schema(spec, &body.schema()?, false));
    match &body.filled {
        Filled::Whole(name) => {
            if let Some(value) = whole {
                arguments.insert(name.clone(), value);
            }
        }
        Filled::Parts(parts) => {
            for (wire, property, name) in parts {
                let is_required = draft.required.contains(name);
                let value = match &whole {
                    Some(whole) => whole.get(wire).cloned(),
                    None => spec
                        .lookup(&format!("#{property}"))
                        .ok()
                        .and_then(|property| of_schema(spec, &property, is_required)),
                };
                if let Some(value) = value {
                    arguments.insert(name.clone(), value);
                }
            }
        }
    }
    arguments
}

/// `example`, or the first of `examples`, of a parameter or media type.
fn example(spec: &Spec, part: &Part<'_>) -> Option<Value> {
    if let Some(example) = part.value.get("example") {
        return Some(example.clone());
    }
    let (_, first) = part.get("examples")?.members().next()?;
    spec.resolve(&first).ok()?.value.get("value").cloned()
}

/// An example from a schema; for a required param, any value that the schema names.
fn of_schema(spec: &Spec, schema: &Part<'_>, is_required: bool) -> Option<Value> {
    let target = spec.resolve(schema).ok()?;
    let said = [schema, &target].into_iter().find_map(|part| {
        let several = || part.value.get("examples")?.as_array()?.first();
        part.value.get("example").or_else(several)
    });
    let named = || {
        let options = || target.value.get("enum")?.as_array()?.first();
        ["const", "default"]
            .iter()
            .find_map(|key| target.value.get(*key))
            .or_else(options)
    };
    said.or_else(|| if is_required { named() } else { None })
        .filter(|value| !value.is_null())
        .cloned()
}

/// Documents often write the example of a list as one item, or as in the URL.
fn as_list(value: Value, shape: Option<Shape>) -> Value {
    match (&value, shape) {
        (
            Value::String(text),
            Some(Shape {
                array: true,
                scalar: false,
                ..
            }),
        ) => text.split(',').map(|item| item.trim().to_owned()).collect(),
        _ => value,
    }
}
