"""A running tokenwire with a scripted model behind it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from itertools import count
from pathlib import Path
from statistics import mode

from tokenwire.testing import ChaosProxy, Oracle, Received, Reply, ScriptedUpstream, Traffic
from tokenwire.testing.fault import Side

from ..server import served
from .reader import Reader
from .wire import Question, Wire

REPLY = Reply(
    reasoning=("Let me ", "see: ", "1️⃣?\n\n"),
    text=("Zwölf ", "Boxkämpfer\n", "jagen ", "Viktor ", "quer ", "über den ", "großen ", "Sylter Deich 🥊."),
    interval=0.002,
)
"""No two deltas are alike, so that whatever is missing or twice shows."""

CONFIG = """
[models.small]
provider = "openai-compatible"
base_url = "{upstream}"
model = "scripted"

[runs]
heartbeat_seconds = 0.1
keep_seconds = 60.0
"""

RECORDINGS = 7


class Stage:
    """What a trial needs: where the server is, what the model says, and what it was asked."""

    def __init__(self, url: str, upstream: ScriptedUpstream, reply: Reply) -> None:
        self.url = url
        """Where the server is."""
        self.upstream = upstream
        self.reply = reply
        upstream.default = reply
        self._numbers = count(1)
        self._asked: Counter[str] = Counter()
        self._counted = 0

    @property
    def oracle(self) -> Oracle:
        """Knows what the model says here."""
        return Oracle.of(self.reply.text, self.reply.reasoning)

    def question(self) -> Question:
        """One that was never asked before."""
        number = next(self._numbers)
        return Question(f"question {number:06}", f"run-{number:06}")

    def asked(self, question: Question) -> int:
        """How often the model got the question."""
        requests = self.upstream.requests
        for request in requests[self._counted :]:
            self._asked[_text(request)] += 1
        self._counted = len(requests)
        return self._asked[question.text]

    async def received(self, question: Question) -> Received:
        """The model's side of a question, once it got there."""
        await self.upstream.until(lambda: self.asked(question) > 0)
        return next(request for request in self.upstream.requests if _text(request) == question.text)

    async def record(self, wire: Wire, side: Side = "client") -> int:
        """How many bytes pass towards a side, as a rule, in an answer that nothing happens to."""
        traffics = await asyncio.gather(*(self._record(wire) for _ in range(RECORDINGS)))
        return mode(traffic.to_client if side == "client" else traffic.to_server for traffic in traffics)

    async def _record(self, wire: Wire) -> Traffic:
        question = self.question()
        async with ChaosProxy(self.url) as proxy:
            reading = await Reader(wire, proxy.url).ask(question)
        findings = self.oracle.judge([reading], self.asked(question))
        if findings:
            raise RuntimeError(f"an answer to which nothing happened is wrong: {findings}")
        return proxy.traffic


def _text(request: Received) -> str:
    text: str = request.body["messages"][-1]["content"]
    return text


@asynccontextmanager
async def staged(folder: Path, reply: Reply = REPLY, config: str = CONFIG) -> AsyncIterator[Stage]:
    """Starts a server and its model, and stops them; a traceback in the server's log is a failure of its own."""
    log = folder / "server.log"
    async with ScriptedUpstream() as upstream:
        file = folder / "tokenwire.toml"
        file.write_text(config.replace("{upstream}", upstream.base_url))
        servers = ExitStack()
        server = servers.enter_context(served(log, "--config", file))
        try:
            yield Stage(server.url, upstream, reply)
        finally:
            # while it stops, the server may still be talking to the model, which lives in this loop
            await asyncio.to_thread(servers.close)
    if "Traceback" in log.read_text():
        raise RuntimeError(f"the server's log holds a traceback:\n{log.read_text()[-4000:]}")
