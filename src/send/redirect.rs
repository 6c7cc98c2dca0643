//! Redirects: a service may lead a request on, but never away from its own place.

use percent_encoding::percent_decode_str;
use reqwest::header::{HeaderMap, LOCATION};
use url::Url;

use super::error::SendError;
use crate::plan::Method;

/// Where a redirect leads, when following it sends the same request again.
pub(super) fn location(status: u16, headers: &HeaderMap, method: Method) -> Option<String> {
    let follows = match status {
        301..=303 => matches!(method, Method::Get | Method::Head),
        307 | 308 => true,
        _ => false,
    };
    follows
        .then(|| headers.get(LOCATION))
        .flatten()
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// The URL that a redirect from `url` leads to. It is below the service's base URL, as every request of the service is,
/// and carries no credentials.
///
/// # Errors
/// When it leads elsewhere.
pub(super) fn target(location: &str, url: &Url, base: &Url) -> Result<Url, SendError> {
    let refuse = |what: String| {
        SendError::Policy(format!(
            "the service redirects to {what}; it is not followed"
        ))
    };
    let target = url
        .join(location)
        .map_err(|_| refuse("something that is no URL".to_owned()))?;
    if target.origin() != base.origin() {
        let origin = target.origin().ascii_serialization();
        return Err(refuse(format!("another origin, {origin}")));
    }
    if !target.username().is_empty() || target.password().is_some() {
        return Err(refuse("a URL with credentials".to_owned()));
    }
    let below = base.path().trim_end_matches('/');
    if !is_below(target.path(), below) {
        return Err(refuse(format!(
            "{}, which is not below the service's base path, {below}",
            target.path()
        )));
    }
    Ok(target)
}

/// Whether a path is the base path or stands below it, also for servers that decode a path before they take it apart.
fn is_below(path: &str, base: &str) -> bool {
    let rest = path.strip_prefix(base);
    let decoded = percent_decode_str(path).decode_utf8_lossy();
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        && !(base.len() > 1 && decoded.split(['/', '\\']).any(|segment| segment == ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_stay_below_the_base_url() {
        let base = Url::parse("https://a.test/api/v1").unwrap();
        let url = Url::parse("https://a.test/api/v1/things?x=1").unwrap();
        for good in [
            "/api/v1",
            "/api/v1/",
            "other",
            "/api/v1/a?b=c",
            "https://a.test/api/v1/x",
            "?y=2",
            "https://a.test:443/api/v1/x",
            "//a.test/api/v1/x",
            "./x",
            "../v1/x",
            "/api/v1/a%2Fb",
        ] {
            assert!(target(good, &url, &base).is_ok(), "{good}");
        }
        for (bad, expected) in [
            ("/", "base path, /api/v1"),
            ("/api", "base path"),
            ("/api/v10", "base path"),
            ("/api/v1/../admin", "base path"),
            ("/api/v1/%2e%2e/admin", "base path"),
            ("/api/v1/..%2fadmin", "base path"),
            ("/api/v1/..%5cadmin", "base path"),
            ("/api/v1/x%2f..%2f..%2fadmin", "base path"),
            ("..\\..\\admin", "base path"),
            ("../../admin", "base path"),
            ("/API/v1/x", "base path"),
            ("http://a.test/api/v1/x", "another origin, http://a.test"),
            ("https://a.test:8443/api/v1/x", "another origin"),
            ("https://b.test/api/v1/x", "another origin"),
            ("//b.test/api/v1/x", "another origin"),
            ("\\\\b.test/api/v1/x", "another origin"),
            ("https://a.test@b.test/api/v1/x", "another origin"),
            ("https://a.test./api/v1/x", "another origin"),
            ("javascript:alert(1)", "another origin"),
            ("file:///api/v1/x", "another origin"),
            ("https://u:p@a.test/api/v1/x", "credentials"),
            ("https://u@a.test/api/v1/x", "credentials"),
            ("https://[x", "no URL"),
        ] {
            let told = target(bad, &url, &base).unwrap_err().to_string();
            assert!(told.contains(expected), "{bad}: {told}");
            assert!(told.contains("not followed"), "{bad}: {told}");
        }
    }
}
