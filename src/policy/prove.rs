//! What can be known about a policy before it decides anything.

use std::sync::Arc;

use super::rule::Rule;
use super::spec::{CaseSpec, Channel};
use super::{MOST_APPROVAL_SECONDS, Policy};
use crate::source::{Check, Code};
use crate::tool::Tool;
use crate::words::nearest;

/// Every check of a policy file. `tools` are all that are known; without them, nothing is said about names of tools and
/// arguments.
pub(crate) fn check(check: &Check, tools: Option<&[Arc<Tool>]>) {
    Policy::compile(check, tools);
}

/// Reports rules that never decide, because an earlier one always does.
pub(super) fn rules(rules: &[Rule], check: &Check) {
    for (at, rule) in rules.iter().enumerate() {
        let pointer = format!("/rules/{at}");
        if check.is_broken(&pointer) {
            continue;
        }
        let earlier = rules[..at].iter().enumerate().find(|(before, earlier)| {
            !check.is_broken(&format!("/rules/{before}")) && decides_before(earlier, rule)
        });
        if let Some((before, _)) = earlier {
            check.error(
                Code::UnreachableRule,
                &pointer,
                format!(
                    "this rule never decides: rule {} matches every call that it could match",
                    before + 1
                ),
            );
        }
    }
}

fn decides_before(earlier: &Rule, rule: &Rule) -> bool {
    let has_same_condition = match (&earlier.when, &rule.when) {
        (None, _) => true,
        (Some(earlier), Some(own)) => earlier.text() == own.text(),
        (Some(_), None) => false,
    };
    has_same_condition && earlier.tools.cover(&rule.tools) && earlier.callers.cover(&rule.callers)
}

/// Reports cases of tools that there are not.
pub(super) fn cases(cases: &[CaseSpec], tools: &[Arc<Tool>], check: &Check) {
    let names: Vec<String> = tools.iter().map(|tool| tool.qualified_name()).collect();
    for (at, case) in cases.iter().enumerate() {
        let is_it = |tool: &&Arc<Tool>| tool.qualified_name() == case.tool;
        if !tools.iter().any(|tool| is_it(&tool)) {
            let message = format!("no tool that is known here is called `{}`", case.tool);
            let pointer = format!("/cases/{at}/tool");
            match nearest(&case.tool, names.iter().map(String::as_str)) {
                Some(help) => check.error_with_help(Code::UnmetPattern, &pointer, message, help),
                None => check.error(Code::UnmetPattern, &pointer, message),
            }
        }
    }
}

/// Reports approvals that nobody can give, and times that are none.
pub(super) fn approvals(channels: Option<&[Channel]>, seconds: Option<u32>, check: &Check) {
    if channels.is_some_and(<[Channel]>::is_empty) {
        check.error_with_help(
            Code::BadValue,
            "/approve",
            "no way stands here, so that nobody can approve a call",
            "leave the key out, or let rules deny",
        );
    }
    if seconds.is_some_and(|seconds| !(1..=MOST_APPROVAL_SECONDS).contains(&seconds)) {
        let message = format!("must be from 1 to {MOST_APPROVAL_SECONDS} seconds");
        check.error(Code::BadValue, "/approval_seconds", message);
    }
}
