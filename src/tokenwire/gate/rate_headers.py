"""The ``RateLimit`` and ``RateLimit-Policy`` fields (draft-ietf-httpapi-ratelimit-headers-10).

Rates and slots alone: what is left of a budget concerns whoever pays, who asks ``GET /usage``.
"""

import math
from collections.abc import Sequence

from ..accounts.claim import Budget, Rate, Verdict
from .limit import Limit

_UNITS = {"requests": "", "tokens": ';qu="tokens"', "runs": ';qu="concurrent-requests"'}


def rate_headers(limits: Sequence[Limit], verdict: Verdict) -> dict[str, str]:
    """The fields for a verdict about limits; none where none of them is a rate or a slot."""
    policies, standings = [], []
    for limit, standing in zip(limits, verdict.standings, strict=True):
        if isinstance(limit.claim, Budget):
            continue
        name = f'"{limit.unit}-per-{limit.kind}"'
        if isinstance(limit.claim, Rate):
            policies.append(f"{name};q={standing.limit}{_UNITS[limit.unit]};w={limit.claim.seconds:.0f}")
            standings.append(f"{name};r={standing.remaining};t={math.ceil(standing.reset)}")
        else:
            policies.append(f"{name};q={standing.limit}{_UNITS[limit.unit]}")
            standings.append(f"{name};r={standing.remaining}")
    if not policies:
        return {}
    return {"ratelimit-policy": ", ".join(policies), "ratelimit": ", ".join(standings)}
