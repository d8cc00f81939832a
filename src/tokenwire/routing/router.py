"""Finds the source of an answer: which target of a model is asked, and what happens when it does not answer."""

from collections.abc import Iterable
from typing import Any

from ..providers.base import Prompt, with_defaults
from ..providers.call import ModelCall
from ..providers.codecs import CODECS
from ..providers.transport import Transport
from ..runs.run import Source
from .model import Model


class ModelRouter:
    """The models of this process.

    :param silence_seconds: after which an upstream that sends nothing at all has failed.
    """

    def __init__(self, models: Iterable[Model], transport: Transport, *, silence_seconds: float) -> None:
        self._models = {model.name: model for model in models}
        self._transport = transport
        self._silence_seconds = silence_seconds

    def source(self, model: Model, prompt: Prompt) -> Source:
        """A source that asks one of the model's targets."""
        target = model.first
        return ModelCall(
            CODECS[target.api],
            target,
            with_defaults(prompt, target),
            self._transport,
            silence_seconds=self._silence_seconds,
        )

    def listing(self) -> list[dict[str, Any]]:
        """What ``GET /models`` says of each."""
        return [{"name": model.name, "description": model.description} for model in self._models.values()]
