"""What stands in a configuration's file that is for the environment."""

from pathlib import Path

import pytest

from tokenwire.doctor.plain_text import check

HARMLESS = """
store = "redis://cache.example:6379/0"

[models.small]
provider = "openai-compatible"
base_url = "https://models.example/v1"
model = "m"
key_env = "MODELS_KEY"
params = { top_p = 0.5, stop = ["END"] }

[personas.kind]
system = "You keep every secret."

[metrics]
token_env = "SCRAPER"
"""


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ('store = "redis://:hunter22@cache.example"', "store"),
        ('[models.small]\nkey = "sk-proj-1234567890"', "models.small.key"),
        ('[models.small]\nparams = { user = { password = "hunter22" } }', "models.small.params.user.password"),
        ('[models.small]\nparams = { tools = ["none", "Bearer 0123456789"] }', "models.small.params.tools[1]"),
        ('[personas.kind]\nsystem = "The key is gsk_1234567890."', "personas.kind.system"),
    ],
)
def test_a_secret(tmp_path: Path, line: str, place: str) -> None:
    file = tmp_path / "tokenwire.toml"
    file.write_text(line)
    (finding,) = check(file)
    assert finding.level == "warning"
    assert finding.seen.startswith(f"{place} holds a secret")
    assert ("TOKENWIRE_STORE" in finding.todo[0]) == (place == "store")


def test_none(tmp_path: Path) -> None:
    file = tmp_path / "tokenwire.toml"
    file.write_text(HARMLESS)
    assert [finding.level for finding in check(file)] == ["ok"]


@pytest.mark.parametrize("content", [b"[models", b"\xff\xfe", None])
def test_what_cannot_be_read_is_told_of_by_whoever_loads_it(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "tokenwire.toml"
    if content is not None:
        file.write_bytes(content)
    assert list(check(file)) == []
