"""Bring your own key: a provider is asked with the key that a request brings, for one run, and nothing keeps it."""

from collections.abc import Container, Iterable, Mapping

import msgspec

from ..errors import ByokMissing, Code, Refusal
from ..routing.model import Choice, Model
from ..secret import Secret

MAX_KEY = 512
"""Characters of the longest key."""

_PREFIX = b"x-byok-"


def brought_keys(headers: Iterable[tuple[bytes, bytes]], providers: Container[str]) -> dict[str, Secret]:
    """The keys in a request's ``x-byok-PROVIDER`` headers, by provider; of others than ``providers`` none is looked at.

    Raises :class:`Refusal` (``bad_request``) for what is no key.
    """
    keys: dict[str, Secret] = {}
    for name, value in headers:
        if not name.startswith(_PREFIX):
            continue
        provider = name[len(_PREFIX) :].decode("latin-1")
        if provider not in providers:
            continue
        key = Secret(value.strip().decode("latin-1"))
        if provider in keys or not _is_key(key.reveal()):
            raise Refusal(Code.bad_request, f"What x-byok-{provider} holds is not a key.")
        keys[provider] = key
    return keys


def with_keys(model: Model, keys: Mapping[str, Secret]) -> Model:
    """The model as it can be asked with these keys: in place of the configured ones, and where there are none.

    Raises :class:`ByokMissing` where each of its targets needs a key that is not there.
    """
    if not keys and not any(choice.target.needs_key for choice in model.choices):
        return model
    choices = tuple(
        _with_key(choice, keys.get(choice.target.provider))
        for choice in model.choices
        if not choice.target.needs_key or choice.target.provider in keys
    )
    if model.choices and not choices:
        raise ByokMissing(model.first.provider)
    return model._replace(choices=choices)


def _with_key(choice: Choice, key: Secret | None) -> Choice:
    if key is None:
        return choice
    return choice._replace(target=msgspec.structs.replace(choice.target, key=key, needs_key=False, byok=True))


def _is_key(text: str) -> bool:
    return 0 < len(text) <= MAX_KEY and text.isascii() and text.isprintable() and " " not in text
