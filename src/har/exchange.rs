//! An exchange: a request and its answer, as a recording holds them.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// One entry of a recording.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    /// Its number in the file, counted from 1. A writer does not need it.
    pub number: usize,
    /// When the request was sent, as an RFC 3339 time; empty where the file does not say it.
    pub started: String,
    /// Milliseconds from the request to the end of the answer.
    pub time: f64,
    pub request: Request,
    /// The answer; none where there was none, as for a request that a browser blocked.
    pub response: Option<Response>,
    /// What toolrun itself wrote beside the exchange.
    pub own: Option<Own>,
}

/// What an entry asks, without its answer: enough to know which requests it answers.
#[derive(Debug)]
pub(crate) struct Asked {
    pub method: String,
    /// The whole URL with its query.
    pub url: String,
    /// The body; its media type may be that of the header field.
    pub body: Option<Body>,
    /// What toolrun itself wrote; the arguments are left out and null.
    pub own: Option<Own>,
}

/// A request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Request {
    pub method: String,
    /// The whole URL with its query.
    pub url: String,
    pub http_version: String,
    /// Names and values in the order of the file. A name may occur more than once.
    pub headers: Vec<(String, String)>,
    pub body: Option<Body>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Response {
    pub status: u16,
    pub status_text: String,
    pub http_version: String,
    pub headers: Vec<(String, String)>,
    /// Where the answer leads to; empty if nowhere.
    pub redirect_url: String,
    pub body: Body,
}

/// A body, without any content encoding.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Body {
    /// The media type, with its parameters; empty where it is not known.
    pub media_type: String,
    pub content: Content,
    /// The fields of a form, where the file lists them.
    pub params: Vec<Param>,
}

/// What a body holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Content {
    /// Text; also that of a body without a byte.
    Text(String),
    /// Bytes that were written in base64.
    Bytes(Vec<u8>),
    /// The file does not hold the body.
    Unknown,
}

/// A field of a form.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Param {
    pub name: String,
    /// Its value; none for a file whose content is not recorded.
    pub value: Option<String>,
    pub file_name: Option<String>,
    pub content_type: Option<String>,
}

/// What toolrun writes beside an exchange, in the member `_toolrun`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Own {
    pub service: String,
    pub tool: String,
    /// The arguments of the call.
    pub arguments: Value,
    pub kind: Kind,
    /// Further members.
    pub more: Map<String, Value>,
}

/// What a request was for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The first request of a call.
    Call,
    /// A later page.
    Page,
    /// The same request another time.
    Retry,
    /// The request of an access token.
    Token,
    /// The state of a job.
    Poll,
    /// The end of a job that is no longer wanted.
    Cancel,
    /// Something that this version does not know.
    Other(String),
}

impl Kind {
    const KNOWN: [(Kind, &str); 6] = [
        (Kind::Call, "call"),
        (Kind::Page, "page"),
        (Kind::Retry, "retry"),
        (Kind::Token, "token"),
        (Kind::Poll, "poll"),
        (Kind::Cancel, "cancel"),
    ];

    /// The word in the file.
    pub(crate) fn word(&self) -> &str {
        let known = Kind::KNOWN.iter().find(|(kind, _)| kind == self);
        match (known, self) {
            (Some((_, word)), _) => word,
            (None, Kind::Other(word)) => word,
            (None, _) => "call",
        }
    }

    pub(super) fn of(word: &str) -> Kind {
        let known = Kind::KNOWN.iter().find(|(_, known)| *known == word);
        known.map_or_else(|| Kind::Other(word.to_owned()), |(kind, _)| kind.clone())
    }
}

impl Body {
    /// A body of bytes that were received or sent. They are kept as text if they are UTF-8.
    pub(crate) fn of_bytes(media_type: &str, bytes: Vec<u8>) -> Body {
        let content = match String::from_utf8(bytes) {
            Ok(text) => Content::Text(text),
            Err(error) => Content::Bytes(error.into_bytes()),
        };
        Body {
            media_type: media_type.to_owned(),
            content,
            params: Vec::new(),
        }
    }

    /// The same body, with the media type that a header field says if nothing else does.
    pub(crate) fn of_type_in(mut self, headers: &[(String, String)]) -> Body {
        if self.media_type.is_empty() {
            self.media_type = header(headers, "content-type")
                .unwrap_or_default()
                .to_owned();
        }
        self
    }

    /// The bytes; none where the file does not hold them.
    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        match &self.content {
            Content::Text(text) => Some(text.as_bytes()),
            Content::Bytes(bytes) => Some(bytes),
            Content::Unknown => None,
        }
    }

    /// The text; none where the file does not hold the body, or it is no UTF-8.
    pub(crate) fn text(&self) -> Option<&str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    /// The media type without its parameters, in lower case.
    pub(crate) fn essence(&self) -> Cow<'_, str> {
        let essence = self.media_type.split(';').next().unwrap_or_default().trim();
        match essence.bytes().any(|byte| byte.is_ascii_uppercase()) {
            true => Cow::Owned(essence.to_ascii_lowercase()),
            false => Cow::Borrowed(essence),
        }
    }
}

/// The first header of this name, in any case.
pub(crate) fn header<'h>(headers: &'h [(String, String)], name: &str) -> Option<&'h str> {
    let mut headers = headers.iter();
    headers
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}

impl Request {
    /// The body. Some write its media type only among the header fields.
    pub(crate) fn body_with_type(&self) -> Option<Body> {
        let body = self.body.clone()?;
        Some(body.of_type_in(&self.headers))
    }

    /// The first header of this name, in any case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }
}
