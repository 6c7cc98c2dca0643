//! A table of requests: for each, a part of a descriptor, the arguments, and what would be sent.

use std::fmt::Write as _;
use std::sync::Arc;

use pretty_assertions::assert_eq;
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use toolrun::{Call, Catalog, Engine, Tool};

/// A row: its name, the part of a descriptor as YAML, and the request.
struct Row {
    title: String,
    given: Map<String, Value>,
    expected: String,
}

fn rows() -> Vec<Row> {
    let table = concat!("\n", include_str!("plans.txt"));
    let rows = table.split("\n## ").skip(1);
    rows.map(|row| {
        let (title, rest) = row.split_once('\n').expect("a title");
        let (given, expected) = rest.split_once("\n---\n").expect("a request");
        Row {
            title: title.to_owned(),
            given: serde_yaml::from_str(given).unwrap_or_else(|error| panic!("{title}: {error}")),
            expected: expected.trim_end().to_owned(),
        }
    })
    .collect()
}

impl Row {
    fn part(&self, name: &str) -> Map<String, Value> {
        let part = self.given.get(name).and_then(Value::as_object);
        part.cloned().unwrap_or_default()
    }

    /// The tool of the row: every argument is a param that takes anything, unless the row says what it takes.
    fn tool(&self) -> Arc<Tool> {
        let mut service = self.part("service");
        service.insert("service".into(), json!("probe"));
        service
            .entry("base_url")
            .or_insert(json!("https://api.test"));
        let mut properties: Map<String, Value> = self
            .part("args")
            .into_iter()
            .map(|(name, _)| (name, json!({ "description": "A param." })))
            .collect();
        properties.extend(self.part("params"));
        let required: Vec<&String> = properties.keys().collect();
        let descriptor = json!({
            "spec": 1,
            "tool": "probe",
            "service": service,
            "description": self.title,
            "access": "write",
            "params": { "properties": properties, "required": required },
            "request": self.given["request"],
        });
        let folder = TempDir::new().expect("a folder");
        std::fs::write(folder.path().join("probe.yaml"), descriptor.to_string()).expect("a file");
        let catalog = Catalog::empty().with_folder(folder.path());
        catalog
            .tool("probe")
            .unwrap_or_else(|error| panic!("{}: {error}", self.title))
    }

    /// The request line with the whole URL, the header fields that the row causes, and the body.
    fn rendered(&self) -> String {
        let mut engine = Engine::new();
        for (name, value) in self.part("set") {
            engine = engine.with_setting(name, value.as_str().expect("a text"));
        }
        let plan = match engine.plan(&Call::new(&self.tool(), Value::Object(self.part("args")))) {
            Ok(plan) => plan,
            Err(error) => return format!("refused: {error}"),
        };
        let view = plan.view();
        let mut text = format!("{} {}", view.method, view.url);
        let own = [("accept", "application/json")];
        for (name, value) in &view.headers {
            if name != "user-agent" && !own.contains(&(name, value)) {
                let _ = write!(text, "\n{name}: {value}");
            }
        }
        match view.body {
            Value::Null => {}
            Value::String(body) => drop(write!(text, "\n\n{body}")),
            body => drop(write!(text, "\n\n{body}")),
        }
        text
    }
}

#[test]
fn every_row_gives_its_request() {
    let rows = rows();
    assert!(rows.len() >= 60, "{} rows", rows.len());
    let table = |request: &dyn Fn(&Row) -> String| -> String {
        let rows = rows.iter();
        rows.map(|row| format!("## {}\n{}\n\n", row.title, request(row)))
            .collect()
    };
    assert_eq!(
        table(&|row| row.rendered()),
        table(&|row| row.expected.clone())
    );
}
