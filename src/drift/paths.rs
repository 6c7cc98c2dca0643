//! The paths with which a tool reads its responses, and what they found in all recorded answers.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::notes::{Seen, Where};
use super::shown::Hidden;
use crate::json::{Budget, Kind, Part};
use crate::jsonpath::{JsonPath, SearchError, Step};
use crate::source::{Check, Source, join, join_index};
use crate::template::{Expression, Names, Template};

/// Most names of members that are kept at one place.
const MOST_NAMES: usize = 200;

/// A path in a descriptor, and what it found.
#[derive(Debug)]
pub(super) struct Probe {
    /// Where it stands.
    pub pointer: String,
    /// The path, or the expression that reads it.
    pub text: String,
    path: JsonPath,
    /// The name that expressions have for what it selects.
    name: Option<String>,
    /// What is read of each value that it selects.
    pub inner: Option<Level>,
    /// Whether it was found anywhere.
    pub is_found: bool,
    /// Answers in which a member on its way was missing.
    pub missing: Seen,
    /// Answers in which it was missing as on a last page.
    pub ended: Seen,
    /// Whether it was missing where fields were removed from the recording.
    pub is_removed: bool,
    /// Names of the members beside the missing one.
    pub beside: BTreeSet<String>,
    /// How many of its first steps were found, where it is missing.
    pub followed: usize,
    /// Answers with a value of another kind on its way: what it expects, where, and what is there.
    pub odd: IndexMap<(String, &'static str, &'static str), Seen>,
}

/// A value where paths start: the body, or an element of a list.
#[derive(Debug, Default)]
pub(super) struct Level {
    pub probes: Vec<Probe>,
    /// The map of the output that is made of this value, if there is one.
    pub map: Option<String>,
    /// The members that something reads.
    known: BTreeSet<String>,
    /// Whether something reads the whole value, so that none of its members is new.
    is_whole: bool,
    /// How many objects were seen.
    objects: usize,
    /// Members that nothing reads.
    pub unread: IndexMap<String, Unread>,
    /// Members that the examples have.
    in_examples: BTreeSet<String>,
    /// The ways to what leads to the next page, which a last page may lack.
    ends: Vec<Vec<Step>>,
    /// Whether an answer was seen that is no last page.
    goes_on: bool,
}

/// A member that nothing reads.
#[derive(Debug)]
pub(super) struct Unread {
    pub kinds: BTreeSet<&'static str>,
    count: usize,
    pub seen: Seen,
}

impl Probe {
    fn new(path: JsonPath, text: &str, pointer: &str) -> Probe {
        Probe {
            pointer: pointer.to_owned(),
            text: text.to_owned(),
            path,
            name: None,
            inner: None,
            is_found: false,
            missing: Seen::default(),
            ended: Seen::default(),
            is_removed: false,
            beside: BTreeSet::new(),
            followed: 0,
            odd: IndexMap::new(),
        }
    }

    /// The name of the member that was missing.
    pub(super) fn missing_name(&self) -> Option<&str> {
        match self.path.beginning().get(self.followed)? {
            Step::Name(name) => Some(name),
            Step::Index(_) => None,
        }
    }

    /// Whether it is a plain path, such as `$.a.b`, whose text can be written anew.
    pub(super) fn renamed(&self, name: &str) -> Option<String> {
        let steps = self.path.singular()?;
        let is_plain = |name: &str| {
            let mut bytes = name.bytes();
            let starts = bytes
                .next()
                .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
            starts && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
        };
        let mut text = "$".to_owned();
        for (i, step) in steps.iter().enumerate() {
            let Step::Name(own) = step else { return None };
            let own = if i == self.followed { name } else { own };
            if !is_plain(own) {
                return None;
            }
            text.push('.');
            text.push_str(own);
        }
        (self.text.starts_with('$')).then_some(text)
    }

    /// `ends` are the ways to what a last page may lack.
    fn observe(&mut self, part: Part<'_>, at: Option<Where>, hidden: &Hidden, ends: &[Vec<Step>]) {
        let mut node = part;
        for (i, step) in self.path.beginning().iter().enumerate() {
            match (step, node.kind()) {
                (_, Kind::Null) => return,
                (Step::Name(_), Kind::Object) | (Step::Index(_), Kind::Array) => {}
                (Step::Name(_), other) => return self.is_odd(i, "an object", other, at),
                (Step::Index(_), other) => return self.is_odd(i, "an array", other, at),
            }
            match step.select_in(node) {
                Some(next) => node = next,
                None => return self.is_missing(i, node, at, hidden, ends),
            }
        }
        let followed = self.path.beginning().len();
        if !self.path.is_singular() && self.path.refuses(followed, node.kind()) {
            let expected = match self.path.refuses(followed, Kind::Array) {
                true => "an object",
                false => "an array",
            };
            return self.is_odd(followed, expected, node.kind(), at);
        }
        if self.path.is_singular() || !node.is_null() {
            self.is_found |= at.is_some();
        }
        let Some(inner) = &mut self.inner else { return };
        let mut parts = Vec::new();
        let budget = Budget::of(part.text().len());
        // A search that is too large for its budget fails in the projection too, and is told there.
        let _ = self
            .path
            .visit_in::<SearchError>(part, (part, 0), &budget, &mut |part| {
                parts.push(part);
                Ok(())
            });
        parts
            .into_iter()
            .for_each(|part| inner.observe(part, at, hidden, false));
    }

    fn is_missing(
        &mut self,
        followed: usize,
        node: Part<'_>,
        at: Option<Where>,
        hidden: &Hidden,
        ends: &[Vec<Step>],
    ) {
        let way = &self.path.beginning()[..=followed];
        // An array that is too short says nothing.
        let (Some(at), Some(Step::Name(name))) = (at, way.last()) else {
            return;
        };
        if hidden.is_removed(name) {
            self.is_removed = true;
            return;
        }
        match ends.iter().any(|end| end.starts_with(way)) {
            true => self.ended.add(at),
            false => self.missing.add(at),
        }
        self.followed = followed;
        for (key, _) in node.members() {
            if self.beside.len() >= MOST_NAMES {
                break;
            }
            self.beside.extend(hidden.name(&key.name()));
        }
    }

    fn is_odd(&mut self, followed: usize, expected: &'static str, found: Kind, at: Option<Where>) {
        let Some(at) = at else { return };
        let mut place = "$".to_owned();
        for step in &self.path.beginning()[..followed] {
            match step {
                Step::Name(name) => place.push_str(&format!(".{name}")),
                Step::Index(index) => place.push_str(&format!("[{index}]")),
            }
        }
        let key = (place, expected, found.name());
        self.odd.entry(key).or_default().add(at);
    }
}

impl Level {
    /// Collects the paths of a tool's response and paging sections.
    pub(super) fn of_body(source: &Arc<Source>) -> Level {
        let file = source.value();
        let mut level = Level::default();
        let mut build = Builder {
            check: Check::new(Arc::clone(source)),
            loose: Vec::new(),
        };
        if let Some(bindings) = file.pointer("/response/let").and_then(Value::as_object) {
            for (name, value) in bindings {
                build.node(value, &join("/response/let", name), &mut level);
            }
        }
        match file.pointer("/response/output") {
            Some(output) => build.node(output, "/response/output", &mut level),
            None => level.is_whole = true,
        }
        if let Some(paging) = file.get("paging") {
            build.paging(paging, &mut level);
        }
        for (name, probe) in build.loose {
            if name == "body" {
                level.add(probe);
            }
        }
        let leads_on = |probe: &&Probe| {
            let pointer = probe.pointer.strip_prefix("/paging/");
            pointer.is_some_and(|key| !key.starts_with("items"))
        };
        let ends = level.probes.iter().filter(leads_on);
        level.ends = ends.map(|probe| probe.path.beginning().to_vec()).collect();
        level
    }

    fn add(&mut self, probe: Probe) {
        match probe.path.beginning().first() {
            Some(Step::Name(name)) => drop(self.known.insert(name.clone())),
            _ => self.is_whole |= probe.inner.is_none(),
        }
        self.probes.push(probe);
    }

    /// Notes what a value has. Without an entry it is the body of an example. A last page may lack what leads to the next one.
    pub(super) fn observe(
        &mut self,
        part: Part<'_>,
        at: Option<Where>,
        hidden: &Hidden,
        is_last: bool,
    ) {
        self.goes_on |= at.is_some() && !is_last;
        if part.kind() == Kind::Object {
            self.objects += usize::from(at.is_some());
            if self.map.is_some() && !self.is_whole {
                for (key, member) in part.members() {
                    self.member(&key.name(), member, at, hidden);
                }
            }
        }
        let ends = if is_last { self.ends.as_slice() } else { &[] };
        for probe in &mut self.probes {
            probe.observe(part, at, hidden, ends);
        }
    }

    fn member(&mut self, name: &str, member: Part<'_>, at: Option<Where>, hidden: &Hidden) {
        let Some(at) = at else {
            self.in_examples.insert(name.to_owned());
            return;
        };
        // A name that may be a value is told without it.
        let name = &*hidden.named(name);
        let is_news = !self.known.contains(name) && !self.in_examples.contains(name);
        if !is_news || (self.unread.len() >= MOST_NAMES && !self.unread.contains_key(name)) {
            return;
        }
        let unread = self
            .unread
            .entry(name.to_owned())
            .or_insert_with(|| Unread {
                kinds: BTreeSet::new(),
                count: 0,
                seen: Seen::default(),
            });
        unread.count += 1;
        unread.kinds.insert(member.kind().name());
        unread.seen.add(at);
    }

    /// The members that nothing reads and that most objects have.
    pub(super) fn news(&self) -> impl Iterator<Item = (&str, &Unread)> {
        let is_in_most = |unread: &Unread| unread.count * 10 >= self.objects * 9;
        let news = self
            .unread
            .iter()
            .filter(move |(_, unread)| is_in_most(unread));
        news.map(|(name, unread)| (name.as_str(), unread))
    }

    /// This level and all levels below it.
    pub(super) fn visit(&self, visit: &mut dyn FnMut(&Level)) {
        visit(self);
        let inner = self.probes.iter().filter_map(|probe| probe.inner.as_ref());
        inner.for_each(|level| level.visit(visit));
    }

    /// Whether something of another kind was seen in an entry.
    pub(super) fn is_odd_at(&self, at: Where) -> bool {
        let mut is_odd = false;
        self.visit(&mut |level| {
            let mut odd = level.probes.iter().flat_map(|probe| probe.odd.values());
            is_odd |= odd.any(|seen| seen.is_last(at));
        });
        is_odd
    }

    /// Whether all answers were last pages, and such ones may lack what is at this JSON Pointer.
    pub(super) fn may_lack(&self, pointer: &str) -> bool {
        let is_it = |way: &Vec<Step>| {
            let mut at = String::new();
            way.iter().any(|step| {
                at = match step {
                    Step::Name(name) => join(&at, name),
                    Step::Index(index) => format!("{at}/{index}"),
                };
                at == pointer
            })
        };
        !self.goes_on && self.ends.iter().any(is_it)
    }

    /// The pointers of paths that found nothing.
    pub(super) fn lost(&self) -> BTreeSet<String> {
        let mut lost = BTreeSet::new();
        self.visit(&mut |level| {
            for probe in &level.probes {
                if !probe.is_found && (probe.missing.count > 0 || probe.is_removed) {
                    lost.insert(probe.pointer.clone());
                }
            }
        });
        lost
    }
}

/// Makes probes of the values in a descriptor.
struct Builder {
    check: Check,
    /// Members that expressions read, with the name that they start at.
    loose: Vec<(String, Probe)>,
}

impl Builder {
    fn paging(&mut self, paging: &Value, level: &mut Level) {
        match paging.get("items") {
            Some(Value::Array(items)) => {
                for (i, item) in items.iter().enumerate() {
                    self.text(item, &join_index("/paging/items", i), level);
                }
            }
            Some(item) => self.text(item, "/paging/items", level),
            None => {}
        }
        for key in ["while", "next_url"] {
            if let Some(value) = paging.get(key) {
                self.text(value, &join("/paging", key), level);
            }
        }
        let next = paging.get("next").and_then(Value::as_object);
        for (name, value) in next.into_iter().flatten() {
            self.text(value, &join("/paging/next", name), level);
        }
    }

    fn text(&mut self, value: &Value, pointer: &str, level: &mut Level) {
        if let Value::String(text) = value {
            self.leaf(text, pointer, level);
        }
    }

    fn leaf(&mut self, text: &str, pointer: &str, level: &mut Level) {
        if text.starts_with('$') {
            if let Ok(path) = JsonPath::parse(text) {
                level.add(Probe::new(path, text, pointer));
            }
            return;
        }
        if !text.contains("{{") {
            return;
        }
        let template = Template::compile_text(text, pointer, &Names::anything(), &self.check);
        template.visit(&mut |expression, _| self.expression(expression, pointer));
    }

    /// The members that an expression reads, unless it allows for their absence.
    fn expression(&mut self, expression: &Expression, pointer: &str) {
        let text = expression.text();
        let allows_absence = ["default", "defined", "if ", "get(", " or ", " and "]
            .iter()
            .any(|word| text.contains(word));
        for dotted in expression.dotted_names() {
            let mut parts = dotted.split('.');
            let name = parts.next().unwrap_or_default().to_owned();
            let members: Vec<&str> = parts.collect();
            let is_called = text.contains(&format!("{dotted}("));
            let path: String = members.iter().map(|member| format!(".{member}")).collect();
            let Ok(path) = JsonPath::parse(&format!("${path}")) else {
                continue;
            };
            let mut probe = Probe::new(path, text.trim(), pointer);
            // Such a member is known, whether it is there or not.
            probe.is_found = allows_absence || is_called || members.is_empty();
            self.loose.push((name, probe));
        }
    }

    fn node(&mut self, value: &Value, pointer: &str, level: &mut Level) {
        match value {
            Value::String(text) => self.leaf(text, pointer, level),
            Value::Array(items) => {
                for (i, item) in items.iter().enumerate() {
                    self.node(item, &join_index(pointer, i), level);
                }
            }
            Value::Object(members) if members.len() == 1 && members.contains_key("literal") => {}
            Value::Object(members) if members.contains_key("each") => {
                self.each(members, pointer, level);
            }
            Value::Object(members) if members.get("zip").is_some_and(Value::is_object) => {
                let columns = members.get("zip").and_then(Value::as_object);
                for (name, column) in columns.into_iter().flatten() {
                    self.text(column, &join(&join(pointer, "zip"), name), level);
                }
            }
            Value::Object(members) => {
                if level.map.is_none() {
                    level.map = Some(pointer.to_owned());
                }
                for (key, member) in members {
                    self.node(member, &join(pointer, key), level);
                }
            }
            _ => {}
        }
    }

    fn each(&mut self, members: &Map<String, Value>, pointer: &str, level: &mut Level) {
        let at = join(pointer, "each");
        let walk: Vec<(String, &str, String)> = match &members["each"] {
            Value::String(text) => vec![("item".to_owned(), text.as_str(), at)],
            Value::Object(steps) => steps
                .iter()
                .filter_map(|(name, step)| Some((name.clone(), step.as_str()?, join(&at, name))))
                .collect(),
            _ => Vec::new(),
        };
        let mut inner = Level::default();
        let before = self.loose.len();
        match members.get("as") {
            Some(node) => self.node(node, &join(pointer, "as"), &mut inner),
            None => inner.is_whole = true,
        }
        let mut loose: HashMap<String, Vec<Probe>> = HashMap::new();
        for (name, probe) in self.loose.split_off(before) {
            loose.entry(name).or_default().push(probe);
        }
        // `item` is the innermost element.
        for probe in loose.remove("item").unwrap_or_default() {
            inner.add(probe);
        }
        for (i, (name, text, at)) in walk.iter().enumerate().rev() {
            for probe in loose.remove(name).unwrap_or_default() {
                inner.add(probe);
            }
            let Ok(path) = JsonPath::parse(text) else {
                return;
            };
            let mut probe = Probe::new(path, text, at);
            probe.name = Some(name.clone());
            probe.inner = Some(inner);
            if i == 0 {
                level.add(probe);
                break;
            }
            inner = Level::default();
            inner.add(probe);
        }
        let others = loose.into_iter();
        self.loose.extend(
            others.flat_map(|(name, probes)| {
                probes.into_iter().map(move |probe| (name.clone(), probe))
            }),
        );
    }
}

/// The place in the output section that makes a part of an output: `/workspaces/3/id` is made by
/// `/response/output/workspaces/as/id`.
pub(super) fn maker(file: &Value, part: &str) -> Option<String> {
    let mut pointer = "/response/output".to_owned();
    for token in part.split('/').skip(1) {
        let node = file.pointer(&pointer)?;
        pointer = match node {
            Value::Object(members) if members.contains_key("each") => join(&pointer, "as"),
            Value::Object(_) | Value::Array(_) => format!("{pointer}/{token}"),
            _ => return None,
        };
    }
    file.pointer(&pointer).map(|_| pointer)
}
