//! Names that the protocol and the interfaces of models accept: `^[a-zA-Z0-9_-]{1,64}$`.
//!
//! A tool is called by service and name, as in `anthropic_admin_list_workspaces` for `anthropic-admin/list-workspaces`: so
//! a name does not change when another service joins, all tools of a service stand side by side, and the name is a word in every
//! programming language.

use std::collections::HashMap;
use std::sync::Arc;

use crate::tool::Tool;

/// Most characters of a name.
const LONGEST: usize = 64;
/// Characters of the digest that tells two names apart.
const DIGEST: usize = 8;

/// The names of tools, in their order.
pub(super) fn names(tools: &[Arc<Tool>]) -> Vec<String> {
    of_qualified(tools.iter().map(|tool| tool.qualified_name()).collect())
}

/// Whether a tool, named by service and name, may have this name in a definition.
pub(crate) fn is_name_of(name: &str, qualified: &str) -> bool {
    let plain = plain(qualified);
    name == plain || name == told_apart(&plain, qualified)
}

fn plain(qualified: &str) -> String {
    qualified.replace(['/', '-'], "_")
}

fn of_qualified(qualified: Vec<String>) -> Vec<String> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for name in &qualified {
        *counts.entry(plain(name)).or_default() += 1;
    }
    let name = |qualified: &String| {
        let plain = plain(qualified);
        // `a-b/c` and `a/b-c` would be the same word.
        match counts[&plain] == 1 && plain.len() <= LONGEST {
            true => plain,
            false => told_apart(&plain, qualified),
        }
    };
    qualified.iter().map(name).collect()
}

/// The name with a digest of the qualified name behind it.
fn told_apart(plain: &str, qualified: &str) -> String {
    let most = LONGEST - DIGEST - 1;
    let kept = plain.get(..most.min(plain.len())).unwrap_or(plain);
    format!("{kept}_{:08x}", digest(qualified))
}

/// FNV-1a: stable on every machine and in every version.
fn digest(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(qualified: &[&str]) -> Vec<String> {
        of_qualified(qualified.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn a_name_is_service_and_tool_in_one_word() {
        assert_eq!(
            names(&["anthropic-admin/list-workspaces", "shop/list-workspaces"]),
            ["anthropic_admin_list_workspaces", "shop_list_workspaces"]
        );
    }

    #[test]
    fn two_tools_never_share_a_name_and_a_long_one_is_cut() {
        let long = format!("{}/{}", "s".repeat(40), "t".repeat(40));
        let longer = format!("{}/{}x", "s".repeat(40), "t".repeat(40));
        let names = names(&["a-b/c", "a/b-c", &long, &longer]);
        let distinct: std::collections::HashSet<&String> = names.iter().collect();
        assert_eq!(distinct.len(), names.len(), "{names:?}");
        for name in &names {
            assert!(name.len() <= LONGEST, "{name}");
            let is_legal = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
            assert!(name.bytes().all(is_legal), "{name}");
        }
        assert!(names[0].starts_with("a_b_c_"), "{names:?}");
        for (name, qualified) in names.iter().zip(["a-b/c", "a/b-c", &long, &longer]) {
            assert!(is_name_of(name, qualified), "{name}");
        }
        assert!(is_name_of("a_b_c", "a-b/c") && !is_name_of(&names[0], "a/b-c"));
    }
}
