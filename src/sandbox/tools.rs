//! The tools that a sandbox answers. A sandbox for a single tool reads the files of other tools only when a request may
//! belong to one of them.

use std::sync::{Arc, OnceLock};

use super::request::{Candidate, find_tools};
use super::{Incoming, Refusal, not_valid};
use crate::catalog::{Entry, load};
use crate::source::Finding;
use crate::tool::Tool;

/// The tools of a sandbox.
pub(crate) struct Tools {
    read: Vec<Arc<Tool>>,
    unread: Vec<Unread>,
}

/// The file of a tool, which is read when it is first needed.
struct Unread {
    entry: Entry,
    tool: OnceLock<Result<Arc<Tool>, Vec<Finding>>>,
}

impl Tools {
    /// These tools and no others.
    pub(crate) fn of(read: Vec<Arc<Tool>>) -> Tools {
        Tools {
            read,
            unread: Vec::new(),
        }
    }

    /// One tool, and the files of other tools.
    pub(crate) fn with_unread(tool: Arc<Tool>, others: impl Iterator<Item = Entry>) -> Tools {
        let unread = others.map(|entry| Unread {
            entry,
            tool: OnceLock::new(),
        });
        Tools {
            read: vec![tool],
            unread: unread.collect(),
        }
    }

    /// The first tool. All tools have the same service.
    pub(crate) fn first(&self) -> Option<&Tool> {
        self.read.first().map(Arc::as_ref)
    }

    /// The tool of this name, if it was read.
    pub(crate) fn get(&self, name: &str) -> Option<&Arc<Tool>> {
        let were_unread = self.unread.iter().filter_map(|file| file.tool.get());
        let mut tools = self
            .read
            .iter()
            .chain(were_unread.filter_map(|tool| tool.as_ref().ok()));
        tools.find(|tool| tool.name == name)
    }

    /// The tools that may have made a request, with the arguments in its path.
    ///
    /// # Errors
    /// When the file of such a tool is not valid.
    pub(crate) fn find(&self, incoming: &Incoming<'_>) -> Result<Vec<Candidate<'_>>, Refusal> {
        let own = find_tools(&self.read, incoming.method, incoming.path);
        let has_params = own
            .first()
            .is_some_and(|(_, captured)| !captured.is_empty());
        // No path is nearer than one without params. Otherwise another tool may have the value of a param in its path.
        if self.unread.is_empty() || !(own.is_empty() || has_params) {
            return Ok(own);
        }
        let values: Vec<&str> = own
            .iter()
            .flat_map(|(_, captured)| captured.iter().map(|(_, value)| value.as_str()))
            .collect();
        let mut tools: Vec<&Arc<Tool>> = self.read.iter().collect();
        for file in &self.unread {
            if own.is_empty() || file.entry.file.may_hold(&values) {
                tools.push(file.tool()?);
            }
        }
        Ok(find_tools(tools, incoming.method, incoming.path))
    }

    /// How many files of tools were read.
    #[cfg(test)]
    pub(crate) fn count_read(&self) -> usize {
        let were_unread = self.unread.iter().filter(|file| file.tool.get().is_some());
        self.read.len() + were_unread.count()
    }
}

impl Unread {
    fn tool(&self) -> Result<&Arc<Tool>, Refusal> {
        let read = self.tool.get_or_init(|| load(&self.entry));
        read.as_ref().map_err(|findings| match findings.first() {
            Some(finding) => not_valid(finding),
            None => Refusal::new(500, format!("{} is not valid", self.entry.file.display())),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use crate::catalog::Catalog;
    use crate::sandbox::{Answer, Incoming, Sandbox};
    use crate::tool::Tool;

    fn sandbox_for(tool: &str) -> Sandbox {
        let catalog = Catalog::builtin();
        let tool = catalog.tool(tool).expect("a tool");
        Sandbox::for_tool(&catalog, &tool).expect("a sandbox")
    }

    fn ask(sandbox: &Sandbox, method: &str, target: &str, body: &[u8]) -> Answer {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let (_, secret) = sandbox.secrets().next().expect("a secret");
        let headers = json!({
            "x-api-key": secret,
            "authorization": format!("Bearer {secret}"),
            "anthropic-version": "2023-06-01",
        });
        sandbox.answer(&Incoming {
            method,
            path,
            query,
            headers: headers.as_object().cloned().unwrap_or_default(),
            body,
        })
    }

    #[test]
    fn a_call_reads_no_other_tool() {
        let workspaces = "/v1/organizations/workspaces";
        let made_up = ask(&sandbox_for("list-workspaces"), "GET", workspaces, b"");
        let id = made_up.body["data"][0]["id"]
            .as_str()
            .expect("an id")
            .to_owned();
        let of_id = format!("{workspaces}/{id}");
        for (tool, method, target, body) in [
            ("list-workspaces", "GET", workspaces, ""),
            (
                "list-workspaces",
                "GET",
                "/v1/organizations/workspaces?limit=1",
                "",
            ),
            ("create-workspace", "POST", workspaces, "{\"name\":\"n\"}"),
            ("get-workspace", "GET", of_id.as_str(), ""),
            (
                "update-workspace",
                "POST",
                of_id.as_str(),
                "{\"name\":\"n\"}",
            ),
        ] {
            let sandbox = sandbox_for(tool);
            let answer = ask(&sandbox, method, target, body.as_bytes());
            assert_eq!(answer.status, 200, "{tool}: {}", answer.body);
            assert_eq!(sandbox.tools.count_read(), 1, "{tool}");
            let compiled = sandbox
                .routes
                .values()
                .filter(|route| route.get().is_some());
            assert_eq!(compiled.count(), 1, "{tool}");
        }
    }

    /// What it answers is what a sandbox answers that knows all tools.
    #[test]
    #[ignore = "long"]
    fn the_answers_are_those_of_the_whole_sandbox() {
        let catalog = Catalog::builtin();
        let tools = catalog.load_all();
        let (mut asked, mut done) = (0, 0);
        for service in catalog.sandboxes() {
            let whole = Sandbox::load(&catalog, &service).expect("a sandbox");
            for (_, tool) in &tools {
                let tool = tool.as_ref().expect("a tool");
                // What is written would be there for the next.
                if tool.service.name != service || tool.request.method.as_str() != "GET" {
                    continue;
                }
                for target in targets(tool) {
                    let own = Sandbox::for_tool(&catalog, tool).expect("a sandbox");
                    let (own, whole) = (
                        ask(&own, "GET", &target, b""),
                        ask(&whole, "GET", &target, b""),
                    );
                    assert_eq!(own.status, whole.status, "{}: {target}", tool.name);
                    asked += 1;
                    // An error has the id of its request.
                    if own.status == 200 {
                        assert_eq!(own.body, whole.body, "{}: {target}", tool.name);
                        done += 1;
                    }
                }
            }
        }
        assert!(done > 30 && done * 2 > asked, "{done} of {asked}");
    }

    /// Where a tool's examples lead.
    fn targets(tool: &Arc<Tool>) -> Vec<String> {
        let urls = tool.examples.iter().filter_map(|example| {
            let url = &example.request.as_ref()?.url;
            Some(url::Url::parse(url).expect("a URL"))
        });
        urls.map(|url| url[url::Position::BeforePath..].to_owned())
            .collect()
    }

    #[test]
    fn a_request_that_no_tool_makes_is_refused() {
        let sandbox = sandbox_for("list-workspaces");
        let answer = ask(&sandbox, "GET", "/v1/nothing", b"");
        assert_eq!(answer.status, 404);
        let answer = ask(&sandbox, "GET", "/v1/organizations/users?limit=1", b"");
        assert_eq!(answer.status, 200);
        assert_eq!(answer.body["data"].as_array().map(Vec::len), Some(1));
        assert_eq!(answer.body["has_more"], json!(true));
    }
}
