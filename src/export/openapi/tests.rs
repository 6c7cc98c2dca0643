//! Round trips: what is imported from an exported document sends the same requests.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::*;
use crate::catalog::Catalog;
use crate::import::openapi;
use crate::source::{Check, Source};
use crate::tool::ServiceSource;
use crate::tool::service::Service;
use crate::words::Name;

fn builtin(service: &str) -> Vec<Arc<Tool>> {
    let all = Catalog::builtin().load_all().into_iter();
    let mut tools: Vec<Arc<Tool>> = all.map(|(_, tool)| tool.expect("a valid tool")).collect();
    tools.retain(|tool| tool.service() == service);
    tools
}

fn check(name: &str, text: &str) -> Check {
    let source = Source::parse(name.to_owned(), Cow::Owned(text.to_owned()));
    Check::new(source.expect("plain YAML"))
}

/// The tools that an import makes of a document.
fn imported(document: Value, service: &str) -> BTreeMap<String, Tool> {
    let options = openapi::Options {
        service: Name::new(service),
        ..openapi::Options::default()
    };
    let import = openapi::import(document, &options).expect("an import");
    let skipped: Vec<String> = import
        .report
        .skipped
        .iter()
        .map(|one| format!("{}: {}", one.operation, one.reason))
        .collect();
    assert!(skipped.is_empty(), "{skipped:?}");
    let file = import.files.iter().find(|file| file.name == "service.yaml");
    let service = Service::load(&check("service.yaml", &file.expect("a service").text));
    let service = ServiceSource::Beside(Arc::new(service.expect("a valid service")));
    let tools = import
        .files
        .iter()
        .filter(|file| file.name != "service.yaml");
    tools
        .map(|file| {
            let check = check(&file.name, &file.text);
            let tool = Tool::load(&check, &service);
            let tool = tool.unwrap_or_else(|| panic!("{}: {}", file.name, file.text));
            (tool.name.clone(), tool)
        })
        .collect()
}

/// What a plan sends, without the order of headers.
fn sent_by(tool: &Tool, arguments: &Value) -> Result<(String, Vec<String>, String), String> {
    let settings = tool
        .service
        .default_settings()
        .unwrap_or_else(|_| json!({}));
    let arguments = tool
        .accept(arguments.clone())
        .map_err(|problems| format!("{problems:?}"))?;
    let plan = tool
        .render(&arguments, &settings)
        .map_err(|error| error.to_string())?;
    let text = plan.to_http();
    let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    let mut lines = head.lines().map(str::to_owned);
    let first = lines.next().unwrap_or_default();
    let mut headers: Vec<String> = lines.collect();
    // A tool of any bytes accepts anything; one of a document names their media type.
    if tool.rules.kind == ResponseKind::Bytes {
        headers.retain(|line| !line.starts_with("accept: "));
    }
    headers.sort();
    Ok((first, headers, body.to_owned()))
}

/// The params of a request, by their names on the wire.
fn params_by_wire(tool: &Tool) -> BTreeMap<String, String> {
    let request = &tool.source.value()["request"];
    let sections = [
        &request["query"],
        &request["headers"],
        &request["body"]["json"],
        &request["body"]["form"],
        &request["body"]["multipart"],
    ];
    let mut found = BTreeMap::new();
    for section in sections {
        for name in section.as_array().into_iter().flatten() {
            let name = name.as_str().expect("a name");
            found.insert(name.trim_end_matches("[]").to_owned(), name.to_owned());
        }
        for (wire, entry) in section.as_object().into_iter().flatten() {
            let inner = ["value", "file"].iter().find_map(|key| entry.get(key));
            if let Sent::Param(param) = sent(inner.unwrap_or(entry)) {
                found.insert(wire.trim_end_matches("[]").to_owned(), param);
            }
        }
    }
    found
}

/// The arguments of the imported tool that say the same. Its params have the names of the wire.
fn translated(tool: &Tool, arguments: &Value, other: &Tool) -> Value {
    let settings = tool.service.default_settings().expect("settings");
    let accepted = tool.accept(arguments.clone()).expect("valid arguments");
    let plan = tool.render(&accepted, &settings).expect("a plan");
    let view = plan.view();
    let (own, others) = (params_by_wire(tool), params_by_wire(other));
    let mut out = Map::new();
    for param in other.params.iter() {
        let name = param.name;
        let wire = others
            .iter()
            .find(|(_, param)| *param == name)
            .map(|(wire, _)| wire);
        let value = wire.and_then(|wire| {
            let param = own.get(wire).and_then(|param| accepted.get(param));
            let header = view.headers.iter().find(|(name, _)| name == wire);
            let header = header.map(|(_, value)| json!(value));
            let in_body = view.body.as_object().and_then(|body| body.get(wire));
            param.or(in_body).cloned().or(header)
        });
        let value = value.or_else(|| match name {
            "body" => Some(view.body.clone()),
            name => accepted.get(name).cloned(),
        });
        if let Some(value) = value {
            out.insert(name.to_owned(), value);
        }
    }
    out.into()
}

#[test]
#[ignore = "long"]
fn every_built_in_tool_comes_back_with_the_same_plans() {
    let mut same = 0;
    let mut left_out = Vec::new();
    let mut wrong = Vec::new();
    for service in [
        "anthropic-admin",
        "anthropic-admin-oauth",
        "anthropic-api",
        "anthropic-compliance",
        "anthropic-enterprise",
        "anthropic-tunnels",
    ] {
        let tools = builtin(service);
        let exported = document(&tools).expect("one service");
        let back = imported(exported.value, service);
        for tool in &tools {
            let Some(other) = back.get(&tool.name) else {
                left_out.push(tool.qualified_name());
                let name = tool.qualified_name();
                assert!(
                    exported
                        .lost
                        .iter()
                        .any(|loss| loss.tool == name && loss.what.contains("left out")),
                    "{name}"
                );
                continue;
            };
            let examples = tool.example_arguments().cloned().map(Value::Object);
            for arguments in examples.chain([json!({})]) {
                let Ok(expected) = sent_by(tool, &arguments) else {
                    continue;
                };
                let given = translated(tool, &arguments, other);
                match sent_by(other, &given) {
                    Ok(got) if got == expected => same += 1,
                    got => wrong.push(format!(
                        "{}: {arguments} as {given}\n  {expected:?}\n  {got:?}",
                        tool.qualified_name()
                    )),
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} right\n{}", same, wrong.join("\n"));
    assert_eq!(
        left_out,
        [
            "anthropic-admin/archive-api-key",
            "anthropic-admin/bind-workspace",
            "anthropic-admin/disable-compliance",
            "anthropic-admin/get-workspace-data-privacy",
            "anthropic-admin/list-workspace-data-privacy",
        ]
    );
    assert!(same > 200, "{same}");
}
