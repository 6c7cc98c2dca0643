//! A `.env` file: plain names and values.
//!
//! The file may come with a cloned repository. So it gives only secrets that a trusted descriptor names: it sets no
//! environment variable, expands none, runs no program and overrides nothing.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

use super::Secret;

/// Largest `.env` file that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// What a `.env` file holds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Dotenv {
    /// The file, as it was named.
    file: String,
    values: HashMap<String, Secret>,
    /// How many lines are not assignments.
    unread: usize,
    /// Why the file is ignored.
    refused: Option<String>,
}

impl Dotenv {
    /// Reads a file. A missing file holds nothing.
    pub(crate) fn open(path: &Path) -> Dotenv {
        let dotenv = match read_regular(path) {
            Ok(Some(bytes)) => Dotenv::parse(&bytes),
            Ok(None) => Dotenv::default(),
            Err(reason) => Dotenv {
                refused: Some(reason),
                ..Dotenv::default()
            },
        };
        Dotenv {
            file: path.display().to_string(),
            ..dotenv
        }
    }

    /// Reads lines. If a name is assigned more than once, the last assignment counts, as in a shell.
    fn parse(bytes: &[u8]) -> Dotenv {
        let mut dotenv = Dotenv::default();
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
        for line in bytes.split(|byte| *byte == b'\n') {
            match std::str::from_utf8(line).ok().and_then(assignment) {
                Some(Some((name, value))) => {
                    dotenv.values.insert(name.to_owned(), Secret::new(value));
                }
                Some(None) => {}
                None => dotenv.unread += 1,
            }
        }
        dotenv
    }

    /// The value of a name. An empty value counts as not set.
    pub(crate) fn get(&self, name: &str) -> Option<&Secret> {
        self.values
            .get(name)
            .filter(|value| !value.expose().is_empty())
    }

    /// What is wrong with the file, without quoting it.
    pub(crate) fn problem(&self) -> Option<String> {
        let file = &self.file;
        match (&self.refused, self.unread) {
            (Some(reason), _) => Some(format!("{file} is not read: {reason}")),
            (None, 0) => None,
            (None, 1) => Some(format!("1 line of {file} cannot be read")),
            (None, lines) => Some(format!("{lines} lines of {file} cannot be read")),
        }
    }
}

/// Makes sure that a file is there and can be read.
///
/// # Errors
/// Why not.
pub(crate) fn check(path: &Path) -> Result<(), String> {
    match read_regular(path)? {
        Some(_) => Ok(()),
        None => Err("there is no such file".to_owned()),
    }
}

/// The bytes of the file; `None` if there is none. Only regular files are opened: opening a pipe waits for its writer,
/// and a device has no end.
fn read_regular(path: &Path) -> Result<Option<Vec<u8>>, String> {
    let metadata = match path.metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.kind().to_string()),
    };
    if metadata.is_dir() {
        return Err("it is a folder".to_owned());
    }
    if !metadata.is_file() {
        return Err("it is no plain file".to_owned());
    }
    let file = std::fs::File::open(path).map_err(|error| error.kind().to_string())?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| error.kind().to_string())?;
    match bytes.len() as u64 > MAX_BYTES {
        true => Err(format!("it is larger than {MAX_BYTES} bytes")),
        false => Ok(Some(bytes)),
    }
}

/// The name and the value of a line; `Some(None)` for an empty line or a comment, `None` for a line that is malformed.
fn assignment(line: &str) -> Option<Option<(&str, String)>> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Some(None);
    }
    if line.chars().any(|c| c.is_control() && c != '\t') {
        return None;
    }
    let line = match line.strip_prefix("export") {
        Some(rest) if rest.starts_with([' ', '\t']) => rest.trim_start(),
        _ => line,
    };
    let (name, value) = line.split_once('=')?;
    let name = name.trim_end();
    let is_name = name
        .bytes()
        .enumerate()
        .all(|(i, b)| b == b'_' || b.is_ascii_alphabetic() || (i > 0 && b.is_ascii_digit()));
    if name.is_empty() || !is_name {
        return None;
    }
    let value = value.trim_start();
    let (value, rest) = match value.chars().next() {
        Some('\'') => {
            let (value, rest) = value[1..].split_once('\'')?;
            (value.to_owned(), rest)
        }
        Some('"') => unquoted(&value[1..])?,
        _ => plain(value)?,
    };
    let rest_is_comment = rest.trim_start().is_empty()
        || rest.starts_with([' ', '\t']) && rest.trim_start().starts_with('#');
    rest_is_comment.then_some(Some((name, value)))
}

/// A value in double quotes, and the text behind it. A backslash escapes a quote, a backslash or a `$`.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut rest = text.chars();
    loop {
        match rest.next()? {
            '"' => return Some((value, rest.as_str())),
            '\\' => match rest.next()? {
                escaped @ ('"' | '\\' | '$') => value.push(escaped),
                _ => return None,
            },
            other => value.push(other),
        }
    }
}

/// A value without quotes; it ends at white space or a comment. If white space or a quote is inside, the meaning is not
/// clear.
fn plain(text: &str) -> Option<(String, &str)> {
    let end = text.find([' ', '\t']).unwrap_or(text.len());
    let (value, rest) = text.split_at(end);
    // `NAME= # comment` has no value.
    if value.starts_with('#') {
        return Some((String::new(), ""));
    }
    (!value.contains(['\'', '"'])).then(|| (value.to_owned(), rest))
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn lines_are_read_as_they_are_documented() {
        for (line, expected) in [
            ("A=b", Some("b")),
            ("A = b", Some("b")),
            ("  export A=b  ", Some("b")),
            ("export\tA=b", Some("b")),
            ("A=b\r", Some("b")),
            ("\u{feff}A=b", Some("b")),
            ("A=b=c==", Some("b=c==")),
            ("A=b#c", Some("b#c")),
            ("A=b # c", Some("b")),
            ("A='b c' # d", Some("b c")),
            ("A='b\\n'", Some("b\\n")),
            ("A=\"b c\"", Some("b c")),
            (r#"A="b\"c\\d\$e""#, Some("b\"c\\d$e")),
            ("A=b\\c", Some("b\\c")),
            ("A=$HOME", Some("$HOME")),
            ("A=${HOME}", Some("${HOME}")),
            ("A=\"${HOME}$(id)`id`\"", Some("${HOME}$(id)`id`")),
            ("A=1\nA=2", Some("2")),
            // An empty value counts as not set.
            ("A=", None),
            ("A=''", None),
            ("A= # nothing", None),
            ("#A=b", None),
            ("", None),
        ] {
            let dotenv = Dotenv::parse(line.as_bytes());
            assert_eq!(dotenv.get("A").map(Secret::expose), expected, "{line:?}");
            assert_eq!(dotenv.problem(), None, "{line:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_counted_and_not_quoted() {
        let lines: &[&[u8]] = &[
            b"canary",
            b"A",
            b"=canary",
            b"1A=canary",
            b"A-B=canary",
            b"A B=canary",
            b"exportA canary",
            b"A=canary b",
            b"A='canary",
            b"A=\"canary",
            b"A=\"canary\\",
            b"A=\"canary\\x\"",
            b"A='canary'b",
            b"A='canary'#b",
            b"A=it's",
            b"A=canary\0B=c",
            b"A=\x1bcanary",
            b"A=canary\xff",
        ];
        for line in lines {
            let dotenv = Dotenv::parse(line);
            assert!(dotenv.values.is_empty(), "{line:?}");
            let told = dotenv.problem().unwrap_or_default();
            assert_eq!(told, "1 line of  cannot be read", "{line:?}");
        }
        let all = [lines.join(&b'\n'), b"Z=z".to_vec()].join(&b'\n');
        let dotenv = Dotenv::parse(&all);
        assert_eq!(dotenv.get("Z").map(Secret::expose), Some("z"));
        let told = format!("{} lines of  cannot be read", lines.len());
        assert_eq!(dotenv.problem(), Some(told));
    }

    #[test]
    fn only_a_plain_file_of_a_bounded_size_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("folder")).unwrap();
        std::fs::write(
            at("fits"),
            [b"A=b\n#", vec![b'x'; (1 << 20) - 5].as_slice()].concat(),
        )
        .unwrap();
        std::fs::write(
            at("large"),
            [b"A=b\n#", vec![b'x'; 1 << 20].as_slice()].concat(),
        )
        .unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("/dev/zero", at("device")).unwrap();
        for (name, problem) in [
            ("nothing", None),
            ("fits", None),
            ("large", Some("it is larger than 1048576 bytes")),
            ("folder", Some("it is a folder")),
            #[cfg(unix)]
            ("device", Some("it is no plain file")),
        ] {
            let dotenv = Dotenv::open(&at(name));
            let file = at(name).display().to_string();
            let told = problem.map(|problem| format!("{file} is not read: {problem}"));
            assert_eq!(dotenv.problem(), told, "{name}");
            assert_eq!(dotenv.get("A").is_some(), name == "fits", "{name}");
        }
    }
}
