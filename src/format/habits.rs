//! Keys that people write out of habit, because other formats have them, and what they are called here.

/// Pairs of a key that is not known anywhere, and the one that is meant, where that is known and absent.
const MEANT: [(&str, &str); 48] = [
    ("api_key", "secret"),
    ("arguments", "args"),
    ("baseUrl", "base_url"),
    ("base", "base_url"),
    ("cursor", "next"),
    ("data", "items"),
    ("endpoint", "path"),
    ("environment", "env"),
    ("error", "errors"),
    ("expect", "output"),
    ("expected", "output"),
    ("fields", "output"),
    ("header", "headers"),
    ("host", "base_url"),
    ("http_method", "method"),
    ("input", "args"),
    ("input_schema", "params"),
    ("inputs", "params"),
    ("inputSchema", "params"),
    ("interval", "per"),
    ("key", "secret"),
    ("mapping", "output"),
    ("max_retries", "max_attempts"),
    ("name", "tool"),
    ("name", "service"),
    ("next_page", "next"),
    ("pagination", "paging"),
    ("parameters", "params"),
    ("qs", "query"),
    ("query_params", "query"),
    ("queryParams", "query"),
    ("rate", "rate_limit"),
    ("ratelimit", "rate_limit"),
    ("result", "output"),
    ("results", "items"),
    ("retries", "max_attempts"),
    ("route", "path"),
    ("server", "base_url"),
    ("token", "secret"),
    ("uri", "path"),
    ("uri", "base_url"),
    ("url", "path"),
    ("url", "base_url"),
    ("value", "secret"),
    ("var", "env"),
    ("variable", "env"),
    ("verb", "method"),
    ("version", "spec"),
];

/// The known key that is meant by an unknown one.
pub(super) fn meant_by<'k>(key: &str, known: &[&'k str]) -> Option<&'k str> {
    MEANT
        .iter()
        .filter(|(habit, _)| *habit == key)
        .find_map(|(_, meant)| known.iter().find(|known| *known == meant).copied())
}

/// How to write what an unknown key is probably for, where that takes more than another key.
pub(super) fn help_for(key: &str, known: &[String]) -> Option<&'static str> {
    let knows = |name: &str| known.iter().any(|known| known == name);
    match key {
        "json" | "form" | "multipart" | "text" | "data" | "payload" if knows("path_styles") => {
            Some("it belongs to the body: write `body: { json: ... }`")
        }
        "env" | "file" | "command" | "keyring" if knows("secret") => {
            Some("it belongs to the secret: write `secret: { env: VARIABLE }`")
        }
        "header" if knows("in") => Some("write `in: header` and `name: NAME`"),
        "query" if knows("in") => Some("write `in: query` and `name: NAME`"),
        "username" | "user" | "password" if knows("secret") && !knows("in") => {
            Some("that is `kind: basic`, with `username` and `password`")
        }
        _ if knows("json") && knows("graphql") => Some(
            "say what the body is: write `body: { json: { ... } }`, or `form`, `multipart`, `text`, `bytes`, `graphql`",
        ),
        _ => None,
    }
}

/// How values are written that are often written in another way.
pub(super) fn form_of(pointer: &str) -> Option<&'static str> {
    let key = pointer.strip_prefix("/service").unwrap_or(pointer);
    match key {
        "/params" => Some("write `params: { properties: { NAME: { type: ... } } }`"),
        "/request/body" => Some("write `body: { json: ... }`, or another kind of body"),
        "/request/query" => Some("write `query: [NAME]`, or `query: { NAME: VALUE }`"),
        "/request/headers" | "/headers" => Some("write `headers: { NAME: VALUE }`"),
        "/paging/next" => Some("write `next: { PARAM: $.next }`: the arguments of the next call"),
        "/examples" => Some("write a list: `examples: [{ name: ..., args: { ... } }]`"),
        "/wait" => Some("write `wait: { path: ..., until: ... }`"),
        "/auth" => Some("write `{ kind: bearer, secret: { env: TOKEN } }`, or another kind"),
        "/rate_limit" => Some("write `{ requests: 100, per: 1m }`"),
        "/retry" => Some("write `{ max_attempts: 3 }`"),
        "/timeout" => Some("write `{ total: 30s }`"),
        "/errors" => Some("write `{ message: $.error.message }`"),
        _ if key.starts_with("/examples/") && key.ends_with("/request") => {
            Some("write `{ method: GET, url: ... }`")
        }
        _ => None,
    }
}
