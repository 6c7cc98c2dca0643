//! A call with one answer: a page, or the last response of a job.

use serde_json::Value;

use super::Call;
use crate::cli::interrupt::{cancel, next_signal_ends, unless_interrupted};
use crate::cli::output::Format;
use crate::cli::{Done, Failure, note};
use crate::json::{Key, Kind, Part};
use crate::{Engine, Note, Page, Resume, Stopped, Tool};

impl Call {
    /// The single response of a call. If the call creates a job, it is the job's last response, unless it is
    /// interrupted before.
    pub(super) async fn page(
        &self,
        engine: &Engine,
        tool: &Tool,
        call: crate::Call,
    ) -> Result<Page, Failure> {
        if tool.wait.is_none() || self.no_wait {
            let asked = engine.page(call);
            // Otherwise a signal simply ends the program, and the call pays for no handler.
            if !self.here.tape.records() {
                return Ok(asked.await?);
            }
            return match unless_interrupted(asked).await {
                Ok(page) => Ok(page?),
                Err(signal) => {
                    next_signal_ends();
                    Err(signal.failure("there is no answer; the recording has what was sent"))
                }
            };
        }
        let job = engine.start(call).await?;
        match unless_interrupted(job.wait()).await {
            Ok(last) => match last? {
                Some(page) => Ok(page),
                None => Ok(job.finish().await?),
            },
            Err(signal) => Err(cancel(&job, signal).await),
        }
    }

    /// Prints the single response of a call. If it is one page of several, a note says so.
    pub(super) fn print_one(&self, page: &Page, tool: &Tool) -> Done {
        let (format, mut printer) = (self.format(), self.printer(tool));
        let mut notes: Vec<Note> = page.more.iter().cloned().collect();
        let mut printed = Ok(());
        if format == Format::Raw {
            notes.retain(|note| !is_told(note, &vec![(None, page.body.part())]));
            printer.raw(&page.response.body)?;
        } else {
            let output = page.output()?;
            let beside = match self.view.jq {
                // What the expression keeps is not known.
                Some(_) => Vec::new(),
                None => beside_rows(output.part(), tool, format),
            };
            notes.retain(|note| !is_told(note, &beside));
            printed = printer.whole(&output, &notes);
            if matches!(printed, Err(Failure::Closed)) {
                return printed;
            }
        }
        for text in &notes {
            match text.stopped {
                Stopped::OnePage => note(&format!("{text}; --all follows the pages")),
                _ => note(&text.to_string()),
            }
        }
        printed
    }
}

/// What is printed next to the rows: members, or a value without a name.
type Beside<'o> = Vec<(Option<Key<'o>>, Part<'o>)>;

fn beside_rows<'o>(output: Part<'o>, tool: &Tool, format: Format) -> Beside<'o> {
    let has_rows = tool.projection.rows(output).is_some();
    let key = tool.projection.rows_key();
    match key.filter(|_| !format.has_rows_alone()) {
        Some(rows) if output.kind() == Kind::Object => output
            .members()
            .filter(|(key, _)| !key.is(rows))
            .map(|(key, part)| (Some(key), part))
            .collect(),
        _ if has_rows => Vec::new(),
        _ => vec![(None, output)],
    }
}

/// Whether the output already names the next page: by its cursor or its URL.
fn is_told(note: &Note, printed: &Beside<'_>) -> bool {
    match &note.next {
        Some(Resume::Arguments(arguments)) => arguments.iter().all(|(name, value)| {
            printed.iter().any(|(key, part)| {
                key.is_some_and(|key| is_under(key, *part, name, value))
                    || has_value(*part, name, value)
            })
        }),
        Some(Resume::Url(url)) => printed.iter().any(|(_, part)| {
            has_text(*part, &|text| {
                text.len() > 1 && url.ends_with(text.trim_start_matches('.'))
            })
        }),
        _ => false,
    }
}

/// Whether a value occurs in the output. A number or the like may occur by chance, so it only counts under a similar
/// name.
fn has_value(printed: Part<'_>, name: &str, wanted: &Value) -> bool {
    if let Value::String(wanted) = wanted {
        return has_text(printed, &|text| text == wanted);
    }
    let mut members = printed.members();
    members.any(|(key, part)| is_under(key, part, name, wanted) || has_value(part, name, wanted))
        || printed.elements().any(|item| has_value(item, name, wanted))
}

fn is_under(key: Key<'_>, part: Part<'_>, name: &str, wanted: &Value) -> bool {
    let is_wanted = || serde_json::from_slice::<Value>(part.text()).is_ok_and(|own| own == *wanted);
    key.name().contains(name) && is_wanted()
}

fn has_text(printed: Part<'_>, is_wanted: &dyn Fn(&str) -> bool) -> bool {
    printed.string().is_some_and(|text| is_wanted(&text))
        || printed.elements().any(|item| has_text(item, is_wanted))
        || printed
            .members()
            .any(|(_, member)| has_text(member, is_wanted))
}
