//! The pages of the documentation, and the blocks of code in them.

use std::fs;
use std::path::Path;

/// A page of the documentation.
#[derive(Debug, Clone)]
pub(crate) struct DocPage {
    /// Its path below the root, such as `docs/ci.md`.
    pub name: String,
    pub text: String,
}

/// A block of code.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block<'p> {
    /// The language behind the fence, such as `sh`.
    pub language: &'p str,
    pub text: &'p str,
}

/// The README and all pages below `docs/`.
pub(crate) fn doc_pages() -> Vec<DocPage> {
    let mut names = vec!["README.md".to_owned()];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let mut found: Vec<String> = fs::read_dir(folder)
        .expect("the folder docs")
        .map(|entry| entry.expect("a file").file_name())
        .map(|name| format!("docs/{}", name.to_string_lossy()))
        .filter(|name| name.ends_with(".md"))
        .collect();
    found.sort();
    names.append(&mut found);
    names.into_iter().map(|name| doc_page(&name)).collect()
}

/// One page, by its path below the root.
pub(crate) fn doc_page(name: &str) -> DocPage {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    DocPage {
        name: name.to_owned(),
        text: fs::read_to_string(path).unwrap_or_else(|error| panic!("{name}: {error}")),
    }
}

impl DocPage {
    /// A made-up page.
    pub(crate) fn of(text: &str) -> DocPage {
        DocPage {
            name: "a made-up page".to_owned(),
            text: text.to_owned(),
        }
    }

    /// The blocks of code, in order.
    pub(crate) fn blocks(&self) -> Vec<Block<'_>> {
        let mut blocks = Vec::new();
        let mut open: Option<(&str, usize)> = None;
        for (at, line) in lines(&self.text) {
            match (line.strip_prefix("```"), open) {
                (Some(language), None) => open = Some((language.trim(), at + line.len() + 1)),
                (Some(""), Some((language, start))) => {
                    let text = &self.text[start..at];
                    blocks.push(Block { language, text });
                    open = None;
                }
                _ => {}
            }
        }
        assert!(open.is_none(), "{}: a block has no end", self.name);
        blocks
    }

    /// The blocks of one language.
    pub(crate) fn blocks_of<'p>(&'p self, language: &str) -> Vec<&'p str> {
        let blocks = self.blocks().into_iter();
        blocks
            .filter(|block| block.language == language)
            .map(|block| block.text)
            .collect()
    }

    /// The lines outside of blocks.
    pub(crate) fn prose(&self) -> Vec<&str> {
        let mut is_code = false;
        let mut prose = Vec::new();
        for line in self.text.lines() {
            let is_fence = line.starts_with("```");
            if !is_fence && !is_code {
                prose.push(line);
            }
            is_code ^= is_fence;
        }
        prose
    }
}

impl<'p> Block<'p> {
    /// The path in the first line, if the block is a file: `# tools/shop/service.yaml`.
    pub(crate) fn path(&self) -> Option<&'p str> {
        let path = self.text.lines().next()?.strip_prefix("# ")?;
        let is_path = !path.contains(' ') && path.rsplit('/').next()?.contains('.');
        is_path.then_some(path)
    }
}

/// Lines with the place where each begins.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    text.split('\n').map(move |line| {
        let start = at;
        at += line.len() + 1;
        (start, line)
    })
}
