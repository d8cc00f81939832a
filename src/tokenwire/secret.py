"""A string that does not show itself."""

import hmac
from typing import Any, NoReturn, Self
from weakref import WeakValueDictionary

# by identity, not by value: of two equal secrets the second has to be known when the first is gone
_alive: "WeakValueDictionary[int, Secret]" = WeakValueDictionary()


class Secret:
    """Holds a key so that no repr, str, f-string, JSON or pickle shows it. ``reveal`` is the only way out.

    Equal to a secret of the same value, which takes as long to find out wherever they differ. While it is alive, the
    redactor (:mod:`tokenwire.observe.redaction`) knows it.
    """

    __slots__ = ("__weakref__", "_value")

    def __init__(self, value: str) -> None:
        self._value = value
        _alive[id(self)] = self

    def reveal(self) -> str:
        """The value itself, for the one place that sends it."""
        return self._value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(_bytes(self), _bytes(other))

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return "Secret(****)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret does not leave the process")

    __getstate__ = __reduce__


def living() -> list[Secret]:
    """Every secret that somebody holds at this moment."""
    # a list at once: whoever logs in another thread may make a secret while this one looks
    return [secret for reference in _alive.valuerefs() if (secret := reference()) is not None]


def _bytes(secret: Secret) -> bytes:
    return secret.reveal().encode(errors="surrogatepass")
