"""Which wire a request speaks (docs/wires/tanstack.md 0 and 1, docs/wires/rais.md 2)."""

from .base import Wire
from .rais import RAIS
from .request import Envelope
from .tanstack import TANSTACK, TANSTACK_LEGACY

WIRES: dict[str, Wire] = {wire.name: wire for wire in (RAIS, TANSTACK, TANSTACK_LEGACY)}
"""Every wire by its name."""


def detect(envelope: Envelope) -> Wire:
    """The wire of a body.

    A ``runId`` makes it the newest TanStack client; ``data`` or messages with ``parts`` the legacy one; anything
    else is RAIS.
    """
    if envelope.run_id is not None:
        return TANSTACK
    if isinstance(envelope.data, dict) or any(row.parts is not None for row in envelope.messages or ()):
        return TANSTACK_LEGACY
    return RAIS


def detect_tanstack(envelope: Envelope) -> Wire:
    """The generation of a body that is known to be TanStack's."""
    return TANSTACK if envelope.run_id is not None else TANSTACK_LEGACY
