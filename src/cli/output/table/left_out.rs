//! What a table does not show, in words.

use crate::cli::terminal::line;

/// Names that are told of what is not shown.
const MOST_NAMES: usize = 12;

/// What is not shown, or not as a whole.
#[derive(Default)]
pub(super) struct LeftOut {
    pub(super) hidden: Vec<String>,
    pub(super) empty: Vec<String>,
    /// Columns with one value, and that value.
    pub(super) same: Vec<String>,
    pub(super) has_cut: bool,
    pub(super) has_sums: bool,
}

impl LeftOut {
    /// How to see it.
    pub(super) fn told(&self) -> String {
        let mut parts = Vec::new();
        if !self.hidden.is_empty() {
            let names = list(&self.hidden);
            parts.push(format!(
                "hidden: {names} (--wide, --columns or -o json shows them)"
            ));
        }
        if !self.empty.is_empty() {
            parts.push(format!("empty: {}", list(&self.empty)));
        }
        match (self.has_cut, self.has_sums) {
            (true, _) => parts.push("some texts are cut: --wide shows them whole".to_owned()),
            (_, true) if self.hidden.is_empty() => {
                parts.push("--wide or -o json shows what is summed up".to_owned());
            }
            _ => {}
        }
        parts.join("; ")
    }
}

fn list(names: &[String]) -> String {
    let told: Vec<String> = names.iter().map(|name| line(name)).collect();
    match told.get(..MOST_NAMES) {
        Some(first) if told.len() > MOST_NAMES + 1 => {
            format!("{} and {} more", first.join(", "), told.len() - MOST_NAMES)
        }
        _ => told.join(", "),
    }
}
