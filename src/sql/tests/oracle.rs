//! Many queries, each compared to the same query over plain tables of SQLite that hold the same rows.

use fastrand::Rng;
use pretty_assertions::assert_eq;
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use serde_json::{Value, json};

use super::super::value;
use super::{Club, Limits, groups, members, people};
use crate::json::Json;

/// Tables that are not virtual.
fn plain() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    let tables: [(&str, &[&str], Vec<Value>); 5] = [
        (
            "list_people",
            &[
                "id", "email", "name", "role", "age", "score", "active", "tags",
            ],
            people(),
        ),
        ("list_groups", &["id", "title", "owner"], groups()),
        (
            "list_group_members",
            &["person_id", "group_id", "level"],
            members(),
        ),
        ("list_nothing", &["id"], Vec::new()),
        // Of people who are alike, one is found by the id.
        (
            "get_person",
            &["id", "email", "name"],
            people().into_iter().take(230).collect(),
        ),
    ];
    for (table, columns, rows) in tables {
        connection
            .execute(
                &format!("create table {table} ({})", columns.join(", ")),
                [],
            )
            .unwrap();
        let marks = vec!["?"; columns.len()].join(", ");
        let mut insert = connection
            .prepare(&format!("insert into {table} values ({marks})"))
            .unwrap();
        for row in rows {
            let cells = columns.iter().map(|column| value::of_json(&row[*column]));
            insert.execute(rusqlite::params_from_iter(cells)).unwrap();
        }
    }
    connection
}

fn ask_plain(connection: &Connection, query: &str) -> Vec<Vec<Value>> {
    let mut statement = connection
        .prepare(query)
        .unwrap_or_else(|error| panic!("{query}: {error}"));
    let count = statement.column_count();
    let mut rows = statement.query([]).unwrap();
    let mut all = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        let cell = |at: usize| {
            let mut text = Vec::new();
            let value: ValueRef<'_> = row.get_ref(at).unwrap();
            value::append(&mut text, value);
            serde_json::from_str(Json::made(text).text()).unwrap()
        };
        all.push((0..count).map(cell).collect());
    }
    all
}

/// Makes queries.
struct Maker(Rng);

impl Maker {
    fn one<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.0.usize(0..of.len())]
    }

    fn person(&mut self) -> String {
        format!("'p{:03}'", self.0.usize(0..230))
    }

    /// A condition on a person called `p`.
    fn on_person(&mut self, p: &str, depth: u32) -> String {
        if depth > 0 && self.0.u8(0..3) == 0 {
            let (left, right) = (self.on_person(p, depth - 1), self.on_person(p, depth - 1));
            return match self.0.u8(0..4) {
                0 => format!("not ({left})"),
                1 => format!("({left} and {right})"),
                _ => format!("({left} or {right})"),
            };
        }
        let email = |n: usize| format!("'person{n}@example.com'");
        let (a, b) = (self.0.usize(0..205), self.0.usize(0..205));
        match self.0.u8(0..20) {
            0 | 1 => format!("{p}.email = {}", email(a)),
            2 => format!("{p}.email in ({}, {}, 'no one')", email(a), email(b)),
            3 => format!(
                "{p}.role = '{}'",
                self.one(&["admin", "user", "Guest", "guest", "none"])
            ),
            4 => format!(
                "{p}.role = '{}' collate nocase",
                self.one(&["ADMIN", "user", "guest"])
            ),
            5 => format!("{p}.role is {}", self.one(&["null", "not null", "'admin'"])),
            6 => format!("{p}.active = {}", self.one(&["1", "0", "true"])),
            7 => format!(
                "{p}.age {} {}",
                self.one(&["<", ">=", "=", "<>"]),
                self.0.u8(0..90)
            ),
            8 => format!("{p}.age between 10 and {}", self.0.u8(0..90)),
            9 => format!("{p}.name like '{}'", self.one(&["a%", "%a", "_da", "Ada"])),
            10 => format!("{p}.name = '{}'", self.one(&["Ada", "ada", "Alan"])),
            11 => format!("{p}.score {} 3.5", self.one(&["<", "=", ">"])),
            12 => format!("{p}.tags ->> 1 = 't{}'", self.0.u8(0..4)),
            13 => format!("json_array_length({p}.tags) > 0"),
            14 => format!("{p}.id in (select owner from list_groups)"),
            15 => format!("exists (select 1 from list_groups g where g.owner = {p}.id)"),
            16 => {
                let group = self.0.u8(1..8);
                format!(
                    "{p}.id in (select person_id from list_group_members where group_id = 'g{group}')"
                )
            }
            17 => format!("{p}.id = {}", self.person()),
            18 => format!(
                "{p}.email = (select email from get_person where id = {})",
                self.person()
            ),
            _ => format!("{p}.role in ('admin', {p}.name, 'user')"),
        }
    }

    fn ending(&mut self, columns: usize) -> String {
        let mut order: Vec<usize> = (1..=columns).collect();
        self.0.shuffle(&mut order);
        let order: Vec<String> = order
            .iter()
            .map(|at| format!("{at} {}", ["", "desc"][self.0.usize(0..2)]))
            .collect();
        // Ordered by all columns, the rows that a limit leaves are known.
        let limit = match self.0.u8(0..3) {
            0 => String::new(),
            1 => format!(" limit {}", self.0.u8(0..12)),
            _ => format!(" limit {} offset {}", self.0.u8(0..12), self.0.u8(0..40)),
        };
        format!(" order by {}{limit}", order.join(", "))
    }

    fn query(&mut self) -> String {
        let condition = self.on_person("p", 3);
        let (query, columns) = match self.0.u8(0..14) {
            0..=2 => (
                format!("select p.id, p.email, p.role, p.age from list_people p where {condition}"),
                4,
            ),
            3 => (
                format!("select distinct p.name, p.role from list_people p where {condition}"),
                2,
            ),
            4 => (
                format!(
                    "select p.role, count(*), sum(p.age), min(p.name) from list_people p where {condition} group by p.role having count(*) > 1"
                ),
                4,
            ),
            5 => (
                format!(
                    "select count(*), avg(p.score), group_concat(distinct p.name) is null from list_people p where {condition}"
                ),
                3,
            ),
            6 => {
                let other = self.on_person("p", 2);
                let how = self.one(&["union", "union all", "except", "intersect"]);
                (
                    format!(
                        "select p.id, p.name from list_people p where {condition} {how} select p.id, p.name from list_people p where {other}"
                    ),
                    2,
                )
            }
            7 => {
                let how = self.one(&["join", "left join"]);
                (
                    format!(
                        "select g.id, m.person_id, m.level from list_groups g {how} list_group_members m on m.group_id = g.id and m.level < {}",
                        self.0.u8(0..4)
                    ),
                    3,
                )
            }
            8 => (
                format!(
                    "select g.title, p.id, p.name from list_groups g join list_group_members m on m.group_id = g.id join list_people p on p.id = m.person_id where g.id in ('g2', 'g3', 'g5') and {condition}"
                ),
                3,
            ),
            9 => (
                format!(
                    "select p.id, x.name from list_people p left join get_person x on x.id = p.id where {condition} and p.id < 'p020'"
                ),
                2,
            ),
            10 => (
                format!(
                    "select a.id, p.id from list_people a, list_people p where a.email = p.email and a.id < p.id and {condition}"
                ),
                2,
            ),
            11 => (
                format!(
                    "with admins as (select * from list_people where role = 'admin'), some as (select p.id from list_people p where {condition}) select admins.id, admins.age from admins where admins.id in (select id from some)"
                ),
                2,
            ),
            12 => (
                format!(
                    "select g.id, (select count(*) from list_group_members m where m.group_id = g.id), (select max(p.age) from list_people p where p.id >= g.owner and {condition}) from list_groups g"
                ),
                3,
            ),
            _ => (
                format!(
                    "select p.id, row_number() over (order by p.id, p.email) n, n.id from list_people p left join list_nothing n on n.id = p.id where {condition}"
                ),
                3,
            ),
        };
        format!("{query}{}", self.ending(columns))
    }
}

#[test]
#[ignore = "long"]
fn queries_give_what_plain_tables_give() {
    let count = match std::env::var("QUERIES") {
        Ok(count) => count.parse().expect("a number"),
        Err(_) => 150,
    };
    let (club, plain) = (Club::new(), plain());
    let mut maker = Maker(Rng::with_seed(13));
    let (mut rows, mut empty) = (0, 0);
    for at in 0..count {
        let query = maker.query();
        // Without room for pages, they are read again, and the rows are the same.
        let kept_bytes = [64 << 20, 3_000, 0][at % 3];
        let limits = Limits {
            requests: 1_000_000,
            kept_bytes,
            ..Limits::default()
        };
        let answer = club.ask_within(&query, limits);
        if let Err(error) = &answer.outcome.result {
            panic!("{query}: {error}");
        }
        let cells = |row: &Value| {
            answer
                .columns
                .iter()
                .map(|column| row[column].clone())
                .collect()
        };
        let given: Vec<Vec<Value>> = answer.rows.iter().map(cells).collect();
        let expected = ask_plain(&plain, &query);
        rows += expected.len();
        empty += usize::from(expected.is_empty());
        assert_eq!(json!(given), json!(expected), "{query}\n{:#?}", answer.seen);
    }
    assert!(
        rows > count * 3 && empty < count / 2,
        "{rows} rows, {empty} empty results"
    );
}
