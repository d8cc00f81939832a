"""What tokens cost, in millionths of a dollar: dollars for a million tokens are just that for one."""

import math
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Protocol

from ..config.accounts import Price
from ..events import Usage
from ..routing.model import Model

_PRICE_LISTS = {
    **{name: name for name in ("openai", "anthropic", "groq", "together", "openrouter", "mistral", "deepseek")},
    **{name: name for name in ("fireworks", "cerebras", "perplexity", "cohere", "azure")},
    "openai-responses": "openai",
    "gemini": "google",
    "xai": "x-ai",
    "moonshot": "moonshotai",
    "bedrock": "aws",
}
"""Whose price list applies to a provider. No others: the lists would be looked up by a name that is merely alike."""


class Tariff(Protocol):
    """What one model costs."""

    def cost(self, usage: Usage) -> int | None:
        """Of so many tokens, rounded up; ``None`` where that is not known."""


class OwnTariff:
    """A price of the operator's."""

    def __init__(self, price: Price) -> None:
        self._price = price

    def cost(self, usage: Usage) -> int:
        """See :class:`Tariff`."""
        price = self._price
        prompt, cached, written = usage.prompt_tokens or 0, usage.cached_tokens or 0, usage.cache_write_tokens or 0
        plain = max(0, prompt - cached - written)
        dollars = (
            plain * price.input
            + cached * (price.input if price.cached is None else price.cached)
            + written * (price.input if price.cache_write is None else price.cache_write)
            + (usage.completion_tokens or 0) * price.output
        )
        return math.ceil(round(dollars, 6))


class PublishedTariff:
    """The provider's published price, as the extra ``prices`` knows it."""

    def __init__(self, provider: str, model: str) -> None:
        self._list = _PRICE_LISTS.get(provider)
        self._model = model

    def cost(self, usage: Usage) -> int | None:
        """See :class:`Tariff`."""
        if self._list is None:
            return None
        try:
            from genai_prices import Usage as Counted
            from genai_prices import calc_price
        except ImportError:
            return None
        counted = Counted(
            input_tokens=usage.prompt_tokens,
            output_tokens=usage.completion_tokens,
            cache_read_tokens=usage.cached_tokens,
            cache_write_tokens=usage.cache_write_tokens,
        )
        try:
            price = calc_price(counted, model_ref=self._model, provider_id=self._list)
        except (LookupError, ValueError):
            return None
        return math.ceil(price.total_price * Decimal(1_000_000))


class FreeTariff:
    """What costs the operator nothing: a model on this machine, or one that is asked with somebody else's key."""

    def cost(self, _: Usage) -> int:
        """See :class:`Tariff`."""
        return 0


FREE = FreeTariff()


class Prices:
    """The tariffs of all models.

    :param own: by the models' names.
    """

    def __init__(self, own: Mapping[str, Price] | None = None) -> None:
        self._own = {name: OwnTariff(price) for name, price in (own or {}).items()}

    def of(self, model: str, target: str | None) -> Tariff | None:
        """The tariff of a model.

        :param target: ``provider/model`` of where it is, where that is known.
        """
        if own := self._own.get(model):
            return own
        if target is None:
            return None
        provider, _, name = target.partition("/")
        return FREE if provider == "local" else PublishedTariff(provider, name)

    def unknown(self, models: Iterable[Model]) -> list[str]:
        """The models of which nobody knows what an answer costs, at one of the targets at least that we pay for."""
        return [
            model.name
            for model in models
            if not all(
                target.needs_key or self._is_known(model.name, f"{target.provider}/{target.model}")
                for target in model.targets
            )
        ]

    def _is_known(self, model: str, target: str) -> bool:
        tariff = self.of(model, target)
        return tariff is not None and tariff.cost(Usage(prompt_tokens=1, completion_tokens=1)) is not None
