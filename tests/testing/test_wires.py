"""One upstream speaks all wires at once."""

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from tokenwire.testing import Reply, ScriptedUpstream, ThreadedUpstream, ToolCall

pytestmark = pytest.mark.anyio

MESSAGES = [{"role": "user", "content": "Hi"}]
ASKS: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"model": "m", "messages": MESSAGES, "stream": True},
    "/v1/responses": {"model": "m", "input": "Hi", "stream": True},
    "/v1/messages": {"model": "m", "messages": MESSAGES, "max_tokens": 9, "stream": True},
    "/v1beta/models/m:streamGenerateContent?alt=sse": {"contents": [{"parts": [{"text": "Hi"}]}]},
    "/api/chat": {"model": "m", "messages": MESSAGES},
}


@pytest.fixture
async def http(upstream: ScriptedUpstream) -> Any:
    async with httpx.AsyncClient(base_url=upstream.origin, timeout=10) as client:
        yield client


async def test_one_queue_answers_whoever_asks(upstream: ScriptedUpstream, http: httpx.AsyncClient) -> None:
    upstream.reply(*[Reply(text=(f"word-{number}",)) for number in range(len(ASKS))])
    for number, (url, body) in enumerate(ASKS.items()):
        answer = await http.post(url, json=body)
        assert answer.status_code == 200
        assert f"word-{number}" in answer.text
    assert [request.path for request in upstream.requests] == [url.partition("?")[0] for url in ASKS]
    assert [request.body for request in upstream.requests] == list(ASKS.values())


@pytest.mark.parametrize("url", ASKS)
async def test_a_cut_leaves_exactly_that_many_bytes_of_any_wire(
    upstream: ScriptedUpstream, http: httpx.AsyncClient, url: str
) -> None:
    call = ToolCall("c", "clock", ("{", "}"))
    reply = Reply(reasoning=("a",), text=("b", "c"), tool_calls=(call,), signature="c2ln", framing="close")
    upstream.reply(reply)
    async with http.stream("POST", url, json=ASKS[url]) as answer:
        head = sum(len(name) + len(value) + 4 for name, value in answer.headers.raw) + len("HTTP/1.1 200 OK\r\n\r\n")
        whole = await answer.aread()
    assert upstream.requests[0].sent == reply.deltas == 5
    for offset in (0, 1, len(whole) // 2, len(whole) - 1):
        upstream.requests.clear()  # they are numbered in their answers
        upstream.reply(replace(reply, cut_at=head + offset, write_sizes=(17,)))
        assert (await http.post(url, json=ASKS[url])).content == whole[:offset]


@pytest.mark.parametrize("url", ASKS)
async def test_a_body_may_stand_in_for_the_answer_of_any_wire(
    upstream: ScriptedUpstream, http: httpx.AsyncClient, url: str
) -> None:
    upstream.reply(Reply(body={"mine": 1}), Reply(status=503, body="<h1>Down</h1>"))
    assert (await http.post(url, json=ASKS[url])).json() == {"mine": 1}
    assert (await http.post(url, json=ASKS[url])).text == "<h1>Down</h1>"


@pytest.mark.parametrize("url", ASKS)
async def test_what_is_no_request_of_a_wire_takes_no_reply(
    upstream: ScriptedUpstream, http: httpx.AsyncClient, url: str
) -> None:
    upstream.say("kept")
    refused = await http.post(url, content=b"{")
    assert refused.status_code == 400
    assert refused.json()["error"]
    assert "kept" in (await http.post(url, json=ASKS[url])).text


async def test_other_paths_and_methods_are_unknown(upstream: ScriptedUpstream, http: httpx.AsyncClient) -> None:
    for method, url in (("GET", "/v1/messages"), ("POST", "/v1beta/models/m:embedContent"), ("POST", "/api/generate")):
        refused = await http.request(method, url)
        assert refused.status_code == 404
        assert url in refused.json()["error"]["message"]


def test_a_threaded_upstream_speaks_them_too() -> None:
    with ScriptedUpstream.in_thread() as upstream:
        assert isinstance(upstream, ThreadedUpstream)
        assert upstream.base_url == f"{upstream.origin}/v1"
        upstream.say("Hel", "lo")
        answer = httpx.post(f"{upstream.origin}/api/chat", json=ASKS["/api/chat"])
    said = [json.loads(line)["message"]["content"] for line in answer.text.splitlines()]
    assert said == ["Hel", "lo", ""]
