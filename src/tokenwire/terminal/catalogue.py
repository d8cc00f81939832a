"""What a server offers: its models and personas."""

import asyncio
from collections.abc import Mapping
from typing import Literal

import msgspec

from ..client.errors import HttpError, ProtocolError
from ..client.fetch import FetchRequest, fetch
from .endpoint import Endpoint

Kind = Literal["model", "persona"]

_PATIENCE = 5.0
_MAX_BYTES = 1024 * 1024


class Choice(msgspec.Struct, frozen=True):
    """Something to ask for by its name."""

    name: str
    description: str = ""
    greeting: str = ""


class Catalogue(msgspec.Struct, frozen=True):
    """What ``GET /models`` answers; empty where nobody says what there is."""

    default: str = ""
    models: tuple[Choice, ...] = ()
    personas: tuple[Choice, ...] = ()

    def offers(self, kind: Kind) -> tuple[Choice, ...]:
        """What there is to choose from."""
        return self.models if kind == "model" else self.personas

    def default_of(self, kind: Kind) -> str:
        """What answers when nothing is chosen."""
        return self.default or "the server chooses" if kind == "model" else "none"

    def refusal(self, kind: Kind, name: str) -> str:
        """Why a name cannot be chosen; empty where it can, or where nobody says what there is."""
        names = [choice.name for choice in self.offers(kind)]
        if name in names or not self.models:
            return ""
        return f"The server offers no {kind} {name}. It offers {', '.join(names) or 'none'}."

    def greeting(self, kind: Kind, name: str) -> str:
        """What a persona says first."""
        return next((choice.greeting for choice in self.offers(kind) if choice.name == name), "")


async def read_catalogue(endpoint: Endpoint, headers: Mapping[str, str]) -> Catalogue:
    """The catalogue of the server; an empty one where it has none.

    :raises ConnectionLostError: there is no server.
    """
    url = endpoint.beside("models")
    if url is None:
        return Catalogue()
    data = b""
    try:
        async with (
            asyncio.timeout(_PATIENCE),
            fetch(FetchRequest("GET", url, dict(headers), connect_seconds=_PATIENCE)) as response,
        ):
            if response.status == 200:
                async for piece in response.body:
                    data += piece
                    if len(data) > _MAX_BYTES:
                        return Catalogue()
        return msgspec.json.decode(data, type=Catalogue)
    except (TimeoutError, HttpError, ProtocolError, msgspec.DecodeError):
        return Catalogue()
