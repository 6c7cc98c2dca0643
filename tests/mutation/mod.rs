//! Faults in descriptors, made by rules: each is one edit of a valid file, with the lines where it must be reported. Two
//! of them together make a file with two faults.
//!
//! Shared by the mutation test and the benchmark of `validate`. Nothing here is random: the same files give the same
//! faults. Nothing here asks the code that finds them, but for the reader of YAML, which gives places.
#![allow(dead_code, reason = "the test and the benchmark each use a part")]

mod constants;
mod expressions;
mod pairs;
mod paths;
mod rules;
mod run;
mod spots;
mod words;

pub(crate) use run::{Cell, Share, score_all};
pub(crate) use spots::Descriptor;

use std::ops::Range;

/// A rule: all mutants that it makes of a descriptor.
type Rule = fn(&Descriptor) -> Vec<Mutant>;

/// A descriptor with one fault.
#[derive(Debug, Clone)]
pub(crate) struct Mutant {
    /// The rule that made it.
    pub rule: &'static str,
    /// What was edited, for the message that it was not found.
    pub what: String,
    /// What is different.
    pub change: Change,
    /// The lines, counted from 1, on any of which a finding must start.
    pub lines: Vec<usize>,
}

/// How the text of a file is changed.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// One range is replaced.
    Edit(Range<usize>, String),
    /// All of it is replaced.
    Whole(String),
}

impl Mutant {
    /// The whole text of the file with the fault.
    pub(crate) fn text(&self, descriptor: &Descriptor) -> String {
        match &self.change {
            Change::Edit(range, with) => descriptor.edit(range.clone(), with),
            Change::Whole(text) => text.clone(),
        }
    }

    /// Whether the change is a fault: it is none where YAML reads the same value.
    pub(crate) fn is_fault(&self, descriptor: &Descriptor) -> bool {
        let may_be_same = ["lost quotes", "lost indentation"].contains(&self.rule);
        !may_be_same
            || Descriptor::value_of(&self.text(descriptor)).as_ref() != Some(&descriptor.value)
    }

    /// Whether the text is the same as before.
    fn changes_nothing(&self, descriptor: &Descriptor) -> bool {
        match &self.change {
            Change::Edit(range, with) => descriptor.text[range.clone()] == **with,
            Change::Whole(text) => *text == descriptor.text,
        }
    }
}

/// All faults that the rules make in a descriptor.
pub(crate) fn mutants(descriptor: &Descriptor) -> Vec<Mutant> {
    let groups: [&[Rule]; 4] = [&rules::ALL, &expressions::ALL, &paths::ALL, &constants::ALL];
    groups
        .into_iter()
        .flatten()
        .flat_map(|rule| rule(descriptor))
        .filter(|mutant| !mutant.changes_nothing(descriptor))
        .collect()
}
