"""Who is not told whom to answer answers nobody but this machine."""

from pathlib import Path

import pytest

from tokenwire.testing import ThreadedUpstream

from .command import serving
from .test_serving import asking
from .test_usage import SOMEWHERE, mistake

MODEL = '[models.any]\nprovider = "openai"\n'


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_elsewhere_it_has_to_be_said_who_may_ask(host: str) -> None:
    line = mistake("serve", "--host", host, "--port", "0", env=SOMEWHERE)
    assert "[auth]" in line
    assert "anonymous = true" in line


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (None, "this machine only"),
        ("[auth]\nanonymous = true\n", "everybody"),
        ('store = "sqlite:///{folder}/runs.db"\n[auth]\nkeys = true\n', "API keys"),
    ],
)
def test_the_banner_says_who_may_ask(
    upstream: ThreadedUpstream, tmp_path: Path, config: str | None, words: str
) -> None:
    path = tmp_path / "tokenwire.toml"
    path.write_text((config or "").replace("{folder}", str(tmp_path)) + MODEL)
    arguments = () if config is None else ("--config", path, "--host", "0.0.0.0")
    with serving(tmp_path / "errors", *arguments, env=asking(upstream)) as server:
        assert words in server.line("access")
