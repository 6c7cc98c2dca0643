//! Asking a person: by the client, where the policy and the client allow it, or by a command. What the person sees is the
//! call as it would be sent.

use std::sync::Arc;
use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::{
    BooleanSchema, CallToolResponse, ClientCapabilities, ElicitRequest, ElicitRequestParams,
    ElicitResult, ElicitationAction, ElicitationSchema, InputRequest, InputRequiredResult,
    InputResponses, PrimitiveSchemaDefinition,
};
use rmcp::service::{ElicitationMode, Peer, RequestContext, ServiceError};
use serde_json::{Map, Value};
use tokio_util::task::AbortOnDropHandle;

use super::approval::{Asked, Bound, Grant, Standing, Unsealed, Until};
use super::call::{Job, broken};
use super::gate::{Gate, Reason};
use super::teach::{self, Lesson, Stale};
use crate::engine::error::Error;
use crate::engine::{Call, Engine};
use crate::format::Access;
use crate::policy::Channel;
use crate::sign::{Redactor, sha256};

/// The longest arguments that a person is asked to read, in bytes.
const READABLE: usize = 16 << 10;
/// The name of the question and of the one member of its answer.
const QUESTION: &str = "approval";
const ANSWER: &str = "approve";

/// How a client asks its user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It is given the question as a result, and calls again with the answer.
    Result,
    /// It is sent the question while the call is open.
    Request,
    /// It cannot.
    None,
}

/// What a client can do about a question, and what it brought back of one.
pub(super) struct Client {
    way: Way,
    /// Where it is asked while the call is open. `None` if nothing reaches it but the answer.
    peer: Option<Peer<RoleServer>>,
    state: Option<String>,
    responses: Option<InputResponses>,
}

/// What came of a question.
pub(super) enum Consent {
    /// A person has said yes.
    Given(Grant),
    /// The client has to ask its user, and call again.
    Open(Box<CallToolResponse>),
    /// Somebody has to run a command first.
    Waits(Lesson),
    /// The call does not run.
    Refused(Lesson),
    /// The client has given the call up.
    Cancelled,
}

impl Client {
    pub(super) fn of(
        context: &RequestContext<RoleServer>,
        is_modern: bool,
        state: Option<String>,
        responses: Option<InputResponses>,
    ) -> Client {
        let way = match is_modern {
            true => way_of(context.client_capabilities().as_ref()),
            // Over HTTP no client has a session in which it could be asked.
            false => match context
                .peer
                .supported_elicitation_modes()
                .contains(&ElicitationMode::Form)
            {
                true => Way::Request,
                false => Way::None,
            },
        };
        Client {
            way,
            peer: Some(context.peer.clone()),
            state,
            responses,
        }
    }

    /// A client that is sent the answer and nothing else. Only the newest revision says with each call what it can do.
    pub(super) fn answered(capabilities: Option<&ClientCapabilities>) -> Client {
        Client {
            way: way_of(capabilities),
            peer: None,
            state: None,
            responses: None,
        }
    }
}

/// How a client of the newest revision asks its user.
fn way_of(capabilities: Option<&ClientCapabilities>) -> Way {
    let form = capabilities.and_then(|can| can.elicitation.as_ref());
    match form.is_some_and(|form| form.form.is_some() || form.url.is_none()) {
        true => Way::Result,
        false => Way::None,
    }
}

impl Job {
    /// Asks a person about a call, or looks what a person has said to it.
    pub(super) async fn ask(
        &self,
        gate: &Gate,
        reason: &Reason,
        access: Access,
        arguments: &Map<String, Value>,
    ) -> Consent {
        let Some(policy) = gate.policy() else {
            return Consent::Refused(teach::of_question(reason));
        };
        let asked = tokio::select! {
            biased;
            () = self.cancelled.cancelled() => return Consent::Cancelled,
            asked = self.asked(policy.version(), reason, access, arguments) => asked,
        };
        let asked = match asked {
            Ok(asked) => asked,
            Err(lesson) => return Consent::Refused(lesson),
        };
        let holds = policy.holds();
        let by_command = policy.takes(Channel::Command);
        match self.client.way {
            Way::Result if policy.takes(Channel::Elicitation) => self.by_result(&asked, holds),
            Way::Request if policy.takes(Channel::Elicitation) => {
                match self.by_request(&asked, holds).await {
                    // The client said that it can ask, and cannot.
                    None if by_command => self.by_command(asked, holds, reason).await,
                    None => Consent::Refused(teach::of_question(reason)),
                    Some(consent) => consent,
                }
            }
            _ if by_command => self.by_command(asked, holds, reason).await,
            _ => Consent::Refused(teach::of_question(reason)),
        }
    }

    /// The call as a person sees it. Nothing is asked about a call that cannot run.
    async fn asked(
        &self,
        policy: &str,
        reason: &Reason,
        access: Access,
        arguments: &Map<String, Value>,
    ) -> Result<Asked, Lesson> {
        let tool = &self.served.tool;
        let name = &self.served.definition.name;
        let accepted = tool.accept(Value::Object(arguments.clone()));
        let accepted = accepted.map_err(|problems| teach::of_arguments(name, &problems))?;
        let Value::Object(mut all) = accepted else {
            return Err(broken());
        };
        // The options of the result stand beside the arguments: they say how much is read, and what of it is given.
        for (option, value) in &self.arguments {
            all.entry(option.clone()).or_insert_with(|| value.clone());
        }
        let length = Value::Object(all.clone()).to_string().len();
        if length > READABLE {
            let message = format!(
                "a person has to approve this call, and nobody reads {length} bytes of arguments; {READABLE} are the most"
            );
            return Err(Lesson::new("policy", message)
                .advise("make smaller calls, each of which a person can read")
                .retry(false, None));
        }
        let (request, redactor) = self.rehearse(access, arguments).await?;
        let descriptor = format!(
            "{} {}",
            tool.service.id,
            sha256(tool.source.text().as_bytes())
        );
        let bound = Bound::of(
            &self.caller.name,
            &tool.qualified_name(),
            &descriptor,
            &all,
            policy,
        );
        Ok(Asked {
            bound,
            policy: policy.to_owned(),
            caller: self.caller.name.clone(),
            tool: tool.qualified_name(),
            access: access.to_string(),
            request,
            arguments: masked(&redactor, &all),
            why: reason.why.clone(),
        })
    }

    /// The first request of a call, masked, and what masks the secrets of its service.
    async fn rehearse(
        &self,
        access: Access,
        arguments: &Map<String, Value>,
    ) -> Result<(String, Redactor), Lesson> {
        let (shared, tool) = (Arc::clone(&self.shared), Arc::clone(&self.served.tool));
        let call = Call::new(&tool, Value::Object(arguments.clone()))
            .consent(access)
            .caller(self.caller.name.clone())
            .deadline(self.shared.limits.deadline, std::time::Instant::now());
        // A task of its own, as the call itself: if it panics, only this call fails.
        let task = AbortOnDropHandle::new(tokio::spawn(async move {
            let engine: Engine = shared.backends.engine(&tool).await?;
            let (plan, redactor) = engine.rehearse(call).await?;
            let view = plan.view();
            let request = redactor.message(&format!("{} {}", view.method, view.url));
            Ok::<_, Error>((request, redactor))
        }));
        match task.await {
            Ok(Ok(rehearsed)) => Ok(rehearsed),
            Ok(Err(error)) => Err(teach::of_error(&self.served.definition.name, &error)),
            Err(_) => Err(broken()),
        }
    }

    /// Gives the client a question to carry, or looks at the answer that it brought.
    fn by_result(&self, asked: &Asked, holds: Duration) -> Consent {
        let approvals = &self.shared.approvals;
        if let Some(state) = &self.client.state {
            let stale = match approvals.unseal(state, asked) {
                Unsealed::Fits { id, until } => {
                    let grant = approvals.granted(asked, Some(id), until);
                    match self.client.answer() {
                        Some(true) => return Consent::Given(grant),
                        Some(false) => {
                            // A no is the end of this question.
                            approvals.redeem(&grant);
                            return Consent::Refused(teach::of_no());
                        }
                        None => return question(approvals.seal(asked, holds).0, asked),
                    }
                }
                Unsealed::Forged => Stale::Forged,
                Unsealed::OtherCall => Stale::OtherCall,
                Unsealed::Over => Stale::Over,
                Unsealed::Used => Stale::Used,
            };
            return Consent::Refused(teach::of_stale(stale));
        }
        question(approvals.seal(asked, holds).0, asked)
    }

    /// Asks the client while the call is open. `None` if it cannot ask after all.
    async fn by_request(&self, asked: &Asked, holds: Duration) -> Option<Consent> {
        let approvals = &self.shared.approvals;
        let Ok(_open) = approvals.open.try_acquire() else {
            return Some(Consent::Refused(teach::of_crowd()));
        };
        let until = Until::of(holds);
        let peer = self.client.peer.as_ref()?;
        let asking = peer.create_elicitation_with_timeout(form(asked), Some(holds));
        let answer = tokio::select! {
            biased;
            () = self.cancelled.cancelled() => return Some(Consent::Cancelled),
            () = self.shared.deaf.cancelled() => return Some(Consent::Refused(teach::of_stale(Stale::Over))),
            () = self.shared.stop.cancelled() => return Some(Consent::Refused(teach::of_stale(Stale::Over))),
            answer = asking => answer,
        };
        match answer {
            Ok(answer) if is_yes(&answer) => {
                Some(Consent::Given(approvals.granted(asked, None, until)))
            }
            Ok(_) => Some(Consent::Refused(teach::of_no())),
            Err(ServiceError::Timeout { .. }) => {
                Some(Consent::Refused(teach::of_stale(Stale::Over)))
            }
            Err(_) => None,
        }
    }

    /// Looks what somebody has said to the question by a command, or asks it.
    async fn by_command(&self, asked: Asked, holds: Duration, reason: &Reason) -> Consent {
        let shared = Arc::clone(&self.shared);
        let looking = tokio::task::spawn_blocking(move || shared.approvals.stand(&asked, holds));
        match looking.await {
            Err(_) => Consent::Refused(broken()),
            Ok(Err(no_place)) => Consent::Refused(teach::of_no_place(&no_place)),
            Ok(Ok(Standing::Approved(grant))) => Consent::Given(grant),
            Ok(Ok(Standing::Denied)) => Consent::Refused(teach::of_no()),
            Ok(Ok(Standing::Waits { id, until })) => {
                let command = self.shared.approvals.command(&id);
                Consent::Waits(teach::of_waiting(reason, &id, &command, &until))
            }
        }
    }

    /// Uses an approval up, just before the call is sent.
    ///
    /// # Errors
    /// When it is used or over, or the policy has changed since.
    pub(super) async fn redeem(&self, grant: &Grant) -> Result<(), Lesson> {
        let gate = self.shared.gate();
        let policy = gate.policy().map(|policy| policy.version());
        if policy != Some(grant.policy.as_str()) {
            return Err(teach::of_stale(Stale::OtherCall));
        }
        let (shared, grant) = (Arc::clone(&self.shared), grant.clone());
        let redeeming = tokio::task::spawn_blocking(move || shared.approvals.redeem(&grant));
        match redeeming.await {
            Ok(true) => Ok(()),
            Ok(false) => Err(teach::of_stale(Stale::Used)),
            Err(_) => Err(broken()),
        }
    }
}

impl Client {
    /// What the user has said, as the client brings it; `None` if it brings no answer.
    fn answer(&self) -> Option<bool> {
        let answer = self.responses.as_ref()?.get(QUESTION)?;
        let answer: ElicitResult = serde_json::from_value(answer.clone()).ok()?;
        Some(is_yes(&answer))
    }
}

/// Only a plain yes is one.
fn is_yes(answer: &ElicitResult) -> bool {
    let content = answer.content.as_ref();
    answer.action == ElicitationAction::Accept
        && content.is_some_and(|content| content[ANSWER] == Value::Bool(true))
}

/// The form that a client shows.
fn form(asked: &Asked) -> ElicitRequestParams {
    let approve = BooleanSchema::new()
        .title("Approve this call")
        .with_default(false);
    let properties = [(
        ANSWER.to_owned(),
        PrimitiveSchemaDefinition::Boolean(approve),
    )];
    let mut schema = ElicitationSchema::new(properties.into());
    schema.required = Some(vec![ANSWER.to_owned()]);
    ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: asked.text(),
        requested_schema: schema,
    }
}

fn question(state: String, asked: &Asked) -> Consent {
    let request = InputRequest::Elicitation(ElicitRequest::new(form(asked)));
    let requests = [(QUESTION.to_owned(), request)].into();
    let result = InputRequiredResult::new(Some(requests), Some(state));
    Consent::Open(Box::new(result.into()))
}

/// Arguments with the secrets of the service masked.
fn masked(redactor: &Redactor, arguments: &Map<String, Value>) -> Map<String, Value> {
    let text = Value::Object(arguments.clone()).to_string();
    // A secret may stand in a key too. One that is a number leaves no JSON behind, and only texts are masked then.
    let all = serde_json::from_str(&redactor.text(&text));
    all.or_else(|_| serde_json::from_slice(&redactor.json(text.into_bytes().into())))
        .unwrap_or_default()
}
