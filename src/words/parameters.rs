/// Reads the parameters of a header (`; name=value; other="a; b"`), behind what they belong to: names in lower case,
/// values without their quotes and escapes.
///
/// Where the header is a list, `separator` ends an item; what follows it is given too. Else that is empty.
pub(crate) fn parameters(text: &str, separator: Option<char>) -> (Vec<(String, String)>, &str) {
    let mut parameters = Vec::new();
    let mut keep = |part: &str| {
        if let Some((name, value)) = part.split_once('=') {
            let name = name.trim().to_ascii_lowercase();
            parameters.push((name, value.trim().to_owned()));
        }
    };
    let (mut part, mut quoted, mut escaped) = (String::new(), false, false);
    let mut end = text.len();
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => {
                part.push(c);
                escaped = false;
            }
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ';' if !quoted => {
                keep(&part);
                part.clear();
            }
            _ if !quoted && Some(c) == separator => {
                end = at;
                break;
            }
            _ => part.push(c),
        }
    }
    keep(&part);
    (parameters, text.get(end + 1..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::parameters;

    #[test]
    fn parameters_end_where_their_item_does() {
        // The text, the separator of items, the parameters, what follows.
        for (text, separator, expected, rest) in [
            ("", None, &[][..], ""),
            ("; a=1;b = 2 ;c", None, &[("a", "1"), ("b", "2")], ""),
            (
                "; Rel=\"next; a, b\", <b>; c=d",
                Some(','),
                &[("rel", "next; a, b")],
                " <b>; c=d",
            ),
            ("name=a, b.txt", None, &[("name", "a, b.txt")], ""),
            (r#"name="a\"b\\" "#, Some(','), &[("name", r#"a"b\"#)], ""),
            (
                "name=\"never closed, é",
                Some(','),
                &[("name", "never closed, é")],
                "",
            ),
            ("a=é,b=é", Some(','), &[("a", "é")], "b=é"),
        ] {
            let (found, after) = parameters(text, separator);
            let found: Vec<_> = found
                .iter()
                .map(|(n, v)| (n.as_str(), v.as_str()))
                .collect();
            assert_eq!((found.as_slice(), after), (expected, rest), "{text}");
        }
    }
}
