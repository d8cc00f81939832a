"""A configuration, examined without serving it."""

from collections.abc import Callable, Iterable, Iterator

from ..config import Config
from . import access, keys, models, origins, privacy, spending, store, times
from .finding import Finding

CHECKS: tuple[Callable[[Config], Iterable[Finding]], ...] = (
    models.check,
    access.check,
    keys.check,
    origins.check,
    spending.check,
    store.check,
    times.check,
    privacy.check,
)


def examine(config: Config) -> Iterator[Finding]:
    """What each check finds. Nothing is changed, and no model is asked; a store is only looked at."""
    for check in CHECKS:
        yield from check(config)
