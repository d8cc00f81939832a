"""The public keys of an issuer, where it publishes them."""

import asyncio
import contextlib
import logging
import time
import warnings
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import JWKRegistry, Key
from joserfc.jws import JWSRegistry

from ..errors import Code, Refusal

logger = logging.getLogger("tokenwire.gate")

FRESH_SECONDS = 600.0
"""How long keys are used before they are fetched again."""
STALE_SECONDS = 3600.0
"""How long they are used where they cannot be."""
COOL_DOWN_SECONDS = 30.0
"""At most one fetch in this time, whatever tokens come."""

_TIMEOUT_SECONDS = 5.0
_MAX_BYTES = 256 * 1024
_MAX_KEYS = 100
_PUBLIC = ("RSA", "EC", "OKP")

_UNREADABLE = (JoseError, ValueError, TypeError, KeyError, SecurityWarning, UnsupportedAlgorithm)

Fetch = Callable[[str], Awaitable[bytes]]


class Jwks:
    """The keys at a URL, fetched when they are first needed, when they have grown old, and for an unknown key id."""

    def __init__(self, url: str, *, fetch: Fetch | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._fetch = fetch or _fetch
        self._clock = clock
        self._keys: Sequence[Key] = ()
        self._fetched: float | None = None
        self._away = True
        """Whether the issuer did not say its keys when it was last asked."""
        self._attempted: float | None = None
        self._fetching: asyncio.Task[None] | None = None

    async def key(self, kid: str | None, algorithm: str) -> Key | None:
        """The key that a token names, where it is one for this algorithm.

        Raises :class:`Refusal` where only the issuer could tell, and it is away.
        """
        self._forget()
        key = fitting(self._keys, kid, algorithm)
        if key is None:
            await self._refresh()
            key = fitting(self._keys, kid, algorithm)
        elif self._age() >= FRESH_SECONDS:
            self._begin()
        if key is None and self._away:
            raise Refusal(
                Code.store_unavailable,
                "The server cannot check this token at the moment.",
                detail="no keys of the issuer",
                retry_after=round(COOL_DOWN_SECONDS),
            )
        return key

    async def close(self) -> None:
        """Fetches no more."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    def _age(self) -> float:
        return self._clock() - self._fetched if self._fetched is not None else 0.0

    def _forget(self) -> None:
        if self._age() >= STALE_SECONDS:
            self._keys, self._fetched = (), None

    async def _refresh(self) -> None:
        if (task := self._begin()) is not None:
            await asyncio.shield(task)

    def _begin(self) -> asyncio.Task[None] | None:
        """The fetch that is under way, which is begun unless the last one was just now."""
        now = self._clock()
        if self._fetching is None and (self._attempted is None or now - self._attempted >= COOL_DOWN_SECONDS):
            self._attempted = now
            self._fetching = asyncio.create_task(self._load())
        return self._fetching

    async def _load(self) -> None:
        try:
            keys = _read(await self._fetch(self._url))
        except (OSError, ValueError, RecursionError, aiohttp.ClientError) as error:
            self._away = True
            logger.warning("the keys at %s cannot be had: %s", self._url, type(error).__name__)
        else:
            self._keys, self._fetched, self._away = keys, self._clock(), False
        finally:
            self._fetching = None


def fitting(keys: Sequence[Key], kid: str | None, algorithm: str) -> Key | None:
    """The key of this id, or without one the only key, that is for this algorithm."""
    fit = [key for key in keys if JWSRegistry.filter_algorithms(key, [algorithm]) and kid in (None, key.kid)]
    return fit[0] if kid is not None and fit else fit[0] if len(fit) == 1 else None


class _KeySet(msgspec.Struct):
    keys: list[Any]


def _read(body: bytes) -> list[Key]:
    """The public keys of a set. One that is weak, secret or of an unknown kind is as good as not there."""
    keys = []
    for data in msgspec.json.decode(body, type=_KeySet).keys[:_MAX_KEYS]:
        with contextlib.suppress(*_UNREADABLE), warnings.catch_warnings():
            warnings.simplefilter("error", SecurityWarning)
            if data["kty"] in _PUBLIC:
                keys.append(JWKRegistry.import_key(data))
    if not keys:
        raise ValueError("no keys")
    return keys


async def _fetch(url: str) -> bytes:
    local = urlsplit(url).scheme == "http"  # this machine's own, which no proxy knows
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
    async with (
        aiohttp.ClientSession(timeout=timeout, trust_env=not local, cookie_jar=aiohttp.DummyCookieJar()) as session,
        session.get(url, allow_redirects=False) as response,
    ):
        if response.status != 200:
            raise ValueError(f"status {response.status}")
        body = await response.content.read(_MAX_BYTES + 1)
        while len(body) <= _MAX_BYTES and (more := await response.content.read(_MAX_BYTES + 1 - len(body))):
            body += more
    if len(body) > _MAX_BYTES:
        raise ValueError("too large")
    return body
