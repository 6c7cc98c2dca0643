//! `--update`: what the descriptor gives takes the place of what the examples expect, in the file itself.

use super::{Case, Examples, Tested};
use crate::catalog::Entry;
use crate::check::tool_with;
use crate::staged::rewrite;
use crate::yaml::with_values;

/// What became of a file whose examples did not hold.
#[derive(Debug)]
pub(super) enum Updated {
    /// So many expectations were written.
    Written(usize),
    /// The file stays as it is, for this reason.
    Refused(String),
}

/// Updates the file of a tool whose examples differ from what the descriptor gives, and tests it again.
pub(super) fn update(entry: &Entry, tested: &mut Tested) {
    let Ok(examples) = &tested.outcome else {
        return;
    };
    if examples.cases.iter().all(|case| case.failures.is_empty()) {
        return;
    }
    match updated(entry, examples) {
        Ok((count, examples)) => {
            tested.updated = Some(Updated::Written(count));
            tested.outcome = Ok(examples);
        }
        Err(reason) => tested.updated = Some(Updated::Refused(reason)),
    }
}

fn updated(entry: &Entry, examples: &Examples) -> Result<(usize, Examples), String> {
    let path = examples.tool.source.path();
    let path = path.ok_or("a built-in file cannot be changed")?;
    let mut changes = Vec::new();
    for (i, case) in examples.cases.iter().enumerate() {
        changes.extend(changes_of(i, case)?);
    }
    let text = with_values(examples.tool.source.text(), &changes)?;
    // The new file counts only if it loads and all of its examples hold.
    let tool = tool_with(entry, text.clone()).map_err(|findings| {
        let first = findings.first().map(ToString::to_string);
        format!(
            "the new file would not be valid: {}",
            first.unwrap_or_default()
        )
    })?;
    let again = Examples::of(tool);
    if let Some(case) = again.cases.iter().find(|case| !case.failures.is_empty()) {
        return Err(format!("the example `{}` would still fail", case.name));
    }
    rewrite(path, &text).map_err(|error| format!("cannot write the file: {error}"))?;
    Ok((changes.len(), again))
}

/// The values that take the place of others in an example.
fn changes_of(index: usize, case: &Case) -> Result<Vec<(String, serde_json::Value)>, String> {
    case.failures
        .iter()
        .map(|(failure, _)| match &failure.difference {
            Some((_, actual)) => {
                let pointer = format!("/examples/{index}{}", failure.expectation);
                Ok((pointer, actual.clone()))
            }
            None => Err(format!(
                "the example `{}` fails for another reason: {}: {}",
                case.name, failure.part, failure.message
            )),
        })
        .collect()
}
