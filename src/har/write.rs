//! The writer of recordings.

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use url::Url;

use super::exchange::{Body, Content, Entry, Own, Param, Request, Response};

/// Writes a recording, entry by entry. It writes what it is given: to keep secrets out is up to the caller. Cookies stand
/// only in the headers.
pub(crate) struct Writer<W: Write> {
    out: W,
    count: usize,
}

impl<W: Write> Writer<W> {
    /// Writes the head of the file, with a comment on the whole of it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn start_with(mut out: W, comment: Option<&str>) -> io::Result<Writer<W>> {
        let creator = json!({ "name": "toolrun", "version": env!("CARGO_PKG_VERSION") });
        let comment = comment.map(|text| format!("\n    \"comment\": {},", json!(text)));
        let comment = comment.unwrap_or_default();
        write!(
            out,
            "{{\n  \"log\": {{\n    \"version\": \"1.2\",\n    \"creator\": {creator},{comment}\n    \"entries\": ["
        )?;
        Ok(Writer { out, count: 0 })
    }

    /// Writes an entry, which [`entry_json`] makes.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn value(&mut self, entry: &Value) -> io::Result<()> {
        let text = serde_json::to_string_pretty(entry)?;
        if self.count > 0 {
            self.out.write_all(b",")?;
        }
        for line in text.lines() {
            write!(self.out, "\n      {line}")?;
        }
        self.count += 1;
        Ok(())
    }

    /// Writes the end of the file and gives back where it was written to.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        let end = if self.count > 0 { "\n    ]" } else { "]" };
        write!(self.out, "{end}\n  }}\n}}\n")?;
        self.out.flush()?;
        Ok(self.out)
    }
}

/// An entry as JSON.
pub(crate) fn entry_json(entry: &Entry) -> Value {
    let mut json = json!({
        "startedDateTime": entry.started,
        "time": entry.time,
        "request": request_json(&entry.request),
        "response": entry.response.as_ref().map_or_else(no_response, response_json),
        "cache": {},
        "timings": { "send": 0, "wait": entry.time, "receive": 0 },
    });
    if let (Some(own), Some(json)) = (&entry.own, json.as_object_mut()) {
        json.insert("_toolrun".to_owned(), own_json(own));
    }
    json
}

fn own_json(own: &Own) -> Value {
    let mut json = Map::new();
    json.insert("service".to_owned(), own.service.clone().into());
    json.insert("tool".to_owned(), own.tool.clone().into());
    json.insert("kind".to_owned(), own.kind.word().into());
    json.insert("arguments".to_owned(), own.arguments.clone());
    json.extend(own.more.clone());
    json.into()
}

fn request_json(request: &Request) -> Value {
    let query = Url::parse(&request.url);
    let query: Vec<Value> = query
        .iter()
        .flat_map(|url| url.query_pairs())
        .map(|(name, value)| json!({ "name": name, "value": value }))
        .collect();
    let mut json = json!({
        "method": request.method,
        "url": request.url,
        "httpVersion": request.http_version,
        "cookies": [],
        "headers": pairs(&request.headers),
        "queryString": query,
        "headersSize": -1,
        "bodySize": request.body.as_ref().map_or(0, size),
    });
    if let (Some(body), Some(json)) = (&request.body, json.as_object_mut()) {
        json.insert("postData".to_owned(), request_body(body));
    }
    json
}

fn pairs(pairs: &[(String, String)]) -> Vec<Value> {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| json!({ "name": name, "value": value }))
        .collect()
}

/// Bytes of a body; -1 where they are not known.
fn size(body: &Body) -> i64 {
    body.bytes()
        .map_or(-1, |bytes| i64::try_from(bytes.len()).unwrap_or(-1))
}

fn request_body(body: &Body) -> Value {
    let params: Vec<Value> = body.params.iter().map(param_json).collect();
    match &body.content {
        Content::Text(text) => {
            json!({ "mimeType": body.media_type, "params": params, "text": text })
        }
        // HAR 1.2 has no encoding here; a name of ours begins with an underscore.
        Content::Bytes(bytes) => json!({
            "mimeType": body.media_type,
            "params": params,
            "text": STANDARD.encode(bytes),
            "_encoding": "base64",
        }),
        Content::Unknown => json!({ "mimeType": body.media_type, "params": params }),
    }
}

fn param_json(param: &Param) -> Value {
    let mut json = Map::new();
    let mut add = |name: &str, value: &Option<String>| {
        if let Some(value) = value {
            json.insert(name.to_owned(), value.clone().into());
        }
    };
    add("name", &Some(param.name.clone()));
    add("value", &param.value);
    add("fileName", &param.file_name);
    add("contentType", &param.content_type);
    json.into()
}

fn response_json(response: &Response) -> Value {
    json!({
        "status": response.status,
        "statusText": response.status_text,
        "httpVersion": response.http_version,
        "cookies": [],
        "headers": pairs(&response.headers),
        "content": response_body(&response.body),
        "redirectURL": response.redirect_url,
        "headersSize": -1,
        "bodySize": size(&response.body),
    })
}

fn response_body(body: &Body) -> Value {
    let size = size(body);
    match &body.content {
        Content::Text(text) => {
            json!({ "size": size, "mimeType": body.media_type, "text": text })
        }
        Content::Bytes(bytes) => json!({
            "size": size,
            "mimeType": body.media_type,
            "text": STANDARD.encode(bytes),
            "encoding": "base64",
        }),
        Content::Unknown => json!({ "size": size, "mimeType": body.media_type }),
    }
}

/// An entry needs a response; without one its status is 0.
fn no_response() -> Value {
    json!({
        "status": 0,
        "statusText": "",
        "httpVersion": "",
        "cookies": [],
        "headers": [],
        "content": { "size": -1, "mimeType": "x-unknown" },
        "redirectURL": "",
        "headersSize": -1,
        "bodySize": -1,
    })
}
