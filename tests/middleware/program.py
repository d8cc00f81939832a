"""A server with middleware, in a process of its own."""

import asyncio
import json
import os
import socket
import sys
from pathlib import Path

import uvicorn

from tokenwire import ChatBackend, Middleware, Outcome, Question, Refusal
from tokenwire.errors import Code
from tokenwire.events import Event, TextMessageContent
from tokenwire.messages import message
from tokenwire.runs.log import RunInfo


class Record(Middleware):
    """Writes a line for each outcome."""

    def __init__(self, file: Path) -> None:
        self._file = file

    async def on_end(self, outcome: Outcome) -> None:
        line = {
            "process": os.getpid(),
            "run": outcome.run.run_id,
            "kind": outcome.kind,
            "code": outcome.code,
            "model": outcome.model,
            "usage": outcome.usage is not None,
            "text": await outcome.text(),
        }
        with self._file.open("a") as file:  # a line of this length is written at once, whoever else writes
            file.write(json.dumps(line) + "\n")


class Throwing:
    """Fails wherever it can without a question being refused."""

    def on_event(self, _: RunInfo, event: Event) -> Event | None:
        raise RuntimeError(f"no {type(event).__name__}")

    async def on_end(self, outcome: Outcome) -> None:
        raise RuntimeError(f"no {outcome.kind}")


class Shouting:
    """Changes every token."""

    def on_event(self, _: RunInfo, event: Event) -> Event | None:
        if isinstance(event, TextMessageContent):
            return TextMessageContent(event.message_id, event.delta.upper())
        return None


class Guarding:
    """Refuses one question and breaks at another."""

    async def on_request(self, question: Question) -> Question | None:
        text = question.messages[-1].text
        if text == "forbidden":
            raise Refusal(Code.refused_choice, "Not that.")
        if text == "broken":
            raise RuntimeError("a guard that broke")
        return question.replace(messages=(*question.messages[:-1], message("user", f"{text}, please")))


class Hanging:
    """Never comes to an end."""

    async def on_end(self, _: Outcome) -> None:
        await asyncio.Event().wait()


NAMES = {kind.__name__: kind for kind in (Throwing, Shouting, Guarding, Hanging)}


def main(config: str, outcomes: str, *names: str) -> None:
    """Serves until it is ended, with the middleware of these names, and writes outcomes to a file."""
    backend = ChatBackend(Path(config), middleware=[*(NAMES[name]() for name in names), Record(Path(outcomes))])
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        sys.stdout.write(f"http://127.0.0.1:{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        uvicorn.Server(uvicorn.Config(backend, log_config=None)).run(sockets=[listener])


if __name__ == "__main__":
    main(*sys.argv[1:])
