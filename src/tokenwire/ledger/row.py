"""The row of a run that has ended: what it used, as far as anybody knows."""

from collections.abc import Sequence
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


class Spent(NamedTuple):
    """The tokens of a run, where the numbers are from, and what they cost."""

    usage: Usage
    counted: Counted
    cost: int | None
    """In millionths of a dollar; ``None`` where no price is known."""
    byok: bool = False
    """Whether it was asked with a key of the request's."""

    @property
    def tokens(self) -> int:
        """As budgets count them."""
        return (self.usage.prompt_tokens or 0) + (self.usage.completion_tokens or 0)

    @property
    def dollars(self) -> int | None:
        """As budgets count them: what nobody knows to have been used costs nothing."""
        return 0 if self.counted == "unknown" else self.cost


def spent_by(outcome: Outcome, told: Told, opening: Opening | None, prices: Prices) -> Spent:
    """What a run has used and cost.

    A provider's report comes first. Without one, whatever was told is taken to have been made, and the prompt to have
    been read; but where the model's side failed before it had told anything, nobody knows.

    :param opening: ``None`` where another process began the run and nothing of that was kept.
    """
    usage, counted = _used(outcome, told, None if opening is None else opening.prompt_tokens)
    target = outcome.served or (None if opening is None else opening.target)
    if opening is not None and target in opening.brought:
        return Spent(usage, counted, 0, byok=True)
    tariff = prices.of(_model(outcome, opening), target)
    return Spent(usage, counted, None if tariff is None or counted == "unknown" else tariff.cost(usage))


def added_up(parts: Sequence[Spent]) -> Spent:
    """What several calls have used and cost together. Of one that is unknown there is nothing to add."""
    known = [part for part in parts if part.counted != "unknown"]
    if parts and not known:
        return Spent(Usage(), "unknown", None)
    reported = all(part.counted == "reported" for part in parts)
    costs = [part.cost for part in known if part.cost is not None]
    return Spent(
        Usage(**{field: _sum([getattr(part.usage, field) for part in known]) for field in Usage.__struct_fields__}),
        "reported" if reported else "estimated",
        sum(costs) if len(costs) == len(known) else None,
    )


def row(outcome: Outcome, opening: Opening | None, spent: Spent, first_token: float | None) -> Entry:
    """The row.

    :param opening: as in :func:`spent_by`.
    :param first_token: seconds from the start of the run.
    """
    ended = outcome.ended.timestamp()
    started = ended if opening is None else opening.started
    usage, run = spent.usage, outcome.run
    return Entry(
        run_id=run.run_id,
        thread_id=run.thread_id,
        principal=run.principal,
        key=None if opening is None else opening.key,
        wire=run.wire,
        model_asked=_model(outcome, opening),
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
        counted=spent.counted,
        cost=spent.cost,
        byok=spent.byok,
    )


def _used(outcome: Outcome, told: Told, prompt_tokens: int | None) -> tuple[Usage, Counted]:
    reported = outcome.usage or Usage()
    if reported.prompt_tokens is not None and reported.completion_tokens is not None:
        return reported, "reported"
    if outcome.kind == "failed" and not told.pieces and outcome.code not in _OURS:
        return Usage(), "unknown"
    prompt = prompt_tokens if reported.prompt_tokens is None else reported.prompt_tokens
    completion = told.tokens if reported.completion_tokens is None else reported.completion_tokens
    return Usage(prompt_tokens=prompt, completion_tokens=completion), "estimated"


def _model(outcome: Outcome, opening: Opening | None) -> str:
    return (outcome.model or "") if opening is None else opening.model


def _sum(amounts: Sequence[int | None]) -> int | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if known or not amounts else None
