//! A job that a call created, polled until it is done.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::answer::upstream_error;
use super::error::{Error, Unfinished};
use super::page::Page;
use super::run::Run;
use crate::json::Json;
use crate::plan::Plan;
use crate::project::ResponseKind;
use crate::send::{Event, Limit, Purpose, SendError};

/// The shortest wait that a service may ask for: a service that always says 0 would be polled without a pause.
const LEAST_ASKED: Duration = Duration::from_millis(100);

/// A job that a call created. Dropping it stops the polling; the service still works on the job.
pub struct Job {
    run: Run,
    first: Page,
    poll: Option<Plan>,
    settings: Arc<Value>,
    started: Instant,
}

impl Job {
    pub(super) fn new(run: Run, first: Page, plan: &Plan) -> Result<Job, Error> {
        let settings = run.settings()?;
        let (base, plan) = run.at_current_base(&settings, plan)?;
        let tool = &run.tool;
        let poll = tool
            .wait
            .as_ref()
            .map(|wait| tool.poll_plan(wait, &first.view(), &base, &plan.masked_url(), &settings))
            .transpose()?;
        drop((base, plan));
        Ok(Job {
            run,
            first,
            poll,
            settings,
            started: Instant::now(),
        })
    }

    /// The first response, which describes the job.
    pub fn first(&self) -> &Page {
        &self.first
    }

    /// The URL that is polled, secrets masked; `None` if there is nothing to wait for.
    pub fn url(&self) -> Option<String> {
        self.poll.as_ref().map(Plan::masked_url)
    }

    pub(crate) fn into_first(self) -> Page {
        Page {
            is_pending: self.poll.is_some(),
            ..self.first
        }
    }

    /// Polls the job until it is done and gives its last response.
    ///
    /// # Errors
    /// When the job fails, is not done in time, or cannot be polled.
    pub async fn finish(self) -> Result<Page, Error> {
        match self.wait().await? {
            Some(last) => Ok(last),
            None => Ok(self.first),
        }
    }

    /// Polls the job until it is done and gives its last response; `None` if there is nothing to wait for. The future
    /// may be dropped; afterwards the job can be waited for again or cancelled.
    ///
    /// # Errors
    /// As [`Job::finish`].
    pub async fn wait(&self) -> Result<Option<Page>, Error> {
        let (Some(wait), Some(plan)) = (&self.run.tool.wait, &self.poll) else {
            return Ok(None);
        };
        let own = self.started + wait.deadline;
        let deadline = match self.run.deadline() {
            Some(all) => own.min(all.into()),
            None => own,
        };
        let mut interval = wait.interval;
        let mut asked = self.first.response.retry_after;
        let mut last = None;
        let mut polls = 0;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let pause = asked.map_or(interval, |asked| asked.max(LEAST_ASKED));
            if left.is_zero() || asked.is_some_and(|asked| asked > left) {
                let error = self.unfinished(plan, polls, last);
                let redactor = self.first.response.redactor();
                return Err(error.masked(|text| redactor.message(text)));
            }
            let pause = pause.min(left);
            self.run.tell(|| Event::Waiting {
                polls,
                elapsed: self.started.elapsed(),
                wait: pause,
            });
            if !self.run.is_played() {
                tokio::time::sleep(pause).await;
            }
            let page = match self.ask(plan, polls + 1).await {
                Err(Error::Send(SendError::Timeout {
                    limit: Limit::Deadline,
                    ..
                })) => {
                    return Err(self.unfinished(plan, polls, last));
                }
                answer => answer?,
            };
            polls += 1;
            if wait.has_failed(&page.view())? {
                return Err(upstream_error(
                    &self.run.tool,
                    None,
                    &page.response,
                    &page.view(),
                ));
            }
            if wait.is_done(&page.view())? {
                return Ok(Some(page));
            }
            interval = (interval * 2).min(wait.max_interval);
            asked = page.response.retry_after;
            last = Some(page.body);
        }
    }

    fn unfinished(&self, plan: &Plan, polls: u32, last: Option<Json>) -> Error {
        Error::Unfinished(Box::new(Unfinished {
            within: self.started.elapsed(),
            polls,
            url: plan.masked_url(),
            last: shown(last.as_ref().unwrap_or(&self.first.body)),
        }))
    }

    async fn ask(&self, plan: &Plan, number: u32) -> Result<Page, Error> {
        let params = &self.first.params;
        let kind = self.run.tool.rules.kind;
        let run = self.run.for_purpose(Purpose::Poll(number));
        let received = run.exchange(plan, params, kind, None);
        let mut page = self.run.page(received.await?, params.clone())?;
        page.created = Some(self.first.body.clone());
        Ok(page)
    }

    /// Asks the service to cancel the job; false if the descriptor does not say how.
    ///
    /// # Errors
    /// Whatever can go wrong with a request.
    pub async fn cancel(&self) -> Result<bool, Error> {
        let base = self.run.current_base(&self.settings)?;
        let plan = self.run.tool.wait.as_ref().and_then(|wait| {
            self.run
                .tool
                .cancel_plan(wait, &self.first.view(), &base, &self.settings)
        });
        let Some(plan) = plan.transpose()? else {
            return Ok(false);
        };
        let kind = ResponseKind::Empty;
        let run = self.run.for_purpose(Purpose::Cancel);
        let cancelled = run.exchange(&plan, &self.first.params, kind, None);
        cancelled.await.map(|_| true)
    }
}

/// A body for an error. One that is too large is given as text and cut.
impl Run {
    /// Sends the tool's request, which may create a job.
    pub(crate) async fn start(self, plan: &Plan, params: Value) -> Result<Job, Error> {
        // The response that creates a job is JSON, whatever kind the job's result has.
        let kind = match self.tool.wait {
            Some(_) => ResponseKind::Json,
            None => self.tool.rules.kind,
        };
        let received = self.exchange(plan, &params, kind, None).await?;
        let first = self.page(received, params)?;
        Job::new(self, first, plan)
    }

    /// The response to a plan. If it creates a job, the last response of the job.
    pub(crate) async fn fetch(&self, plan: &Plan, params: Value) -> Result<Page, Error> {
        if self.tool.wait.is_none() {
            let received = self.exchange(plan, &params, self.tool.rules.kind, None);
            return self.page(received.await?, params);
        }
        let job = self.clone().start(plan, params).await?;
        match self.options.waits {
            true => job.finish().await,
            false => Ok(job.into_first()),
        }
    }
}

fn shown(body: &Json) -> Value {
    body.value().unwrap_or_else(|_| body.excerpt().into())
}
