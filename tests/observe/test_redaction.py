"""No secret comes out of the redactor."""

import base64
import gc
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenwire.observe import redaction
from tokenwire.observe.redaction import FAILED, MASK, redact
from tokenwire.secret import Secret

JWT = ".".join(
    base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (b'{"alg":"HS256"}', b'{"sub":"a"}', b"signature")
)
VALUE = "Zm9vYmFyLXZhbHVl"


@pytest.mark.parametrize(
    "key",
    [
        "sk-abcdefghijklmnop",
        "sk-proj-abc_def-ghi",
        "sk-ant-api03-abcdefgh",
        "AIzaSyA-0123456789_abcdef",
        "gsk_abcdefghijklmnop",
        "tw_4f1d9c0a_abcdefghijkl",
        "xai-abcdefghijklmnop",
        "hf_abcdefghijklmnop",
        "tokenwire.bearer.dHdfNGYxZDljMGFfYWJj",
        "AKIAABCDEFGHIJKLMNOP",
        "sk_live_abcdefghijklmnop",
        "github_pat_abcdefghijklmnop",
        "glpat-abcdefghijklmnop",
        "xoxb-1234-abcdefghijklmnop",
        JWT,
        JWT.partition(".")[0],
        "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIA\nbase64\n",
    ],
)
@pytest.mark.parametrize(
    "around",
    ["{}", "key {}.", '{{"k": "{}"}}', "x={}&y", "'{}'", "({})", "https://h/p/{}", "key:\\n{}", "u%3Dv%20{}", "MY_{}"],
)
def test_what_looks_like_a_key_is_masked(key: str, around: str) -> None:
    said = redact(around.format(key))
    assert key[4:] not in said
    assert MASK in said


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "proxy-authorization",
        "X-API-Key",
        "x-goog-api-key",
        "api-key",
        "Cookie",
        "set-cookie",
        "Sec-WebSocket-Protocol",
        "X-BYOK-OpenAI",
        "api_key",
        "apiKey",
        "password",
        "client_secret",
        "access_token",
        "x-auth-token",
        "ticket",
        "secret_key",
        "private_key",
        "HTTP_AUTHORIZATION",
        "HTTP_COOKIE",
        "HTTP_X_BYOK_OPENAI",
        "OPENAI_API_KEY",
        "AWS_SECRET_ACCESS_KEY",
        "openaiApiKey",
    ],
)
@pytest.mark.parametrize(
    "around",
    [
        "{0}: {1}",
        "{0}={1}",
        "{0}%3D{1}",
        '{{"{0}": "a {1}"}}',
        "{{'{0}': 'a {1}'}}",
        "(b'{0}', b'a {1}')",
        '"{{\\"{0}\\": \\"a {1}\\"}}"',
        '"{{\\\\\\"{0}\\\\\\": \\\\\\"a {1}\\\\\\"}}"',
    ],
)
def test_what_a_header_or_a_field_of_that_name_holds_is_masked(name: str, around: str) -> None:
    assert VALUE not in redact(around.format(name, VALUE))


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"Bearer {VALUE}", "Bearer ****"),
        (f"basic {VALUE}", "basic ****"),
        (f"Bearer%20{VALUE}", "Bearer%20****"),
        (f"Authorization: Bearer\n {VALUE}", "Authorization: ****\n ****"),
        (f'{{"type":"auth","token":"{VALUE}"}}', '{"type":"auth","token":****}'),
        (f"/file?X-Goog-Signature={VALUE}&x=1", "/file?X-Goog-Signature=****&x=1"),
        (f"GET https://me:{VALUE}@host/path", "GET https://****@host/path"),
        (f"GET /api/chat?offset={VALUE}:3&runId=r", "GET /api/chat?offset=****&runId=r"),
        (f"/ws?ticket={VALUE}", "/ws?ticket=****"),
        (f"Cookie: a={VALUE}; b={VALUE}\nHost: h", "Cookie: ****\nHost: h"),
    ],
)
def test_and_no_more_than_that(text: str, left: str) -> None:
    assert redact(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "run run-4f1d9c ended: stop, 12 events",
        "upstream_auth from openai/gpt-4o-mini: 401; giving up",
        "metrics at http://127.0.0.1:9464/metrics",
        "the risk-averse desk-lamp of task-force-seven",
        "2026-11-21T17:35:03.123Z",
        "a JWT was refused: expired_token: exp",
        "auth.jwt.secret_env: the environment variable SHARED is not set",
    ],
)
def test_ordinary_lines_stay_as_they_are(text: str) -> None:
    assert redact(text) == text


ODD = 'a"b\\c/d é key'


def test_a_known_secret_is_masked_whatever_it_looks_like_and_however_it_is_spelled() -> None:
    secret = Secret(ODD)
    assert redact(f"<{ODD}>") == "<****>"
    assert redact(f"<{quote(ODD, safe='')}>") == "<****>"
    assert redact(f"<{quote(ODD)}>") == "<****>"
    assert redact(f"<{quote_plus(ODD)}>") == "<****>"
    assert redact(f"<{json.dumps(ODD)}>") == '<"****">'
    assert redact(f"<{[ODD]!r}>") == "<['****']>"
    assert redact(f"<{ODD.encode()!r}>") == "<b'****'>"
    del secret
    gc.collect()
    assert redact(f"<{ODD}>") == f"<{ODD}>"


@given(st.binary(max_size=20), st.binary(max_size=20), st.from_regex(r"[!-~]{12,40}", fullmatch=True))
def test_base64_is_another_spelling(before: bytes, after: bytes, value: str) -> None:
    """What is left of it is at most the characters that also hold bits of its neighbours."""
    secret = Secret(value)
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        text = encode(before + value.encode() + after).decode()
        left = redact(text).replace(MASK, "")
        assert len(left) <= len(text) - len(value) * 4 / 3 + 4
    assert secret.reveal() == value


@pytest.mark.parametrize(
    "piece",
    [
        "a.",
        "a://",
        "-eyJaaaaaa",
        "bearer ",
        "cookie ",
        "api_key\\",
        'password="',
        "x-byok-a",
        "?key",
        "&a-",
        "\"'",
        "sk-",
    ],
)
def test_a_long_line_is_read_in_one_go(piece: str) -> None:
    """Work that grows with the square of a line's length would hold this test, and a server, for an hour."""
    text = (piece * 1_000_000)[:1_000_000]
    assert redact(text) != FAILED


def test_one_secret_within_another() -> None:
    inner, outer = Secret("inner-value"), Secret("outer-inner-value-outer")
    assert redact("outer-inner-value-outer inner-value") == "**** ****"
    assert inner != outer


def test_a_short_value_does_not_blacken_every_line() -> None:
    secret = Secret("a")
    assert redact("a day at a beach") == "a day at a beach"
    assert secret.reveal() == "a"


def test_it_fails_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: str) -> list[str]:
        raise RuntimeError("no")

    monkeypatch.setattr(redaction, "_known", broken)
    assert redact("anything") == FAILED


@given(st.text(), st.text(), st.from_regex(r"[A-Za-z0-9_-]{12,40}", fullmatch=True))
def test_no_text_around_a_known_secret_saves_it(before: str, after: str, value: str) -> None:
    secret = Secret(value)
    said = redact(f"{before}{value}{after}")
    assert value not in said.replace(MASK, "") or value in f"{before}\0{after}"
    assert secret.reveal() == value
