//! `toolrun approve`: a person's yes or no to a call of an agent that waits for it.

use std::collections::HashSet;
use std::io::{self, Write as _};
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::form::Form;
use super::terminal;
use super::trust::state_folder;
use super::{Done, Failure, exit, note, say, usage};
use crate::serve::{Desk, Question, is_id};

/// How often the terminal of a server looks for calls that wait.
const LOOK: Duration = Duration::from_millis(300);

/// Approve calls of agents that wait.
#[derive(Debug, Args)]
pub(crate) struct Approve {
    /// The id of the call; without it, the calls that wait are listed
    id: Option<String>,
    /// Refuse the call
    #[arg(long, requires = "id")]
    deny: bool,
    /// Approve without a question, where nobody can be asked
    #[arg(long, short, requires = "id", conflicts_with = "deny")]
    yes: bool,
    #[command(flatten)]
    form: Form,
}

/// Where questions and answers lie.
pub(crate) fn desk() -> Result<Desk, Failure> {
    Ok(Desk::at(state_folder("approvals", "approvals")?))
}

/// The command that answers a question.
pub(crate) fn command(id: &str) -> String {
    format!("toolrun approve {id}")
}

impl Approve {
    /// Whether errors must be one JSON object.
    pub(crate) fn wants_json(&self) -> bool {
        self.form.is_json()
    }

    /// Runs the command.
    pub(crate) fn run(self) -> Done {
        let desk = desk()?;
        match &self.id {
            None => self.list(&desk),
            Some(id) => self.answer(&desk, id),
        }
    }

    fn list(&self, desk: &Desk) -> Done {
        let (waiting, broken) = desk.waiting().map_err(|error| unusable(desk, &error))?;
        for reason in &broken {
            note(&format!("a question is left out: {reason}"));
        }
        if self.form.is_json() {
            let all: Vec<Value> = waiting.iter().map(as_json).collect();
            writeln!(terminal::json(), "{:#}", Value::from(all))?;
            return Ok(());
        }
        if waiting.is_empty() {
            say("no call waits for an approval");
        }
        let mut out = terminal::words();
        for (question, answer) in &waiting {
            let answered = match answer {
                None => "",
                Some(true) => " (approved, not used yet)",
                Some(false) => " (refused)",
            };
            writeln!(out, "{}{answered}", terminal::line(&question.id))?;
            out.write_all(described(question).as_bytes())?;
        }
        Ok(out.flush()?)
    }

    fn answer(&self, desk: &Desk, id: &str) -> Done {
        if !is_id(id) {
            return Err(usage(
                "an id has twelve letters and digits; `toolrun approve` lists the calls that wait",
            ));
        }
        let found = desk.question(id).map_err(|error| unusable(desk, &error))?;
        let question = found.filter(|question| !question.is_over());
        let Some(question) = question else {
            return Err(usage(format!(
                "no call with the id {id} waits in {}; it was made, answered or is over",
                desk.folder().display()
            )));
        };
        if !self.deny && !self.consents(&question)? {
            return Err(Failure::Told(
                exit::POLICY,
                "the call was not approved".to_owned(),
            ));
        }
        let reply = desk.reply(&question, !self.deny);
        reply.map_err(|error| unusable(desk, &error))?;
        if self.form.is_json() {
            let answered = as_json(&(question, Some(!self.deny)));
            writeln!(terminal::json(), "{answered:#}")?;
            return Ok(());
        }
        match self.deny {
            true => say(&format!("refused: {id}")),
            false => say(&format!(
                "approved: {id}. The call runs once, when the agent makes it again before {}",
                question.until
            )),
        }
        Ok(())
    }

    /// Shows the call, and asks. The words of an agent about a call are no reason to believe it.
    fn consents(&self, question: &Question) -> Result<bool, Failure> {
        if self.yes {
            return Ok(true);
        }
        say(described(question).trim_end());
        match terminal::can_ask() {
            true => Ok(terminal::ask("Approve this call?")?),
            false => Err(Failure::Told(
                exit::POLICY,
                "nobody can be asked here; read the call above and say --yes".to_owned(),
            )),
        }
    }
}

/// Asks a person at the terminal of a server about each call that waits, until the input ends. What was typed before a call
/// is shown is no answer to it: an answer names the call.
pub(crate) fn attend(desk: &Desk) {
    let mut seen = HashSet::new();
    loop {
        let waiting = desk.waiting().map(|(waiting, _)| waiting);
        let open = waiting
            .unwrap_or_default()
            .into_iter()
            .filter(|(_, answer)| answer.is_none());
        for (question, _) in open {
            if seen.insert(question.id.clone()) && !matches!(attend_to(desk, &question), Ok(true)) {
                return;
            }
        }
        std::thread::sleep(LOOK);
    }
}

/// False where nobody can answer any more.
fn attend_to(desk: &Desk, question: &Question) -> io::Result<bool> {
    let id = &question.id;
    let start = &id[..4];
    say(&format!(
        "a call waits for an approval:\n{}",
        described(question).trim_end()
    ));
    let asked = format!("Type {start} to approve this call, or no to refuse it:");
    let Some(answer) = terminal::answer_to(&asked)? else {
        return Ok(false);
    };
    let approved = match answer.trim() {
        answer if answer == start || answer == id => true,
        "n" | "no" => false,
        _ => {
            say(&format!(
                "neither approved nor refused; {} answers later",
                command(id)
            ));
            return Ok(true);
        }
    };
    // Somebody may have answered elsewhere, or too much time has passed.
    match desk.question(id)? {
        Some(question) if !question.is_over() => desk.reply(&question, approved)?,
        _ => {
            say(&format!("{id} was made, answered or is over"));
            return Ok(true);
        }
    }
    match approved {
        true => say(&format!("approved: {id}")),
        false => say(&format!("refused: {id}")),
    }
    Ok(true)
}

/// A call in lines. No text of a call can make a line of its own.
fn described(question: &Question) -> String {
    let Question {
        tool,
        access,
        caller,
        request,
        why,
        until,
        arguments,
        ..
    } = question;
    let arguments = Value::Object(arguments.clone()).to_string();
    let facts = [
        ("tool", format!("{tool} ({access})")),
        ("caller", caller.clone()),
        ("sends", request.clone()),
        ("because", why.clone()),
        ("until", until.clone()),
        ("arguments", arguments),
    ];
    facts
        .iter()
        .map(|(name, fact)| format!("  {name:<10} {}\n", terminal::line(fact)))
        .collect()
}

fn as_json((question, answer): &(Question, Option<bool>)) -> Value {
    json!({
        "id": question.id, "tool": question.tool, "access": question.access, "caller": question.caller,
        "request": question.request, "arguments": question.arguments, "why": question.why,
        "asked": question.asked, "until": question.until, "approved": answer,
    })
}

fn unusable(desk: &Desk, error: &std::io::Error) -> Failure {
    let folder = desk.folder().display();
    Failure::Told(exit::POLICY, format!("{folder} cannot be used: {error}"))
}
