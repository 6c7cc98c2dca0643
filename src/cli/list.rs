//! `toolrun list`: the tools there are.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;

use crate::words::nearest;
use crate::{Access, Catalog, Tool};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::form::Form;
use super::hints::trusting;
use super::output::layout::{GAP, cut, padded, width};
use super::output::plain;
use super::terminal::{self, bold, dim, line, say};
use super::{Done, Failure, exit};

/// List the tools, or those that were searched for.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// What the tool's name, title, description or service must say; all words must be found, the best hits come first
    #[arg(value_name = "WORDS")]
    words: Vec<String>,
    /// Only the tools of this service
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// Only tools with this access
    #[arg(long)]
    access: Option<Kind>,
    #[command(flatten)]
    form: Form,
    /// Leave out the line of headings in a pipe
    #[arg(long, conflicts_with = "json")]
    no_header: bool,
    /// Print a long list at once, and not page by page
    #[arg(long)]
    no_pager: bool,
}

/// What a tool may do to the service's data.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Kind {
    Read,
    Write,
    Destructive,
}

impl From<Kind> for Access {
    fn from(kind: Kind) -> Access {
        match kind {
            Kind::Read => Access::Read,
            Kind::Write => Access::Write,
            Kind::Destructive => Access::Destructive,
        }
    }
}

/// A tool that is listed.
struct Listed {
    name: String,
    title: String,
    service: String,
    access: String,
    method: String,
    description: String,
    file: String,
    is_trusted: bool,
}

impl Listed {
    fn new(tool: &Tool, file: String) -> Listed {
        Listed {
            name: tool.name.clone(),
            title: tool.title.clone().unwrap_or_default(),
            service: tool.service.name.clone(),
            access: tool.access.to_string(),
            method: tool.request.method.to_string(),
            description: tool.description.clone(),
            file,
            is_trusted: tool.service.origin.untrusted_folder().is_none(),
        }
    }

    fn to_json(&self) -> Value {
        json!({
            "name": self.name,
            "service": self.service,
            "access": self.access,
            "method": self.method,
            "description": self.description,
            "file": self.file,
            "trusted": self.is_trusted,
        })
    }

    /// How well the tool is what the words say, the best hit first; `None` if a word is not found at all. A hit in the
    /// name counts more than one in the title, and that more than one in the description.
    fn rank(&self, words: &[String]) -> Option<Rank> {
        let name = self.name.to_lowercase();
        let (title, description) = (self.title.to_lowercase(), self.description.to_lowercase());
        let service = self.service.to_lowercase();
        let distance = |word: &String| match () {
            () if name == *word => Some(0),
            () if name.split('-').any(|part| part == word) => Some(1),
            () if name.contains(word) => Some(2),
            () if title.contains(word) => Some(3),
            () if description.contains(word) => Some(4),
            () if service.contains(word) => Some(5),
            () => None,
        };
        let distances: Option<Vec<u32>> = words.iter().map(distance).collect();
        distances.map(|distances| Rank(distances.iter().sum()))
    }

    /// The words of the name, the title and the description.
    fn words(&self) -> impl Iterator<Item = String> {
        let texts = [&self.name, &self.title, &self.description];
        let words = texts
            .into_iter()
            .flat_map(|text| text.split(|c: char| !c.is_alphanumeric()));
        words.filter(|word| !word.is_empty()).map(str::to_lowercase)
    }

    /// The service, with what must be known of it.
    fn group(&self) -> String {
        match self.is_trusted {
            true => self.service.clone(),
            false => format!("{} (not trusted)", self.service),
        }
    }

    /// The description on one line. What needs a consent says so.
    fn told(&self) -> String {
        let description = line(
            &self
                .description
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" "),
        );
        match self.access.as_str() {
            "read" => description,
            access => format!("[{access}] {description}"),
        }
    }
}

/// How far a tool is from what was searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank(u32);

impl List {
    /// Whether errors must be one JSON object.
    pub(crate) fn wants_json(&self) -> bool {
        self.form.is_json()
    }

    /// Keeps what was searched for, the best hits first.
    fn select(&self, tools: Vec<Listed>) -> Result<Vec<Listed>, Failure> {
        if let Some(service) = &self.service
            && !tools.iter().any(|tool| tool.service == *service)
        {
            return Err(no_service(service, &tools));
        }
        let access = self.access.map(|kind| Access::from(kind).to_string());
        let words = self.searched();
        let mut found: Vec<(Rank, Listed)> = Vec::new();
        let mut others = Vec::new();
        for tool in tools {
            let is_meant = self
                .service
                .as_ref()
                .is_none_or(|name| tool.service == *name)
                && access.as_ref().is_none_or(|access| tool.access == *access);
            match tool.rank(&words) {
                Some(rank) if is_meant => found.push((rank, tool)),
                _ => others.push(tool),
            }
        }
        if found.is_empty() && !others.is_empty() {
            self.tell_none(&words, &others);
        }
        found.sort_by_key(|(rank, _)| *rank);
        Ok(found.into_iter().map(|(_, tool)| tool).collect())
    }

    /// The words in lower case. Several may be given as one argument.
    fn searched(&self) -> Vec<String> {
        let words = self.words.iter().flat_map(|word| word.split_whitespace());
        words.map(str::to_lowercase).collect()
    }

    fn is_search(&self) -> bool {
        self.service.is_some() || self.access.is_some() || !self.words.is_empty()
    }

    /// Says that nothing was found, and how the words that no tool has may be spelt.
    fn tell_none(&self, words: &[String], tools: &[Listed]) {
        let known: BTreeSet<String> = tools.iter().flat_map(Listed::words).collect();
        let mut hints = Vec::new();
        for word in words {
            let is_known = tools
                .iter()
                .any(|tool| tool.rank(std::slice::from_ref(word)).is_some());
            if is_known {
                continue;
            }
            let near = nearest(word, known.iter().map(String::as_str));
            let near = near.map(|near| format!("; {near}")).unwrap_or_default();
            hints.push(format!("no tool has the word `{word}`{near}"));
        }
        if hints.is_empty() {
            let all = match words.len() {
                0 | 1 => "no tool is what was asked for",
                _ => "no tool has all the words; search for fewer of them",
            };
            hints.push(all.to_owned());
        }
        if !hints.iter().any(|hint| hint.ends_with('?')) {
            hints.push("`toolrun list` shows all".to_owned());
        }
        say(&format!("note: nothing found: {}", hints.join("; ")));
    }

    /// Runs the command.
    pub(crate) fn run(self, catalog: &Catalog) -> Done {
        let mut broken = 0;
        let mut untrusted = BTreeSet::new();
        let mut tools: Vec<Listed> = Vec::new();
        for (entry, loaded) in catalog.load_all() {
            match loaded {
                Ok(tool) => {
                    let folder = tool.service.origin.untrusted_folder();
                    untrusted.extend(folder.map(Path::to_path_buf));
                    tools.push(Listed::new(&tool, entry.file.display()));
                }
                Err(_) => broken += 1,
            }
        }
        let tools = self.select(tools)?;
        if self.form.is_json() {
            let tools: Vec<Value> = tools.iter().map(Listed::to_json).collect();
            let mut stdout = terminal::json();
            writeln!(stdout, "{:#}", Value::Array(tools))?;
            stdout.flush()?;
        } else if terminal::is_terminal() {
            let mut stdout = terminal::styled_words();
            if !self.no_pager {
                stdout = stdout.paged();
            }
            if !(tools.is_empty() && self.is_search()) {
                grouped(&mut stdout, &tools, terminal::width())?;
            }
            stdout.end()?;
        } else {
            let mut stdout = terminal::words();
            rows(&mut stdout, &tools, !self.no_header)?;
            stdout.flush()?;
        }
        for folder in untrusted {
            let how = match trusting(&folder) {
                Some(command) => format!("`{command}` lets them send requests"),
                None => "it cannot be trusted because of its name".to_owned(),
            };
            let name = format!("{:?}", folder.display().to_string());
            say(&format!("note: the tools in {name} are not trusted; {how}"));
        }
        if broken > 0 {
            say(&format!(
                "note: {broken} more descriptor(s) cannot be used; `toolrun validate` says why"
            ));
        }
        Ok(())
    }
}

fn no_service(name: &str, tools: &[Listed]) -> Failure {
    let services: BTreeSet<&str> = tools.iter().map(|tool| tool.service.as_str()).collect();
    let hint = nearest(name, services.iter().copied());
    let hint = hint.unwrap_or_else(|| {
        let services: Vec<&str> = services.into_iter().collect();
        format!("there are {}", services.join(", "))
    });
    Failure::Told(exit::USAGE, format!("there is no service `{name}`; {hint}"))
}

/// A row for each tool, for programs.
fn rows(out: &mut impl Write, tools: &[Listed], has_header: bool) -> io::Result<()> {
    if has_header {
        plain::line(out, ["tool", "service", "access", "method", "description"])?;
    }
    for tool in tools {
        let cells = [
            &tool.name,
            &tool.group(),
            &tool.access,
            &tool.method,
            &tool.description,
        ];
        plain::line(out, cells.map(String::as_str))?;
    }
    Ok(())
}

/// A line for each tool, below its service.
fn grouped(out: &mut impl Write, tools: &[Listed], most: usize) -> io::Result<()> {
    let mut groups: Vec<(String, Vec<&Listed>)> = Vec::new();
    for tool in tools {
        let group = tool.group();
        match groups.iter_mut().find(|(name, _)| *name == group) {
            Some((_, members)) => members.push(tool),
            None => groups.push((group, vec![tool])),
        }
    }
    for (at, (group, members)) in groups.iter().enumerate() {
        if at > 0 {
            writeln!(out)?;
        }
        let widest = members.iter().map(|tool| width(&line(&tool.name))).max();
        let indent = 2 + widest.unwrap_or_default() + GAP;
        writeln!(out, "{}", bold(&line(group)))?;
        for tool in members {
            let name = padded(&format!("  {}", line(&tool.name)), indent, false);
            let told = tool.told();
            let told = match most.checked_sub(indent) {
                Some(left @ 1..) => cut(&told, left),
                _ => "".into(),
            };
            writeln!(out, "{}", format!("{name}{told}").trim_end())?;
        }
    }
    match tools.is_empty() {
        true => writeln!(out, "there are no tools"),
        false => writeln!(out, "\n{}", dim("`toolrun show NAME` tells more of a tool")),
    }
}
