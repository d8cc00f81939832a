"""``[auth]``: what it may say, and that no mistake in it opens anything."""

from pathlib import Path

import pytest

from tokenwire.config import Config, load
from tokenwire.errors import ConfigError

from .issuer import EC, RSA

HEAD = 'store = "sqlite:///runs.db"\n[models.any]\nprovider = "local"\n'
JWT = '[auth.jwt]\nissuer = "https://login.example"\naudience = "tokenwire"\n'
URL = 'jwks_url = "https://login.example/jwks"\n'
SHARED = "a shared secret of thirty-two bytes!"


def configured(folder: Path, text: str, head: str = HEAD, **environ: str) -> Config:
    path = folder / "tokenwire.toml"
    path.write_text(head + text)
    (folder / "public.pem").write_bytes(RSA.as_pem(private=False))
    (folder / "private.pem").write_bytes(EC.as_pem(private=True))
    return load(path, {"SHARED": SHARED, "SHORT": "short", **environ})


def test_nothing_is_configured_by_default(tmp_path: Path) -> None:
    assert not configured(tmp_path, "").auth.configured


@pytest.mark.parametrize("text", ["[auth]\nkeys = true", "[auth]\nanonymous = true", JWT + URL])
def test_who_may_ask_is_said(tmp_path: Path, text: str) -> None:
    assert configured(tmp_path, text).auth.configured


@pytest.mark.parametrize(
    ("source", "algorithms"),
    [
        (URL, ("RS256", "ES256")),
        ('public_key_file = "public.pem"', ("RS256", "ES256")),
        ('secret_env = "SHARED"', ("HS256",)),
    ],
)
def test_the_algorithms_go_with_the_key(tmp_path: Path, source: str, algorithms: tuple[str, ...]) -> None:
    jwt = configured(tmp_path, JWT + source).auth.jwt
    assert jwt is not None
    assert jwt.algorithms == algorithms
    assert SHARED not in repr(jwt)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (JWT, "auth.jwt"),
        (JWT + URL + 'secret_env = "SHARED"', "auth.jwt"),
        (JWT + 'secret_env = "SHORT"', "SHORT"),
        (JWT + 'secret_env = "MISSING"', "MISSING"),
        (JWT + f'secret_env = "{SHARED}-"', "auth.jwt.secret_env: it is not the name"),
        (JWT + 'public_key_file = "nothing.pem"', "nothing.pem"),
        (JWT + 'public_key_file = "private.pem"', "private"),
        (JWT + 'jwks_url = "http://login.example/jwks"', "jwks_url"),
        (JWT + 'jwks_url = "https://user:pass@login.example/jwks"', "jwks_url"),
        (JWT + 'jwks_url = "file:///etc/passwd"', "jwks_url"),
        (JWT + 'jwks_url = "http://127.0.0.1.evil.example/jwks"', "jwks_url"),
        (JWT + URL + 'algorithms = ["none"]', "algorithms"),
        (JWT + URL + 'algorithms = ["RS256", "HS256"]', "algorithms"),
        (JWT + 'public_key_file = "public.pem"\nalgorithms = ["HS256"]', "algorithms"),
        (JWT + 'secret_env = "SHARED"\nalgorithms = ["RS256"]', "algorithms"),
        (JWT + URL + 'scopes = {admin = "x"}', "auth.jwt.scopes.admin"),
        (JWT + URL + "leeway = 3600", "auth.jwt.leeway"),
        ('[auth.jwt]\nissuer = ""\naudience = "a"\n' + URL, "issuer"),
        ('[auth.jwt]\nissuer = "i"\naudience = []\n' + URL, "audience"),
        ('[auth.jwt]\nissuer = "i"\naudience = ""\n' + URL, "audience"),
        ("[auth]\nkey = true", "key"),
        ('[auth]\ncookie = "a b"\nkeys = true', "auth.cookie"),
        ('[auth]\ncookie = "session"', "auth.cookie"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str, place: str) -> None:
    with pytest.raises(ConfigError, match=place) as mistake:
        configured(tmp_path, text)
    assert SHARED not in str(mistake.value)


def test_http_is_for_this_machine(tmp_path: Path) -> None:
    for host in ("127.0.0.1:8080", "localhost", "[::1]"):
        jwt = configured(tmp_path, f'{JWT}jwks_url = "http://{host}/jwks?x=1"').auth.jwt
        assert jwt is not None


def test_keys_need_a_store_that_lasts(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="store"):
        configured(tmp_path, "[auth]\nkeys = true", head='[models.any]\nprovider = "local"\n')


def test_the_pepper_comes_from_the_environment_and_is_long(tmp_path: Path) -> None:
    auth = configured(tmp_path, "", TOKENWIRE_SECRET=SHARED).auth
    assert auth.pepper is not None
    assert SHARED not in repr(auth)
    with pytest.raises(ConfigError, match="TOKENWIRE_SECRET") as error:
        configured(tmp_path, "", TOKENWIRE_SECRET="canary")
    assert "canary" not in str(error.value)
