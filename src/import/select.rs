//! Selects operations of a document, by `tag:`, `path:`, `operation:` or `method:`, each with a glob.

use std::str::FromStr;

use glob::Pattern;

/// What operations can be selected by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aspect {
    Tag,
    Path,
    Operation,
    Method,
}

const ASPECTS: [(&str, Aspect); 4] = [
    ("tag", Aspect::Tag),
    ("path", Aspect::Path),
    ("operation", Aspect::Operation),
    ("method", Aspect::Method),
];

/// One condition, such as `path:/repos/*` or `method:GET`.
#[derive(Debug, Clone, PartialEq)]
pub struct Selector {
    text: String,
    aspect: Aspect,
    glob: Pattern,
}

/// What a selector looks at in an operation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Aspects<'a> {
    /// The operation's tags.
    pub tags: &'a [&'a str],
    /// The path as the document has it.
    pub path: &'a str,
    /// The `operationId`; empty when there is none.
    pub operation: &'a str,
    /// The method, in upper case.
    pub method: &'a str,
}

impl FromStr for Selector {
    type Err = String;

    fn from_str(text: &str) -> Result<Selector, String> {
        let known = || ASPECTS.map(|(name, _)| format!("{name}:")).join(", ");
        let (name, glob) = text
            .split_once(':')
            .ok_or_else(|| format!("say by what to select: {}", known()))?;
        let aspect = ASPECTS
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, aspect)| *aspect)
            .ok_or_else(|| {
                format!(
                    "operations cannot be selected by `{name}:`, only by {}",
                    known()
                )
            })?;
        let upper = glob.to_ascii_uppercase();
        let glob = if aspect == Aspect::Method {
            &upper
        } else {
            glob
        };
        let glob = Pattern::new(glob)
            .map_err(|error| format!("`{glob}` is not a valid glob: {}", error.msg))?;
        Ok(Selector {
            text: text.to_owned(),
            aspect,
            glob,
        })
    }
}

impl Selector {
    /// The selector as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the selector matches the operation.
    pub(crate) fn matches(&self, operation: &Aspects<'_>) -> bool {
        match self.aspect {
            Aspect::Tag => operation.tags.iter().any(|tag| self.glob.matches(tag)),
            Aspect::Path => self.glob.matches(operation.path),
            Aspect::Operation => self.glob.matches(operation.operation),
            Aspect::Method => self.glob.matches(operation.method),
        }
    }
}

/// Which operations to import: the included ones, without the excluded ones.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Only operations that one of these matches; all operations if the list is empty.
    pub include: Vec<Selector>,
    /// No operation that one of these matches.
    pub exclude: Vec<Selector>,
}

impl Selection {
    /// Whether the operation is to be imported.
    pub(crate) fn selects(&self, operation: &Aspects<'_>) -> bool {
        let any = |list: &[Selector]| list.iter().any(|selector| selector.matches(operation));
        (self.include.is_empty() || any(&self.include)) && !any(&self.exclude)
    }

    /// The selectors that match no operation, probably because of a typing mistake.
    pub(crate) fn unmatched<'s>(&'s self, operations: &[Aspects<'_>]) -> Vec<&'s str> {
        let is_unmatched =
            |selector: &&Selector| !operations.iter().any(|one| selector.matches(one));
        let all = self.include.iter().chain(&self.exclude);
        all.filter(is_unmatched).map(Selector::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPERATION: Aspects<'_> = Aspects {
        tags: &["pets", "v2"],
        path: "/pets/{id}",
        operation: "getPet",
        method: "GET",
    };

    fn selectors(texts: &[&str]) -> Vec<Selector> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn selectors_match_by_aspect() {
        for (text, expected) in [
            ("tag:pets", true),
            ("tag:v*", true),
            ("tag:pet", false),
            ("path:/pets/*", true),
            ("path:/pets", false),
            ("path:**", true),
            ("operation:get*", true),
            ("operation:list*", false),
            ("method:get", true),
            ("method:G*", true),
            ("method:POST", false),
        ] {
            assert_eq!(
                selectors(&[text])[0].matches(&OPERATION),
                expected,
                "{text}"
            );
        }
        for bad in ["pets", "tags:a", "path:[", ""] {
            assert!(bad.parse::<Selector>().is_err(), "{bad}");
        }
    }

    #[test]
    fn selections_include_and_exclude() {
        let selection = |include: &[&str], exclude: &[&str]| Selection {
            include: selectors(include),
            exclude: selectors(exclude),
        };
        assert!(selection(&[], &[]).selects(&OPERATION));
        assert!(selection(&["tag:x", "tag:pets"], &[]).selects(&OPERATION));
        assert!(!selection(&["tag:x"], &[]).selects(&OPERATION));
        assert!(!selection(&["tag:pets"], &["method:GET"]).selects(&OPERATION));
        assert_eq!(
            selection(&["tag:x"], &["method:GET", "path:/x"]).unmatched(&[OPERATION]),
            ["tag:x", "path:/x"]
        );
    }
}
