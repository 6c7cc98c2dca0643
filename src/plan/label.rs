//! Texts that are the same in every call.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// A text that is the same in every call, such as the name of a header. Its copies share it.
#[derive(Clone)]
pub enum Label {
    /// A text of the program.
    Fixed(&'static str),
    /// A text of a descriptor.
    Shared(Arc<str>),
}

impl Deref for Label {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Label::Fixed(text) => text,
            Label::Shared(text) => text,
        }
    }
}

impl From<&'static str> for Label {
    fn from(text: &'static str) -> Label {
        Label::Fixed(text)
    }
}

impl From<String> for Label {
    fn from(text: String) -> Label {
        Label::Shared(text.into())
    }
}

impl From<&Label> for Label {
    fn from(label: &Label) -> Label {
        label.clone()
    }
}

impl AsRef<str> for Label {
    fn as_ref(&self) -> &str {
        self
    }
}

impl PartialEq for Label {
    fn eq(&self, other: &Label) -> bool {
        **self == **other
    }
}

impl Eq for Label {}

impl PartialEq<str> for Label {
    fn eq(&self, other: &str) -> bool {
        **self == *other
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}
