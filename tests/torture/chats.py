"""The real clients in one Node process: many chats side by side."""

import asyncio
import json
import shutil
from asyncio.subprocess import PIPE
from typing import Any, Self

from ..interop.node import HERE, Scenario, install
from .arena import Unavailable

_LONGEST_LINE = 1 << 24


class Chats:
    """:file:`clients.mjs` of the interop tests, awaited instead of read line by line."""

    async def __aenter__(self) -> Self:
        if shutil.which("npm") is None:
            raise Unavailable("the real client needs Node 20 or newer, and npm")
        await asyncio.to_thread(install)
        self._process = await asyncio.create_subprocess_exec(
            "node", "--experimental-websocket", "clients.mjs", cwd=HERE, stdin=PIPE, stdout=PIPE, limit=_LONGEST_LINE
        )
        self._playing: dict[int, asyncio.Future[Any]] = {}
        self._begun = 0
        self._listener = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._listener
        await self._process.wait()

    async def play(self, scenario: Scenario) -> Any:
        """What :file:`chat.mjs` says of a scenario, once it is over; RuntimeError when that never came."""
        assert self._process.stdin is not None
        self._begun += 1
        playing = self._playing[self._begun] = asyncio.get_running_loop().create_future()
        self._process.stdin.write(json.dumps({"id": self._begun, "scenario": scenario}).encode() + b"\n")
        end = await playing
        if "failure" in end:
            raise RuntimeError(end["failure"])
        return end["result"]

    async def _listen(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            end = json.loads(line)
            self._playing.pop(end["id"]).set_result(end)
        for playing in self._playing.values():
            playing.set_result({"failure": "the process with the clients ended"})
