//! `toolrun docs`: the reference of tools, and the way to the documentation of their services.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::{Done, Failure, exit, help, say, show, terminal, usage};
use crate::tool::service::Service;
use crate::{Catalog, Tool};

/// Print the reference of a tool, or open its documentation.
#[derive(Debug, Args)]
pub(crate) struct Docs {
    /// The tool or the service; all unless given
    name: Option<String>,
    /// How to print it
    #[arg(long, short, value_enum, value_name = "FORMAT", default_value = "text")]
    output: Form,
    /// Open the documentation of the tool or its service in a browser instead: what $BROWSER names, or the system's
    #[arg(long, requires = "name", conflicts_with = "output")]
    open: bool,
    /// Print a long text at once, and not page by page
    #[arg(long)]
    no_pager: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    Text,
    /// Markdown
    Md,
}

/// A service and its tools.
struct Chapter {
    service: Arc<Service>,
    tools: Vec<Arc<Tool>>,
}

impl Docs {
    /// Runs the command.
    pub(crate) fn run(self, catalog: &Catalog) -> Done {
        let text = match &self.name {
            None => self.chapters(&chapters(catalog)),
            Some(name) => match catalog.tool(name) {
                Ok(tool) if self.open => return open(&tool.service, tool.docs.as_deref()),
                Ok(tool) => self.tool(&tool),
                Err(unknown) => {
                    let mut chapters = chapters(catalog);
                    chapters.retain(|chapter| chapter.service.name == *name);
                    match chapters.first() {
                        None => return Err(unknown.into()),
                        Some(chapter) if self.open => return open(&chapter.service, None),
                        Some(_) => self.chapters(&chapters),
                    }
                }
            },
        };
        let mut out = match self.output {
            Form::Text => terminal::styled_words(),
            Form::Md => terminal::words(),
        };
        if !self.no_pager {
            out = out.paged();
        }
        out.write_all(text.as_bytes())?;
        Ok(out.end()?)
    }

    fn tool(&self, tool: &Arc<Tool>) -> String {
        match self.output {
            Form::Md => markdown(tool, "#"),
            Form::Text => {
                let most = terminal::is_terminal().then(terminal::width);
                format!("{}{}", show::as_text(tool, most), outcome(tool, most))
            }
        }
    }

    /// In Markdown all tools whole, else a line for each.
    fn chapters(&self, chapters: &[Chapter]) -> String {
        let chapters = chapters.iter().map(|chapter| match self.output {
            Form::Md => {
                let tools: String = chapter
                    .tools
                    .iter()
                    .map(|tool| format!("\n{}", markdown(tool, "##")))
                    .collect();
                format!("# {}\n\n{}{tools}", chapter.title(), chapter.about())
            }
            Form::Text => {
                let tools = chapter
                    .tools
                    .iter()
                    .map(|tool| format!("  {}\n", terminal::line(&tool.name)));
                let tools: String = tools.collect();
                format!(
                    "{}\n\n{}\n{tools}",
                    terminal::bold(&chapter.title()),
                    chapter.about()
                )
            }
        });
        chapters.collect::<Vec<_>>().join("\n")
    }
}

fn chapters(catalog: &Catalog) -> Vec<Chapter> {
    let mut chapters: BTreeMap<String, Chapter> = BTreeMap::new();
    for tool in catalog
        .load_all()
        .into_iter()
        .filter_map(|(_, loaded)| loaded.ok())
    {
        let service = &tool.service;
        let chapter = chapters
            .entry(service.name.clone())
            .or_insert_with(|| Chapter {
                service: Arc::clone(service),
                tools: Vec::new(),
            });
        chapter.tools.push(tool);
    }
    chapters.into_values().collect()
}

impl Chapter {
    fn title(&self) -> String {
        let name = &self.service.name;
        match &self.service.title {
            Some(title) => terminal::line(&format!("{name} - {title}")),
            None => terminal::line(name),
        }
    }

    fn about(&self) -> String {
        let mut text = String::new();
        if let Some(description) = &self.service.description {
            let _ = writeln!(text, "{}\n", terminal::shown(description.trim()));
        }
        if let Some(docs) = &self.service.docs {
            let _ = writeln!(text, "{}", terminal::line(docs));
        }
        text
    }
}

/// The columns of the rows, or the schema of the output.
fn outcome(tool: &Tool, most: Option<usize>) -> String {
    let text = match (&tool.output_schema, tool.projection.columns()) {
        (_, Some(columns)) => show::laid_out(&terminal::line(&columns.join(", ")), 0, most),
        (Some(schema), None) => format!("{schema:#}"),
        (None, None) => return String::new(),
    };
    format!("\n{}\n{text}\n", terminal::bold("output"))
}

/// The reference of a tool in Markdown.
fn markdown(tool: &Arc<Tool>, level: &str) -> String {
    let name = tool.qualified_name();
    let mut text = format!(
        "{level} {}\n\n{}\n\n",
        terminal::line(&name),
        terminal::shown(tool.description.trim())
    );
    for (name, value) in show::facts(tool) {
        let _ = writeln!(text, "- {name}: {}", in_line(&value));
    }
    if let Some(docs) = tool.service.docs.as_ref().filter(|_| tool.docs.is_none()) {
        let _ = writeln!(text, "- docs: {}", in_line(docs));
    }
    let params = show::rows(tool);
    if !params.is_empty() {
        text.push_str("\n| param | type | default | description |\n| --- | --- | --- | --- |\n");
    }
    for row in params {
        let cells =
            [&row.name, &row.kind, &row.default, &row.description].map(|cell| in_cell(cell));
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    let _ = writeln!(text, "\n```sh\n{}\n```", help::example(tool, &tool.name));
    if let Some(columns) = tool.projection.columns() {
        let columns: Vec<String> = columns
            .iter()
            .map(|column| format!("`{}`", in_cell(column)))
            .collect();
        let _ = writeln!(text, "\nRows have the columns {}.", columns.join(", "));
    }
    if let Some(schema) = &tool.output_schema {
        let _ = writeln!(
            text,
            "\nThe schema of the output:\n\n```json\n{schema:#}\n```"
        );
    }
    text
}

fn in_line(text: &str) -> String {
    terminal::line(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn in_cell(text: &str) -> String {
    in_line(text).replace('|', r"\|")
}

/// Opens the documentation in a browser. A folder that nobody trusts does not choose what a browser loads.
fn open(service: &Service, own: Option<&str>) -> Done {
    if let Some(folder) = service.origin.untrusted_folder() {
        let folder = folder.display();
        let message =
            format!("the folder {folder} is not trusted: its documentation is not opened");
        return Err(Failure::Told(exit::POLICY, message));
    }
    let Some(url) = own.or(service.docs.as_deref()) else {
        let message = format!("{} names no documentation", service.name);
        return Err(usage(message));
    };
    let is_page = url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    if !is_page {
        let message = format!("the documentation is no page of the web: {url}");
        return Err(Failure::Told(exit::DESCRIPTOR, message));
    }
    let (program, arguments) = browser();
    let mut command = Command::new(&program);
    command
        .args(arguments)
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    match command.status() {
        Ok(status) if status.success() => {
            say(&format!("opened {url}"));
            Ok(())
        }
        Ok(status) => Err(not_opened(url, &format!("{program} ended with {status}"))),
        Err(error) => Err(not_opened(url, &format!("{program}: {error}"))),
    }
}

fn not_opened(url: &str, reason: &str) -> Failure {
    Failure::Told(exit::OUTPUT, format!("cannot open {url}: {reason}"))
}

/// The program that opens a page: the first that $BROWSER names, or the system's.
fn browser() -> (String, &'static [&'static str]) {
    let named = std::env::var("BROWSER").unwrap_or_default();
    let first = named
        .split(if cfg!(windows) { ';' } else { ':' })
        .next()
        .unwrap_or_default();
    match first {
        "" if cfg!(target_os = "macos") => ("open".to_owned(), &[]),
        "" if cfg!(windows) => ("rundll32".to_owned(), &["url.dll,FileProtocolHandler"]),
        "" => ("xdg-open".to_owned(), &[]),
        first => (first.to_owned(), &[]),
    }
}
