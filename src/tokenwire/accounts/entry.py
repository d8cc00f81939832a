"""One row of the ledger: a run, whatever became of it."""

from typing import Literal

import msgspec

Outcome = Literal["finished", "failed", "cancelled", "lost"]
Counted = Literal["reported", "estimated", "unknown"]


class Entry(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What one run cost. Money is in millionths of a dollar."""

    run_id: str
    thread_id: str
    principal: str
    key: str | None = None
    """The public part of the API key it was asked with, where it was one."""
    wire: str
    model_asked: str
    """As the configuration names it."""
    model_served: str | None = None
    """The target that answered: ``provider/model``; ``None`` where none did."""
    outcome: Outcome
    code: str | None = None
    """Why it failed, where it did."""
    started: float
    """Unix time."""
    seconds: float
    first_token_seconds: float | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    counted: Counted
    """Where the tokens are from: the provider's own report, our estimate of what was made, or nowhere."""
    cost: int | None = None
    """``None`` where no price is known."""
    byok: bool = False
    """Whether it was asked with a key that the request brought: that it cost us nothing is all we know."""
