//! The token endpoint of a sandbox, for a service that uses an OAuth 2.0 access token.

use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::{Incoming, Refusal};
use crate::sign::{Grant, Secret, Secrets, Token};
use crate::tool::Tool;

/// The secrets, including a made-up access token. Requests must carry them.
pub(crate) fn with_access_token(secrets: Secrets, seed: u64) -> Secrets {
    secrets.renewed(Token {
        access: Secret::new(format!("sandbox-access-token-{seed}")),
        rotated: None,
        lifetime: None,
        values: Value::Null,
    })
}

/// The answer to a request for a token; `None` for any other request.
pub(crate) fn answer(
    tool: Option<&Tool>,
    secrets: &Secrets,
    incoming: &Incoming<'_>,
) -> Option<Result<Value, Refusal>> {
    let service = &tool?.service;
    let grant = service.auth.grant()?;
    let settings = service.default_settings().unwrap_or_default();
    let path = grant.token_url().path_at(&settings).ok()?;
    if incoming.method != "POST" || incoming.path != path {
        return None;
    }
    Some(match is_right(grant, secrets, &settings, incoming) {
        Some(true) => Ok(body(grant, secrets)),
        _ => Err(Refusal::new(
            401,
            "the client's credential is missing or wrong".to_owned(),
        )),
    })
}

/// Whether the request carries the grant's credential: the one that the sandbox itself would send.
fn is_right(
    grant: &Grant,
    secrets: &Secrets,
    settings: &Value,
    incoming: &Incoming<'_>,
) -> Option<bool> {
    const TELLING: [&str; 4] = ["grant_type", "client_id", "client_secret", "refresh_token"];
    let url = "http://sandbox.invalid".parse().ok()?;
    let expected = grant.request(&url, secrets, settings).ok()?;
    let authorization = expected
        .headers
        .iter()
        .find(|(name, ..)| name == "authorization");
    let given = incoming
        .headers
        .get("authorization")
        .and_then(Value::as_str);
    let given_fields: Vec<_> = form_urlencoded::parse(incoming.body).collect();
    let has_fields = form_urlencoded::parse(expected.body.as_deref().unwrap_or_default())
        .filter(|(name, _)| TELLING.contains(&&**name))
        .all(|field| given_fields.contains(&field));
    Some(has_fields && given == authorization.map(|(_, value, _)| &**value))
}

/// The token in the place where the grant looks for it.
fn body(grant: &Grant, secrets: &Secrets) -> Value {
    let token = secrets
        .expose(crate::sign::ACCESS_TOKEN)
        .unwrap_or_default();
    let mut body = json!({ "token_type": "Bearer", "expires_in": 3600 });
    let mut place = &mut body;
    for name in grant.access_token_path().split('.').skip(1) {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        place = &mut place[name];
    }
    *place = token.into();
    body
}
