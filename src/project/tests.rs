//! Projecting a text must give the same as projecting a tree: random projections of random bodies.

use fastrand::Rng;
use pretty_assertions::assert_eq;
use serde_json::{Map, Value, json};

use super::*;
use crate::source::Source;
use crate::template::Scope;

/// Projection of a tree, in the simplest way.
struct Plain<'a> {
    body: &'a Value,
    params: &'a Value,
    status: Value,
    bindings: Map<String, Value>,
}

/// The nodes that a walk has passed, with their names.
type Walked<'a> = [(&'a str, &'a Value)];

struct PlainScope<'a> {
    plain: &'a Plain<'a>,
    walked: &'a Walked<'a>,
}

impl Scope for PlainScope<'_> {
    fn json(&self, name: &str) -> Option<&Value> {
        let mut walked = self.walked.iter().rev();
        if let Some((_, value)) = walked.find(|(own, _)| *own == name || name == "item") {
            return Some(value);
        }
        if let Some(value) = self.plain.bindings.get(name) {
            return Some(value);
        }
        match name {
            "body" => Some(self.plain.body),
            "params" => Some(self.plain.params),
            "status" => Some(&self.plain.status),
            _ => None,
        }
    }
}

fn refuse(path: &JsonPath, at: &Value) -> Result<(), ProjectError> {
    match path.mismatch(at) {
        None => Ok(()),
        Some(mismatch) => Err(ProjectError::new(format!(
            "`{}` expects {} at {}, and the response has {} there",
            path.as_str(),
            mismatch.expected,
            mismatch.at,
            mismatch.found
        ))),
    }
}

impl Plain<'_> {
    fn run(&mut self, projection: &Projection) -> Result<Value, ProjectError> {
        let Some(output) = &projection.output else {
            return Ok(self.body.clone());
        };
        for (name, node) in &projection.bindings {
            let value = self.project(node.node(), self.body, &[]);
            let value = value.map_err(|error| error.under(name).under("let"))?;
            self.bindings.insert(name.clone(), value);
        }
        self.project(output.node(), self.body, &[])
            .map_err(|error| error.under("output"))
    }

    fn project(&self, node: &Node, at: &Value, walked: &Walked<'_>) -> Result<Value, ProjectError> {
        match node {
            Node::Literal(value) => Ok(value.clone()),
            Node::Path(pick) if pick.path.is_singular() => match pick.path.first(at) {
                Some(value) => Ok(value.clone()),
                None => refuse(&pick.path, at).map(|()| Value::Null),
            },
            Node::Path(pick) => {
                refuse(&pick.path, at)?;
                Ok(Value::Array(
                    pick.path.all(at).into_iter().cloned().collect(),
                ))
            }
            Node::Template(template) => {
                let scope = PlainScope {
                    plain: self,
                    walked,
                };
                Ok(template.render(&scope)?.unwrap_or(Value::Null))
            }
            Node::List(items) => items
                .iter()
                .enumerate()
                .map(|(i, item)| {
                    let part = self.project(item, at, walked);
                    part.map_err(|error| error.under(&i.to_string()))
                })
                .collect(),
            Node::Map(members) => {
                let mut map = Map::new();
                for member in members {
                    let part = self.project(&member.node, at, walked);
                    map.insert(
                        member.key.clone(),
                        part.map_err(|error| error.under(&member.key))?,
                    );
                }
                Ok(Value::Object(map))
            }
            Node::Zip(zip) => {
                let mut columns = Vec::new();
                for (path, key) in zip.paths().zip(zip.keys()) {
                    let values: Vec<Value> = match path.first(at) {
                        Some(Value::Array(items)) if path.is_singular() => items.clone(),
                        _ => path.all(at).into_iter().cloned().collect(),
                    };
                    columns.push((key, values));
                }
                let most = columns.iter().map(|(_, values)| values.len()).max();
                Ok((0..most.unwrap_or_default())
                    .map(|i| {
                        let row = columns.iter();
                        row.map(|(key, values)| (key.clone(), values[i].clone()))
                            .collect::<Value>()
                    })
                    .collect())
            }
            Node::Each { walk, node } => {
                let mut list = Vec::new();
                self.each(walk, node.node(), at, walked, &mut list)?;
                Ok(Value::Array(list))
            }
        }
    }

    fn each(
        &self,
        walk: &[(String, Pick)],
        node: &Node,
        at: &Value,
        walked: &Walked<'_>,
        list: &mut Vec<Value>,
    ) -> Result<(), ProjectError> {
        let Some(((name, pick), inner)) = walk.split_first() else {
            list.push(self.project(node, at, walked)?);
            return Ok(());
        };
        refuse(&pick.path, at)?;
        for found in pick.path.all(at) {
            let walked: Vec<_> = walked
                .iter()
                .copied()
                .chain([(name.as_str(), found)])
                .collect();
            self.each(inner, node, found, &walked, list)?;
        }
        Ok(())
    }
}

const PATHS: &[&str] = &[
    "$",
    "$.a",
    "$.a.b",
    "$['a b']",
    "$.l",
    "$.l[0]",
    "$.l[1].a",
    "$.l[-1]",
    "$.l[-1].a",
    "$.l[-2].l[-1]",
    "$.l[*]",
    "$.l[*].a",
    "$.a[*]",
    "$.*",
    "$[*]",
    "$[0]",
    "$[*].a",
    "$.l[*][*]",
    "$.l[*].l[*]",
    "$.l[1:3]",
    "$.l[::-1]",
    "$.l[-2:].a",
    "$.l[5:0:-2]",
    "$.l[::2].b",
    "$.l[0,1]",
    "$.l[-1][*]",
    "$['a','l']",
    "$..a",
    "$.a..b",
    "$..*",
    "$..[0]",
    "$.l[?@.a]",
    "$.l[?@.a == 1].b",
    "$.l[?@.a > $.n]",
    "$.l[?@.n < 3 && @.b != 'x']",
    "$.l[?count(@.*) > 1]",
    "$.l[?length(@.b) == 1].b",
    "$.l[?$.l[?@.a]]",
    "$.l[?match(@.b, '[a-z]')]",
    "$..[?@.a == 1]",
    "$.*[?@ == 1]",
];

const EXPRESSIONS: &[&str] = &[
    "{{ body }}",
    "{{ body.a }}",
    "{{ body.n + 1 }}",
    "{{ body.l | length }}",
    "{{ body.a.b }}",
    "{{ body.none }}",
    "a {{ body.n }} of {{ status }}",
    "{{ params.p }}",
    "{{ x }}",
    "{{ y | length }}",
    "{{ body['a b'] }}",
    "{{ body.n or body.a }}",
];

const ITEM_EXPRESSIONS: &[&str] = &[
    "{{ item }}",
    "{{ item.a }}",
    "{{ item.n * 2 }}",
    "{{ item.l | length }} {{ item.b }}",
    "{{ item.none }}",
    "{{ outer.a }}",
    "{{ outer.n or item.a.b }}",
    "{{ item.a == body.a }}",
];

fn projection(rng: &mut Rng, depth: usize, is_inside: bool) -> Value {
    let pick = |rng: &mut Rng, list: &[&str]| json!(list[rng.usize(..list.len())]);
    match rng.usize(..if depth == 0 { 5 } else { 9 }) {
        0..3 => pick(rng, PATHS),
        3 if is_inside => pick(rng, ITEM_EXPRESSIONS),
        3 => pick(rng, EXPRESSIONS),
        4 => json!({ "literal": ["$", 1.5, null] }),
        5 => (0..rng.usize(..3))
            .map(|_| projection(rng, depth - 1, is_inside))
            .collect(),
        6 => {
            let keys = ["k", "a \"b\"", "é"];
            let members = (0..rng.usize(1..4)).map(|i| {
                let node = projection(rng, depth - 1, is_inside);
                (keys[i].to_owned(), node)
            });
            Value::Object(members.collect())
        }
        7 => json!({ "each": pick(rng, PATHS), "as": projection(rng, depth - 1, true) }),
        _ => {
            let walk = json!({ "outer": pick(rng, PATHS), "inner": pick(rng, PATHS) });
            json!({ "each": walk, "as": projection(rng, depth - 1, true) })
        }
    }
}

/// A JSON text of random shape, with white space, escapes, members of the same name and long numbers.
fn body(rng: &mut Rng, depth: usize, out: &mut String) {
    let space = |rng: &mut Rng| ["", "", "", " ", "\n\t"][rng.usize(..5)];
    let scalars = [
        "null",
        "true",
        "false",
        "0",
        "1",
        "1.0",
        "-2",
        "2.50",
        "1e2",
        "12345678901234567890123",
        "0.12345678901234567890",
        "\"\"",
        "\"x\"",
        r#""é\u00e9\n\"\\""#,
        r#""\ud83d\ude00 ]}""#,
    ];
    let kind = match depth {
        0 => 0,
        _ => rng.usize(..5),
    };
    let length = rng.usize(..4);
    match kind {
        0 | 1 => out.push_str(scalars[rng.usize(..scalars.len())]),
        2 => {
            out.push('[');
            for i in 0..length {
                out.push_str(if i > 0 { "," } else { "" });
                out.push_str(space(rng));
                body(rng, depth - 1, out);
                out.push_str(space(rng));
            }
            out.push(']');
        }
        _ => {
            let keys = ["a", "b", "l", "n", "a", "l", r"\u0061", "a b", r#"q\""#];
            out.push('{');
            for i in 0..=length {
                out.push_str(if i > 0 { "," } else { "" });
                out.push_str(space(rng));
                let key = keys[rng.usize(..keys.len())];
                out.push_str(&format!("\"{key}\""));
                out.push_str(space(rng));
                out.push(':');
                out.push_str(space(rng));
                body(rng, depth - 1, out);
                out.push_str(space(rng));
            }
            out.push('}');
        }
    }
}

fn compile(output: Value, bindings: &[(&str, Value)]) -> Projection {
    let check = Check::new(Source::parse("t".into(), "a: 1".into()).unwrap());
    let spec = ResponseSpec {
        output: Some(output),
        bindings: bindings
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect(),
        ..ResponseSpec::default()
    };
    Projection::compile(Some(&spec), "", &response_names(["p"]), &check)
}

/// Text around a number keeps digits that a tree loses.
fn with_all_digits(value: Value) -> Value {
    let text = value
        .to_string()
        .replace("a 0.12345678901234568 of", "a 0.12345678901234567890 of")
        .replace("a 1.2345678901234568e22 of", "a 12345678901234567890123 of")
        .replace(
            "a 1.2345678901234568e+22 of",
            "a 12345678901234567890123 of",
        );
    serde_json::from_str(&text).unwrap()
}

#[test]
#[ignore = "long"]
fn text_and_tree_give_the_same() {
    let (mut same, mut errors, mut inexact) = (0, 0, 0);
    for seed in 0..20_000 {
        let mut rng = Rng::with_seed(seed);
        let output = projection(&mut rng, 3, false);
        let bindings = [("x", json!("$.l")), ("y", projection(&mut rng, 1, false))];
        let mut text = String::new();
        body(&mut rng, 4, &mut text);
        // Most texts do not have the shape that the paths expect. Every other one fits better.
        if seed % 2 == 0 {
            let mut member = String::new();
            body(&mut rng, 2, &mut member);
            text = format!(
                r#"{{"l": [{{"a": 1, "b": {member}, "n": 2}}, {{"a": {{}}, "l": [{text}, 1]}}], "a": {{"b": {member}}}, "n": 3, "a b": {text}}}"#
            );
        }
        let projection = compile(output.clone(), &bindings);
        let tree: Value = serde_json::from_str(&text).unwrap();
        let params = json!({ "p": [1] });
        let told = || format!("seed {seed}\noutput {output}\nlet {bindings:?}\nbody {text}");

        let json = Json::read(text.clone().into()).unwrap();
        let from_text = projection.run(&ResponseView::new(&json, 200, &Vec::new(), &params));
        let from_tree = Plain {
            body: &tree,
            params: &params,
            status: json!(200),
            bindings: Map::new(),
        }
        .run(&projection);
        match (from_text, from_tree) {
            (Ok(output), expected) => {
                let checked = Json::read(output.bytes().clone());
                assert!(checked.is_ok(), "{output}: {checked:?}\n{}", told());
                let value: Value = serde_json::from_str(output.text()).unwrap();
                let expected = expected.map(with_all_digits);
                assert_eq!(Ok(value), expected, "{}", told());
                same += 1;
            }
            // If the tree's digits would differ, the computation is refused.
            (Err(error), _) if error.message.contains("more digits") => inexact += 1,
            (Err(error), expected) => {
                assert_eq!(Err(error), expected, "{}", told());
                errors += 1;
            }
        }
    }
    assert!(
        same > 5_000 && errors > 2_000 && inexact > 100,
        "{same} {errors} {inexact}"
    );
}

/// The text of an output.
fn run(output: Value, body: &str) -> Result<String, String> {
    let json = Json::read(body.to_owned().into()).unwrap();
    let params = json!({});
    let output = compile(output, &[]).run(&ResponseView::new(&json, 200, &Vec::new(), &params));
    output
        .map(|output| output.text().to_owned())
        .map_err(|error| error.to_string())
}

#[test]
fn digits_strings_and_members_stay_as_they_came() {
    let body = r#"{ "id": 12345678901234567890123, "price": 1.50, "tiny": 0.123456789012345678901234567890,
        "huge": 1e999, "s": "\u00e9\/", "twice": {"b": 1, "a": 2, "b": 3}, "list": [{"id": 18446744073709551616}] }"#;
    for (output, expected) in [
        (json!("$.id"), "12345678901234567890123"),
        (
            json!(["$.price", "$.tiny", "$.huge"]),
            "[1.50,0.123456789012345678901234567890,1e999]",
        ),
        (json!({ "s": "$.s" }), r#"{"s":"\u00e9\/"}"#),
        (json!("$.twice"), r#"{"b": 1, "a": 2, "b": 3}"#),
        (json!("$.twice.b"), "3"),
        (json!("$.list[?@.none != 1].id"), "[18446744073709551616]"),
        (
            json!({ "each": "$.list[*]", "as": "$.id" }),
            "[18446744073709551616]",
        ),
        (
            json!({ "each": "$.list[*]", "as": "{{ item.id }}" }),
            "[18446744073709551616]",
        ),
        (
            json!({ "each": "$.list[*]", "as": "no. {{ item.id }}" }),
            r#"["no. 18446744073709551616"]"#,
        ),
        (json!("{{ body.id }}"), "12345678901234567890123"),
        (json!("{{ body.twice | length }}"), "2"),
    ] {
        assert_eq!(
            run(output.clone(), body).as_deref(),
            Ok(expected),
            "{output}"
        );
    }
    for (output, part) in [
        (
            json!("{{ body.id + 1 }}"),
            "`body.id + 1`: the number 12345678901234567890123 has more digits",
        ),
        (json!({ "n": "{{ body.tiny * 2 }}" }), "output.n: "),
        (json!("{{ body.huge > 1 }}"), "1e999"),
        (json!("$.list[?@.id > 1]"), "18446744073709551616"),
    ] {
        let error = run(output.clone(), body).unwrap_err();
        assert!(error.contains(part), "{output}: {error}");
    }
}

#[test]
#[ignore = "long"]
fn trees_are_built_of_what_is_read_and_no_more() {
    let many = format!("[{}{{\"a\":1}}]", "{\"a\":1},".repeat(1 << 19));
    let body = format!(r#"{{"big": {many}, "n": 2, "list": [{many}, 3]}}"#);
    for (output, expected) in [
        (json!("{{ body.n + 1 }}"), Ok("3")),
        (json!({ "n": "$.n" }), Ok(r#"{"n":2}"#)),
        (
            json!("$.list[?@ == 3]"),
            Err("this needs a tree of the JSON"),
        ),
        (json!("$.list[1:]"), Ok("[3]")),
        (
            json!("{{ body.big | length }}"),
            Err("which takes more than"),
        ),
    ] {
        match (run(output.clone(), &body), expected) {
            (Err(error), Err(part)) => assert!(error.contains(part), "{error}"),
            (given, expected) => assert_eq!(given.as_deref().ok(), expected.ok(), "{output}"),
        }
    }
    let output = json!({ "each": "$.big[*]", "as": "{{ item.a + 1 }}" });
    let projected = run(output, &body).unwrap();
    assert_eq!(projected.len(), ((1 << 19) + 1) * 2 + 1);
    assert_eq!(run(json!("{{ body.big }}"), &body), Ok(many));
}
