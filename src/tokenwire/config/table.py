"""What every table of the file is made of."""

import math
import re
from typing import Annotated, TypeVar
from urllib.parse import urlsplit

import msgspec

from ..errors import ConfigError
from .mistake import explain

Positive = Annotated[int, msgspec.Meta(ge=1)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]
Temperature = Annotated[float, msgspec.Meta(ge=0, le=2)]

_T = TypeVar("_T")


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table: unknown keys are errors, and so is ``inf``, which TOML knows as a number."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"{name} is {value:g}, which is no number to reckon with")


def convert(source: str, place: str, data: object, kind: type[_T]) -> _T:
    """A table of the file. Raises :class:`ConfigError` with the place of the first mistake."""
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        problem, _, within = str(error).partition(" - at `$")
        within = within.rstrip("`")
        place = f"{place}{within}".lstrip(".") or "top level"
        raise ConfigError(f"{source}: {place}: {explain(problem, kind, within)}") from None


def is_base_url(text: str) -> bool:
    """Whether it is an http or https address without user, query or fragment."""
    if not text.isascii() or not re.fullmatch(r"https?://[^/\s@?#]+(/[^\s?#]*)?", text):
        return False
    try:
        url = urlsplit(text)
        return bool(url.hostname) and url.port != 0
    except ValueError:
        return False
