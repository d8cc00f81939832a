"""Where a chat is, and how it is spoken there."""

import re
from dataclasses import dataclass
from typing import Literal, get_args
from urllib.parse import SplitResult, urlsplit

from ..errors import ConfigError

Wire = Literal["auto", "tanstack", "tanstack-legacy", "rais"]
Transport = Literal["sse", "ndjson", "ws"]
WIRES: tuple[Wire, ...] = get_args(Wire)
TRANSPORTS: tuple[Transport, ...] = get_args(Transport)

_PATHS: dict[Transport, str] = {"sse": "", "ndjson": "/ndjson", "ws": "/ws"}
_OURS = re.compile(r"(.*/)api/chat(/ndjson|/ws|/rais|/tanstack)?")
_SPOKEN: dict[Wire, tuple[Transport, ...]] = {
    "auto": TRANSPORTS,
    "tanstack": TRANSPORTS,
    "tanstack-legacy": ("sse", "ndjson"),
    "rais": ("sse", "ws"),
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address of a chat."""

    url: str
    wire: Wire
    transport: Transport
    root: str | None
    """Where a tokenwire server has its other addresses, if this looks like one; ends with a slash."""

    def beside(self, path: str) -> str | None:
        """Another address of the server."""
        return None if self.root is None else self.root + path


def endpoint(address: str, wire: Wire = "auto", transport: Transport | None = None) -> Endpoint:
    """The endpoint that a person means.

    The address of a server (no path, or one that ends with a slash) stands for its ``api/chat``; any other is taken as
    it is. A transport that is not given is what the address says, else SSE.

    :raises ConfigError: it is no address, or the wire does not go over the transport.
    """
    parts = _parsed(address)
    path = parts.path or "/"
    transport = transport or _transport(parts)
    if path.endswith("/"):
        path += f"api/chat{_PATHS[transport]}"
    if transport not in _SPOKEN[wire]:
        raise ConfigError(f"--wire {wire} goes over {' and '.join(_SPOKEN[wire])}, not over {transport}")
    secure = parts.scheme in ("https", "wss")
    scheme = ("wss" if secure else "ws") if transport == "ws" else ("https" if secure else "http")
    url = parts._replace(scheme=scheme, path=path, fragment="")
    root = _OURS.fullmatch(path)
    plain = url._replace(scheme="https" if secure else "http", path=root[1] if root else "", query="")
    return Endpoint(url.geturl(), wire, transport, plain.geturl() if root else None)


def _parsed(address: str) -> SplitResult:
    try:
        parts = urlsplit(address if "://" in address else f"http://{address}")
        spoken = parts.scheme in ("http", "https", "ws", "wss")
        clean = address.isprintable() and " " not in address
        if spoken and clean and parts.hostname and parts.port != 0:
            return parts
    except ValueError:
        pass
    raise ConfigError("URL: this is not the address of a server, such as http://127.0.0.1:8000")


def _transport(parts: SplitResult) -> Transport:
    if parts.scheme in ("ws", "wss") or parts.path.endswith("/ws"):
        return "ws"
    return "ndjson" if parts.path.endswith("/ndjson") else "sse"
