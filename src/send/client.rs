//! The HTTP client of a service, built when its first request is sent.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use url::Url;

use super::{Event, Observer, tell};
use crate::service::{Service, is_loopback, is_private};

/// Which certificate authorities are trusted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Roots {
    /// Mozilla's, which come with the program.
    #[default]
    Bundled,
    /// The operating system's.
    System,
    /// Those of a PEM file alone.
    File(PathBuf),
}

/// The client could not be built.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The file of certificate authorities cannot be used.
    #[error("the certificate file {path} cannot be used: {reason}")]
    Roots {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// TLS or HTTP could not be set up.
    #[error("the HTTP client cannot be built: {0}")]
    Setup(String),
}

/// A service's name resolves to an address that it must not have.
#[derive(Debug, thiserror::Error)]
#[error(
    "{host} resolves to {address}, a private or link-local address; set `allow_private_network: true` in the service if it really stands there"
)]
pub struct PrivateAddress {
    host: String,
    address: std::net::IpAddr,
}

/// The HTTP client of a service, with its rate limit.
pub struct Client {
    http: reqwest::Client,
    limiter: Option<DefaultDirectRateLimiter>,
    /// The last target, parsed: most calls go where the one before went.
    last: Mutex<Option<Url>>,
}

impl Client {
    /// Builds the client.
    ///
    /// # Errors
    /// When the certificate authorities cannot be loaded.
    pub fn new(service: &Service, base: &url::Url, roots: &Roots) -> Result<Client, ClientError> {
        let mut builder = reqwest::Client::builder()
            .connect_timeout(service.timeout.connect.0)
            .read_timeout(service.timeout.read.0)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .tcp_nodelay(true)
            .referer(false);
        if is_loopback(base) {
            builder = builder.no_proxy();
        } else if !service.allow_private_network {
            builder = builder.dns_resolver(Arc::new(PublicOnly {
                host: base.host_str().unwrap_or_default().to_owned(),
            }));
        }
        builder = match roots {
            Roots::System if base.scheme() == "https" => {
                install_provider();
                builder
            }
            _ => builder.tls_backend_preconfigured(tls(base.scheme() == "https", roots)?),
        };
        let http = builder
            .build()
            .map_err(|error| ClientError::Setup(error.to_string()))?;
        let limiter = service.rate_limit.and_then(|(requests, per)| {
            let quota = Quota::with_period(per / requests.get())?.allow_burst(requests);
            Some(RateLimiter::direct(quota))
        });
        Ok(Client {
            http,
            limiter,
            last: Mutex::default(),
        })
    }

    /// The URL of a target and a query.
    pub(super) fn url(&self, target: &str, query: &str) -> Result<Url, url::ParseError> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let mut url = match &*last {
            Some(url) if url.as_str() == target => url.clone(),
            _ => {
                let url = Url::parse(target)?;
                *last = Some(url.clone());
                url
            }
        };
        drop(last);
        if !query.is_empty() {
            url.set_query(Some(query));
        }
        Ok(url)
    }

    pub(super) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    pub(super) async fn wait_for_turn(&self, observer: Observer<'_>) {
        let Some(limiter) = &self.limiter else { return };
        while let Err(not_until) = limiter.check() {
            let wait = not_until.wait_time_from(DefaultClock::default().now());
            tell(observer, || Event::RateLimited { wait });
            tokio::time::sleep(wait).await;
        }
    }
}

fn install_provider() {
    // An embedding program may have installed its own provider already; then that one counts.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// TLS with roots from memory: loading the system's would cost more than the rest of a cold call. A plain http
/// service gets none at all.
fn tls(is_https: bool, roots: &Roots) -> Result<rustls::ClientConfig, ClientError> {
    let mut store = rustls::RootCertStore::empty();
    match roots {
        _ if !is_https => {}
        Roots::Bundled | Roots::System => {
            store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned())
        }
        Roots::File(path) => {
            let refuse = |reason: String| ClientError::Roots {
                path: path.display().to_string(),
                reason,
            };
            let certificates =
                CertificateDer::pem_file_iter(path).map_err(|error| refuse(error.to_string()))?;
            for certificate in certificates {
                let certificate = certificate.map_err(|error| refuse(error.to_string()))?;
                store
                    .add(certificate)
                    .map_err(|error| refuse(error.to_string()))?;
            }
            if store.is_empty() {
                return Err(refuse("it holds no certificate".to_owned()));
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ClientError::Setup(error.to_string()))?
        .with_root_certificates(store)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// Resolves names, and refuses the service's own when it leads into a private network. Other names are those of
/// the user's own proxies.
struct PublicOnly {
    host: String,
}

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let host = self.host.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if name.as_str() == host
                && let Some(private) = found.iter().find(|address| is_private(address.ip()))
            {
                let address = private.ip();
                return Err(Box::new(PrivateAddress { host, address }).into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
