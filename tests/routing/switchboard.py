"""A transport whose calls the test answers, and a run that asks through it."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, NamedTuple

from tokenwire import events
from tokenwire.errors import Failure
from tokenwire.messages import message
from tokenwire.providers.base import HttpCall, Prompt
from tokenwire.providers.transport import Sink
from tokenwire.routing.model import Choice, Model
from tokenwire.routing.router import ModelRouter
from tokenwire.runs.log import Log, RunInfo
from tokenwire.runs.memory import MemoryStore
from tokenwire.runs.run import Bounds, Run

EVENT_STREAM = {"content-type": "text/event-stream"}


class Line:
    """One call under way: what was asked, and the sink to answer into."""

    def __init__(self, call: HttpCall, sink: Sink) -> None:
        self.call = call
        self.sink = sink
        self.state = "open"
        self.paused = False

    @property
    def provider(self) -> str:
        """Whom it asks."""
        return self.call.url.removeprefix("http://").partition(".")[0]

    @property
    def body(self) -> Any:
        """What it asks."""
        return json.loads(self.call.body)

    def abort(self) -> None:
        self.state = "aborted"

    def release(self) -> None:
        self.state = "released"

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    # what the other side does

    def accept(self) -> None:
        self.sink.head(200, EVENT_STREAM)

    def say(self, *deltas: str) -> None:
        for delta in deltas:
            self._chunk({"choices": [{"index": 0, "delta": {"content": delta}}]})

    def done(self) -> None:
        self._chunk({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        self.sink.body(b"data: [DONE]\n\n")

    def answer(self, *deltas: str) -> None:
        self.accept()
        self.say(*deltas)
        self.done()

    def refuse(self, status: int, body: bytes = b"{}", **headers: str) -> None:
        self.sink.head(status, {name.replace("_", "-"): value for name, value in headers.items()})
        self.sink.body(body)
        self.sink.end()

    def hang_up(self) -> None:
        self.sink.lost("reset")

    def _chunk(self, chunk: Any) -> None:
        self.sink.body(b"data: %b\n\n" % json.dumps(chunk).encode())


class Switchboard:
    """The transport: every call so far, oldest first."""

    def __init__(self) -> None:
        self.lines: list[Line] = []

    def send(self, call: HttpCall, sink: Sink) -> Line:
        self.lines.append(Line(call, sink))
        return self.lines[-1]

    async def close(self) -> None: ...

    @property
    def last(self) -> Line:
        return self.lines[-1]

    @property
    def asked(self) -> str:
        """Everybody who was asked, in order."""
        return " ".join(line.provider for line in self.lines)


class Asked(NamedTuple):
    """A run that asks."""

    run: Run
    log: Log

    @property
    def text(self) -> str:
        return "".join(each.delta for each in self._events if isinstance(each, events.TextMessageContent))

    @property
    def end(self) -> events.RunFinished | events.RunError | None:
        last = self._events[-1]
        return last if isinstance(last, events.RunFinished | events.RunError) else None

    @property
    def code(self) -> str | None:
        """With which it failed."""
        return self.end.code if isinstance(self.end, events.RunError) else None

    @property
    def refusal(self) -> Failure | None:
        """With which it failed before a model took it on."""
        return self.run.refusal

    @property
    def _events(self) -> list[events.Event]:
        return [events.decode(payload) for payload in self.log.read(0, self.log.length)]


class Routing:
    """A router on a switchboard, and runs that ask through it. Who is asked first is not left to chance."""

    def __init__(self, *choices: Choice, draw: Callable[[], float] = lambda: 0.5, **router: Any) -> None:
        self.board = Switchboard()
        self.model = Model("mix", choices)
        seconds = {"silence_seconds": 100.0, "retry_seconds": 15.0, "breaker_seconds": 5.0} | router
        self.router = ModelRouter([self.model], self.board, draw=draw, **seconds)
        self._store = MemoryStore()
        self._runs = 0

    async def ask(self, *choices: Choice, **prompt: Any) -> Asked:
        """A question to the model, or to some of its choices."""
        self._runs += 1
        info = RunInfo("alice", "thread", f"run-{self._runs}", "rais")
        question = Prompt(messages=(message("user", "Hello"),), **prompt)
        model = self.model._replace(choices=choices) if choices else self.model
        log, _ = await self._store.open(info)
        run = Run(
            log,
            self.router.source(model, question),
            grace=None,
            bounds=Bounds(100_000, 100_000),
            on_deserted=lambda _: None,
            on_end=lambda *_: None,
        )
        run.start()
        await asyncio.sleep(0)  # in which a run that is refused at its start is told so
        return Asked(run, log)

    @property
    def statuses(self) -> str:
        """The model's, then its targets'."""
        (entry,) = self.router.listing()
        return " ".join([entry["status"], *(target["status"] for target in entry["targets"])])
