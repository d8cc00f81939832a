"""Asking a deployment, and seeing when what of its answer came."""

import json
import ssl
import time
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from .. import __version__
from ..errors import ConfigError

_SECONDS = 10.0
_MOST_BYTES = 1024 * 1024
_CHAT = "/api/chat"


class Unreachable(Exception):
    """No answer came, or not all of it."""


class Piece(NamedTuple):
    """What came at once."""

    at: float
    data: bytes


class Answer(NamedTuple):
    """One answer."""

    status: int
    version: int
    headers: Mapping[str, str]
    """Their names in small letters."""
    pieces: tuple[Piece, ...]
    whole: bool
    """Whether it came to its end."""

    @property
    def body(self) -> bytes:
        """All of it."""
        return b"".join(piece.data for piece in self.pieces)

    @property
    def json(self) -> Any:
        """The body as JSON; ``None`` where it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def code(self) -> str | None:
        """The code of an error of tokenwire's."""
        told = self.json
        error = told.get("error") if isinstance(told, dict) else None
        code = error.get("code") if isinstance(error, dict) else None
        return code if isinstance(code, str) else None


class Deployment:
    """A tokenwire somewhere.

    :param url: where its page is, or where chats are asked.
    :param headers: sent with every request, but where a check says otherwise.
    :raises ConfigError: where the URL is none.
    """

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = 0
        if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
            raise ConfigError(f"{url!r} is not an address such as https://chat.example")
        if "@" in parts.netloc:  # not repeated: it may hold a password
            raise ConfigError("the address names a user: say who asks with --header instead")
        self.secure = parts.scheme == "https"
        self.host = parts.hostname
        self.port = port or (443 if self.secure else 80)
        self.url = f"{parts.scheme}://{parts.netloc}"
        self.prefix = parts.path.rstrip("/").removesuffix(_CHAT)
        self.headers = dict(headers or {})

    def get(self, path: str, headers: Mapping[str, str] | None = None, *, seconds: float = _SECONDS) -> Answer:
        """``GET``, with these headers beside the usual ones."""
        return self.ask("GET", path, {**self.headers, **(headers or {})}, seconds=seconds)

    def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        *,
        seconds: float = _SECONDS,
    ) -> Answer:
        """One request on a connection of its own, with exactly these headers.

        :param seconds: how long the server may be silent.
        :raises Unreachable: where no head of an answer comes.
        """
        connection = self.connect(seconds)
        sent = {"user-agent": f"tokenwire-doctor/{__version__}", "connection": "close", **headers}
        try:
            connection.request(method, self.prefix + path, body, sent)
            response = connection.getresponse()
            pieces, whole = _read(response)
        except (OSError, HTTPException) as error:
            raise Unreachable(reason(error)) from None
        finally:
            connection.close()
        names = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status, response.version, names, pieces, whole)

    def connect(self, seconds: float = _SECONDS) -> HTTPConnection:
        """A connection that is not open yet."""
        if self.secure:
            return HTTPSConnection(self.host, self.port, timeout=seconds, context=ssl.create_default_context())
        return HTTPConnection(self.host, self.port, timeout=seconds)


def reason(error: Exception) -> str:
    """What went wrong with a connection, in a few words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {error.verify_message} (for a CA of your own, set SSL_CERT_FILE)"
    if isinstance(error, ssl.SSLError) and error.reason == "WRONG_VERSION_NUMBER":
        return "no TLS is spoken at that port (plain HTTP begins with http://)"
    return str(getattr(error, "strerror", None) or str(error) or type(error).__name__)


def _read(response: HTTPResponse) -> tuple[tuple[Piece, ...], bool]:
    pieces: list[Piece] = []
    size = 0
    try:
        while size < _MOST_BYTES and (data := response.read1(65536)):
            pieces.append(Piece(time.monotonic(), data))
            size += len(data)
    except (OSError, HTTPException):
        return tuple(pieces), False
    return tuple(pieces), True
