"""A model as the operator configures it: a name, and where it may be asked."""

from typing import NamedTuple

from ..providers.base import Target

RETRIES = 2
"""How often a target is asked again where the configuration does not say."""


class Choice(NamedTuple):
    """A target, and how often it is the first to be asked, as compared to the others.

    With weight 0 it is asked only when the others have failed.
    """

    target: Target
    weight: float = 1
    retries: int = RETRIES
    """How often it is asked again after a failure that may pass by itself."""


class Model(NamedTuple):
    """A name that requests may ask for."""

    name: str
    choices: tuple[Choice, ...]
    description: str = ""

    @property
    def first(self) -> Target:
        """The target that stands first."""
        return self.choices[0].target

    @property
    def targets(self) -> tuple[Target, ...]:
        """All of them, as they stand."""
        return tuple(choice.target for choice in self.choices)
