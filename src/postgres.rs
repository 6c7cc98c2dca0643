//! Reaching a Postgres database: its URL, its password, and TLS. What is done there is said by whoever connects.

use std::error::Error as _;
use std::time::Duration;

use tokio_postgres::config::{Config, Host, SslMode};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, NoTls, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::send::{ClientError, Roots, tls_config};

/// How long to wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// Why a database is not reached. No password is in it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    /// The text is no URL of a database. It is not quoted, because a password may be in it.
    #[error("this is no URL of a Postgres database")]
    Url,
    /// The certificate authorities cannot be loaded.
    #[error(transparent)]
    Roots(#[from] ClientError),
    /// The database does not answer, or refuses.
    #[error("{}", told(.0))]
    Database(tokio_postgres::Error),
}

/// Connects to a database.
///
/// A password that the URL does not have is taken from `PGPASSWORD`. Sockets and addresses of this machine are used without
/// TLS, unless the URL says `sslmode=require`; other machines by TLS, whose certificates are always verified, unless it says
/// `sslmode=disable`. `sslrootcert=FILE` names authorities of its own, in place of `roots`.
///
/// # Errors
/// When the URL is none, or the database is not reached.
pub(crate) async fn connect(url: &str, roots: &Roots) -> Result<Client, ConnectError> {
    let (url, authorities) = without_authorities(url);
    let mut config: Config = url.parse().map_err(|_| ConnectError::Url)?;
    config.ssl_mode(mode(&config));
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT);
    }
    if config.get_password().is_none()
        && let Some(password) = std::env::var_os("PGPASSWORD").filter(|text| !text.is_empty())
    {
        config.password(password.to_string_lossy().as_bytes());
    }
    config.application_name("toolrun");
    match config.get_ssl_mode() {
        SslMode::Disable => reach(&config, NoTls).await,
        _ => {
            let tls = tls_config(authorities.as_ref().unwrap_or(roots))?;
            reach(&config, MakeRustlsConnect::new(tls)).await
        }
    }
}

/// Whether TLS is used. To ask for it and to go without it when the server has none protects from nobody, so the default of
/// the client (`prefer`) is not taken.
fn mode(config: &Config) -> SslMode {
    let hosts = config.get_hosts();
    let is_socket = |host: &Host| !matches!(host, Host::Tcp(_));
    let is_here = |host: &Host| match host {
        Host::Tcp(name) => matches!(name.as_str(), "localhost" | "127.0.0.1" | "::1"),
        #[cfg(unix)]
        Host::Unix(_) => true,
    };
    match config.get_ssl_mode() {
        // A socket has no name that a certificate could have.
        _ if hosts.iter().all(is_socket) => SslMode::Disable,
        SslMode::Prefer if hosts.iter().all(is_here) => SslMode::Disable,
        SslMode::Prefer => SslMode::Require,
        said => said,
    }
}

async fn reach<T>(config: &Config, tls: T) -> Result<Client, ConnectError>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
{
    let (client, connection) = config.connect(tls).await.map_err(ConnectError::Database)?;
    // It ends with the client, or when the connection is cut, which the next statement says.
    tokio::spawn(connection);
    Ok(client)
}

/// The URL without the file of certificate authorities, which the client does not know, and that file.
fn without_authorities(url: &str) -> (String, Option<Roots>) {
    let Some((place, query)) = url.split_once('?') else {
        return (url.to_owned(), None);
    };
    let mut authorities = None;
    let mut kept = Vec::new();
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some(("sslrootcert", file)) => {
                let file = percent_encoding::percent_decode_str(file);
                authorities = Some(Roots::File(file.decode_utf8_lossy().into_owned().into()));
            }
            // Certificates are always verified here, with the name.
            Some(("sslmode", "verify-full" | "verify-ca")) => kept.push("sslmode=require"),
            _ => kept.push(pair),
        }
    }
    (format!("{place}?{}", kept.join("&")), authorities)
}

/// What the server says, without values of statements.
pub(crate) fn told(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(error) => error.message().to_owned(),
        None => match error.source() {
            Some(source) => source.to_string(),
            None => error.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn other_machines_are_reached_by_tls_or_not_at_all() {
        let of = |url: &str| {
            let (url, authorities) = without_authorities(url);
            (mode(&url.parse().unwrap()), authorities)
        };
        let own = Some(Roots::File("/a b.pem".into()));
        for (url, expected) in [
            ("postgres://u@db.test/d", (SslMode::Require, None)),
            (
                "postgres://u@db.test/d?sslmode=prefer",
                (SslMode::Require, None),
            ),
            ("postgres://u@localhost,db.test/d", (SslMode::Require, None)),
            (
                "postgres://u@db.test/d?sslmode=disable",
                (SslMode::Disable, None),
            ),
            (
                "postgres://u@db.test/d?sslmode=verify-full",
                (SslMode::Require, None),
            ),
            (
                "postgres://u@db.test/d?sslrootcert=/a%20b.pem",
                (SslMode::Require, own),
            ),
            ("postgres://u@localhost/d", (SslMode::Disable, None)),
            ("postgres://u@[::1]/d", (SslMode::Disable, None)),
            (
                "postgres://u@127.0.0.1/d?sslmode=require",
                (SslMode::Require, None),
            ),
            ("postgres://u@%2Ftmp/d", (SslMode::Disable, None)),
            (
                "postgres://u@%2Ftmp/d?sslmode=require",
                (SslMode::Disable, None),
            ),
        ] {
            assert_eq!(of(url), expected, "{url}");
        }
    }

    #[tokio::test]
    async fn no_error_shows_a_password() {
        for url in [
            "postgres://u:canary@h:port/d",
            "postgres://u:canary@127.0.0.1:1/d",
            "postgres://u:canary@127.0.0.1:1/d?sslmode=require&sslrootcert=/nowhere.pem",
            "postgres://u:canary@127.0.0.1/d?canary=1",
            "postgres://%ff:canary@127.0.0.1/d",
        ] {
            let error = connect(url, &Roots::Bundled).await.unwrap_err();
            assert!(!error.to_string().contains("canary"), "{error}");
        }
    }
}
