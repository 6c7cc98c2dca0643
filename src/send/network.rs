//! The transport of a service over HTTP, built when its first request is sent.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::runtime::{Handle, Id};
use url::Url;

use super::Policy;
use super::transport::{
    Body, Request, ResponseFuture, Transport, TransportError, TransportErrorKind,
};
use crate::address::{is_loopback, is_loopback_name, special_resolved};

/// Which certificate authorities are trusted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Roots {
    /// Mozilla's, which come with the program.
    #[default]
    Bundled,
    /// The operating system's.
    System,
    /// Only those of a PEM file.
    File(PathBuf),
}

/// The client could not be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The file of certificate authorities cannot be used.
    #[error("the certificate file {path} cannot be used: {reason}")]
    Roots {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// The proxy that a variable of the environment names cannot be used.
    #[error("the proxy of {variable} cannot be used: it is no http or https URL with a host")]
    Proxy {
        /// The variable. Its value may hold a password.
        variable: &'static str,
    },
    /// TLS or HTTP could not be set up.
    #[error("the HTTP client cannot be built: {0}")]
    Setup(String),
}

/// A service's name resolves to a forbidden address.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(super) enum WrongAddress {
    /// An address that is not public.
    #[error(
        "{host} resolves to {address}, {what}; set `allow_private_network: true` in the service if it really is there"
    )]
    Special {
        host: String,
        address: IpAddr,
        what: &'static str,
    },
    /// An address of another machine, although the name is one of this machine.
    #[error(
        "{host} resolves to {address}, which is not on this machine; a name below `localhost` must be"
    )]
    Elsewhere { host: String, address: IpAddr },
}

/// Sends the requests of one service over HTTP.
pub(crate) struct HttpTransport {
    clients: Clients,
    /// Whether requests go through the proxies of the environment.
    uses_proxies: bool,
}

/// The most runtimes whose clients are kept.
const RUNTIMES: usize = 256;

type Make = dyn Fn() -> Result<reqwest::Client, ClientError> + Send + Sync;

/// A client for each runtime that sends requests. A connection lives in the runtime that opened it: another one would have
/// to wake it for each request, and would lose it when it ends.
struct Clients {
    make: Box<Make>,
    made: RwLock<Vec<(Id, reqwest::Client)>>,
    /// For whoever has no runtime.
    first: reqwest::Client,
}

impl Clients {
    fn new(make: Box<Make>) -> Result<Clients, ClientError> {
        let first = make()?;
        let here = Handle::try_current().ok();
        let made = here.map(|here| (here.id(), first.clone()));
        Ok(Clients {
            make,
            made: RwLock::new(made.into_iter().collect()),
            first,
        })
    }

    /// The client of this runtime.
    fn here(&self) -> reqwest::Client {
        let Ok(here) = Handle::try_current() else {
            return self.first.clone();
        };
        let here = here.id();
        let known = of(
            &self.made.read().unwrap_or_else(PoisonError::into_inner),
            here,
        );
        known.unwrap_or_else(|| self.make_one(here))
    }

    #[cold]
    fn make_one(&self, here: Id) -> reqwest::Client {
        let mut made = self.made.write().unwrap_or_else(PoisonError::into_inner);
        // Another thread of the runtime may have been first.
        if let Some(client) = of(&made, here) {
            return client;
        }
        // What could be built once can be built again; if not, one for all does.
        let client = (self.make)().unwrap_or_else(|_| self.first.clone());
        if made.len() >= RUNTIMES {
            made.remove(0);
        }
        made.push((here, client.clone()));
        client
    }
}

fn of(made: &[(Id, reqwest::Client)], runtime: Id) -> Option<reqwest::Client> {
    let found = made.iter().find(|(id, _)| *id == runtime);
    found.map(|(_, client)| client.clone())
}

impl HttpTransport {
    /// The transport of the service at `base`. With `uses_proxies` it uses the proxies of the environment, but never
    /// for a service on this machine.
    ///
    /// # Errors
    /// When the certificate authorities cannot be loaded, or a proxy is of a kind that we do not know.
    pub(crate) fn new(
        policy: &Policy,
        base: &Url,
        roots: &Roots,
        uses_proxies: bool,
    ) -> Result<HttpTransport, ClientError> {
        let uses_proxies = uses_proxies && !is_loopback(base);
        if uses_proxies {
            refuse_proxy(base)?;
        }
        let place = Place::of(base, policy.allow_private_network);
        let host = base.host_str().unwrap_or_default();
        let guard = place.map(|place| {
            let host = host.to_owned();
            Arc::new(Guard { host, place })
        });
        // The machine's roots are read by the client itself.
        let tls = match roots {
            Roots::System if base.scheme() == "https" => None,
            _ => Some(tls(base.scheme() == "https", roots)?),
        };
        let connect = policy.timeout.connect.0;
        let make = move || {
            let mut builder = reqwest::Client::builder()
                .connect_timeout(connect)
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never())
                .tcp_nodelay(true)
                .referer(false);
            if !uses_proxies {
                builder = builder.no_proxy();
            }
            if let Some(guard) = &guard {
                builder = builder.dns_resolver(Arc::clone(guard));
            }
            match &tls {
                Some(tls) => builder = builder.tls_backend_preconfigured(tls.clone()),
                None => install_provider(),
            }
            let built = builder.build();
            built.map_err(|error| ClientError::Setup(error.to_string()))
        };
        Ok(HttpTransport {
            clients: Clients::new(Box::new(make))?,
            uses_proxies,
        })
    }

    /// The proxy of the environment for a URL, without its credentials.
    fn proxy(&self, url: &Url) -> Option<String> {
        if !self.uses_proxies {
            return None;
        }
        let proxy = Matcher::from_system().intercept(&url.as_str().parse().ok()?)?;
        let host = proxy.uri().host()?;
        Some(match proxy.uri().port_u16() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        })
    }
}

/// Refuses a proxy of the environment that cannot be used for a URL. It would be passed over without a word, and the
/// request would go out directly.
fn refuse_proxy(base: &Url) -> Result<(), ClientError> {
    let names = match base.scheme() {
        "https" => ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"],
        _ => ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"],
    };
    let value = |name: &str| {
        let value = std::env::var_os(name)?.to_string_lossy().into_owned();
        Some(value).filter(|value| !value.is_empty())
    };
    let named = names
        .into_iter()
        .find_map(|name| Some((name, value(name)?)));
    let Some((variable, proxy)) = named else {
        return Ok(());
    };
    let direct = value("NO_PROXY").or_else(|| value("no_proxy"));
    match is_usable(&proxy, direct.as_deref().unwrap_or_default(), base) {
        true => Ok(()),
        false => Err(ClientError::Proxy { variable }),
    }
}

/// Whether requests to a URL can go through a proxy, or need none.
fn is_usable(proxy: &str, direct: &str, base: &Url) -> bool {
    let Ok(uri) = base.as_str().parse() else {
        return false;
    };
    let scheme_of = |proxy: &str| {
        let matcher = Matcher::builder().all(proxy).no(direct).build();
        let found = matcher.intercept(&uri)?;
        found.uri().scheme_str().map(str::to_owned)
    };
    let needs_one = scheme_of("http://proxy.invalid").is_some();
    !needs_one || scheme_of(proxy).is_some_and(|scheme| scheme == "http" || scheme == "https")
}

impl Transport for HttpTransport {
    fn send(&self, request: Request) -> ResponseFuture<'_> {
        let mut built = reqwest::Request::new(request.method, request.url);
        *built.headers_mut() = request.headers;
        if !request.body.is_empty() {
            *built.body_mut() = Some(request.body.into());
        }
        // The URL is kept for an error.
        let place = self.uses_proxies.then(|| built.url().clone());
        let sending = self.clients.here().execute(built);
        Box::pin(async move {
            match sending.await {
                Ok(response) => {
                    Ok(http::Response::<reqwest::Body>::from(response).map(Body::of_client))
                }
                Err(error) => Err(TransportError {
                    proxy: place.and_then(|url| self.proxy(&url)),
                    ..error.into()
                }),
            }
        })
    }
}

impl From<reqwest::Error> for TransportError {
    /// Words an error by its innermost cause. The outer causes repeat the URL, which may hold a secret.
    #[cold]
    fn from(error: reqwest::Error) -> TransportError {
        let error = error.without_url();
        let kind = match (error.is_connect(), error.is_timeout()) {
            (true, true) => TransportErrorKind::ConnectTimeout,
            (true, false) => TransportErrorKind::Connect,
            (false, true) => TransportErrorKind::ReadTimeout,
            (false, false) => TransportErrorKind::Exchange,
        };
        let mut cause: &dyn std::error::Error = &error;
        while let Some(inner) = cause.source() {
            if let Some(refusal) = inner.downcast_ref::<WrongAddress>() {
                return TransportError::new(TransportErrorKind::Refused, refusal.to_string());
            }
            cause = inner;
        }
        TransportError::new(kind, cause.to_string())
    }
}

fn install_provider() {
    // If the embedding program has installed its own provider, that one is used.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// TLS for something else than HTTP.
///
/// # Errors
/// When the certificate authorities cannot be loaded.
#[cfg(feature = "postgres")]
pub(crate) fn tls_config(roots: &Roots) -> Result<rustls::ClientConfig, ClientError> {
    let mut config = tls(true, roots)?;
    config.alpn_protocols.clear();
    Ok(config)
}

/// TLS with roots from memory: loading the system's would cost more than the rest of a cold call. A plain http
/// service gets none.
fn tls(is_https: bool, roots: &Roots) -> Result<rustls::ClientConfig, ClientError> {
    let mut store = rustls::RootCertStore::empty();
    match roots {
        Roots::Bundled | Roots::System if !is_https => {}
        Roots::Bundled | Roots::System => {
            store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        // A wrong name is told in any case: whoever gave it counts on it.
        Roots::File(path) if !is_https => {
            let is_there = std::fs::metadata(path).map(|_| ());
            is_there.map_err(|error| refuse(path, error.to_string()))?;
        }
        Roots::File(path) => {
            let refuse = |reason| refuse(path, reason);
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

fn refuse(path: &Path, reason: String) -> ClientError {
    ClientError::Roots {
        path: path.display().to_string(),
        reason,
    }
}

/// What addresses the name of a service may resolve to.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    /// Addresses of this machine.
    Here,
    /// Public addresses.
    Public,
}

impl Place {
    /// `None` if the name may resolve to any address, or is an address itself.
    fn of(base: &Url, allow_private: bool) -> Option<Place> {
        match base.domain() {
            // Plain http is allowed for this machine, so the name must resolve to this machine.
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

/// Resolves names, and refuses a forbidden address for the service's name. Other names are those of the user's proxies.
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
                // Boxed only once: an error that is boxed again is not found among the causes.
                place.check(&host, &addresses)?;
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::sync::atomic::{AtomicUsize, Ordering};

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

    /// A service that answers every request with `{}`, and the number of connections that it has taken.
    fn service() -> (Url, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let taken = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&taken);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(move || {
                    let mut head = Vec::new();
                    let mut byte = [0];
                    while stream.read_exact(&mut byte).is_ok() {
                        head.push(byte[0]);
                        if head.ends_with(b"\r\n\r\n") {
                            head.clear();
                            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
                            stream.write_all(answer).unwrap();
                        }
                    }
                });
            }
        });
        (Url::parse(&url).unwrap(), taken)
    }

    #[test]
    fn connections_stay_in_the_runtime_that_opened_them() {
        let (url, taken) = service();
        let policy = Policy::of_named_url();
        let transport = HttpTransport::new(&policy, &url, &Roots::default(), false).unwrap();
        let ask_thrice = || async {
            for _ in 0..3 {
                let request = Request {
                    method: http::Method::GET,
                    url: url.clone(),
                    headers: http::HeaderMap::new(),
                    body: bytes::Bytes::new(),
                    unsigned: None,
                };
                let mut body = transport.send(request).await.unwrap().into_body();
                while body.next().await.is_some() {}
            }
        };
        let runtime = || {
            let mut builder = tokio::runtime::Builder::new_current_thread();
            builder.enable_all().build().unwrap()
        };
        let (first, second) = (runtime(), runtime());
        first.block_on(ask_thrice());
        assert_eq!(taken.load(Ordering::SeqCst), 1);
        second.block_on(ask_thrice());
        assert_eq!(taken.load(Ordering::SeqCst), 2);
        // The end of one runtime takes nothing from the other.
        drop(second);
        first.block_on(ask_thrice());
        assert_eq!(taken.load(Ordering::SeqCst), 2);
        assert_eq!(transport.clients.made.read().unwrap().len(), 2);
    }

    #[test]
    fn a_proxy_can_be_used_or_is_refused() {
        for (proxy, direct, expected) in [
            ("http://proxy.test:3128", "", true),
            ("https://user:pass@proxy.test", "", true),
            ("proxy.test:3128", "", true),
            ("ftp://proxy.test", "", false),
            ("socks5://proxy.test", "", false),
            ("http://", "", false),
            ("not a url", "", false),
            ("ftp://proxy.test", "api.test", true),
            ("ftp://proxy.test", "other.test", false),
            ("ftp://proxy.test", "*", true),
        ] {
            let base = Url::parse("https://api.test/v1").unwrap();
            assert_eq!(is_usable(proxy, direct, &base), expected, "{proxy}");
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
