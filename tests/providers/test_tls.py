"""HTTPS: only with a certificate that somebody trusted vouches for."""

import asyncio
import ssl
import subprocess
from pathlib import Path
from shutil import which

import pytest

from tokenwire.providers.transport import Transport

from .calls import RESPONSES, Heard, call_to

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for this machine that nobody has reason to trust, with its key in one file."""
    if which("openssl") is None:
        pytest.skip("there is no openssl here")
    folder = tmp_path_factory.mktemp("certificate")
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    kind = ["-x509", "-nodes", "-days", "2", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")]
    subprocess.run(["openssl", "req", *kind, *subject, *files], check=True, capture_output=True)
    return folder


async def served_by_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(RESPONSES["length"])
    writer.close()
    await writer.wait_closed()


async def https(transport: Transport, certificate: Path) -> Heard:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate / "certificate.pem", certificate / "key.pem")
    heard = Heard()
    async with await asyncio.start_server(served_by_tls, "127.0.0.1", 0, ssl=context) as server:
        transport.send(call_to(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"), heard)
        await heard.over()
    return heard


async def test_a_certificate_nobody_vouches_for_is_refused(transport: Transport, certificate: Path) -> None:
    heard = await https(transport, certificate)
    assert heard.calls == ["lost"]
    assert "certificate" in heard.reason.lower()


@pytest.mark.parametrize("make_transport", ["http1"], indirect=True)
async def test_a_certificate_that_the_machine_trusts_is_accepted(
    transport: Transport, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "certificate.pem"))
    heard = await https(transport, certificate)
    assert (heard.calls[-1], heard.content) == ("end", b"Hello!")
