//! Three-way merge of text by lines: a change of one side is taken if the other side did not change the same lines.

use similar::{Algorithm, capture_diff_slices};

/// Both sides changed the same lines, in different ways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Conflict {
    /// The number of the first of these lines in our text, counted from 1.
    pub line: usize,
    /// Our lines.
    pub ours: String,
    /// The lines of the other side.
    pub theirs: String,
}

/// Merges two texts that both come from `base`.
///
/// # Errors
/// The conflicts, when there are any; never an empty list.
pub(crate) fn merge(base: &str, ours: &str, theirs: &str) -> Result<String, Vec<Conflict>> {
    let base: Vec<&str> = base.split_inclusive('\n').collect();
    let ours: Vec<&str> = ours.split_inclusive('\n').collect();
    let theirs: Vec<&str> = theirs.split_inclusive('\n').collect();
    let (in_ours, in_theirs) = (matches(&base, &ours), matches(&base, &theirs));

    let mut merged = String::new();
    let mut conflicts = Vec::new();
    // How far each text is merged.
    let (mut b, mut o, mut t) = (0, 0, 0);
    loop {
        // The next line that all three have in common; the ends of the texts are one too.
        let stable = (b..base.len())
            .find_map(|at| Some((at, in_ours[at]?, in_theirs[at]?)))
            .unwrap_or((base.len(), ours.len(), theirs.len()));
        let (base_part, our_part, their_part) =
            (&base[b..stable.0], &ours[o..stable.1], &theirs[t..stable.2]);
        match () {
            () if our_part == their_part || their_part == base_part => {
                merged.extend(our_part.iter().copied());
            }
            () if our_part == base_part => merged.extend(their_part.iter().copied()),
            () => conflicts.push(Conflict {
                line: o + 1,
                ours: our_part.concat(),
                theirs: their_part.concat(),
            }),
        }
        if stable.0 == base.len() {
            break;
        }
        merged.push_str(ours[stable.1]);
        (b, o, t) = (stable.0 + 1, stable.1 + 1, stable.2 + 1);
    }
    match conflicts.is_empty() {
        true => Ok(merged),
        false => Err(conflicts),
    }
}

/// For each line of the base, the index of the same line in the other text, if it is there.
fn matches(base: &[&str], other: &[&str]) -> Vec<Option<usize>> {
    let mut found = vec![None; base.len()];
    for operation in capture_diff_slices(Algorithm::Patience, base, other) {
        if let similar::DiffOp::Equal {
            old_index,
            new_index,
            len,
        } = operation
        {
            for i in 0..len {
                found[old_index + i] = Some(new_index + i);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn changes_of_both_sides_meet() {
        let base = "a\nb\nc\nd\ne\n";
        for (ours, theirs, expected) in [
            (base, base, base),
            ("a\nB\nc\nd\ne\n", base, "a\nB\nc\nd\ne\n"),
            (base, "a\nb\nc\nD\ne\n", "a\nb\nc\nD\ne\n"),
            ("a\nB\nc\nd\ne\n", "a\nb\nc\nD\ne\n", "a\nB\nc\nD\ne\n"),
            ("a\nB\nc\nd\ne\n", "a\nB\nc\nd\ne\n", "a\nB\nc\nd\ne\n"),
            (
                "x\na\nb\nc\nd\ne\n",
                "a\nb\nc\nd\ne\ny\n",
                "x\na\nb\nc\nd\ne\ny\n",
            ),
            ("a\nc\nd\ne\n", "a\nb\nc\nd\nE\n", "a\nc\nd\nE\n"),
            ("", base, ""),
            ("a\nb\nc\nd\ne", base, "a\nb\nc\nd\ne"),
        ] {
            assert_eq!(
                merge(base, ours, theirs).as_deref(),
                Ok(expected),
                "{ours:?} {theirs:?}"
            );
        }
        assert_eq!(merge("", "", "a\n").as_deref(), Ok("a\n"));
    }

    #[test]
    fn changes_of_the_same_lines_are_told() {
        let conflicts = merge("a\nb\nc\n", "a\nours\nc\n", "a\ntheirs\nc\n").unwrap_err();
        assert_eq!(
            conflicts,
            [Conflict {
                line: 2,
                ours: "ours\n".into(),
                theirs: "theirs\n".into()
            }]
        );
        assert_eq!(merge("", "a\n", "b\n").unwrap_err().len(), 1);
        assert_eq!(
            merge("a\nb\nc\nd\n", "A\nb\nc\nX\n", "B\nb\nc\nY\n")
                .unwrap_err()
                .len(),
            2
        );
    }
}
