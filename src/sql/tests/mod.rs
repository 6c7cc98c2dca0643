//! Queries over a service that answers within the program, and counts its requests.

mod hostile;
mod oracle;
mod requests;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::{Begun, Limits, Outcome, Reading, Source, SqlError, start};
use crate::catalog::Catalog;
use crate::engine::{Call, Engine};
use crate::send::{Body, Request, ResponseFuture, Transport};
use crate::tool::Tool;

const SERVICE: &str =
    "spec: 1\nservice: club\nbase_url: https://club.example.com\nretry: { max_attempts: 1 }\n";

const PEOPLE: &str = r#"
spec: 1
tool: list-people
service: club
description: The people.
access: read
params:
  properties:
    email: { type: string }
    role: { type: string }
    active: { type: boolean }
    sort: { enum: [up, down], default: up }
    joined_since: { type: string, format: date }
    limit: { type: integer, minimum: 1, maximum: 100, default: 20 }
    after: { type: integer }
request: { method: GET, path: /people, query: [email, role, active, sort, joined_since, limit, after] }
paging: { items: $.data, next: { after: $.next }, limit: limit }
response:
  output:
    people: { each: "$.data[*]", as: { id: $.id, email: $.email, name: $.name, role: $.role, age: $.age, score: $.score, active: $.active, tags: $.tags } }
  rows: people
"#;

const GROUPS: &str = r#"
spec: 1
tool: list-groups
service: club
description: The groups.
access: read
params:
  properties:
    limit: { type: integer, minimum: 1, maximum: 100, default: 20 }
    after: { type: integer }
request: { method: GET, path: /groups, query: [limit, after] }
paging: { items: $.data, next: { after: $.next }, limit: limit }
response:
  output:
    groups: { each: "$.data[*]", as: { id: $.id, title: $.title, owner: $.owner } }
  rows: groups
"#;

const MEMBERS: &str = r#"
spec: 1
tool: list-group-members
service: club
description: The members of a group.
access: read
params:
  required: [group_id]
  properties:
    group_id: { type: string, minLength: 1 }
    limit: { type: integer, minimum: 1, maximum: 100, default: 20 }
    after: { type: integer }
request: { method: GET, path: "/groups/{{ group_id }}/members", query: [limit, after] }
paging: { items: $.data, next: { after: $.next }, limit: limit }
response:
  output:
    members: { each: "$.data[*]", as: { person_id: $.person_id, group_id: $.group_id, level: $.level } }
  rows: members
"#;

const PERSON: &str = r#"
spec: 1
tool: get-person
service: club
description: One person.
access: read
params:
  required: [id]
  properties: { id: { type: string, minLength: 1 } }
request: { method: GET, path: "/people/{{ id }}" }
response: { output: { id: $.id, email: $.email, name: $.name } }
"#;

const NOTHING: &str = r#"
spec: 1
tool: list-nothing
service: club
description: Nothing.
access: read
request: { method: GET, path: /nothing }
response: { output: { things: { each: "$.data[*]", as: { id: $.id } } }, rows: things }
"#;

const THINGS: &str = r"
spec: 1
tool: list-things
service: club
description: Things of which little is known.
access: read
request: { method: GET, path: /things }
response:
  schema: { type: object, properties: { data: { type: array, items: { $ref: '#/$defs/thing' } } }, $defs: { thing: { type: object, properties: { id: {} } } } }
  rows: data
";

const ANYTHING: &str = r"
spec: 1
tool: list-anything
service: club
description: Things of which nothing is known.
access: read
request: { method: GET, path: /things }
response: { rows: data }
";

const BROKEN: &str = r#"
spec: 1
tool: list-broken
service: club
description: A list whose second page fails.
access: read
params: { properties: { after: { type: integer } } }
request: { method: GET, path: /broken, query: [after] }
paging: { items: $.data, next: { after: $.next } }
response: { output: { rows: { each: "$.data[*]", as: { id: $.id } } }, rows: rows }
"#;

const WRITE: &str = r"
spec: 1
tool: add-person
service: club
description: Adds a person.
access: write
request: { method: POST, path: /people }
";

/// A service without a network.
pub(super) struct Club {
    catalog: Catalog,
    engine: Engine,
    transport: Arc<Answers>,
    _folder: TempDir,
}

/// The transport: rows by their path, in pages, filtered by what the query says.
struct Answers {
    people: Vec<Value>,
    groups: Vec<Value>,
    members: Vec<Value>,
    seen: Mutex<Vec<String>>,
}

fn people() -> Vec<Value> {
    let names = ["Ada", "Grace", "Alan", "Edsger", "Barbara", "ada"];
    let roles = [json!("admin"), json!("user"), json!("Guest"), Value::Null];
    let mut people: Vec<Value> = (0..230)
        .map(|n| {
            json!({
                "id": format!("p{n:03}"),
                "email": format!("person{}@example.com", n % 200),
                "name": names[n % 6],
                "role": roles[n * 7 % 4],
                "age": if n % 11 == 0 { Value::Null } else { json!(n % 90) },
                "score": (n % 13) as f64 / 2.0,
                "active": n % 3 == 0,
                "tags": if n % 5 == 0 { json!([]) } else { json!(["a", format!("t{}", n % 4)]) },
            })
        })
        .collect();
    // Rows that are alike.
    people.push(people[7].clone());
    people.push(people[7].clone());
    people
}

fn groups() -> Vec<Value> {
    (1..=7)
        .map(|n| json!({ "id": format!("g{n}"), "title": format!("Group {}", n % 3), "owner": format!("p{:03}", n * 30) }))
        .collect()
}

fn members() -> Vec<Value> {
    let sizes = [150, 12, 1, 33, 7, 20, 0];
    let of = |group: usize| {
        (0..sizes[group]).map(move |n| {
            json!({ "person_id": format!("p{:03}", (n * (group + 3)) % 240), "group_id": format!("g{}", group + 1), "level": n % 4 })
        })
    };
    (0..7).flat_map(of).collect()
}

impl Answers {
    fn answer(&self, path: &str, query: &Map<String, Value>) -> (u16, Value) {
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        match parts.as_slice() {
            ["people"] => {
                let fits = |row: &&Value| {
                    ["email", "role", "active"].iter().all(|name| {
                        let wanted = query.get(*name).and_then(Value::as_str);
                        wanted.is_none_or(|wanted| match &row[*name] {
                            Value::String(own) => own == wanted,
                            own => own.to_string().as_str() == wanted,
                        })
                    })
                };
                let mut rows: Vec<Value> = self.people.iter().filter(fits).cloned().collect();
                if query.get("sort").is_some_and(|sort| sort == "down") {
                    rows.reverse();
                }
                paged(&rows, query)
            }
            ["people", id] => match self.people.iter().find(|row| row["id"] == **id) {
                Some(row) => (200, row.clone()),
                None => (
                    404,
                    json!({ "error": { "message": "there is no such person" } }),
                ),
            },
            ["groups"] => paged(&self.groups, query),
            ["groups", group, "members"] => {
                let rows = self.members.iter().filter(|row| row["group_id"] == **group);
                paged(&rows.cloned().collect::<Vec<_>>(), query)
            }
            ["nothing"] => (200, json!({ "data": [] })),
            ["things"] => (
                200,
                json!({ "data": [{ "id": 1, "size": 12345678901234567890_u64 }, { "id": 2, "more": { "a": [1, 2] } }] }),
            ),
            ["broken"] => match query.get("after") {
                None => (
                    200,
                    json!({ "data": [{ "id": 1 }, { "id": 2 }], "next": 2 }),
                ),
                Some(_) => (500, json!({ "error": { "message": "the disk is full" } })),
            },
            _ => (404, json!({})),
        }
    }
}

fn paged(rows: &[Value], query: &Map<String, Value>) -> (u16, Value) {
    let number = |name: &str| query.get(name)?.as_str()?.parse::<usize>().ok();
    let (start, size) = (number("after").unwrap_or(0), number("limit").unwrap_or(20));
    let end = (start + size).min(rows.len());
    let next = (end < rows.len()).then_some(end);
    (
        200,
        json!({ "data": rows.get(start..end).unwrap_or_default(), "next": next }),
    )
}

impl Transport for Answers {
    fn send(&self, request: Request) -> ResponseFuture<'_> {
        let url = request.url.clone();
        let query = url.query_pairs();
        let query: Map<String, Value> = query
            .map(|(name, value)| (name.into(), value.into_owned().into()))
            .collect();
        let target = url.query().map_or_else(
            || url.path().to_owned(),
            |query| format!("{}?{query}", url.path()),
        );
        self.seen.lock().unwrap().push(target);
        let (status, body) = self.answer(url.path(), &query);
        Box::pin(async move {
            let response = http::Response::builder()
                .status(status)
                .header("content-type", "application/json");
            Ok(response.body(Body::from(body.to_string())).unwrap())
        })
    }
}

impl Source for Club {
    fn names(&self) -> Vec<String> {
        let names = self.catalog.entries().into_iter().map(|entry| entry.name);
        names
            .flat_map(|name| [format!("club/{name}"), name])
            .collect()
    }

    fn tool(&self, name: &str) -> Result<Arc<Tool>, SqlError> {
        let tool = self.catalog.tool(name);
        tool.map_err(|error| SqlError::Load(Box::new(error.into())))
    }

    fn begin<'s>(
        &'s self,
        _table: &'s str,
        tool: &'s Arc<Tool>,
        arguments: &'s Value,
    ) -> Begun<'s> {
        Box::pin(async move {
            Ok(Reading {
                engine: self.engine.clone(),
                call: Call::new(tool, arguments.clone()),
                id: 0,
            })
        })
    }
}

/// What a query gave.
#[derive(Debug)]
pub(super) struct Answer {
    pub columns: Vec<String>,
    pub rows: Vec<Value>,
    pub outcome: Outcome,
    /// The requests, as the service saw them.
    pub seen: Vec<String>,
}

impl Answer {
    #[track_caller]
    pub(super) fn error(&self) -> String {
        match &self.outcome.result {
            Ok(()) => panic!("{} rows and no error", self.rows.len()),
            Err(error) => error.to_string(),
        }
    }

    #[track_caller]
    pub(super) fn ok(self) -> Answer {
        if let Err(error) = &self.outcome.result {
            panic!("{error}");
        }
        self
    }
}

impl Club {
    pub(super) fn new() -> Arc<Club> {
        let folder = TempDir::new().unwrap();
        let below = folder.path().join("club");
        std::fs::create_dir(&below).unwrap();
        std::fs::write(below.join("service.yaml"), SERVICE).unwrap();
        for text in [
            PEOPLE, GROUPS, MEMBERS, PERSON, NOTHING, THINGS, ANYTHING, BROKEN, WRITE,
        ] {
            let name = text.split("tool: ").nth(1).unwrap().lines().next().unwrap();
            std::fs::write(below.join(format!("{name}.yaml")), text.trim_start()).unwrap();
        }
        let transport = Arc::new(Answers {
            people: people(),
            groups: groups(),
            members: members(),
            seen: Mutex::default(),
        });
        Arc::new(Club {
            catalog: Catalog::empty().with_folder(folder.path()),
            engine: Engine::new().with_transport(Arc::<Answers>::clone(&transport)),
            transport,
            _folder: folder,
        })
    }

    pub(super) fn ask(self: &Arc<Club>, query: &str) -> Answer {
        self.ask_within(query, Limits::default())
    }

    pub(super) fn ask_within(self: &Arc<Club>, query: &str, limits: Limits) -> Answer {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        self.transport.seen.lock().unwrap().clear();
        let source: Arc<dyn Source> = Arc::<Club>::clone(self);
        let (columns, rows, outcome) = runtime.block_on(async {
            let mut running = start(query.to_owned(), source, limits);
            let columns = running.columns().await.unwrap_or_default();
            let (mut all, mut rows) = (Vec::new(), Vec::new());
            while running.rows(&mut rows).await > 0 {
                all.extend(
                    rows.drain(..)
                        .map(|row| serde_json::from_str(row.text()).unwrap()),
                );
            }
            (columns, all, running.end().await)
        });
        Answer {
            columns,
            rows,
            outcome,
            seen: self.transport.seen.lock().unwrap().clone(),
        }
    }
}

/// Limits that tests meet soon.
pub(super) fn hasty() -> Limits {
    Limits {
        computing: Duration::from_millis(300),
        ..Limits::default()
    }
}
