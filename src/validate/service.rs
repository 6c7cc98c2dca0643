//! Checks of a service beyond what a call needs.

use super::schema::report_regex;
use crate::descriptor::SettingSpec;
use crate::descriptor::code::Code;
use crate::descriptor::source::{Check, join};
use crate::service::Service;
use crate::template::scalar_text;

/// All checks of a service that compiles and stands at `pointer`. Mistakes go to `check`.
pub fn check(service: &Service, pointer: &str, check: &Check) {
    for (name, setting) in service.settings() {
        check_setting(setting, &join(&join(pointer, "settings"), name), check);
    }
    for secret in service.auth.secrets() {
        if let Some(pattern) = secret.pattern() {
            report_regex(pattern, &join(&secret.pointer, "pattern"), check);
        }
    }
    for name in service.headers.names() {
        if service.auth.header_names().any(|own| own == name) {
            check.error(
                Code::BadHeader,
                &join(pointer, "headers"),
                format!("the header `{name}` stands under `headers` and under `auth`"),
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
            if let Some(text) = setting
                .default
                .as_ref()
                .and_then(|d| scalar_text(&d.into()))
                && !regex.is_match(&text)
            {
                check.error(
                    Code::BadDefault,
                    &join(pointer, "default"),
                    format!("the default does not match the setting's pattern {pattern}"),
                );
            }
        }
    }
}
