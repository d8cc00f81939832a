"""Which configurations keep account of what."""

from pathlib import Path

import pytest

from tokenwire import events
from tokenwire.config import load
from tokenwire.errors import ConfigError
from tokenwire.ledger.accounting import Accounting
from tokenwire.ledger.estimate import prompt_tokens
from tokenwire.ledger.opened import opened_accounting
from tokenwire.messages import message
from tokenwire.middleware.stack import MiddlewareStack
from tokenwire.runs.log import RunInfo

pytestmark = pytest.mark.anyio

MODEL = '[models.small]\nprovider = "openai-compatible"\nbase_url = "http://127.0.0.1:9/v1"\nmodel = "m"\n'
RATES = "[rates.per_key]\nrequests_per_minute = 1\n"
DOLLARS = "[budgets.per_key]\nday_dollars = 1\n"


@pytest.mark.parametrize(
    ("tables", "known", "accounting", "ledger"),
    [
        ("", False, False, False),
        ("[accounting]\nledger = false\n", False, False, False),
        ("[accounting]\nledger = true\n", False, True, True),
        (RATES, False, True, True),
        (RATES + "[accounting]\nledger = false\n", False, True, False),
        ("[budgets.per_principal]\nday_tokens = 1\n", False, True, True),
        ("", True, True, True),
        ("[accounting]\nledger = false\n", True, True, False),  # what keys may is limited all the same
    ],
)
async def test_what_is_kept(tmp_path: Path, tables: str, known: bool, accounting: bool, ledger: bool) -> None:
    (file := tmp_path / "tokenwire.toml").write_text(tables + MODEL)
    async with opened_accounting(load(file, {}), MiddlewareStack(), known=known) as opened:
        assert (opened is not None) == accounting
        assert (opened is not None and opened.ledger) == ledger


@pytest.mark.parametrize("tables", [DOLLARS, "[budgets.per_principal]\nmonth_dollars = 1\n"])
async def test_a_budget_in_dollars_needs_a_price_of_every_model(tmp_path: Path, tables: str) -> None:
    (file := tmp_path / "tokenwire.toml").write_text(tables + MODEL)
    with pytest.raises(ConfigError, match=r"models\.small\.price"):
        async with opened_accounting(load(file, {}), MiddlewareStack(), known=False):
            pass
    file.write_text(tables + MODEL + "price = { input = 1, output = 2 }\n")
    async with opened_accounting(load(file, {}), MiddlewareStack(), known=False) as opened:
        assert isinstance(opened, Accounting)


@pytest.mark.parametrize(
    ("tables", "place"),
    [
        ('[server]\ntrusted_proxies = ["10.0.0.0/33"]\n', "server.trusted_proxies"),
        ('[server]\ntrusted_proxies = ["10.0.0.1/8"]\n', "server.trusted_proxies"),
        ('[server]\nclient_header = "x-real-ip"\n', "server.client_header"),
        ("[rates.per_key]\nrequests_per_minute = 0\n", "rates.per_key.requests_per_minute"),
        ("[rates]\nrequests_per_minute = 1\n", "rates"),
        ("[budgets.per_ip]\nday_tokens = 1\n", "budgets"),
        ("[budgets.per_key]\nday_dollars = -1\n", "budgets.per_key.day_dollars"),
        ("[accounting]\nstep_tokens = 0\n", "accounting.step_tokens"),
    ],
)
async def test_a_mistake_names_its_place(tmp_path: Path, tables: str, place: str) -> None:
    (file := tmp_path / "tokenwire.toml").write_text(tables + MODEL)
    with pytest.raises(ConfigError, match=place):
        load(file, {})


async def test_what_middleware_changes_is_what_is_counted_and_logged(tmp_path: Path) -> None:
    class Shouting:
        def on_event(self, _: RunInfo, event: events.Event) -> events.Event | None:
            if isinstance(event, events.TextMessageContent):
                return events.TextMessageContent(event.message_id, event.delta.upper())
            return None

    (file := tmp_path / "tokenwire.toml").write_text("[accounting]\nledger = true\n" + MODEL)
    async with opened_accounting(load(file, {}), MiddlewareStack([Shouting()]), known=False) as opened:
        assert opened is not None
        encode = opened.encoder(RunInfo("", "t", "r", "rais"))
        assert b'"delta":"HI"' in encode(events.TextMessageContent("m", "hi"))


async def test_an_estimate_of_a_prompt_is_never_nothing() -> None:
    assert prompt_tokens(()) == 1
    assert prompt_tokens((message("user", "x" * 40),)) == 14
    assert prompt_tokens((message("user", "日本" * 10),)) == 19
