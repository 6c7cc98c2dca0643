//! Single faults in descriptors, made by rules: each is one edit of a valid file, with the lines where it must be
//! reported.
//!
//! Shared by the mutation test and the benchmark of `validate`. Nothing here is random: the same files give the same
//! faults.
#![allow(dead_code, reason = "the test and the benchmark each use a part")]

mod rules;
mod spots;

pub(crate) use spots::Descriptor;

/// A descriptor with one fault.
#[derive(Debug, Clone)]
pub(crate) struct Mutant {
    /// The rule that made it.
    pub rule: &'static str,
    /// What was edited, for the message that it was not found.
    pub what: String,
    /// The whole text of the file.
    pub text: String,
    /// The lines, counted from 1, on any of which a finding must start.
    pub lines: Vec<usize>,
}

/// All faults that the rules make in a descriptor.
pub(crate) fn mutants(descriptor: &Descriptor) -> Vec<Mutant> {
    rules::ALL
        .iter()
        .flat_map(|rule| rule(descriptor))
        .filter(|mutant| mutant.text != descriptor.text)
        .collect()
}
