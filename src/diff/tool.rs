//! A tool in two versions.

use serde_json::Value;

use super::change::{Class, Classes};
use super::record::Record;
use super::schema::{Part, Words, words_of};
use super::wire::{Difference, Home, Place, Requests, home, in_words};
use super::written::{same, told};
use super::{output, params, rules, wire};
use crate::source::{Code, join};
use crate::tool::Tool;

/// Notes how two versions of a tool differ, and gives the differences of requests that come from the service.
pub(super) fn compare(old: &Tool, new: &Tool, record: &mut Record) -> Vec<(String, Difference)> {
    compare_access(old, new, record);
    params::compare(old, new, record);
    let shared = compare_requests(old, new, record);
    compare_repeats(old, new, record);
    output::compare(old, new, record);
    compare_paging(record);
    compare_wait(record);
    compare_errors(record);
    compare_sync(record);
    compare_words(old, new, record);
    shared
}

fn compare_access(old: &Tool, new: &Tool, record: &mut Record) {
    if old.access == new.access {
        return;
    }
    let (classes, more) = match new.access > old.access {
        true => (
            Classes::callers(Class::Breaking).and_operators(Class::Breaking),
            "it needs more consent",
        ),
        false => (
            Classes::callers(Class::Compatible).and_operators(Class::Breaking),
            "it runs with less consent",
        ),
    };
    let message = format!(
        "the access was {} and is {}: {more}",
        old.access, new.access
    );
    record.new_at(Code::AccessChanged, classes, "/access", "access", message);
}

fn compare_requests(old: &Tool, new: &Tool, record: &mut Record) -> Vec<(String, Difference)> {
    let differences = match wire::compare(old, new) {
        Requests::Same => return Vec::new(),
        Requests::Compared(differences) => differences,
        Requests::Unknown(reason) => {
            let classes = Classes::wire(Class::Breaking);
            let message = format!(
                "the request is written differently, and whether it differs cannot be told: {reason}"
            );
            record.new_at(Code::NotCompared, classes, "/request", "request", message);
            return Vec::new();
        }
    };
    let mut shared = Vec::new();
    for difference in differences {
        let is_gone = difference.new.is_none() && difference.place != Place::Whole;
        let tool = if is_gone { old } else { new };
        match home(tool, &difference.place) {
            Some(Home::Service(at)) => shared.push((at, difference)),
            Some(Home::Tool(at)) => note_request(&difference, &at, is_gone, record),
            None => note_request(&difference, "/request", is_gone, record),
        }
    }
    shared
}

/// Notes a difference of a request.
pub(super) fn note_request(difference: &Difference, at: &str, is_gone: bool, record: &mut Record) {
    let place = in_words(&difference.place);
    let show = |text: &Option<String>| {
        text.as_deref()
            .unwrap_or_default()
            .trim_start_matches('=')
            .to_owned()
    };
    let (class, message) = match (&difference.old, &difference.new) {
        _ if difference.place == Place::Whole => (
            Class::Breaking,
            format!(
                "arguments that were sent are refused: {}",
                show(&difference.new)
            ),
        ),
        (None, now) => (
            Class::Compatible,
            format!("{place} is sent too: {}", show(now)),
        ),
        (was, None) => (
            Class::Breaking,
            format!("{place} is no longer sent; it was {}", show(was)),
        ),
        (was, now) => (
            Class::Breaking,
            format!("{place} was {} and is {}", show(was), show(now)),
        ),
    };
    let classes = Classes::wire(class);
    let what = difference.place.name();
    match is_gone {
        true => record.old_at(Code::RequestChanged, classes, at, what, message),
        false => record.new_at(Code::RequestChanged, classes, at, what, message),
    }
}

fn compare_repeats(old: &Tool, new: &Tool, record: &mut Record) {
    let (was, is) = (old.request.idempotent, new.request.idempotent);
    if was == is {
        return;
    }
    let (class, message) = match is {
        true => (Class::Breaking, "a request that failed is sent again now"),
        false => (
            Class::Compatible,
            "a request that failed is no longer sent again",
        ),
    };
    let at = match record.new.get("/request/idempotent").is_some() {
        true => "/request/idempotent",
        false => "/request/method",
    };
    let classes = Classes::wire(class).and_operators(Class::Compatible);
    record.new_at(Code::RepeatChanged, classes, at, "idempotent", message);
}

fn compare_paging(record: &mut Record) {
    const AT: &str = "/paging";
    let (before, now) = record.both(AT);
    match (before, now) {
        (None, None) => return,
        (None, Some(_)) => {
            let classes = Classes::callers(Class::Compatible);
            let message = "the output has pages that follow each other now";
            return record.new_at(Code::PagingChanged, classes, AT, "paging", message);
        }
        (Some(_), None) => {
            let classes = Classes::callers(Class::Breaking);
            let message = "there are no pages any more, so that only the first is read";
            return record.old_at(Code::PagingChanged, classes, AT, "paging", message);
        }
        (Some(_), Some(_)) => {}
    }
    for key in ["items", "entries", "next", "next_url", "while", "limit"] {
        let at = join(AT, key);
        let (before, now) = record.both(&at);
        let is_default =
            |value: Option<&Value>| value.is_none_or(|value| *value == Value::Bool(false));
        if same(before, now) || (key == "entries" && is_default(before) && is_default(now)) {
            continue;
        }
        // How large the last page is does not matter.
        let class = match key {
            "limit" => Class::Compatible,
            _ => Class::Breaking,
        };
        let message = format!(
            "`{key}` of the paging was {} and is {}",
            told(before),
            told(now)
        );
        record.at(
            Code::PagingChanged,
            Classes::callers(class),
            &at,
            key,
            message,
        );
    }
}

fn compare_wait(record: &mut Record) {
    const AT: &str = "/wait";
    let (before, now) = record.both(AT);
    let both = Classes::callers(Class::Breaking).and_wire(Class::Breaking);
    match (before, now) {
        (None, None) => return,
        (None, Some(_)) => {
            let message = "the tool waits for a job now, and gives what the job gives";
            return record.new_at(Code::WaitChanged, both, AT, "wait", message);
        }
        (Some(_), None) => {
            let message = "the tool no longer waits for the job, and gives the first answer";
            return record.old_at(Code::WaitChanged, both, AT, "wait", message);
        }
        (Some(_), Some(_)) => {}
    }
    for (key, classes) in [
        ("path", Classes::wire(Class::Breaking)),
        ("url", Classes::wire(Class::Breaking)),
        ("query", Classes::wire(Class::Breaking)),
        ("headers", Classes::wire(Class::Breaking)),
        ("cancel", Classes::wire(Class::Breaking)),
        ("until", Classes::callers(Class::Breaking)),
        ("fail_when", Classes::callers(Class::Breaking)),
        ("output", Classes::callers(Class::Breaking)),
        ("interval", Classes::operators(Class::Compatible)),
        ("max_interval", Classes::operators(Class::Compatible)),
        ("deadline", Classes::operators(Class::Compatible)),
    ] {
        let at = join(AT, key);
        let (before, now) = record.both(&at);
        let is_empty = |value: Option<&Value>| match value {
            None => true,
            Some(Value::Object(members)) => members.is_empty(),
            Some(Value::Array(items)) => items.is_empty(),
            Some(_) => false,
        };
        if same(before, now) || (is_empty(before) && is_empty(now)) {
            continue;
        }
        let message = format!(
            "`{key}` of the wait was {} and is {}",
            told(before),
            told(now)
        );
        record.at(Code::WaitChanged, classes, &at, key, message);
    }
}

fn compare_errors(record: &mut Record) {
    const AT: &str = "/response/fail_when";
    let (before, now) = record.both(AT);
    if !same(before, now) {
        let message = format!(
            "a success counted as an error when {}, and does when {}",
            told(before),
            told(now)
        );
        let classes = Classes::callers(Class::Breaking);
        record.at(Code::ErrorsChanged, classes, AT, "fail_when", message);
    }
    rules::compare_rules("/response/errors", record);
}

fn compare_sync(record: &mut Record) {
    const AT: &str = "/sync";
    let (before, now) = record.both(AT);
    match (before, now) {
        (None, None) => return,
        (None, Some(_)) => {
            let classes = Classes::operators(Class::Compatible);
            return record.new_at(
                Code::SyncChanged,
                classes,
                AT,
                "sync",
                "the rows can be copied and kept up to date now",
            );
        }
        (Some(_), None) => {
            let classes = Classes::operators(Class::Breaking);
            let message = "it is no longer said how the rows are kept up to date";
            return record.old_at(Code::SyncChanged, classes, AT, "sync", message);
        }
        (Some(_), Some(_)) => {}
    }
    for key in ["key", "cursor", "param", "lag", "parent", "map"] {
        let at = join(AT, key);
        let (before, now) = record.both(&at);
        if same(before, now) {
            continue;
        }
        let class = match key {
            "lag" => Class::Compatible,
            _ => Class::Breaking,
        };
        let message = format!(
            "`{key}` of the sync was {} and is {}",
            told(before),
            told(now)
        );
        record.at(
            Code::SyncChanged,
            Classes::operators(class),
            &at,
            key,
            message,
        );
    }
}

fn compare_words(old: &Tool, new: &Tool, record: &mut Record) {
    let mut changed: Vec<&str> = Vec::new();
    let mut first: Option<String> = None;
    for key in ["title", "description", "docs", "examples"] {
        let at = join("", key);
        let (before, now) = record.both(&at);
        if !same(before, now) {
            changed.push(key);
            first.get_or_insert(at);
        }
    }
    let chart = "/response/chart";
    let (before, now) = record.both(chart);
    if !same(before, now) {
        changed.push("the chart");
        first.get_or_insert(chart.to_owned());
    }
    let words = |schema: Option<&Value>| -> Words {
        let part = schema.map(|schema| Part {
            root: schema,
            schema,
        });
        part.map(words_of).unwrap_or_default()
    };
    let parts = [
        (
            "words about params",
            Some(old.params.schema()),
            Some(new.params.schema()),
            "/params",
        ),
        (
            "words about the output",
            old.output_schema.as_ref(),
            new.output_schema.as_ref(),
            "/response/schema",
        ),
    ];
    for (what, before, now, at) in parts {
        // Words of a part that is gone, or new, say nothing more.
        let (before, now) = (words(before), words(now));
        let differs = before
            .iter()
            .any(|(place, own)| now.get(place).is_some_and(|other| other != own));
        if differs {
            changed.push(what);
            first.get_or_insert(at.to_owned());
        }
    }
    if let Some(at) = first {
        let message = format!("changed: {}", changed.join(", "));
        record.at(
            Code::DocsChanged,
            Classes::callers(Class::Cosmetic),
            &at,
            "",
            message,
        );
    }
}
