"""One connection to Redis."""

import asyncio
from collections.abc import Sequence
from typing import Any

from hiredis import pack_command
from redis.asyncio.connection import AbstractConnection, Connection, parse_url
from redis.exceptions import NoScriptError, RedisError, ResponseError

from ..errors import ConfigError
from .backend import StoreTrouble
from .redis_scripts import Command, Script

_SECONDS = 2.0


class RedisChannel:
    """Asks Redis one thing after the other, over a connection that is made when it is needed.

    Every trouble is a :class:`StoreTrouble` and the end of the connection; the next call makes another.
    """

    def __init__(self, url: str) -> None:
        self._connection = _connection(url)
        self._turn = asyncio.Lock()

    async def call(self, *commands: Command, seconds: float = _SECONDS) -> Any:
        """The last command's answer, when all of them were done.

        :param seconds: for all of it: connecting, and those who ask at the same time.
        """
        try:
            async with asyncio.timeout(seconds), self._turn:
                try:
                    return await self._ask(commands)
                except BaseException:
                    await self._connection.disconnect(nowait=True)
                    raise
        except TimeoutError as error:
            raise StoreTrouble(f"no answer within {seconds:g} s") from error
        except (RedisError, OSError) as error:
            raise StoreTrouble(self._without_password(f"{type(error).__name__}: {error}")) from None

    async def transact(self, *commands: Command) -> list[Any]:
        """All the answers; nothing else happens in Redis meanwhile."""
        answers: list[Any] = await self.call(("MULTI",), *commands, ("EXEC",))
        return answers

    async def close(self) -> None:
        """Lets the connection go. Never raises."""
        try:
            await self._connection.disconnect()
        except (RedisError, OSError):
            await self._connection.disconnect(nowait=True)

    async def _ask(self, commands: Sequence[Command]) -> Any:
        try:
            return await self._exchange(commands)
        except NoScriptError:
            await self._exchange([("SCRIPT", "LOAD", script.text) for script in Script.every])
            return await self._exchange(commands)

    async def _exchange(self, commands: Sequence[Command]) -> Any:
        # hiredis packs a batch in 4 us, the connection's own packer in 23
        packed = [pack_command(command) for command in commands]  # type: ignore[arg-type]  # its stub is of one part
        await self._connection.send_packed_command(packed)
        errors: list[Exception] = []
        answer: Any = None
        for _ in commands:
            try:
                answer = await self._connection.read_response()
            except ResponseError as error:
                errors.append(error)
        if isinstance(answer, list):
            errors += [part for part in answer if isinstance(part, Exception)]
        if errors:
            raise errors[0]
        return answer

    def _without_password(self, text: str) -> str:
        password = self._connection.password
        return text.replace(password, "***") if password else text


def _connection(url: str) -> AbstractConnection:
    try:
        options: dict[str, Any] = {**parse_url(url)}
        kind = options.pop("connection_class", Connection)
        # the answers are bytes as RESP2 puts them; the time is kept by the channel, which saves a task for each send
        options |= {
            "protocol": 2,
            "decode_responses": False,
            "socket_timeout": None,
            "socket_connect_timeout": _SECONDS,
        }
        connection: AbstractConnection = kind(**options)
    except (TypeError, ValueError, RedisError):
        raise ConfigError("the store's address is no redis://[[user]:password@]host[:port][/database]") from None
    return connection
