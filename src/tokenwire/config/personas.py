"""Personas: what a request may ask to be answered as."""

from pathlib import Path

import msgspec

from ..errors import ConfigError
from ..gate.system_prompt import SystemPrompt, read_prompt
from .policy import PersonaPolicy
from .table import Positive, Table, Temperature


class PersonaTable(Table, frozen=True):
    """``[personas.NAME]``: a system prompt, and optionally a model and parameters of its own."""

    system: str | None = None
    system_file: str | None = None
    """In place of ``system``; relative to the configuration."""
    variables: dict[str, str] = msgspec.field(default_factory=dict)
    """Constants that the system prompt may name."""
    model: str | None = None
    temperature: Temperature | None = None
    max_tokens: Positive | None = None
    description: str = ""
    greeting: str = ""
    policy: PersonaPolicy = PersonaPolicy()


class Persona(msgspec.Struct, frozen=True, kw_only=True):
    """A persona whose system prompt was read and checked."""

    name: str
    system: SystemPrompt
    model: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    description: str = ""
    greeting: str = ""
    policy: PersonaPolicy = PersonaPolicy()


def persona_of(name: str, table: PersonaTable, folder: Path) -> Persona:
    """The persona that a table describes. Raises :class:`ConfigError`."""
    table.policy.check(f"personas.{name}.policy")
    place, text = _system(name, table, folder)
    try:
        system = read_prompt(text, table.variables)
    except ValueError as error:
        raise ConfigError(f"{place}: {error}") from None
    return Persona(
        name=name,
        system=system,
        model=table.model,
        temperature=table.temperature,
        max_tokens=table.max_tokens,
        description=table.description,
        greeting=table.greeting,
        policy=table.policy,
    )


def _system(name: str, table: PersonaTable, folder: Path) -> tuple[str, str]:
    """The system prompt as it is written, and where."""
    place = f"personas.{name}.system"
    if table.system_file is None:
        if table.system is None:
            raise ConfigError(f"personas.{name}: it needs a system or a system_file")
        return place, table.system
    place = f"{place}_file"
    if table.system is not None:
        raise ConfigError(f"{place}: there is a system as well")
    place = f"{place}: {table.system_file!r}"
    try:
        return place, (folder / table.system_file).read_text("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise ConfigError(f"{place}: not UTF-8") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in its name
        raise ConfigError(f"{place}: {getattr(error, 'strerror', None) or error}") from None
