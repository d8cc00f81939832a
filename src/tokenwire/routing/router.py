"""The models of this process, and their health."""

import asyncio
import random
from collections.abc import Callable, Iterable
from typing import Any

from ..providers.base import Prompt
from ..providers.transport import Transport
from ..runs.run import Source
from .attempts import Attempts, Patience
from .breaker import Rule
from .health import Health, Status
from .model import Model
from .watch import UNWATCHED, RouterWatch


class ModelRouter:
    """Finds whom to ask.

    :param silence_seconds: after which a target that sends nothing at all has failed.
    :param answer_seconds: after which an answer without end has failed, where its target does not say.
    :param retry_seconds: after which no target is asked again.
    :param breaker_seconds: for which a target is left alone when it has begun to fail every time.
    :param draw: gives numbers from 0 up to but not including 1.
    :param watch: looks on while models are asked.
    """

    def __init__(
        self,
        models: Iterable[Model],
        transport: Transport,
        *,
        silence_seconds: float,
        answer_seconds: float = 3600.0,
        retry_seconds: float = 15.0,
        breaker_seconds: float = Rule().seconds,
        draw: Callable[[], float] = random.random,
        watch: RouterWatch = UNWATCHED,
    ) -> None:
        self._models = tuple(models)
        self._transport = transport
        self._patience = Patience(silence_seconds, answer_seconds, retry_seconds)
        self._health = Health(Rule(seconds=breaker_seconds))
        self._draw = draw
        self._watch = watch

    def source(self, model: Model, prompt: Prompt) -> Source:
        """A source that asks the model's targets; a model of some of them is asked there alone."""
        return Attempts(model, prompt, self._transport, self._health, self._patience, self._draw, self._watch)

    def listing(self) -> list[dict[str, Any]]:
        """What ``GET /models`` says of each."""
        now = asyncio.get_running_loop().time()
        return [self._entry(model, now) for model in self._models]

    def _entry(self, model: Model, now: float) -> dict[str, Any]:
        statuses = [self._health.status(target, now) for target in model.targets]
        targets = [
            {"provider": target.provider, "status": status}
            for target, status in zip(model.targets, statuses, strict=True)
        ]
        return {
            "name": model.name,
            "description": model.description,
            "status": _overall(statuses),
            "targets": targets,
        }


def _overall(statuses: list[Status]) -> Status:
    """Of a model, by its targets'."""
    first, *others = dict.fromkeys(statuses)
    return "degraded" if others else first
