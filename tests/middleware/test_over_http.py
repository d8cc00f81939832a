"""Middleware in a running server: what a client sees of it, and what it is told of each run, whoever dies."""

import signal

import pytest

from tokenwire.testing import Reply, ThreadedUpstream

from ..over_http.client import ask
from ..over_http.wires import RAIS, TANSTACK, Wire, label
from .conftest import Start

WORDS = ("one ", "two ", "three")

on_both_wires = pytest.mark.parametrize("wire", [TANSTACK, RAIS], ids=label)


def types(wire: Wire, body: bytes) -> list[str]:
    return [message.event["type"] for message in wire.messages(body)]


@on_both_wires
def test_a_hook_that_throws_changes_no_byte_of_the_text(upstream: ThreadedUpstream, start: Start, wire: Wire) -> None:
    plain, throwing = start(), start("Throwing")
    bodies = []
    for server in (plain, throwing):
        upstream.say(*WORDS)
        bodies.append(ask(server.url, wire.path, wire.body()).read())
    assert [wire.text(body) for body in bodies] == ["".join(WORDS)] * 2
    assert types(wire, bodies[0])[-1] == types(wire, bodies[1])[-1]
    assert [outcome["kind"] for outcome in throwing.outcomes(2)] == ["finished", "finished"]
    assert throwing.log.read_text().count("RuntimeError: no ") == 2


@on_both_wires
def test_a_hook_that_rewrites_events_rewrites_what_is_read(
    upstream: ThreadedUpstream, start: Start, wire: Wire
) -> None:
    server = start("Shouting")
    upstream.say(*WORDS)
    assert wire.text(ask(server.url, wire.path, wire.body()).read()) == "ONE TWO THREE"
    assert server.outcomes(1)[0]["text"] == "ONE TWO THREE"


@on_both_wires
def test_a_guard_refuses_before_the_model_is_asked(upstream: ThreadedUpstream, start: Start, wire: Wire) -> None:
    server = start("Guarding")
    refused = ask(server.url, wire.path, wire.body("forbidden"))
    assert refused.status == 400
    assert b"Not that." in refused.read()
    broken = ask(server.url, wire.path, wire.body("broken"))
    assert broken.status == 500
    assert b"a guard" not in broken.read()
    assert upstream.requests == []
    upstream.say("yes")
    assert wire.text(ask(server.url, wire.path, wire.body("fine")).read()) == "yes"
    assert upstream.requests[0].body["messages"][-1]["content"] == "fine, please"
    assert len(server.outcomes(1)) == 1


def test_what_was_refused_by_the_model_has_an_outcome(upstream: ThreadedUpstream, start: Start) -> None:
    server = start()
    upstream.reply(Reply(status=401))
    assert ask(server.url, TANSTACK.path, TANSTACK.body(run_id="r")).status == 502
    (outcome,) = server.outcomes(1)
    assert (outcome["run"], outcome["kind"], outcome["code"]) == ("r", "failed", "upstream_auth")
    assert outcome["model"] == "small"


def test_a_run_that_is_cancelled_at_another_server_is_told_of_by_its_own(
    upstream: ThreadedUpstream, start: Start
) -> None:
    here, there = start(), start()
    upstream.say(*WORDS, hold=True)
    with ask(here.url, TANSTACK.path, TANSTACK.body(run_id="r")) as answer:
        upstream.received().step()
        answer.until(b"one ")
        assert ask(there.url, "/api/chat/runs/r/cancel").json["cancelled"] is True
        answer.read()
    (outcome,) = here.outcomes(1)
    assert (outcome["kind"], outcome["process"]) == ("cancelled", here.process.pid)


def test_the_runs_of_a_killed_server_are_lost_once(upstream: ThreadedUpstream, start: Start) -> None:
    """Two servers live on, and see them dead at the same time."""
    doomed, *living = start(), start(), start()
    runs = [f"r{number}" for number in range(4)]
    answers = []
    for run in runs:
        upstream.say(*WORDS, hold=True)
        answers.append(ask(doomed.url, TANSTACK.path, TANSTACK.body(run_id=run)))
        upstream.received(len(answers)).step()
        answers[-1].until(b"one ")
    doomed.kill()
    outcomes = doomed.outcomes(len(runs))
    for answer in answers:
        answer.close()
    for server in living:
        server.leave()
    assert doomed.outcomes() == outcomes
    assert sorted(outcome["run"] for outcome in outcomes) == runs
    assert {(outcome["kind"], outcome["code"], outcome["text"]) for outcome in outcomes} == {
        ("lost", "producer_lost", "one ")
    }
    assert {outcome["process"] for outcome in outcomes} <= {server.process.pid for server in living}


def test_the_runs_of_a_killed_server_are_lost_when_it_comes_back(upstream: ThreadedUpstream, start: Start) -> None:
    first = start()
    upstream.say(*WORDS, hold=True)
    with ask(first.url, TANSTACK.path, TANSTACK.body(run_id="r")) as answer:
        upstream.received().step()
        answer.until(b"one ")
        first.kill()
    assert [(outcome["run"], outcome["kind"]) for outcome in start().outcomes(1)] == [("r", "lost")]


def test_a_server_that_was_asleep_tells_nothing_of_what_another_has_ended(
    upstream: ThreadedUpstream, start: Start
) -> None:
    asleep, awake = start(), start()
    upstream.say(*WORDS, hold=True)
    with ask(asleep.url, TANSTACK.path, TANSTACK.body(run_id="r")) as answer:
        request = upstream.received()
        request.step()
        answer.until(b"one ")
        asleep.process.send_signal(signal.SIGSTOP)
        try:
            (outcome,) = awake.outcomes(1)
        finally:
            asleep.process.send_signal(signal.SIGCONT)
        request.release()
        answer.read()
    asleep.leave()
    assert awake.outcomes() == [outcome]
    assert (outcome["kind"], outcome["process"]) == ("lost", awake.process.pid)


def test_a_server_that_leaves_tells_of_what_it_ends(upstream: ThreadedUpstream, start: Start) -> None:
    server = start()
    upstream.say(*WORDS, hold=True)
    with ask(server.url, TANSTACK.path, TANSTACK.body(run_id="r")) as answer:
        upstream.received().step()
        answer.until(b"one ")
        answer.close()
        server.leave()
    (outcome,) = server.outcomes()
    assert (outcome["run"], outcome["kind"], outcome["text"]) == ("r", "failed", "one ")


def test_a_hook_that_hangs_holds_up_nobody(upstream: ThreadedUpstream, start: Start) -> None:
    server = start("Hanging")
    for number in range(3):
        upstream.say(*WORDS)
        answer = ask(server.url, TANSTACK.path, TANSTACK.body(run_id=f"r{number}")).read()
        assert TANSTACK.text(answer) == "".join(WORDS)
    assert len(server.outcomes(3)) == 3
