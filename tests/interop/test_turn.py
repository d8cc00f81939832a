"""Plain turns: what a person sees, and what the model was asked."""

import json

import pytest

from tokenwire.testing import Reply

from .client import Client, text_of
from .model import Model

HELLO = [{"role": "user", "content": "Hello"}]


def test_an_answer_streams_in_and_is_finished_once(client: Client, model: Model) -> None:
    model.say("Hel", "lo")
    seen = client.play(["send", "Hello"])
    assert [(message["role"], text_of(message, "text")) for message in seen.messages] == [
        ("user", "Hello"),
        ("assistant", "Hello"),
    ]
    assert (seen.status, seen.loading, seen.error) == ("ready", False, None)
    assert [status for (status,) in seen.called("onStatusChange")] == ["submitted", "streaming", "ready"]
    assert [text_of(message, "text") for (message,) in seen.called("onFinish")] == ["Hello"]
    assert seen.chunks[0]["type"] == "RUN_STARTED"
    assert seen.chunks[-1]["type"] == "RUN_FINISHED"
    assert seen.chunks[-1]["finishReason"] == "stop"
    assert [request.body["messages"] for request in model.requests] == [HELLO]


def test_the_response_says_what_it_is(client: Client, model: Model) -> None:
    model.say("Hi")
    (request,) = client.play(["send", "Hello"]).requests
    headers = request["responseHeaders"]
    kind = {"sse": "text/event-stream", "ndjson": "application/x-ndjson"}[client.framing]
    assert headers["content-type"].partition(";")[0] == kind
    assert "no-cache" in headers["cache-control"]
    assert headers["x-accel-buffering"] == "no"
    assert "[DONE]" not in request["received"]


def test_only_the_newest_client_gets_offsets(client: Client, model: Model) -> None:
    model.say("Hi")
    (request,) = client.play(["send", "Hello"]).requests
    mark = {"sse": "\nid: ", "ndjson": '\n{"id":'}[client.framing]
    events = request["received"].count('"type":"TEXT_MESSAGE_') + request["received"].count('"type":"RUN_')
    offsets = ("\n" + request["received"]).count(mark)
    assert offsets == (events if client.generation == "new" else 0)


def test_the_newest_client_keeps_its_own_ids(resuming: Client, model: Model) -> None:
    model.say("Hi")
    seen = resuming.play(["send", "Hello"], client={"threadId": "thread-of-mine"})
    (request,) = seen.requests
    ids = {"threadId": "thread-of-mine", "runId": request["headers"]["x-run-id"]}
    for chunk in (seen.chunks[0], seen.chunks[-1]):
        assert {name: chunk[name] for name in ids} == ids


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param(("Grüße, ", "世界 ", "👩‍👩‍👧", "!"), id="beyond ASCII"),
        pytest.param(("a\n\nb\r\n", "data: c\n\n", "id: 7\n", "[DONE]"), id="looks like framing"),
        pytest.param(("\u2028\u2029", '"\\', "\x00\x1f", "</script>"), id="needs escapes"),
        pytest.param((" ", "  x", " ", "\n"), id="white space"),
    ],
)
def test_text_arrives_to_the_letter(client: Client, model: Model, pieces: tuple[str, ...]) -> None:
    model.say(*pieces)
    assert client.play(["send", "Hello"]).answer == "".join(pieces)


def test_reasoning_is_a_part_of_its_own_and_shown_once(client: Client, model: Model) -> None:
    model.reply(Reply(reasoning=("let me ", "think"), text=("So", ".")))
    seen = client.play(["send", "Hello"])
    assert [(part["type"], part["content"]) for part in seen.last["parts"]] == [
        ("thinking", "let me think"),
        ("text", "So."),
    ]


def test_reasoning_between_texts_repeats_neither(client: Client, model: Model) -> None:
    deltas = [{"reasoning": "h"}, {"content": "Hel"}, {"reasoning": "m"}, {"content": "lo"}]
    chunks: list[dict[str, object]] = [{"choices": [{"delta": delta}]} for delta in deltas]
    chunks.append({"choices": [{"delta": {}, "finish_reason": "stop"}]})
    body = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks)
    model.reply(Reply(headers={"Content-Type": "text/event-stream"}, body=body), Reply(text=("Hi",)))
    seen = client.play(["send", "Hello"], ["send", "Again"])
    answered = model.requests[-1].body["messages"][1:-1]
    assert "".join(row["content"] for row in answered) == "Hello"
    shown = [message for message in seen.messages[1:-1] if message["role"] == "assistant"]
    assert "".join(text_of(message, "text") for message in shown) == "Hello"
    assert "".join(text_of(message, "thinking") for message in shown) == "hm"


def test_every_turn_sends_the_whole_history_without_the_reasoning(client: Client, model: Model) -> None:
    model.reply(Reply(reasoning=("hm",), text=("One",)), Reply(text=("Two",)), Reply(text=("Three",)))
    seen = client.play(["send", "first"], ["send", "second"], ["send", "third"])
    said = ["first", "One", "second", "Two", "third", "Three"]
    assert [text_of(message, "text") for message in seen.messages] == said
    assert len({message["id"] for message in seen.messages}) == len(said)
    assert model.requests[-1].body["messages"] == [
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "One"},
        {"role": "user", "content": "second"},
        {"role": "assistant", "content": "Two"},
        {"role": "user", "content": "third"},
    ]


def test_reload_asks_again_and_replaces_the_answer(client: Client, model: Model) -> None:
    model.say("One")
    model.say("Another")
    seen = client.play(["send", "Hello"], ["regenerate"])
    assert [text_of(message, "text") for message in seen.messages] == ["Hello", "Another"]
    assert [request.body["messages"] for request in model.requests] == [HELLO, HELLO]


@pytest.mark.parametrize("text", [(), ("",), (" ", "\n")], ids=["nothing", "an empty delta", "white space"])
def test_an_empty_answer_leaves_nobody_waiting(client: Client, model: Model, text: tuple[str, ...]) -> None:
    model.reply(Reply(text=text), Reply(text=("Hi",)))
    seen = client.play(["send", "Hello"], ["send", "Anybody?"])
    assert (seen.status, seen.answer) == ("ready", "Hi")
    assert len(model.requests) == 2
    first = [status for (status,) in seen.called("onStatusChange")]
    assert first[: first.index("submitted", 1)][-1] in ("ready", "error")


@pytest.mark.parametrize("path", ["/api/chat", "/api/chat/tanstack"])
def test_the_url_may_name_the_wire_or_leave_it_to_the_body(sse: Client, model: Model, path: str) -> None:
    model.say("Hi")
    assert sse.play(["send", "Hello"], url=sse.base + path).answer == "Hi"
