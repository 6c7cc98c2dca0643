//! Which tool a recorded request belongs to: by its method, the base URL of the service, and the path. Of several, the one
//! with the most literal path.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use serde_json::Value;
use url::Url;

use super::shown::Hidden;
use crate::har::{Kind, Own};
use crate::plan::{MASK, PathTemplate, RequestTemplate, Segment};
use crate::template::{Expression, Piece};
use crate::tool::Tool;

/// What the request of a tool is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It is the tool's own request.
    Call,
    /// It asks for the state of a job.
    Poll,
}

/// A value in the path, still encoded, and the expression that it stands for.
pub(super) struct Captured<'t> {
    pub expression: &'t Expression,
    pub raw: String,
}

/// A tool that may have made a request.
pub(super) struct Candidate<'t> {
    pub index: usize,
    pub tool: &'t Arc<Tool>,
    pub role: Role,
    pub captured: Vec<Captured<'t>>,
    /// Whether its request can be read back: no other one led to its URL.
    pub is_written: bool,
}

/// What was found for a request.
pub(super) enum Found<'t> {
    /// It goes to no service that is known.
    Elsewhere,
    /// It goes to a service that is known, and no tool makes it. The tools of the service.
    NoTool(Vec<usize>),
    /// These tools may have made it, all with equally literal paths.
    Tools(Vec<Candidate<'t>>),
}

#[derive(Debug, Clone)]
struct Route {
    tool: usize,
    role: Role,
    base: Vec<String>,
}

/// Finds tools for requests.
#[derive(Debug, Default)]
pub(super) struct Matcher {
    /// By origin, method and number of segments.
    routes: HashMap<(String, &'static str, usize), Vec<Route>>,
    /// By origin: the base path of each tool.
    bases: HashMap<String, Vec<(Vec<String>, usize)>>,
    /// Services whose base URL is not known, and why.
    pub unknown: BTreeMap<String, String>,
}

impl Matcher {
    /// Prepares for these tools. `at` takes the place of every base URL, and `set` gives values of settings.
    pub(super) fn new(tools: &[Arc<Tool>], at: Option<&Url>, set: &[(String, String)]) -> Matcher {
        let mut matcher = Matcher::default();
        for (index, tool) in tools.iter().enumerate() {
            let base = match at {
                Some(url) => Ok(url.clone()),
                None => base_of(tool, set),
            };
            match base {
                Ok(base) => matcher.add(index, tool, &base),
                Err(reason) => {
                    matcher.unknown.insert(tool.service.name.clone(), reason);
                }
            }
        }
        matcher
    }

    fn add(&mut self, index: usize, tool: &Tool, base: &Url) {
        let origin = base.origin().ascii_serialization();
        let segments = segments(base.path().trim_end_matches('/'));
        let mut add = |template: &RequestTemplate, role| {
            let length = segments.len() + template.path.segments().len();
            let key = (origin.clone(), template.method.as_str(), length);
            self.routes.entry(key).or_default().push(Route {
                tool: index,
                role,
                base: segments.clone(),
            });
        };
        add(&tool.request, Role::Call);
        if let Some(wait) = &tool.wait {
            add(wait.poll(), Role::Poll);
        }
        self.bases
            .entry(origin)
            .or_default()
            .push((segments, index));
    }

    /// Finds the tools of a request.
    pub(super) fn find<'t>(&self, tools: &'t [Arc<Tool>], method: &str, url: &Url) -> Found<'t> {
        let origin = url.origin().ascii_serialization();
        let Some(bases) = self.bases.get(&origin) else {
            return Found::Elsewhere;
        };
        let path = segments(url.path());
        let mut below = bases.iter().filter(|(base, _)| is_below(&path, base));
        let Some((_, first)) = below.next() else {
            return Found::Elsewhere;
        };
        let method = match method.to_ascii_uppercase().as_str() {
            "GET" => "GET",
            "HEAD" => "HEAD",
            "POST" => "POST",
            "PUT" => "PUT",
            "PATCH" => "PATCH",
            "DELETE" => "DELETE",
            "OPTIONS" => "OPTIONS",
            _ => "",
        };
        let routes = self.routes.get(&(origin, method, path.len()));
        let mut found: Vec<Candidate<'t>> = routes
            .into_iter()
            .flatten()
            .filter(|route| is_below(&path, &route.base))
            .filter_map(|route| candidate(route, tools, &path))
            .collect();
        let fewest = found.iter().map(|one| one.captured.len()).min();
        found.retain(|one| Some(one.captured.len()) == fewest);
        match found.is_empty() {
            true => {
                let others = below.map(|(_, index)| *index);
                Found::NoTool(std::iter::once(*first).chain(others).collect())
            }
            false => Found::Tools(found),
        }
    }
}

/// The base URL of a tool's service.
fn base_of(tool: &Tool, set: &[(String, String)]) -> Result<Url, String> {
    let service = &tool.service;
    if service.base.reads_token() {
        return Err("it comes with the access token".to_owned());
    }
    let known = |name: &String| service.settings().iter().any(|(known, _)| known == name);
    let own: Vec<_> = set
        .iter()
        .filter(|(name, _)| known(name))
        .cloned()
        .collect();
    let settings = match own.is_empty() {
        true => service.default_settings(),
        // Settings that are not given still have their examples.
        false => service.resolve_settings(&own, false).or_else(|error| {
            let examples = service.default_settings().map_err(|_| error)?;
            let mut examples = examples;
            for (name, value) in &own {
                examples[name] = value.as_str().into();
            }
            Ok(examples)
        }),
    };
    let settings =
        settings.map_err(|error: crate::tool::service::SettingError| error.to_string())?;
    let base = service.base.at(&settings, None);
    base.map(|base| base.into_owned())
        .map_err(|error| error.to_string())
}

fn segments(path: &str) -> Vec<String> {
    match path.strip_prefix('/') {
        Some(path) => path.split('/').map(str::to_owned).collect(),
        None => Vec::new(),
    }
}

/// Whether a path is below a base path. A secret in the base path may be any text.
fn is_below(path: &[String], base: &[String]) -> bool {
    let same = |(segment, base): (&String, &String)| match base.split_once(MASK) {
        Some((before, after)) => segment.starts_with(before) && segment.ends_with(after),
        None => segment == base,
    };
    path.len() >= base.len() && path.iter().zip(base).all(same)
}

fn candidate<'t>(route: &Route, tools: &'t [Arc<Tool>], path: &[String]) -> Option<Candidate<'t>> {
    let tool = &tools[route.tool];
    let template = match (route.role, &tool.wait) {
        (Role::Poll, Some(wait)) => &wait.poll().path,
        _ => &tool.request.path,
    };
    let mut captured = Vec::new();
    let own = path.get(route.base.len()..)?;
    for (segment, text) in template.segments().iter().zip(own) {
        match_segment(segment, text, &mut captured)?;
    }
    Some(Candidate {
        index: route.tool,
        tool,
        role: route.role,
        captured,
        is_written: true,
    })
}

/// The tool that says itself that it made a request, below the base URL that it had then. `None` if it has another path now.
pub(super) fn own<'t>(own: &Own, tools: &'t [Arc<Tool>], url: &Url) -> Option<Candidate<'t>> {
    let is_it = |tool: &Arc<Tool>| tool.name == own.tool && tool.service.name == own.service;
    let tool = tools.iter().position(is_it)?;
    let base = Url::parse(own.more.get("base")?.as_str()?).ok()?;
    let base = segments(base.path().trim_end_matches('/'));
    let role = match (&own.kind, own.more.contains_key("poll")) {
        (Kind::Poll, _) | (Kind::Retry, true) => Role::Poll,
        _ => Role::Call,
    };
    // The answer before it gave this URL.
    let is_led = own.more.contains_key("redirects") || own.more.contains_key("page");
    let path = segments(url.path());
    let route = Route { tool, role, base };
    let found = match is_below(&path, &route.base) {
        true => candidate(&route, tools, &path),
        false => None,
    };
    let is_moved = || Candidate {
        index: tool,
        tool: &tools[tool],
        role,
        captured: Vec::new(),
        is_written: false,
    };
    let found = found.filter(|_| !own.more.contains_key("redirects"));
    found.or_else(|| is_led.then(is_moved))
}

/// In a segment, at most one expression can be read back, because the text around it must be fixed.
fn match_segment<'t>(
    segment: &'t Segment,
    text: &str,
    captured: &mut Vec<Captured<'t>>,
) -> Option<()> {
    let (prefix, rest) = match segment.0.as_slice() {
        [Piece::Text(prefix), rest @ ..] => (prefix.as_str(), rest),
        rest => ("", rest),
    };
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let Some((Piece::Expression(expression), rest)) = rest.split_first() else {
        let is_same = text == prefix || decoded(text) == decoded(prefix);
        return is_same.then_some(());
    };
    let inner = text.strip_prefix(prefix)?;
    let suffix = match rest {
        [] => "",
        [Piece::Text(suffix)] => suffix.as_str(),
        // Several values in one segment: all that is known is how it begins.
        _ => return (!inner.is_empty()).then_some(()),
    };
    let raw = inner.strip_suffix(suffix).filter(|raw| !raw.is_empty())?;
    captured.push(Captured {
        expression,
        raw: raw.to_owned(),
    });
    Some(())
}

/// The path of a request without anything that may be a value: `/v1/orders/{}`.
pub(super) fn outline(url: &Url, hidden: &Hidden) -> String {
    let mut outline = String::new();
    for segment in segments(url.path()) {
        outline.push('/');
        outline.push_str(&hidden.segment(&segment).unwrap_or_else(|| "{}".to_owned()));
    }
    outline
}

/// The tool whose request is most like this one, if one is like it at all.
pub(super) fn nearest(
    tools: &[Arc<Tool>],
    among: &[usize],
    method: &str,
    outline: &str,
) -> Option<(usize, Likeness)> {
    let path = segments(outline);
    let scored = among.iter().filter_map(|index| {
        let tool = &tools[*index];
        let likeness = likeness(tool, method, &path)?;
        Some((*index, likeness))
    });
    scored.min_by_key(|(index, likeness)| (likeness.distance, *index))
}

/// How much a request is like that of a tool.
#[derive(Debug, Clone, Copy)]
pub(super) struct Likeness {
    /// How many segments differ, and the method.
    pub distance: usize,
    pub has_path: bool,
}

fn likeness(tool: &Tool, method: &str, path: &[String]) -> Option<Likeness> {
    let own = template_segments(&tool.request.path);
    // The base path stands before it.
    let path = &path[path.len().saturating_sub(own.len())..];
    if own.len() != path.len() {
        return None;
    }
    let mut differing = 0;
    let mut literal = 0;
    for (own, text) in own.iter().zip(path) {
        match own {
            None => {}
            Some(own) if own == text => literal += 1,
            Some(_) => differing += 1,
        }
    }
    let has_method = tool.request.method.as_str().eq_ignore_ascii_case(method);
    let is_like = differing == 0 || (differing == 1 && literal > 0);
    is_like.then_some(Likeness {
        distance: differing * 2 + usize::from(!has_method),
        has_path: differing == 0,
    })
}

/// The texts of the segments; `None` for those with an expression.
fn template_segments(path: &PathTemplate) -> Vec<Option<String>> {
    let text = |segment: &Segment| match segment.0.as_slice() {
        [Piece::Text(text)] => Some(text.clone()),
        _ => None,
    };
    path.segments().iter().map(text).collect()
}

/// The GraphQL document of a body without white space and commas, which mean nothing.
pub(super) fn graphql_document(body: &Value) -> Option<String> {
    let query = body.get("query")?.as_str()?;
    Some(plain_graphql(query))
}

pub(super) fn plain_graphql(query: &str) -> String {
    query
        .chars()
        .filter(|c| !c.is_whitespace() && *c != ',')
        .collect()
}
