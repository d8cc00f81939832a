"""The newest npm client itself, behind connections that end too early."""

import asyncio
from collections.abc import Sequence
from statistics import mode
from urllib.parse import parse_qs, urlsplit

from tokenwire.testing import ChaosProxy, Fault, Reading

from ..arena import Arena
from ..chats import Chats
from ..reader import Reader
from ..scenario import scenario
from ..stage import RECORDINGS, Stage, staged
from ..tally import Outcome
from ..trial import Case, every_byte, insistent
from ..wire import SOCKET, WIRES, Json, Question, Wire


@scenario
async def npm_client(arena: Arena) -> None:
    """The real client asks, and the answer is cut after each of its bytes, by FIN or by RST in turn."""
    async with Chats() as chats, staged(arena.folder) as stage:

        async def ask(wire: Wire, faults: Sequence[Fault]) -> tuple[ChaosProxy, Question, Json]:
            question = stage.question()
            async with ChaosProxy(stage.url, faults) as proxy:
                told = await chats.play(
                    {
                        "generation": "new",
                        "framing": wire.name,
                        "url": _url(wire, proxy.url),
                        "options": {"reconnect": {"delayMs": 20}},
                        "steps": [["send", question.text]],
                    }
                )
            return proxy, question, told

        async def size(wire: Wire) -> int:
            whole = await asyncio.gather(*(ask(wire, []) for _ in range(RECORDINGS)))
            return mode(proxy.traffic.to_client for proxy, _, _ in whole)

        async def trial(case: Case) -> Outcome:
            proxy, question, told = await ask(case.wire, case.faults)
            if proxy.traffic.connections == 0:
                # its pool had a connection left to an earlier proxy at the same port
                return Outcome(0, [])
            reading = await _reading(stage, case.wire, question, told)
            return Outcome(proxy.traffic.faults, stage.oracle.judge([reading], stage.asked(question)))

        sizes = {wire: await size(wire) for wire in WIRES}
        await arena.play(every_byte(sizes, "client", in_turn=True), insistent(trial))


def _url(wire: Wire, base: str) -> str:
    """What the hook is pointed at."""
    return ("ws" + base.removeprefix("http") if wire is SOCKET else base) + wire.path


async def _reading(stage: Stage, wire: Wire, question: Question, told: Json) -> Reading:
    if told["error"] and all(chunk["type"] == "RUN_ERROR" for chunk in told["chunks"]):
        # this client gives up without a first offset, and shows so; whoever sends it again must find everything
        return await Reader(wire, stage.url).ask(question._replace(run_id=_run_id(told)))
    return Reading(
        text=_rendered(told, "text"),
        reasoning=_rendered(told, "thinking"),
        terminals=["" for name, *_ in told["calls"] if name == "onFinish"],
        error=told["error"],
        hung=told["loading"],
    )


def _run_id(told: Json) -> str:
    """The client's own name for the run; on a WebSocket it is in the address before the question is sent."""
    request = told["requests"][0]
    named = parse_qs(urlsplit(request["url"]).query).get("runId")
    return named[0] if named else str(request["body"]["runId"])


def _rendered(told: Json, kind: str) -> str:
    """All that the person sees of a kind."""
    answers = [message["parts"] for message in told["messages"] if message["role"] == "assistant"]
    return "".join(part["content"] for parts in answers for part in parts if part["type"] == kind)
