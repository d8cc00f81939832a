"""The line to a deployment, with certificates made here."""

import contextlib
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from socketserver import BaseRequestHandler, TCPServer
from threading import Thread

import pytest

from tokenwire.doctor.deployment import examine
from tokenwire.doctor.exchange import Deployment
from tokenwire.doctor.line import check
from tokenwire.errors import ConfigError


@contextmanager
def secured(folder: Path, *protocols: str, days: int = 90) -> Iterator[str]:
    """The URL of a server that shakes hands, and its certificate in a folder."""
    if which("openssl") is None:
        pytest.skip("there is no openssl here")
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    kind = ["-x509", "-nodes", "-days", str(days), "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")]
    subprocess.run(["openssl", "req", *kind, *subject, *files], check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    context.set_alpn_protocols(protocols)

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError), context.wrap_socket(self.request, server_side=True) as connection:
                connection.recv(1)

    with TCPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"https://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("protocols", "days", "levels"),
    [
        (("h2", "http/1.1"), 90, ["ok"]),
        (("http/1.1",), 90, ["warning"]),
        (("h2",), 3, ["warning", "ok"]),
        (("http/1.1",), 3, ["warning", "warning"]),
    ],
)
def test_a_line_that_is_private(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocols: tuple[str, ...], days: int, levels: list[str]
) -> None:
    with secured(tmp_path, *protocols, days=days) as url:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
        assert [finding.level for finding in check(Deployment(url))] == levels


def test_a_certificate_that_nobody_vouches_for(tmp_path: Path) -> None:
    with secured(tmp_path) as url, pytest.raises(ConfigError, match="certificate is not valid"):
        list(examine(Deployment(url)))


@pytest.mark.parametrize(("url", "level"), [("http://localhost:1", "note"), ("http://chat.example", "warning")])
def test_a_line_that_everybody_can_read(url: str, level: str) -> None:
    (finding,) = check(Deployment(url))
    assert finding.level == level
    assert "six connections" in finding.why
