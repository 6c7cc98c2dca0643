//! Fetching a small document of another server, such as its keys. No redirect is followed and nothing is sent but the request.

use std::time::Duration;

use url::Url;

use super::transport::{Request, Transport as _};
use super::{HttpTransport, LimitsSpec, Policy, RetrySpec, Roots, TimeoutSpec};

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
    let policy = Policy {
        rate_limit: None,
        retry: RetrySpec::default(),
        timeout: TimeoutSpec::default(),
        limits: LimitsSpec::default(),
        // Whoever named the URL knows where it leads.
        allow_private_network: true,
    };
    let transport =
        HttpTransport::new(&policy, url, roots, true).map_err(|error| error.to_string())?;
    let mut headers = http::HeaderMap::new();
    let json = http::HeaderValue::from_static("application/json");
    headers.insert(http::header::ACCEPT, json);
    let request = Request {
        method: http::Method::GET,
        url: url.clone(),
        headers,
        body: bytes::Bytes::new(),
    };
    let exchange = async {
        let response = transport.send(request).await;
        let response = response.map_err(|error| error.to_string())?;
        if response.status() != http::StatusCode::OK {
            return Err(format!(
                "it answers with status {}",
                response.status().as_u16()
            ));
        }
        let mut body = response.into_body();
        let mut all = Vec::new();
        while let Some(piece) = body.next().await {
            all.extend_from_slice(&piece.map_err(|error| error.to_string())?);
            if all.len() > most {
                return Err(format!("its answer is longer than {most} bytes"));
            }
        }
        Ok(all)
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
