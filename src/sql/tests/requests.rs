//! The requests that queries make, as the service counts them, and what is said where a query cannot run.

use std::time::{Duration, Instant};

use pretty_assertions::assert_eq;
use serde_json::{Value, json};

use super::{Club, Limits};

#[test]
fn queries_make_few_requests() {
    let club = Club::new();
    for (query, requests, rows) in [
        ("select * from list_people limit 5", 1, 5),
        ("select * from list_people limit 0", 0, 0),
        ("select * from list_people limit 5 offset 90", 1, 5),
        ("select * from list_people limit 150", 2, 150),
        (
            "select * from list_people where email = 'person7@example.com'",
            1,
            4,
        ),
        (
            "select * from list_people where email in ('person7@example.com', 'person8@example.com')",
            2,
            6,
        ),
        (
            "select * from list_people where email = 'person7@example.com' or role = 'admin'",
            2,
            62,
        ),
        ("select * from list_people where email = null", 0, 0),
        ("select * from list_people where 1 = 0", 0, 0),
        ("select role, count(*) from list_people group by role", 3, 4),
        (
            "select count(*) from list_group_members where group_id = 'g1'",
            2,
            1,
        ),
        (
            "select level, count(*) from list_group_members where group_id = 'g1' group by level",
            2,
            4,
        ),
        ("select * from list_people order by name limit 5", 3, 5),
        (
            "select * from list_people where name like 'a%' limit 5",
            1,
            5,
        ),
        (
            "select * from list_people where name = 'nobody' limit 5",
            3,
            0,
        ),
        (
            "select g.title, m.person_id from list_groups g join list_group_members m on m.group_id = g.id limit 20",
            2,
            20,
        ),
        (
            "select g.title, m.person_id from list_groups g join list_group_members m on m.group_id = g.id",
            9,
            223,
        ),
        (
            "select * from list_groups g left join list_group_members m on m.group_id = g.id where g.id >= 'g6'",
            3,
            21,
        ),
        (
            "select * from list_groups g, get_person p where p.id = g.owner",
            8,
            7,
        ),
        ("select * from list_groups g, get_person(g.owner) p", 8, 7),
        ("select * from list_groups a, list_groups b", 1, 49),
        ("select * from list_nothing", 1, 0),
        ("select * from get_person where id = 'p001'", 1, 1),
        (
            "select * from list_groups union all select * from list_groups",
            1,
            14,
        ),
        ("select * from list_people where \"limit\" = 50", 5, 232),
        (
            "select * from list_people where sort = 'down' limit 1",
            1,
            1,
        ),
        (
            "select (select count(*) from list_people), (select max(age) from list_people)",
            3,
            1,
        ),
        (
            "with m as (select * from list_group_members where group_id = 'g2') select * from m a, m b",
            1,
            144,
        ),
        ("select 1", 0, 1),
    ] {
        let answer = club.ask(query).ok();
        assert_eq!(
            (answer.seen.len(), answer.rows.len()),
            (requests, rows),
            "{query} {:#?}",
            answer.seen
        );
        let made: u32 = answer.outcome.made.iter().map(|(_, count)| count).sum();
        assert_eq!(made as usize, requests, "{query}");
    }
}

/// Without a cache, the inner tables would be read again for every row.
#[test]
fn the_same_call_is_made_once() {
    let club = Club::new();
    let naive = "select count(*) n from list_groups g join list_group_members m on m.group_id = g.id join list_people p on p.id = m.person_id";
    let answer = club.ask(naive).ok();
    assert_eq!(answer.rows, [json!({ "n": 222 })]);
    assert_eq!(answer.seen.len(), 12, "{:#?}", answer.seen);
}

#[test]
fn pages_are_as_large_as_the_query_needs() {
    let club = Club::new();
    for (query, first) in [
        (
            "select * from list_people limit 5",
            "/people?sort=up&limit=5",
        ),
        (
            "select * from list_people limit 5 offset 3",
            "/people?sort=up&limit=8",
        ),
        (
            "select * from list_people limit 500",
            "/people?sort=up&limit=100",
        ),
        ("select * from list_people", "/people?sort=up&limit=100"),
        (
            "select * from list_people order by id limit 5",
            "/people?sort=up&limit=100",
        ),
        (
            "select distinct role from list_people limit 5",
            "/people?sort=up&limit=100",
        ),
        (
            "select * from list_people where name = 'Ada' limit 5",
            "/people?sort=up&limit=100",
        ),
        (
            "select * from list_people where role = 'user' limit 5",
            "/people?role=user&sort=up&limit=5",
        ),
        (
            "select * from list_people where role = 'user' collate nocase limit 5",
            "/people?sort=up&limit=100",
        ),
        (
            "select * from list_people where param_role = 'user' collate nocase limit 5",
            "/people?role=user&sort=up&limit=5",
        ),
        (
            "select * from list_people where active limit 5",
            "/people?sort=up&limit=100",
        ),
        (
            "select * from list_people where active = true limit 5",
            "/people?active=true&sort=up&limit=5",
        ),
        (
            "select * from list_people where +role = 'user' limit 5",
            "/people?sort=up&limit=100",
        ),
        (
            "select * from list_people where joined_since = '2026-01-01'",
            "/people?sort=up&joined_since=2026-01-01&limit=100",
        ),
    ] {
        assert_eq!(club.ask(query).ok().seen[0], first, "{query}");
    }
}

#[test]
fn values_and_params_are_columns() {
    let club = Club::new();
    for (query, rows) in [
        (
            "select id, age, score, active, tags, tags ->> 1 t, typeof(score) k from list_people where id in ('p000', 'p001')",
            json!([
                { "id": "p000", "age": null, "score": 0.0, "active": 1, "tags": "[]", "t": null, "k": "real" },
                { "id": "p001", "age": 1, "score": 0.5, "active": 0, "tags": "[\"a\",\"t1\"]", "t": "t1", "k": "real" },
            ]),
        ),
        (
            "select sort from list_people where sort = 'down' limit 1",
            json!([{ "sort": "down" }]),
        ),
        (
            "select param_id from get_person where id = 'p001'",
            json!([{ "param_id": "p001" }]),
        ),
        (
            "select id, id from get_person where id = 'p001'",
            json!([{ "id": "p001", "id_2": "p001" }]),
        ),
        (
            "select id from \"club/list-groups\" limit 1",
            json!([{ "id": "g1" }]),
        ),
        (
            "select id from \"list-groups\" limit 1",
            json!([{ "id": "g1" }]),
        ),
        (
            "select id from LIST_GROUPS limit 1",
            json!([{ "id": "g1" }]),
        ),
        (
            "select j.value from list_people p, json_each(p.tags) j where p.id = 'p001'",
            json!([{ "value": "a" }, { "value": "t1" }]),
        ),
        (
            "select * from list_things",
            json!([{ "id": 1 }, { "id": 2 }]),
        ),
        (
            "select \"row\" ->> 'size' s from list_things",
            json!([{ "s": "12345678901234567890" }, { "s": null }]),
        ),
        (
            "select * from list_anything",
            json!([{ "row": "{\"id\":1,\"size\":12345678901234567890}" }, { "row": "{\"id\":2,\"more\":{\"a\":[1,2]}}" }]),
        ),
    ] {
        let answer = club.ask(query).ok();
        // A number in a JSON text has its digits, but `->>` is SQLite's own, and gives a double.
        let rows = match query.contains("'size'") {
            true => json!([{ "s": 12345678901234567000_f64 }, { "s": null }]),
            false => rows,
        };
        assert_eq!(Value::from(answer.rows), rows, "{query}");
    }
}

#[test]
fn what_is_lost_or_guessed_is_said() {
    let club = Club::new();
    for (query, note) in [
        (
            "select * from list_things",
            "the rows of list_things have fields that its schema does not name, such as `size`: the column `row` has them",
        ),
        (
            "select id from list_people where sort <> 'up' limit 1",
            "list_people.sort is a param, which only `=` and `in` set; where the query does not, it is 'up'",
        ),
        (
            "select param_role from list_people limit 1",
            "list_people.param_role is a param, which only `=` and `in` set; where the query does not, it is null",
        ),
    ] {
        assert_eq!(club.ask(query).ok().outcome.notes, [note], "{query}");
    }
    let none: [&str; 0] = [];
    assert_eq!(
        club.ask("select * from list_people limit 1")
            .ok()
            .outcome
            .notes,
        none
    );
}

#[test]
fn what_cannot_run_is_told() {
    let club = Club::new();
    for (query, told) in [
        (
            "select * from list_group_members",
            "list_group_members: group_id is needed: add `where group_id = ...`, or join it",
        ),
        (
            "select * from list_groups g, list_group_members m",
            "list_group_members: group_id is needed: add `where group_id = ...`, or join it",
        ),
        (
            "select * from list_group_members where group_id > 'g1'",
            "list_group_members: group_id is needed: add `where group_id = ...`, or join it",
        ),
        (
            "select * from list_group_members a, list_group_members b where a.group_id = b.group_id",
            "list_group_members: group_id is needed, and the query gives no value that can be known before the table is read: add \
             `where group_id = ...`, or join it to a table that needs nothing of list_group_members",
        ),
        (
            "select * from list_people where active = 'maybe'",
            "list_people does not take active = 'maybe': must be a boolean, but \"maybe\" is a string",
        ),
        (
            "select * from list_people where \"limit\" = 5000",
            "list_people does not take \"limit\" = 5000: 5000 is greater than the maximum of 100",
        ),
        (
            "select * from list_people where joined_since = 'yesterday'",
            "list_people does not take joined_since = 'yesterday': \"yesterday\" is no date, such as 2026-01-31",
        ),
        (
            "select * from get_person where id = x'00'",
            "get_person does not take id = a blob of 1 bytes: it is a blob",
        ),
        (
            "select * from list_peple",
            "there is no table `list_peple`; did you mean `list_people`?",
        ),
        (
            "select nane from list_people",
            "there is no column `nane`; did you mean `name`?",
        ),
        (
            "select * from club.list_people",
            "`club.list_people` names a schema: write \"club/list-people\"",
        ),
        (
            "select * from other.list_people",
            "`other.list_people` names a schema, and tables of tools have none",
        ),
        (
            "select * from add_person",
            "`add_person` is no table: it is a write tool, and queries only read",
        ),
        (
            "select * from get_person where id = 'nobody'",
            "get_person: the service answered 404 (not_found): there is no such person",
        ),
        (
            "select 1; select 2",
            "there are several statements; a query is one",
        ),
        (
            "select 1; drop table x",
            "there are several statements; a query is one",
        ),
        (
            "selekt 1",
            "`selekt` is not allowed: a query begins with `select`, `with`, `values` or `explain`",
        ),
        ("select * from", "the query is wrong: incomplete input"),
        (
            "select 1 +* 2",
            "the query is wrong at character 11: near \"*\": syntax error",
        ),
    ] {
        let answer = club.ask(query);
        assert_eq!(answer.error(), told, "{query}");
    }
}

#[test]
fn an_error_in_the_middle_keeps_the_rows_before_it() {
    let club = Club::new();
    let answer = club.ask("select id from list_broken");
    assert_eq!(
        answer.error(),
        "list_broken: the service answered 500 (failed): the disk is full"
    );
    assert_eq!(answer.rows, [json!({ "id": 1 }), json!({ "id": 2 })]);
    let answer = club.ask("select id from list_broken limit 2").ok();
    assert_eq!((answer.rows.len(), answer.seen.len()), (2, 1));
    let answer = club.ask("select count(*) from list_broken");
    assert_eq!(
        (answer.error().contains("500"), answer.rows.len()),
        (true, 0)
    );
}

#[test]
fn requests_have_a_limit() {
    let club = Club::new();
    let limits = || Limits {
        requests: 4,
        ..Limits::default()
    };
    let join = "select * from list_groups g join list_group_members m on m.group_id = g.id";
    let answer = club.ask_within(join, limits());
    assert_eq!(
        answer.error(),
        "the query needs more than 4 requests, and was stopped: list_groups made 1, list_group_members made 3, and \
         list_group_members needs another"
    );
    assert_eq!(answer.seen.len(), 4);
    assert_eq!(
        club.ask_within("select * from list_people", limits())
            .ok()
            .seen
            .len(),
        3
    );
}

#[test]
fn a_deadline_ends_a_query() {
    let club = Club::new();
    let limits = Limits {
        deadline: Some((Duration::from_millis(200), Instant::now())),
        ..Limits::default()
    };
    let endless =
        "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n";
    let answer = club.ask_within(endless, limits);
    assert_eq!(
        answer.error(),
        "no answer within 200 ms, the deadline of the caller"
    );
}

#[test]
fn explain_lists_the_requests_and_makes_none() {
    let club = Club::new();
    for (query, requests) in [
        (
            "select * from list_people where role = 'user' limit 3",
            vec![[
                "list_people",
                "GET /people?role=user&sort=up&limit=3",
                "once",
                "one of 3 rows",
            ]],
        ),
        (
            "select * from list_groups g left join list_group_members m on m.group_id = g.id",
            vec![
                [
                    "list_groups",
                    "GET /groups?limit=100",
                    "once",
                    "as needed, of 100 rows",
                ],
                [
                    "list_group_members",
                    "GET /groups/?/members?limit=100",
                    "once for each value from g",
                    "as needed, of 100 rows",
                ],
            ],
        ),
        (
            "select * from list_people where email in ('a', 'b')",
            vec![[
                "list_people",
                "GET /people?email=?&limit=100",
                "once for each value of email",
                "as needed, of 100 rows",
            ]],
        ),
        (
            "select * from list_groups g where exists (select 1 from get_person p where p.id = g.owner)",
            vec![
                [
                    "list_groups",
                    "GET /groups?limit=100",
                    "once",
                    "as needed, of 100 rows",
                ],
                [
                    "get_person",
                    "GET /people/?",
                    "once for each value from g",
                    "one",
                ],
            ],
        ),
        (
            "select * from list_people where email = 'a' or role = 'b'",
            vec![
                [
                    "list_people",
                    "GET /people?email=a&sort=up&limit=100",
                    "once",
                    "as needed, of 100 rows",
                ],
                [
                    "list_people",
                    "GET /people?role=b&sort=up&limit=100",
                    "once",
                    "as needed, of 100 rows",
                ],
            ],
        ),
        ("select 1", vec![]),
    ] {
        for word in ["explain", "EXPLAIN QUERY PLAN"] {
            let answer = club.ask(&format!("{word} {query}")).ok();
            let names = ["table", "request", "how_often", "pages"];
            assert_eq!(answer.columns, names);
            let row = |row: &Value| names.map(|name| row[name].as_str().unwrap().to_owned());
            let told: Vec<[String; 4]> = answer.rows.iter().map(row).collect();
            assert_eq!(told, requests, "{query}");
            assert_eq!(answer.seen.len(), 0, "{query}");
        }
    }
}
