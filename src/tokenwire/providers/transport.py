"""The boundary to the upstream's sockets: a call goes out, and its answer is pushed into a sink.

Pushed, not awaited: the read callback of the socket parses, logs and wakes the readers in one go, so a token costs
no task switch on its way into the log.
"""

import asyncio
from collections.abc import Mapping
from typing import Protocol
from urllib.request import getproxies

from .. import __version__
from .base import HttpCall

USER_AGENT = f"tokenwire/{__version__}"
"""Who asks. Some providers are behind somebody who takes a caller that says nothing for a robot."""


class Sink(Protocol):
    """Takes one answer, in the event loop: ``head``, any number of ``body``, then one of the ends."""

    def head(self, status: int, headers: Mapping[str, str]) -> None:
        """The final status and the headers, names in lower case."""

    def body(self, data: bytes) -> None:
        """More of the body: all that one read brought."""

    def end(self) -> None:
        """The body is complete as HTTP counts it."""

    def lost(self, reason: str) -> None:
        """There is no answer, or no more of it: not reached, reset, cut. ``reason`` is for the log."""


class Exchange(Protocol):
    """One call under way."""

    def abort(self) -> None:
        """Closes the socket at once, The sink hears nothing more."""

    def pause(self) -> None:
        """Stops reading the socket, so that the upstream has to wait."""

    def resume(self) -> None:
        """Reads on."""

    def release(self) -> None:
        """No more is wanted: the sink hears nothing more, and the socket is reused if the body ends at once."""


class Transport(Protocol):
    """Sends calls."""

    def send(self, call: HttpCall, sink: Sink) -> Exchange:
        """Begins a call. Never raises for what the network does: that is ``Sink.lost``."""

    async def close(self) -> None:
        """Closes idle connections; calls under way are the callers' to abort."""


def open_transport(*, connect_seconds: float) -> Transport:
    """The transport for this process: straight to the upstream, or through the proxy that the environment names."""
    if {"http", "https"} & getproxies().keys():
        from .proxied import ProxiedTransport

        return ProxiedTransport(connect_seconds=connect_seconds)
    from .http1 import Http1Transport

    return Http1Transport(asyncio.get_running_loop(), connect_seconds=connect_seconds)
