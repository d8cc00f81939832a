"""The newest npm client itself, behind connections that end too early."""

import asyncio
from collections.abc import Sequence
from statistics import mode

from tokenwire.testing import ChaosProxy, Fault, Reading

from ..arena import Arena
from ..chats import Chats
from ..reader import Reader
from ..scenario import scenario
from ..stage import RECORDINGS, Stage, staged
from ..tally import Outcome
from ..trial import Case, every_byte, insistent
from ..wire import NDJSON, SSE, HttpWire, Json, Question


@scenario
async def npm_client(arena: Arena) -> None:
    """The real client asks, and the answer is cut after each of its bytes, by FIN and by RST."""
    async with Chats() as chats, staged(arena.folder) as stage:

        async def ask(wire: HttpWire, faults: Sequence[Fault]) -> tuple[ChaosProxy, Question, Json]:
            question = stage.question()
            async with ChaosProxy(stage.url, faults) as proxy:
                told = await chats.play(
                    {
                        "generation": "new",
                        "framing": wire.name,
                        "url": proxy.url + wire.path,
                        "options": {"reconnect": {"delayMs": 20}},
                        "steps": [["send", question.text]],
                    }
                )
            return proxy, question, told

        async def size(wire: HttpWire) -> int:
            whole = await asyncio.gather(*(ask(wire, []) for _ in range(RECORDINGS)))
            return mode(proxy.traffic.to_client for proxy, _, _ in whole)

        async def trial(case: Case[HttpWire]) -> Outcome:
            proxy, question, told = await ask(case.wire, case.faults)
            if proxy.traffic.connections == 0:
                # its pool had a connection left to an earlier proxy at the same port
                return Outcome(0, [])
            reading = await _reading(stage, case.wire, told)
            return Outcome(proxy.traffic.faults, stage.oracle.judge([reading], stage.asked(question)))

        sizes = {wire: await size(wire) for wire in (SSE, NDJSON)}
        await arena.play(every_byte(sizes, "client"), insistent(trial))


async def _reading(stage: Stage, wire: HttpWire, told: Json) -> Reading:
    if [chunk["type"] for chunk in told["chunks"]] == ["RUN_ERROR"]:
        # this client gives up without a first offset, and shows so; whoever reloads the page must find everything
        return await Reader(wire, stage.url).join(told["requests"][0]["body"]["runId"])
    return Reading(
        text=_rendered(told, "text"),
        reasoning=_rendered(told, "thinking"),
        terminals=["" for name, *_ in told["calls"] if name == "onFinish"],
        error=told["error"],
        hung=told["loading"],
    )


def _rendered(told: Json, kind: str) -> str:
    """All that the person sees of a kind."""
    answers = [message["parts"] for message in told["messages"] if message["role"] == "assistant"]
    return "".join(part["content"] for parts in answers for part in parts if part["type"] == kind)
