"""Logs in Redis or Valkey: every process that reaches the server shares them.

A log is a stream; leases are keys that expire by the server's clock, so that no clock of a worker's matters. Whatever
must happen at once is a script (:mod:`.redis_scripts`); a script names several keys, so that a cluster will not do.

A record is delivered when the server has taken it. What the server loses after that (``appendfsync everysec``, a
failover to a replica that lags) the log's writer appends again from its own memory, as long as it lives. Open logs do
not expire: one whose writer died waits for whichever process comes next, and is ended by that. ``maxmemory-policy``
should be ``noeviction``: a server that drops keys by itself loses answers.
"""

import secrets
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from ..errors import ConfigError
from .backend import Append, Fate, Listener, Orphan, Stored, StoreTrouble, Written
from .lease import Lease, worker_name
from .log import RunInfo
from .redis_scripts import APPEND, ATTEND, ATTENDED, BURY, CANCEL, CLAIM, ORPHANS, PEERS, Command

try:
    from .redis_channel import RedisChannel
    from .redis_follower import INBOX_LENGTH, INBOX_MS, RedisFollower
except ModuleNotFoundError as missing:
    raise ConfigError("the store redis://… needs the extra: pip install 'tokenwire[redis]'") from missing

_FATES = (Fate.kept, Fate.behind, Fate.fenced)
_BATCH_BYTES = 1024 * 1024
_encode_info = msgspec.json.Encoder().encode
_decode_info = msgspec.json.Decoder(RunInfo).decode


class RedisBackend:
    """See :class:`tokenwire.runs.backend.Backend`. Three connections, however many logs are written and followed.

    :param url: ``redis://``, ``rediss://`` or ``unix://``. No cluster.
    :param keep_seconds: how long a closed log is kept.
    :param prefix: of every key: two services may share a server.
    """

    def __init__(self, url: str, *, keep_seconds: float = 300, prefix: str = "tokenwire:") -> None:
        self.worker = worker_name()
        self._prefix = prefix
        self._keep_ms = round(keep_seconds * 1000)
        self._writes = RedisChannel(url)
        self._commands = RedisChannel(url)
        self._reads = RedisChannel(url)
        self._follower: RedisFollower | None = None
        self._era: bytes | None = None

    async def start(self, listener: Listener) -> None:
        await self._commands.call(("PING",))
        self._follower = RedisFollower(self._reads, self._commands, self._prefix, self.worker, listener)

    async def claim(self, info: RunInfo) -> Stored:
        key = info.key
        claim = CLAIM.command(self._prefix, key, _encode_info(info), self.worker, secrets.token_hex(8))
        _, run, entries = await self._commands.transact(claim, *self._reading(key, 0))
        return _stored(run, entries)

    async def load(self, key: str, after: int) -> Stored | None:
        run, entries = await self._commands.transact(*self._reading(key, after))
        return _stored(run, entries) if run[0] is not None else None

    async def write(self, appends: Sequence[Append]) -> Sequence[Written]:
        # a part that was done before another failed is recognised when it comes again
        answers: list[Written] = []
        part: list[str | bytes | int] = []
        size = 0
        for info, key, lease, after, payloads, close in appends:
            part += (key, b"" if after else _encode_info(info), *lease, after, len(payloads), int(close), *payloads)
            size += sum(map(len, payloads))
            if size > _BATCH_BYTES:
                answers += await self._append(part)
                part, size = [], 0
        if part:
            answers += await self._append(part)
        return answers

    def follow(self, key: str, after: int) -> None:
        if self._follower is not None:
            self._follower.follow(key, after)

    def unfollow(self, key: str) -> None:
        if self._follower is not None:
            self._follower.unfollow(key)

    async def cancel(self, key: str) -> None:
        await self._commands.call(CANCEL.command(self._prefix, key, INBOX_LENGTH, INBOX_MS))

    async def attend(self, keys: Collection[str], seconds: float) -> None:
        await self._commands.call(ATTEND.command(self._prefix, self.worker, round(seconds * 1000), *keys))

    async def attended(self, key: str) -> bool:
        return bool(await self._commands.call(ATTENDED.command(self._prefix, self.worker, key)))

    async def renew(self, seconds: float, *, serving: bool) -> bool:
        *_, era = await self._commands.transact(
            ("SET", f"{self._prefix}worker:{self.worker}", int(serving), "PX", round(seconds * 1000)),
            ("SADD", f"{self._prefix}workers", self.worker),
            ("SET", f"{self._prefix}era", secrets.token_hex(8), "NX"),
            ("GET", f"{self._prefix}era"),
        )
        before, self._era = self._era, era
        return before not in (None, era)

    async def peers(self) -> int:
        return int(await self._commands.call(PEERS.command(self._prefix, self.worker)))

    async def orphans(self) -> Sequence[Orphan]:
        found = await self._commands.call(ORPHANS.command(self._prefix, self.worker))
        return [Orphan(_decode_info(info), key.decode(), _lease(*lease)) for key, info, *lease in found]

    async def bury(self, orphan: Orphan, payload: bytes) -> bool:
        worker, epoch, _ = orphan.lease
        bury = BURY.command(self._prefix, self._keep_ms, orphan.key, worker, epoch, self.worker, payload)
        return bool(await self._commands.call(bury))

    async def close(self) -> None:
        if self._follower is not None:
            await self._follower.close()
            with suppress(StoreTrouble):  # the name stays among the workers for as long as it has open logs
                await self._commands.call(
                    ("DEL", f"{self._prefix}worker:{self.worker}", f"{self._prefix}inbox:{self.worker}")
                )
        for channel in (self._writes, self._commands, self._reads):
            await channel.close()

    async def _append(self, appends: Sequence[str | bytes | int]) -> list[Written]:
        answer = await self._writes.call(APPEND.command(self._prefix, self._keep_ms, *appends))
        return [Written(_FATES[fate], length) for fate, length in zip(answer[::2], answer[1::2], strict=True)]

    def _reading(self, key: str, after: int) -> tuple[Command, Command]:
        return (
            ("HMGET", f"{self._prefix}run:{key}", "info", "worker", "epoch", "era", "closed"),
            ("XRANGE", f"{self._prefix}log:{key}", f"0-{after + 1}", "+"),
        )


def _stored(run: list[Any], entries: list[Any]) -> Stored:
    info, *lease, closed = run
    records = [value for _, (field, value) in entries if field == b"e"]
    return Stored(_decode_info(info), _lease(*lease), records, closed is not None)


def _lease(worker: bytes, epoch: bytes, era: bytes) -> Lease:
    return Lease(worker.decode(), int(epoch), era.decode())
