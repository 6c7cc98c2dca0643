//! From a source's value to the typed form. Every mistake in the shape becomes a finding.

use std::sync::LazyLock;

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::habits::{form_of, help_for, meant_by};
use super::{FileSchema, excess, mend};
use crate::params::word;
use crate::source::{Check, Code, join};
use crate::words::{nearest, nearest_of};

/// Reads the typed form from a source's value. All mistakes in the shape go to `check`.
///
/// If `check` asks for every check, the sound parts are returned even when others are broken. So the mistakes in them are
/// found in the same run.
///
/// The schema is lazy: a call with a sound file never needs it, and making it would double the time of a call.
pub(crate) fn decode<T: DeserializeOwned>(
    schema: &LazyLock<FileSchema>,
    check: &Check,
) -> Option<T> {
    if excess::report(check) {
        return None;
    }
    if check.proves() {
        return mend::read(schema, check);
    }
    let source = check.source().clone();
    // The path to a mistake is only computed when there is a mistake.
    if let Ok(spec) = T::deserialize(source.value()) {
        return Some(spec);
    }
    match serde_path_to_error::deserialize::<_, T>(source.value()) {
        Ok(spec) => Some(spec),
        Err(error) => {
            report_shape(schema, source.value(), check, &mut Faults::default());
            if !check.failed() {
                report_unread(&error, check);
            }
            None
        }
    }
}

/// Reports a value that the schema allows and the typed form refuses. Returns its place.
pub(super) fn report_unread(
    error: &serde_path_to_error::Error<serde_json::Error>,
    check: &Check,
) -> String {
    let pointer = pointer_of(error.path());
    let message = match is_confidential(&pointer) {
        true => "this value is not what its key takes".to_owned(),
        false => error.inner().to_string(),
    };
    check.error(Code::BadValue, &pointer, message);
    pointer
}

fn pointer_of(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .fold(String::new(), |pointer, segment| match segment {
            Segment::Seq { index } => join(&pointer, &index.to_string()),
            Segment::Map { key } => join(&pointer, key),
            Segment::Enum { .. } | Segment::Unknown => pointer,
        })
}

/// Reports every way in which the value violates the schema of its kind, and collects the violations.
pub(super) fn report_shape(schema: &FileSchema, value: &Value, check: &Check, faults: &mut Faults) {
    for error in schema.validator().iter_errors(value) {
        report(schema, &error, check, faults);
    }
}

/// A violation of the schema, and what it leaves unusable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// A key that the schema does not know, and the key that was probably meant.
    Unknown {
        at: String,
        key: String,
        meant: Option<String>,
    },
    /// A map lacks a key.
    Missing { at: String, key: String },
    /// A map has none of several keys, of which it needs one.
    Choice { at: String },
    /// A value that is not allowed.
    Bad { at: String },
}

/// The violations of one value.
#[derive(Debug, Default)]
pub(super) struct Faults {
    pub list: Vec<Fault>,
    /// The places whose violations are reported; `None` for all. Others were reported before, or come from mending.
    pub only_below: Option<Vec<String>>,
}

impl Faults {
    fn collect(&mut self, schema: &FileSchema, error: &ValidationError<'_>, check: &Check) {
        let at = error.instance_path().to_string();
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                let known = known_keys(schema, error);
                for key in unexpected {
                    self.list.push(Fault::Unknown {
                        meant: meant_key(&at, key, &known, check),
                        at: at.clone(),
                        key: key.clone(),
                    });
                }
            }
            ValidationErrorKind::PropertyNames { error: inner } => {
                let key = inner.instance().as_str().unwrap_or_default();
                self.list.push(Fault::Bad { at: join(&at, key) });
            }
            ValidationErrorKind::Required { property } => {
                let key = property.as_str().unwrap_or_default().to_owned();
                self.list.push(Fault::Missing { at, key });
            }
            ValidationErrorKind::OneOfMultipleValid { .. } if is_choice_of_keys(schema, error) => {
                let second = given_keys(schema, error).get(1).cloned();
                self.list.extend(second.map(|key| Fault::Bad {
                    at: join(&at, &key),
                }));
            }
            ValidationErrorKind::AnyOf { .. } | ValidationErrorKind::OneOfNotValid { .. }
                if is_choice_of_keys(schema, error) && error.instance().is_object() =>
            {
                self.list.push(Fault::Choice { at });
            }
            ValidationErrorKind::OneOfNotValid { .. }
                if let Some(kinds) = kinds_to_choose(schema, error) =>
            {
                self.list.push(match key_with_kind(error, &kinds) {
                    Some(key) => Fault::Unknown {
                        at,
                        key,
                        meant: Some("kind".to_owned()),
                    },
                    None => Fault::Missing {
                        at,
                        key: "kind".to_owned(),
                    },
                });
            }
            ValidationErrorKind::AnyOf { context }
            | ValidationErrorKind::OneOfNotValid { context }
                if !error.instance().is_null()
                    && choice(context, &at).is_none()
                    && meant_branch(context, &at).is_some() => {}
            _ => self.list.push(Fault::Bad { at }),
        }
    }

    /// Whether a violation at this place is not to be reported.
    fn are_silent(&self, at: &str, check: &Check) -> bool {
        let is_below = |place: &String| {
            let rest = at.strip_prefix(place.as_str());
            rest.is_some_and(|rest| rest.starts_with('/'))
        };
        let places = self.only_below.as_ref();
        places.is_some_and(|places| !places.iter().any(is_below)) || check.is_unread(at)
    }
}

/// The key that was meant by one that is unknown at a place.
fn meant_key(at: &str, key: &str, known: &[String], check: &Check) -> Option<String> {
    let is_there = |name: &str| {
        let here = check.source().value().pointer(at);
        here.and_then(|here| here.get(name)).is_some()
    };
    nearest_key(key, known)
        .filter(|meant| !is_there(meant))
        .map(str::to_owned)
}

/// The known key that is spelt like this one, or that people mean by it.
fn nearest_key<'k>(key: &str, known: &'k [String]) -> Option<&'k str> {
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    nearest_of(key, known.iter().copied()).or_else(|| meant_by(key, &known))
}

fn help_for_key(at: &str, key: &str, known: &[String], check: &Check) -> String {
    let names = || known.iter().map(String::as_str);
    let meant = || meant_key(at, key, known, check).map(|meant| format!("did you mean `{meant}`?"));
    nearest(key, names())
        .or_else(|| help_for(key, known).map(str::to_owned))
        .or_else(meant)
        .unwrap_or_else(|| format!("the keys here are {}", known.join(", ")))
}

/// The kinds among which a map chooses by its key `kind`, if it has no such key.
fn kinds_to_choose<'s>(
    schema: &'s FileSchema,
    error: &ValidationError<'_>,
) -> Option<Vec<&'s str>> {
    let members = error.instance().as_object()?;
    if members.contains_key("kind") {
        return None;
    }
    let branches = schema.schema().pointer(&error.schema_path().to_string())?;
    let kind = |branch: &'s Value| branch.pointer("/properties/kind/const")?.as_str();
    branches.as_array()?.iter().map(kind).collect()
}

/// The key whose value is one of the kinds, such as `type: bearer`.
fn key_with_kind(error: &ValidationError<'_>, kinds: &[&str]) -> Option<String> {
    let mut members = error.instance().as_object()?.iter();
    let is_kind = |value: &Value| value.as_str().is_some_and(|word| kinds.contains(&word));
    let (key, _) = members.find(|(_, value)| is_kind(value))?;
    Some(key.clone())
}

/// Reports that a map does not say of which kind it is.
fn report_no_kind(at: &str, error: &ValidationError<'_>, kinds: &[&str], check: &Check) {
    match key_with_kind(error, kinds) {
        Some(key) => check.error_at_key(
            Code::UnknownKey,
            &join(at, &key),
            format!("`{key}` is no key here"),
            Some("did you mean `kind`?".to_owned()),
        ),
        None => check.missing_key(
            at,
            "kind",
            format!(
                "the key `kind` is missing; it is one of {}",
                kinds.join(", ")
            ),
        ),
    }
}

/// Whether a key that no tool has belongs to a service.
fn is_of_service(schema: &FileSchema, key: &str) -> bool {
    let service = schema.schema().pointer("/$defs/ServiceSpec/properties");
    service.is_some_and(|keys| keys.get(key).is_some())
}

/// Whether a map that lacks a key has a misspelt one that means it. That is a finding of its own.
fn is_misspelt(schema: &FileSchema, error: &ValidationError<'_>, missing: &str) -> bool {
    let known = known_keys(schema, error);
    let members = error.instance().as_object();
    let mut unknown = members
        .into_iter()
        .flat_map(|members| members.keys())
        .filter(|key| !known.contains(key));
    unknown.any(|key| nearest_key(key, &known) == Some(missing))
}

fn report(schema: &FileSchema, error: &ValidationError<'_>, check: &Check, faults: &mut Faults) {
    let at = error.instance_path().to_string();
    faults.collect(schema, error, check);
    if faults.are_silent(&at, check) {
        if let ValidationErrorKind::AnyOf { context }
        | ValidationErrorKind::OneOfNotValid { context } = error.kind()
        {
            for error in meant_branch(context, &at).unwrap_or_default() {
                report(schema, error, check, faults);
            }
        }
        return;
    }
    match error.kind() {
        ValidationErrorKind::Type { .. }
        | ValidationErrorKind::AnyOf { .. }
        | ValidationErrorKind::OneOfNotValid { .. }
            if error.instance().is_null() =>
        {
            check.error_with_help(
                Code::WrongType,
                &at,
                "this key has no value",
                "write a value, or leave the key out",
            );
        }
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let known = known_keys(schema, error);
            for key in unexpected {
                // What could not be read may have been a value of another kind.
                if check.is_unread(&join(&at, key)) {
                    continue;
                }
                let help = match (at.as_str(), key.as_str()) {
                    ("", key) if is_of_service(schema, key) => Some(
                        "it belongs to the service: put it into its service.yaml, or into `service: { ... }`"
                            .to_owned(),
                    ),
                    ("/service", "spec") => Some("remove it; the file's own `spec` counts".to_owned()),
                    _ => Some(help_for_key(&at, key, &known, check)).filter(|_| !known.is_empty()),
                };
                check.error_at_key(
                    Code::UnknownKey,
                    &join(&at, key),
                    format!("`{key}` is no key here"),
                    help,
                );
            }
        }
        ValidationErrorKind::PropertyNames { error: inner } => {
            let key = inner.instance().as_str().unwrap_or_default();
            let (code, message) = match key {
                "" => (Code::BadValue, "a query parameter needs a name".to_owned()),
                _ => (
                    Code::BadName,
                    format!("`{key}` is no name that an expression can read"),
                ),
            };
            let help = (!key.is_empty()).then(|| "use letters, digits and `_`".to_owned());
            check.error_at_key(code, &join(&at, key), message, help);
        }
        ValidationErrorKind::Required { property } => {
            let key = property.as_str().unwrap_or_default();
            if !check.is_lost(&at, key) && !is_misspelt(schema, error, key) {
                check.missing_key(&at, key, format!("the key `{key}` is missing"));
            }
        }
        ValidationErrorKind::OneOfMultipleValid { .. } if is_choice_of_keys(schema, error) => {
            report_keys(schema, error, check);
        }
        ValidationErrorKind::OneOfNotValid { .. }
            if let Some(kinds) = kinds_to_choose(schema, error) =>
        {
            if !check.is_lost(&at, "kind") {
                report_no_kind(&at, error, &kinds, check);
            }
        }
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            if is_choice_of_keys(schema, error) {
                report_keys(schema, error, check);
                return;
            }
            if report_choice(context, &at, error, check) {
                return;
            }
            match meant_branch(context, &at) {
                Some(branch) => {
                    for error in branch {
                        report(schema, error, check, faults);
                    }
                }
                None if is_confidential(&at) => check.error_with_help(
                    Code::WrongType,
                    &at,
                    "this value matches none of the forms that its key takes",
                    form_of(&at).unwrap_or(
                        "a secret is a reference: `{ env: VARIABLE }` or `{ file: PATH }`",
                    ),
                ),
                None => {
                    let message = format!(
                        "this value matches none of the forms that its key takes: {}",
                        forms(context)
                    );
                    match form_of(&at) {
                        Some(help) => check.error_with_help(Code::WrongType, &at, message, help),
                        None => check.error(Code::WrongType, &at, message),
                    }
                }
            }
        }
        // If somebody pastes a secret in place of its reference, the secret must not appear in a CI log.
        ValidationErrorKind::Type { .. } if is_confidential(&at) => check.error_with_help(
            Code::WrongType,
            &at,
            "this must be a reference to a secret",
            "write `{ env: VARIABLE }` or `{ file: PATH }`; never the secret itself",
        ),
        ValidationErrorKind::Type { .. }
            if error.schema_path().to_string().contains("/Duration/") =>
        {
            let help = "write 500ms, 30s, 1m or 1h";
            check.error_with_help(Code::WrongType, &at, word(error), help);
        }
        ValidationErrorKind::Type { .. } => match form_of(&at) {
            Some(help) => check.error_with_help(Code::WrongType, &at, word(error), help),
            None => check.error(Code::WrongType, &at, word(error)),
        },
        ValidationErrorKind::Pattern { .. } | ValidationErrorKind::MaxLength { .. }
            if error.schema_path().to_string().contains("/Name/") =>
        {
            check.error_with_help(
                Code::BadName,
                &at,
                word(error),
                "a name has lower-case letters, digits and single hyphens",
            );
        }
        ValidationErrorKind::Pattern { .. }
            if error.schema_path().to_string().contains("/SettingSpec/") =>
        {
            check.error_with_help(
                Code::BadName,
                &at,
                "this is no name of an environment variable",
                "a variable has upper-case letters, digits and `_`",
            );
        }
        ValidationErrorKind::Pattern { .. } if at.ends_with("/env") => check.error_with_help(
            Code::BadValue,
            &at,
            "this is no name of an environment variable",
            "name the variable that holds the secret (upper-case letters, digits and `_`); never write the secret itself",
        ),
        ValidationErrorKind::Pattern { .. } if at.ends_with("/path") => check.error_with_help(
            Code::BadValue,
            &at,
            "the path must start with `/`",
            "it is appended to the service's base URL",
        ),
        ValidationErrorKind::Pattern { .. }
            if error.schema_path().to_string().contains("/Duration/") =>
        {
            check.error_with_help(
                Code::BadValue,
                &at,
                format!("{} is no length of time", error.instance()),
                "write 500ms, 30s, 1m or 1h",
            );
        }
        _ if is_confidential(&at) => {
            check.error(Code::BadValue, &at, "this value is not what its key takes");
        }
        _ => check.error(Code::BadValue, &at, word(error)),
    }
}

/// Whether the value is in a place where a secret may have been written by mistake.
fn is_confidential(pointer: &str) -> bool {
    let inside = pointer.strip_prefix("/service").unwrap_or(pointer);
    let key = inside.rsplit('/').next().unwrap_or_default();
    if inside.starts_with("/tokens/") {
        return key == "token";
    }
    inside.starts_with("/auth") && !PLAIN_KEYS.contains(&key) && !inside.contains("/response/")
}

/// Keys of an auth section whose values are not secrets and are never mistaken for secrets.
const PLAIN_KEYS: [&str; 21] = [
    "optional",
    "kind",
    "in",
    "name",
    "grant",
    "token_url",
    "url",
    "within",
    "scope",
    "client_auth",
    "response",
    "algorithm",
    "encoding",
    "key_encoding",
    "message",
    "prefix",
    "region",
    "service",
    "payload",
    "command",
    "keyring",
];

/// The keys that the schema knows in the place of an unknown key.
fn known_keys(schema: &FileSchema, error: &ValidationError<'_>) -> Vec<String> {
    let path = error.schema_path().to_string();
    let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
    schema
        .schema()
        .pointer(parent)
        .and_then(|schema| schema.get("properties"))
        .and_then(Value::as_object)
        .map(|properties| properties.keys().cloned().collect())
        .unwrap_or_default()
}

/// The keys of which exactly one must be present, if the schema says so: `oneOf` over nothing but `required`.
fn chosen_keys<'s>(schema: &'s FileSchema, error: &ValidationError<'_>) -> Option<Vec<&'s str>> {
    let branches = schema.schema().pointer(&error.schema_path().to_string())?;
    let only_key = |branch: &'s Value| match branch.as_object()?.iter().next()? {
        (keyword, Value::Array(keys)) if keyword == "required" => keys.first()?.as_str(),
        _ => None,
    };
    branches.as_array()?.iter().map(only_key).collect()
}

/// Those of the keys to choose from that are present.
fn given_keys(schema: &FileSchema, error: &ValidationError<'_>) -> Vec<String> {
    let keys = chosen_keys(schema, error).unwrap_or_default();
    let members = error.instance().as_object();
    let given = members.into_iter().flat_map(|members| members.keys());
    given
        .filter(|key| keys.contains(&key.as_str()))
        .cloned()
        .collect()
}

fn is_choice_of_keys(schema: &FileSchema, error: &ValidationError<'_>) -> bool {
    chosen_keys(schema, error).is_some()
}

/// Reports that none of several keys is present, or more than one.
fn report_keys(schema: &FileSchema, error: &ValidationError<'_>, check: &Check) {
    // Another finding reports a value that is not a map, or an unknown key that may be a misspelling of one of these.
    let Some(members) = error.instance().as_object() else {
        return;
    };
    let known = known_keys(schema, error);
    let keys = chosen_keys(schema, error).unwrap_or_default();
    let at = error.instance_path().to_string();
    let given = given_keys(schema, error);
    let choice = keys.join(", ");
    match given.as_slice() {
        [first, second, ..] => check.error_at_key(
            Code::BadValue,
            &join(&at, second),
            format!("`{first}` and `{second}` cannot be used together"),
            Some(format!("write one of {choice}")),
        ),
        _ if keys.iter().any(|key| check.is_lost(&at, key)) => {}
        _ if members.keys().all(|key| known.contains(key)) => check.error_at_map(
            Code::MissingKey,
            &at,
            format!("one of the keys {choice} is missing"),
        ),
        _ => {}
    }
}

/// The alternative that the author probably meant: one that fails deeper than at its own type or discriminator. Among
/// those, the one with the fewest mistakes.
fn meant_branch<'b>(
    context: &'b [Vec<ValidationError<'static>>],
    at: &str,
) -> Option<&'b [ValidationError<'static>]> {
    let closest = |is_other: &dyn Fn(&ValidationError<'static>) -> bool| {
        context
            .iter()
            .filter(|branch| !branch.iter().any(is_other))
            .min_by_key(|branch| branch.len())
    };
    let has_other_type = |error: &ValidationError<'static>| match error.kind() {
        ValidationErrorKind::Type { .. } => error.instance_path().to_string() == at,
        _ => all_types_differ(error, at),
    };
    closest(&|error| is_other_form(error, at))
        .or_else(|| {
            // All fail at their discriminator. One whose type matches can at least name the values that it knows.
            let is_leaf = |error: &ValidationError<'static>| {
                has_other_type(error)
                    || matches!(error.kind(), ValidationErrorKind::Constant { .. })
            };
            closest(&is_leaf)
        })
        .map(Vec::as_slice)
}

/// Whether every alternative of a nested choice requires another type.
fn all_types_differ(error: &ValidationError<'static>, at: &str) -> bool {
    match error.kind() {
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            context.iter().all(|branch| {
                branch.iter().any(|inner| {
                    matches!(inner.kind(), ValidationErrorKind::Type { .. })
                        && inner.instance_path().to_string() == at
                })
            })
        }
        _ => false,
    }
}

/// The place in which one of several fixed words must be, and the words, if every alternative has one.
fn choice<'w>(
    context: &'w [Vec<ValidationError<'static>>],
    at: &str,
) -> Option<(String, Vec<&'w str>)> {
    [at.to_owned(), join(at, "kind")]
        .into_iter()
        .find_map(|place| {
            let words: Vec<&str> = context
                .iter()
                .flatten()
                .filter(|inner| inner.instance_path().to_string() == place)
                .filter_map(|inner| match inner.kind() {
                    ValidationErrorKind::Constant { expected_value } => expected_value.as_str(),
                    _ => None,
                })
                .collect();
            (words.len() >= context.len()).then_some((place, words))
        })
}

/// Reports a value that is none of the fixed words, or none of the kinds, that are allowed. True if the schema has such
/// a choice.
fn report_choice(
    context: &[Vec<ValidationError<'static>>],
    at: &str,
    error: &ValidationError<'_>,
    check: &Check,
) -> bool {
    if let Some((place, words)) = choice(context, at) {
        let given = match place == at {
            true => error.instance().as_str(),
            false => error.instance().get("kind").and_then(Value::as_str),
        };
        let is_secret = is_confidential(&place);
        let message = match given {
            Some(given) if !is_secret => format!("`{given}` is not one of {}", words.join(", ")),
            _ => format!("this must be one of {}", words.join(", ")),
        };
        let help = given.and_then(|given| nearest(given, words.iter().copied()));
        match help {
            Some(help) => check.error_with_help(Code::BadValue, &place, message, help),
            None => check.error(Code::BadValue, &place, message),
        }
        return true;
    }
    false
}

fn is_other_form(error: &ValidationError<'_>, at: &str) -> bool {
    let path = error.instance_path().to_string();
    match error.kind() {
        ValidationErrorKind::Type { .. } => path == at,
        ValidationErrorKind::Constant { .. } => path == join(at, "kind"),
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            path == at
                && context
                    .iter()
                    .all(|branch| branch.iter().any(|inner| is_other_form(inner, at)))
        }
        _ => false,
    }
}

fn forms(context: &[Vec<ValidationError<'static>>]) -> String {
    let mut words: Vec<String> = context.iter().flatten().map(word).collect();
    words.sort();
    words.dedup();
    words.join("; or ")
}
