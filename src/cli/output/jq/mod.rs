//! `--jq`: the jq language on an output, or on each of its rows.
//!
//! The expression is compiled while the command line is read, so a mistake in it is told before anything is sent. It sees
//! nothing but its input: `env`, `input`, `debug`, `stderr` and `halt` are left out, for they reach beyond it.
//!
//! Integers keep all digits, also when they are computed with; so do other numbers that are only passed on. Other
//! arithmetic is that of doubles, as in jq.

mod runs;
mod worker;

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use jaq_core::load::{self, Arena, File, Loader};
use jaq_core::{Compiler, Ctx, Filter, Vars, data, unwrap_valr};
use jaq_json::{Num, Val};

use crate::json::{Budget, Json};

pub(crate) use runs::{Deadline, Runs};
pub(crate) use worker::answer;

/// Functions that reach beyond the input: to the environment, other inputs, standard error and the process.
const BEYOND: [&str; 7] = [
    "env",
    "debug",
    "debug_empty",
    "stderr",
    "stderr_empty",
    "halt",
    "halt_error",
];
/// Formats of jq that its crates leave to the program.
const FORMATS: &str = r#"
def @csv: [.[] | if type == "string" then "\"" + (split("\"") | join("\"\"")) + "\""
  elif . == null then "" elif type == "array" or type == "object" then error("\(type) is not valid in a csv row")
  else tostring end] | join(",");
def @tsv: [.[] | if type == "string" then split("\\") | join("\\\\") | split("\t") | join("\\t") | split("\n") | join("\\n")
  | split("\r") | join("\\r") elif . == null then ""
  elif type == "array" or type == "object" then error("\(type) is not valid in a tsv row") else tostring end] | join("\t");
"#;
/// Digits of a number that is read: more would take time beyond all proportion.
const MOST_DIGITS: usize = 10_000;
/// Characters of an error, which quotes values, at the most.
const MOST_OF_ERROR: usize = 300;
/// Arrays and objects inside each other that a result may have.
const DEEPEST: usize = 1000;

type Compiled = Filter<data::JustLut<Val>>;

/// A compiled expression.
#[derive(Clone)]
pub(crate) struct Jq {
    text: Arc<str>,
    filter: Arc<Compiled>,
}

impl fmt::Debug for Jq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Jq").field(&self.text).finish()
    }
}

/// A result: a text, or another value as JSON.
enum Found {
    /// A text, as it is.
    Text(String),
    /// JSON text on one line.
    Json(String),
}

impl Jq {
    /// Compiles an expression.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub(crate) fn read(text: &str) -> Result<Jq, String> {
        let is_within = |name: &str| !BEYOND.contains(&name);
        let defs = jaq_core::defs()
            .chain(jaq_std::defs())
            .chain(jaq_json::defs())
            .chain(
                load::parse(FORMATS, |parser| parser.defs())
                    .into_iter()
                    .flatten(),
            );
        let funs = jaq_core::funs()
            .chain(jaq_std::funs())
            .chain(jaq_json::funs());
        let arena = Arena::default();
        let file = File {
            code: text,
            path: (),
        };
        let modules = Loader::new(defs.filter(|def| is_within(def.name)))
            .load(&arena, file)
            .map_err(|errors| {
                told(
                    text,
                    errors.into_iter().flat_map(|(_, error)| places(error)),
                )
            })?;
        let compiler = Compiler::default().with_funs(funs.filter(|fun| is_within(fun.0)));
        let filter = compiler.compile(modules).map_err(|errors| {
            let unknown = errors.into_iter().flat_map(|(_, errors)| errors);
            let places = unknown.map(|(name, kind)| {
                let beyond = match BEYOND.contains(&name) {
                    true => ": an expression sees nothing but its input",
                    false => "",
                };
                (
                    format!("there is no {} `{name}`{beyond}", kind.as_str()),
                    name,
                )
            });
            told(text, places)
        })?;
        Ok(Jq {
            text: text.into(),
            filter: Arc::new(filter),
        })
    }

    /// The expression as it was written.
    fn text(&self) -> &str {
        &self.text
    }

    /// Runs the expression on a value, and gives each result to `take`. Fails with what went wrong, after the results
    /// before it were taken. It may never end.
    fn run(
        &self,
        input: &[u8],
        mut take: impl FnMut(Found) -> io::Result<()>,
    ) -> Result<(), RunError> {
        refuse_large(input)?;
        let input = jaq_json::read::parse_single(input).map_err(RunError::told)?;
        let context = Ctx::<data::JustLut<Val>>::new(&self.filter.lut, Vars::new([]));
        for result in self.filter.id.run((context, input)).map(unwrap_valr) {
            let value = result.map_err(|error| match error.into_val() {
                Val::TStr(text) => RunError::told(String::from_utf8_lossy(&text)),
                value => RunError::told(value),
            });
            let found = match value? {
                Val::TStr(text) => Found::Text(utf8(&text)?.to_owned()),
                value => {
                    let mut text = Vec::new();
                    write(&value, DEEPEST, &mut text)?;
                    Found::Json(utf8(&text)?.to_owned())
                }
            };
            take(found).map_err(RunError::Io)?;
        }
        Ok(())
    }
}

/// Why a run ended early.
enum RunError {
    /// The expression failed.
    Told(String),
    /// The result could not be printed.
    Io(io::Error),
}

impl RunError {
    fn told(error: impl fmt::Display) -> RunError {
        let text = error.to_string();
        RunError::Told(match text.char_indices().nth(MOST_OF_ERROR) {
            None => text,
            Some((end, _)) => format!("{}...", &text[..end]),
        })
    }
}

impl From<io::Error> for RunError {
    fn from(error: io::Error) -> RunError {
        RunError::Io(error)
    }
}

/// The places of an error, each a part of the expression's own text.
fn places(error: load::Error<&str>) -> Vec<(String, &str)> {
    match error {
        load::Error::Io(errors) => errors
            .into_iter()
            .map(|(place, _)| ("there are no modules".to_owned(), place))
            .collect(),
        load::Error::Lex(errors) => errors
            .into_iter()
            .map(|(expected, place)| (format!("expected {}", expected.as_str()), place))
            .collect(),
        load::Error::Parse(errors) => errors
            .into_iter()
            .map(|(expected, place)| (format!("expected {}", expected.as_str()), place))
            .collect(),
    }
}

/// The first error, with its place in the expression.
fn told<'t>(text: &'t str, places: impl Iterator<Item = (String, &'t str)>) -> String {
    let offset = |place: &str| {
        let offset = (place.as_ptr() as usize).checked_sub(text.as_ptr() as usize);
        offset.filter(|offset| *offset <= text.len())
    };
    let first = places.min_by_key(|(_, place)| offset(place).unwrap_or(usize::MAX));
    let Some((message, place)) = first else {
        return "the expression does not compile".to_owned();
    };
    match offset(place) {
        Some(at) if at == text.len() => format!("{message} at the end of the expression"),
        Some(at) => {
            let before = text.get(..at).unwrap_or_default();
            let rest: String = text
                .get(at..)
                .unwrap_or_default()
                .chars()
                .take(20)
                .collect();
            format!(
                "{message} at column {}, at `{rest}`",
                before.chars().count() + 1
            )
        }
        None => message,
    }
}

/// Refuses an input whose tree would take too much memory for a text of its size, or whose numbers too much time.
fn refuse_large(text: &[u8]) -> Result<(), RunError> {
    /// What containers, members and elements take, with the space that grows ahead.
    const CONTAINER: usize = 112;
    const MEMBER: usize = 112;
    const ELEMENT: usize = 32;
    /// What a text or a long number takes beside its bytes.
    const HEAP: usize = 64;
    let budget = Budget::of(text.len());
    let mut used = 0_usize;
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let end = match byte {
            b'"' | b'-' | b'0'..=b'9' => crate::json::value_end(text, at),
            _ => at + 1,
        };
        let length = end - at;
        used += match byte {
            b'{' | b'[' => CONTAINER,
            b':' => MEMBER,
            b',' => ELEMENT,
            b'"' => HEAP + length,
            b'-' | b'0'..=b'9' if length > MOST_DIGITS => {
                return Err(RunError::Told(format!(
                    "a number has {length} digits, and {MOST_DIGITS} is the most that can be computed with"
                )));
            }
            b'-' | b'0'..=b'9' => HEAP,
            _ => 0,
        };
        at = end;
    }
    budget.take(used).map_err(RunError::told)
}

fn utf8(bytes: &[u8]) -> Result<&str, RunError> {
    std::str::from_utf8(bytes)
        .map_err(|_| RunError::Told("a result is a text that is no UTF-8".to_owned()))
}

/// Writes a value as JSON, or tells that it is none.
fn write(value: &Val, deepest: usize, out: &mut Vec<u8>) -> Result<(), RunError> {
    let Some(deeper) = deepest.checked_sub(1) else {
        return Err(RunError::Told(format!(
            "a result is nested more than {DEEPEST} deep"
        )));
    };
    match value {
        Val::Null => out.extend_from_slice(b"null"),
        Val::Bool(value) => write!(out, "{value}")?,
        Val::Num(Num::Float(value)) if !value.is_finite() => {
            return Err(RunError::Told(format!(
                "a result has the number {value}, which JSON cannot hold"
            )));
        }
        // As jq writes it: 3 and not 3.0.
        Val::Num(Num::Float(value)) if value.fract() == 0.0 && value.abs() < 1e17 => {
            write!(out, "{value:.0}")?;
        }
        Val::Num(number) => write!(out, "{number}")?,
        Val::TStr(text) => out.extend_from_slice(Json::of_text(utf8(text)?).bytes()),
        Val::BStr(_) => {
            return Err(RunError::Told(
                "a result has bytes that are no text".to_owned(),
            ));
        }
        Val::Arr(elements) => {
            out.push(b'[');
            for (at, element) in elements.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write(element, deeper, out)?;
            }
            out.push(b']');
        }
        Val::Obj(members) => {
            out.push(b'{');
            for (at, (key, member)) in members.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                match key {
                    Val::TStr(_) => write(key, deeper, out)?,
                    _ => {
                        return Err(RunError::Told(
                            "a result has a key that is no text".to_owned(),
                        ));
                    }
                }
                out.push(b':');
                write(member, deeper, out)?;
            }
            out.push(b'}');
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    /// The results of an expression, a line each, and the error behind them.
    fn results(expression: &str, input: &str) -> String {
        let mut lines = Vec::new();
        let run = Jq::read(expression)
            .unwrap()
            .run(input.as_bytes(), |found| {
                lines.push(match found {
                    Found::Text(text) => text,
                    Found::Json(text) => text,
                });
                Ok(())
            });
        if let Err(RunError::Told(error)) = run {
            lines.push(format!("! {error}"));
        }
        lines.join("\n")
    }

    #[test]
    fn it_is_the_language() {
        for (expression, input, expected) in [
            (
                ".",
                r#"{"a": [1, "b", null, true]}"#,
                r#"{"a":[1,"b",null,true]}"#,
            ),
            (".a", r#"{"a":"x\ny"}"#, "x\ny"),
            (".[]|@json", r#"["x"]"#, r#""x""#),
            (".[]", "[1,[2],\"c\"]", "1\n[2]\nc"),
            ("empty", "1", ""),
            (
                "group_by(.k)|map({k:.[0].k,n:length})|.[]",
                r#"[{"k":1},{"k":2},{"k":1}]"#,
                "{\"k\":1,\"n\":2}\n{\"k\":2,\"n\":1}",
            ),
            ("[.[]|select(.>1)]|add", "[1,2,3]", "5"),
            ("reduce .[] as $x (0;.+$x)", "[1,2]", "3"),
            ("def f: .+1; f", "1", "2"),
            ("fromdate", "\"2026-11-01T00:00:00Z\"", "1793491200"),
            ("test(\"^a.c$\")", "\"abc\"", "true"),
            ("@csv", r#"[1,"a\"b",null,true]"#, "1,\"a\"\"b\",,true"),
            ("@csv", "[[]]", "! array is not valid in a csv row"),
            ("@tsv", r#"[1.50,"a\tb\\",null]"#, "1.50\ta\\tb\\\\\t"),
            ("@tsv", "[{}]", "! object is not valid in a tsv row"),
            ("@uri", "\"a b\"", "a%20b"),
            ("to_entries[].key", r#"{"b":1,"a":2}"#, "b\na"),
            ("6/2, 1/4", "1", "3\n0.25"),
            (".a.b", "\"x\"", "! cannot index \"x\" with \"a\""),
            (".[]|error", "[\"no\"]", "! no"),
            (
                "1, (null|nan), 2",
                "1",
                "1\n! a result has the number NaN, which JSON cannot hold",
            ),
            (
                "infinite",
                "1",
                "! a result has the number inf, which JSON cannot hold",
            ),
            (
                "reduce range(2000) as $i (0; [.])|.",
                "1",
                "! a result is nested more than 1000 deep",
            ),
        ] {
            assert_eq!(results(expression, input), expected, "{expression}");
        }
    }

    #[test]
    fn digits_are_kept_but_in_arithmetic_of_doubles() {
        for (expression, input, expected) in [
            (".", "12345678901234567890123", "12345678901234567890123"),
            (".+1", "12345678901234567890123", "12345678901234567890124"),
            (".", "9223372036854775808", "9223372036854775808"),
            (".", "0.10000000000000000001", "0.10000000000000000001"),
            (".", "1e400", "1e400"),
            (".", "1.50", "1.50"),
            (".+1", "0.10000000000000000001", "1.1"),
            (
                ".[0]",
                "[123456789.123456789123456789]",
                "123456789.123456789123456789",
            ),
        ] {
            assert_eq!(results(expression, input), expected, "{expression} {input}");
        }
    }

    #[test]
    fn a_mistake_has_its_place() {
        for (expression, expected) in [
            (
                ".[0",
                "expected closing bracket at the end of the expression",
            ),
            (".a |", "expected term at the end of the expression"),
            ("", "expected term at the end of the expression"),
            (
                ".\"é\" | nope",
                "there is no filter `nope` at column 8, at `nope`",
            ),
            ("$x", "there is no variable `$x` at column 1, at `$x`"),
            (
                "include \"a\"; .",
                "there are no modules at column 10, at `a\"; .`",
            ),
            (
                "env",
                "there is no filter `env`: an expression sees nothing but its input at column 1, at `env`",
            ),
            (
                "halt",
                "there is no filter `halt`: an expression sees nothing but its input at column 1, at `halt`",
            ),
            (
                "debug",
                "there is no filter `debug`: an expression sees nothing but its input at column 1, at `debug`",
            ),
        ] {
            assert_eq!(
                Jq::read(expression).err().as_deref(),
                Some(expected),
                "{expression}"
            );
        }
        assert!(Jq::read("$ENV").is_err() && Jq::read("input").is_err());
    }

    #[test]
    fn what_would_take_too_much_is_refused() {
        let many = format!("[{}1]", "1,".repeat(3_000_000));
        assert!(results(".[0]", &many).starts_with("! this needs a tree"));
        let long = "9".repeat(100_000);
        assert!(results(".", &long).starts_with("! a number has 100000 digits"));
        assert_eq!(
            results("length", &format!("[{}1]", "1,".repeat(1000))),
            "1001"
        );
    }
}
