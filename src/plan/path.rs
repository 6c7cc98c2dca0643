//! Path templates: every expression stays inside its one segment.

use indexmap::IndexMap;
use serde_json::Value;
use url::Url;

use super::{PathStyleSpec, RenderError, StyledPath, percent_encode};
use crate::source::{Check, Code, join};
use crate::template::{Expression, Names, Piece, Scope, Template, is_identifier, text_of};

/// A compiled path template.
#[derive(Debug)]
pub struct PathTemplate {
    segments: Vec<Segment>,
    styles: Vec<StyledPath>,
    has_expressions: bool,
    /// Bytes that it takes, where its values are short.
    expected: usize,
}

/// One path segment: text and expressions between two slashes.
#[derive(Debug, Default)]
pub struct Segment(pub Vec<Piece>);

impl PathTemplate {
    /// Compiles the path; mistakes go to `check`.
    pub fn compile(path: &str, pointer: &str, names: &Names, check: &Check) -> PathTemplate {
        if !path.starts_with('/') {
            check.error_with_help(
                Code::BadPath,
                pointer,
                "the path must start with `/`",
                "it is appended to the service's base URL",
            );
        }
        let pieces = match Template::compile_text(path, pointer, names, check) {
            Template::Text(pieces) => pieces,
            Template::Expression(expression) => vec![Piece::Expression(expression)],
            Template::Literal(Value::String(text)) => vec![Piece::Text(text)],
            // The check has already reported that the text cannot be read.
            _ => Vec::new(),
        };
        PathTemplate::from_pieces(pieces, path, pointer, check)
    }

    /// Compiles the pieces of a path, which is the text `path` or its end. Mistakes go to `check`. Without pieces there
    /// is no path.
    pub(crate) fn from_pieces(
        pieces: Vec<Piece>,
        path: &str,
        pointer: &str,
        check: &Check,
    ) -> PathTemplate {
        let mut segments = vec![Segment::default()];
        let mut at = 0;
        for piece in pieces {
            match piece {
                Piece::Expression(expression) => {
                    at = behind(path, at, &expression);
                    push_piece(&mut segments, Piece::Expression(expression));
                }
                Piece::Text(text) => {
                    for (i, part) in text.split('/').enumerate() {
                        if i > 0 {
                            segments.push(Segment::default());
                            at += 1;
                        }
                        if !part.is_empty() {
                            if i > 0 {
                                report_colon(part, path, at, pointer, check);
                            }
                            report_bad_text(part, path, at, pointer, check);
                            push_piece(&mut segments, Piece::Text(part.to_owned()));
                        }
                        at += part.len();
                    }
                }
            }
        }
        // The first segment is the empty text before the leading slash.
        segments.remove(0);
        report_bad_segments(&segments, pointer, check);
        let has_expressions = segments
            .iter()
            .flat_map(|segment| &segment.0)
            .any(|piece| matches!(piece, Piece::Expression(_)));
        PathTemplate {
            segments,
            styles: Vec::new(),
            has_expressions,
            expected: path.len(),
        }
    }

    /// The same path, in which these params have a style. Mistakes go to `check`.
    pub(crate) fn with_styles(
        mut self,
        styles: &IndexMap<String, PathStyleSpec>,
        pointer: &str,
        check: &Check,
    ) -> PathTemplate {
        for (param, spec) in styles {
            let mut is_there = false;
            self.visit(&mut |expression, _| is_there |= is_param(expression, param));
            if !is_there {
                check.error_at_key(
                    Code::UnknownName,
                    &join(pointer, param),
                    format!("the path has no expression that is the param `{param}`"),
                    None,
                );
            }
            self.styles.push(StyledPath::new(param, spec));
        }
        self
    }

    /// The style of an expression, if it has one.
    pub(crate) fn style_of(&self, expression: &Expression) -> Option<&StyledPath> {
        let mut styles = self.styles.iter();
        styles.find(|style| is_param(expression, &style.param))
    }

    /// The segments, for matching a request against the template.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Calls `visit` with every expression. All of them are part of a longer text.
    pub fn visit(&self, visit: &mut dyn FnMut(&Expression, bool)) {
        for segment in &self.segments {
            for piece in &segment.0 {
                if let Piece::Expression(expression) = piece {
                    visit(expression, true);
                }
            }
        }
    }

    /// The target below `base`: scheme, authority and path.
    ///
    /// # Errors
    /// When a value would leave its segment, or make it empty or a dot segment.
    pub fn render(&self, base: &Url, scope: &dyn Scope) -> Result<String, RenderError> {
        let base_text = base.as_str().trim_end_matches('/');
        let mut target = String::with_capacity(base_text.len() + self.expected);
        target.push_str(base_text);
        self.append(scope, &mut target)?;
        if self.has_expressions {
            assert_unmoved(base, &target, self.segments.len())?;
        }
        Ok(target)
    }

    /// The path alone.
    ///
    /// # Errors
    /// As [`PathTemplate::render`].
    pub(crate) fn render_path(&self, scope: &dyn Scope) -> Result<String, RenderError> {
        let mut path = String::new();
        self.append(scope, &mut path)?;
        Ok(path)
    }

    fn append(&self, scope: &dyn Scope, target: &mut String) -> Result<(), RenderError> {
        for segment in &self.segments {
            target.push('/');
            segment.render(self, scope, target)?;
        }
        Ok(())
    }
}

impl Segment {
    /// The segment as the descriptor writes it.
    fn text(&self) -> String {
        self.0
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => text.clone(),
                Piece::Expression(expression) => format!("{expression:?}"),
            })
            .collect()
    }

    fn render(
        &self,
        path: &PathTemplate,
        scope: &dyn Scope,
        target: &mut String,
    ) -> Result<(), RenderError> {
        let start = target.len();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => target.push_str(text),
                Piece::Expression(expression) if let Some(style) = path.style_of(expression) => {
                    let value = expression
                        .eval(scope)
                        .map_err(RenderError::expression("path"))?;
                    target.push_str(&style.write(&value.unwrap_or(Value::Null))?);
                }
                Piece::Expression(expression) => {
                    let value =
                        text_of(expression, scope).map_err(RenderError::expression("path"))?;
                    refuse(expression, &value)?;
                    target.push_str(&percent_encode(&value));
                }
            }
        }
        match &target[start..] {
            "." | ".." => Err(RenderError::value(
                "path",
                format!(
                    "`{}` gives the segment `{}`, which would climb out of the path",
                    self.text(),
                    &target[start..]
                ),
            )),
            _ => Ok(()),
        }
    }
}

/// Whether an expression is a param and nothing else.
fn is_param(expression: &Expression, param: &str) -> bool {
    let text = expression.text().trim();
    text == param
        || text.strip_prefix("params.") == Some(param)
        || text
            .strip_prefix("params[")
            .and_then(|rest| rest.strip_suffix(']'))
            .is_some_and(|name| name.trim_matches(['"', '\'']) == param)
}

fn refuse(expression: &Expression, value: &str) -> Result<(), RenderError> {
    if value.is_empty() {
        return Err(RenderError::value(
            "path",
            format!("{expression:?} is empty, and an empty segment would name another resource"),
        ));
    }
    if let Some(control) = value.chars().find(|c| c.is_control()) {
        return Err(RenderError::value(
            "path",
            format!("{expression:?} holds the control character {control:?}"),
        ));
    }
    Ok(())
}

/// The last check: whatever the values are, the URL's parser must find the template's own origin and number of
/// segments.
fn assert_unmoved(base: &Url, target: &str, segments: usize) -> Result<(), RenderError> {
    let moved = || RenderError::value("path", "the values move the URL away from its template");
    let url = Url::parse(target).map_err(|_| moved())?;
    let own = base
        .path_segments()
        .map_or(0, |s| s.filter(|segment| !segment.is_empty()).count());
    let seen = url.path_segments().map_or(0, Iterator::count);
    if url.origin() != base.origin() || seen != own + segments || url.as_str() != target {
        return Err(moved());
    }
    Ok(())
}

fn push_piece(segments: &mut [Segment], piece: Piece) {
    if let Some(last) = segments.last_mut() {
        last.0.push(piece);
    }
}

/// The offset in the path behind the expression that opens at `start`.
fn behind(path: &str, start: usize, expression: &Expression) -> usize {
    let end = |from: usize, text: &str| {
        let at = path.get(from..)?.find(text)?;
        Some(from + at + text.len())
    };
    end(start, expression.text())
        .and_then(|inner| end(inner, "}}"))
        .unwrap_or(path.len())
}

/// Reports characters that are not allowed in a path. `part` begins at byte `at` of the path. If an expression before
/// it is broken, or the path is the end of a URL, its position is searched.
fn report_bad_text(part: &str, path: &str, at: usize, pointer: &str, check: &Check) {
    let bytes = part.as_bytes();
    let bad = part.char_indices().find(|(inside, c)| match c {
        '%' => !bytes
            .get(inside + 1..inside + 3)
            .is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)),
        _ => !(c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@".contains(*c)),
    });
    let Some((inside, character)) = bad else {
        return;
    };
    let start = place_of(part, path, at) + inside;
    let help = match character {
        '?' => "query parameters go to `query`".to_owned(),
        '#' => "a fragment is never sent".to_owned(),
        '{' | '}' | '<' | '>' => match bracketed(&part[inside..]) {
            Some(name) => format!("write `{{{{ {name} }}}}`"),
            None => "an expression is written `{{ name }}`".to_owned(),
        },
        _ => "percent-encode it".to_owned(),
    };
    check.error_inside(
        Code::BadPath,
        pointer,
        start..start + character.len_utf8(),
        format!("`{character}` is not allowed in a path"),
        Some(help),
    );
}

/// Where a part of a path stands, probably at this offset.
fn place_of(part: &str, path: &str, at: usize) -> usize {
    let is_there = path.get(at..).is_some_and(|rest| rest.starts_with(part));
    match is_there {
        true => at,
        false => path.find(part).unwrap_or_default(),
    }
}

/// The name in `{name}` or `<name>`, as other tools write a param.
pub(crate) fn bracketed(text: &str) -> Option<&str> {
    let (rest, close) = match (text.strip_prefix('{'), text.strip_prefix('<')) {
        (Some(rest), _) => (rest, '}'),
        (_, Some(rest)) => (rest, '>'),
        _ => return None,
    };
    let name = rest.split(close).next()?.trim();
    (rest.contains(close) && is_identifier(name)).then_some(name)
}

/// The name in a segment `:name`, as other tools write a param.
pub(crate) fn behind_colon(segment: &str) -> Option<&str> {
    segment.strip_prefix(':').filter(|name| is_identifier(name))
}

/// Reports a segment `:name`, which would be sent as it stands.
fn report_colon(segment: &str, path: &str, at: usize, pointer: &str, check: &Check) {
    let Some(name) = behind_colon(segment) else {
        return;
    };
    let start = place_of(segment, path, at);
    check.error_inside(
        Code::BadPath,
        pointer,
        start..start + segment.len(),
        format!("`{segment}` would be sent as it stands"),
        Some(format!(
            "write `{{{{ {name} }}}}`; a colon that is meant is written `%3A`"
        )),
    );
}

fn report_bad_segments(segments: &[Segment], pointer: &str, check: &Check) {
    let last = segments.len().saturating_sub(1);
    for (i, segment) in segments.iter().enumerate() {
        match segment.0.as_slice() {
            [] if i != last => {
                check.error(
                    Code::BadPath,
                    pointer,
                    "the path has an empty segment (`//`)",
                );
            }
            [Piece::Text(text)] if is_dot_segment(text) => check.error(
                Code::BadPath,
                pointer,
                format!("the path has the dot segment `{text}`"),
            ),
            _ => {}
        }
    }
}

fn is_dot_segment(text: &str) -> bool {
    matches!(
        text.to_ascii_lowercase().replace("%2e", ".").as_str(),
        "." | ".."
    )
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use serde_json::json;

    use super::*;
    use crate::source::Source;
    use crate::template::CallScope;

    fn compile(path: &str) -> Result<PathTemplate, String> {
        let check = Check::new(Source::parse("t".into(), "a: 1".into()).unwrap());
        let names = Names::default().with("id").with("n");
        let template = PathTemplate::compile(path, "/a", &names, &check);
        match check.into_findings().first() {
            Some(finding) => Err(finding.message.clone()),
            None => Ok(template),
        }
    }

    fn render(path: &str, params: serde_json::Value) -> Result<String, String> {
        let base = Url::parse("https://api.test/base").unwrap();
        let settings = json!({});
        let scope = CallScope {
            params: &params,
            settings: &settings,
        };
        compile(path)?
            .render(&base, &scope)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn values_stay_in_their_segment() {
        for (path, params, expected) in [
            ("/v1/{{ id }}/x", json!({"id": "a"}), "/v1/a/x"),
            (
                "/v1/{{ id }}",
                json!({"id": "a/b?c#d%2e"}),
                "/v1/a%2Fb%3Fc%23d%252e",
            ),
            ("/v1/{{ id }}", json!({"id": "é \\"}), "/v1/%C3%A9%20%5C"),
            ("/v1/{{ id }}", json!({"id": "..."}), "/v1/..."),
            ("/v1/{{ id }}.json", json!({"id": 7}), "/v1/7.json"),
            (
                "/v1/{{ id }}:{{ n }}/",
                json!({"id": true, "n": "x"}),
                "/v1/true:x/",
            ),
            ("/", json!({}), "/"),
            ("/a%20b", json!({}), "/a%20b"),
        ] {
            assert_eq!(
                render(path, params).as_deref(),
                Ok(format!("https://api.test/base{expected}").as_str()),
                "{path}"
            );
        }
    }

    #[test]
    fn values_that_would_leave_it_are_refused() {
        for id in [
            json!(""),
            json!("."),
            json!(".."),
            json!("a\nb"),
            json!("\u{0}"),
            json!("\u{7f}"),
            json!(null),
            json!(["a"]),
            json!({"a": 1}),
        ] {
            assert!(
                render("/v1/{{ id }}/x", json!({ "id": id })).is_err(),
                "{id}"
            );
        }
        assert!(render("/v1/{{ id }}{{ n }}", json!({"id": ".", "n": "."})).is_err());
        assert!(render("/v1/{{ id }}", json!({})).is_err());
    }

    #[test]
    fn bad_templates_are_told() {
        for (path, message) in [
            ("v1", "must start with `/`"),
            ("/a?b=1", "`?` is not allowed in a path"),
            ("/a#b", "`#` is not allowed"),
            ("/a b", "` ` is not allowed"),
            ("/a//b", "empty segment"),
            ("/a/../b", "dot segment"),
            ("/a/%2E%2e/b", "dot segment"),
            ("/a/%zz", "`%` is not allowed"),
            ("/a/{id}", "`{` is not allowed"),
            ("/a/{{ nope }}", "nothing here is called `nope`"),
        ] {
            let error = compile(path).map(|_| ()).unwrap_err();
            assert!(error.contains(message), "{path}: {error}");
        }
    }
}
