"""Credentials that open something, as people get them and show them."""

import base64
import json
import time
from collections.abc import Mapping
from pathlib import Path

from joserfc import jwt
from joserfc.jwk import OctKey
from websockets.typing import Subprotocol

from ..cli.command import tokenwire
from .canaries import PROVIDER_KEY, SCRAPER_TOKEN

PEPPER = "pepper-0f1e2d3c4b5a69788796a5b4c3d2e1f0-canary"
SHARED = "shared-aa55bb66cc77dd88ee99ff0011223344-canary"
ENVIRONMENT = {
    "TOKENWIRE_SECRET": PEPPER,
    "SHARED": SHARED,
    "PROVIDER_KEY": PROVIDER_KEY,
    "SCRAPER": SCRAPER_TOKEN,
}


def issued(secret: str = SHARED, **more: object) -> str:
    """A JWT, signed with a secret."""
    claims = {"iss": "https://login.example", "aud": "tokenwire", "sub": "ann", "exp": int(time.time()) + 600, **more}
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(secret))


def encoded(token: str) -> str:
    """As a subprotocol holds it."""
    return base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")


def subprotocols(token: str) -> list[Subprotocol]:
    return [Subprotocol("tokenwire"), Subprotocol(f"tokenwire.bearer.{encoded(token)}")]


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def words(tokens: Mapping[str, str]) -> dict[str, str]:
    """What of these tokens may be nowhere, in each of their spellings. A key's public id may be anywhere."""
    said = {}
    for what, token in tokens.items():
        said[what] = token.rpartition("_")[2] if token.startswith("tw_") else token
        said[f"{what} in base64"] = encoded(token)
        if token.count(".") == 2:
            said[f"the signature of {what}"] = token.rpartition(".")[2]
    return said


class KeyCommand:
    """``tokenwire keys``, and whatever else is said on a terminal."""

    def __init__(self, config: Path, store: str) -> None:
        self.config = config
        self._store = store
        self.said: list[str] = []
        """Everything but the keys that were asked for."""

    def create(self, *arguments: str) -> str:
        """A key: all that is on standard output, which has nothing else."""
        return self._key("create", *arguments)

    def rotate(self, key: str, *arguments: str) -> str:
        return self._key("rotate", key.rpartition("_")[0], *arguments)

    def revoke(self, key: str) -> None:
        self.run("keys", "revoke", key.rpartition("_")[0], "--config", str(self.config))

    def run(self, *arguments: str, code: int | None = 0) -> str:
        """What a command says; ``None`` is any exit code."""
        done = tokenwire(*arguments, env={**ENVIRONMENT, "TOKENWIRE_STORE": self._store})
        assert code in (None, done.returncode), done.stderr
        self.said += [done.stdout, done.stderr]
        return done.stdout

    def _key(self, *arguments: str) -> str:
        out = self.run("keys", *arguments, "--config", str(self.config), "--json")
        self.said.remove(out)
        told = json.loads(out)
        key = str(told.pop("key"))
        self.said.append(str(told))
        return key
