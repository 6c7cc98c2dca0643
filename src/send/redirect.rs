//! Redirects: a service may redirect a request, but only below its own base URL.

use http::header::{HeaderMap, LOCATION};
use url::Url;

use super::error::SendError;
use crate::address::{Elsewhere, must_be_own};
use crate::plan::Method;

/// The target of a redirect that sends the same request again; `None` for any other response.
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

/// The target of a redirect from `url`. It is below the service's base URL, like every request, and carries no
/// credentials.
///
/// # Errors
/// When the target is elsewhere.
pub(super) fn target(location: &str, url: &Url, base: &Url) -> Result<Url, SendError> {
    let refuse = |what: String| {
        SendError::Policy(format!(
            "the service redirects to {what}; it is not followed"
        ))
    };
    let target = url
        .join(location)
        .map_err(|_| refuse("something that is no URL".to_owned()))?;
    match must_be_own(&target, base) {
        Ok(()) => Ok(target),
        Err(Elsewhere::Origin) if target.has_host() => {
            let origin = target.origin().ascii_serialization();
            Err(refuse(format!("another origin, {origin}")))
        }
        Err(Elsewhere::Origin) => Err(refuse(format!(
            "another origin, a URL of `{}`",
            target.scheme()
        ))),
        Err(Elsewhere::Credentials) => Err(refuse("a URL with credentials".to_owned())),
        Err(Elsewhere::Path(below)) => Err(refuse(format!(
            "{}, which is not below the service's base path, {below}",
            target.path()
        ))),
    }
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
            "/api/v1/a..b/..c/...",
            "/api/v1/100%25",
            "/api/v1/x?path=../..",
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
            ("/api/v1/..;/admin", "base path"),
            ("/api/v1/x/..;a=b/..;/admin", "base path"),
            ("/api/v1/%252e%252e/admin", "base path"),
            ("/api/v1/%252e.%252Fadmin", "base path"),
            ("/api/v1/%ff%2f..%2fadmin", "base path"),
            ("../../admin", "base path"),
            ("/API/v1/x", "base path"),
            ("http://a.test/api/v1/x", "another origin, http://a.test"),
            ("https://a.test:8443/api/v1/x", "another origin"),
            ("https://b.test/api/v1/x", "another origin"),
            ("//b.test/api/v1/x", "another origin"),
            ("\\\\b.test/api/v1/x", "another origin"),
            ("https://a.test@b.test/api/v1/x", "another origin"),
            ("https://a.test./api/v1/x", "another origin"),
            ("javascript:alert(1)", "a URL of `javascript`"),
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
