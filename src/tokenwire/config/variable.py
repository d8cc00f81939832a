"""The environment variables that a configuration names."""

import re
from collections.abc import Mapping

from ..errors import ConfigError


def variable(place: str, name: str, environ: Mapping[str, str]) -> str:
    """The value of a variable, empty where it is not set.

    Raises :class:`ConfigError` for what names none, without repeating it: it may be the secret that the variable
    should hold.
    """
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ConfigError(f"{place}: it is not the name of an environment variable")
    return environ.get(name, "")


def shown(name: str) -> str:
    """A variable in a message: some keys read like names, though not in capitals."""
    return f"the environment variable {name}" if name.isupper() else "the environment variable that it names"
