//! Two faults in one file.

use std::ops::Range;

use super::spots::Descriptor;
use super::{Change, Mutant, mutants};

/// A descriptor with two faults: the text, and for each fault its rule and the lines where it must be reported.
pub(crate) struct Pair {
    pub text: String,
    pub faults: [(&'static str, String, Vec<usize>); 2],
}

/// Rules whose fault only an example shows, so that another fault may keep the example from being run.
const SHOWN_BY_EXAMPLES: [&str; 8] = [
    "changed URL",
    "changed output",
    "changed method or access",
    "misspelt step",
    "misspelt body key",
    "next from a misspelt place",
    "unsent cursor",
    "wrong argument",
];

/// Rules that take something away, so that what is said about it elsewhere in the file changes too.
const REMOVES: [&str; 5] = [
    "removed param",
    "removed definition",
    "missing key",
    "moved section",
    "lost indentation",
];

/// An edit: its place in the sound text, and what stands there then.
struct Edit {
    range: Range<usize>,
    with: String,
}

/// The edit that makes a mutant.
fn edit(descriptor: &Descriptor, mutant: &Mutant) -> Edit {
    let (sound, broken) = match &mutant.change {
        Change::Edit(range, with) => {
            return Edit {
                range: range.clone(),
                with: with.clone(),
            };
        }
        Change::Whole(text) => (&descriptor.text, text),
    };
    let equal = |(a, b): &(char, char)| a == b;
    let start: usize = sound
        .chars()
        .zip(broken.chars())
        .take_while(equal)
        .map(|(c, _)| c.len_utf8())
        .sum();
    let (rest, other) = (&sound[start..], &broken[start..]);
    let end: usize = rest
        .chars()
        .rev()
        .zip(other.chars().rev())
        .take_while(equal)
        .map(|(c, _)| c.len_utf8())
        .sum();
    Edit {
        range: start..sound.len() - end,
        with: other[..other.len() - end].to_owned(),
    }
}

/// The top-level section, and the whole entry of a map in it, that holds a place: `/params/properties/limit`.
fn entry(descriptor: &Descriptor, at: &Range<usize>) -> String {
    let holds = |range: &Range<usize>| range.start <= at.start && at.end <= range.end;
    let spots = descriptor.spots.iter().filter(|spot| {
        let start = spot.key.as_ref().map_or(spot.value.start, |key| key.start);
        holds(&(start..spot.value.end))
    });
    let deepest = spots.max_by_key(|spot| spot.path.len());
    deepest.map_or(String::new(), |spot| {
        let depth = if spot.path[0] == "params" { 3 } else { 2 };
        spot.path
            .iter()
            .take(depth)
            .fold(String::new(), |all, token| all + "/" + token)
    })
}

/// Whether one fault can make it impossible to know the other. Two faults of one entry may be about the same value, and so
/// may one in a param and one in a place that names it; what
/// is taken away takes what was wrong in it; and only a file that is otherwise sound runs its examples.
fn excludes(
    descriptor: &Descriptor,
    (one, other): (&Mutant, &Mutant),
    (first, second): (&Edit, &Edit),
) -> bool {
    let overlap = first.range.start <= second.range.end && second.range.start <= first.range.end;
    let entries = (
        entry(descriptor, &first.range),
        entry(descriptor, &second.range),
    );
    let within = |a: &str, b: &str| a == b || a.starts_with(&format!("{b}/"));
    let same_entry = within(&entries.0, &entries.1) || within(&entries.1, &entries.0);
    // What is said about a param depends on the param.
    let about = |entry: &str, other: &Mutant, edit: &Edit| {
        let name = entry
            .strip_prefix("/params/properties/")
            .and_then(|rest| rest.split('/').next());
        let mut lines = other
            .lines
            .iter()
            .filter_map(|line| descriptor.text.lines().nth(line - 1));
        let touched = &descriptor.text[edit.range.clone()];
        name.is_some_and(|name| touched.contains(name) || lines.any(|line| line.contains(name)))
    };
    // Which keys may stand beside `kind` depends on it.
    let kind = |entry: &str, beside: &str| entry == "/auth/kind" && beside.starts_with("/auth");
    let same_kind = kind(&entries.0, &entries.1) || kind(&entries.1, &entries.0);
    let same_param = about(&entries.0, other, second) || about(&entries.1, one, first);
    let any = |rules: &[&str]| {
        [one, other]
            .iter()
            .any(|mutant| rules.contains(&mutant.rule))
    };
    overlap || same_entry || same_kind || same_param || any(&SHOWN_BY_EXAMPLES) || any(&REMOVES)
}

/// Lines of the text with one edit, in the text with both.
fn moved(lines: &[usize], text: &str, (own, other): (&Edit, &Edit)) -> Vec<usize> {
    let lines_of = |text: &str| text.matches('\n').count() as isize;
    // Where the other edit is, in the text with this one.
    let at = match other.range.start < own.range.start {
        true => other.range.start,
        false => other.range.start + own.with.len() - own.range.len(),
    };
    let line_of_other = lines_of(&text[..at]) + 1;
    (lines.iter())
        .map(|line| match (*line as isize) <= line_of_other {
            true => *line,
            false => {
                (*line as isize + lines_of(&other.with) - lines_of(&other_text(text, at, other)))
                    as usize
            }
        })
        .collect()
}

/// What the other edit replaces.
fn other_text(text: &str, at: usize, other: &Edit) -> String {
    text.get(at..at + other.range.len())
        .unwrap_or_default()
        .to_owned()
}

/// Pairs of the file's single faults, at most so many, evenly spread.
pub(crate) fn pairs(descriptor: &Descriptor, most: usize) -> Vec<Pair> {
    let all = mutants(descriptor);
    let mut made = Vec::new();
    // Two numbers that share no factor with most counts, so that the pairs are of many kinds.
    for i in 0..all.len() * 4 {
        if made.len() == most {
            break;
        }
        let (a, b) = ((i * 7_919 + 13) % all.len(), (i * 104_729 + 57) % all.len());
        let (one, other) = (&all[a], &all[b]);
        let (first, second) = (edit(descriptor, one), edit(descriptor, other));
        if one.rule == other.rule
            || !one.is_fault(descriptor)
            || !other.is_fault(descriptor)
            || excludes(descriptor, (one, other), (&first, &second))
        {
            continue;
        }
        let (low, high) = match first.range.start < second.range.start {
            true => (&first, &second),
            false => (&second, &first),
        };
        let sound = &descriptor.text;
        let text = [
            &sound[..low.range.start],
            &low.with,
            &sound[low.range.end..high.range.start],
            &high.with,
            &sound[high.range.end..],
        ]
        .concat();
        let lines = |mutant: &Mutant, own: &Edit, other: &Edit| {
            moved(&mutant.lines, &mutant.text(descriptor), (own, other))
        };
        made.push(Pair {
            text,
            faults: [
                (one.rule, one.what.clone(), lines(one, &first, &second)),
                (
                    other.rule,
                    other.what.clone(),
                    lines(other, &second, &first),
                ),
            ],
        });
    }
    made
}
