//! Errors as results that a model can act on: what is wrong, what to change, how long to wait, and whether another try can
//! help. What a service said stands in a JSON string, as data.

use rmcp::model::{CallToolResult, ContentBlock};
use serde_json::{Map, Value, json};

use super::approval::NoPlace;
use super::data;
use super::gate::Reason;
use crate::catalog::LoadError;
use crate::engine::error::{Error, Upstream};
use crate::params::ArgumentProblem;
use crate::send::SendError;
use crate::sign::SecretError;

/// Most bytes of a service's body that an error shows.
const MOST_OF_BODY: usize = 2 << 10;
/// Most problems of arguments that an error lists.
const MOST_PROBLEMS: usize = 20;

/// What a model is told of a call that failed.
#[derive(Debug, Clone)]
pub(super) struct Lesson {
    /// What kind of error it is.
    pub kind: String,
    /// The service's status, if it answered.
    pub status: Option<u16>,
    error: Map<String, Value>,
}

impl Lesson {
    /// A lesson of ours.
    pub(super) fn new(kind: &str, message: impl Into<String>) -> Lesson {
        let mut error = Map::new();
        error.insert("kind".to_owned(), kind.into());
        error.insert("message".to_owned(), message.into().into());
        Lesson {
            kind: kind.to_owned(),
            status: None,
            error,
        }
    }

    /// What to do about it.
    pub(super) fn advise(mut self, advice: impl Into<String>) -> Lesson {
        self.error.insert("advice".to_owned(), advice.into().into());
        self
    }

    /// Whether the same call may succeed later, and after how many seconds.
    pub(super) fn retry(mut self, retry: bool, after: Option<u64>) -> Lesson {
        self.error.insert("retry".to_owned(), retry.into());
        if let Some(after) = after {
            self.error.insert("wait_seconds".to_owned(), after.into());
        }
        self
    }

    /// What is wrong.
    pub(super) fn message(&self) -> &str {
        self.error["message"].as_str().unwrap_or_default()
    }

    /// Adds a fact.
    pub(super) fn fact(mut self, name: &str, value: Value) -> Lesson {
        self.error.insert(name.to_owned(), value);
        self
    }

    /// The result of the call.
    pub(super) fn result(self) -> CallToolResult {
        let text = json!({ "error": data::shown(Value::Object(self.error)) }).to_string();
        CallToolResult::error(vec![ContentBlock::text(text)])
    }
}

/// Wrong arguments.
pub(super) fn of_arguments(tool: &str, problems: &[ArgumentProblem]) -> Lesson {
    let listed: Vec<String> = problems
        .iter()
        .take(MOST_PROBLEMS)
        .map(ToString::to_string)
        .collect();
    let lesson = Lesson::new("usage", format!("the arguments of {tool} are not valid"))
        .fact("problems", json!(listed))
        .advise("correct these arguments and call again")
        .retry(false, None);
    match problems.len().checked_sub(MOST_PROBLEMS) {
        Some(more @ 1..) => lesson.fact("more_problems", more.into()),
        _ => lesson,
    }
}

/// A call that the gate refuses: why, and what would run instead.
pub(super) fn of_refusal(reason: &Reason) -> Lesson {
    let lesson = Lesson::new("policy", reason.why.as_str()).retry(false, None);
    let Some(ways) = &reason.ways else {
        return lesson.advise("do not try again; tell the user what you wanted to do");
    };
    let ways: Vec<Value> = ways
        .iter()
        .map(|way| match &way.when {
            Some(when) => json!({ "do": way.verdict, "when": when }),
            None => json!({ "do": way.verdict }),
        })
        .collect();
    let advice = match ways.is_empty() {
        true => "do not try again; tell the user what you wanted to do",
        false => {
            "no other words for the same thing: only a call that `allowed` describes and no earlier rule refuses runs; else tell the user what you wanted to do"
        }
    };
    lesson
        .fact("rule", reason.rule.as_str().into())
        .fact("allowed", ways.into())
        .advise(advice)
}

/// A call that needs an approval, where nobody can be asked.
pub(super) fn of_question(reason: &Reason) -> Lesson {
    let message = format!(
        "a person has to approve this call, and your client cannot ask one: {}",
        reason.why
    );
    Lesson::new("policy", message)
        .fact("rule", reason.rule.as_str().into())
        .advise("do not try again; tell the user what you wanted to do")
        .retry(false, None)
}

/// A call that waits until somebody approves it by a command.
pub(super) fn of_waiting(reason: &Reason, id: &str, command: &str, until: &str) -> Lesson {
    let message = format!(
        "a person has to approve this call before it runs: {}",
        reason.why
    );
    Lesson::new("approval", message)
        .fact("rule", reason.rule.as_str().into())
        .fact(
            "approval",
            json!({ "id": id, "command": command, "until": until }),
        )
        .advise("tell the user what this call does, and to run `approval.command`; then make the same call again, with the same arguments, before `approval.until`")
        .retry(true, None)
}

/// A person has said no.
pub(super) fn of_no() -> Lesson {
    Lesson::new("policy", "a person has refused this call")
        .advise("do not try again; ask the user what to do instead")
        .retry(false, None)
}

/// Why an approval does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stale {
    Forged,
    OtherCall,
    Over,
    Used,
}

/// An approval that does not count.
pub(super) fn of_stale(stale: Stale) -> Lesson {
    let message = match stale {
        Stale::Forged => "this approval was not asked for by this server, or it was changed",
        Stale::OtherCall => {
            "this approval is for another call: the arguments, the caller, the tool or the policy are not what they were"
        }
        Stale::Over => "nobody has approved this call in time",
        Stale::Used => "this approval was used, taken back, or is over",
    };
    Lesson::new("approval", message)
        .advise("nothing was sent; to ask again, make the call anew, without an approval")
        .retry(true, None)
}

/// A call that cannot wait for an approval.
pub(super) fn of_no_place(reason: &NoPlace) -> Lesson {
    match reason {
        NoPlace::Full => of_crowd(),
        NoPlace::Desk(_) => Lesson::new(
            "policy",
            format!("a person has to approve this call, and cannot be asked: {reason}"),
        )
        .advise("nothing you can change: the operator of this server has to set it right")
        .retry(false, None),
    }
}

/// Too many calls wait for an approval.
pub(super) fn of_crowd() -> Lesson {
    Lesson::new("busy", NoPlace::Full.to_string())
        .advise("make no more calls that need an approval until some are answered or over")
        .retry(true, Some(60))
}

/// A call that cannot be recorded. `ran` says that something was sent to the service.
pub(super) fn of_audit(ran: bool) -> Lesson {
    let (message, advice) = match ran {
        true => (
            "the call was carried out, but this server could not record it, so its result is withheld",
            "do not repeat it: it has run; tell the user that the server's audit log cannot be written",
        ),
        false => (
            "this server cannot record the call, so nothing was sent",
            "tell the user that the server's audit log cannot be written; its operator has to set it right",
        ),
    };
    Lesson::new("audit", message)
        .fact("ran", ran.into())
        .advise(advice)
        .retry(false, None)
}

/// An error of a call.
pub(super) fn of_error(tool: &str, error: &Error) -> Lesson {
    let kind = json!(error.kind());
    let kind = kind.as_str().unwrap_or("failed");
    let message = error.to_string();
    let lesson = Lesson::new(kind, message);
    if error.untrusted().is_some() {
        return lesson
            .advise("nothing you can change: the operator of this server has to trust the folder of this tool")
            .retry(false, None);
    }
    match error {
        Error::Arguments { problems, .. } => of_arguments(tool, problems),
        Error::Render(_) => lesson
            .advise("an argument has a value that its place in the request does not take; change it")
            .retry(false, None),
        Error::Load(LoadError::Descriptor(_)) => lesson
            .advise("the descriptor of this tool is broken; its operator has to mend it")
            .retry(false, None),
        Error::Load(_) => lesson.advise("use a name that exists").retry(false, None),
        Error::Secret(SecretError::Missing { name, .. }) => lesson
            .advise(format!("nothing you can change: the operator of this server has to set {name}; do not ask for its value"))
            .retry(false, None),
        Error::Secret(_) | Error::Setting(_) => lesson
            .advise("nothing you can change: the operator of this server has to set it right")
            .retry(false, None),
        Error::Consent { .. } | Error::Policy(_) | Error::Untrusted(_) => lesson
            .advise("do not try again; tell the user")
            .retry(false, None),
        Error::File(_) => lesson
            .advise("this server sends no local files")
            .retry(false, None),
        Error::NoDestination { .. } | Error::NoDownload { .. } => lesson
            .advise("this tool gives a file, which this server does not pass on")
            .retry(false, None),
        Error::Upstream(upstream) => of_upstream(lesson, upstream),
        Error::Send(SendError::Timeout { .. }) => lesson
            .advise("the service was too slow; ask for less at once, or try again later")
            .retry(true, Some(5)),
        Error::Send(SendError::Policy(_) | SendError::Unrecorded(_)) => lesson
            .advise("do not try again; tell the user")
            .retry(false, None),
        Error::Send(_) => lesson
            .advise("the service cannot be reached; try again later")
            .retry(true, Some(5)),
        Error::Response(_) => lesson
            .advise("the service answers otherwise than its descriptor says; tell the user")
            .retry(false, None),
        Error::Unfinished(_) => lesson
            .advise("the job may still be running at the service; do not start it again")
            .retry(false, None),
    }
}

fn of_upstream(lesson: Lesson, upstream: &Upstream) -> Lesson {
    let wait = upstream.retry_after.map(|after| after.as_secs().max(1));
    let mut facts = json!({ "status": upstream.status, "meaning": upstream.meaning });
    if let Some(code) = &upstream.code {
        facts["code"] = code.as_str().into();
    }
    if let Some(message) = &upstream.message {
        facts["message"] = message.as_str().into();
    }
    if let Some(id) = &upstream.request_id {
        facts["request_id"] = id.as_str().into();
    }
    if let Some(body) = &upstream.body
        && upstream.message.is_none()
        && body.to_string().len() <= MOST_OF_BODY
    {
        facts["body"] = body.clone();
    }
    if upstream.may_be_done {
        facts["may_be_done"] = true.into();
    }
    let mut lesson = lesson.fact("upstream", facts);
    lesson.status = Some(upstream.status);
    let unset = upstream.unset_secrets.join(", ");
    let lesson = match upstream.status {
        401 | 403 | 404 | 429 if !unset.is_empty() => lesson.advise(format!(
            "the request carried no credential; the operator of this server can set {unset}"
        )),
        401 => lesson.advise("nothing you can change: the server's credential is missing, wrong, expired or revoked; tell the user"),
        403 => lesson.advise("the server's credential may not do this; tell the user"),
        404 | 410 => lesson.advise("there is nothing of that name or id; check the ids, for example with a tool that lists"),
        408 | 429 | 503 | 529 => lesson.advise("the service is busy; wait, then call again"),
        status if status >= 500 => lesson.advise("the service failed; try again later"),
        _ => lesson.advise("correct the arguments by what the service says"),
    };
    match upstream.status {
        408 | 429 => lesson.retry(true, wait.or(Some(10))),
        status if status >= 500 && !upstream.may_be_done => lesson.retry(true, wait.or(Some(10))),
        _ => lesson.retry(false, wait),
    }
}
