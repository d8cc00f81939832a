"""What was used, as operators and askers see it, whichever process and whatever end."""

import csv
import io
import json
import signal
from threading import Thread

import pytest

from tokenwire.testing import Reply

from ..accounts.stores import SHARED, Kind
from ..cli.command import tokenwire
from ..over_http.client import PATIENCE, ask, get
from ..over_http.wires import RAIS, TANSTACK
from ..server import Server
from .served import Limited, config_of, total, usage

on_every_shared_store = pytest.mark.parametrize("kind", SHARED)


@on_every_shared_store
def test_the_command_and_the_endpoint_say_the_same(limited: Limited, kind: Kind) -> None:
    server = limited.start()
    limited.upstream.reply(Reply(text=("one ", "two"), prompt_tokens=100))
    limited.upstream.reply(Reply(status=401))
    ask(server.url, RAIS.path, RAIS.body()).read()
    assert ask(server.url, RAIS.path, RAIS.body()).status == 502
    told = total(server, 2)
    assert (told["promptTokens"], told["completionTokens"], told["dollars"]) == (100, 2, 0.00012)
    assert (told["finished"], told["estimated"], told["unpriced"]) == (1, 1, 1)
    config = str(config_of(server))
    store = ["--store", limited.store]
    done = tokenwire("usage", "--config", config, *store, "--by", "model", "--format", "json")
    assert json.loads(done.stdout)["total"] == told
    rows = list(csv.DictReader(io.StringIO(tokenwire("usage", *store, "--format", "csv").stdout)))
    assert [row["runs"] for row in rows] == ["2"]
    table = tokenwire("usage", *store, "--by", "principal").stdout.splitlines()
    assert [line.split()[:2] for line in table[1:]] == [["-", "2"], ["total", "2"]]
    ok, failed = json.loads(tokenwire("usage", *store, "--rows", "--format", "json").stdout)["runs"]
    assert (ok["outcome"], ok["counted"], ok["dollars"]) == ("finished", "reported", 0.00012)
    assert (failed["outcome"], failed["code"], failed["dollars"]) == ("failed", "upstream_auth", None)
    for nothing in (["--principal", "eve"], ["--until", "2026-01-01"], ["--since", "2200-01-01"], ["--model", "x"]):
        assert json.loads(tokenwire("usage", *store, *nothing, "--format", "json").stdout)["total"]["runs"] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--store: name the store"),
        (("--store", "memory"), "--store: name the store"),
        (("--store", "sqlite:///no/such/file.db"), "there is no such file"),
        (("--since", "yesterday"), "'yesterday' is not a day such as 2026-11-21"),
        (("--store", "sqlite:///runs.db", "--rows"), "--rows: name a --format, csv or json"),
        (("--by", "week"), "invalid choice: 'week'"),
    ],
)
def test_a_mistake_in_use_is_one_line(arguments: tuple[str, ...], said: str) -> None:
    done = tokenwire("usage", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("query", ["by=week", "format=xml", "since=yesterday", "until="])
def test_a_query_that_means_nothing_is_refused(limited: Limited, query: str) -> None:
    answer = get(limited.start().url, f"/usage?{query}")
    assert (answer.status, answer.json["error"]["code"]) == (422, "bad_request")


def test_the_endpoint_speaks_csv_and_tables(limited: Limited) -> None:
    server = limited.start()
    assert get(server.url, "/usage?format=csv").read().decode().startswith("day,runs,finished,")
    assert get(server.url, "/usage?format=table").read().decode().splitlines()[-1].split()[:2] == ["total", "0"]


@on_every_shared_store
def test_a_run_of_a_killed_server_is_written_by_whoever_ends_it(limited: Limited, kind: Kind) -> None:
    here = limited.start()
    there = limited.start()
    limited.upstream.say("one ", "two ", "never", hold=True)
    with ask(here.url, TANSTACK.path, TANSTACK.body()) as answer:
        limited.upstream.received().step(2)
        answer.until(b"two ")
        here.process.kill()
    told = total(there, 1)
    # the question is known from the start, the answer from the log
    assert (told["promptTokens"], told["completionTokens"]) == (5, 2)
    assert (told["finished"], told["estimated"], told["dollars"]) == (0, 1, 0.000025)
    assert [line["group"] for line in usage(there, "by=model")["usage"]] == ["small"]


@on_every_shared_store
def test_what_a_killed_server_had_reserved_is_given_back(limited: Limited, kind: Kind) -> None:
    # a question takes 9 tokens, one more step 4: of 20 too few would be left for another question
    tables = "[budgets.per_principal]\nday_tokens = 20\n"
    here, there = limited.start(tables), limited.start(tables)
    limited.upstream.say("one ", "two ", "never", hold=True)
    with ask(here.url, TANSTACK.path, TANSTACK.body()) as answer:
        limited.upstream.received().step(2)
        answer.until(b"two ")
        refused = ask(there.url, RAIS.path, RAIS.body())
        assert refused.status == 402
        here.process.kill()
    assert total(there, 1)["completionTokens"] == 2
    limited.upstream.say("one")
    with ask(there.url, RAIS.path, RAIS.body()) as answer:
        assert RAIS.text(answer.read()) == "one"


@on_every_shared_store
def test_two_workers_on_one_budget_overspend_by_a_step_of_a_run_at_most(limited: Limited, kind: Kind) -> None:
    # a question is 5 tokens, a step 4, and the upstream does not report what it made
    limit, step = 60, 4
    tables = f"[budgets.per_principal]\nday_tokens = {limit}\n"
    servers = [limited.start(tables), limited.start(tables)]
    limited.upstream.default = Reply(text=["a "] * 200, interval=0.01, usage=False)
    bodies: list[bytes] = []

    def race(server: Server) -> None:
        with ask(server.url, TANSTACK.path, TANSTACK.body()) as answer:
            bodies.append(answer.read())

    threads = [Thread(target=race, args=(server,)) for server in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert [TANSTACK.last(body)["code"] for body in bodies] == ["budget_exhausted"] * 2
    told = total(servers[0], 2)
    used = told["promptTokens"] + told["completionTokens"]
    assert limit - 2 * step <= used <= limit + step


def test_what_is_still_being_told_when_a_server_leaves_is_written(limited: Limited) -> None:
    server = limited.start()
    limited.upstream.say("one ", "never", hold=True)
    with ask(server.url, TANSTACK.path, TANSTACK.body()) as answer:
        limited.upstream.received().step()
        answer.until(b"one ")
        server.process.send_signal(signal.SIGINT)
        server.process.wait(PATIENCE)
    done = json.loads(tokenwire("usage", "--store", limited.store, "--format", "json").stdout)
    assert (done["total"]["runs"], done["total"]["completionTokens"]) == (1, 1)
