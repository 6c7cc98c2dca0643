//! Lists in XML: which elements a schema allows to repeat.
//!
//! An element that may repeat is an array also where it stands once, if the descriptor names it.

use serde_json::Value;

use super::spec::{Part, Spec};
use crate::template::is_identifier;

/// How deep elements are looked at.
const DEPTH: usize = 8;
/// Most lists of one response.
const MOST: usize = 60;

/// The lists of a document.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    /// Their JSONPaths.
    pub paths: Vec<Value>,
    /// What is not known of them, or left out.
    pub missing: Option<&'static str>,
}

const NO_ROOT: &str = "the document does not name the root element of the XML, so an element that may repeat is an array only where it does";
const TOO_MANY: &str =
    "lists that stand deep inside of the XML are arrays only where their elements repeat";

/// The lists in XML of this schema.
pub(crate) fn lists(spec: &Spec, schema: &Part<'_>) -> Lists {
    let mut walk = Walk {
        spec,
        lists: Lists::default(),
        open: Vec::new(),
    };
    match root_name(spec, schema) {
        Some(root) => walk.element(schema, &member("$", &root), &root),
        None if has_list(spec, schema, DEPTH) => walk.lists.missing = Some(NO_ROOT),
        None => {}
    }
    walk.lists
}

/// The name of the root element: the schema's own, or the name of the component that it refers to.
fn root_name(spec: &Spec, schema: &Part<'_>) -> Option<String> {
    let target = spec.resolve(schema).ok()?;
    let of_component = || {
        let (at, name) = target.pointer.rsplit_once('/')?;
        let name = name.replace("~1", "/").replace("~0", "~");
        (at == "/components/schemas").then_some(name)
    };
    own_name(&target).or_else(of_component)
}

/// The name of the element that `xml` gives, with its prefix.
fn own_name(schema: &Part<'_>) -> Option<String> {
    let xml = schema.get("xml")?;
    Some(prefixed(&xml, xml.text("name")?))
}

fn prefixed(xml: &Part<'_>, name: &str) -> String {
    match xml.text("prefix") {
        Some(prefix) => format!("{prefix}:{name}"),
        None => name.to_owned(),
    }
}

/// The name of a property's element.
fn name_of(schema: &Part<'_>, property: &str) -> String {
    match (own_name(schema), schema.get("xml")) {
        (Some(name), _) => name,
        (None, Some(xml)) => prefixed(&xml, property),
        (None, None) => property.to_owned(),
    }
}

fn member(path: &str, name: &str) -> String {
    match is_identifier(name) {
        true => format!("{path}.{name}"),
        false => format!(
            "{path}['{}']",
            name.replace('\\', "\\\\").replace('\'', "\\'")
        ),
    }
}

fn has_list(spec: &Spec, schema: &Part<'_>, depth: usize) -> bool {
    let (Some(depth), Ok(schema)) = (depth.checked_sub(1), spec.resolve(schema)) else {
        return false;
    };
    let properties = schema.get("properties");
    let all = schema.get("allOf");
    schema.text("type") == Some("array")
        || properties.is_some_and(|map| map.members().any(|(_, one)| has_list(spec, &one, depth)))
        || all.is_some_and(|list| list.items().any(|one| has_list(spec, &one, depth)))
}

struct Walk<'s> {
    spec: &'s Spec,
    lists: Lists,
    /// The schemas around the current one.
    open: Vec<String>,
}

impl Walk<'_> {
    /// Looks at an element: `path` leads to it, and `name` is its name.
    fn element(&mut self, schema: &Part<'_>, path: &str, name: &str) {
        let Ok(target) = self.spec.resolve(schema) else {
            return;
        };
        if self.open.len() >= DEPTH || self.open.contains(&target.pointer) {
            if has_list(self.spec, &target, DEPTH) {
                self.lists.missing = Some(TOO_MANY);
            }
            return;
        }
        self.open.push(target.pointer.clone());
        match target.text("type") == Some("array") {
            // The element holds the items, as the root of a document must.
            true => self.items(&target, path, name),
            false => self.members(&target, path),
        }
        self.open.pop();
    }

    fn members(&mut self, schema: &Part<'_>, path: &str) {
        for one in schema.get("allOf").into_iter().flat_map(|all| all.items()) {
            if let Ok(one) = self.spec.resolve(&one) {
                self.members(&one, path);
            }
        }
        let properties = schema.get("properties");
        for (property, part) in properties.into_iter().flat_map(|map| map.members()) {
            let Ok(target) = self.spec.resolve(&part) else {
                continue;
            };
            let xml = target.get("xml");
            let flag = |key: &str| xml.as_ref().is_some_and(|xml| xml.flag(key) == Some(true));
            let name = name_of(&target, property);
            match target.text("type") == Some("array") {
                _ if flag("attribute") => {}
                true if flag("wrapped") => self.items(&target, &member(path, &name), &name),
                // The name beside `type: array` has no meaning without a wrapper.
                true => self.items(&target, path, property),
                false => self.element(&part, &member(path, &name), &name),
            }
        }
    }

    /// The items of a list, in the element at `path`. `fallback` is their name if they have none of their own.
    fn items(&mut self, list: &Part<'_>, path: &str, fallback: &str) {
        let Some(items) = list.get("items") else {
            return;
        };
        let target = self.spec.resolve(&items).ok();
        let own = target.as_ref().and_then(own_name);
        let name = own.unwrap_or_else(|| fallback.to_owned());
        let at = member(path, &name);
        let is_known = self.lists.paths.iter().any(|known| *known == at.as_str());
        if self.lists.paths.len() >= MOST {
            self.lists.missing = Some(TOO_MANY);
            return;
        }
        if !is_known {
            self.lists.paths.push(at.as_str().into());
        }
        self.element(&items, &format!("{at}[*]"), &name);
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use serde_json::json;

    use super::*;

    #[test]
    fn elements_that_repeat_are_found() {
        let strings = json!({ "type": "array", "items": { "type": "string" } });
        let named =
            json!({ "type": "array", "items": { "type": "string", "xml": { "name": "animal" } } });
        let with_xml = |list: &Value, xml: Value| {
            let mut list = list.clone();
            list["xml"] = xml;
            list
        };
        let zoo = |animals: Value| json!({ "type": "object", "xml": { "name": "zoo" }, "properties": { "animals": animals } });
        // The examples of OpenAPI's own page.
        for (schema, expected) in [
            (zoo(strings.clone()), vec!["$.zoo.animals"]),
            (zoo(named.clone()), vec!["$.zoo.animal"]),
            (
                zoo(with_xml(&named, json!({ "name": "aliens" }))),
                vec!["$.zoo.animal"],
            ),
            (
                zoo(with_xml(&strings, json!({ "wrapped": true }))),
                vec!["$.zoo.animals.animals"],
            ),
            (
                zoo(with_xml(&named, json!({ "wrapped": true }))),
                vec!["$.zoo.animals.animal"],
            ),
            (
                zoo(with_xml(
                    &named,
                    json!({ "wrapped": true, "name": "aliens" }),
                )),
                vec!["$.zoo.aliens.animal"],
            ),
            (
                zoo(with_xml(
                    &strings,
                    json!({ "wrapped": true, "name": "aliens" }),
                )),
                vec!["$.zoo.aliens.aliens"],
            ),
            // Lists inside each other, prefixes, attributes, and all of several schemas.
            (
                json!({ "$ref": "#/components/schemas/Farm" }),
                vec!["$.Farm['x:pen']", "$.Farm['x:pen'][*].cow", "$.Farm.tool"],
            ),
            (
                json!({ "type": "array", "xml": { "name": "pets" }, "items": { "$ref": "#/components/schemas/Pet" } }),
                vec!["$.pets.pet", "$.pets.pet[*].tag"],
            ),
            (
                json!({ "type": "object", "properties": { "a": { "type": "string" } } }),
                vec![],
            ),
        ] {
            let spec = Spec::new(json!({
                "openapi": "3.0.3",
                "it": schema,
                "components": { "schemas": {
                    "Farm": { "allOf": [
                        { "type": "object", "properties": { "pens": { "type": "array", "items": {
                            "xml": { "name": "pen", "prefix": "x" },
                            "type": "object",
                            "properties": {
                                "cow": { "type": "array", "items": { "type": "string" } },
                                "id": { "type": "array", "items": {}, "xml": { "attribute": true } },
                            },
                        } } } },
                        { "type": "object", "properties": { "tool": { "type": "array", "items": { "type": "string" } } } },
                    ] },
                    "Pet": { "type": "object", "xml": { "name": "pet" }, "properties": {
                        "tag": { "type": "array", "items": { "type": "string" } },
                    } },
                } },
            }))
            .unwrap();
            let found = lists(&spec, &spec.root().get("it").unwrap());
            assert_eq!(found.paths, expected, "{schema}");
            assert_eq!(found.missing, None);
        }
    }

    #[test]
    fn what_is_not_known_is_said() {
        let spec = Spec::new(json!({
            "openapi": "3.0.3",
            "nameless": { "type": "object", "properties": { "a": { "type": "array", "items": {} } } },
            "components": { "schemas": { "Tree": { "type": "object", "properties": {
                "branch": { "type": "array", "items": { "$ref": "#/components/schemas/Tree" } },
            } } } },
        }))
        .unwrap();
        let found = lists(&spec, &spec.root().get("nameless").unwrap());
        assert_eq!((found.paths.len(), found.missing), (0, Some(NO_ROOT)));
        let found = lists(&spec, &spec.lookup("#/components/schemas/Tree").unwrap());
        assert_eq!(found.paths, ["$.Tree.branch"]);
        assert_eq!(found.missing, Some(TOO_MANY));
    }
}
