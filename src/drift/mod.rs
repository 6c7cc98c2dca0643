//! Drift: recordings of what services really do, held against the descriptors that say what they do.
//!
//! Each exchange is matched with the tool that would have made it. Its request is read back into arguments, its answer
//! goes through the tool's paths, projection and schema. What differs is a finding at its line in the descriptor. Values
//! of recordings are not kept, and hardly any is shown: they are other people's.

mod answer;
mod arguments;
mod calls;
mod matching;
mod mend;
mod notes;
mod paths;
mod reading;
mod shape;
mod shown;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;
use url::Url;

use answer::{Recorded, Watched};
use matching::{Candidate, Found, Matcher, Role};
use notes::{Mend, Note, Notes, Of, Place, Seen, Where};
use paths::{Level, Probe};
use reading::{Reading, service_place};
use shape::Difference;
use shown::Hidden;

use crate::check::Report;
use crate::har::{Entry, Kind, Request};
use crate::recording::Veil;
use crate::source::{Code, Finding, Severity, join};
use crate::template::Bound;
use crate::tool::Tool;
use crate::words::nearest_of;

pub(crate) use calls::cheapest;
pub(crate) use mend::Patch;

/// How recordings are held against tools.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// Where the recordings were made, if not at the base URLs of the services.
    pub base_url: Option<Url>,
    /// Values of settings, for the base URLs.
    pub settings: Vec<(String, String)>,
}

/// Holds recordings against tools, exchange by exchange.
pub(crate) struct Drift {
    tools: Arc<[Arc<Tool>]>,
    watched: Vec<Watched>,
    matcher: Matcher,
    notes: Notes,
    files: Vec<String>,
    counts: Counts,
    /// Requests of known services that no tool makes, by service, method and outline of the path.
    unmatched: IndexMap<(String, String, String), (Vec<usize>, Seen)>,
}

/// What became of the exchanges.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// All of them.
    pub exchanges: usize,
    /// Those that a tool makes.
    pub matched: usize,
    /// Requests of known services that no tool makes.
    pub unmatched: usize,
    /// Those that go elsewhere, by host.
    pub elsewhere: BTreeMap<String, usize>,
    /// Those that are no calls: requests of tokens, and what has no URL of HTTP.
    pub aside: usize,
    /// Those without an answer, and answers whose body is not recorded.
    pub without_body: usize,
}

/// What came out.
pub(crate) struct Outcome {
    pub report: Report,
    pub counts: Counts,
    /// Tools of which nothing was recorded.
    pub unseen: Vec<String>,
    /// Services whose base URL is not known, and why.
    pub unknown: BTreeMap<String, String>,
    /// Changes of the descriptors that settle findings.
    pub patches: Vec<Patch>,
}

impl Drift {
    /// Prepares for these tools.
    pub(crate) fn new(tools: Vec<Arc<Tool>>, options: &Options) -> Drift {
        let matcher = Matcher::new(&tools, options.base_url.as_ref(), &options.settings);
        let watched = tools.iter().enumerate();
        let watched = watched.map(|(index, tool)| Watched::new(index, Arc::clone(tool)));
        Drift {
            watched: watched.collect(),
            matcher,
            notes: Notes::default(),
            files: Vec::new(),
            counts: Counts::default(),
            unmatched: IndexMap::new(),
            tools: tools.into(),
        }
    }

    /// Begins with another recording.
    pub(crate) fn file(&mut self, name: &str) {
        self.files.push(name.to_owned());
    }

    /// Takes an exchange of the current recording.
    pub(crate) fn entry(&mut self, entry: &Entry) {
        self.counts.exchanges += 1;
        let at = Where {
            file: self.files.len().saturating_sub(1),
            entry: entry.number,
        };
        let url = Url::parse(&entry.request.url).ok();
        let url = url.filter(|url| ["http", "https"].contains(&url.scheme()));
        let is_aside = matches!(
            entry.own.as_ref().map(|own| &own.kind),
            Some(Kind::Token | Kind::Cancel)
        );
        let Some(url) = url.filter(|_| !is_aside) else {
            self.counts.aside += 1;
            return;
        };
        let _bound = Bound::of_many();
        let mut hidden = Hidden::of(&entry.request, &url);
        let veil = entry.own.as_ref().map(Veil::of).unwrap_or_default();
        hidden.without(veil.removed());
        let lifted = veil.lifted(entry);
        let tools = Arc::clone(&self.tools);
        let own = entry.own.as_ref();
        let own = own.and_then(|own| matching::own(own, &tools, &url));
        let found = match own {
            Some(own) => Found::Tools(vec![own]),
            None => self.matcher.find(&tools, &entry.request.method, &url),
        };
        let candidates = match found {
            Found::Elsewhere => {
                let host = url.host_str().unwrap_or_default().to_owned();
                *self.counts.elsewhere.entry(host).or_default() += 1;
                return;
            }
            Found::NoTool(among) => {
                return self.unmatched(&entry.request, &url, among, &hidden, at);
            }
            Found::Tools(candidates) => candidates,
        };
        let mut services = candidates.iter().map(|one| &one.tool.service);
        if services.any(|service| !service.redact.is_empty()) {
            hidden.hide_values();
        }
        let among: Vec<usize> = candidates.iter().map(|one| one.index).collect();
        // What is hidden is not read back.
        let read = lifted.as_ref().unwrap_or(entry);
        let read_url = Url::parse(&read.request.url).unwrap_or_else(|_| url.clone());
        match choose(candidates, read, &read_url, &hidden) {
            Some((candidate, reading)) => {
                let answer = entry.response.as_ref().map(|response| Recorded {
                    response,
                    lifted: lifted.as_ref().and_then(|entry| entry.response.as_ref()),
                    removed: veil.removed(),
                    url: &url,
                });
                self.matched(entry, answer, candidate, reading, &hidden, at);
            }
            None => self.unmatched(&entry.request, &url, among, &hidden, at),
        }
    }

    fn unmatched(
        &mut self,
        request: &Request,
        url: &Url,
        among: Vec<usize>,
        hidden: &Hidden,
        at: Where,
    ) {
        self.counts.unmatched += 1;
        let service = among
            .first()
            .map(|index| self.tools[*index].service.name.clone());
        let method = hidden.named(&request.method.to_ascii_uppercase());
        let key = (
            service.unwrap_or_default(),
            method,
            matching::outline(url, hidden),
        );
        let (_, seen) = self
            .unmatched
            .entry(key)
            .or_insert((among, Seen::default()));
        seen.add(at);
    }

    fn matched(
        &mut self,
        entry: &Entry,
        answer: Option<Recorded<'_>>,
        candidate: Candidate<'_>,
        reading: Option<Reading<'_>>,
        hidden: &Hidden,
        at: Where,
    ) {
        self.counts.matched += 1;
        let index = candidate.index;
        let watched = &mut self.watched[index];
        watched.exchanges += 1;
        let status = entry.response.as_ref().map(|response| response.status);
        let has_body = entry
            .response
            .as_ref()
            .is_some_and(|one| one.body.bytes().is_some());
        self.counts.without_body += usize::from(!has_body);
        let (mut notes, arguments) = match &reading {
            // What the service refused says nothing about what it takes.
            Some(reading) if status.is_some_and(|status| status < 400) => {
                watched.requests += 1;
                let mut notes = reading.notes.clone();
                notes.extend(arguments::check(reading));
                (notes, reading.arguments.clone())
            }
            Some(reading) => (Vec::new(), reading.arguments.clone()),
            None => (Vec::new(), own_arguments(entry)),
        };
        if let Some(answer) = answer {
            notes.extend(watched.answer(candidate.role, &answer, &arguments, hidden, at));
        }
        for note in notes {
            self.notes.add(Some(index), note, at);
        }
    }

    /// What all recordings together say.
    pub(crate) fn finish(mut self) -> Outcome {
        self.note_paths();
        self.note_examples();
        let mut notes = std::mem::take(&mut self.notes).into_list();
        let lost: BTreeSet<(usize, String)> = self
            .watched
            .iter()
            .flat_map(|watched| {
                let lost = watched.level.lost().into_iter();
                lost.map(|pointer| (watched.index, pointer))
            })
            .collect();
        // What a path does not find is null in the output. That it does not find it was told.
        notes.retain(|note| match (&note.output, note.tool) {
            (Some(output), Some(tool)) => !lost.contains(&(tool, output.clone())),
            _ => true,
        });
        join_lost(&mut notes);
        notes.extend(self.notes_of_unmatched());
        notes.retain(|note| !is_allowed(note));
        let mut findings: Vec<Finding> = notes.iter().map(|note| self.finding(note)).collect();
        findings.sort_by(|a, b| {
            (&a.source.name, a.span.start, &a.message).cmp(&(
                &b.source.name,
                b.span.start,
                &b.message,
            ))
        });
        let unseen = self.watched.iter().filter(|watched| watched.exchanges == 0);
        let mut files: Vec<String> = Vec::new();
        for tool in self.tools.iter() {
            for source in [tool.service.source(), &tool.source] {
                if !files.contains(&source.name) {
                    files.push(source.name.clone());
                }
            }
        }
        Outcome {
            unseen: unseen
                .map(|watched| watched.tool.qualified_name())
                .collect(),
            unknown: std::mem::take(&mut self.matcher.unknown),
            patches: mend::patches(&notes, &self.tools),
            report: Report { files, findings },
            counts: self.counts,
        }
    }

    /// Of how many a note is a part: of those of its tool, or of all tools of the service that it is about.
    fn total(&self, note: &Note, index: usize) -> Option<(usize, &'static str)> {
        let own = &self.watched[index];
        let is_own = Arc::ptr_eq(&note.place.source, &own.tool.source);
        let is_meant = |watched: &&Watched| match is_own {
            true => watched.index == index,
            false => Arc::ptr_eq(watched.tool.service.source(), &note.place.source),
        };
        let among = self.watched.iter().filter(is_meant);
        Some(match note.of {
            Of::Requests => (among.map(|one| one.requests).sum(), "requests"),
            Of::Answers => (among.map(|one| one.answers).sum(), "answers"),
            Of::Errors => (among.map(|one| one.errors).sum(), "error answers"),
            Of::Nothing => return None,
        })
    }

    fn finding(&self, note: &Note) -> Finding {
        let total = note.tool.and_then(|index| self.total(note, index));
        let shown = note.seen.shown(&self.files);
        let counted = match total {
            Some((total, what)) if total > 0 => {
                format!("{} of {total} {what}; {shown}", note.seen.count)
            }
            _ => shown,
        };
        Finding {
            code: note.code,
            severity: note.code.meaning().severity,
            message: match counted.as_str() {
                "" => note.message.clone(),
                counted => format!("{} ({counted})", note.message),
            },
            help: note.help.clone(),
            span: note.place.span(),
            source: Arc::clone(&note.place.source),
        }
    }

    /// Paths that found nothing, or values of another kind, and members that nothing reads.
    fn note_paths(&mut self) {
        for watched in &self.watched {
            let mut made = Vec::new();
            watched.level.visit(&mut |level| {
                for probe in &level.probes {
                    made.extend(notes_of_probe(probe, level, watched));
                }
                made.extend(news_of(level, watched));
            });
            for (note, seen) in made {
                self.notes.add_seen(watched.index, note, seen);
            }
        }
    }

    /// Examples whose bodies have another shape than the recorded ones.
    fn note_examples(&mut self) {
        for watched in &self.watched {
            if watched.shape.count() == 0 {
                continue;
            }
            for (pointer, body) in answer::example_bodies(&watched.tool) {
                for (below, difference) in watched.shape.compare(body) {
                    let message = match difference {
                        Difference::Gone if watched.may_lack(&below) => continue,
                        Difference::Gone => {
                            let name = below.rsplit('/').next().unwrap_or_default();
                            format!("the example has `{name}`, and no recorded answer has it")
                        }
                        Difference::Kind { example, recorded } => {
                            format!(
                                "the example has {example} here, and recorded answers have {recorded}"
                            )
                        }
                    };
                    let place = Place::key(&watched.tool.source, format!("{pointer}{below}"));
                    let note = Note::new(Code::StaleExample, place, message);
                    let message = format!("{} ({} answers)", note.message, watched.shape.count());
                    let note = Note { message, ..note };
                    self.notes.add_seen(watched.index, note, Seen::default());
                }
            }
        }
    }

    fn notes_of_unmatched(&self) -> Vec<Note> {
        let unmatched = self.unmatched.iter();
        unmatched
            .map(|((service, method, outline), (among, seen))| {
                let tools: Vec<usize> = match among.is_empty() {
                    true => Vec::new(),
                    false => (0..self.tools.len())
                        .filter(|index| self.tools[*index].service.name == *service)
                        .collect(),
                };
                let nearest = matching::nearest(&self.tools, &tools, method, outline);
                let (place, help) = match nearest {
                    Some((index, likeness)) => {
                        let tool = &self.tools[index];
                        let is_seen = self.watched[index].exchanges > 0;
                        let own = format!(
                            "the nearest is {}: {} {}",
                            tool.name, tool.request.method, tool.path
                        );
                        let key = match (is_seen, likeness.has_path) {
                            (true, _) => None,
                            (false, true) => Some("/request/method"),
                            (false, false) => Some("/request/path"),
                        };
                        let place = key.map(|key| Place::value(&tool.source, key));
                        (place, Some(own))
                    }
                    None => (None, None),
                };
                let place = place.unwrap_or_else(|| {
                    let tool = &self.tools[among.first().copied().unwrap_or_default()];
                    let (source, prefix) = service_place(tool);
                    Place::value(&source, format!("{prefix}/base_url"))
                });
                let message = format!("no tool of {service} sends {method} {outline}");
                let note = Note::new(Code::UnmatchedRequest, place, message).help(help);
                Note {
                    seen: seen.clone(),
                    ..note
                }
            })
            .collect()
    }
}

/// The tool that fits a request best, and what its request says: the one that differs least. None if the request is a
/// GraphQL operation of no tool.
fn choose<'t>(
    candidates: Vec<Candidate<'t>>,
    entry: &Entry,
    url: &Url,
    hidden: &'t Hidden,
) -> Option<(Candidate<'t>, Option<Reading<'t>>)> {
    let document = entry.request.body.as_ref().and_then(reading::graphql_of);
    let own = entry.own.as_ref();
    let mut best: Option<(usize, Candidate<'t>, Option<Reading<'t>>)> = None;
    for candidate in candidates {
        if candidate.role == Role::Call && candidate.tool.is_graphql() {
            let body = candidate.tool.request.body.as_ref();
            let expected = body.and_then(|body| body.graphql_query());
            let expected = expected.map(matching::plain_graphql);
            if document.is_some() && document != expected {
                continue;
            }
        }
        let reading = match (candidate.role, candidate.is_written) {
            (Role::Call, true) => Some(reading::read(&candidate, &entry.request, url, hidden)),
            _ => None,
        };
        let is_own = own.is_some_and(|own| {
            own.tool == candidate.tool.name && own.service == candidate.tool.service.name
        });
        let differences = match (&reading, is_own) {
            (_, true) => 0,
            (Some(reading), _) => 1 + reading.notes.len() + arguments::check(reading).len(),
            (None, _) => 1,
        };
        if best.as_ref().is_none_or(|(least, ..)| differences < *least) {
            best = Some((differences, candidate, reading));
        }
    }
    best.map(|(_, candidate, reading)| (candidate, reading))
}

/// The arguments that stand beside an exchange, if its request is not read.
fn own_arguments(entry: &Entry) -> serde_json::Map<String, Value> {
    let own = entry.own.as_ref().map(|own| &own.arguments);
    own.and_then(Value::as_object).cloned().unwrap_or_default()
}

/// What is wrong with a path.
fn notes_of_probe(probe: &Probe, level: &Level, watched: &Watched) -> Vec<(Note, Seen)> {
    let source = &watched.tool.source;
    let mut notes = Vec::new();
    let place = || Place::value(source, &probe.pointer);
    for ((at, expected, found), seen) in &probe.odd {
        let message = format!(
            "`{}` expects {expected} at {at}, and recorded answers have {found} there",
            probe.text
        );
        let note = Note::new(Code::ChangedShape, place(), message).of(Of::Answers);
        notes.push((note, seen.clone()));
    }
    if probe.is_removed && !probe.is_found {
        let message = format!(
            "`{}` is removed from recordings, so that it is not checked",
            probe.text
        );
        notes.push((
            Note::new(Code::UnreadValue, place(), message),
            Seen::default(),
        ));
        return notes;
    }
    let is_end = probe.missing.count == 0;
    let seen = if is_end { &probe.ended } else { &probe.missing };
    if probe.is_found || seen.count == 0 {
        return notes;
    }
    let beside = &probe.beside;
    let missing = probe.missing_name().unwrap_or_default();
    // A new member beside the missing one is the likeliest.
    let news: BTreeSet<&str> = level.news().map(|(name, _)| name).collect();
    let fresh = beside
        .iter()
        .map(String::as_str)
        .filter(|name| news.contains(name));
    let near = nearest_of(missing, fresh.clone()).or_else(|| ends_alike(missing, fresh));
    // A last page lacks it as it should, unless it has something like it under another name.
    if is_end && near.is_none() {
        return notes;
    }
    let near = near.or_else(|| nearest_of(missing, beside.iter().map(String::as_str)));
    let help = match near {
        Some(near) => Some(format!("did you mean `{near}`?")),
        None if beside.is_empty() => None,
        None => Some(format!("there is {}", notes::listed(beside, 8))),
    };
    let mend = near.and_then(|near| probe.renamed(near));
    let mend = mend.map(|path| Mend::Value(probe.pointer.clone(), Value::from(path)));
    let message = format!("`{}` finds nothing in any recorded answer", probe.text);
    let note = Note::new(Code::LostPath, place(), message).of(Of::Answers);
    notes.push((note.help(help).mend(mend), seen.clone()));
    notes
}

/// The name that has the missing one as a part, or is a part of it: `name` became `display_name`.
fn ends_alike<'n>(missing: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let is_alike = |name: &&str| {
        missing.len() >= 2 && name.len() >= 2 && (name.contains(missing) || missing.contains(*name))
    };
    let mut alike = names.filter(is_alike);
    let first = alike.next()?;
    alike.next().is_none().then_some(first)
}

/// Most new members of one place that are told one by one.
const MOST_NEWS: usize = 12;

/// Members that nothing reads.
fn news_of(level: &Level, watched: &Watched) -> Vec<(Note, Seen)> {
    let Some(map) = &level.map else {
        return Vec::new();
    };
    let source = &watched.tool.source;
    let news: Vec<_> = level.news().collect();
    let told = news.iter().take(MOST_NEWS);
    let mut notes: Vec<(Note, Seen)> = told
        .map(|(name, unread)| {
            let kinds: Vec<&str> = unread.kinds.iter().copied().collect();
            let message = format!(
                "recorded answers have `{name}`, {}, which the output does not have",
                kinds.join(" or ")
            );
            let note = Note::new(Code::NewField, Place::key(source, map), message).of(Of::Answers);
            (
                note.mend(mend_of_news(name, map, source.value())),
                unread.seen.clone(),
            )
        })
        .collect();
    if news.len() > MOST_NEWS {
        let message = format!(
            "recorded answers have {} more members here that the output does not have",
            news.len() - MOST_NEWS
        );
        let note = Note::new(Code::NewField, Place::key(source, map), message).of(Of::Answers);
        notes.push((note, news[MOST_NEWS].1.seen.clone()));
    }
    notes
}

/// The new key of the output that copies a member.
fn mend_of_news(name: &str, map: &str, file: &Value) -> Option<Mend> {
    let mut bytes = name.bytes();
    let is_plain = bytes.next().is_some_and(|b| b.is_ascii_alphabetic())
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let pointer = join(map, name);
    let is_free = file.pointer(&pointer).is_none();
    (is_plain && is_free).then(|| Mend::Value(pointer, Value::from(format!("$.{name}"))))
}

/// Where a list is missing, its path found nothing: one finding tells both, with the name that it may have now.
fn join_lost(notes: &mut Vec<Note>) {
    let is_at = |note: &Note, other: &Note| {
        Arc::ptr_eq(&note.place.source, &other.place.source)
            && note.place.pointer == other.place.pointer
    };
    let lost: Vec<Note> = notes
        .iter()
        .filter(|note| note.code == Code::LostPath)
        .cloned()
        .collect();
    for lost in lost {
        let mut shapes = notes
            .iter_mut()
            .filter(|note| note.code == Code::ChangedShape);
        if let Some(shape) = shapes.find(|shape| is_at(shape, &lost)) {
            shape.help.clone_from(&lost.help);
            shape.mends.clone_from(&lost.mends);
            notes.retain(|note| note.code != Code::LostPath || !is_at(note, &lost));
        }
    }
}

/// Whether the file that has the place allows the warning, or the note.
fn is_allowed(note: &Note) -> bool {
    let allowed = note.place.source.value().get("allow");
    let is_named = allowed.is_some_and(|allowed| allowed.get(note.code.name()).is_some());
    is_named && note.code.meaning().severity != Severity::Error
}
