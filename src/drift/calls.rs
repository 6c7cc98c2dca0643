//! The cheapest call of a tool that reads: one whose arguments the descriptor itself gives.

use serde_json::{Map, Value};

use crate::check::examples;
use crate::format::{Access, ExampleSpec};
use crate::project::ResponseKind;
use crate::tool::Tool;

/// The arguments of a tool's cheapest call: those of its first sound example that succeeds, or none.
///
/// # Errors
/// Why the tool is not called, in words that speak of such tools.
pub(crate) fn cheapest(tool: &Tool) -> Result<Map<String, Value>, &'static str> {
    if tool.access != Access::Read {
        return Err("their access is not `read`");
    }
    if tool.wait.is_some() {
        return Err("they start a job");
    }
    if tool.rules.kind == ResponseKind::Bytes {
        return Err("they give a file");
    }
    let mut good = tool.examples.iter().filter(|one| is_success(one));
    let may_be_sent = |example: &&ExampleSpec| {
        let sends_file = example.args.keys().any(|name| tool.takes_path(name));
        !sends_file && examples::run(tool, example).is_empty()
    };
    if let Some(example) = good.find(may_be_sent) {
        return Ok(example.args.clone());
    }
    match tool.accept(Value::Object(Map::new())) {
        Ok(_) => Ok(Map::new()),
        Err(_) if tool.examples.is_empty() => Err("they need arguments and have no example"),
        Err(_) => Err("they need arguments, and no sound example of a success has them"),
    }
}

/// Whether an example shows a success.
fn is_success(example: &ExampleSpec) -> bool {
    let pages = example.pages.iter().flatten().map(|page| &page.response);
    let mut answers = example.response.iter().chain(pages);
    example.error.is_none() && answers.all(|answer| answer.status < 400)
}
