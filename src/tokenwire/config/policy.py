"""Within which bounds a request may choose: everywhere, of one model, as one persona."""

from typing import Literal

from ..errors import ConfigError
from .table import Positive, Table, Temperature

TemperatureRange = tuple[Temperature, Temperature]
"""The lowest and the highest."""

ClientSystem = Literal["auto", "keep", "drop"]
"""What becomes of a client's own system messages; ``auto`` keeps them where the operator has no system prompt."""


MediaUrlRule = Literal["public", "none", "any"]
"""Which addresses of images and other files reach a model: those of public hosts, none, or any at all."""


class Bounds(Table, frozen=True):
    """What every policy may bound. Of all that apply to a request, each has to allow what it asks for."""

    temperature: TemperatureRange | None = None
    max_tokens: Positive | None = None

    def check(self, place: str) -> None:
        """Raises :class:`ConfigError`."""
        if self.temperature is not None and self.temperature[0] > self.temperature[1]:
            raise ConfigError(f"{place}.temperature: the lower bound comes first")


class ModelPolicy(Bounds, frozen=True):
    """``[models.NAME.policy]``."""


class PersonaPolicy(Bounds, frozen=True):
    """``[personas.NAME.policy]``."""

    models: tuple[str, ...] | None = None
    """Which models a request may name beside the persona's own; ``None`` leaves that to ``[policy]``."""
    client_system: ClientSystem | None = None
    """Overrides that of ``[policy]``."""


class Policy(Bounds, frozen=True):
    """``[policy]``. A list that is ``None`` allows everything that is configured."""

    refused: Literal["ignore", "reject"] = "ignore"
    temperature: TemperatureRange = (0.0, 2.0)
    max_tokens: Positive = 32_768
    models: tuple[str, ...] | None = None
    providers: tuple[str, ...] | None = None
    personas: tuple[str, ...] | None = None
    client_system: ClientSystem = "auto"
    media_urls: MediaUrlRule = "public"
