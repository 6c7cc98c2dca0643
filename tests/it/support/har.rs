//! Recordings for tests, written as others write them.

use serde_json::{Value, json};

/// A recording.
#[derive(Debug, Clone, Default)]
pub(crate) struct Har {
    entries: Vec<Value>,
}

impl Har {
    pub(crate) fn new() -> Har {
        Har::default()
    }

    /// Adds an exchange: method, URL and body of the request, status and body of the answer.
    pub(crate) fn exchange(
        self,
        request: (&str, &str, Option<(&str, &str)>),
        answer: (u16, &str),
    ) -> Har {
        self.with_headers(request, &[], answer)
    }

    /// As [`Har::exchange`], with header fields of the request.
    pub(crate) fn with_headers(
        mut self,
        (method, url, body): (&str, &str, Option<(&str, &str)>),
        headers: &[(&str, &str)],
        (status, answer): (u16, &str),
    ) -> Har {
        let headers: Vec<Value> = headers
            .iter()
            .map(|(name, value)| json!({ "name": name, "value": value }))
            .collect();
        let mut entry = json!({
            "startedDateTime": "2026-01-02T03:04:05.678Z",
            "time": 1,
            "request": { "method": method, "url": url, "headers": headers },
            "response": {
                "status": status,
                "headers": [{ "name": "Content-Type", "value": "application/json" }],
                "content": { "size": answer.len(), "mimeType": "application/json", "text": answer },
            },
        });
        if let Some((media_type, text)) = body {
            entry["request"]["postData"] = json!({ "mimeType": media_type, "text": text });
        }
        self.entries.push(entry);
        self
    }

    /// Adds any entry.
    pub(crate) fn entry(mut self, entry: Value) -> Har {
        self.entries.push(entry);
        self
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn text(&self) -> String {
        let creator = json!({ "name": "test", "version": "1" });
        json!({ "log": { "version": "1.2", "creator": creator, "entries": self.entries } })
            .to_string()
    }
}
