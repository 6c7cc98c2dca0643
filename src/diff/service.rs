//! A service in two versions: origin, credentials, settings, limits, errors.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::change::{Class, Classes};
use super::record::{Record, Version};
use super::rules;
use super::written::{same, settled, told};
use crate::source::{Code, join, join_index};
use crate::tool::service::Service;

/// Notes how two services differ, except in what they add to every request.
pub(super) fn compare(old: &Service, new: &Service, record: &mut Record) {
    compare_origin(old, new, record);
    compare_settings(record);
    compare_auth(record);
    compare_secrets(old, new, record);
    compare_sending(old, new, record);
    compare_redact(record);
    rules::compare_fields(record);
    compare_words(record);
}

const BREAKS: fn(Class) -> Classes = Classes::operators;

fn compare_origin(old: &Service, new: &Service, record: &mut Record) {
    const AT: &str = "/base_url";
    let (before, now) = record.both(AT);
    let split = |value: Option<&Value>| -> (Option<Value>, Option<Value>) {
        match value {
            Some(Value::Object(members)) => {
                (members.get("url").cloned(), members.get("within").cloned())
            }
            other => (other.cloned(), None),
        }
    };
    let ((old_url, old_within), (new_url, new_within)) = (split(before), split(now));
    let fixed = |service: &Service| {
        let url = service.base.fixed();
        url.map(|url| url.as_str().trim_end_matches('/').to_owned())
    };
    let is_same_url = match (fixed(old), fixed(new)) {
        (Some(before), Some(now)) => before == now,
        _ => same(old_url.as_ref(), new_url.as_ref()),
    };
    if !is_same_url {
        let (was, is) = (told(old_url.as_ref()), told(new_url.as_ref()));
        let classes = BREAKS(Class::Breaking).and_wire(Class::Breaking);
        let message = format!("requests went to {was}, and go to {is}");
        record.new_at(Code::OriginChanged, classes, AT, "base_url", message);
    }
    if !same(old_within.as_ref(), new_within.as_ref()) {
        let (was, is) = (told(old_within.as_ref()), told(new_within.as_ref()));
        let message = format!("the host had to be within {was}, and must be within {is}");
        let at = join(AT, "within");
        let classes = BREAKS(Class::Breaking);
        record.new_at(Code::OriginChanged, classes, &at, "within", message);
    }
    let (was, is) = (
        old.sending.allow_private_network,
        new.sending.allow_private_network,
    );
    if was != is {
        let message = match is {
            true => "requests may go to private addresses now",
            false => "requests may no longer go to private addresses",
        };
        let (at, what) = ("/allow_private_network", "allow_private_network");
        let classes = BREAKS(Class::Breaking);
        record.at(Code::OriginChanged, classes, at, what, message);
    }
}

fn keys(value: Option<&Value>) -> Vec<String> {
    let members = value.and_then(Value::as_object);
    members.into_iter().flat_map(Map::keys).cloned().collect()
}

fn compare_settings(record: &mut Record) {
    const AT: &str = "/settings";
    let (before, now) = record.both(AT);
    let (before, now) = (keys(before), keys(now));
    for name in &before {
        let at = join(AT, name);
        match now.contains(name) {
            true => compare_setting(name, &at, record),
            false => {
                let message = format!("the setting `{name}` is gone");
                let classes = BREAKS(Class::Breaking);
                record.old_at(Code::SettingChanged, classes, &at, name, message);
            }
        }
    }
    for name in now.iter().filter(|name| !before.contains(name)) {
        let at = join(AT, name);
        let has_default = record.new.get(&join(&at, "default")).is_some();
        let (class, text) = match has_default {
            true => (Class::Compatible, "new"),
            false => (
                Class::Breaking,
                "new and has no default, so that it must be given",
            ),
        };
        let message = format!("the setting `{name}` is {text}");
        record.new_at(Code::SettingChanged, BREAKS(class), &at, name, message);
    }
}

fn compare_setting(name: &str, at: &str, record: &mut Record) {
    for key in ["default", "env", "pattern"] {
        let inside = join(at, key);
        let (before, now) = record.both(&inside);
        if same(before, now) {
            continue;
        }
        let classes = match (key, before, now) {
            ("default", None, Some(_)) | ("env", None, _) | ("pattern", _, None) => {
                BREAKS(Class::Compatible)
            }
            ("default", ..) => BREAKS(Class::Breaking).and_wire(Class::Breaking),
            _ => BREAKS(Class::Breaking),
        };
        let message = format!(
            "the `{key}` of the setting `{name}` was {} and is {}",
            told(before),
            told(now)
        );
        let what = format!("{name} {key}");
        record.at(Code::SettingChanged, classes, &inside, what, message);
    }
}

/// The credentials as a list, without what they are when nothing is said, and without their secrets.
fn credentials(value: Option<&Value>) -> Vec<Value> {
    let list = match value {
        None => Vec::new(),
        Some(Value::Array(list)) => list.clone(),
        Some(one) => vec![one.clone()],
    };
    let is_one = |one: &Value| one.get("kind") != Some(&json!("none"));
    list.iter().filter(|one| is_one(one)).map(plain).collect()
}

/// Keys whose absence means this.
fn defaults(kind: &str) -> Vec<(&'static str, Value)> {
    let mut defaults = vec![("optional", json!(false))];
    match kind {
        "api_key" => defaults.push(("prefix", json!(""))),
        "oauth2" => defaults.extend([
            ("client_auth", json!("basic")),
            ("name", json!("authorization")),
            ("prefix", json!("Bearer ")),
        ]),
        "hmac" => defaults.extend([
            ("key_encoding", json!("text")),
            ("encoding", json!("hex")),
            ("in", json!("header")),
            ("prefix", json!("")),
        ]),
        _ => {}
    }
    defaults
}

fn plain(credential: &Value) -> Value {
    let Value::Object(members) = credential else {
        return credential.clone();
    };
    let mut members = members.clone();
    let kind = members.get("kind").and_then(Value::as_str);
    let mut written = Map::new();
    // A bearer token is a key in a header.
    if kind == Some("bearer") {
        members.insert("kind".to_owned(), json!("api_key"));
        members.insert("in".to_owned(), json!("header"));
        members.insert("name".to_owned(), json!("authorization"));
        members.insert("prefix".to_owned(), json!("Bearer"));
    }
    let kind = members
        .get("kind")
        .and_then(Value::as_str)
        .unwrap_or_default();
    for (key, value) in defaults(kind) {
        written.insert(key.to_owned(), value);
    }
    for (key, member) in &members {
        let value = match (key.as_str(), member) {
            ("name", Value::String(name)) if members.get("in") == Some(&json!("header")) => {
                name.to_ascii_lowercase().into()
            }
            ("prefix", Value::String(prefix)) => prefix.trim_end().into(),
            _ => without_secrets(member),
        };
        written.insert(key.clone(), value);
    }
    if let Some(Value::String(prefix)) = written.get_mut("prefix") {
        *prefix = prefix.trim_end().to_owned();
    }
    settled(&Value::Object(written))
}

/// A value with a mark in place of each reference to a secret.
fn without_secrets(value: &Value) -> Value {
    const PLACES: [&str; 4] = ["env", "file", "command", "keyring"];
    match value {
        Value::Object(members) if PLACES.iter().any(|key| members.contains_key(*key)) => {
            json!({ "a secret": true })
        }
        Value::Object(members) => {
            let member = |(key, value): (&String, &Value)| (key.clone(), without_secrets(value));
            Value::Object(members.iter().map(member).collect())
        }
        other => other.clone(),
    }
}

fn compare_auth(record: &mut Record) {
    const AT: &str = "/auth";
    let (before, now) = record.both(AT);
    let (was, is) = (credentials(before), credentials(now));
    if was == is {
        return;
    }
    let kind = |one: &Value| one.get("kind").and_then(Value::as_str).map(str::to_owned);
    let kinds = |list: &[Value]| -> String {
        let kinds: Vec<String> = list.iter().filter_map(kind).collect();
        match kinds.is_empty() {
            true => "no credential".to_owned(),
            false => format!("`{}`", kinds.join("`, `")),
        }
    };
    let (place, text) = match kinds(&was) == kinds(&is) {
        false => {
            let text = format!("requests carried {}, and carry {}", kinds(&was), kinds(&is));
            (AT.to_owned(), text)
        }
        true => {
            let at = (0..is.len()).find(|at| was[*at] != is[*at]).unwrap_or(0);
            let key = differing(&was[at], &is[at]);
            let place = match now {
                Some(Value::Array(_)) => join_index(AT, at),
                _ => AT.to_owned(),
            };
            let text = format!(
                "the `{key}` of the credential was {} and is {}",
                told(was[at].get(&key)),
                told(is[at].get(&key))
            );
            (join(&place, &key), text)
        }
    };
    let weakens = is
        .iter()
        .any(|one| one.get("optional") == Some(&json!(true)));
    let is_only_optional = was.len() == is.len()
        && was.iter().zip(&is).all(|(was, is)| {
            let strip = |value: &Value| {
                let mut value = value.clone();
                if let Some(members) = value.as_object_mut() {
                    members.shift_remove("optional");
                }
                value
            };
            strip(was) == strip(is)
        });
    let classes = match is_only_optional && weakens {
        true => BREAKS(Class::Compatible),
        false if is_only_optional => BREAKS(Class::Breaking),
        false => BREAKS(Class::Breaking).and_wire(Class::Breaking),
    };
    record.at(Code::AuthChanged, classes, &place, "auth", text);
}

/// The first key in which two maps differ.
fn differing(one: &Value, other: &Value) -> String {
    let keys: BTreeSet<String> = keys(Some(one))
        .into_iter()
        .chain(keys(Some(other)))
        .collect();
    let differs = |key: &&String| one.get(*key) != other.get(*key);
    keys.iter().find(differs).cloned().unwrap_or_default()
}

/// Each secret: where it comes from, and where in the file that is said.
fn secrets(service: &Service, record_at: &str, file: &Value) -> Vec<(Value, String)> {
    let secrets = service.auth.secrets().iter();
    let told = secrets.filter_map(|secret| {
        let value = file.pointer(&secret.pointer)?;
        let inside = secret.pointer.strip_prefix(record_at)?;
        Some((value.clone(), inside.to_owned()))
    });
    told.collect()
}

fn compare_secrets(old: &Service, new: &Service, record: &mut Record) {
    const PLACES: [&str; 4] = ["env", "file", "command", "keyring"];
    let place_of = |secret: &Value| {
        let key = PLACES.iter().find(|key| secret.get(**key).is_some());
        key.map(|key| ((*key).to_owned(), settled(&secret[*key])))
    };
    let before = secrets(old, &record.old.at, record.old.source.value());
    let now = secrets(new, &record.new.at, record.new.source.value());
    let places = |list: &[(Value, String)]| -> Vec<_> {
        list.iter()
            .filter_map(|(value, _)| place_of(value))
            .collect()
    };
    let (was, is) = (places(&before), places(&now));
    for (secret, at) in &now {
        let Some(place) = place_of(secret) else {
            continue;
        };
        if let Some((known, _)) = before
            .iter()
            .find(|(known, _)| place_of(known).as_ref() == Some(&place))
        {
            compare_pattern(known, secret, at, record);
            continue;
        }
        // A secret that only changed its place is told once.
        let left = was.iter().filter(|place| !is.contains(place));
        let from = match left.clone().count() {
            1 => left.map(in_words).next(),
            _ => None,
        };
        let message = match from {
            Some(from) => format!(
                "the secret came from {from}, and comes from {}",
                in_words(&place)
            ),
            None => format!("a secret is new: it comes from {}", in_words(&place)),
        };
        let message = match place.0.as_str() {
            "command" => format!("{message}, which only runs in a folder that is trusted"),
            _ => message,
        };
        let classes = BREAKS(Class::Breaking);
        record.new_at(Code::SecretChanged, classes, at, in_words(&place), message);
    }
    let replaced = is.iter().filter(|place| !was.contains(place)).count();
    let gone = before
        .iter()
        .filter(|(secret, _)| place_of(secret).is_some_and(|place| !is.contains(&place)));
    let gone: Vec<&(Value, String)> = gone.collect();
    if replaced > 0 && gone.len() == 1 {
        return;
    }
    for (secret, at) in gone {
        let place = place_of(secret).unwrap_or_default();
        let message = format!(
            "the secret from {} is not needed any more",
            in_words(&place)
        );
        let classes = BREAKS(Class::Compatible);
        record.old_at(Code::SecretChanged, classes, at, in_words(&place), message);
    }
}

fn in_words((key, value): &(String, Value)) -> String {
    match (key.as_str(), value) {
        ("env", Value::String(name)) => format!("${name}"),
        ("file", Value::String(path)) => format!("the file {path}"),
        ("command", Value::Array(words)) => {
            let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
            format!("the command {}", words.first().copied().unwrap_or_default())
        }
        _ => "the keyring".to_owned(),
    }
}

fn compare_pattern(old: &Value, new: &Value, at: &str, record: &mut Record) {
    let (before, now) = (old.get("pattern"), new.get("pattern"));
    if before == now {
        return;
    }
    let class = match now {
        None => Class::Compatible,
        Some(_) => Class::Breaking,
    };
    let message = format!(
        "the secret had to match {}, and must match {}",
        told(before),
        told(now)
    );
    let at = join(at, "pattern");
    record.at(Code::SecretChanged, BREAKS(class), &at, "pattern", message);
}

fn compare_sending(old: &Service, new: &Service, record: &mut Record) {
    let (was, is) = (&old.sending, &new.sending);
    let time = |duration: crate::words::Duration| format!("{:?}", duration.0);
    let rate = |service: &Service| match service.sending.rate_limit {
        None => "none".to_owned(),
        Some((requests, per)) => format!("{requests} per {per:?}"),
    };
    let statuses = |service: &Service| {
        let mut statuses = service.sending.retry.statuses.clone();
        statuses.sort_unstable();
        format!("{statuses:?}")
    };
    let pairs = [
        ("/rate_limit", rate(old), rate(new)),
        (
            "/retry/max_attempts",
            was.retry.max_attempts.to_string(),
            is.retry.max_attempts.to_string(),
        ),
        ("/retry/statuses", statuses(old), statuses(new)),
        (
            "/retry/base_delay",
            time(was.retry.base_delay),
            time(is.retry.base_delay),
        ),
        (
            "/retry/max_delay",
            time(was.retry.max_delay),
            time(is.retry.max_delay),
        ),
        (
            "/timeout/connect",
            time(was.timeout.connect),
            time(is.timeout.connect),
        ),
        (
            "/timeout/read",
            time(was.timeout.read),
            time(is.timeout.read),
        ),
        (
            "/timeout/total",
            time(was.timeout.total),
            time(is.timeout.total),
        ),
        (
            "/limits/response_bytes",
            was.limits.response_bytes.to_string(),
            is.limits.response_bytes.to_string(),
        ),
    ];
    let is_smaller = is.limits.response_bytes < was.limits.response_bytes;
    for (at, before, now) in pairs.into_iter().filter(|(_, before, now)| before != now) {
        let name = at.trim_start_matches('/').replace('/', ".");
        let classes = match at == "/limits/response_bytes" && is_smaller {
            true => Classes::callers(Class::Breaking).and_operators(Class::Compatible),
            false => BREAKS(Class::Compatible),
        };
        let message = format!("`{name}` was {before} and is {now}");
        record.at(Code::LimitsChanged, classes, at, name, message);
    }
}

/// A field that recordings no longer hide may be one that nobody should see.
fn compare_redact(record: &mut Record) {
    const AT: &str = "/redact";
    let rules = |value: Option<&Value>| -> Vec<(String, String)> {
        let rules = value.and_then(Value::as_array).into_iter().flatten();
        let both = rules.filter_map(|rule| match rule {
            Value::String(path) => Some((path.clone(), "pseudonym".to_owned())),
            rule => {
                let path = rule.get("path")?.as_str()?.to_owned();
                let by = rule.get("as").and_then(Value::as_str);
                Some((path, by.unwrap_or("pseudonym").to_owned()))
            }
        });
        both.collect()
    };
    let (before, now) = record.both(AT);
    let (before, now) = (rules(before), rules(now));
    let by = |rules: &[(String, String)], path: &str| {
        let mut rules = rules.iter();
        rules.find(|rule| rule.0 == path).map(|rule| rule.1.clone())
    };
    for (at, (path, was)) in before.iter().enumerate() {
        let at = join_index(AT, at);
        match by(&now, path) {
            None => {
                let message = format!("recordings no longer hide `{path}`");
                let classes = BREAKS(Class::Breaking);
                record.old_at(Code::RedactChanged, classes, &at, path, message);
            }
            Some(is) if is != *was => {
                let class = match is == "removed" {
                    true => Class::Compatible,
                    false => Class::Breaking,
                };
                let message = format!("`{path}` was hidden as {was}, and is as {is}");
                record.old_at(Code::RedactChanged, BREAKS(class), &at, path, message);
            }
            Some(_) => {}
        }
    }
    for (at, (path, _)) in now.iter().enumerate() {
        if by(&before, path).is_none() {
            let message = format!("recordings hide `{path}` now");
            let classes = BREAKS(Class::Compatible);
            record.new_at(
                Code::RedactChanged,
                classes,
                &join_index(AT, at),
                path,
                message,
            );
        }
    }
}

fn compare_words(record: &mut Record) {
    let keys = ["title", "description", "docs"];
    let mut changed: Vec<String> = Vec::new();
    let mut first = None;
    for key in keys {
        let at = join("", key);
        let (before, now) = record.both(&at);
        if before != now {
            changed.push(key.to_owned());
            first.get_or_insert(at);
        }
    }
    let (before, now) = (
        keys_of_settings(&record.old, &record.new),
        keys_of_settings(&record.new, &record.old),
    );
    if before != now {
        changed.push("words about settings".to_owned());
        first.get_or_insert("/settings".to_owned());
    }
    let help = |version: &Version| {
        let mut found = Vec::new();
        gather_help(version.get("/auth").unwrap_or(&Value::Null), &mut found);
        found
    };
    if help(&record.old) != help(&record.new) {
        changed.push("help for secrets".to_owned());
        first.get_or_insert("/auth".to_owned());
    }
    if let Some(at) = first {
        let message = format!("changed: {}", changed.join(", "));
        let classes = BREAKS(Class::Cosmetic).and_wire(Class::None);
        record.at(Code::DocsChanged, classes, &at, "", message);
    }
}

/// The descriptions and examples of the settings that another version has too.
fn keys_of_settings(version: &Version, other: &Version) -> BTreeSet<String> {
    let settings = version.get("/settings").and_then(Value::as_object);
    let known = |name: &str| other.get(&join("/settings", name)).is_some();
    let settings = settings
        .into_iter()
        .flatten()
        .filter(|(name, _)| known(name));
    settings
        .flat_map(|(name, setting)| {
            ["description", "example"].map(|key| format!("{name} {key} {:?}", setting.get(key)))
        })
        .collect()
}

fn gather_help(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                match (key.as_str(), member) {
                    ("help", Value::String(text)) => found.push(text.clone()),
                    _ => gather_help(member, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| gather_help(item, found)),
        _ => {}
    }
}
