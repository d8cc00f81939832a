"""What may be done with a call under way: abort and release, on every transport."""

import pytest

from tokenwire.providers.transport import Transport
from tokenwire.testing import ONE_WRITE, Reply, ScriptedUpstream

from .calls import RESPONSES, Heard, ask, call_to
from .conftest import MakeTransport

pytestmark = pytest.mark.anyio


async def test_an_abort_while_connecting_is_the_end_of_it(make_transport: MakeTransport, full: str) -> None:
    transport = make_transport(10)
    heard, other = Heard(), Heard()
    exchange = transport.send(call_to(full), heard)
    async with ScriptedUpstream() as upstream:
        transport.send(call_to(upstream), other)
        await other.over()
        exchange.abort()
        exchange.abort()
        await transport.close()
    assert heard.calls == []


async def test_an_abort_at_once_asks_nothing(transport: Transport, upstream: ScriptedUpstream) -> None:
    heard = Heard()
    transport.send(call_to(upstream), heard).abort()
    await ask(transport, upstream, Reply(body="Hi"))
    assert len(upstream.requests) == 1
    assert heard.calls == []


async def test_an_abort_closes_the_socket_and_nothing_more_is_heard(
    transport: Transport, upstream: ScriptedUpstream
) -> None:
    upstream.say("one", "two", hold=True)
    heard = Heard()
    exchange = transport.send(call_to(upstream), heard)
    request = await upstream.received()
    await request.step()
    await heard.until(lambda: b"one" in heard.content)
    before = list(heard.calls)
    exchange.abort()
    await request.wait_closed()
    exchange.abort()
    await ask(transport, upstream, Reply(body="Hi"))
    assert heard.calls == before
    assert upstream.connections == 2


async def test_what_is_paused_is_not_heard_until_it_is_resumed(
    transport: Transport, upstream: ScriptedUpstream
) -> None:
    content = "x" * 4_000_000
    upstream.reply(Reply(body=content))
    heard = Heard(lambda _: exchange.pause() if heard.calls == ["head", "body"] else None)
    exchange = transport.send(call_to(upstream), heard)
    await heard.until(lambda: "body" in heard.calls)
    for _ in range(5):
        await ask(transport, upstream, Reply(body="meanwhile"))
    assert heard.calls == ["head", "body"]
    exchange.resume()
    assert await heard.over() == "end"
    assert heard.content == content.encode()


@pytest.mark.parametrize("moment", ["head", "body"])
async def test_an_abort_from_inside_the_sink(transport: Transport, upstream: ScriptedUpstream, moment: str) -> None:
    upstream.say("one", "two", hold=True)
    heard = Heard(lambda call: exchange.abort() if call == moment else None)
    exchange = transport.send(call_to(upstream), heard)
    request = await upstream.received()
    await request.wait_closed()
    await ask(transport, upstream, Reply(body="Hi"))
    assert heard.calls == ["head", "body"][: 1 if moment == "head" else 2]


async def test_an_abort_from_inside_the_sink_at_the_very_end(transport: Transport, upstream: ScriptedUpstream) -> None:
    upstream.reply(Reply(raw=RESPONSES["length"], write_sizes=ONE_WRITE))
    heard = Heard(lambda call: exchange.abort() if call == "body" else None)
    exchange = transport.send(call_to(upstream), heard)
    await heard.until(lambda: "body" in heard.calls)
    await ask(transport, upstream, Reply(body="Hi"))
    assert heard.calls == ["head", "body"]


@pytest.mark.parametrize("late", ["abort", "release"])
async def test_what_is_over_has_no_hold_on_its_connection(
    transport: Transport, upstream: ScriptedUpstream, late: str
) -> None:
    upstream.reply(Reply(body="first"))
    upstream.say("second", hold=True)
    first, second = Heard(), Heard()
    exchange = transport.send(call_to(upstream), first)
    assert await first.over() == "end"
    transport.send(call_to(upstream), second)
    request = await upstream.received(2)
    getattr(exchange, late)()
    await request.step()
    request.release()
    assert await second.over() == "end"
    assert b"second" in second.content
    assert upstream.connections == 1


async def test_a_release_at_the_last_event_keeps_the_connection(
    transport: Transport, upstream: ScriptedUpstream
) -> None:
    heard = Heard(lambda _: exchange.release() if b"[DONE]" in heard.content else None)
    upstream.reply(Reply(text=("Hi",)))
    exchange = transport.send(call_to(upstream), heard)
    await heard.until(lambda: b"[DONE]" in heard.content)
    await ask(transport, upstream, Reply(body="Hi"))
    assert upstream.connections == 1
    assert heard.calls[-1] == "body"


async def test_what_follows_a_release_is_not_heard_and_the_connection_is_kept(
    transport: Transport, upstream: ScriptedUpstream
) -> None:
    upstream.reply(Reply(text=("one", "two"), hold=True), Reply(text=("other",), hold=True))
    heard, other = Heard(), Heard()
    exchange = transport.send(call_to(upstream), heard)
    request = await upstream.received()
    await request.step()
    await heard.until(lambda: b"one" in heard.content)
    before = list(heard.calls)
    transport.send(call_to(upstream), other)
    later = await upstream.received(2)
    exchange.release()
    request.release()
    await request.wait_finished()
    # what another connection brings after it is read after it
    later.release()
    assert await other.over() == "end"
    await ask(transport, upstream, Reply(body="Hi"))
    assert upstream.connections == 2
    assert heard.calls == before


async def test_a_released_answer_without_end_is_closed(transport: Transport, upstream: ScriptedUpstream) -> None:
    upstream.say("one", "two", hold=True)
    heard = Heard()
    exchange = transport.send(call_to(upstream), heard)
    request = await upstream.received()
    await request.step()
    await heard.until(lambda: b"one" in heard.content)
    before = list(heard.calls)
    exchange.release()
    await request.wait_closed()
    assert heard.calls == before


async def test_what_was_released_does_not_outlive_its_transport(
    make_transport: MakeTransport, upstream: ScriptedUpstream
) -> None:
    transport = make_transport(10)
    upstream.say("one", "two", hold=True)
    heard = Heard()
    exchange = transport.send(call_to(upstream), heard)
    request = await upstream.received()
    await request.step()
    await heard.until(lambda: b"one" in heard.content)
    exchange.release()
    await transport.close()
    request.release()
    await upstream.until(lambda: upstream.open == 0)
