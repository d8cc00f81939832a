"""Within which bounds a request may choose."""

from typing import Literal

from .table import Positive, Table, Temperature


class Policy(Table, frozen=True):
    """``[policy]``: within which bounds a request may choose."""

    refused: Literal["ignore", "reject"] = "ignore"
    temperature: tuple[Temperature, Temperature] = (0.0, 2.0)
    max_tokens: Positive = 32_768
