"""JSON Web Tokens of one issuer."""

import logging
import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from joserfc import jws, jwt
from joserfc.errors import ClaimError, JoseError, SecurityWarning
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

from ..config.auth import Jwt
from ..errors import ConfigError
from .jwks import Jwks, fitting
from .principal import Principal, Scopes

logger = logging.getLogger("tokenwire.gate")

MAX_NAME = 256
"""Characters of the longest name that a token may give."""
_MAX_HEADER = 4096
_LISTS = ("models", "personas", "tools", "origins")


class Tokens:
    """Judges tokens by the rules of ``[auth.jwt]``.

    :param jwks: in place of one of the rules' own.
    :raises ConfigError: where the key of the rules is none.
    """

    def __init__(self, rules: Jwt, *, jwks: Jwks | None = None, clock: Callable[[], float] = time.time) -> None:
        self._rules = rules
        self._clock = clock
        self._jwks = Jwks(rules.jwks_url) if jwks is None and rules.jwks_url is not None else jwks
        self._key = _own_key(rules)
        # a header may say more than the standard knows, and nothing that it says is believed but kid and alg
        self._registry = jws.JWSRegistry(algorithms=rules.algorithms, strict_check_header=False)
        self._registry.max_header_length = _MAX_HEADER

    async def verify(self, token: str) -> Principal | None:
        """Who a token says is asking; ``None`` where it is not to be believed.

        Raises :class:`Refusal` where only the issuer could tell, and it is away.
        """
        try:
            header = jws.extract_compact(token.encode("ascii"), registry=self._registry).headers()
            self._registry.check_header(header)
            algorithm = header["alg"]
            if algorithm not in self._rules.algorithms or "crit" in header:
                return None
            key = await self._key_of(header.get("kid"), algorithm)
            if key is None:
                logger.info("a JWT was refused: no key of the issuer fits")
                return None
            claims = jwt.decode(token, key, registry=self._registry).claims
            self._check(claims)
            return self._principal(claims)
        except ClaimError as error:
            logger.info("a JWT was refused: %s: %s", error.error, error.claim)
        except (JoseError, ValueError, TypeError, KeyError, RecursionError) as error:
            # not its text, which may quote the token
            logger.info("a JWT was refused: %s", type(error).__name__)
        return None

    async def close(self) -> None:
        """Lets go of the issuer."""
        if self._jwks is not None:
            await self._jwks.close()

    async def _key_of(self, kid: str | None, algorithm: str) -> Key | None:
        if self._jwks is not None:
            return await self._jwks.key(kid, algorithm)
        return fitting([self._key], None, algorithm) if self._key is not None else None

    def _check(self, claims: Mapping[str, Any]) -> None:
        rules = self._rules
        jwt.JWTClaimsRegistry(
            now=int(self._clock()),
            leeway=rules.leeway,
            iss={"essential": True, "value": rules.issuer},
            aud={"essential": True, "values": list(rules.audience)},
            exp={"essential": True},
        ).validate(dict(claims))
        for name in (*rules.required, *rules.scopes.values()):
            if name not in claims:
                raise _Missing(name)
        for name in rules.required:
            if not claims[name]:
                raise _Missing(name)

    def _principal(self, claims: Mapping[str, Any]) -> Principal:
        rules = self._rules
        name = claims.get(rules.principal)
        if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME or not name.isprintable():
            raise _Missing(rules.principal)
        scopes = {scope: _scope(scope, claims[claim]) for scope, claim in rules.scopes.items()}
        return Principal(
            name=rules.prefix + name,
            scopes=msgspec.convert(scopes, Scopes),
            expires=float(claims["exp"]) + rules.leeway,
        )


class _Missing(ClaimError):
    error = "missing_claim"
    description = "Missing claim: '{}'"


def _scope(scope: str, value: object) -> object:
    """A claim as a scope: a list may be a text of words, as OAuth writes it."""
    return value.split() if scope in _LISTS and isinstance(value, str) else value


def _own_key(rules: Jwt) -> Key | None:
    """The key that the rules hold themselves, which every one of their algorithms can use."""
    if rules.secret is not None:
        return OctKey.import_key(rules.secret.reveal())
    if rules.public_key is None:
        return None
    kinds: tuple[type[RSAKey | ECKey | OKPKey], ...] = (RSAKey, ECKey, OKPKey)
    for kind in kinds:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", SecurityWarning)
                key = kind.import_key(rules.public_key)
        except SecurityWarning:
            raise ConfigError("auth.jwt.public_key_file: the key is too short") from None
        except (JoseError, ValueError, TypeError):
            continue
        if any(fitting([key], None, algorithm) for algorithm in rules.algorithms):
            return key
    raise ConfigError(f"auth.jwt.public_key_file: no public key in PEM for {', '.join(rules.algorithms)}")
