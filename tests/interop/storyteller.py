"""A server whose model tells golden runs: what no scripted model can be made to say, event by event."""

import asyncio
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import uvicorn

from tokenwire import events
from tokenwire.config import load
from tokenwire.messages import Message
from tokenwire.narration import Narration
from tokenwire.providers.base import Prompt
from tokenwire.runs.run import Run
from tokenwire.server import app
from tokenwire.server.protocol import HttpProtocol
from tokenwire.server.socket_protocol import SocketProtocol

from ..wire.logs import RUNS, recorded

CONFIG = """
[models.storyteller]
provider = "openai-compatible"
base_url = "http://127.0.0.1:9/v1"
model = "storyteller"
key_env = ""
"""

_asked = msgspec.json.Decoder(tuple[Message, ...])


def what_was_asked(answer: str) -> tuple[Message, ...]:
    """The conversation that an answer to anything but the name of a run tells."""
    return _asked.decode(answer)


class Story:
    """A source that says all it has to say at once: the run that the question names, or else what it was asked."""

    saved: int | None = None

    def __init__(self, messages: Sequence[Message]) -> None:
        self._messages = messages

    def start(self, run: Run) -> None:
        run.accept()
        end: events.Event
        if (name := self._messages[-1].text) in RUNS:
            _, *told, end = map(events.decode, recorded(name))
        else:
            narration = Narration(f"msg-{run.log.key[:12]}")
            narration.text(msgspec.json.encode(self._messages).decode())
            told, end = narration.close(), events.RunFinished("", "", "stop")
        run.emit(told)
        assert isinstance(end, events.RunFinished)
        run.finish(end.finish_reason, model=end.model, usage=end.usage)

    def stop(self) -> Sequence[events.Event]:
        return ()

    def pause(self) -> None:
        pass

    def resume(self) -> None:
        pass


class Storytellers:
    """In place of the models."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def source(self, _: object, prompt: Prompt) -> Story:
        return Story(prompt.messages)

    def listing(self) -> list[Any]:
        return []


@contextmanager
def telling(folder: Path) -> Iterator[str]:
    """The URL of such a server, for as long as the block lasts."""
    file = folder / "tokenwire.toml"
    file.write_text(CONFIG)
    with pytest.MonkeyPatch.context() as patch, socket.create_server(("127.0.0.1", 0)) as listener:
        patch.setattr(app, "ModelRouter", Storytellers)
        application = app.App(load(file, {}))
        settings = uvicorn.Config(application, http=HttpProtocol, ws=SocketProtocol, lifespan="off", log_config=None)
        server = uvicorn.Server(settings)

        async def serve() -> None:
            async with application.running():
                await server.serve(sockets=[listener])

        thread = threading.Thread(target=lambda: asyncio.run(serve()), name="storyteller")
        thread.start()
        try:
            # connections wait in the listener's backlog until they are taken
            yield "http://{}:{}".format(*listener.getsockname())
        finally:
            server.should_exit = True
            thread.join(15)
