"""Somebody who issues JWTs, and somebody who forges them."""

import base64
import json
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, Key, RSAKey
from joserfc.jws import JWSRegistry

NOW = 1_800_000_000
ISSUER = "https://login.example"
AUDIENCE = "tokenwire"

RSA = RSAKey.generate_key(2048, {"kid": "rsa-1"})
OTHER_RSA = RSAKey.generate_key(2048, {"kid": "rsa-1"})
EC = ECKey.generate_key("P-256", {"kid": "ec-1"})


def claims(**other: Any) -> dict[str, Any]:
    """Good ones, but for what a test says; ``None`` leaves one out."""
    good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "exp": NOW + 600, "nbf": NOW - 10, "iat": NOW - 10}
    return {name: value for name, value in {**good, **other}.items() if value is not None}


def signed(key: Key = RSA, alg: str = "RS256", header: dict[str, Any] | None = None, **other: Any) -> str:
    head = {"alg": alg, "kid": key.kid, **(header or {})}
    registry = JWSRegistry(algorithms=[alg], strict_check_header=False)
    return jwt.encode(
        {name: value for name, value in head.items() if value is not None}, claims(**other), key, registry=registry
    )


def jwks(*keys: Key) -> bytes:
    return json.dumps({"keys": [key.as_dict(private=False) for key in keys]}).encode()


def raw(header: object, payload: object, signature: bytes = b"") -> str:
    """A token by hand, whatever a library would say of it."""
    parts = (json.dumps(header).encode(), json.dumps(payload).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
