"""A proxy that holds every answer back until it is whole, as virus scanners and some gateways do."""

from contextlib import AbstractContextManager
from http.client import HTTPConnection
from urllib.parse import urlsplit

from .answering import Handler, answering

_OWN = ("connection", "transfer-encoding", "content-length")


def holding(upstream: str) -> AbstractContextManager[str]:
    """The URL of such a proxy before a server."""
    netloc = urlsplit(upstream).netloc

    class Holding(Handler):
        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            connection = HTTPConnection(netloc, timeout=20)
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            whole = answer.read()
            connection.close()
            headers = [(name, value) for name, value in answer.headers.items() if name.lower() not in _OWN]
            self.answer(answer.status, whole, *headers)

        do_GET = do_POST = do_OPTIONS = _pass_on  # noqa: N815

    return answering(Holding)
