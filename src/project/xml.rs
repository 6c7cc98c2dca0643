//! XML as JSON. The document is an object with the root element. An element with neither attributes nor elements in it is
//! its text; any other is an object: `@name` for each attribute, a member for each name of its elements, and `#text` for
//! its text. Elements of the same name are an array, also a single one where the descriptor says so. Names keep their
//! prefixes as they are written, and all values are texts.

use std::borrow::Cow;

use indexmap::IndexMap;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use crate::json::Json;

/// Deepest nesting of elements. Each may be an object in an array.
const MOST_DEPTH: usize = 60;
/// Most attributes of an element, and most different names among the elements in one.
const MOST_NAMES: usize = 1000;

/// An element that is not closed yet.
#[derive(Default)]
struct Element {
    name: String,
    /// The attributes as members of an object, with commas between them.
    attributes: Vec<u8>,
    text: String,
    children: IndexMap<String, Children>,
}

/// The elements of one name in an element: their values, with commas between them.
#[derive(Default)]
struct Children {
    values: Vec<u8>,
    count: usize,
}

/// Reads a document. `lists` has the names that lead to elements that are always arrays.
///
/// # Errors
/// Why it is no XML that can be read.
pub(super) fn read(body: &[u8], lists: &[Vec<String>]) -> Result<Json, String> {
    let text = decoded(body)?;
    if let Some(bad) = text.chars().find(|c| !is_legal(*c)) {
        return Err(format!("no XML: it has the character {bad:?}"));
    }
    let mut reader = Reader::from_str(&text);
    let mut document = Document {
        open: vec![Element::default()],
        lists,
    };
    loop {
        let event = reader.read_event().map_err(|error| {
            let at = usize::try_from(reader.error_position()).unwrap_or(text.len());
            no_xml(&text, at, &error.to_string())
        })?;
        let at = usize::try_from(reader.buffer_position()).unwrap_or(text.len());
        let problem = |problem: String| no_xml(&text, at, &problem);
        match event {
            Event::Start(start) => document.open(&start).map_err(problem)?,
            Event::Empty(start) => {
                document.open(&start).map_err(problem)?;
                document.close();
            }
            Event::End(_) => document.close(),
            Event::Text(part) => document.text(&part.xml10_content()).map_err(problem)?,
            Event::CData(part) => document.text(&part.xml10_content()).map_err(problem)?,
            Event::GeneralRef(reference) => {
                let character = character(&reference).map_err(problem)?;
                let mut buffer = [0; 4];
                document
                    .text(character.encode_utf8(&mut buffer))
                    .map_err(problem)?;
            }
            Event::DocType(_) => {
                return Err(problem(
                    "it has a document type, which is refused".to_owned(),
                ));
            }
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
            Event::Eof => return document.end().map_err(problem),
        }
    }
}

fn no_xml(text: &str, at: usize, problem: &str) -> String {
    let before = text.get(..text.floor_char_boundary(at)).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    format!("no XML: {problem}, in line {line}")
}

/// The text of a document, by its byte order mark or its declaration.
fn decoded(body: &[u8]) -> Result<Cow<'_, str>, String> {
    let sixteen = |bytes: &[u8], read: fn([u8; 2]) -> u16| {
        let units = bytes.chunks(2).map(|pair| match pair {
            [a, b] => read([*a, *b]),
            _ => 0xD800,
        });
        let text: Result<String, _> = char::decode_utf16(units).collect();
        text.map(Cow::Owned)
            .map_err(|_| "no XML: it is no UTF-16".to_owned())
    };
    let body = match body {
        [0xFE, 0xFF, rest @ ..] => return sixteen(rest, u16::from_be_bytes),
        [0xFF, 0xFE, rest @ ..] => return sixteen(rest, u16::from_le_bytes),
        [0xEF, 0xBB, 0xBF, rest @ ..] => rest,
        plain => plain,
    };
    match declared(body).as_deref() {
        None | Some("utf-8" | "utf8" | "us-ascii" | "ascii") => std::str::from_utf8(body)
            .map(Cow::Borrowed)
            .map_err(|_| "no XML: it is no UTF-8".to_owned()),
        Some("iso-8859-1" | "latin1") => Ok(body.iter().map(|byte| char::from(*byte)).collect()),
        Some(other) => Err(format!(
            "no XML that can be read: its encoding is `{other}`; UTF-8, UTF-16 with a byte order mark, US-ASCII and \
             ISO-8859-1 are known"
        )),
    }
}

/// The encoding that the XML declaration names, in lower case.
fn declared(body: &[u8]) -> Option<String> {
    let start = body.strip_prefix(b"<?xml")?;
    let end = start.windows(2).position(|pair| pair == b"?>")?;
    let declaration = std::str::from_utf8(&start[..end]).ok()?;
    let (_, rest) = declaration.split_once("encoding")?;
    let rest = rest.trim_start().strip_prefix('=')?.trim_start();
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let (name, _) = rest[1..].split_once(quote)?;
    Some(name.to_ascii_lowercase())
}

/// Whether XML 1.0 allows the character.
fn is_legal(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// The character behind a reference: a number, or one of the five names of XML itself.
fn character(reference: &BytesRef<'_>) -> Result<char, String> {
    let by_number = reference.resolve_char_ref();
    if let Some(character) = by_number.map_err(|error| error.to_string())? {
        return match is_legal(character) {
            true => Ok(character),
            false => Err(format!("it refers to the character {character:?}")),
        };
    }
    match &*reference.xml10_content() {
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "amp" => Ok('&'),
        "apos" => Ok('\''),
        "quot" => Ok('"'),
        other => Err(format!("the entity `&{other};` is not known")),
    }
}

struct Document<'l> {
    /// The open elements. The first stands for the document itself.
    open: Vec<Element>,
    lists: &'l [Vec<String>],
}

impl Document<'_> {
    fn open(&mut self, start: &BytesStart<'_>) -> Result<(), String> {
        if self.open.len() > MOST_DEPTH {
            return Err(format!("its elements are nested deeper than {MOST_DEPTH}"));
        }
        if self.open.len() == 1 && !self.open[0].children.is_empty() {
            return Err("it has a second root element".to_owned());
        }
        let name = start.name().into_inner();
        let parent = self.open.last().map(|parent| &parent.children);
        if parent.is_some_and(|others| others.len() >= MOST_NAMES && !others.contains_key(name)) {
            return Err(format!(
                "an element has elements of more than {MOST_NAMES} names"
            ));
        }
        let mut element = Element {
            name: name.to_owned(),
            ..Element::default()
        };
        for (i, attribute) in start.attributes().enumerate() {
            if i >= MOST_NAMES {
                return Err(format!("an element has more than {MOST_NAMES} attributes"));
            }
            let attribute = attribute.map_err(|error| error.to_string())?;
            let value = attribute
                .normalized_value(XmlVersion::Explicit1_0)
                .map_err(|error| error.to_string())?;
            if let Some(bad) = value.chars().find(|c| !is_legal(*c)) {
                return Err(format!("it refers to the character {bad:?}"));
            }
            let name = format!("@{}", attribute.key.into_inner());
            push_member(
                &mut element.attributes,
                &name,
                Json::of_text(&value).bytes(),
            );
        }
        self.open.push(element);
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), String> {
        match self.open.len() {
            1 if text.trim_ascii().is_empty() => {}
            1 => return Err("there is text outside of the root element".to_owned()),
            _ => {
                if let Some(element) = self.open.last_mut() {
                    element.text.push_str(text);
                }
            }
        }
        Ok(())
    }

    /// Closes the innermost element. The reader has checked that its end fits its start.
    fn close(&mut self) {
        let Some((name, value)) = self.take_last() else {
            return;
        };
        if let Some(parent) = self.open.last_mut() {
            let children = parent.children.entry(name).or_default();
            if children.count > 0 {
                children.values.push(b',');
            }
            children.values.extend_from_slice(&value);
            children.count += 1;
        }
    }

    fn end(mut self) -> Result<Json, String> {
        match self.open.len() {
            1 if self.open[0].children.is_empty() => Err("it has no element".to_owned()),
            1 => {
                let document = self.take_last().map(|(_, value)| Json::made(value));
                Ok(document.unwrap_or_else(Json::null))
            }
            _ => {
                let name = self.open.last().map(|element| element.name.as_str());
                Err(format!(
                    "the element `{}` is not closed",
                    name.unwrap_or_default()
                ))
            }
        }
    }

    /// The names of the elements in the innermost one that are always arrays.
    fn lists_of_last(&self) -> Vec<&str> {
        let names: Vec<&str> = self.open[1..]
            .iter()
            .map(|open| open.name.as_str())
            .collect();
        let lists = self.lists.iter().filter_map(|list| {
            let (last, parents) = list.split_last()?;
            (parents == names).then_some(last.as_str())
        });
        lists.collect()
    }

    /// Takes the innermost element: its name, and its JSON text. What is written is given up at once, so that a large
    /// document is in memory no more often than needed.
    fn take_last(&mut self) -> Option<(String, Vec<u8>)> {
        let lists: Vec<String> = self
            .lists_of_last()
            .into_iter()
            .map(str::to_owned)
            .collect();
        let element = self.open.pop()?;
        let text = element.text.as_str();
        if element.attributes.is_empty() && element.children.is_empty() && lists.is_empty() {
            return Some((element.name, Json::of_text(text).bytes().to_vec()));
        }
        let missing = lists
            .iter()
            .filter(|name| !element.children.contains_key(*name));
        let missing: Vec<String> = missing.cloned().collect();
        let mut object = vec![b'{'];
        object.extend_from_slice(&element.attributes);
        for (name, children) in element.children {
            match children.count {
                1 if !lists.contains(&name) => push_member(&mut object, &name, &children.values),
                _ => {
                    push_member(&mut object, &name, b"[");
                    object.extend_from_slice(&children.values);
                    object.push(b']');
                }
            }
        }
        for name in missing {
            push_member(&mut object, &name, b"[]");
        }
        if !text.trim_ascii().is_empty() {
            push_member(&mut object, "#text", Json::of_text(text).bytes());
        }
        object.push(b'}');
        Some((element.name, object))
    }
}

/// Adds a member to an object that is being written.
fn push_member(object: &mut Vec<u8>, name: &str, value: &[u8]) {
    if object.len() > 1 {
        object.push(b',');
    }
    object.extend_from_slice(Json::of_text(name).bytes());
    object.push(b':');
    object.extend_from_slice(value);
}

/// The document of a value, for a stand-in of a service: what [`read`] makes of the document is the value, with its
/// scalars as texts.
#[cfg(feature = "sandbox")]
pub(super) fn write(value: &serde_json::Value) -> String {
    let mut document = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    for (name, value) in value.as_object().into_iter().flatten() {
        write_element(name, value, &mut document);
    }
    document
}

#[cfg(feature = "sandbox")]
fn write_element(name: &str, value: &serde_json::Value, document: &mut String) {
    use quick_xml::escape::escape;
    use serde_json::Value;
    let text_of = |value: &Value| crate::words::scalar_text(value).unwrap_or_default();
    let members = match value {
        Value::Array(items) => {
            return items
                .iter()
                .for_each(|item| write_element(name, item, document));
        }
        Value::Object(members) => members,
        scalar => {
            let text = text_of(scalar);
            return document.push_str(&format!("<{name}>{}</{name}>", escape(&text)));
        }
    };
    document.push_str(&format!("<{name}"));
    for (key, value) in members {
        if let Some(attribute) = key.strip_prefix('@') {
            document.push_str(&format!(" {attribute}=\"{}\"", escape(text_of(value))));
        }
    }
    document.push('>');
    for (key, value) in members.iter().filter(|(key, _)| !key.starts_with('@')) {
        match key.as_str() {
            "#text" => document.push_str(&escape(text_of(value))),
            key => write_element(key, value, document),
        }
    }
    document.push_str(&format!("</{name}>"));
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use serde_json::{Value, json};

    use super::*;

    fn value(text: &str) -> Result<Value, String> {
        let lists = [
            vec!["feed".to_owned(), "entry".to_owned()],
            vec!["feed".to_owned(), "entry".to_owned(), "tag".to_owned()],
        ];
        read(text.as_bytes(), &lists).map(|json| json.value().unwrap())
    }

    #[test]
    fn documents_are_mapped_as_documented() {
        for (text, expected) in [
            ("<a/>", json!({ "a": "" })),
            ("<a></a>", json!({ "a": "" })),
            ("<a>1.10</a>", json!({ "a": "1.10" })),
            ("<a> x\r\ny </a>", json!({ "a": " x\ny " })),
            (
                "\u{feff}<?xml version='1.0'?>\n<!-- c --><a>x</a>\n<?p i?>",
                json!({ "a": "x" }),
            ),
            (
                "<a b='1' c=\"x &amp; y\"/>",
                json!({ "a": { "@b": "1", "@c": "x & y" } }),
            ),
            (
                "<a b='1'>t</a>",
                json!({ "a": { "@b": "1", "#text": "t" } }),
            ),
            (
                "<a>\n  <b>1</b>\n  <c>2</c>\n</a>",
                json!({ "a": { "b": "1", "c": "2" } }),
            ),
            (
                "<a><b>1</b><c/><b>2</b></a>",
                json!({ "a": { "b": ["1", "2"], "c": "" } }),
            ),
            (
                "<a>x<b>1</b>y</a>",
                json!({ "a": { "b": "1", "#text": "xy" } }),
            ),
            (
                "<a>&lt;&#65;&#x1F600;&gt;&apos;&quot;</a>",
                json!({ "a": "<A\u{1F600}>'\"" }),
            ),
            ("<a><![CDATA[<b>&amp;]]></a>", json!({ "a": "<b>&amp;" })),
            (
                "<s:a xmlns:s='urn:x'><s:b>1</s:b></s:a>",
                json!({ "s:a": { "@xmlns:s": "urn:x", "s:b": "1" } }),
            ),
            ("<feed/>", json!({ "feed": { "entry": [] } })),
            (
                "<feed><entry><tag>x</tag></entry></feed>",
                json!({ "feed": { "entry": [{ "tag": ["x"] }] } }),
            ),
            (
                "<feed><entry/><entry><tag/><tag/></entry></feed>",
                json!({ "feed": { "entry": [{ "tag": [] }, { "tag": ["", ""] }] } }),
            ),
            (
                "<tag><entry>x</entry></tag>",
                json!({ "tag": { "entry": "x" } }),
            ),
        ] {
            assert_eq!(value(text), Ok(expected.clone()), "{text}");
            let again = write(&expected);
            assert_eq!(value(&again), Ok(expected), "{again}");
        }
    }

    #[test]
    fn what_is_no_xml_or_dangerous_is_refused() {
        for (text, part) in [
            ("", "no element"),
            ("x", "outside of the root"),
            ("{}", "outside of the root"),
            ("<a>", "is not closed"),
            ("<a></b>", "no XML: "),
            ("</a>", "no XML: "),
            ("<a/><b/>", "second root"),
            ("<a/>x", "outside of the root"),
            ("<a b='1' b='2'/>", "no XML: "),
            ("<a b=1/>", "no XML: "),
            ("<a>&nbsp;</a>", "`&nbsp;` is not known"),
            ("<a b='&x;'/>", "no XML: "),
            ("<a>& b</a>", "no XML: "),
            ("<a>&#0;</a>", "no XML: "),
            ("<a>&#xB;</a>", "refers to the character"),
            ("<a>\u{b}</a>", "it has the character"),
            ("<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "document type"),
            ("<!DOCTYPE html><html/>", "document type"),
            (
                "<?xml version='1.0' encoding='windows-1252'?><a/>",
                "`windows-1252`",
            ),
            ("<a>\n<b>\n</a>", "in line 3"),
        ] {
            let error = value(text).unwrap_err();
            assert!(error.starts_with("no XML"), "{text}: {error}");
            assert!(error.contains(part), "{text}: {error}");
        }
        let names = |count: usize| (0..count).map(|i| format!("<n{i}/>")).collect::<String>();
        let attributes = |count: usize| (0..count).map(|i| format!(" n{i}=''")).collect::<String>();
        for (count, is_fine) in [(1000, true), (1001, false)] {
            assert_eq!(value(&format!("<a>{}</a>", names(count))).is_ok(), is_fine);
            assert_eq!(
                value(&format!("<a{}/>", attributes(count))).is_ok(),
                is_fine
            );
        }
        let deep = format!("{}{}", "<a>".repeat(61), "</a>".repeat(61));
        assert!(value(&deep).unwrap_err().contains("deeper than 60"));
        let deep = format!("{}{}", "<a>".repeat(60), "</a>".repeat(60));
        assert!(value(&deep).is_ok());
        assert!(Json::read(read(deep.as_bytes(), &[]).unwrap().bytes().clone()).is_ok());
    }

    #[test]
    fn encodings_are_those_of_the_declaration() {
        let latin = b"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>\xe9</a>";
        let utf16: Vec<u8> = "\u{feff}<?xml version='1.0' encoding='UTF-16'?><a>é</a>"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let big: Vec<u8> = "\u{feff}<a>é</a>"
            .encode_utf16()
            .flat_map(u16::to_be_bytes)
            .collect();
        for body in [&latin[..], &utf16, &big, "<a>é</a>".as_bytes()] {
            let read = read(body, &[]).unwrap();
            assert_eq!(read.text(), "{\"a\":\"é\"}");
        }
        for body in [
            &b"<a>\xe9</a>"[..],
            b"\xff\xfe<",
            b"<?xml version='1.0' encoding='utf-16'?><a/>",
        ] {
            assert!(read(body, &[]).unwrap_err().starts_with("no XML"));
        }
    }
}
