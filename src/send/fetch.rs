//! Small exchanges with other servers than services: the keys of an issuer, a collector of traces. No redirect is followed and
//! nothing is sent but the request.

use std::time::Duration;

use http::HeaderMap;
use url::Url;

use super::transport::{Request, Transport as _};
use super::{HttpTransport, Policy, Roots};

/// The body of a URL, of at most this many bytes.
///
/// # Errors
/// Why there is none, without the URL.
pub(crate) async fn fetch(
    url: &Url,
    roots: &Roots,
    most: usize,
    within: Duration,
) -> Result<Vec<u8>, String> {
    let mut headers = HeaderMap::new();
    let json = http::HeaderValue::from_static("application/json");
    headers.insert(http::header::ACCEPT, json);
    let request = Request {
        method: http::Method::GET,
        url: url.clone(),
        headers,
        body: bytes::Bytes::new(),
        unsigned: None,
    };
    let response = exchange(request, roots, most, within).await?;
    match response.status() {
        http::StatusCode::OK => Ok(response.into_body()),
        status => Err(format!("it answers with status {}", status.as_u16())),
    }
}

/// What a URL answers to data that is posted to it.
///
/// # Errors
/// Why there is no answer, without the URL.
#[cfg(feature = "otel")]
pub(crate) async fn post(
    url: Url,
    headers: HeaderMap,
    body: bytes::Bytes,
    roots: &Roots,
    most: usize,
    within: Duration,
) -> Result<http::Response<Vec<u8>>, String> {
    let request = Request {
        method: http::Method::POST,
        url,
        headers,
        body,
        unsigned: None,
    };
    exchange(request, roots, most, within).await
}

async fn exchange(
    request: Request,
    roots: &Roots,
    most: usize,
    within: Duration,
) -> Result<http::Response<Vec<u8>>, String> {
    let policy = Policy::of_named_url();
    let transport = HttpTransport::new(&policy, &request.url, roots, true);
    let transport = transport.map_err(|error| error.to_string())?;
    let exchange = async {
        let response = transport.send(request).await;
        let (parts, mut body) = response.map_err(|error| error.to_string())?.into_parts();
        let mut all = Vec::new();
        while let Some(piece) = body.next().await {
            all.extend_from_slice(&piece.map_err(|error| error.to_string())?);
            if all.len() > most {
                return Err(format!("its answer is longer than {most} bytes"));
            }
        }
        Ok(http::Response::from_parts(parts, all))
    };
    let late = || {
        format!(
            "it does not answer within {}",
            crate::words::seconds(within)
        )
    };
    tokio::time::timeout(within, exchange)
        .await
        .unwrap_or_else(|_| Err(late()))
}
