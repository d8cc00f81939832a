"""How the page follows a run, over a network that answers as each test says."""

from __future__ import annotations

from typing import Any

import pytest

from .browser import Page

FOLLOW = """async ([answers, joined]) => {
    const {Run} = await import(new URL("web/run.js", document.baseURI));
    const network = globalThis.fetch;
    const seen = {requests: [], events: [], connection: []};
    globalThis.fetch = async (url, {method = "GET", headers}) => {
        seen.requests.push([method, headers["Last-Event-ID"] ?? null]);
        const {status = 200, body} = answers.shift();
        if (body === undefined) throw new TypeError("network error");
        return new Response(body, {status});
    };
    try {
        await new Run("r", joined ? null : {}).follow({
            begin: () => seen.events.push("begin"),
            event: (event, offset) => seen.events.push([offset, event.type, event.delta ?? null]),
            connection: (state) => seen.connection.push(state),
        });
    } catch (failure) {
        seen.failure = [failure.message, failure.code, failure.resumable];
    } finally {
        globalThis.fetch = network;
    }
    return seen;
}"""

STARTED = 'id: r:1\ndata: {"type":"RUN_STARTED"}\n\n'
ONE = 'id: r:2\ndata: {"type":"TEXT_MESSAGE_CONTENT","delta":"one"}\n\n'
TWO = 'id: r:3\ndata: {"type":"TEXT_MESSAGE_CONTENT","delta":"two"}\n\n'
FINISHED = 'id: r:4\ndata: {"type":"RUN_FINISHED"}\n\n'
FINISHED_AGAIN = 'data: {"type":"RUN_FINISHED"}\n\n'

EVENTS = [
    "begin",
    ["r:1", "RUN_STARTED", None],
    ["r:2", "TEXT_MESSAGE_CONTENT", "one"],
    ["r:3", "TEXT_MESSAGE_CONTENT", "two"],
    ["r:4", "RUN_FINISHED", None],
]


def follow(modules: Page, *answers: dict[str, Any], joined: bool = False) -> dict[str, Any]:
    return dict(modules.call(FOLLOW, [answers, joined]))


def test_an_overlapping_replay_doubles_nothing(modules: Page) -> None:
    seen = follow(modules, {"body": STARTED + ONE}, {"body": STARTED + ONE + TWO + FINISHED})
    assert seen["events"] == EVENTS
    assert seen["requests"] == [["POST", None], ["POST", "r:2"]]
    assert seen["connection"] == ["lost", "open"]


def test_half_an_event_is_read_again(modules: Page) -> None:
    seen = follow(modules, {"body": STARTED + ONE + TWO[:-1]}, {"body": TWO + FINISHED})
    assert seen["events"] == EVENTS
    assert seen["requests"][1] == ["POST", "r:2"]


def test_what_follows_the_end_is_not_read(modules: Page) -> None:
    seen = follow(modules, {"body": STARTED + ONE + TWO + FINISHED + FINISHED_AGAIN})
    assert seen["events"] == EVENTS


def test_an_end_told_without_an_offset_is_the_end(modules: Page) -> None:
    seen = follow(modules, {"body": STARTED + ONE + TWO}, {"body": FINISHED_AGAIN})
    assert seen["events"] == [*EVENTS[:4], [None, "RUN_FINISHED", None]]


def test_a_join_resumes_as_a_join(modules: Page) -> None:
    seen = follow(modules, {}, {"body": STARTED + ONE}, {"body": TWO + FINISHED}, joined=True)
    assert seen["events"] == EVENTS
    assert seen["requests"] == [["GET", None], ["GET", None], ["GET", "r:2"]]


def test_a_proxy_whose_server_restarts_is_waited_for(modules: Page) -> None:
    seen = follow(modules, {"body": STARTED + ONE}, {"status": 503, "body": ""}, {"body": TWO + FINISHED})
    assert seen["events"] == EVENTS


@pytest.mark.parametrize(
    ("answers", "failure"),
    [
        (
            [{"status": 400, "body": '{"error":{"code":"refused_choice","message":"Not on offer."}}'}],
            ["Not on offer.", "refused_choice", False],
        ),
        ([{"status": 502, "body": "<html>"}], ["The server refused the request (502).", "502", False]),
        ([{}], ["The server cannot be reached.", "unreachable", True]),
        (
            [{"body": STARTED}, {"status": 404, "body": "{}"}],
            ["The server no longer has this answer.", "not_found", False],
        ),
        ([{"body": "data: {\n\n"}], ["The server sent something that is not an event.", "bad_event", False]),
        ([{"body": "data: null\n\n"}], ["The server sent something that is not an event.", "bad_event", False]),
    ],
    ids=["refused", "refused-by-proxy", "unreachable", "gone", "not-json", "not-an-event"],
)
def test_a_run_that_cannot_be_followed_says_why(
    modules: Page, answers: list[dict[str, Any]], failure: list[Any]
) -> None:
    assert follow(modules, *answers)["failure"] == failure
