//! A plan as people and tests see it: every secret masked.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Credential, MASK, Plan, Text};

/// A plan with its secrets masked, in the shape of `--dry-run=json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanView {
    /// The HTTP method.
    pub method: String,
    /// The whole URL.
    pub url: String,
    /// Header fields in order.
    pub headers: Vec<(String, String)>,
    /// The body: a JSON value, or null.
    pub body: Value,
}

impl Plan {
    /// The whole URL with its secrets masked.
    pub fn masked_url(&self) -> String {
        let mut url = self.target.clone();
        for (i, (name, value)) in self.query.iter().enumerate() {
            url.push(if i == 0 { '?' } else { '&' });
            url.push_str(name);
            url.push('=');
            url.push_str(&value.to_string());
        }
        url
    }

    /// The plan with its secrets masked.
    pub fn view(&self) -> PlanView {
        PlanView {
            method: self.method.to_string(),
            url: self.masked_url(),
            headers: self
                .headers
                .iter()
                .map(|(name, value)| (name.clone(), value.to_string()))
                .collect(),
            body: self
                .body
                .as_ref()
                .map_or(Value::Null, |body| body.json.clone()),
        }
    }

    /// The request as HTTP/1.1 text, secrets masked.
    pub fn to_http(&self) -> String {
        let url = self.masked_url();
        let after_scheme = url.find("://").map_or(0, |at| at + 3);
        let path = url[after_scheme..]
            .find('/')
            .map_or(url.len(), |at| at + after_scheme);
        let mut text = format!(
            "{} {} HTTP/1.1\nhost: {}\n",
            self.method,
            &url[path..],
            &url[after_scheme..path]
        );
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\n"));
        }
        if let Some(body) = &self.body {
            text.push_str(&format!("\n{:#}\n", body.json));
        }
        text
    }

    /// The request as a curl command. A secret that comes from an environment variable is written as a reference
    /// to that variable, so that the command runs as it stands; any other is masked. What is computed from the whole
    /// request when it is signed cannot stand in a command, which then says so.
    pub fn to_curl(&self) -> String {
        let mut url = self.target.clone();
        for (i, (name, value)) in self.query.iter().enumerate() {
            url.push(if i == 0 { '?' } else { '&' });
            url.push_str(&format!("{name}={value}"));
        }
        let computed = (self.headers.iter().chain(&self.query))
            .filter(|(_, value)| matches!(value, Text::Credential(Credential::Computed { .. })))
            .map(|(name, _)| name.as_str());
        let computed: Vec<&str> = computed.collect();
        let note = match computed.is_empty() {
            true => String::new(),
            false => format!(
                "# {} depends on the time and on the whole request; the command cannot run as it stands\n",
                computed.join(", ")
            ),
        };
        let mut lines = vec![format!(
            "{note}curl --request {} {}",
            self.method,
            quoted(&url)
        )];
        for (name, value) in &self.headers {
            lines.push(format!("--header {}", curl_header(name, value)));
        }
        if let Some(body) = &self.body {
            lines.push(format!("--data-raw {}", quoted(&body.json.to_string())));
        }
        lines.join(" \\\n  ") + "\n"
    }
}

/// Quotes a text for a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn curl_header(name: &str, value: &Text) -> String {
    match value {
        Text::Credential(Credential::Secret { prefix, secret }) if is_variable(secret) => {
            format!("\"{name}: {prefix}${{{secret}}}\"")
        }
        Text::Credential(Credential::Basic { .. }) => quoted(&format!("{name}: Basic {MASK}")),
        other => quoted(&format!("{name}: {other}")),
    }
}

fn is_variable(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
