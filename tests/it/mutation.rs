//! The faults that rules make in shipped and in foreign descriptors are found, each on its line: with and without the
//! files' examples, alone and in pairs.
//!
//! A share of the faults is tried, always the same. `FAULTS=all` tries all of them, and so does the benchmark of
//! `validate`.

use std::io::Write;

use crate::mutants::{Cell, Share, score_all};

/// The least share of the faults that must be found, in percent.
const LEAST_FOUND: f64 = 99.0;
/// The least number of faults that are tried in each cell.
const LEAST_MADE: usize = 400;
/// The least number of files in each cell.
const LEAST_FILES: usize = 60;

fn share() -> Share {
    match std::env::var("FAULTS").as_deref() {
        Ok("all") => Share {
            stride: 1,
            most_of_a_file: 2_000,
            most_pairs: 40,
        },
        Ok("many") => Share {
            stride: 9,
            most_of_a_file: 60,
            most_pairs: 12,
        },
        _ => Share {
            stride: 61,
            most_of_a_file: 20,
            most_pairs: 5,
        },
    }
}

#[test]
#[ignore = "long"]
fn faults_are_found_on_their_lines() {
    let mut told = Vec::new();
    for cell in Cell::all() {
        let score = score_all(cell, share());
        // Printed directly, because the test runner hides the output of a passing test.
        let text = format!("{}: {}", cell.name(), score.told());
        writeln!(std::io::stderr(), "{text}").expect("standard error");
        let (_, made) = score.total();
        assert!(score.files >= LEAST_FILES, "{} files", score.files);
        assert!(made >= LEAST_MADE, "{}: {made} faults only", cell.name());
        if score.share() < LEAST_FOUND {
            told.push(format!("{}: {:.2} %", cell.name(), score.share()));
        }
    }
    assert!(told.is_empty(), "{told:?}");
}
