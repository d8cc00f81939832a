"""What may be spent, and whether it is remembered."""

from collections.abc import Iterator

import msgspec

from ..config import Config
from ..gate.price import Prices
from .finding import Finding, ok, problem, warning

CHECK = "spending"


def check(config: Config) -> Iterator[Finding]:
    """Budgets that are forgotten, and others who may ask without any limit."""
    budgets = _is_set(config.budgets)
    rates = _is_set(config.rates)
    if config.budgets.per_key.in_dollars or config.budgets.per_principal.in_dollars:
        for name in Prices(config.prices).unknown(config.models.values()):
            yield problem(
                CHECK,
                f"there are budgets in dollars, and models.{name} has no price",
                f"[models.{name}]",
                "price = { input = 1.0, output = 2.0 }   # dollars for a million tokens",
                why="The server will not start.",
            )
    if budgets and not config.store.shared:
        yield warning(
            CHECK,
            "budgets are counted in memory",
            'store = "sqlite:///runs.db"',
            why="Every restart begins them anew.",
        )
    elif config.auth.configured and not (budgets or rates):
        yield warning(
            CHECK,
            "others may ask, and nothing limits them",
            "[rates.per_principal]",
            "requests_per_minute = 20",
            "concurrent_runs = 4",
            "[budgets.per_principal]",
            "day_tokens = 200_000",
            why="One key, lost or in a loop, can spend all that yours are good for.",
        )
    else:
        yield ok(CHECK, "limits are set" if budgets or rates else "only this machine asks")


def _is_set(table: msgspec.Struct) -> bool:
    values = (getattr(table, name) for name in table.__struct_fields__)
    return any(_is_set(value) if isinstance(value, msgspec.Struct) else value is not None for value in values)
