"""What a question may take: rates, slots and budgets of whoever asks, as one set of claims."""

import math
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import msgspec

from ..accounts.claim import Claim, Rate, Slot, Standing, Verdict
from ..config.accounts import Budget as BudgetTable
from ..config.accounts import Budgets, Rates
from ..config.accounts import Rate as RateTable
from ..errors import Code, Refusal
from ..observe.limits import limits_hit
from .budget import MICRO, budget_claims
from .limit import Limit
from .principal import Principal
from .rate_headers import rate_headers

SLOT_SECONDS = 15.0
"""How long a slot is held for somebody who is not heard of any more."""
_MINUTE = 60.0

_Table = TypeVar("_Table", RateTable, BudgetTable)


class Asker(NamedTuple):
    """Who asks, and from where."""

    principal: Principal
    address: str


class Admission:
    """The limits that a configuration and the askers' own scopes set."""

    def __init__(self, rates: Rates, budgets: Budgets) -> None:
        self._rates = rates
        self._budgets = budgets

    def limits(self, asker: Asker, holder: str, now: float) -> list[Limit]:
        """Everything that limits a question of this asker, still without what it costs.

        :param holder: by which name it will hold its slots.
        """
        found = []
        for kind, name, rate, budget in self._subjects(asker):
            whose = f"{kind}:{name}"
            if rate.requests_per_minute is not None:
                claim: Claim = Rate(f"requests:{whose}", rate.requests_per_minute, _MINUTE)
                found.append(Limit("requests", kind, claim))
            if rate.concurrent_runs is not None:
                claim = Slot(f"runs:{whose}", rate.concurrent_runs, holder, SLOT_SECONDS)
                found.append(Limit("runs", kind, claim))
            if rate.tokens_per_minute is not None:
                claim = Rate(f"tokens:{whose}", rate.tokens_per_minute, _MINUTE, 0)
                found.append(Limit("tokens", kind, claim))
            found += [
                Limit(unit, kind, claim, period.kind) for unit, period, claim in budget_claims(whose, budget, now)
            ]
        return found

    def _subjects(self, asker: Asker) -> list[tuple[str, str, RateTable, BudgetTable]]:
        principal, address = asker
        key, whole = (
            (self._rates.per_key, self._budgets.per_key),
            (self._rates.per_principal, self._budgets.per_principal),
        )
        subjects = []
        if principal.key is not None:
            subjects.append(("key", principal.key, *_scoped(*key, principal)))
        else:
            whole = _scoped(*whole, principal)
        return [*subjects, ("principal", principal.name, *whole), ("ip", address, self._rates.per_ip, BudgetTable())]


def refusal(limits: Sequence[Limit], verdict: Verdict, refused: int) -> Refusal:
    """What it means to a client that a verdict grants nothing, because of one of the limits."""
    limit, standing = limits[refused], verdict.standings[refused]
    code, reason = _reason(limit, standing)
    limits_hit(code)
    # all of them have to be granted: before the last one is, there is no use in trying
    wait = max(standing.retry for standing in verdict.standings)
    return Refusal(
        code,
        reason,
        retry_after=math.ceil(wait) if math.isfinite(wait) else None,
        headers=rate_headers(limits, verdict),
    )


def _reason(limit: Limit, standing: Standing) -> tuple[Code, str]:
    claim, per = limit.claim, _PER[limit.kind]
    if isinstance(claim, Slot):
        return Code.too_many_runs, f"Only {claim.limit} answers at once {per}. Wait for one to end, or stop it."
    if isinstance(claim, Rate):
        if math.isinf(standing.retry):
            return Code.rate_limited, f"This needs more than the {claim.limit} {limit.unit} a minute {per}."
        return Code.rate_limited, f"Only {claim.limit} {limit.unit} a minute {per}. Try again in a moment."
    dollars = f"{claim.limit / MICRO:,.6f}".rstrip("0").rstrip(".")
    allowed = f"${dollars}" if limit.unit == "dollars" else f"{claim.limit} tokens"
    return Code.budget_exhausted, f"The {limit.period}'s budget of {allowed} {per} is used up."


_PER = {"key": "for this key", "principal": "for you", "ip": "from this address"}


def _scoped(rate: RateTable, budget: BudgetTable, principal: Principal) -> tuple[RateTable, BudgetTable]:
    """The same, with what the principal's scopes say instead."""
    return _overridden(rate, principal), _overridden(budget, principal)


def _overridden(table: _Table, principal: Principal) -> _Table:
    said = {name: getattr(principal.scopes, name) for name in table.__struct_fields__}
    return msgspec.structs.replace(table, **{name: value for name, value in said.items() if value is not None})
