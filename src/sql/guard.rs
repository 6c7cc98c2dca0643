//! What a query may do: read tools, compute, and nothing else. SQLite asks before it does anything, and stops at its limits.

use std::collections::HashSet;
use std::sync::Arc;

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::{Connection, Result};

use super::error::SqlError;
use super::session::Session;
use super::table::table_name;
use super::vtab::{Named, add, memory_used};

/// The most bytes of memory of all queries of the process. It is looked at together with the clock.
pub(super) const MEMORY: u64 = 256 << 20;
/// What SQLite gets in no case, also between two looks. Other uses of SQLite in the process share it.
const MOST_MEMORY: u64 = 2 * MEMORY;
/// The most bytes of a query.
pub(crate) const LONGEST: usize = 256 << 10;
/// Steps of a query between two looks at the clock.
const STEPS: i32 = 1_000;
/// Functions that reach beyond the query.
const REFUSED: [&str; 7] = [
    "edit",
    "fts3_tokenizer",
    "load_extension",
    "readfile",
    "sqlite_log",
    "writefile",
    "zipfile",
];

/// What limits a query, apart from its time and memory. Each is far above what a query needs.
const LIMITS: [(Limit, i32); 9] = [
    (Limit::SQLITE_LIMIT_LENGTH, 10 << 20),
    (Limit::SQLITE_LIMIT_SQL_LENGTH, 2 * LONGEST as i32),
    (Limit::SQLITE_LIMIT_COLUMN, 1_000),
    (Limit::SQLITE_LIMIT_EXPR_DEPTH, 200),
    (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 100),
    (Limit::SQLITE_LIMIT_VDBE_OP, 1_000_000),
    (Limit::SQLITE_LIMIT_ATTACHED, 0),
    (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1_000),
    (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
];

/// Opens an empty database in memory, in which the tools are tables.
///
/// # Errors
/// When SQLite cannot be set up.
pub(super) fn open(session: &Arc<Session>) -> Result<Connection> {
    let mut connection = Connection::open_in_memory()?;
    for (limit, most) in LIMITS {
        connection.set_limit(limit, most)?;
    }
    // Rows of services are not written to files, also not to temporary ones.
    connection.pragma_update(None, "temp_store", "memory")?;
    // This limit is one of the process; it can only become smaller.
    let limit = format!("PRAGMA hard_heap_limit={MOST_MEMORY}");
    connection.query_row(&limit, [], |_| Ok(()))?;
    connection.pragma_update(None, "trusted_schema", false)?;
    let mut tables = HashSet::new();
    for tool in session.reader.source().names() {
        let plain = table_name(&tool);
        for name in [plain, tool.clone()] {
            // A name with its service's needs quotes in any case, so it stays as it is.
            let is_plain = !tool.contains('/');
            if (is_plain || name == tool) && tables.insert(name.to_ascii_lowercase()) {
                let named = Named {
                    session: Arc::clone(session),
                    tool: tool.clone(),
                };
                add(&connection, &name, named)?;
            }
        }
    }
    let own = Arc::clone(session);
    let authorize = move |asked: AuthContext<'_>| match refusal(&asked.action, &tables) {
        None => Authorization::Allow,
        Some(reason) => {
            own.fail(SqlError::Statement(reason));
            Authorization::Deny
        }
    };
    connection.authorizer(Some(authorize))?;
    let own = Arc::clone(session);
    let is_over = move || {
        let memory = match memory_used() > MEMORY {
            true => Err(SqlError::Memory(MEMORY)),
            false => Ok(()),
        };
        let over = memory.and_then(|()| own.check_time()).err();
        let is_over = over.is_some();
        over.map(|error| own.fail(error));
        is_over
    };
    connection.progress_handler(STEPS, Some(is_over))?;
    Ok(connection)
}

/// Why an action is refused, if it is.
fn refusal(action: &AuthAction<'_>, tables: &HashSet<String>) -> Option<String> {
    let only = |what: &str| {
        Some(format!(
            "{what} is not allowed: queries only read tables, by `select`"
        ))
    };
    match action {
        AuthAction::Select | AuthAction::Recursive => None,
        // A name of the query's own, as of `with`, is asked for too. What comes with SQLite is refused, except for JSON.
        AuthAction::Read { table_name, .. } => {
            let name = table_name.to_ascii_lowercase();
            let is_internal =
                name == "dbstat" || name.starts_with("sqlite_") || name.starts_with("pragma_");
            (is_internal && !tables.contains(&name))
                .then(|| format!("`{name}` is no table of a tool"))
        }
        AuthAction::Function { function_name } => {
            let name = function_name.to_ascii_lowercase();
            let is_refused = REFUSED.contains(&name.as_str());
            is_refused.then(|| format!("the function {name} is not allowed"))
        }
        AuthAction::Pragma { .. } => only("a pragma"),
        AuthAction::Attach { .. } => only("attaching a database"),
        _ => only("this statement"),
    }
}

/// The statement as SQLite takes it, and whether it begins with `explain`.
///
/// # Errors
/// When it is none that reads.
pub(super) fn statement(text: &str) -> Result<(bool, &str), SqlError> {
    if text.len() > LONGEST {
        let reason = format!("the query is longer than {} KiB", LONGEST >> 10);
        return Err(SqlError::Statement(reason));
    }
    let (word, rest) = first_word(without_comments(text));
    if !word.eq_ignore_ascii_case("explain") {
        return Ok((false, query(text)?));
    }
    let (first, after) = first_word(without_comments(rest));
    let (second, after) = first_word(without_comments(after));
    match first.eq_ignore_ascii_case("query") && second.eq_ignore_ascii_case("plan") {
        true => Ok((true, query(after)?)),
        false => Ok((true, query(rest)?)),
    }
}

/// The query that a text is, without an `explain` before it.
fn query(text: &str) -> Result<&str, SqlError> {
    let text = without_comments(text);
    match first_word(text).0.to_ascii_lowercase().as_str() {
        "select" | "with" | "values" => Ok(text),
        "explain" => Err(SqlError::Statement(
            "`explain` stands once, before a query".to_owned(),
        )),
        "" if text.is_empty() => Err(SqlError::Statement("there is no query".to_owned())),
        "" => Err(SqlError::Statement(
            "a query begins with `select`, `with`, `values` or `explain`".to_owned(),
        )),
        word => Err(SqlError::Statement(format!(
            "`{word}` is not allowed: a query begins with `select`, `with`, `values` or `explain`"
        ))),
    }
}

fn first_word(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_alphabetic());
    text.split_at(end.unwrap_or(text.len()))
}

/// The text without white space and comments before it.
fn without_comments(text: &str) -> &str {
    let mut text = text.trim_start();
    loop {
        let rest = if let Some(rest) = text.strip_prefix("--") {
            rest.split_once('\n').map_or("", |(_, rest)| rest)
        } else if let Some(rest) = text.strip_prefix("/*") {
            rest.split_once("*/").map_or("", |(_, rest)| rest)
        } else {
            return text;
        };
        text = rest.trim_start();
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn only_queries_are_statements() {
        for (text, read) in [
            ("select 1", Some((false, "select 1"))),
            (" -- a\n/* b */ SELECT 1", Some((false, "SELECT 1"))),
            (
                "with a as (select 1) select * from a",
                Some((false, "with a as (select 1) select * from a")),
            ),
            ("values (1)", Some((false, "values (1)"))),
            ("explain select 1", Some((true, "select 1"))),
            ("EXPLAIN QUERY PLAN select 1", Some((true, "select 1"))),
            ("explain explain select 1", None),
            ("", None),
            ("-- select 1", None),
            ("(select 1)", None),
            ("insert into a values (1)", None),
            ("explain delete from a", None),
            ("pragma database_list", None),
            ("vacuum", None),
            ("begin", None),
        ] {
            assert_eq!(statement(text).ok(), read, "{text}");
        }
    }

    /// A thread for queries has a stack of 2 MiB.
    #[test]
    fn many_words_take_no_stack() {
        for text in ["explain ", "explain query plan ", "-- \n", "/**/"] {
            let text = format!("{}select 1", text.repeat(LONGEST / text.len() - 2));
            let _ = statement(&text);
        }
    }
}
