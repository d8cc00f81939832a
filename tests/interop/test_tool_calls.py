"""Tool calls and signed reasoning: what the real clients show of them, and what comes back with the next question."""

from collections.abc import Iterator
from typing import get_args

import pytest

from tokenwire.messages import message

from .client import Client, Framing, Generation, Json, Outcome
from .conftest import each_client
from .node import Node
from .stories import CAME_BACK, SHOWN, SHOWN_TO_LEGACY, unsigned
from .storyteller import telling, what_was_asked

each_run = pytest.mark.parametrize("run", CAME_BACK)

AT_ONCE = {"reconnect": {"delayMs": 1}}
AND = ["send", "And?"]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with telling(tmp_path_factory.mktemp("storyteller")) as url:
        yield url


@pytest.fixture(params=[*each_client, ("new", "websocket")], ids="-".join)
def client(request: pytest.FixtureRequest, clients: Node, base: str) -> Client:
    """Each generation over each transport that it knows."""
    generation, framing = request.param
    return Client(clients, base, generation, framing)


@pytest.fixture(params=[*get_args(Framing), "websocket"])
def resuming(request: pytest.FixtureRequest, clients: Node, base: str) -> Client:
    """The generation that resumes, over each transport."""
    return Client(clients, base, "new", request.param)


def bubbles(messages: list[Json]) -> list[list[tuple[str, str]]]:
    """What the assistant's messages show, in short."""
    return [[(part["type"], summary(part)) for part in row["parts"]] for row in messages if row["role"] == "assistant"]


def summary(part: Json) -> str:
    if part["type"] == "tool-call":
        return f"{part['name']} {part['arguments']} {part['state']}"
    return str(part["content"])


def parts(seen: Outcome) -> list[Json]:
    """All there is to the assistant's messages, but for when they were made."""
    return [{"id": row["id"], "parts": row["parts"]} for row in seen.messages if row["role"] == "assistant"]


@each_run
def test_it_is_shown_ends_and_comes_back(client: Client, run: str) -> None:
    seen = client.play(["send", run], AND)
    assert (seen.status, seen.loading, seen.error) == ("ready", False, None)
    assert bubbles(seen.messages)[:-1] == (SHOWN if client.generation == "new" else SHOWN_TO_LEGACY)[run]
    assert len(seen.called("onFinish")) == 2
    first, *came_back, last = what_was_asked(seen.answer)
    assert (first, last) == (message("user", run), message("user", "And?"))
    assert came_back == (CAME_BACK[run] if client.generation == "new" else unsigned(CAME_BACK[run]))


@each_run
def test_nobody_waits_for_a_tool_that_nobody_runs(client: Client, run: str) -> None:
    seen = client.play(["send", run])
    assert (seen.chunks[-1]["type"], seen.chunks[-1]["finishReason"]) == ("RUN_FINISHED", "stop")
    assert len(seen.requests) == 1
    (finished,) = seen.called("onFinish")
    assert finished[0]["parts"]


@each_run
@pytest.mark.parametrize("generation", get_args(Generation))
def test_rendered_messages_come_back_the_same(clients: Node, base: str, generation: Generation, run: str) -> None:
    """Adapters that people write themselves send what is shown, and name no run."""
    client = Client(clients, base, generation, "ndjson")
    seen = client.play(["send", run], AND, adapter="resilient")
    assert (seen.status, seen.error) == ("ready", None)
    assert bubbles(seen.messages)[:-1] == (SHOWN if generation == "new" else SHOWN_TO_LEGACY)[run]
    assert "runId" not in seen.requests[-1]["body"]
    _, *came_back, _ = what_was_asked(seen.answer)
    assert came_back == (CAME_BACK[run] if generation == "new" else unsigned(CAME_BACK[run]))


@each_run
def test_a_cut_after_every_event_is_healed(resuming: Client, run: str) -> None:
    whole = resuming.play(["send", run])
    outcomes = resuming.play_all(
        resuming.scenario(["send", run], options=AT_ONCE, cuts=[{"after": after, "how": "error"}])
        for after in range(1, len(whole.chunks))
    )
    for seen in outcomes:
        assert parts(seen) == parts(whole)
        assert (seen.status, seen.error) == ("ready", None)
        assert len(seen.requests) == 2


@each_run
def test_a_reload_at_every_event_shows_the_same(resuming: Client, run: str) -> None:
    whole = resuming.play(["send", run])
    outcomes = resuming.play_all(
        resuming.scenario(
            ["start", run],
            ["untilEvents", after],
            ["reloadPage"],
            ["untilIdle"],
            AND,
            client={"threadId": f"{run}-{resuming.framing}-{after}"},
            storage={},
            cuts=[{"after": after, "how": "hold"}],
        )
        for after in range(1, len(whole.chunks))
    )
    for seen in outcomes:
        assert (seen.status, seen.error) == ("ready", None)
        assert parts(seen)[:-1] == parts(whole)
        assert list(what_was_asked(seen.answer)[1:-1]) == CAME_BACK[run]


@each_run
def test_a_join_reads_the_same(resuming: Client, run: str) -> None:
    seen = resuming.play(["send", run], ["join"], ["settle"])
    assert seen.joined == seen.chunks


def test_usage_arrives_as_it_was_reported(client: Client) -> None:
    usage = client.play(["send", "signed-reasoning"]).chunks[-1]["usage"]
    assert usage == {
        "promptTokens": 8,
        "completionTokens": 12,
        "totalTokens": 20,
        "cachedTokens": 3,
        "reasoningTokens": 9,
        "cacheWriteTokens": 5,
    }


@pytest.mark.parametrize("run", [run for run in CAME_BACK if "call" in run])
def test_an_answer_that_asks_for_a_tool_is_an_error_where_tools_have_no_word(
    clients: Node, base: str, run: str
) -> None:
    scenario = {"generation": "rais", "url": f"{base}/api/chat/rais", "sends": [run]}
    seen = clients.begin(scenario, lambda result: result).result()
    assert seen["error"] == "The model asked for a tool that cannot be run here."
