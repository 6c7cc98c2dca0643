//! `toolrun policy`: what a policy says to calls, before agents make them.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::arguments::{self, Clock};
use super::form::Form;
use super::terminal;
use super::{Done, Failure, failed_if, judged, note, usage};
use crate::policy::{Caller, CaseResult, Matched, Policy, run_cases};
use crate::{Catalog, Error, Tool};

/// Try a policy.
#[derive(Debug, Args)]
pub(crate) struct PolicyCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Run the cases of a policy
    Test {
        /// The policy's file
        file: PathBuf,
        #[command(flatten)]
        form: Form,
    },
    /// Say which rule decides about a call, and why
    Explain {
        /// The policy's file
        file: PathBuf,
        /// The tool
        tool: String,
        /// Its arguments: JSON, @FILE, key=value or key:=JSON
        args: Vec<String>,
        /// The caller's name
        #[arg(long, value_name = "NAME", default_value = "local")]
        caller: String,
        /// What else is known about the caller, as a JSON object
        #[arg(long, value_name = "JSON", value_parser = parse_claims)]
        claims: Option<Map<String, Value>>,
        #[command(flatten)]
        form: Form,
    },
}

fn parse_claims(text: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(text).map_err(|error| format!("write one JSON object: {error}"))
}

impl PolicyCommand {
    /// Whether errors must be one JSON object.
    pub(crate) fn wants_json(&self) -> bool {
        match &self.what {
            What::Test { form, .. } | What::Explain { form, .. } => form.is_json(),
        }
    }

    /// Runs the command.
    pub(crate) fn run(self, catalog: &Catalog) -> Done {
        match self.what {
            What::Test { file, form } => test(&file, &form, catalog),
            What::Explain {
                file,
                tool,
                args,
                caller,
                claims,
                form,
            } => {
                let caller = Caller {
                    name: caller,
                    claims: claims.unwrap_or_default(),
                };
                explain(&file, &tool, &args, &caller, &form, catalog)
            }
        }
    }
}

/// The policy of a file. Says its warnings.
fn load(file: &Path, tools: &[Arc<Tool>]) -> Result<Policy, Failure> {
    match Policy::load(file, Some(tools)) {
        Ok((policy, warnings)) => {
            for warning in &warnings {
                note(&warning.to_string());
            }
            Ok(policy)
        }
        Err(findings) => Err(Error::from(findings).into()),
    }
}

fn all_tools(catalog: &Catalog) -> Vec<Arc<Tool>> {
    let all = catalog.load_all().into_iter();
    all.filter_map(|(_, tool)| tool.ok()).collect()
}

fn test(file: &Path, form: &Form, catalog: &Catalog) -> Done {
    let tools = all_tools(catalog);
    let policy = load(file, &tools)?;
    let results = run_cases(&policy, &tools);
    let failed = results.iter().filter(|result| !result.holds()).count();
    let unmet = policy.unmet(&tools);
    let told = match form.is_json() {
        true => {
            let cases: Vec<Value> = results.iter().map(as_json).collect();
            let all = json!({ "rules": policy.len(), "cases": cases, "failed": failed, "tools_of_no_rule": unmet });
            writeln!(terminal::json(), "{all:#}")
        }
        false => {
            let sums = format!(
                "{} cases, {failed} failed; {} rules; {unmet} of {} tools are met by no rule",
                results.len(),
                policy.len(),
                tools.len()
            );
            tell(&results, &sums)
        }
    };
    let verdict = match failed {
        _ if results.is_empty() => Err(usage(format!("{} has no cases", file.display()))),
        failed => failed_if(failed > 0),
    };
    judged(told, verdict)
}

fn tell(results: &[CaseResult], sums: &str) -> io::Result<()> {
    let mut out = terminal::words();
    for result in results {
        writeln!(out, "{}", as_line(result))?;
    }
    writeln!(out, "{sums}")?;
    out.flush()
}

fn as_line(result: &CaseResult) -> String {
    let CaseResult {
        name,
        place,
        expected,
        given,
    } = result;
    match given {
        Ok(ruling) if result.holds() => {
            format!(
                "ok    {name}: {} (rule {})",
                ruling.verdict,
                ruling.rule_name()
            )
        }
        Ok(ruling) => format!(
            "FAIL  {name}: {}, not {expected} (rule {}: {})\n      {place}",
            ruling.verdict,
            ruling.rule_name(),
            ruling.why
        ),
        Err(reason) => format!("FAIL  {name}: {reason}\n      {place}"),
    }
}

fn as_json(result: &CaseResult) -> Value {
    let mut case = json!({ "name": result.name, "place": result.place, "expect": result.expected, "ok": result.holds() });
    match &result.given {
        Ok(ruling) => {
            case["verdict"] = json!(ruling.verdict);
            case["rule"] = json!(ruling.rule);
            case["why"] = ruling.why.as_str().into();
        }
        Err(reason) => case["problem"] = reason.as_str().into(),
    }
    case
}

fn explain(
    file: &Path,
    name: &str,
    words: &[String],
    caller: &Caller,
    form: &Form,
    catalog: &Catalog,
) -> Done {
    let tool = catalog.tool(name)?;
    let policy = load(file, &all_tools(catalog))?;
    let words = arguments::parse(&tool, words, &Clock::of_system()).map_err(usage)?;
    let given = words.settle(&tool)?;
    let arguments = tool.accept(given).map_err(|problems| Error::Arguments {
        tool: tool.qualified_name(),
        problems,
    })?;
    let ruling = policy.decide(caller, &tool, &arguments);
    let mut rules = Vec::new();
    policy.trace(caller, &tool, &arguments, |number, matched| {
        let goes_on = matches!(
            matched,
            Matched::OtherTools | Matched::OtherCallers | Matched::NotNow
        );
        rules.push((number, matched));
        goes_on
    });
    if form.is_json() {
        let rules: Vec<Value> = rules
            .iter()
            .map(|(number, matched)| json!({ "rule": number, "place": policy.place(*number), "outcome": outcome(matched) }))
            .collect();
        let all = json!({ "tool": tool.qualified_name(), "caller": caller.name, "verdict": ruling.verdict,
            "rule": ruling.rule, "why": ruling.why, "rules": rules, "version": policy.version() });
        writeln!(terminal::json(), "{all:#}")?;
        return Ok(());
    }
    let mut out = terminal::words();
    writeln!(out, "{}: {}", ruling.verdict, ruling.why)?;
    for (number, matched) in &rules {
        writeln!(
            out,
            "  rule {number} ({}): {}",
            policy.place(*number),
            outcome(matched)
        )?;
    }
    if ruling.rule.is_none() {
        writeln!(out, "  no rule decides")?;
    }
    Ok(out.flush()?)
}

fn outcome(matched: &Matched) -> String {
    match matched {
        Matched::Yes => "decides".to_owned(),
        Matched::OtherTools => "is about other tools".to_owned(),
        Matched::OtherCallers => "is about other callers".to_owned(),
        Matched::NotNow => "its condition does not hold".to_owned(),
        Matched::Failed(reason) => format!("its condition fails, so the call is denied: {reason}"),
    }
}
