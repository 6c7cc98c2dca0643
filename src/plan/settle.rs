//! Settling: the moment when a plan gets the values that each call makes anew, and the bytes of its body.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use uuid::Uuid;

use super::body::Content;
use super::{FileError, Files, Label, Plan, Text};

/// A value that each call makes anew, and keeps when the request is sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Generated {
    /// A random UUID (version 4).
    Uuid,
    /// A media type with a random boundary between parts.
    Boundary {
        /// The media type.
        media_type: String,
    },
}

/// The text that replaces the boundary where a plan is shown.
pub(crate) const SHOWN_BOUNDARY: &str = "{boundary}";

impl fmt::Display for Generated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Generated::Uuid => f.write_str("{uuid}"),
            Generated::Boundary { media_type } => {
                write!(f, "{media_type}; boundary={SHOWN_BOUNDARY}")
            }
        }
    }
}

/// A plan in which only the credentials are missing.
#[derive(Debug)]
pub(crate) struct Settled<'p> {
    /// The plan; none of its texts is [`Text::Generated`].
    pub plan: Cow<'p, Plan>,
    /// The body as it is sent.
    pub body: Option<Bytes>,
}

impl Plan {
    /// Makes the values that each call makes anew, and reads local files.
    ///
    /// # Errors
    /// When a file cannot be read, or may not be read.
    pub(crate) fn settle(&self, files: &Files) -> Result<Settled<'_>, FileError> {
        let is_open = |(_, value): &(Label, Text)| matches!(value, Text::Generated(_));
        if !self.headers.iter().any(is_open) {
            return Ok(Settled {
                body: self.bytes("", files)?,
                plan: Cow::Borrowed(self),
            });
        }
        let boundary = format!("toolrun-{}", Uuid::new_v4().simple());
        let mut plan = self.clone();
        for (_, value) in &mut plan.headers {
            if let Text::Generated(generated) = value {
                let made = match generated {
                    Generated::Uuid => Uuid::new_v4().to_string(),
                    Generated::Boundary { media_type } => {
                        format!("{media_type}; boundary={boundary}")
                    }
                };
                *value = Text::Plain(made.into());
            }
        }
        Ok(Settled {
            body: self.bytes(&boundary, files)?,
            plan: Cow::Owned(plan),
        })
    }

    fn bytes(&self, boundary: &str, files: &Files) -> Result<Option<Bytes>, FileError> {
        let Some(body) = &self.body else {
            return Ok(None);
        };
        let pieces = body.pieces(boundary);
        if let [only] = pieces.as_slice() {
            return only.bytes(files).map(Some);
        }
        let mut whole = Vec::new();
        for piece in pieces {
            whole.extend_from_slice(&piece.bytes(files)?);
        }
        Ok(Some(whole.into()))
    }
}

impl Content {
    fn bytes(&self, files: &Files) -> Result<Bytes, FileError> {
        Ok(match self {
            Content::Json(json) => json.to_string().into(),
            Content::Text(text) => Bytes::copy_from_slice(text.as_bytes()),
            Content::Bytes(bytes) => bytes.clone(),
            Content::File(path) => files.read(path)?.into(),
        })
    }
}
