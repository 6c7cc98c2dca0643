//! Examples of several pages: each page leads to the next one, and all together give one output.

use serde_json::{Map, Value};

use super::{
    Answer, Call, Canned, Failure, check_request, check_value, example_base, project, read_canned,
};
use crate::format::{ExamplePage, ExampleSpec};
use crate::json::Json;
use crate::paging::{Followed, Next, Paging};
use crate::plan::Plan;
use crate::project::ResponseView;
use crate::source::{join, join_index};

/// A request that follows a page.
pub(super) struct Step {
    params: Value,
    plan: Plan,
    next: Next,
}

/// Walks over the pages of an example.
pub(super) fn check(
    call: Call<'_>,
    example: &ExampleSpec,
    pages: &[ExamplePage],
    failures: &mut Vec<Failure>,
) {
    let mut told = |part: &str, message: &str| failures.push(Failure::told(part, message));
    let Some(paging) = &call.tool.paging else {
        return told("/pages", "the tool has no `paging`");
    };
    if example.response.is_some() || example.request.is_some() {
        return told(
            "/pages",
            "`pages` stand in place of `request` and `response`",
        );
    }
    if example.error.is_some() {
        return told(
            "/error",
            "the pages of a walk are no errors; show the error in an example of its own",
        );
    }
    let mut walk = Walk::default();
    let (mut params, mut plan) = (call.params.clone(), call.plan.clone());
    for (i, page) in pages.iter().enumerate() {
        let at = join_index("/pages", i);
        let call = Call {
            params: &params,
            plan: &plan,
            ..call
        };
        let Some(step) = walk.page(call, paging, (i, page), &at, failures) else {
            return;
        };
        match (step, i + 1 < pages.len()) {
            (Some(step), _) => (params, plan) = (step.params, step.plan),
            (None, true) => {
                let message = match example_base(call.tool) {
                    Some(_) => "the walk ends with this page, and the example has more",
                    None => {
                        "the base URL comes with an access token, so that this page leads nowhere offline"
                    }
                };
                return failures.push(Failure::told(&join(&at, "response"), message));
            }
            (None, false) => {}
        }
    }
    let Some((last, params)) = walk.last.take() else {
        return;
    };
    let call = Call {
        params: &params,
        ..call
    };
    match walk.output(call, paging, &pages[last]) {
        Ok(output) => check_value(
            call.tool,
            &output,
            example.output.as_ref(),
            "/output",
            failures,
        ),
        Err(message) => failures.push(Failure::told("/pages", message)),
    }
}

/// The pages that a walk has seen.
#[derive(Default)]
struct Walk {
    followed: Followed,
    /// The items of all pages, one text for each array that pages concatenate: an opening bracket, then the items with
    /// commas between them.
    lists: Vec<Vec<u8>>,
    /// The number of the last page that has a list, and its arguments.
    last: Option<(usize, Value)>,
}

impl Walk {
    /// Checks one page. The inner `None` says that it is the last; the outer, that the walk cannot go on.
    fn page(
        &mut self,
        call: Call<'_>,
        paging: &Paging,
        (number, page): (usize, &ExamplePage),
        at: &str,
        failures: &mut Vec<Failure>,
    ) -> Option<Option<Step>> {
        let before = failures.len();
        if let Some(request) = &page.request {
            check_request(call.plan, request, &join(at, "request"), failures);
        }
        let part = join(at, "response");
        let mut answer = match Answer::of(call.tool, &page.response, None) {
            Ok(answer) => answer,
            Err(message) => {
                failures.push(Failure::told(&join(&part, "body"), message));
                return None;
            }
        };
        let is_empty = match read_canned(call.tool, || answer.view(call.params)) {
            Ok(Canned::Body) => false,
            Ok(Canned::Empty) => true,
            Ok(Canned::Error) => {
                let message = "by the descriptor this response is an error, which ends the walk";
                failures.push(Failure::told(&part, message));
                return None;
            }
            Err(message) => {
                failures.push(Failure::told(&join(&part, "body"), message));
                return None;
            }
        };
        if is_empty {
            answer.body = call.tool.empty_body(call.tool.rules.kind);
        }
        let view = answer.view(call.params);
        let output = project(call, &view, is_empty, &part, failures)?;
        check_value(
            call.tool,
            &output,
            page.output.as_ref(),
            &join(at, "output"),
            failures,
        );
        self.keep(call, paging, &view, number);
        // After a mere difference, the walk goes on.
        let is_stop = |failure: &Failure| failure.difference.is_none();
        if failures[before..].iter().any(is_stop) {
            return None;
        }
        if is_empty {
            return Some(None);
        }
        match next(call, &view) {
            Ok(Some(step)) if !self.followed.is_new(&step.next) => {
                let message = "this page leads to one that the walk has already read";
                failures.push(Failure::told(&part, message));
                None
            }
            Ok(step) => Some(step),
            Err(message) => {
                failures.push(Failure::told(&part, message));
                None
            }
        }
    }

    /// Keeps the items of a page.
    fn keep(&mut self, call: Call<'_>, paging: &Paging, view: &ResponseView<'_>, number: usize) {
        self.lists.resize(paging.list_count(), Vec::new());
        let found = paging.lists(view.body.part()).unwrap_or_default();
        for (kept, list) in self.lists.iter_mut().zip(found) {
            let text = list.text();
            let inner = text.get(1..text.len() - 1).unwrap_or_default().trim_ascii();
            if !inner.is_empty() {
                let separator = if kept.is_empty() { b'[' } else { b',' };
                kept.push(separator);
                kept.extend_from_slice(inner);
            }
        }
        if self.last.is_none() || paging.emptied(view.body).is_some() {
            self.last = Some((number, call.params.clone()));
        }
    }

    /// The output of the whole walk, made as a call makes it: of the last page, with the items of all pages.
    fn output(
        mut self,
        call: Call<'_>,
        paging: &Paging,
        last: &ExamplePage,
    ) -> Result<Json, String> {
        for list in &mut self.lists {
            if list.is_empty() {
                list.push(b'[');
            }
            list.push(b']');
        }
        let mut answer = Answer::of(call.tool, &last.response, None)?;
        if let Ok(Canned::Empty) = read_canned(call.tool, || answer.view(call.params)) {
            answer.body = call.tool.empty_body(call.tool.rules.kind);
        }
        answer.body = paging
            .put_lists(&answer.body, &self.lists)
            .ok_or("the items of all pages have no place in the last page")?;
        let output = call.tool.projection.run(&answer.view(call.params));
        output.map_err(|error| error.to_string())
    }
}

/// The request that follows a page; `None` if none does.
///
/// # Errors
/// When the page leads to a request that the tool cannot make, in words.
pub(super) fn next(call: Call<'_>, view: &ResponseView<'_>) -> Result<Option<Step>, String> {
    let (tool, Some(paging)) = (call.tool, &call.tool.paging) else {
        return Ok(None);
    };
    let Some(base) = example_base(tool) else {
        return Ok(None);
    };
    let next = paging.next(view, &base, &call.plan.masked_url());
    let step = |params, plan, next| Step { params, plan, next };
    match next.map_err(|error| error.to_string())? {
        None | Some(Next::End | Next::Unsaid(_)) => Ok(None),
        Some(Next::Url(url)) => {
            let plan = tool.service.auth.aim(call.plan.clone(), url.clone());
            Ok(Some(step(call.params.clone(), plan, Next::Url(url))))
        }
        Some(Next::Arguments(arguments)) => {
            let mut all: Map<String, Value> = call.params.as_object().cloned().unwrap_or_default();
            all.extend(arguments.clone());
            let params = tool.accept(Value::Object(all)).map_err(|problems| {
                let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                format!(
                    "paging.next: the response gives arguments that the tool does not take: {}",
                    problems.join("; ")
                )
            })?;
            let plan = tool.render(&params, call.settings);
            let plan = plan.map_err(|error| format!("paging.next: {error}"))?;
            Ok(Some(step(params, plan, Next::Arguments(arguments))))
        }
    }
}
