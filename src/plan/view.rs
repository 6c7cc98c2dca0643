//! A plan for people and tests: every secret is masked.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Plan;
use super::body::{Body, Content};
use super::settle::SHOWN_BOUNDARY;

/// A plan with its secrets masked, in the shape of `--dry-run=json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanView {
    /// The HTTP method.
    pub method: String,
    /// The whole URL.
    pub url: String,
    /// Header fields in order.
    pub headers: Vec<(String, String)>,
    /// The body: the JSON value, the text of a form or of a text body, `{base64}` or `{file}` for bytes, or the list of
    /// a form's parts, each `{name, filename?, content_type?, value | base64 | file}`; null where there is none.
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

    /// The header fields with their secrets masked.
    pub fn masked_headers(&self) -> Vec<(String, String)> {
        self.headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect()
    }

    /// The plan with its secrets masked.
    pub fn view(&self) -> PlanView {
        PlanView {
            method: self.method.to_string(),
            url: self.masked_url(),
            headers: self.masked_headers(),
            body: self.body.as_ref().map_or(Value::Null, Body::to_value),
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
            text.push('\n');
            for piece in body.pieces(SHOWN_BOUNDARY) {
                text.push_str(&shown(&piece).replace("\r\n", "\n"));
            }
            if !text.ends_with('\n') {
                text.push('\n');
            }
        }
        text
    }
}

/// A content as text. A content that is not text is described in angle brackets.
fn shown(content: &Content) -> String {
    match content {
        Content::Json(json) => format!("{json:#}"),
        Content::Text(text) => text.clone(),
        Content::Bytes(bytes) => format!("<{} bytes>", bytes.len()),
        Content::File(path) => format!("<the file {path}>"),
    }
}
