//! Which certificate authorities are trusted.

use crate::Roots;

/// The certificate authorities: those that a flag names, else those of $SSL_CERT_FILE, else those that are built in.
pub(crate) fn roots(cacert: Option<&str>) -> Roots {
    match cacert {
        Some("system") => Roots::System,
        Some(file) => Roots::File(file.into()),
        None => match std::env::var_os("SSL_CERT_FILE") {
            Some(file) if !file.is_empty() => Roots::File(file.into()),
            _ => Roots::Bundled,
        },
    }
}
