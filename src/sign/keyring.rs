//! Secrets from the operating system's own store: the keychain on macOS, the credential manager on Windows, the
//! kernel's key retention service on Linux.

use std::sync::Arc;

use keyring_core::{CredentialStore, Entry, Error};

use super::{Secret, SecretError};

/// Reads a secret from the store.
///
/// # Errors
/// When there is no such entry, or the store cannot be used.
pub(crate) fn find(
    name: &str,
    service: &str,
    account: &str,
) -> Result<Option<Secret>, SecretError> {
    match store()
        .and_then(|store| store.build(service, account, None))
        .and_then(|entry: Entry| entry.get_password())
    {
        Ok(secret) => Ok(Some(Secret::new(secret))),
        Err(Error::NoEntry) => Ok(None),
        // The store's own message may contain what it found.
        Err(error) => Err(SecretError::Keyring {
            name: name.to_owned(),
            reason: match error {
                Error::NoStorageAccess(_) => "it is locked, or may not be used",
                Error::BadEncoding(_) | Error::BadDataFormat(..) => "its value is not text",
                Error::Ambiguous(_) => "there are several entries of this name",
                _ => "it failed",
            },
        }),
    }
}

#[cfg(target_os = "linux")]
fn store() -> Result<Arc<CredentialStore>, Error> {
    Ok(linux_keyutils_keyring_store::Store::new()?)
}

#[cfg(target_os = "macos")]
fn store() -> Result<Arc<CredentialStore>, Error> {
    Ok(apple_native_keyring_store::keychain::Store::new()?)
}

#[cfg(windows)]
fn store() -> Result<Arc<CredentialStore>, Error> {
    Ok(windows_native_keyring_store::Store::new()?)
}

#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
fn store() -> Result<Arc<CredentialStore>, Error> {
    Err(Error::NoDefaultStore)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use pretty_assertions::assert_eq;

    use super::*;

    #[test]
    fn an_entry_is_found() {
        let entry = store().and_then(|store| store.build("toolrun-test", "somebody", None));
        let Ok(entry) = entry else { return };
        // Containers often may not use the kernel's keys.
        if entry.set_password("secret-of-the-kernel").is_err() {
            return;
        }
        let found = find("x", "toolrun-test", "somebody").unwrap();
        assert_eq!(
            found.map(|secret| secret.expose().to_owned()).as_deref(),
            Some("secret-of-the-kernel")
        );
        entry.delete_credential().unwrap();
        assert!(find("x", "toolrun-test", "somebody").unwrap().is_none());
    }
}
