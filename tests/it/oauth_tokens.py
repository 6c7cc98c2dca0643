"""Makes keys and tokens with PyJWT, and says of each token what a server must answer to it."""

import base64
import datetime
import hashlib
import hmac
import json
import sys

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

issuer, resource = sys.argv[1:]
signers = {
    "RS256": (rsa.generate_private_key(65537, 2048), jwt.algorithms.RSAAlgorithm),
    "ES256": (ec.generate_private_key(ec.SECP256R1()), jwt.algorithms.ECAlgorithm),
    "EdDSA": (ed25519.Ed25519PrivateKey.generate(), jwt.algorithms.OKPAlgorithm),
}
now = datetime.datetime.now(datetime.timezone.utc)
later = now + datetime.timedelta(minutes=10)
sound = {"iss": issuer, "aud": resource, "sub": "ada", "exp": later, "nbf": now, "iat": now, "scope": "tools"}
keys, tokens = [], []


def add(status, claims, key, algorithm, **headers):
    token = jwt.encode({**sound, **claims}, key, algorithm=algorithm, headers=headers)
    tokens.append({"status": status, "algorithm": algorithm, "claims": str(claims), "token": token})


for algorithm, (key, kind) in signers.items():
    keys.append({**kind.to_jwk(key.public_key(), as_dict=True), "kid": algorithm, "use": "sig"})
    add(200, {}, key, algorithm, kid=algorithm)
    add(401, {"exp": now - datetime.timedelta(hours=1)}, key, algorithm, kid=algorithm)
    add(401, {"aud": "https://other.example.com"}, key, algorithm, kid=algorithm)
    add(403, {"scope": "other"}, key, algorithm, kid=algorithm)

# PyJWT refuses to misuse a public key, so the oldest attack is made by hand.
pem = signers["RS256"][0].public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)


def part(value):
    return base64.urlsafe_b64encode(value).rstrip(b"=")


claims = {**sound, "exp": int(later.timestamp()), "nbf": int(now.timestamp()), "iat": int(now.timestamp())}
message = part(json.dumps({"alg": "HS256", "kid": "RS256"}).encode()) + b"." + part(json.dumps(claims).encode())
forged = message + b"." + part(hmac.new(pem, message, hashlib.sha256).digest())
tokens.append({"status": 401, "algorithm": "HS256", "claims": "forged", "token": forged.decode()})
add(401, {}, None, "none", kid="RS256")
print(json.dumps({"keys": keys, "tokens": tokens}))
