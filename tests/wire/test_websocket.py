"""WebSocket frames: the same events as in the other framings, one by one."""

import json

import pytest

from tokenwire.errors import Code, Failure
from tokenwire.wire import websocket
from tokenwire.wire.base import NDJSON, WEBSOCKET, Encoder, Wire
from tokenwire.wire.detect import WIRES

from .logs import KEY, RUNS, recorded

every_wire = pytest.mark.parametrize("wire", WIRES.values(), ids=list(WIRES))


@every_wire
@pytest.mark.parametrize("run", RUNS)
def test_a_run_is_told_as_it_is_line_by_line(run: str, wire: Wire) -> None:
    log = recorded(run)
    frames = Encoder(wire, WEBSOCKET, KEY).messages(0, log)
    lines = Encoder(wire, NDJSON, KEY).encode(0, log).splitlines()
    assert frames == lines


def test_only_the_newest_client_gets_envelopes() -> None:
    assert [name for name, wire in WIRES.items() if wire.numbered(WEBSOCKET)] == ["tanstack"]
    assert json.loads(websocket.frame(b'{"type":"X"}', b"key:1")) == {"id": "key:1", "chunk": {"type": "X"}}
    assert websocket.frame(b'{"type":"X"}', None) == b'{"type":"X"}'


def test_a_heartbeat_is_the_ping_that_clients_skip() -> None:
    assert json.loads(WEBSOCKET.heartbeat) == {"type": "ping"}


@pytest.mark.parametrize(
    ("name", "event"),
    [
        ("rais", {"type": "error", "error": "Something went wrong on the server."}),
        (
            "tanstack",
            {
                "type": "RUN_ERROR",
                "message": "Something went wrong on the server.",
                "code": "internal",
                "threadId": "t",
                "runId": "r",
                "error": {"message": "Something went wrong on the server.", "code": "internal"},
            },
        ),
    ],
)
def test_a_failure_of_no_log_is_told_without_an_offset(name: str, event: dict[str, object]) -> None:
    told = Encoder(WIRES[name], WEBSOCKET, KEY).tell(Failure(Code.internal), "t", "r")
    assert json.loads(told) == event
