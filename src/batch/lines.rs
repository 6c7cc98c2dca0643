//! Argument lines: NDJSON and CSV, read line by line, so that a file of any length needs little memory.

use std::io::{self, BufRead, Read};

use serde_json::{Map, Value};

use crate::json::{Json, duplicate_key};

/// The longest line that is read, in bytes.
const LONGEST: u64 = 16 << 20;
/// The mark that some programs write in front of UTF-8.
const MARK: &str = "\u{feff}";

/// How argument lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notation {
    /// A JSON object on each line.
    Ndjson,
    /// Fields between this byte; the first line names the columns.
    Separated(u8),
}

impl Notation {
    /// The notation that a file name says.
    pub(crate) fn of_name(name: &str) -> Option<Notation> {
        let ending = name.rsplit_once('.')?.1.to_ascii_lowercase();
        match ending.as_str() {
            "ndjson" | "jsonl" | "json" => Some(Notation::Ndjson),
            "csv" => Some(Notation::Separated(b',')),
            "tsv" => Some(Notation::Separated(b'\t')),
            _ => None,
        }
    }

    /// The notation that the first bytes look like.
    pub(crate) fn of_start(start: &[u8]) -> Notation {
        let start = start.strip_prefix(MARK.as_bytes()).unwrap_or(start);
        match start.trim_ascii_start().first() {
            Some(b'{' | b'[') | None => Notation::Ndjson,
            Some(_) => Notation::Separated(b','),
        }
    }
}

/// One line.
#[derive(Debug, PartialEq)]
pub(crate) struct Line {
    /// Its number in the file, counted from 1; of a row of another tool its place.
    pub number: u64,
    /// The values by their names, or what is wrong with the line.
    pub columns: Result<Columns, String>,
    /// The line as it was read, for the list of those that were left out.
    pub text: String,
}

/// The values of a line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Columns {
    /// By name.
    pub values: Map<String, Value>,
    /// Whether they are texts that the params' schemas must read.
    pub are_texts: bool,
}

/// The lines of a source.
pub(crate) enum Lines {
    /// JSON objects.
    Ndjson(Ndjson),
    /// Fields.
    Separated(Box<Separated>),
}

/// Lines of JSON.
pub(crate) struct Ndjson {
    from: Box<dyn BufRead>,
    number: u64,
}

/// Lines of fields.
pub(crate) struct Separated {
    from: csv::Reader<Box<dyn BufRead>>,
    names: Vec<String>,
    record: csv::ByteRecord,
}

/// Why no line can be read at all, or no further one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinesError {
    /// The source cannot be read.
    #[error("line {number} cannot be read: {error}")]
    Read {
        /// The line.
        number: u64,
        /// Why.
        error: io::Error,
    },
    /// The first line of a CSV file does not name the columns.
    #[error("line 1 must name the columns: {0}")]
    Header(String),
}

impl Lines {
    /// Starts to read. `notation` is guessed from the first bytes unless it is given.
    ///
    /// # Errors
    /// When the header of a CSV file cannot be used.
    pub(crate) fn new(
        from: impl Read + 'static,
        notation: Option<Notation>,
    ) -> Result<Lines, LinesError> {
        let mut from = io::BufReader::with_capacity(1 << 16, from);
        let read = |error| LinesError::Read { number: 1, error };
        let start = from.fill_buf().map_err(read)?;
        let notation = notation.unwrap_or_else(|| Notation::of_start(start));
        if start.starts_with(MARK.as_bytes()) {
            from.consume(MARK.len());
        }
        match notation {
            Notation::Ndjson => Ok(Lines::Ndjson(Ndjson {
                from: Box::new(from),
                number: 0,
            })),
            Notation::Separated(by) => {
                Separated::new(Box::new(from), by).map(|fields| Lines::Separated(Box::new(fields)))
            }
        }
    }

    /// The names of the columns, if the source names them first.
    pub(crate) fn names(&self) -> &[String] {
        match self {
            Lines::Ndjson(_) => &[],
            Lines::Separated(fields) => &fields.names,
        }
    }
}

impl Iterator for Lines {
    type Item = Result<Line, LinesError>;

    fn next(&mut self) -> Option<Result<Line, LinesError>> {
        match self {
            Lines::Ndjson(lines) => lines.next(),
            Lines::Separated(fields) => fields.next(),
        }
    }
}

impl Ndjson {
    /// The next line that is not empty.
    fn next(&mut self) -> Option<Result<Line, LinesError>> {
        loop {
            self.number += 1;
            let mut bytes = Vec::new();
            let mut bounded = (&mut self.from).take(LONGEST + 1);
            match bounded.read_until(b'\n', &mut bytes) {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) => {
                    let number = self.number;
                    return Some(Err(LinesError::Read { number, error }));
                }
            }
            if bytes.len() as u64 > LONGEST {
                let error = io::Error::other(format!("it is longer than {LONGEST} bytes"));
                let number = self.number;
                return Some(Err(LinesError::Read { number, error }));
            }
            if !bytes.trim_ascii().is_empty() {
                return Some(Ok(line_of(self.number, bytes)));
            }
        }
    }
}

fn line_of(number: u64, bytes: Vec<u8>) -> Line {
    match String::from_utf8(bytes) {
        Ok(text) => {
            let text = text.trim().to_owned();
            Line {
                number,
                columns: object(&text).map(|values| Columns {
                    values,
                    are_texts: false,
                }),
                text,
            }
        }
        Err(error) => Line {
            number,
            columns: Err("it is not UTF-8".to_owned()),
            text: String::from_utf8_lossy(error.as_bytes()).into_owned(),
        },
    }
}

/// The members of a JSON object. A key that is there twice, or a number that would lose digits, is refused, because a part of
/// the line would be lost.
pub(crate) fn object(text: &str) -> Result<Map<String, Value>, String> {
    let json = Json::read(text.to_owned().into())?;
    match json.value().map_err(|error| error.to_string())? {
        Value::Object(members) => match duplicate_key(text) {
            None => Ok(members),
            Some(duplicate) => Err(format!("the key `{}` is written twice", duplicate.key)),
        },
        Value::Array(_) => {
            Err("this is an array; each line must be one JSON object of arguments".to_owned())
        }
        other => Err(format!(
            "this is {}; each line must be one JSON object of arguments",
            crate::words::kind_of(&other)
        )),
    }
}

impl Separated {
    fn new(from: Box<dyn BufRead>, by: u8) -> Result<Separated, LinesError> {
        let mut from = csv::ReaderBuilder::new()
            .delimiter(by)
            .flexible(true)
            .from_reader(from);
        let header = from
            .byte_headers()
            .map_err(|error| LinesError::Header(told(error)))?
            .clone();
        let mut names: Vec<String> = Vec::with_capacity(header.len());
        for field in &header {
            let name = str::from_utf8(field)
                .map_err(|_| LinesError::Header("a name is not UTF-8".to_owned()))?
                .trim();
            if name.is_empty() {
                let place = names.len() + 1;
                return Err(LinesError::Header(format!("column {place} has no name")));
            }
            if names.iter().any(|other| other == name) {
                return Err(LinesError::Header(format!("`{name}` is there twice")));
            }
            names.push(name.to_owned());
        }
        if names.is_empty() {
            return Err(LinesError::Header("it is empty".to_owned()));
        }
        Ok(Separated {
            from,
            names,
            record: csv::ByteRecord::new(),
        })
    }

    fn next(&mut self) -> Option<Result<Line, LinesError>> {
        let number = self.from.position().line();
        match self.from.read_byte_record(&mut self.record) {
            Ok(false) => None,
            Ok(true) => {
                let number = self.record.position().map_or(number, csv::Position::line);
                Some(Ok(Line {
                    number,
                    columns: self.columns(),
                    text: self.written(),
                }))
            }
            Err(error) => {
                let error = io::Error::other(told(error));
                Some(Err(LinesError::Read { number, error }))
            }
        }
    }

    /// An empty field stands for nothing at all: the param keeps its default.
    fn columns(&self) -> Result<Columns, String> {
        let (fields, names) = (self.record.len(), self.names.len());
        if fields != names {
            return Err(format!("it has {fields} fields, and line 1 names {names}"));
        }
        let mut values = Map::with_capacity(names);
        for (name, field) in self.names.iter().zip(&self.record) {
            if field.is_empty() {
                continue;
            }
            let text = str::from_utf8(field).map_err(|_| format!("`{name}` is not UTF-8"))?;
            values.insert(name.clone(), text.into());
        }
        Ok(Columns {
            values,
            are_texts: true,
        })
    }

    fn written(&self) -> String {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let bytes = writer
            .write_byte_record(&self.record)
            .ok()
            .and_then(|()| writer.into_inner().ok());
        let text = String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned();
        text.trim_end_matches(['\r', '\n']).to_owned()
    }
}

fn told(error: csv::Error) -> String {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error.to_string(),
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use serde_json::json;

    use super::*;

    /// Each line as its number and its values, or what is wrong with it.
    fn read(text: &'static [u8], notation: Option<Notation>) -> Vec<(u64, Value)> {
        let lines = match Lines::new(text, notation) {
            Ok(lines) => lines,
            Err(error) => return vec![(0, error.to_string().into())],
        };
        lines
            .map(|line| match line {
                Ok(line) => {
                    let values = line.columns.map(|columns| Value::Object(columns.values));
                    (line.number, values.unwrap_or_else(Value::from))
                }
                Err(error) => (0, error.to_string().into()),
            })
            .collect()
    }

    #[test]
    fn lines_are_read_with_their_numbers() {
        let one_object = "each line must be one JSON object of arguments";
        for (text, expected) in [
            (&b""[..], vec![]),
            (b"\n\n", vec![]),
            (
                b"{\"a\": 1}\n\n {\"a\": \"x\"} \r\n",
                vec![(1, json!({ "a": 1 })), (3, json!({ "a": "x" }))],
            ),
            (b"\xef\xbb\xbf{\"a\": 1}", vec![(1, json!({ "a": 1 }))]),
            (
                b"{\"a\": 1}\n[1]\n",
                vec![
                    (1, json!({ "a": 1 })),
                    (2, json!(format!("this is an array; {one_object}"))),
                ],
            ),
            (
                b"{\"a\": 1, \"a\": 2}\n{}\n",
                vec![(1, json!("the key `a` is written twice")), (2, json!({}))],
            ),
            (b"{\"a\": \"\xff\"}\n", vec![(1, json!("it is not UTF-8"))]),
            (
                b"a,b.c\n1,x\n,\"two\nlines\"\n3\n4,,\n5,\n",
                vec![
                    (2, json!({ "a": "1", "b.c": "x" })),
                    (3, json!({ "b.c": "two\nlines" })),
                    (5, json!("it has 1 fields, and line 1 names 2")),
                    (6, json!("it has 3 fields, and line 1 names 2")),
                    (7, json!({ "a": "5" })),
                ],
            ),
            (
                b"a,a\n1,2\n",
                vec![(0, json!("line 1 must name the columns: `a` is there twice"))],
            ),
            (
                b"a,\n1,2\n",
                vec![(
                    0,
                    json!("line 1 must name the columns: column 2 has no name"),
                )],
            ),
        ] {
            let shown = String::from_utf8_lossy(text);
            assert_eq!(read(text, None), expected, "{shown:?}");
        }
    }

    #[test]
    fn numbers_that_would_lose_digits_are_refused() {
        let read = read(b"{\"a\": 12345678901234567890123}\n", None);
        let told = read[0].1.as_str().unwrap();
        assert!(told.contains("12345678901234567890123"), "{told}");
    }

    #[test]
    fn the_name_says_the_notation() {
        for (name, expected) in [
            ("a.csv", Some(Notation::Separated(b','))),
            ("A.CSV", Some(Notation::Separated(b','))),
            ("a.tsv", Some(Notation::Separated(b'\t'))),
            ("a.ndjson", Some(Notation::Ndjson)),
            ("a.b.jsonl", Some(Notation::Ndjson)),
            ("lines", None),
            ("-", None),
        ] {
            assert_eq!(Notation::of_name(name), expected, "{name}");
        }
    }
}
