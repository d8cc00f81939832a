"""A server that says what a test wants of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@contextmanager
def saying(**bodies: tuple[int, str]) -> Iterator[str]:
    """Its URL.

    :param bodies: status and JSON of what ``health``, ``join`` and ``ask`` are answered.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._say("health" if self.path.startswith("/healthz") else "join")

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self._say("ask")

        def _say(self, what: str) -> None:
            status, body = bodies[what]
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
