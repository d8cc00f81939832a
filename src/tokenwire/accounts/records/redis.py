"""Records in Redis or Valkey: every process that reaches the server shares them, and goes by the server's clock.

The keys, behind a prefix:

``record:<name>``  a string: the value, which expires when the record does
``records``        a sorted set: the names, by the time at which they expire
"""

from collections.abc import Mapping
from typing import Any

from ...runs.backend import StoreTrouble
from ...runs.redis_channel import RedisChannel
from ...runs.redis_scripts import Command, Script
from .contract import RecordsAway

_PUT = Script("""
local name, value, ms = unpack(ARGV, 2)
redis.call('ZREMRANGEBYSCORE', prefix .. 'records', '-inf', now())
redis.call('SET', prefix .. 'record:' .. name, value)
if ms == '' then
  redis.call('ZADD', prefix .. 'records', '+inf', name)
else
  redis.call('PEXPIRE', prefix .. 'record:' .. name, ms)
  redis.call('ZADD', prefix .. 'records', now() + ms, name)
end
""")

_TAKE = Script("""
local value = redis.call('GET', prefix .. 'record:' .. ARGV[2])
redis.call('DEL', prefix .. 'record:' .. ARGV[2])
redis.call('ZREM', prefix .. 'records', ARGV[2])
return value
""")

_LIST = Script("""
local found = {}
for _, name in ipairs(redis.call('ZRANGE', prefix .. 'records', 0, -1)) do
  if string.sub(name, 1, #ARGV[2]) == ARGV[2] then
    local value = redis.call('GET', prefix .. 'record:' .. name)
    if value then found[#found + 1] = {name, value} end
  end
end
return found
""")


class RedisRecords:
    """See :class:`.contract.Records`. One connection.

    :param url: ``redis://``, ``rediss://`` or ``unix://``. No cluster.
    :param prefix: of every key: two services may share a server.
    """

    def __init__(self, url: str, *, prefix: str = "tokenwire:") -> None:
        self._channel = RedisChannel(url)
        self._prefix = prefix

    async def start(self) -> None:
        """See :class:`.contract.Records`."""
        await self._call(("PING",))

    async def put(self, name: str, value: bytes, expires_in: float | None = None) -> None:
        """See :class:`.contract.Records`."""
        ms = "" if expires_in is None else round(expires_in * 1000)
        await self._call(_PUT.command(self._prefix, name, value, ms))

    async def get(self, name: str) -> bytes | None:
        """See :class:`.contract.Records`."""
        value: bytes | None = await self._call(("GET", f"{self._prefix}record:{name}"))
        return value

    async def take(self, name: str) -> bytes | None:
        """See :class:`.contract.Records`."""
        value: bytes | None = await self._call(_TAKE.command(self._prefix, name))
        return value

    async def delete(self, name: str) -> None:
        """See :class:`.contract.Records`."""
        await self.take(name)

    async def list(self, prefix: str) -> Mapping[str, bytes]:
        """See :class:`.contract.Records`."""
        return {name.decode(): value for name, value in sorted(await self._call(_LIST.command(self._prefix, prefix)))}

    async def close(self) -> None:
        """See :class:`.contract.Records`."""
        await self._channel.close()

    async def _call(self, command: Command) -> Any:
        try:
            return await self._channel.call(command)
        except StoreTrouble as trouble:
            raise RecordsAway(str(trouble)) from None
