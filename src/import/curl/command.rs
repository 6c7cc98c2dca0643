//! One curl command: what its options say, and the saved request that they make.

use serde_json::{Value, json};

use super::form;
use super::options::{self, Does};
use super::target;
use super::words::{Stdin, Words};
use crate::import::report::What;

/// Headers that browsers add on their own, beside those that begin with `sec-`.
const OF_BROWSERS: [&str; 4] = [
    "priority",
    "dnt",
    "upgrade-insecure-requests",
    "accept-encoding",
];
/// Headers that belong to a connection or a body, so that nobody sets them.
const OF_CONNECTIONS: [&str; 7] = [
    "connection",
    "content-length",
    "transfer-encoding",
    "te",
    "upgrade",
    "trailer",
    "expect",
];

/// A part of the data of a command.
#[derive(Debug, Clone)]
pub(super) enum Piece {
    /// Text as it is sent.
    Text(String),
    /// A file, and whether its line ends stay.
    File(String, bool),
    /// A field whose value is the text of a file.
    FieldOfFile(String),
}

/// A command as far as it is read.
#[derive(Debug, Default)]
pub(super) struct Command {
    url: Option<String>,
    method: Option<String>,
    target: Option<String>,
    headers: Vec<(String, String)>,
    cookies: Vec<String>,
    data: Vec<Piece>,
    url_query: Vec<String>,
    parts: Vec<Value>,
    upload: Option<String>,
    scheme: Option<String>,
    is_json: bool,
    is_head: bool,
    in_query: bool,
    has_no_globs: bool,
    keeps_dots: bool,
    /// The user and the password, or that they are in a file.
    user: Option<String>,
    is_in_netrc: bool,
    has_bearer: bool,
    stdin: Option<Stdin>,
    /// What is lost or changed.
    notes: Vec<(What, String)>,
}

/// The saved request of a command, and what is lost or changed in it.
pub(super) type Read = (Value, Vec<(What, String)>);

impl Command {
    /// Reads a command.
    ///
    /// # Errors
    /// What a tool cannot say, or curl would not understand.
    pub(super) fn read(words: Words) -> Result<Read, String> {
        let mut command = Command {
            stdin: words.stdin,
            ..Command::default()
        };
        let mut rest = words.words.into_iter();
        let mut only_urls = false;
        while let Some(word) = rest.next() {
            if only_urls || !word.starts_with('-') || word == "-" {
                command.set_url(word)?;
            } else if word == "--" {
                only_urls = true;
            } else if let Some(name) = word.strip_prefix("--") {
                command.take_long(name, &mut rest)?;
            } else {
                command.take_short(&word[1..], &mut rest)?;
            }
        }
        command.finish()
    }

    fn take_long(
        &mut self,
        name: &str,
        rest: &mut impl Iterator<Item = String>,
    ) -> Result<(), String> {
        let (name, attached) = match name.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (name, None),
        };
        let (name, does) = options::by_name(name)?;
        let shown = format!("--{name}");
        let value = match does.takes_value() {
            true => Some(
                attached
                    .or_else(|| rest.next())
                    .ok_or_else(|| format!("the option `{shown}` has no value"))?,
            ),
            false => None,
        };
        self.apply(&shown, does, value.unwrap_or_default())
    }

    /// Letters behind one dash: flags, and at last an option with its value, as in `-sSXPOST`.
    fn take_short(
        &mut self,
        letters: &str,
        rest: &mut impl Iterator<Item = String>,
    ) -> Result<(), String> {
        let mut at = letters.char_indices();
        while let Some((_, letter)) = at.next() {
            let shown = format!("-{letter}");
            let (_, does) = options::by_letter(letter)
                .ok_or_else(|| format!("the option `{shown}` is not known here"))?;
            if !does.takes_value() {
                self.apply(&shown, does, String::new())?;
                continue;
            }
            let attached = at.as_str();
            let value = match attached.is_empty() {
                true => rest.next(),
                false => Some(attached.to_owned()),
            };
            let value = value.ok_or_else(|| format!("the option `{shown}` has no value"))?;
            return self.apply(&shown, does, value);
        }
        Ok(())
    }

    fn set_url(&mut self, url: String) -> Result<(), String> {
        match self.url.replace(url) {
            None => Ok(()),
            Some(_) => {
                Err("the command has several URLs; import its requests one by one".to_owned())
            }
        }
    }

    fn note(&mut self, what: What, message: impl Into<String>) {
        let message = message.into();
        if !self.notes.iter().any(|(_, known)| *known == message) {
            self.notes.push((what, message));
        }
    }

    fn apply(&mut self, shown: &str, does: Does, value: String) -> Result<(), String> {
        match does {
            Does::Method => {
                const LONGEST: usize = 20;
                let is_word = value.bytes().all(|byte| byte.is_ascii_alphabetic());
                if !is_word || value.is_empty() || value.len() > LONGEST {
                    return Err(format!("the option `{shown}`: its value is no method"));
                }
                if value.chars().any(|c| c.is_ascii_lowercase()) {
                    let capitals = value.to_ascii_uppercase();
                    let message =
                        format!("curl sends the method `{value}`; the tool sends {capitals}");
                    self.note(What::Parameter, message);
                }
                self.method = Some(value.to_ascii_uppercase());
            }
            Does::Url => self.set_url(value)?,
            Does::UrlQuery => self.add_url_query(&value)?,
            Does::Target => self.target = Some(value),
            Does::Header => self.add_header(&value)?,
            Does::Cookie => match value.contains('=') || value.contains("{{") {
                true => self.cookies.push(value),
                false => self.note(
                    What::Parameter,
                    "the cookies of a file are left out; a tool has no file of cookies",
                ),
            },
            Does::Agent => self.set_header("User-Agent", value),
            Does::Referer => {
                let value = value.strip_suffix(";auto").unwrap_or(&value).to_owned();
                self.set_header("Referer", value);
            }
            Does::Range => {
                let unit = if value.contains('=') { "" } else { "bytes=" };
                self.set_header("Range", format!("{unit}{value}"));
            }
            Does::Data => self.add_data(value, false)?,
            Does::DataBinary => self.add_data(value, true)?,
            Does::DataRaw => self.data.push(Piece::Text(value)),
            Does::DataEncoded => {
                let piece = self.encoded(&value)?;
                self.data.push(piece);
            }
            Does::Json => {
                self.is_json = true;
                self.add_data(value, true)?;
            }
            Does::Part | Does::PartText => {
                let (part, notes) = form::part(&value, does == Does::Part)?;
                let differs = |known: &Value, new: &Value| {
                    known["key"] == new["key"] && known["contentType"] != new["contentType"]
                };
                let is_mixed = self.parts.iter().any(|known| differs(known, &part));
                if let Some(name) = part["key"].as_str().filter(|_| is_mixed) {
                    let message = format!(
                        "the parts `{name}` have several media types; the tool sends them with the default one"
                    );
                    self.note(What::Body, message);
                }
                self.parts.push(part);
                notes
                    .into_iter()
                    .for_each(|note| self.note(What::Body, note));
            }
            Does::Upload => self.upload = Some(value),
            Does::User => self.user = Some(value),
            Does::Bearer => self.has_bearer = true,
            Does::DefaultScheme => self.scheme = Some(value),
            Does::Head => self.is_head = true,
            Does::Get => self.in_query = true,
            Does::NoGlobs => self.has_no_globs = true,
            Does::PathAsIs => self.keeps_dots = true,
            Does::Netrc | Does::NetrcFile => self.is_in_netrc = true,
            Does::Nothing | Does::NothingOf => {}
            Does::Told(words) | Does::ToldOf(words) => self.note(What::Server, words),
            Does::Refused(reason) => return Err(format!("the option `{shown}`: {reason}")),
        }
        Ok(())
    }

    fn add_data(&mut self, value: String, keeps_lines: bool) -> Result<(), String> {
        let piece = match value.strip_prefix('@') {
            None => Piece::Text(value),
            Some(path) => self.file(path, keeps_lines)?,
        };
        self.data.push(piece);
        Ok(())
    }

    /// A file that is sent; `-` is standard input.
    fn file(&mut self, path: &str, keeps_lines: bool) -> Result<Piece, String> {
        if path != "-" {
            return Ok(Piece::File(path.to_owned(), keeps_lines));
        }
        match self.stdin.clone() {
            Some(Stdin::Text(text)) if keeps_lines => Ok(Piece::Text(text)),
            Some(Stdin::Text(text)) => Ok(Piece::Text(text.replace(['\r', '\n'], ""))),
            Some(Stdin::File(path)) => Ok(Piece::File(path, keeps_lines)),
            None => Err(
                "its body comes from another command; write it behind `-d`, or in a file"
                    .to_owned(),
            ),
        }
    }

    /// What `--data-urlencode` makes: `content`, `=content`, `name=content`, `@file` or `name@file`.
    fn encoded(&mut self, value: &str) -> Result<Piece, String> {
        match value.find(['=', '@']) {
            None => Ok(Piece::Text(form::encode(value))),
            Some(at) if value[at..].starts_with('=') => {
                let (name, content) = (&value[..at], &value[at + 1..]);
                let between = if name.is_empty() { "" } else { "=" };
                Ok(Piece::Text(format!(
                    "{name}{between}{}",
                    form::encode(content)
                )))
            }
            Some(0) => Err(
                "the option `--data-urlencode`: it encodes a whole file, which a tool cannot"
                    .to_owned(),
            ),
            Some(at) => Ok(Piece::FieldOfFile(value[..at].to_owned())),
        }
    }

    fn add_url_query(&mut self, value: &str) -> Result<(), String> {
        let text = match value.strip_prefix('+') {
            Some(plain) => plain.to_owned(),
            None => match self.encoded(value)? {
                Piece::Text(text) => text,
                _ => return Err("the option `--url-query`: it reads a file".to_owned()),
            },
        };
        self.url_query.push(text);
        Ok(())
    }

    fn set_header(&mut self, name: &str, value: String) {
        if !value.is_empty() {
            self.headers.push((name.to_owned(), value));
        }
    }

    fn add_header(&mut self, header: &str) -> Result<(), String> {
        if header.starts_with('@') {
            return Err("the option `-H`: it reads headers from a file; write them".to_owned());
        }
        let Some((name, value)) = header.split_once(':') else {
            self.note(What::Parameter, "a header without a value is left out");
            return Ok(());
        };
        let (name, value) = (name.trim(), value.trim());
        if !value.is_empty() {
            self.headers.push((name.to_owned(), value.to_owned()));
        } else if name.eq_ignore_ascii_case("content-type") {
            self.note(
                What::Body,
                "curl sends no content type; the tool sends the one of its body",
            );
        }
        Ok(())
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut found = self
            .headers
            .iter()
            .filter(|(key, _)| key.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value.as_str())
    }

    fn finish(mut self) -> Result<Read, String> {
        let url = self.url.take().ok_or("the command has no URL")?;
        let written = target::Written {
            url: &url,
            scheme: self.scheme.as_deref(),
            target: self.target.as_deref(),
            has_globs: !self.has_no_globs,
            keeps_dots: self.keeps_dots,
        };
        let mut target = written.read()?;
        if target.has_user {
            self.user.get_or_insert_default();
        }
        let content_type = self.header("content-type").map(str::to_owned);
        if self.in_query {
            for piece in std::mem::take(&mut self.data) {
                match piece {
                    Piece::Text(text) => self.url_query.push(text),
                    _ => {
                        return Err("it puts a file into the query, which a tool cannot".to_owned());
                    }
                }
            }
        }
        for text in std::mem::take(&mut self.url_query) {
            target.add_query(&text);
        }
        let kinds = [
            !self.data.is_empty(),
            !self.parts.is_empty(),
            self.upload.is_some(),
        ];
        if kinds.iter().filter(|is_used| **is_used).count() > 1 {
            return Err("it has two bodies: only one of -d, -F and -T is sent".to_owned());
        }
        let body = self.body(&mut target, content_type.as_deref())?;
        let method = match self.method.take() {
            Some(method) => method,
            None if self.is_head => "HEAD".to_owned(),
            None if self.upload.is_some() => "PUT".to_owned(),
            None if body.is_some() => "POST".to_owned(),
            None => "GET".to_owned(),
        };
        if body.is_none() && content_type.is_some() {
            let message = "the content type is left out, since the request has no body";
            self.note(What::Parameter, message);
        }
        let headers = self.request_headers(&target.host, content_type.as_deref(), body.is_some());
        let mut request = json!({ "method": method, "url": target.url(), "header": headers });
        if let Some(user) = &self.user {
            let has_password = self.is_in_netrc
                || user
                    .split_once(':')
                    .is_none_or(|(_, word)| !word.is_empty());
            request["auth"] =
                json!({ "type": "basic", "basic": { "without_password": !has_password } });
        } else if self.has_bearer {
            request["auth"] = json!({ "type": "bearer" });
        } else if self.is_in_netrc {
            request["auth"] = json!({ "type": "basic" });
        }
        if let Some(body) = body {
            request["body"] = body;
        }
        Ok((request, self.notes))
    }

    /// The headers, each name once, with the content type of the body.
    fn request_headers(
        &mut self,
        host: &str,
        content_type: Option<&str>,
        has_body: bool,
    ) -> Vec<Value> {
        if !self.cookies.is_empty() {
            let cookies = std::mem::take(&mut self.cookies).join("; ");
            self.headers.push(("Cookie".to_owned(), cookies));
        }
        let mut kept: Vec<(String, String)> = Vec::new();
        for (name, value) in std::mem::take(&mut self.headers) {
            let lower = name.to_ascii_lowercase();
            if lower == "content-type" {
                continue;
            }
            if lower == "host" {
                if !value.eq_ignore_ascii_case(host) {
                    let message = "the header `Host` is left out; it is always the host of the URL";
                    self.note(What::Parameter, message);
                }
                continue;
            }
            if OF_CONNECTIONS.contains(&lower.as_str()) {
                if lower != "content-length" {
                    let message =
                        format!("the header `{name}` is left out; it belongs to the connection");
                    self.note(What::Parameter, message);
                }
                continue;
            }
            if lower.starts_with("sec-") || OF_BROWSERS.contains(&lower.as_str()) {
                let message = "headers that browsers add on their own are left out, such as those that begin with `sec-`";
                self.note(What::Parameter, message);
                continue;
            }
            let same = kept
                .iter_mut()
                .find(|(known, _)| known.eq_ignore_ascii_case(&name));
            match same {
                // Headers of one name are one list, but cookies have a separator of their own.
                Some((_, known)) => {
                    known.push_str(if lower == "cookie" { "; " } else { ", " });
                    known.push_str(&value);
                }
                None => kept.push((name, value)),
            }
        }
        let implied = match (content_type, has_body) {
            (Some(own), true) => Some(own),
            (None, true) if self.is_json => Some("application/json"),
            _ => None,
        };
        if let Some(content_type) = implied {
            kept.push(("Content-Type".to_owned(), content_type.to_owned()));
        } else if has_body && self.parts.is_empty() && self.upload.is_none() {
            kept.push(("Content-Type".to_owned(), form::FORM.to_owned()));
        }
        kept.iter()
            .map(|(key, value)| json!({ "key": key, "value": value }))
            .collect()
    }

    /// The body, as Postman writes one.
    fn body(
        &mut self,
        target: &mut target::Target,
        content_type: Option<&str>,
    ) -> Result<Option<Value>, String> {
        if !self.parts.is_empty() {
            return Ok(Some(json!({ "mode": "formdata", "formdata": self.parts })));
        }
        if let Some(path) = self.upload.clone() {
            if path == "-" || path == "." {
                return Err("its body comes from another command; write it in a file".to_owned());
            }
            target.add_file_name(&path);
            if content_type.is_none() {
                let message = "curl sends the file without a content type; the tool sends application/octet-stream";
                self.note(What::Body, message);
            }
            return Ok(Some(json!({ "mode": "file", "file": { "src": path } })));
        }
        let data = std::mem::take(&mut self.data);
        let is_form = !self.is_json && content_type.is_none_or(form::is_form);
        match data.as_slice() {
            [] => Ok(None),
            [Piece::File(path, keeps_lines)] => {
                if !keeps_lines {
                    let message =
                        "`-d` drops the line ends of the file; the tool sends the file as it is";
                    self.note(What::Body, message);
                }
                Ok(Some(json!({ "mode": "file", "file": { "src": path } })))
            }
            pieces => {
                let mut texts = Vec::new();
                let mut fields = Vec::new();
                for piece in pieces {
                    match piece {
                        Piece::Text(text) => texts.push(text.as_str()),
                        Piece::FieldOfFile(name) => {
                            let message = format!(
                                "the field `{name}` is the text of a file; give it when you call the tool"
                            );
                            self.note(What::Body, message);
                            fields.push(json!({ "key": name, "value": "" }));
                        }
                        Piece::File(..) => {
                            return Err(
                                "it joins a file with other data, which a tool cannot".to_owned()
                            );
                        }
                    }
                }
                let text = texts.join(if self.is_json { "" } else { "&" });
                self.text_body(&text, texts.is_empty(), fields, is_form)
                    .map(Some)
            }
        }
    }

    fn text_body(
        &mut self,
        text: &str,
        has_no_text: bool,
        fields: Vec<Value>,
        is_form: bool,
    ) -> Result<Value, String> {
        let pairs = match is_form {
            true if has_no_text => Some(Vec::new()),
            true => form::pairs(text),
            false => None,
        };
        if let Some(mut pairs) = pairs {
            if !has_no_text && text.split('&').any(|pair| !pair.contains('=')) {
                self.note(What::Body, "a field has no `=`; the tool sends one with it");
            }
            pairs.extend(fields);
            return Ok(json!({ "mode": "urlencoded", "urlencoded": pairs }));
        }
        if !fields.is_empty() {
            return Err("it joins a file with other data, which a tool cannot".to_owned());
        }
        let mut body = json!({ "mode": "raw", "raw": text });
        if is_form && form::is_json(text) {
            let message = "curl sends this JSON with the content type of a form, and so does the tool; write `application/json` as its `content_type` if the service wants that";
            self.note(What::Body, message);
            body["options"] = json!({ "raw": { "language": "json" } });
        } else if is_form {
            body["options"] = json!({ "raw": { "language": "text" } });
        }
        Ok(body)
    }
}
