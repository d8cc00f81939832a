"""Calls to a scripted upstream, and a sink that remembers what it heard."""

import json
import re
from collections.abc import Callable, Mapping

from tokenwire.providers.base import HttpCall
from tokenwire.providers.transport import Transport
from tokenwire.testing import Reply, ScriptedUpstream
from tokenwire.testing.changes import Changes

_BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True}).encode()


_HEAD = b"HTTP/1.1 200 OK\r\nX-Odd: a\r\nContent-Type: text/plain\r\n"
RESPONSES = {
    "length": _HEAD + b"Content-Length: 6\r\n\r\nHello!",
    "chunked": _HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nHel\r\n3;x=y\r\nlo!\r\n0\r\n\r\n",
    "close": _HEAD + b"\r\nHello!",
}
"""The same answer with its end told in each way."""


def call_to(upstream: ScriptedUpstream | str) -> HttpCall:
    """A chat completion request."""
    base_url = upstream if isinstance(upstream, str) else upstream.base_url
    headers = {"content-type": "application/json", "authorization": "Bearer sk-test"}
    return HttpCall("POST", f"{base_url}/chat/completions", headers, _BODY)


class Heard:
    """A sink that remembers.

    :param then: called with the name of what was just heard, from inside the call.
    """

    def __init__(self, then: Callable[[str], object] = lambda _: None) -> None:
        self.calls: list[str] = []
        self.status = 0
        self.headers: Mapping[str, str] = {}
        self.content = b""
        self.reason = ""
        self._then = then
        self._changes = Changes()

    def head(self, status: int, headers: Mapping[str, str]) -> None:
        self.status, self.headers = status, dict(headers)
        self._note("head")

    def body(self, data: bytes) -> None:
        self.content += data
        self._note("body")

    def end(self) -> None:
        self._note("end")

    def lost(self, reason: str) -> None:
        self.reason = reason
        self._note("lost")

    async def until(self, condition: Callable[[], bool]) -> None:
        """Returns once it holds."""
        await self._changes.until(condition, 10)

    async def over(self) -> str:
        """How it ended, once it has; what was heard before came in the right order."""
        await self.until(lambda: bool({"end", "lost"} & set(self.calls)))
        assert re.fullmatch(r"(head (body )*)?(end|lost) ", "".join(f"{call} " for call in self.calls))
        assert (self.calls[-1] == "lost") == bool(self.reason)
        return self.calls[-1]

    def _note(self, call: str) -> None:
        self.calls.append(call)
        self._then(call)
        self._changes.announce()


async def ask(transport: Transport, upstream: ScriptedUpstream, reply: Reply) -> Heard:
    """What is heard of one reply, to its end."""
    upstream.reply(reply)
    heard = Heard()
    transport.send(call_to(upstream), heard)
    await heard.over()
    return heard
