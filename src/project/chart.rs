//! The hint for charts: which fields of the rows are the time, the numbers, and what tells lines apart.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::source::{Check, Code, join, join_index};
use crate::words::nearest;

/// How the rows are drawn as a chart: numbers over time.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChartSpec {
    /// The field of a row that holds its time.
    pub time: String,
    /// The fields that hold numbers. Each has a chart of its own, with a scale of its own.
    #[schemars(length(min = 1))]
    pub values: Vec<String>,
    /// The fields that tell bars or lines apart. Rows of the same time that agree in all of them are added up.
    #[serde(default)]
    pub by: Vec<String>,
}

impl ChartSpec {
    /// Reports fields that no row has. `known` are the fields of the rows, where the projection names them.
    pub(super) fn check(&self, known: Option<&[String]>, pointer: &str, check: &Check) {
        let Some(known) = known else { return };
        let report = |name: &str, pointer: &str| {
            if !known.iter().any(|other| other == name) {
                let help = nearest(name, known.iter().map(String::as_str));
                check.error_inside(
                    Code::UnknownName,
                    pointer,
                    0..name.len(),
                    format!("the rows have no field `{name}`"),
                    help,
                );
            }
        };
        report(&self.time, &join(pointer, "time"));
        for (key, names) in [("values", &self.values), ("by", &self.by)] {
            for (i, name) in names.iter().enumerate() {
                report(name, &join_index(&join(pointer, key), i));
            }
        }
    }
}
