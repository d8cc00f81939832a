"""API keys: ``tw_<public id>_<secret>``.

The public id names the record; of the secret nothing is kept but an HMAC. Its key is the salt of the record behind the
operator's ``TOKENWIRE_SECRET``, where there is one: then whoever can write to the store still cannot make a key.
"""

import hashlib
import hmac
import logging
import re
import secrets
import string
import time
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from ..accounts.records.contract import Records
from ..errors import TokenwireError
from ..secret import Secret
from .principal import Principal, Scopes

logger = logging.getLogger("tokenwire.gate")

PREFIX = "tw_"
CACHE_SECONDS = 0.5
"""How long a record is believed without being read again."""

_CHANGES = "key-changes"
"""The record that is another one whenever something has ended."""
_ALPHABET = string.ascii_letters + string.digits
_ID_LENGTH, _SECRET_LENGTH = 12, 43  # of 62 characters each: 71 and 256 bits
_KEY = re.compile(rf"{PREFIX}([A-Za-z0-9]{{{_ID_LENGTH}}})_([A-Za-z0-9]{{{_SECRET_LENGTH}}})")
_ID = re.compile(rf"(?:{PREFIX})?([A-Za-z0-9]{{{_ID_LENGTH}}})")
_CACHED = 10_000


class UnknownKeyError(TokenwireError):
    """There is no key with this public id."""


class Seal(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is kept of a secret."""

    salt: bytes
    digest: bytes
    until: float | None = None
    """Unix time after which it opens nothing, where a rotation has set one."""
    rotation: int = 0
    """How many secrets the key had before."""


class KeyRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is kept of a key. Times are Unix times."""

    id: str
    """The public part."""
    principal: str
    name: str = ""
    scopes: Scopes = Scopes()
    created: float
    changed: float
    expires: float | None = None
    revoked: float | None = None
    seals: tuple[Seal, ...] = ()
    """The newest secret's first."""

    @property
    def public(self) -> str:
        """What may be shown of the key anywhere."""
        return f"{PREFIX}{self.id}"

    def live(self, now: float) -> bool:
        """Whether it opens anything at all."""
        return self.revoked is None and (self.expires is None or now < self.expires)


class IssuedKey(NamedTuple):
    """A key at the one moment when its secret is known."""

    record: KeyRecord
    text: Secret


class Keys:
    """The keys in some records.

    A key that was revoked stays so, whatever else is written at the same moment: that it is stands in a record of its
    own.

    :param pepper: the operator's secret.
    """

    def __init__(self, records: Records, pepper: Secret | None = None, *, clock: Callable[[], float] = time.time):
        self._records = records
        self._pepper = pepper.reveal().encode() if pepper is not None else b""
        self._clock = clock
        self._cache: dict[str, tuple[float, KeyRecord]] = {}
        # looked at in the place of a key that is not there: nothing opens it, and it was over long ago
        seal = self._seal(_random(_SECRET_LENGTH))
        nobodys = KeyRecord(id="", principal="", created=0.0, changed=0.0, expires=0.0, seals=(seal,))
        self._nobody = msgspec.json.encode(nobodys)

    async def create(
        self,
        *,
        name: str = "",
        principal: str | None = None,
        scopes: Scopes | None = None,
        expires: float | None = None,
    ) -> IssuedKey:
        """A new key. Without a principal of its own it is one by itself, ``key:<public id>``."""
        key_id, secret, now = _random(_ID_LENGTH), _random(_SECRET_LENGTH), self._clock()
        record = KeyRecord(
            id=key_id,
            principal=principal or f"key:{key_id}",
            name=name,
            scopes=scopes or Scopes(),
            created=now,
            changed=now,
            expires=expires,
            seals=(self._seal(secret),),
        )
        await self._put(record)
        return _issued(record, secret)

    async def list(self) -> list[KeyRecord]:
        """Every key that was ever made, the oldest first."""
        revoked = await self._records.list("revoked:")
        kept = await self._records.list("key:")
        records = [_record(value, revoked.get(f"revoked:{name.partition(':')[2]}")) for name, value in kept.items()]
        return sorted(records, key=lambda record: record.created)

    async def revoke(self, key_id: str) -> KeyRecord:
        """Ends a key for good. Idempotent. Raises :class:`UnknownKeyError`."""
        record = await self._known(key_id)
        if record.revoked is None:
            record = msgspec.structs.replace(record, revoked=self._clock())
            await self._records.put(f"revoked:{record.id}", msgspec.json.encode(record.revoked))
            await self._changed(record)
        return record

    async def rotate(self, key_id: str, *, overlap: float = 0.0) -> IssuedKey:
        """Another secret for the same key; the old one still opens for ``overlap`` seconds.

        Raises :class:`UnknownKeyError`, also for a key that has come to its end.
        """
        record, now, secret = await self._known(key_id), self._clock(), _random(_SECRET_LENGTH)
        if not record.live(now):
            raise UnknownKeyError(f"the key {record.public} was revoked or has expired: create another")
        until = now + overlap
        old = tuple(
            msgspec.structs.replace(seal, until=until if seal.until is None else min(seal.until, until))
            for seal in record.seals
            if overlap > 0 and (seal.until is None or seal.until > now)
        )
        seal = self._seal(secret, record.seals[0].rotation + 1)
        record = msgspec.structs.replace(record, changed=now, seals=(seal, *old))
        await self._put(record)
        await self._changed(record)
        return _issued(record, secret)

    async def verify(self, text: str) -> Principal | None:
        """Who holds this key; ``None`` for everything that is no valid one.

        Raises :class:`.RecordsAway`.
        """
        match = _KEY.fullmatch(text) if len(text) <= len(PREFIX) + _ID_LENGTH + 1 + _SECRET_LENGTH else None
        if match is None:
            return None
        # whether there is such a key or not, and whatever is wrong: the same work, so that time says nothing of it
        record = await self._look_up(match[1])
        opened = [seal for seal in record.seals if self._opens(seal, match[2])]
        principal = self._holder(record, opened[0]) if opened else None
        if principal is None:
            # the likeliest reason on a new installation is a TOKENWIRE_SECRET that the command did not have
            why = "over" if opened else "not its secret, or made with another TOKENWIRE_SECRET"
            logger.info("%s%s: %s", PREFIX, match[1], why if record.id else "there is no such key")
        return principal

    async def confirm(self, principal: Principal) -> Principal | None:
        """The same as their key makes them by now; ``None`` where it is over, or the secret that they have shown.

        Whoever came with no key of ours stays who they are. Raises :class:`.RecordsAway`.
        """
        if principal.key is None or principal.rotation is None:
            return principal
        record = await self._read(principal.key)
        shown = [seal for seal in record.seals if seal.rotation == principal.rotation]
        return self._holder(record, shown[0]) if shown else None

    async def version(self) -> bytes:
        """Another one after every rotation and every revocation of any key, in whatever process."""
        return await self._records.get(_CHANGES) or b""

    def _holder(self, record: KeyRecord, seal: Seal) -> Principal | None:
        """Who a secret of a key proves somebody to be, while both are good."""
        now = self._clock()
        if not record.live(now) or (seal.until is not None and now >= seal.until):
            return None
        ends = [end for end in (record.expires, seal.until) if end is not None]
        return Principal(
            name=record.principal,
            key=record.id,
            rotation=seal.rotation,
            scopes=record.scopes,
            expires=min(ends) if ends else None,
        )

    async def _look_up(self, key_id: str) -> KeyRecord:
        now = time.monotonic()
        read, record = self._cache.get(key_id, (0.0, None))
        if record is None or now - read >= CACHE_SECONDS:
            record = await self._read(key_id)
            if len(self._cache) >= _CACHED:
                self._cache.clear()
            self._cache[key_id] = (now, record)
        return record

    async def _known(self, key_id: str) -> KeyRecord:
        match = _ID.fullmatch(key_id)
        record = await self._read(match[1]) if match is not None else None
        if record is None or not record.id:
            # without what was given: it may be a whole key
            raise UnknownKeyError(
                "there is no such key: tokenwire keys list shows their public ids, like tw_0aB1cD2eF3gH"
            )
        return record

    async def _read(self, key_id: str) -> KeyRecord:
        """A record as it is now; nobody's, where there is none."""
        value = await self._records.get(f"key:{key_id}")
        revoked = await self._records.get(f"revoked:{key_id}")
        return _record(self._nobody if value is None else value, revoked)

    async def _put(self, record: KeyRecord) -> None:
        await self._records.put(f"key:{record.id}", msgspec.json.encode(record))

    async def _changed(self, record: KeyRecord) -> None:
        self._cache.pop(record.id, None)
        await self._records.put(_CHANGES, secrets.token_bytes(12))

    def _seal(self, secret: str, rotation: int = 0) -> Seal:
        salt = secrets.token_bytes(16)
        return Seal(salt, self._digest(salt, secret), rotation=rotation)

    def _opens(self, seal: Seal, secret: str) -> bool:
        return hmac.compare_digest(seal.digest, self._digest(seal.salt, secret))

    def _digest(self, salt: bytes, secret: str) -> bytes:
        return hmac.digest(salt + self._pepper, secret.encode(), hashlib.sha256)


def _issued(record: KeyRecord, secret: str) -> IssuedKey:
    return IssuedKey(record, Secret(f"{record.public}_{secret}"))


def _record(value: bytes, revoked: bytes | None) -> KeyRecord:
    record = msgspec.json.decode(value, type=KeyRecord)
    when = msgspec.json.decode(revoked, type=float) if revoked is not None else None
    return msgspec.structs.replace(record, revoked=when)


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
