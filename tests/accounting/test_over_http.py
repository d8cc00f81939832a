"""Limits as clients see them."""

import time

import pytest

from tokenwire.testing import Reply

from ..accounts.stores import KINDS, Kind
from ..over_http.client import PATIENCE, Answer, ask, get
from ..over_http.web_socket import Socket
from ..over_http.wires import LEGACY, RAIS, TANSTACK, WIRES, Wire, label
from ..runs.redis_server import RedisServer
from ..server import Server
from .served import Limited, total, usage

on_every_wire = pytest.mark.parametrize("wire", WIRES, ids=label)
on_every_store = pytest.mark.parametrize("kind", KINDS)

ONE_A_MINUTE = "[rates.per_principal]\nrequests_per_minute = 1\n"
ONE_AT_ONCE = "[rates.per_ip]\nconcurrent_runs = 1\n"


def granted(server: Server, wire: Wire) -> Answer:
    """The answer to a question, asked until it is granted: a slot is free a moment after the answer's end."""
    give_up = time.monotonic() + PATIENCE
    while (answer := ask(server.url, wire.path, wire.body())).status == 429:
        assert time.monotonic() < give_up
    return answer


@on_every_wire
def test_a_refusal_is_told_in_the_words_of_its_wire(limited: Limited, wire: Wire) -> None:
    server = limited.start(ONE_A_MINUTE)
    limited.upstream.say("one")
    with ask(server.url, wire.path, wire.body()) as first:
        assert first.headers["ratelimit-policy"] == '"requests-per-principal";q=1;w=60'
        assert first.headers["ratelimit"] == '"requests-per-principal";r=0;t=60'
        assert wire.text(first.read()) == "one"
    second = ask(server.url, wire.path, wire.body())
    assert second.status == 429
    assert 50 < int(second.headers["retry-after"]) <= 61
    assert second.headers["ratelimit"].startswith('"requests-per-principal";r=0;t=')
    assert wire.told(second) == "Only 1 requests a minute for you. Try again in a moment."
    assert len(limited.upstream.requests) == 1


def test_a_refusal_on_a_socket_is_the_only_event_of_its_run(limited: Limited) -> None:
    server = limited.start(ONE_A_MINUTE)
    limited.upstream.say("one")
    with Socket(server.url) as socket:
        socket.send(TANSTACK.body(run_id="first"))
        assert socket.until("RUN_FINISHED")
        socket.send(TANSTACK.body(run_id="second"))
        socket.until("RUN_ERROR")
        error = socket.messages[-1].event
    assert (error["runId"], error["code"]) == ("second", "rate_limited")


@on_every_store
def test_whoever_attaches_resumes_joins_or_cancels_takes_nothing(limited: Limited, kind: Kind) -> None:
    server = limited.start(ONE_A_MINUTE + "\n" + ONE_AT_ONCE)
    limited.upstream.say("one ", "two", hold=True)
    question = TANSTACK.body(run_id="r")
    with ask(server.url, TANSTACK.path, question) as first:
        limited.upstream.received().step()
        first.until(b"one ")
        offset = str(TANSTACK.messages(first.body)[0].id)
        with ask(server.url, TANSTACK.path, question) as attached:
            assert attached.status == 200
        with ask(server.url, TANSTACK.path, question, {"last-event-id": offset}) as resumed:
            assert resumed.status == 200
        with get(server.url, f"{TANSTACK.path}?offset=-1&runId=r") as joined:
            assert joined.status == 200
        assert ask(server.url, "/api/chat/runs/r/cancel").json == {"runId": "r", "cancelled": True}
        first.read()
    assert ask(server.url, TANSTACK.path, TANSTACK.body()).status == 429
    assert total(server, 1)["runs"] == 1


@on_every_store
@pytest.mark.parametrize("end", ["finish", "cancel", "leave", "fail"])
def test_a_slot_is_free_again_whatever_the_end(limited: Limited, kind: Kind, end: str) -> None:
    server = limited.start(ONE_AT_ONCE)
    limited.upstream.reply(Reply(text=("one ", "two"), hold=True, error_after=1 if end == "fail" else None))
    with ask(server.url, TANSTACK.path, TANSTACK.body(run_id="r")) as first:
        limited.upstream.received().step()
        first.until(b"one ")
        second = ask(server.url, RAIS.path, RAIS.body())
        assert second.status == 429
        assert RAIS.told(second) == "Only 1 answers at once from this address. Wait for one to end, or stop it."
        if end == "cancel":
            ask(server.url, "/api/chat/runs/r/cancel")
        elif end != "leave":
            limited.upstream.received().release()
        if end != "leave":
            first.read()
    limited.upstream.say("again")
    assert RAIS.text(granted(server, RAIS).read()) == "again"
    told = total(server, 2)
    assert told["estimated"] == (0 if end == "finish" else 1)
    assert told["completionTokens"] == 1 + (2 if end == "finish" else 1)


@on_every_store
def test_a_budget_ends_an_answer_where_it_stands(limited: Limited, kind: Kind) -> None:
    # the question is estimated at 5 tokens, the answer is paid for in steps of 4
    server = limited.start("[budgets.per_principal]\nday_tokens = 14\n")
    limited.upstream.say(*["a "] * 30, hold=True)
    with ask(server.url, TANSTACK.path, TANSTACK.body()) as answer:
        request = limited.upstream.received()
        for number in range(1, 9):
            request.step()
            answer.until(b'"a "', number)
        body = answer.read()
    assert TANSTACK.text(body) == "a " * 8
    assert TANSTACK.failure(body) == "The answer was stopped: the budget is used up."
    assert TANSTACK.last(body)["code"] == "budget_exhausted"
    request.wait_closed()
    told = total(server, 1)
    assert told["completionTokens"] >= 8
    refused = ask(server.url, RAIS.path, RAIS.body())
    assert refused.status == 402
    assert int(refused.headers["retry-after"]) <= 24 * 3600 + 1
    assert RAIS.told(refused) == "The day's budget of 14 tokens for you is used up."


def test_behind_a_trusted_proxy_each_of_its_clients_has_limits_of_its_own(limited: Limited) -> None:
    tables = '[rates.per_ip]\nrequests_per_minute = 1\n[server]\ntrusted_proxies = ["127.0.0.0/8"]\n'
    server = limited.start(tables)

    def status(said: str) -> int:
        with ask(server.url, RAIS.path, RAIS.body(), {"x-forwarded-for": said}) as answer:
            return answer.status

    assert status("203.0.113.1") == 200
    assert status("198.51.100.1, 203.0.113.1") == 429
    assert status("203.0.113.2") == 200


@pytest.mark.parametrize(
    ("limit", "wire", "content", "status"),
    [
        ("characters = 20", RAIS, "x" * 21, 413),
        ("message_characters = 20", LEGACY, "x" * 21, 413),
        ("tools = 2", TANSTACK, "tools", 413),
        ("depth = 2", TANSTACK, "x", 400),
    ],
)
def test_too_much_of_a_question_is_refused_before_it_costs_anything(
    limited: Limited, limit: str, wire: Wire, content: str, status: int
) -> None:
    server = limited.start(f"[limits]\n{limit}\n")
    question = wire.body(content) | {"tools": [{}] * (3 if content == "tools" else 2)}
    answer = ask(server.url, wire.path, question)
    assert answer.status == status
    assert wire.told(answer) if status == 413 else answer.json["error"]["code"] == "bad_json"
    assert limited.upstream.requests == []


def test_a_store_that_is_away_grants_nothing(limited: Limited, tmp_path_factory: pytest.TempPathFactory) -> None:
    with RedisServer(tmp_path_factory.mktemp("away")) as redis:
        server = limited._replace(store=redis.url).start(ONE_A_MINUTE)
        assert usage(server)["total"]["runs"] == 0
        redis.kill()
        refused = ask(server.url, RAIS.path, RAIS.body())
        assert refused.status == 503
        told = get(server.url, "/usage")
        assert (told.status, told.json["error"]["code"]) == (503, "store_unavailable")
        assert limited.upstream.requests == []
        redis.start()
        assert granted_after(server) == 200


def granted_after(server: Server) -> int:
    """The status of a question, once the store is heard of again."""
    give_up = time.monotonic() + PATIENCE
    while True:
        with ask(server.url, RAIS.path, RAIS.body()) as answer:
            if answer.status != 503 or time.monotonic() > give_up:
                return answer.status
        time.sleep(0.05)


def test_without_limits_there_is_no_ledger(limited: Limited) -> None:
    server = limited.serve('[models.small]\nprovider = "openai-compatible"\nbase_url = "{upstream}"\nmodel = "m"\n')
    with ask(server.url, RAIS.path, RAIS.body()) as answer:
        assert "ratelimit" not in answer.headers
    assert get(server.url, "/usage").status == 404
