//! The HTTP client of a service, built when its first request is sent.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use url::Url;

use super::Policy;
use super::{Event, Observer, tell};
use crate::address::{is_loopback, is_loopback_name, special_resolved};

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
#[derive(Debug, PartialEq, thiserror::Error)]
pub(super) enum WrongAddress {
    /// One that is not of the public internet.
    #[error(
        "{host} resolves to {address}, {what}; set `allow_private_network: true` in the service if it really stands there"
    )]
    Special {
        host: String,
        address: IpAddr,
        what: &'static str,
    },
    /// One of another machine, for a name that stands for this one.
    #[error(
        "{host} resolves to {address}, which is not on this machine; a name below `localhost` must be"
    )]
    Elsewhere { host: String, address: IpAddr },
}

/// The HTTP client of a service, with its rate limit.
pub struct Client {
    http: reqwest::Client,
    base: Url,
    limiter: Option<DefaultDirectRateLimiter>,
    /// The last target, parsed: most calls go where the one before went.
    last: Mutex<Option<Url>>,
}

impl Client {
    /// Builds the client.
    ///
    /// # Errors
    /// When the certificate authorities cannot be loaded.
    pub fn new(policy: &Policy, base: &url::Url, roots: &Roots) -> Result<Client, ClientError> {
        let mut builder = reqwest::Client::builder()
            .connect_timeout(policy.timeout.connect.0)
            .read_timeout(policy.timeout.read.0)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .tcp_nodelay(true)
            .referer(false);
        if is_loopback(base) {
            builder = builder.no_proxy();
        }
        if let Some(place) = Place::of(base, policy.allow_private_network) {
            builder = builder.dns_resolver(Arc::new(Guard {
                host: base.host_str().unwrap_or_default().to_owned(),
                place,
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
        let limiter = policy.rate_limit.and_then(|(requests, per)| {
            let quota = Quota::with_period(per / requests.get())?.allow_burst(requests);
            Some(RateLimiter::direct(quota))
        });
        Ok(Client {
            http,
            base: base.clone(),
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

    /// The URL that all requests stand below.
    pub(super) fn base(&self) -> &Url {
        &self.base
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

/// Where the name of a service must lead.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    /// To this machine.
    Here,
    /// To the public internet.
    Public,
}

impl Place {
    /// `None` where the name may lead anywhere, or is an address.
    fn of(base: &Url, allow_private: bool) -> Option<Place> {
        match base.domain() {
            // Plain http may go there, so it must be there.
            Some(name) if is_loopback_name(name) => Some(Place::Here),
            Some(_) if !allow_private => Some(Place::Public),
            _ => None,
        }
    }

    fn check(self, host: &str, found: &[IpAddr]) -> Result<(), WrongAddress> {
        let wrong = found.iter().find_map(|address| match self {
            Place::Here if address.is_loopback() => None,
            Place::Here => Some(WrongAddress::Elsewhere {
                host: host.to_owned(),
                address: *address,
            }),
            Place::Public => special_resolved(*address).map(|what| WrongAddress::Special {
                host: host.to_owned(),
                address: *address,
                what,
            }),
        });
        wrong.map_or(Ok(()), Err)
    }
}

/// Resolves names, and refuses the service's own when it leads where it must not. Other names are those of the user's own
/// proxies.
struct Guard {
    host: String,
    place: Place,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let (host, place) = (self.host.clone(), self.place);
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if name.as_str() == host {
                let addresses: Vec<IpAddr> = found.iter().map(SocketAddr::ip).collect();
                // Boxed once: what is boxed again is not found among the causes.
                place.check(&host, &addresses)?;
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn a_name_leads_where_it_must() {
        let public = Some(Place::Public);
        for (base, allow_private, expected) in [
            ("https://api.test", false, public),
            ("https://api.test", true, None),
            ("https://localhost.test", false, public),
            ("http://localhost:1", false, Some(Place::Here)),
            ("http://x.localhost", true, Some(Place::Here)),
            ("https://x.localhost", false, Some(Place::Here)),
            ("https://8.8.8.8", false, None),
            ("http://[::1]", false, None),
        ] {
            let base = Url::parse(base).unwrap();
            assert_eq!(Place::of(&base, allow_private), expected, "{base}");
        }
    }

    #[test]
    fn one_wrong_address_is_enough() {
        let check = |place: Place, found: &str| {
            let found: Vec<IpAddr> = found.split(' ').map(|a| a.parse().unwrap()).collect();
            place
                .check("x.test", &found)
                .map_err(|error| error.to_string())
        };
        for good in ["8.8.8.8", "8.8.8.8 2606:4700::1111", "64:ff9b::808:808"] {
            assert_eq!(check(Place::Public, good), Ok(()), "{good}");
        }
        for (bad, expected) in [
            ("10.0.0.1", "x.test resolves to 10.0.0.1, a private address"),
            ("8.8.8.8 127.0.0.1", "127.0.0.1, a loopback address"),
            ("8.8.8.8 169.254.169.254", "a link-local address"),
            ("2606:4700::1111 64:ff9b::a00:1", "a private address"),
            ("2002:a00:1::1", "a 6to4 address"),
            ("::ffff:8.8.8.8", "an IPv4-mapped address"),
            ("fec0::1", "a site-local address"),
        ] {
            let told = check(Place::Public, bad).unwrap_err();
            assert!(told.contains(expected), "{bad}: {told}");
        }
        assert_eq!(check(Place::Here, "127.0.0.1 ::1 127.9.9.9"), Ok(()));
        for bad in [
            "8.8.8.8",
            "127.0.0.1 10.0.0.1",
            "::ffff:127.0.0.1",
            "0.0.0.0",
        ] {
            let told = check(Place::Here, bad).unwrap_err();
            assert!(told.contains("not on this machine"), "{bad}: {told}");
        }
    }
}
