//! The path of an operation as the document writes it.

/// The path of an operation, which may have a query.
pub(super) struct Target<'s> {
    /// The path without its query.
    pub path: &'s str,
    /// Names and values after `?`, decoded. A value may have `{name}` inside.
    pub query: Vec<(String, String)>,
    /// The names in `{?name,name}`.
    pub listed: Vec<String>,
}

impl<'s> Target<'s> {
    /// # Errors
    /// When a parameter would be the name of another one.
    pub(super) fn of(path: &'s str) -> Result<Target<'s>, String> {
        let mut listed = Vec::new();
        let path = path.split('#').next().unwrap_or_default();
        let (path, forms) = match path.find("{?") {
            Some(at) => path.split_at(at),
            None => (path, ""),
        };
        for form in forms.split('{').skip(1) {
            let names = form.split('}').next().unwrap_or_default();
            let names = names.trim_start_matches(['?', '&']);
            let names = names.split(',').map(|name| name.trim_end_matches('*'));
            listed.extend(names.filter(|name| !name.is_empty()).map(str::to_owned));
        }
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let query = url::form_urlencoded::parse(query.as_bytes())
            .filter(|(name, _)| !name.is_empty())
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect::<Vec<_>>();
        if let Some((name, _)) = query.iter().find(|(name, _)| name.contains('{')) {
            return Err(format!(
                "its path has `{name}` as the name of a query parameter, which is not supported"
            ));
        }
        Ok(Target {
            path,
            query,
            listed,
        })
    }

    /// Whether the path has `{name}`.
    pub(super) fn has(&self, wire: &str) -> bool {
        self.path.contains(&format!("{{{wire}}}"))
    }

    /// Whether the query after the path has `{name}`.
    pub(super) fn asks_for(&self, wire: &str) -> bool {
        let wanted = format!("{{{wire}}}");
        self.query.iter().any(|(_, value)| value.contains(&wanted))
    }
}

/// Fixed text of a path, as a path template may hold it.
pub(crate) fn path_text(text: &str) -> String {
    let mut legal = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let is_escape = c == '%'
            && text
                .as_bytes()
                .get(at + 1..at + 3)
                .is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit));
        match is_escape || c.is_ascii_alphanumeric() || "/-._~!$&'()*+,;=:@".contains(c) {
            true => legal.push(c),
            false => legal.push_str(&crate::plan::percent_encode(c.encode_utf8(&mut [0; 4]))),
        }
    }
    legal
}
