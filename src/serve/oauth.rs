//! Access tokens of an issuer (OAuth 2.1, RFC 9728): JSON Web Tokens whose signature is checked with the issuer's keys. The
//! keys are fetched when they are needed, and kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::signature::{Error as SignatureError, Verifier};
use jsonwebtoken::{
    Algorithm, DecodingKey, DecodingKeyKind, EncodingKey, Validation, decode, decode_header,
};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use serde_json::{Map, Value};
use url::Url;

use super::gate::Caller;
use super::reload::Tell;
use crate::callers::{Issuer, is_safe};
use crate::send::{Roots, fetch};
use crate::words::visible;

/// How long a document of the issuer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Most bytes of a document of the issuer.
const MOST_BYTES: usize = 1 << 20;
/// Most keys of an issuer.
const MOST_KEYS: usize = 100;
/// Least time between two times that the keys are fetched.
const PAUSE: Duration = Duration::from_mins(1);
/// After this time the keys are fetched again, in case that one was withdrawn.
const FRESH: Duration = Duration::from_hours(1);
/// Keys that are older than this are used no more.
const OLDEST: Duration = Duration::from_hours(24);
/// How much the clocks of the issuer and of this machine may differ, in seconds.
const LEEWAY: u64 = 30;
/// Most characters of a caller's name.
const LONGEST_NAME: usize = 128;

/// Why an access token is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is not one of the issuer for this server, or not any more.
    Invalid,
    /// It does not allow what it must.
    Scope,
    /// The issuer's keys are not known.
    Unready,
}

/// A caller whom an access token names.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Named {
    pub caller: Caller,
    pub until: Timestamp,
}

/// Checks the tokens of one issuer.
pub(super) struct Tokens {
    pub issuer: Issuer,
    roots: Roots,
    tell: Arc<Tell>,
    keys: Mutex<Option<Arc<Keys>>>,
    /// When the keys were fetched last, or were to be.
    tried: Arc<tokio::sync::Mutex<Option<Instant>>>,
}

/// The keys of an issuer.
struct Keys {
    by_id: HashMap<(String, Algorithm), DecodingKey>,
    fetched: Instant,
}

impl Tokens {
    pub(super) fn new(issuer: Issuer, roots: Roots, tell: Arc<Tell>) -> Arc<Tokens> {
        static INSTALLED: Once = Once::new();
        // A program that has a provider of its own goes on with it.
        INSTALLED.call_once(|| {
            let _ = PROVIDER.install_default();
        });
        Arc::new(Tokens {
            issuer,
            roots,
            tell,
            keys: Mutex::new(None),
            tried: Arc::default(),
        })
    }

    fn keys(&self) -> Option<Arc<Keys>> {
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.clone()
    }

    /// Fetches the keys, unless that was tried within the last minute. It goes on when nobody waits for it any more, so that
    /// nobody can keep the keys from being fetched by hanging up.
    async fn refresh(self: &Arc<Tokens>) {
        let (own, asked) = (Arc::clone(self), Instant::now());
        let fetching = tokio::spawn(async move {
            let mut tried = own.tried.lock().await;
            let is_done = own.keys().is_some_and(|keys| keys.fetched > asked);
            if is_done || tried.is_some_and(|tried| tried.elapsed() < PAUSE) {
                return;
            }
            *tried = Some(Instant::now());
            own.renew().await;
        });
        let _ = fetching.await;
    }

    /// Fetches the keys before the first token comes. A token that comes meanwhile waits for them: it must not fetch them
    /// itself, so they are reserved when this is called, not when the future runs.
    pub(super) fn prepare(self: Arc<Tokens>) -> impl Future<Output = ()> + Send {
        let reserved = Arc::clone(&self.tried).try_lock_owned();
        async move {
            if let Ok(_reserved) = reserved {
                self.renew().await;
            }
        }
    }

    async fn renew(&self) {
        match self.fetch_keys().await {
            Ok(by_id) => {
                let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
                let fetched = Instant::now();
                *keys = Some(Arc::new(Keys { by_id, fetched }));
            }
            Err(reason) => (self.tell)(&format!(
                "the keys of {} cannot be fetched: {reason}",
                self.issuer.issuer
            )),
        }
    }

    async fn fetch_keys(&self) -> Result<HashMap<(String, Algorithm), DecodingKey>, String> {
        let url = match &self.issuer.jwks {
            Some(url) => url.clone(),
            None => self.find_keys().await?,
        };
        let text = self.document(&url).await?;
        let keys = text["keys"].as_array().ok_or("its keys are no JWK set")?;
        if keys.len() > MOST_KEYS {
            return Err(format!("it has more than {MOST_KEYS} keys"));
        }
        let by_id: HashMap<_, _> = keys.iter().filter_map(usable).collect();
        match by_id.is_empty() {
            true => Err("it has no key with a `kid` for RS256, ES256 or EdDSA".to_owned()),
            false => Ok(by_id),
        }
    }

    /// Where the keys are, by the issuer's metadata (RFC 8414, and OpenID Connect Discovery).
    async fn find_keys(&self) -> Result<Url, String> {
        let base = &self.issuer.url;
        let path = base.path().trim_end_matches('/');
        let mut places = [base.clone(), base.clone()];
        places[0].set_path(&format!("/.well-known/oauth-authorization-server{path}"));
        places[1].set_path(&format!("{path}/.well-known/openid-configuration"));
        let mut reasons = Vec::new();
        for place in places {
            match self.document(&place).await {
                Err(reason) => reasons.push(format!("{}: {reason}", place.path())),
                Ok(found) if found["issuer"] != self.issuer.issuer.as_str() => {
                    reasons.push(format!("{}: it names another issuer", place.path()));
                }
                Ok(found) => {
                    let url = found["jwks_uri"]
                        .as_str()
                        .and_then(|url| Url::parse(url).ok());
                    // Only an issuer on this machine has its keys on this machine.
                    let is_near = |url: &Url| url.scheme() == "https" || base.scheme() == "http";
                    return url
                        .filter(|url| is_safe(url) && is_near(url))
                        .ok_or_else(|| "its `jwks_uri` is no https URL".to_owned());
                }
            }
        }
        Err(reasons.join("; "))
    }

    async fn document(&self, url: &Url) -> Result<Value, String> {
        let body = fetch(url, &self.roots, MOST_BYTES, PATIENCE).await?;
        serde_json::from_slice(&body).map_err(|_| "its answer is no JSON".to_owned())
    }

    /// The key of a token. Unknown ones are looked for once a minute at most.
    async fn key(self: &Arc<Tokens>, id: &(String, Algorithm)) -> Result<DecodingKey, Fault> {
        let known = |keys: &Arc<Keys>| {
            let is_old = keys.fetched.elapsed() > OLDEST;
            keys.by_id.get(id).filter(|_| !is_old).cloned()
        };
        let keys = self.keys();
        if let Some(key) = keys.as_ref().and_then(known) {
            if keys.is_some_and(|keys| keys.fetched.elapsed() > FRESH) {
                let own = Arc::clone(self);
                tokio::spawn(async move { own.refresh().await });
            }
            return Ok(key);
        }
        self.refresh().await;
        let keys = self.keys().filter(|keys| keys.fetched.elapsed() <= OLDEST);
        let keys = keys.ok_or(Fault::Unready)?;
        known(&keys).ok_or(Fault::Invalid)
    }

    /// Who sends a token.
    ///
    /// # Errors
    /// Why it is not taken.
    pub(super) async fn check(self: &Arc<Tokens>, token: &str) -> Result<Named, Fault> {
        let header = decode_header(token).map_err(|_| Fault::Invalid)?;
        let algorithm = header.alg;
        let is_taken = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA].contains(&algorithm);
        // Other kinds of tokens have the same signature: of a logout, of an identity, of a proof.
        let kind = header.typ.as_deref().map(str::to_ascii_lowercase);
        let is_access = matches!(
            kind.as_deref(),
            None | Some("jwt" | "at+jwt" | "application/at+jwt")
        );
        let id = header.kid.filter(|_| is_taken && is_access);
        let id = (id.ok_or(Fault::Invalid)?, algorithm);
        let key = self.key(&id).await?;
        let mut validation = Validation::new(algorithm);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.set_issuer(&[&self.issuer.issuer]);
        validation.set_audience(&[&self.issuer.audience]);
        let decoded = decode::<Map<String, Value>>(token, &key, &validation);
        let claims = decoded.map_err(|_| Fault::Invalid)?.claims;
        self.named(claims)
    }

    /// The caller of a token whose signature, issuer, audience and times are right.
    fn named(&self, claims: Map<String, Value>) -> Result<Named, Fault> {
        let text = |key: &str| claims.get(key).and_then(Value::as_str);
        let now = Timestamp::now();
        let issued = claims
            .get("iat")
            .map(|iat| iat.as_f64().ok_or(Fault::Invalid));
        let issued = issued.transpose()?.unwrap_or_default();
        let is_future = issued > (now.as_second() + LEEWAY as i64) as f64;
        // A token that is bound to a key is no bearer token: whoever sends it would have to prove that they have the key.
        let is_bound = claims.contains_key("cnf");
        if text("iss") != Some(&self.issuer.issuer) || is_future || is_bound {
            return Err(Fault::Invalid);
        }
        let name = match claims.get("sub") {
            Some(sub) => sub.as_str(),
            None => text("client_id"),
        };
        let is_legal = |name: &&str| {
            !name.is_empty()
                && name.chars().count() <= LONGEST_NAME
                && name.trim() == *name
                && !name.chars().any(char::is_control)
                && visible(name) == *name
        };
        let name = name.filter(is_legal).ok_or(Fault::Invalid)?.to_owned();
        let end = claims
            .get("exp")
            .and_then(Value::as_f64)
            .ok_or(Fault::Invalid)?;
        // A token is taken this much longer, since clocks differ.
        let until = Timestamp::from_second((end as i64).saturating_add(LEEWAY as i64))
            .unwrap_or(Timestamp::MAX);
        let granted = scopes(&claims);
        let has = |scope: &String| granted.contains(&scope.as_str());
        if !self.issuer.scopes.iter().all(has) {
            return Err(Fault::Scope);
        }
        Ok(Named {
            caller: Caller { name, claims },
            until,
        })
    }
}

/// What a token allows: `scope` (RFC 9068), or `scp` as some issuers call it.
fn scopes(claims: &Map<String, Value>) -> Vec<&str> {
    let found = claims.get("scope").or_else(|| claims.get("scp"));
    match found {
        Some(Value::String(text)) => text.split(' ').collect(),
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// A key that may check signatures, with its id.
fn usable(key: &Value) -> Option<((String, Algorithm), DecodingKey)> {
    let key: Jwk = serde_json::from_value(key.clone()).ok()?;
    let algorithm = match &key.algorithm {
        AlgorithmParameters::RSA(_) => Algorithm::RS256,
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            Algorithm::ES256
        }
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            Algorithm::EdDSA
        }
        _ => return None,
    };
    let is_its_own = match key.common.key_algorithm {
        None => true,
        Some(KeyAlgorithm::RS256) => algorithm == Algorithm::RS256,
        Some(KeyAlgorithm::ES256) => algorithm == Algorithm::ES256,
        Some(KeyAlgorithm::EdDSA) => algorithm == Algorithm::EdDSA,
        Some(_) => false,
    };
    let is_for_signatures = matches!(
        key.common.public_key_use,
        None | Some(PublicKeyUse::Signature)
    );
    if !is_its_own || !is_for_signatures {
        return None;
    }
    let id = key.common.key_id.clone()?;
    Some(((id, algorithm), DecodingKey::from_jwk(&key).ok()?))
}

/// Checks signatures with the cryptography that everything else here uses.
static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |_, _: &EncodingKey| Err(ErrorKind::UnsupportedAlgorithm.into()),
    verifier_factory: |algorithm, key| {
        let algorithm = *algorithm;
        match algorithm {
            Algorithm::RS256 | Algorithm::ES256 | Algorithm::EdDSA => Ok(Box::new(Signature {
                algorithm,
                key: key.clone(),
            })),
            _ => Err(ErrorKind::UnsupportedAlgorithm.into()),
        }
    },
    key_utils: KeyUtils::new_unimplemented(),
};

struct Signature {
    algorithm: Algorithm,
    key: DecodingKey,
}

impl Verifier<Vec<u8>> for Signature {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), SignatureError> {
        let checked = match (self.algorithm, self.key.kind()) {
            (Algorithm::RS256, DecodingKeyKind::RsaModulusExponent { n, e }) => {
                RsaPublicKeyComponents { n, e }.verify(
                    &RSA_PKCS1_2048_8192_SHA256,
                    message,
                    signature,
                )
            }
            (Algorithm::ES256, DecodingKeyKind::SecretOrDer(key)) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key).verify(message, signature)
            }
            (Algorithm::EdDSA, DecodingKeyKind::SecretOrDer(key)) => {
                UnparsedPublicKey::new(&ED25519, key).verify(message, signature)
            }
            _ => return Err(SignatureError::new()),
        };
        checked.map_err(|_| SignatureError::new())
    }
}

impl JwtVerifier for Signature {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}
