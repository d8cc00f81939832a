"""The official SDKs' own types as the judge of a request's body."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from pydantic import BaseModel, TypeAdapter


def as_typed(kind: Any, body: Any) -> Any:
    """The body as far as the SDK's type knows it: fields of no known name are gone. Raises where a value is wrong."""
    return _plain(_adapter(kind).validate_python(body))


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    # building one takes long, and it must outlive what it reads lazily
    return TypeAdapter(kind)


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return _plain(value.model_dump(exclude_unset=True))
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    # pydantic looks into an iterable only while it is read
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple | Iterator) else value
