"""A server that says what a test wants of it."""

from contextlib import AbstractContextManager

from .answering import Handler, answering


def saying(**bodies: tuple[int, str]) -> AbstractContextManager[str]:
    """Its URL.

    :param bodies: status and JSON of what ``health``, ``join`` and ``ask`` are answered.
    """

    class Saying(Handler):
        def do_GET(self) -> None:  # noqa: N802
            self._say("health" if self.path.startswith("/healthz") else "join")

        def do_POST(self) -> None:  # noqa: N802
            self.rfile.read(int(self.headers["content-length"]))
            self._say("ask")

        def _say(self, what: str) -> None:
            status, body = bodies[what]
            self.answer(status, body.encode())

    return answering(Saying)
