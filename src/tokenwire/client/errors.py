"""What a client's user may have to catch.

    TokenwireError
    └── ClientError
        ├── HttpError                      the server said no
        ├── ConnectionLostError            it could not be reached, or went silent
        ├── TruncatedStreamError           the answer broke off, and nothing says where to go on
        ├── StreamReconnectLimitError      it broke off, and going on brought nothing new
        ├── DurableStreamIncompleteError   the server has no more of it, and no end either
        ├── ProtocolError                  what came is not a chat stream
        └── RunFailed                      the run itself ended with an error

No text of them holds a header, a cookie or a URL's query.
"""

from ..errors import ClientError, ProtocolError, TruncatedStreamError

__all__ = [
    "ClientError",
    "ConnectionLostError",
    "DurableStreamIncompleteError",
    "HttpError",
    "ProtocolError",
    "RunFailed",
    "StreamReconnectLimitError",
    "TruncatedStreamError",
]


class HttpError(ClientError):
    """The server answered with something else than a stream.

    The text is the JavaScript clients' own (docs/wires/tanstack.md 3.4): status and reason, never the body.
    """

    def __init__(
        self, status: int, reason: str = "", *, url: str = "", body: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(f"HTTP error! status: {status} {reason}".rstrip())
        self.status = status
        self.reason = reason
        self.url = url
        """What was asked, without user, password, query and fragment."""
        self.body = body
        """The beginning of what the server said: one line of printable text, at most 200 characters."""
        self.retry_after = retry_after
        """Seconds after which the server wants to be asked again, where it says so."""


class ConnectionLostError(ClientError):
    """The server could not be reached, the connection broke, or nothing came for too long."""


class StreamReconnectLimitError(ClientError):
    """One reconnect after another brought nothing new."""

    def __init__(self, attempts: int) -> None:
        super().__init__(f"The answer broke off, and {attempts} reconnects in a row brought nothing new.")
        self.attempts = attempts


class DurableStreamIncompleteError(ClientError):
    """The server has nothing after the last event, which was not a terminal one."""

    def __init__(self) -> None:
        super().__init__("The answer broke off: the server has no more of it, and no terminal event either.")


class RunFailed(ClientError):
    """The run ended with a ``RUN_ERROR``; its message is meant to be shown."""

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
