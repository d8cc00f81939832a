"""Several targets behind one name, on real sockets."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from time import monotonic
from typing import Protocol
from uuid import uuid4

import pytest

from tokenwire.testing import Reply, ScriptedUpstream, ThreadedUpstream

from ..server import Server, served
from .client import PATIENCE, ask, get
from .wires import RAIS, TANSTACK

KEY = "sk-canary-4f1d9c0a7be25d83"
SECRET = "the upstream's own words"


class Mix(Protocol):
    """Starts a server whose model is ``upstream``, and ``other`` where that fails. The lines are of the tables."""

    def __call__(self, first: str = "", *, base_url: str = "", retries: int = 0, runs: str = "") -> Server: ...


@pytest.fixture
def other() -> Iterator[ThreadedUpstream]:
    """The model that stands in."""
    with ScriptedUpstream.in_thread(default=Reply(text=("Hi", " there"))) as other:
        yield other


@pytest.fixture
def mix(upstream: ThreadedUpstream, other: ThreadedUpstream, tmp_path: Path) -> Iterator[Mix]:
    with ExitStack() as stack:

        def start(first: str = "", *, base_url: str = "", retries: int = 0, runs: str = "") -> Server:
            file = tmp_path / "tokenwire.toml"
            file.write_text(f"""
[models.mix]
retries = {retries}

[[models.mix.targets]]
provider = "openai-compatible"
base_url = "{base_url or upstream.base_url}"
model = "first"
key_env = "FIRST_KEY"
{first}

[[models.mix.targets]]
provider = "vllm"
base_url = "{other.base_url}"
model = "second"
weight = 0

[runs]
{runs}
""")
            return stack.enter_context(served(tmp_path / "log", "--config", file, env={"FIRST_KEY": KEY}))

        yield start


def listed(server: Server) -> list[str]:
    """The model's status, and its targets'."""
    models = get(server.url, "/models").json["models"]
    assert "127.0.0.1" not in json.dumps(models)
    (model,) = models
    return [model["status"], *(f"{target['provider']} {target['status']}" for target in model["targets"])]


def text(server: Server) -> str:
    """What it answers."""
    return RAIS.text(ask(server.url, body=RAIS.body()).read())


FAILURES = {
    "it refuses": Reply(status=401, body=SECRET),
    "it is busy": Reply(status=429, headers={"retry-after": "60"}),
    "it broke": Reply(status=500, body=SECRET),
    "it does not like it": Reply(status=400, body=SECRET),
    "it is a web page": Reply(body=SECRET, headers={"content-type": "text/html"}),
    "it is no HTTP": Reply(raw=b"SSH-2.0-nonsense\r\n"),
    "it hangs up": Reply(raw=b""),
    "it ends before its first word": Reply(text=(), finish_reason=None, done=False),
    "it is cut off before its first word": Reply(text=["never"], hold="head", cut_at=180),
    "it has an error in place of its first word": Reply(text=["never"], error_after=0, error={"message": SECRET}),
}


@pytest.mark.parametrize("why", FAILURES)
def test_the_other_answers_where_the_first_has_said_nothing(
    upstream: ThreadedUpstream, other: ThreadedUpstream, mix: Mix, why: str
) -> None:
    upstream.reply(FAILURES[why])
    server = mix()
    with ask(server.url, body=RAIS.body()) as answer:
        upstream.received().release()
        body = answer.read()
    assert answer.status == 200
    assert RAIS.text(body) == "Hi there"
    assert RAIS.finished(body)
    assert [request.body["model"] for request in (*upstream.requests, *other.requests)] == ["first", "second"]
    log = server.log.read_text()
    assert "from openai-compatible/first" in log
    assert "trying vllm/second next" in log
    assert KEY not in log


def test_the_other_answers_where_nobody_is(mix: Mix, nowhere: str) -> None:
    assert text(mix(base_url=nowhere)) == "Hi there"


@pytest.mark.parametrize("timeouts", ["first_token = 0.1", "answer = 0.1"])
def test_the_other_answers_where_the_first_has_said_nothing_in_time(
    upstream: ThreadedUpstream, mix: Mix, timeouts: str
) -> None:
    upstream.say("never", hold=True)
    assert text(mix(f"timeouts = {{ {timeouts} }}")) == "Hi there"
    upstream.received().wait_closed()


BREAKS = {
    "an error": (Reply(text=["so", " far"], error_after=1, error={"message": SECRET}), ""),
    "an end": (Reply(text=["so"], finish_reason=None, done=False), ""),
    "a long silence": (Reply(text=["so", " far"], interval=600), "timeouts = { between_tokens = 0.1 }"),
    "too long an answer": (Reply(text=["so", " far"], interval=600), "timeouts = { answer = 0.5 }"),
}


@pytest.mark.parametrize("why", BREAKS)
def test_an_answer_that_has_begun_breaks_off_and_nobody_says_it_again(
    upstream: ThreadedUpstream, other: ThreadedUpstream, mix: Mix, why: str
) -> None:
    reply, first = BREAKS[why]
    upstream.reply(reply)
    body = ask(mix(first, retries=2).url, body=RAIS.body()).read()
    assert RAIS.text(body) == "so"
    assert (RAIS.failure(body) or "").startswith("The answer broke off")
    assert (len(upstream.requests), other.requests) == (1, [])
    assert SECRET.encode() not in body


def test_the_third_attempt_may_be_the_one(upstream: ThreadedUpstream, other: ThreadedUpstream, mix: Mix) -> None:
    upstream.reply(Reply(status=503), Reply(raw=b""), Reply(text=["at", " last"]))
    other.default = Reply(status=401)
    assert text(mix(retries=2)) == "at last"
    assert (len(upstream.requests), len(other.requests)) == (3, 1)


def test_where_everybody_fails_the_first_choice_is_heard(
    upstream: ThreadedUpstream, other: ThreadedUpstream, mix: Mix
) -> None:
    upstream.reply(Reply(status=429, headers={"retry-after": "60"}))
    other.default = Reply(status=400, body=SECRET)
    answer = ask(mix().url, body=RAIS.body())
    assert (answer.status, answer.headers["retry-after"]) == (429, "60")
    assert RAIS.told(answer) == "The model is busy. Try again in a moment."


def test_where_everybody_fails_late_it_is_told_in_the_stream(
    upstream: ThreadedUpstream, other: ThreadedUpstream, mix: Mix
) -> None:
    upstream.reply(Reply(status=503, hold="head"))
    other.default = Reply(status=401)
    with ask(mix().url, body=RAIS.body()) as answer:
        assert answer.status == 200
        upstream.received().release()
        assert RAIS.failure(answer.read()) == "The model could not be reached."


def test_a_filter_is_not_shopped_around(upstream: ThreadedUpstream, other: ThreadedUpstream, mix: Mix) -> None:
    upstream.reply(Reply(status=400, body={"error": {"code": "content_filter", "message": SECRET}}))
    answer = ask(mix().url, body=RAIS.body())
    assert (answer.status, RAIS.told(answer)) == (400, "The model's provider does not answer this.")
    assert other.requests == []


def test_a_target_that_keeps_failing_is_left_alone_until_it_answers_again(
    upstream: ThreadedUpstream, other: ThreadedUpstream, mix: Mix
) -> None:
    server = mix(runs="breaker_seconds = 0.2")
    assert listed(server) == ["ok", "openai-compatible ok", "vllm ok"]
    upstream.default = Reply(status=500)
    while listed(server)[0] == "ok":
        assert text(server) == "Hi there"
    assert len(upstream.requests) == 5
    upstream.default = Reply(text=["back"])
    patience = monotonic() + PATIENCE
    while listed(server) != ["degraded", "openai-compatible degraded", "vllm ok"]:
        assert monotonic() < patience
    assert text(server) == "back"
    assert listed(server) == ["ok", "openai-compatible ok", "vllm ok"]
    log = server.log.read_text()
    assert "openai-compatible/first is left alone" in log
    assert "openai-compatible/first answers again" in log


def test_a_question_that_nobody_is_asked_has_the_status_of_its_refusal(
    upstream: ThreadedUpstream, other: ThreadedUpstream, mix: Mix
) -> None:
    upstream.default = other.default = Reply(status=500)
    server = mix(runs="breaker_seconds = 60")
    while listed(server)[0] != "down":
        assert ask(server.url, body=RAIS.body()).status == 502
    asked = len(upstream.requests)
    answer = ask(server.url, body=RAIS.body())
    assert (answer.status, RAIS.told(answer)) == (502, "The model reported an error.")
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert len(upstream.requests) == asked


def test_a_stop_while_the_next_attempt_is_waited_for(
    upstream: ThreadedUpstream, other: ThreadedUpstream, mix: Mix
) -> None:
    upstream.reply(Reply(status=429, headers={"retry-after": "10"}))
    other.default = Reply(status=401)
    run_id = f"run-{uuid4()}"
    server = mix(retries=1)
    with ask(server.url, TANSTACK.path, TANSTACK.body(run_id=run_id)) as answer:
        assert answer.status == 200
        assert ask(server.url, f"/api/chat/runs/{run_id}/cancel").json["cancelled"]
        assert TANSTACK.last(answer.read())["type"] == "RUN_FINISHED"
    assert len(upstream.requests) == 1


def test_what_was_asked_of_one_provider_is_not_taken_to_another(
    upstream: ThreadedUpstream, other: ThreadedUpstream, mix: Mix
) -> None:
    upstream.reply(Reply(status=500))
    answer = ask(mix().url, body=RAIS.body(provider="openai-compatible"))
    assert answer.status == 502
    assert other.requests == []
