"""Targets that are told apart by their provider."""

from tokenwire.providers.base import Target
from tokenwire.routing.model import Choice


def target(provider: str, base_url: str = "http://model.example/v1") -> Target:
    return Target(name="mix", provider=provider, model="m", base_url=base_url)


def choice(provider: str, weight: float = 1, retries: int = 2) -> Choice:
    return Choice(target(provider), weight, retries)
