"""Transports of both kinds on loops of both kinds, and an upstream on a real socket."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from importlib.util import find_spec
from typing import Any

import pytest

from tokenwire.providers.http1 import Http1Transport
from tokenwire.providers.proxied import ProxiedTransport
from tokenwire.providers.transport import Transport
from tokenwire.testing import ScriptedUpstream

MakeTransport = Callable[[float], Transport]
"""A transport, given the seconds that a connection may take to be made."""

_NO_UVLOOP = pytest.mark.skipif(find_spec("uvloop") is None, reason="there is no uvloop here")


@pytest.fixture(params=[False, pytest.param(True, marks=_NO_UVLOOP)], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture(autouse=True)
def no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with ScriptedUpstream() as upstream:
        yield upstream


@pytest.fixture(params=["http1", "proxied"])
def make_transport(request: pytest.FixtureRequest) -> MakeTransport:
    if request.param == "proxied":
        return lambda connect_seconds: ProxiedTransport(connect_seconds=connect_seconds)
    return lambda connect_seconds: Http1Transport(asyncio.get_running_loop(), connect_seconds=connect_seconds)


@pytest.fixture
async def transport(make_transport: MakeTransport) -> AsyncIterator[Transport]:
    transport = make_transport(10)
    yield transport
    await transport.close()


@pytest.fixture
def full() -> Iterator[str]:
    """The address of a socket that accepts nobody any more."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for peer in waiting:
            peer.setblocking(False)
            peer.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        for peer in waiting:
            peer.close()
