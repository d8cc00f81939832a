"""The row of a run that has ended: what it used, as far as anybody knows."""

from typing import NamedTuple

from ..accounts.entry import Counted, Entry
from ..errors import Code
from ..events import Usage
from ..gate.price import Prices
from ..runs.outcome import Outcome
from .estimate import Told
from .opening import Opening

_OURS = frozenset(
    {
        Code.abandoned,
        Code.answer_too_long,
        Code.budget_exhausted,
        Code.producer_lost,
        Code.shutting_down,
        Code.store_unavailable,
    }
)
"""Failures that a model which was asked has nothing to do with: it has read the prompt."""


class Used(NamedTuple):
    """The tokens of a run, and where the numbers are from."""

    usage: Usage
    counted: Counted


def used(outcome: Outcome, told: Told, prompt_tokens: int | None) -> Used:
    """What a run has used.

    A provider's report comes first. Without one, whatever was told is taken to have been made, and the prompt to have
    been read; but where the model's side failed before it had told anything, nobody knows.
    """
    reported = outcome.usage or Usage()
    if reported.prompt_tokens is not None and reported.completion_tokens is not None:
        return Used(reported, "reported")
    if outcome.kind == "failed" and not told.pieces and outcome.code not in _OURS:
        return Used(Usage(), "unknown")
    prompt = prompt_tokens if reported.prompt_tokens is None else reported.prompt_tokens
    completion = told.tokens if reported.completion_tokens is None else reported.completion_tokens
    return Used(Usage(prompt_tokens=prompt, completion_tokens=completion), "estimated")


def row(outcome: Outcome, opening: Opening | None, used: Used, cost: int | None, first_token: float | None) -> Entry:
    """The row.

    :param opening: ``None`` where another process began the run and nothing of that was kept.
    :param first_token: seconds from the start of the run.
    """
    ended = outcome.ended.timestamp()
    started = ended if opening is None else opening.started
    usage, run = used.usage, outcome.run
    return Entry(
        run_id=run.run_id,
        thread_id=run.thread_id,
        principal=run.principal,
        key=None if opening is None else opening.key,
        wire=run.wire,
        model_asked=(outcome.model or "") if opening is None else opening.model,
        model_served=outcome.served,
        outcome=outcome.kind,
        code=outcome.code,
        started=started,
        seconds=max(0.0, round(ended - started, 3)),
        first_token_seconds=first_token,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        cached_tokens=usage.cached_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        counted=used.counted,
        cost=cost,
    )


def cost_of(used: Used, prices: Prices, model: str, target: str | None) -> int | None:
    """What that costs, where both the tokens and the price are known."""
    tariff = prices.of(model, target)
    return None if tariff is None or used.counted == "unknown" else tariff.cost(used.usage)
