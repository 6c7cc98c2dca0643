//! Checks of how a tool's rows are copied into a table.

use crate::format::{Access, SyncSpec};
use crate::source::{Check, Code, join, join_index};
use crate::tool::Tool;
use crate::words::nearest;

const AT: &str = "/sync";

/// Reports columns and params that there are not, and tools whose rows cannot be copied.
pub(super) fn check(tool: &Tool, check: &Check) {
    let Some(sync) = &tool.sync else { return };
    if tool.access != Access::Read && !check.is_broken("/access") {
        check.error_at_key(
            Code::BadValue,
            AT,
            format!(
                "rows are copied only from tools that read, and this is a {} tool",
                tool.access
            ),
            Some("remove it".to_owned()),
        );
    }
    report_unknown_columns(tool, sync, check);
    report_unknown_params(tool, sync, check);
    if sync
        .parent
        .as_ref()
        .is_some_and(|parent| parent.as_str() == tool.name)
    {
        check.error(
            Code::BadValue,
            &join(AT, "parent"),
            "a tool cannot be its own parent",
        );
    }
}

fn report_unknown_columns(tool: &Tool, sync: &SyncSpec, check: &Check) {
    if check.is_broken("/response/output") || check.is_broken("/response/rows") {
        return;
    }
    let Some(mut known) = tool.projection.columns() else {
        return;
    };
    known.extend(sync.map.keys().cloned());
    let report = |name: &str, at: &str| {
        if !known.iter().any(|other| other == name) {
            check.error_inside(
                Code::UnknownName,
                at,
                0..name.len(),
                format!("the rows have no column `{name}`"),
                nearest(name, known.iter().map(String::as_str)),
            );
        }
    };
    for (i, name) in sync.key.iter().enumerate() {
        report(name, &join_index(&join(AT, "key"), i));
    }
    if let Some(cursor) = &sync.cursor {
        report(cursor, &join(AT, "cursor"));
    }
}

fn report_unknown_params(tool: &Tool, sync: &SyncSpec, check: &Check) {
    if check.is_unreadable("/params") || tool.params.are_unknown() {
        return;
    }
    let help = |name: &str| nearest(name, tool.params.iter().map(|param| param.name));
    let message = |name: &str| format!("there is no param `{name}`");
    if let Some(param) = &sync.param
        && tool.params.get(param).is_none()
    {
        let at = join(AT, "param");
        let (message, help) = (message(param), help(param));
        check.error_inside(Code::UnknownName, &at, 0..param.len(), message, help);
    }
    for param in sync.map.keys() {
        if tool.params.get(param).is_none() {
            let at = join(&join(AT, "map"), param);
            check.error_at_key(Code::UnknownName, &at, message(param), help(param));
        }
    }
}
