//! Where a curl command sends its request.

/// A URL as it is written, and the options that change how it is read.
pub(super) struct Written<'c> {
    pub url: &'c str,
    /// The scheme of a URL without one.
    pub scheme: Option<&'c str>,
    /// The path and query to send in place of the URL's.
    pub target: Option<&'c str>,
    /// Whether `{` and `[` stand for several URLs.
    pub has_globs: bool,
    /// Whether `.` and `..` in the path stay.
    pub keeps_dots: bool,
}

/// A URL in parts.
#[derive(Debug, PartialEq)]
pub(super) struct Target {
    scheme: String,
    /// The host, with its port.
    pub host: String,
    path: String,
    query: Option<String>,
    /// Whether a user, or a user and a password, stand before the host.
    pub has_user: bool,
}

impl Written<'_> {
    /// Reads the URL.
    ///
    /// # Errors
    /// When it is none, or a tool cannot say it.
    pub(super) fn read(&self) -> Result<Target, String> {
        let url = self.url.trim();
        let literal = without_variables(url);
        // Brackets around a host are those of an address.
        let behind = literal.replacen('[', "", usize::from(literal.contains("//[")));
        if self.has_globs && behind.contains(['{', '[']) {
            return Err(
                "its URL stands for several (`{` or `[` in it); write one URL, or add --globoff"
                    .to_owned(),
            );
        }
        let (scheme, rest) = match url.split_once("://") {
            Some((scheme, rest)) if !scheme.contains(['/', '?', '#', '{']) => {
                (scheme.to_ascii_lowercase(), rest)
            }
            // A variable may hold the scheme.
            _ if url.starts_with("{{") => (String::new(), url),
            _ => (self.scheme.unwrap_or("http").to_ascii_lowercase(), url),
        };
        if !["http", "https", ""].contains(&scheme.as_str()) {
            return Err(format!(
                "its URL has the scheme `{scheme}`; a tool sends requests by http and https"
            ));
        }
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        if host.is_empty() {
            return Err("its URL has no host".to_owned());
        }
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (rest, None),
        };
        let path = self.collapsed(path)?;
        let (path, query) = match self.target {
            None => (path, query),
            Some(target) if target.starts_with('/') => match target.split_once('?') {
                Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
                None => (target.to_owned(), None),
            },
            Some(_) => {
                return Err("the option `--request-target`: only a path can be sent".to_owned());
            }
        };
        let escape = |text: String| match self.has_globs {
            true => text,
            false => text.replace('{', "%7B").replace('}', "%7D"),
        };
        Ok(Target {
            scheme,
            host: host.to_owned(),
            path: escape(path),
            query,
            has_user: user.is_some(),
        })
    }

    /// The path without `.` and `..`, as curl sends it.
    fn collapsed(&self, path: &str) -> Result<String, String> {
        let is_dots = |segment: &str| segment == "." || segment == "..";
        if !path.split('/').any(is_dots) {
            return Ok(path.to_owned());
        }
        if self.keeps_dots {
            return Err("the option `--path-as-is`: a tool's path has no `.` and `..`".to_owned());
        }
        let mut kept: Vec<&str> = Vec::new();
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        for (i, segment) in segments.iter().enumerate() {
            match *segment {
                "." | ".." => {
                    if *segment == ".." {
                        kept.pop();
                    }
                    if i + 1 == segments.len() {
                        kept.push("");
                    }
                }
                segment => kept.push(segment),
            }
        }
        Ok(format!("/{}", kept.join("/")))
    }
}

/// A text without the `{{variables}}` in it.
fn without_variables(text: &str) -> String {
    let mut left = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("{{") {
        left.push_str(before);
        rest = behind.split_once("}}").map_or("", |(_, after)| after);
    }
    left + rest
}

impl Target {
    /// Adds to the query.
    pub(super) fn add_query(&mut self, text: &str) {
        match &mut self.query {
            Some(query) if !query.is_empty() => {
                query.push('&');
                query.push_str(text);
            }
            query => *query = Some(text.to_owned()),
        }
    }

    /// Adds the name of an uploaded file to a path that ends with `/`.
    pub(super) fn add_file_name(&mut self, path: &str) {
        if self.path.is_empty() || self.path.ends_with('/') {
            let name = path.rsplit(['/', '\\']).next().unwrap_or_default();
            let lead = if self.path.is_empty() { "/" } else { "" };
            let name = crate::plan::percent_encode(name);
            self.path.push_str(&format!("{lead}{name}"));
        }
    }

    /// The whole URL.
    pub(super) fn url(&self) -> String {
        let lead = match self.scheme.as_str() {
            "" => String::new(),
            scheme => format!("{scheme}://"),
        };
        let query = self.query.as_ref().map(|query| format!("?{query}"));
        format!(
            "{lead}{}{}{}",
            self.host,
            self.path,
            query.unwrap_or_default()
        )
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn urls_are_read_as_curl_does() {
        let written = |url| Written {
            url,
            scheme: None,
            target: None,
            has_globs: true,
            keeps_dots: false,
        };
        for (url, expected) in [
            ("a.test", "http://a.test"),
            ("HTTPS://a.test/x#y", "https://a.test/x"),
            ("https://me:word@a.test:8/x", "https://a.test:8/x"),
            ("https://a.test/a/../b/./c/..", "https://a.test/b/"),
            ("https://a.test?x=http://b", "https://a.test?x=http://b"),
            ("http://[::1]:8/x", "http://[::1]:8/x"),
            ("{{HOST}}/v1/{{id}}", "{{HOST}}/v1/{{id}}"),
        ] {
            assert_eq!(written(url).read().unwrap().url(), expected, "{url}");
        }
        for url in [
            "ftp://a.test",
            "https:///x",
            "https://a.test/{a,b}",
            "https://a.test/[1-3]",
            "",
        ] {
            assert!(written(url).read().is_err(), "{url}");
        }
        let plain = Written {
            has_globs: false,
            ..written("https://a.test/{a}?b[]={c}")
        };
        assert_eq!(
            plain.read().unwrap().url(),
            "https://a.test/%7Ba%7D?b[]={c}"
        );
    }
}
