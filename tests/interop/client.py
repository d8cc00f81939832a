"""One real TanStack client in one framing, as the tests drive it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from .node import Node, Playing, Scenario

Generation = Literal["legacy", "new"]
Framing = Literal["sse", "ndjson"]
"""The framings of HTTP, which both generations know. WebSocket is the newest one's alone."""
PATHS = {"sse": "/api/chat", "ndjson": "/api/chat/ndjson", "websocket": "/api/chat/ws"}
Step = list[Any]
Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The application's side of a scenario (``messages`` to ``chunks``), and the network's (``requests``)."""

    messages: list[Json]
    status: str
    loading: bool
    error: str | None
    calls: list[list[Any]]
    """Callbacks as they came: name and arguments."""
    chunks: list[Json]
    """Events as ``onChunk`` saw them."""
    joined: list[Json]
    """Events of a ``join`` step."""
    requests: list[Json]
    storage: Json
    prompt: Json | None
    """The key that a client with ``byok`` asks the person for."""

    @property
    def answer(self) -> str:
        """The text of the last message, an assistant's."""
        return text_of(self.last, "text")

    @property
    def thinking(self) -> str:
        """The reasoning of the last message, an assistant's."""
        return text_of(self.last, "thinking")

    @property
    def last(self) -> Json:
        """The last message."""
        message = self.messages[-1]
        assert message["role"] == "assistant"
        return message

    def called(self, name: str) -> list[list[Any]]:
        """The arguments of each call of a callback."""
        return [arguments for called, *arguments in self.calls if called == name]


def text_of(message: Json, kind: str) -> str:
    """All of a rendered message's parts of one kind, joined."""
    return "".join(part["content"] for part in message["parts"] if part["type"] == kind)


def read_outcome(result: Json) -> Outcome:
    """The outcome in what :file:`chat.mjs` says."""
    return Outcome(**result)


@dataclass(frozen=True)
class Client:
    """A generation and a framing against a server."""

    node: Node
    base: str
    generation: Generation
    framing: Framing | Literal["websocket"]

    @property
    def url(self) -> str:
        """What the hook is pointed at."""
        scheme = "ws" if self.framing == "websocket" else "http"
        return scheme + self.base.removeprefix("http") + PATHS[self.framing]

    def scenario(self, *steps: Step, **more: Any) -> Scenario:
        """A scenario for this client; ``more`` is what :file:`chat.mjs` reads beside the steps."""
        own = {"generation": self.generation, "framing": self.framing, "url": self.url}
        return {**own, **more, "steps": list(steps)}

    def begin(self, *steps: Step, **more: Any) -> Playing[Outcome]:
        """Starts steps and returns at once."""
        return self.node.begin(self.scenario(*steps, **more), read_outcome)

    def play(self, *steps: Step, **more: Any) -> Outcome:
        """Plays steps to their end."""
        return self.begin(*steps, **more).result()

    def play_all(self, scenarios: Iterable[Scenario]) -> list[Outcome]:
        """Plays scenarios side by side."""
        return self.node.play_all(scenarios, read_outcome)
