"""Personas: what a request may ask to be answered as."""

from .table import Positive, Table, Temperature


class Persona(Table, frozen=True):
    """``[personas.NAME]``: a system prompt, and optionally a model and parameters of its own."""

    system: str
    model: str | None = None
    temperature: Temperature | None = None
    max_tokens: Positive | None = None
    description: str = ""
    greeting: str = ""
