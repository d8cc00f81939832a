"""The socket that a server listens on, and what becomes of those who knock while it is left."""

import socket
import sys
from contextlib import ExitStack

import pytest

from tokenwire.server.listener import bind, pass_on

from ..cli.command import tokenwire
from .listening import free_port

CALLERS = 20


@pytest.mark.skipif(sys.platform != "linux", reason="others have no such way")
def test_who_knocks_at_a_listener_that_is_left_is_let_in_by_the_other() -> None:
    port = free_port()
    with ExitStack() as sockets:
        left, other = (sockets.enter_context(bind("127.0.0.1", port, shared=True)) for _ in range(2))
        pass_on(left)
        callers = [sockets.enter_context(socket.socket()) for _ in range(CALLERS)]
        for caller in callers:
            caller.setblocking(False)
            caller.connect_ex(("127.0.0.1", port))
        with pytest.raises(BlockingIOError):
            left.accept()
        left.close()
        other.settimeout(10)
        let_in = set()
        for _ in callers:
            connection, address = other.accept()
            let_in.add(address)
            connection.close()
        assert let_in == {caller.getsockname() for caller in callers}


def test_who_was_let_in_before_that_stays() -> None:
    with bind("127.0.0.1", 0, shared=True) as left, socket.create_connection(left.getsockname()) as caller:
        pass_on(left)
        connection, _ = left.accept()
        left.close()
        with connection:
            caller.sendall(b"question")
            assert connection.recv(100) == b"question"
            connection.sendall(b"answer")
        assert caller.recv(100) == b"answer"


@pytest.mark.parametrize("descriptor", ["0", "999", "-1", "socket"])
def test_a_descriptor_that_is_no_listener(descriptor: str) -> None:
    run = tokenwire("serve", f"--fd={descriptor}", env={"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"})
    assert (run.returncode, run.stdout) == (2, "")
    (line,) = run.stderr.splitlines()
    assert "--fd" in line
    assert descriptor in line
