//! A change between two versions: what it is, whom it concerns, and where it stands.

use std::ops::Range;
use std::sync::Arc;

use serde::Serialize;

use crate::source::{Code, Finding, Severity, Source};

/// What a change means to somebody, from nothing to the worst.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Class {
    /// Nothing changes.
    #[default]
    None,
    /// Only words or examples change.
    Cosmetic,
    /// Everything goes on as before, and more is possible or better.
    Compatible,
    /// Something that worked may not work any more, or mean something else.
    Breaking,
}

impl Class {
    /// The word for it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Class::None => "none",
            Class::Cosmetic => "cosmetic",
            Class::Compatible => "compatible",
            Class::Breaking => "breaking",
        }
    }
}

/// What a change means to each of those whom it may concern.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Classes {
    /// Those who call the tools: arguments in, output out.
    pub callers: Class,
    /// Those who run them: origins, secrets, settings, consent, limits.
    pub operators: Class,
    /// The request that is sent for the same arguments.
    pub wire: Class,
}

impl Classes {
    /// A change for callers alone.
    pub(crate) fn callers(class: Class) -> Classes {
        Classes {
            callers: class,
            ..Classes::default()
        }
    }

    /// A change for operators alone.
    pub(crate) fn operators(class: Class) -> Classes {
        Classes {
            operators: class,
            ..Classes::default()
        }
    }

    /// A change of requests alone.
    pub(crate) fn wire(class: Class) -> Classes {
        Classes {
            wire: class,
            ..Classes::default()
        }
    }

    /// The same, and this for the request.
    pub(crate) fn and_wire(self, class: Class) -> Classes {
        Classes {
            wire: class,
            ..self
        }
    }

    /// The same, and this for operators.
    pub(crate) fn and_operators(self, class: Class) -> Classes {
        Classes {
            operators: class,
            ..self
        }
    }

    /// The same for these alone.
    pub(crate) fn only(self, names: &[&str]) -> Classes {
        let keep = |name: &str, class: Class| match names.contains(&name) {
            true => class,
            false => Class::None,
        };
        Classes {
            callers: keep("callers", self.callers),
            operators: keep("operators", self.operators),
            wire: keep("wire", self.wire),
        }
    }

    /// Each with its name.
    pub(crate) fn each(self) -> [(&'static str, Class); 3] {
        [
            ("callers", self.callers),
            ("operators", self.operators),
            ("wire", self.wire),
        ]
    }

    /// The worst of them.
    pub(crate) fn worst(self) -> Class {
        self.callers.max(self.operators).max(self.wire)
    }

    /// Whom it concerns the most, in words.
    fn words(self) -> String {
        let worst = self.worst();
        let who = self.each().into_iter().filter(|(_, class)| *class == worst);
        let who: Vec<&str> = who
            .map(|(name, _)| match name {
                "wire" => "the request",
                name => name,
            })
            .collect();
        format!("{} for {}", worst.word(), who.join(", "))
    }
}

/// Which version a change stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Side {
    Old,
    New,
}

/// One change.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub code: Code,
    pub classes: Classes,
    /// The service that it belongs to; the file for what belongs to none.
    pub service: String,
    /// The tool, if it belongs to one.
    pub tool: Option<String>,
    /// What changed: a param, a field, a header. With the code and the tool it tells the change from all others.
    pub what: String,
    /// The change in words.
    pub message: String,
    /// The version in whose file it stands: the old one if it is gone.
    pub side: Side,
    pub source: Arc<Source>,
    /// Where it stands in its file, as a JSON Pointer.
    pub at: String,
    pub span: Range<usize>,
    /// The reason why it is accepted.
    pub accepted: Option<String>,
    /// What could be done about it.
    pub hint: Option<String>,
}

impl Change {
    /// The tool with its service, or what else it belongs to.
    pub(crate) fn place(&self) -> String {
        match &self.tool {
            Some(tool) => format!("{}/{tool}", self.service),
            None => self.service.clone(),
        }
    }

    /// Whether two changes are about the same thing.
    pub(crate) fn is_like(&self, other: &Change) -> bool {
        self.place() == other.place()
            && self.what == other.what
            && (self.code == other.code || !self.what.is_empty())
    }

    /// Whether it breaks something, and nobody accepted that.
    pub(crate) fn breaks(&self) -> bool {
        self.classes.worst() == Class::Breaking && self.accepted.is_none()
    }

    /// The change as a finding.
    pub(crate) fn finding(&self) -> Finding {
        let accepted = match &self.accepted {
            Some(reason) => format!("; accepted: {reason}"),
            None => String::new(),
        };
        Finding {
            code: self.code,
            severity: match self.breaks() {
                true => Severity::Error,
                false => Severity::Note,
            },
            message: format!("{} ({}{accepted})", self.message, self.classes.words()),
            help: self.hint.clone().filter(|_| self.accepted.is_none()),
            span: self.span.clone(),
            source: Arc::clone(&self.source),
        }
    }
}
