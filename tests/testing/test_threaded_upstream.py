"""The scripted upstream for tests without a loop."""

import threading
from collections.abc import Iterator

import openai
import pytest
from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam

from tokenwire.testing import Reply, ScriptedUpstream, ThreadedUpstream


@pytest.fixture
def upstream() -> Iterator[ThreadedUpstream]:
    with ScriptedUpstream.in_thread() as upstream:
        yield upstream


@pytest.fixture
def client(upstream: ThreadedUpstream) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=upstream.base_url, api_key="sk-test", max_retries=0, timeout=10) as client:
        yield client


MESSAGES: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hi"}]


def ask(client: openai.OpenAI) -> openai.Stream[ChatCompletionChunk]:
    return client.chat.completions.create(model="m", messages=MESSAGES, stream=True)


def deltas(chunks: openai.Stream[ChatCompletionChunk]) -> Iterator[str]:
    for chunk in chunks:
        yield from (choice.delta.content for choice in chunk.choices if choice.delta.content)


def test_replies_are_queued_and_requests_recorded(upstream: ThreadedUpstream, client: openai.OpenAI) -> None:
    upstream.say("Hel", "lo")
    upstream.reply(Reply(text=("again",)))
    upstream.default = Reply(text=("al", "ways"))
    said = [list(deltas(ask(client))) for _ in range(3)]
    assert said == [["Hel", "lo"], ["again"], ["al", "ways"]]
    request = upstream.received(3)
    request.wait_finished()
    assert (request.method, request.path, request.body["model"]) == ("POST", "/v1/chat/completions", "m")
    assert request.headers["authorization"] == "Bearer sk-test"
    assert (request.sent, request.finished, request.closed) == (2, True, None)
    assert [request.sent for request in upstream.requests] == [2, 1, 2]
    assert upstream.default.text == ("al", "ways")


def test_connections_are_counted(upstream: ThreadedUpstream, client: openai.OpenAI) -> None:
    assert (upstream.connections, upstream.open) == (0, 0)
    for _ in range(2):
        client.chat.completions.create(model="m", messages=MESSAGES)
    assert (upstream.connections, upstream.open) == (1, 1)
    client.close()
    upstream.until(lambda: upstream.open == 0)


def test_deltas_wait_for_the_test(upstream: ThreadedUpstream, client: openai.OpenAI) -> None:
    upstream.say("a", "b", "c", hold=True)
    with ask(client) as chunks:
        said = deltas(chunks)
        request = upstream.received()
        request.step(2)
        assert request.sent == 2
        assert [next(said), next(said)] == ["a", "b"]
        request.release()
        assert list(said) == ["c"]


def test_the_clients_close_is_seen(upstream: ThreadedUpstream, client: openai.OpenAI) -> None:
    upstream.say("a", hold=True)
    chunks = ask(client)
    request = upstream.received()
    chunks.close()
    assert request.wait_closed() == request.closed
    upstream.until(lambda: upstream.open == 0)
    with pytest.raises(RuntimeError, match="closed by the peer"):
        request.step()


def test_a_wait_in_vain_ends(upstream: ThreadedUpstream) -> None:
    with pytest.raises(TimeoutError, match="1 requests expected"):
        upstream.received(timeout=0)


def test_a_port_in_use_is_an_error_and_leaves_no_thread(upstream: ThreadedUpstream) -> None:
    port = int(upstream.base_url.rpartition(":")[2].partition("/")[0])
    before = threading.active_count()
    with pytest.raises(OSError, match="address"), ScriptedUpstream.in_thread(port):
        pass
    assert threading.active_count() == before


def test_leaving_frees_the_port(client: openai.OpenAI) -> None:
    with ScriptedUpstream.in_thread() as upstream:
        port = int(upstream.base_url.rpartition(":")[2].partition("/")[0])
        upstream.say("a", hold=True)
        chunks = ask(client.with_options(base_url=upstream.base_url))
        upstream.received()
    chunks.close()
    with ScriptedUpstream.in_thread(port) as upstream:
        assert list(deltas(ask(client.with_options(base_url=upstream.base_url)))) == ["Hello", ", ", "world"]
