"""What clients may be sent: a state machine for each wire, over the events that arrive."""

import json
from collections.abc import Iterable
from typing import Any

Event = dict[str, Any]
Received = tuple[str | None, Event]
"""An event as it arrives, with its offset where it has one."""


def received(framing: str, stream: bytes) -> list[Received]:
    """The events of a whole response, read as strictly as the strictest client reads it."""
    assert stream == b"" or stream.endswith(b"\n")
    return _received_sse(stream) if framing == "sse" else _received_ndjson(stream)


def _received_sse(stream: bytes) -> list[Received]:
    events: list[Received] = []
    offset = None
    for block in stream.removesuffix(b"\n").split(b"\n\n") if stream else []:
        *first, data = block.removesuffix(b"\n").split(b"\n")
        assert len(first) <= 1
        offset = _after("id: ", first[0]) if first else None
        events.append((offset, _object(_after("data: ", data))))
    return events


def _received_ndjson(stream: bytes) -> list[Received]:
    events: list[Received] = []
    for line in stream.split(b"\n")[:-1]:
        event = _object(line.decode())
        if "type" in event:
            events.append((None, event))
        else:
            assert event.keys() == {"id", "chunk"}
            events.append((event["id"], event["chunk"]))
    return events


def _after(prefix: str, line: bytes) -> str:
    text = line.decode()
    assert text.startswith(prefix)
    return text.removeprefix(prefix)


def _object(text: str) -> Event:
    value = json.loads(text)
    assert isinstance(value, dict)
    return value


def assert_legal(wire: str, events: Iterable[Event]) -> None:
    """Fails unless these are the events of one whole run in that wire."""
    if wire == "rais":
        _assert_legal_rais(events)
    else:
        run = _Run(legacy=wire == "tanstack-legacy")
        for event in events:
            run.take(event)
        assert run.over


def _assert_legal_rais(events: Iterable[Event]) -> None:
    """``text* (done | error)`` (docs/wires/rais.md 4, 5)."""
    *texts, terminal = events
    for event in texts:
        assert event.keys() == {"type", "text"}
        assert event["type"] == "text"
        assert isinstance(event["text"], str)
        assert event["text"]
    if terminal["type"] == "error":
        assert terminal.keys() == {"type", "error"}
        assert terminal["error"]
    else:
        assert terminal == {"type": "done"}


class _Run:
    """One run as a TanStack client follows it (docs/wires/tanstack.md 2)."""

    def __init__(self, *, legacy: bool) -> None:
        self.over = False
        self._legacy = legacy
        self._ids: Event | None = None
        self._messages: dict[str, bool] = {}
        self._spoken: set[str] = set()
        self._interrupted: set[str] = set()
        self._steps: set[str] = set()
        self._step: str | None = None
        self._thoughts: dict[str, bool] = {}
        self._calls: dict[str, bool] = {}
        self._names: dict[str, str] = {}
        self._calling: set[str] = set()
        self._results: dict[str, str] = {}

    def take(self, event: Event) -> None:
        assert not self.over
        kind = event["type"]
        assert (self._ids is None) == (kind == "RUN_STARTED")
        getattr(self, f"_{kind.lower()}")(event)

    def _run_started(self, event: Event) -> None:
        self._ids = {name: event[name] for name in ("threadId", "runId")}

    def _text_message_start(self, event: Event) -> None:
        assert event["role"] == "assistant"
        assert event["messageId"] not in self._messages
        self._messages[event["messageId"]] = True

    def _text_message_content(self, event: Event) -> None:
        assert self._messages[event["messageId"]]
        # text that goes on after a step is shown by both clients with what stood before the step once more
        assert event["messageId"] not in self._interrupted
        # and so is text before a call, by the newest client, when it joins while a later message streams
        assert event["messageId"] not in self._calling
        assert event["delta"]
        self._spoken.add(event["messageId"])

    def _text_message_end(self, event: Event) -> None:
        assert self._messages[event["messageId"]]
        self._messages[event["messageId"]] = False

    def _step_started(self, event: Event) -> None:
        assert event["stepId"] == event["stepName"]
        assert event["stepId"] not in self._steps
        assert self._step is None
        self._step = event["stepId"]
        self._steps.add(event["stepId"])
        self._interrupted |= self._spoken

    def _step_finished(self, event: Event) -> None:
        assert self._legacy
        assert event["stepId"] == event["stepName"]
        assert event["stepId"] in self._steps
        assert event["delta"]

    def _reasoning_message_start(self, event: Event) -> None:
        assert event["role"] == "reasoning"
        assert event["messageId"] in self._steps
        assert event["messageId"] not in self._thoughts
        self._thoughts[event["messageId"]] = True

    def _reasoning_message_content(self, event: Event) -> None:
        assert self._thoughts[event["messageId"]]
        assert event["delta"]

    def _reasoning_message_end(self, event: Event) -> None:
        assert self._thoughts[event["messageId"]]
        self._thoughts[event["messageId"]] = False

    def _reasoning_encrypted_value(self, event: Event) -> None:
        assert event["encryptedValue"]
        if event["subtype"] == "message":
            assert event["entityId"] == self._step
            assert not self._thoughts.get(event["entityId"])
        else:
            assert event["subtype"] == "tool-call"
            assert event["entityId"] in self._calls

    def _reasoning_end(self, event: Event) -> None:
        assert event["messageId"] == self._step
        assert not self._thoughts.get(event["messageId"])
        self._step = None

    def _tool_call_start(self, event: Event) -> None:
        assert event["toolCallName"]
        assert event["toolCallName"] == event["toolName"]
        assert self._messages[event["parentMessageId"]]
        assert event["parentMessageId"] not in self._spoken
        assert event["toolCallId"] not in self._calls
        self._calling.add(event["parentMessageId"])
        self._calls[event["toolCallId"]] = True
        self._names[event["toolCallId"]] = event["toolName"]

    def _tool_call_args(self, event: Event) -> None:
        assert self._calls[event["toolCallId"]]
        assert event["delta"]

    def _tool_call_end(self, event: Event) -> None:
        if "result" in event:
            assert self._legacy
            assert event["result"] == self._results.pop(event["toolCallId"])
            assert event["toolName"] == self._names[event["toolCallId"]]
        else:
            assert self._calls[event["toolCallId"]]
            self._calls[event["toolCallId"]] = False

    def _tool_call_result(self, event: Event) -> None:
        assert not self._calls[event["toolCallId"]]
        assert isinstance(event["content"], str)
        self._results[event["toolCallId"]] = event["content"]

    def _custom(self, event: Event) -> None:
        assert event["name"]
        assert "value" in event

    def _run_finished(self, event: Event) -> None:
        assert self._ids is not None
        assert self._ids.items() <= event.items()
        assert event["finishReason"] in ("stop", "length", "content_filter")
        assert self._step is None
        for still_open in (self._messages, self._thoughts, self._calls):
            assert not any(still_open.values())
        # each result was told to a legacy client once more, in its own words
        assert not self._legacy or not self._results
        self.over = True

    def _run_error(self, event: Event) -> None:
        assert self._ids is not None
        assert self._ids.items() <= event.items()
        assert event["message"]
        assert event["error"] == {"message": event["message"], "code": event["code"]}
        self.over = True
