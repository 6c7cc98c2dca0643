//! Paths with operators of URI templates (RFC 6570): `{+name}` takes several segments, `{.name}`, `{;name}` and `{/name}`
//! write a mark in front of the value.

use super::{Location, Parameter};
use crate::import::openapi::spec::{Part, Spec};
use crate::import::report::{Losses, What};

/// A path without operators.
#[derive(Debug, Default)]
pub(super) struct Plain {
    /// The path.
    pub path: String,
    /// Parameters that take several segments.
    pub split: Vec<Split>,
    /// Parameters whose mark stands in the path even if RFC 6570 would leave it out with the value.
    pub marked: Vec<String>,
}

/// A parameter that takes several segments, some of which are fixed.
#[derive(Debug, PartialEq)]
pub(super) struct Split {
    /// Its name on the wire.
    pub wire: String,
    /// The names of the params for the segments that are not fixed.
    pub names: Vec<String>,
}

/// The path without operators.
///
/// # Errors
/// Why that cannot be.
pub(super) fn plain(
    spec: &Spec,
    path: &str,
    parameters: &[Parameter<'_>],
) -> Result<Plain, String> {
    let mut plain = Plain::default();
    let mut rest = path;
    while let Some((text, behind)) = rest.split_once('{') {
        let Some((expression, after)) = behind.split_once('}') else {
            break;
        };
        plain.path.push_str(text);
        let is_name = |name: &str| {
            let mut declared = parameters
                .iter()
                .filter(|one| one.location == Location::Path);
            declared.any(|one| one.wire == name)
        };
        let operator = expression.chars().next().filter(|c| "+.;/#".contains(*c));
        match (operator, expression.get(1..)) {
            _ if is_name(expression) => plain.path.push_str(&format!("{{{expression}}}")),
            (Some(_), Some(name)) if name.is_empty() || name.contains([',', '*', ':']) => {
                return Err(format!(
                    "its path has `{{{expression}}}`, which is not supported"
                ));
            }
            (Some('+' | '#'), Some(name)) => plain.add_split(spec, name, parameters)?,
            (Some(operator), Some(name)) => {
                let mark = match operator {
                    ';' => format!(";{name}="),
                    mark => mark.to_string(),
                };
                plain.path.push_str(&format!("{mark}{{{name}}}"));
                plain.marked.push(expression.to_owned());
            }
            (None, _) if expression.contains([',', '*']) && !expression.starts_with(['?', '&']) => {
                return Err(format!(
                    "its path has `{{{expression}}}`, which is not supported"
                ));
            }
            _ => plain.path.push_str(&format!("{{{expression}}}")),
        }
        rest = after;
    }
    plain.path.push_str(rest);
    Ok(plain)
}

impl Plain {
    /// Whether other params stand in the place of this parameter of the path.
    pub(super) fn splits(&self, wire: &str) -> bool {
        self.split.iter().any(|split| split.wire == wire)
    }

    /// Notes what is not as the document has it.
    pub(super) fn note(&self, parameters: &[Parameter<'_>], losses: &Losses) {
        let pointer = |wire: &str| {
            let mut all = parameters.iter();
            let own = all.find(|one| one.location == Location::Path && one.wire == wire);
            own.map_or("/paths", |own| own.part.pointer.as_str())
        };
        for split in &self.split {
            let message = format!(
                "`{}` takes several segments, each a param of its own: `{}`",
                split.wire,
                split.names.join("`, `")
            );
            losses.note(What::Name, pointer(&split.wire), message);
        }
        for expression in &self.marked {
            let message = format!("`{{{expression}}}` of the path must be given here");
            losses.note(What::Parameter, pointer(&expression[1..]), message);
        }
    }

    fn add_split(
        &mut self,
        spec: &Spec,
        name: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<(), String> {
        let own = parameters
            .iter()
            .find(|one| one.location == Location::Path && one.wire == name);
        let schema = own.and_then(|own| spec.resolve(own.schema.as_ref()?).ok());
        let pattern = schema
            .as_ref()
            .and_then(|schema: &Part<'_>| schema.text("pattern"));
        let Some(segments) = pattern.and_then(segments) else {
            return Err(format!(
                "the parameter `{name}` of its path takes several segments, and the document does not list them"
            ));
        };
        let mut names: Vec<String> = Vec::new();
        let mut written: Vec<String> = Vec::new();
        for segment in segments {
            match segment {
                Segment::Fixed(text) => written.push(text),
                Segment::Any => {
                    let last = written.last().filter(|last| !last.starts_with('{'));
                    let stem = last.map_or_else(|| name.to_owned(), |last| format!("{last}Id"));
                    let free = |name: &String| !names.contains(name);
                    let numbered = (2..).map(|i| format!("{stem}{i}"));
                    let mut candidates = std::iter::once(stem.clone()).chain(numbered);
                    let name = candidates.find(free).unwrap_or(stem.clone());
                    written.push(format!("{{{name}}}"));
                    names.push(name);
                }
            }
        }
        self.path.push_str(&written.join("/"));
        self.split.push(Split {
            wire: name.to_owned(),
            names,
        });
        Ok(())
    }
}

#[derive(Debug, PartialEq)]
enum Segment {
    Fixed(String),
    Any,
}

/// The segments that a pattern such as `^projects/[^/]+$` asks for; `None` for a pattern of another kind.
fn segments(pattern: &str) -> Option<Vec<Segment>> {
    const ANY: &str = "[^/]+";
    let inner = pattern.strip_prefix('^')?.strip_suffix('$')?;
    let marked = inner.replace(ANY, "{}");
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_~".contains(c);
    marked
        .split('/')
        .map(|segment| match segment {
            "{}" => Some(Segment::Any),
            fixed if !fixed.is_empty() && fixed.chars().all(is_plain) => {
                Some(Segment::Fixed(fixed.to_owned()))
            }
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn patterns_list_segments() {
        let fixed = |text: &str| Segment::Fixed(text.to_owned());
        for (pattern, expected) in [
            (
                "^projects/[^/]+$",
                Some(vec![fixed("projects"), Segment::Any]),
            ),
            ("^[^/]+/[^/]+$", Some(vec![Segment::Any, Segment::Any])),
            ("^a/b$", Some(vec![fixed("a"), fixed("b")])),
            ("^projects/.*$", None),
            ("projects/[^/]+", None),
            ("^projects/[^/]+/$", None),
            ("^a|b$", None),
        ] {
            assert_eq!(segments(pattern), expected, "{pattern}");
        }
    }
}
