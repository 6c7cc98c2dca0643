//! Checks of a service beyond what a call needs.

use serde_json::{Value, json};

use super::schema::report_regex;
use crate::catalog::{Entry, File};
use crate::format::SettingSpec;
use crate::params::bounded;
use crate::source::{Check, Code, join, join_index};
use crate::template::Expression;
use crate::tool::Tool;
use crate::tool::service::Service;
use crate::words::scalar_text;

/// All checks of a service that compiles and is at `pointer`. Mistakes go to `check`.
pub(crate) fn check(service: &Service, pointer: &str, check: &Check) {
    let are_small = report_large_patterns(service, pointer, check);
    for (name, setting) in service.settings().iter().filter(|_| are_small) {
        check_setting(setting, &join(&join(pointer, "settings"), name), check);
    }
    report_bad_default_url(service, pointer, check);
    for secret in service.auth.secrets() {
        if let Some(pattern) = secret.pattern() {
            report_regex(pattern, &join(&secret.pointer, "pattern"), check);
        }
    }
    for name in service.headers.names() {
        if service.auth.header_names().any(|own| own == name) {
            let headers = join(pointer, "headers");
            let written = check
                .source()
                .value()
                .pointer(&headers)
                .and_then(Value::as_object)
                .and_then(|headers| {
                    headers
                        .keys()
                        .find(|key| key.eq_ignore_ascii_case(name))
                        .cloned()
                });
            check.error_at_key(
                Code::BadHeader,
                &join(&headers, written.as_deref().unwrap_or(name)),
                format!("the header `{name}` is set under `headers` and under `auth`"),
                None,
            );
        }
    }
    for (i, (name, _, _)) in service.query.wire_names().enumerate() {
        let encoded = crate::plan::percent_encode(name);
        if service.auth.query_names().any(|own| own == encoded) {
            let query = join(pointer, "query");
            let message = format!("the query parameter `{name}` carries the credential");
            match check.source().value().pointer(&query) {
                Some(Value::Array(_)) => {
                    check.error(Code::DuplicateName, &join_index(&query, i), message);
                }
                _ => check.error_at_key(Code::DuplicateName, &join(&query, name), message, None),
            }
        }
    }
}

/// Reports patterns of settings that would be too large together; whether there are none.
fn report_large_patterns(service: &Service, pointer: &str, check: &Check) -> bool {
    let patterns = service.settings().iter().filter_map(|(name, setting)| {
        Some((
            name.clone(),
            json!({ "pattern": setting.pattern.as_ref()? }),
        ))
    });
    let patterns = Value::Object(patterns.collect());
    match bounded(&patterns) {
        Ok(()) => true,
        Err((at, reason)) => {
            let at = format!("{}{at}/pattern", join(pointer, "settings"));
            check.error(Code::BadRegex, &at, reason);
            false
        }
    }
}

/// A folder's service is found by the folder's name, so the names must match.
pub(crate) fn report_folder(service: &Service, file: &File, check: &Check) {
    if let Some(folder) = file.folder_name()
        && folder != service.name
        && !check.is_broken("/service")
    {
        check.error_with_help(
            Code::BadName,
            "/service",
            format!(
                "the service `{}` stands in a folder called `{folder}`",
                service.name
            ),
            "a service's folder is named for the service, so that its name leads to its tools",
        );
    }
}

/// Reports settings that neither the service nor one of its tools reads. `tools` is called only if the service itself
/// does not read one. A tool that cannot be loaded reads every setting that its text has the name of.
pub(crate) fn report_unused_settings(
    service: &Service,
    pointer: &str,
    check: &Check,
    tools: impl FnOnce() -> Vec<Entry>,
) {
    let mut used = settings_read(service);
    let settings = service.settings();
    if !settings.iter().any(|(name, _)| is_unused(&used, name)) {
        return;
    }
    let tools = tools();
    // A service without tools may still get a tool that reads the setting.
    if tools.is_empty() && pointer.is_empty() {
        return;
    }
    let mut unread = Vec::new();
    for entry in &tools {
        match crate::catalog::load(entry) {
            Ok(tool) => note_settings(&tool, &mut used),
            Err(_) => unread.push(&entry.file),
        }
    }
    report_unused(service, pointer, check, &used, &unread);
}

/// Adds the settings that a tool reads.
fn note_settings(tool: &Tool, used: &mut Vec<String>) {
    tool.visit_requests(&mut |expression, _| used.extend(expression.dotted_names()));
}

/// Reports settings of a tool's own service that neither of them reads.
pub(crate) fn report_own_unused_settings(tool: &Tool, pointer: &str, check: &Check) {
    let mut used = settings_read(&tool.service);
    note_settings(tool, &mut used);
    report_unused(&tool.service, pointer, check, &used, &[]);
}

fn report_unused(
    service: &Service,
    pointer: &str,
    check: &Check,
    used: &[String],
    unread: &[&File],
) {
    let section = join(pointer, "settings");
    let settings = service.settings().iter().map(|(name, _)| name.as_str());
    for name in settings.filter(|name| is_unused(used, name)) {
        if check.may_be_used(name, &[&section]) || unread.iter().any(|file| file.may_hold(&[name]))
        {
            continue;
        }
        check.error_at_key(
            Code::UnusedName,
            &join(&section, name),
            format!("the setting `{name}` is never used"),
            None,
        );
    }
}

/// The names that a service's own expressions read.
fn settings_read(service: &Service) -> Vec<String> {
    let mut used = Vec::new();
    let mut note = |expression: &Expression, _: bool| used.extend(expression.dotted_names());
    service.headers.visit(&mut note);
    service.query.visit(&mut note);
    service.base.visit(&mut note);
    service.auth.visit(&mut note);
    used
}

fn is_unused(used: &[String], name: &str) -> bool {
    let dotted = format!("settings.{name}");
    !used
        .iter()
        .any(|other| *other == dotted || other == "settings")
}

/// The settings' own values, when the user gives none, must give URLs that may be called.
fn report_bad_default_url(service: &Service, pointer: &str, check: &Check) {
    let Ok(settings) = service.default_settings() else {
        return;
    };
    if check.is_broken(&join(pointer, "settings")) {
        return;
    }
    let token_url = service.auth.grant().map(|grant| grant.token_url());
    let urls = [(Some(&service.base), "base_url"), (token_url, "auth")];
    for (url, key) in urls {
        if let Some(url) = url
            && let Err(error) = url.at(&settings, None)
        {
            check.error(
                Code::BadBaseUrl,
                &join(pointer, key),
                format!("with the default settings: {error}"),
            );
        }
    }
}

fn check_setting(setting: &SettingSpec, pointer: &str, check: &Check) {
    let Some(pattern) = &setting.pattern else {
        return;
    };
    match regex::Regex::new(pattern) {
        Err(_) => report_regex(pattern, &join(pointer, "pattern"), check),
        Ok(regex) => {
            for (key, value) in [("default", &setting.default), ("example", &setting.example)] {
                if let Some(text) = value.as_ref().and_then(|value| scalar_text(&value.into()))
                    && !regex.is_match(&text)
                {
                    check.error(
                        Code::BadDefault,
                        &join(pointer, key),
                        format!("the {key} does not match the setting's pattern {pattern}"),
                    );
                }
            }
        }
    }
}
