//! The data of forms in curl commands: `-d` and `-F`.

use serde_json::{Value, json};

/// The content type of data without another.
pub(super) const FORM: &str = "application/x-www-form-urlencoded";

/// Whether a content type is that of a form's fields.
pub(super) fn is_form(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case(FORM)
}

/// Whether a text is a JSON object or array.
pub(super) fn is_json(text: &str) -> bool {
    let is_open = text.trim_start().starts_with(['{', '[']);
    is_open && serde_json::from_str::<Value>(text).is_ok()
}

/// A text in the encoding of forms, as curl writes it.
pub(super) fn encode(text: &str) -> String {
    crate::plan::percent_encode(text)
}

/// The fields of a form; `None` for a text that is none.
pub(super) fn pairs(text: &str) -> Option<Vec<Value>> {
    if text.trim_start().starts_with(['{', '[', '<', '"']) || !text.contains('=') {
        return None;
    }
    let mut fields = Vec::new();
    for pair in text.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decoded = |text: &str| {
            let text = text.replace('+', " ");
            let bytes = percent_encoding::percent_decode_str(&text).decode_utf8();
            bytes.ok().map(std::borrow::Cow::into_owned)
        };
        let (name, value) = (decoded(name)?, decoded(value)?);
        if name.is_empty() || name.contains(|c: char| c.is_control()) {
            return None;
        }
        fields.push(json!({ "key": name, "value": value, "type": "text" }));
    }
    Some(fields)
}

/// The part of a form that an `-F` makes, and what is lost: `name=value`, `name=@file`, `name=<file`, each with
/// `;type=...` and more behind it.
///
/// # Errors
/// When it cannot be read, or a tool cannot say it.
pub(super) fn part(text: &str, has_options: bool) -> Result<(Value, Vec<String>), String> {
    let (name, written) = text
        .split_once('=')
        .ok_or_else(|| "a part of the form has no `=`".to_owned())?;
    if name.is_empty() {
        return Err("a part of the form has no name, which a tool cannot say".to_owned());
    }
    let plain = |value: &str| json!({ "key": name, "type": "text", "value": value });
    if !has_options {
        return Ok((plain(written), Vec::new()));
    }
    if written.starts_with('(') || written == ")" {
        return Err("parts inside of parts are not supported".to_owned());
    }
    let kind = written.chars().next().filter(|c| "@<".contains(*c));
    let is_file = kind == Some('@');
    let (value, mut behind) = value(written.trim_start_matches(['@', '<']), is_file)?;
    let mut notes = Vec::new();
    let mut media_type: Option<String> = None;
    while let Some(option) = behind.strip_prefix(';') {
        let (key, after) = option
            .split_once('=')
            .ok_or("an option of a part has no `=`")?;
        let (content, next) = self::value(after, is_file)?;
        match key.trim() {
            "type" => media_type = Some(content),
            "filename" => notes.push(format!(
                "the file name of the part `{name}` is left out; it is that of the file"
            )),
            "headers" => notes.push(format!("the headers of the part `{name}` are left out")),
            "encoder" => return Err("the encoding of a part is not supported".to_owned()),
            // What follows `type=` may hold parameters of the media type.
            key => {
                if let Some(media_type) = &mut media_type {
                    media_type.push_str(&format!(";{key}={content}"));
                }
            }
        }
        behind = next;
    }
    if behind.starts_with(',') && is_file {
        let reason = "several files in one part are not supported; write an -F for each";
        return Err(reason.to_owned());
    }
    let mut part = match kind {
        Some('@') => {
            media_type.get_or_insert_with(|| guessed(&value).to_owned());
            json!({ "key": name, "type": "file", "src": value })
        }
        Some(_) => {
            notes.push(format!(
                "the part `{name}` is the text of a file; give it when you call the tool"
            ));
            plain("")
        }
        None => plain(&value),
    };
    if let Some(media_type) = media_type {
        part["contentType"] = media_type.into();
    }
    Ok((part, notes))
}

/// A value and what follows it. It may stand in quotes; without, it ends at `;`, and the name of a file at `,` too.
fn value(text: &str, is_file: bool) -> Result<(String, &str), String> {
    if let Some(quoted) = text.strip_prefix('"') {
        let mut value = String::new();
        let mut rest = quoted.char_indices();
        while let Some((at, c)) = rest.next() {
            match c {
                '"' => return Ok((value, quoted[at + 1..].trim_start_matches(' '))),
                '\\' => match rest.next() {
                    Some((_, c @ ('"' | '\\'))) => value.push(c),
                    Some((_, c)) => {
                        value.push('\\');
                        value.push(c);
                    }
                    None => break,
                },
                c => value.push(c),
            }
        }
        return Err("a quote \" in a part of the form is not closed".to_owned());
    }
    let ends = |c: char| c == ';' || (is_file && c == ',');
    let end = text.find(ends).unwrap_or(text.len());
    Ok((text[..end].trim_end().to_owned(), &text[end..]))
}

/// The media type that curl takes a file for, by the ending of its name.
fn guessed(path: &str) -> &'static str {
    let lower = path.to_ascii_lowercase();
    let ending = lower.rsplit('.').next().unwrap_or_default();
    match ending {
        "gif" => "image/gif",
        "jpg" | "jpeg" => "image/jpeg",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        "txt" => "text/plain",
        "htm" | "html" => "text/html",
        "pdf" => "application/pdf",
        "xml" => "application/xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use serde_json::json;

    use super::*;

    #[test]
    fn parts_are_read_as_curl_does() {
        let file = |src: &str, kind: &str| json!({ "key": "a", "type": "file", "src": src, "contentType": kind });
        let text = |value: &str| json!({ "key": "a", "type": "text", "value": value });
        for (written, expected) in [
            ("a=b", Some(text("b"))),
            ("a=b;c", None),
            ("a=\"b;c\\\"\"", Some(text("b;c\""))),
            ("a=", Some(text(""))),
            ("a=@x.png", Some(file("x.png", "image/png"))),
            (
                "a=@\"x,y.bin\"",
                Some(file("x,y.bin", "application/octet-stream")),
            ),
            ("a=@x.txt,y.pdf", None),
            ("a=@y.pdf", Some(file("y.pdf", "application/pdf"))),
            (
                "a=@x;type=text/csv;charset=utf-8;filename=z",
                Some(file("x", "text/csv;charset=utf-8")),
            ),
            ("a=<x.txt", Some(text(""))),
            ("a=(;type=multipart/mixed", None),
            ("=b", None),
        ] {
            match (part(written, true), expected) {
                (Ok((part, _)), Some(expected)) => assert_eq!(part, expected, "{written}"),
                (told, expected) => {
                    assert!(told.is_err() && expected.is_none(), "{written}: {told:?}");
                }
            }
        }
        assert_eq!(part("a=@b;c", false).unwrap().0, text("@b;c"));
    }

    #[test]
    fn only_fields_are_a_form() {
        assert_eq!(pairs("a=1&b").unwrap().len(), 2);
        for text in [
            "hello",
            "{\"a\": \"b=c\"}",
            "<a b=\"c\"/>",
            "=x",
            "a=%ff",
            "a=1&&b=2",
        ] {
            assert!(pairs(text).is_none(), "{text}");
        }
    }
}
