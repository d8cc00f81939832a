"""The socket that connections come from: bound before anything is started, and left without losing one."""

import contextlib
import ctypes
import errno
import socket
import struct
import sys

from ..errors import ConfigError

BACKLOG = 2048

_SO_ATTACH_FILTER = 26
_NO_SYN = (
    struct.pack("HBBI", 0x30, 0, 0, 13)  # load the flags of the TCP header,
    + struct.pack("HBBI", 0x54, 0, 0, 0x12)  # of them SYN and ACK;
    + struct.pack("HBBI", 0x15, 0, 1, 0x02)  # if it is SYN alone,
    + struct.pack("HBBI", 0x06, 0, 0, 0)  # drop the segment,
    + struct.pack("HBBI", 0x06, 0, 0, 1 << 18)  # else let all of it pass
)


def bind(host: str, port: int, shared: bool = False) -> socket.socket:
    """A listening socket: whoever connects before the server is ready waits for it.

    :param shared: another process may listen at the same address, if it says so too (``SO_REUSEPORT``).
    :raises ConfigError: when the address cannot be had.
    """
    with contextlib.ExitStack() as undo:
        try:
            info = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
            listener = undo.enter_context(socket.socket(info[0], info[1], info[2]))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if shared:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listener.bind(info[4])
            listener.listen(BACKLOG)
        except (OSError, UnicodeError) as error:
            in_use = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
            reason = "is in use" if in_use else f"cannot be used: {getattr(error, 'strerror', 'not a host name')}"
            raise ConfigError(f"the address {host} port {port} {reason}; choose another with --port") from None
        listener.setblocking(False)
        undo.pop_all()
        return listener


def inherit(descriptor: int) -> socket.socket:
    """A listening socket that whoever started this process has opened.

    :raises ConfigError: when it is none.
    """
    try:
        listener = socket.socket(fileno=descriptor)
        if not listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise OSError("it does not listen")
    except OSError as error:
        raise ConfigError(f"--fd {descriptor} is not a listening socket: {error.strerror or error}") from None
    listener.setblocking(False)
    return listener


def pass_on(listener: socket.socket) -> None:
    """Leaves new connections to the other processes that listen at the same address, as far as the system allows.

    Linux gives each listener connections of its own, and resets those that are waiting, or half made, when it is
    closed. From here on it ignores who knocks at this one; they knock again after a second, when it is gone.
    """
    if sys.platform == "linux":
        program = ctypes.create_string_buffer(_NO_SYN, len(_NO_SYN))
        head = struct.pack("HP", len(_NO_SYN) // 8, ctypes.addressof(program))
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, head)
