//! `next_url`: the URL of the next page, which must be the service's own.

use serde_json::Value;
use url::Url;

use super::{Next, PagingError};
use crate::address::{Elsewhere, must_be_own};
use crate::project::{Extract, ProjectError, ResponseView};

/// The next page's URL in this response; `None` if it has none.
pub(super) fn step(
    extract: &Extract,
    response: &ResponseView<'_>,
    base: &Url,
    current: &str,
) -> Result<Option<Next>, PagingError> {
    let url = extract
        .extract(response)
        .map_err(|error| error.under("paging.next_url"))?;
    match url {
        Value::Null | Value::Bool(false) => Ok(None),
        Value::String(url) if url.is_empty() => Ok(None),
        Value::String(url) => match follow_url(&url, base, current) {
            Ok(url) => Ok(Some(Next::Url(url))),
            Err(reason) => Err(PagingError::Leaves(format!("the next page: {reason}"))),
        },
        other => Err(PagingError::Shape(ProjectError {
            part: "paging.next_url".to_owned(),
            message: format!(
                "the URL of the next page is {}",
                crate::words::kind_of(&other)
            ),
        })),
    }
}

/// A URL from a response is followed only if the service's own descriptor could lead there: on its origin and below its
/// base path. A relative URL starts at `current`.
///
/// # Errors
/// When the URL leads elsewhere. The words follow a phrase that says what the URL is for.
pub(crate) fn follow_url(text: &str, base: &Url, current: &str) -> Result<Url, String> {
    let url = Url::parse(current)
        .and_then(|current| current.join(text))
        .map_err(|error| format!("`{text}` is no URL: {error}"))?;
    match must_be_own(&url, base) {
        Ok(()) => Ok(url),
        Err(Elsewhere::Origin) => Err(format!(
            "`{text}` leaves the service's origin, {}",
            base.origin().ascii_serialization()
        )),
        Err(Elsewhere::Credentials) => Err("the URL carries credentials".to_owned()),
        Err(Elsewhere::Path(below)) => {
            Err(format!("`{text}` leaves the service's base path, {below}"))
        }
    }
}
