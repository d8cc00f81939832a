"""What a provider's refusal means: the real bodies of each, one taxonomy."""

import email.utils
import json
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenwire.errors import Code, UpstreamFailure
from tokenwire.providers.refusal import read_error, read_refusal

_GOLDEN = Path(__file__).parent.parent / "golden" / "refusals"


class Refused(msgspec.Struct, forbid_unknown_fields=True):
    """A refusal as a provider sends it, and what it means."""

    status: int
    code: Code
    body: Any


REFUSALS: dict[str, Refused] = {
    f"{path.stem}: {what}": refused
    for path in sorted(_GOLDEN.glob("*.json"))
    for what, refused in msgspec.json.decode(path.read_bytes(), type=dict[str, Refused]).items()
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_provider_refuses(name: str) -> None:
    it = REFUSALS[name]
    text = json.dumps(it.body)
    failure = read_refusal(it.status, {"content-type": "application/json"}, text.encode())
    assert failure.code is it.code
    assert failure.detail == f"HTTP {it.status}: {text}"
    assert failure.message == UpstreamFailure(it.code).message  # nothing of the body


WORDS = (
    "my billing: insufficient_quota, rate_limit_exceeded, context_length_exceeded, prompt is too long, overloaded, "
    "model not found, content_filter, invalid api key, moderation, the model does not exist"
)


@pytest.mark.parametrize(
    "body",
    [
        {"detail": [{"type": "string_type", "loc": ["body", "messages"], "msg": "Not a string", "input": WORDS}]},
        {
            "error": {
                "message": f"[{{'type': 'string_type', 'msg': 'Not a string', 'input': '{WORDS}'}}]",
                "type": "BadRequestError",
                "code": 400,
            }
        },
        {
            "error": {
                "message": f"1 validation error: Not a string [type=string_type, input_value='{WORDS}']",
                "type": "BadRequestError",
                "code": 400,
            }
        },
        {"error": {"message": "No.", "param": WORDS, "failed_generation": WORDS}},
        {"error": {"message": "No.", "type": "invalid_request_error"}, "messages": [{"content": WORDS}]},
        {"error": {"message": "No."}, "metadata": {"flagged_input": WORDS, "request": {"message": WORDS}}},
        {"choices": [{"message": {"content": WORDS}}]},
    ],
)
def test_the_conversation_that_an_error_quotes_says_nothing(body: Any) -> None:
    assert read_refusal(400, {}, json.dumps(body).encode()).code is Code.upstream_rejected


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (302, Code.upstream_error),
        (400, Code.upstream_rejected),
        (401, Code.upstream_auth),
        (402, Code.upstream_quota),
        (403, Code.upstream_auth),
        (404, Code.upstream_error),
        (408, Code.upstream_timeout),
        (413, Code.upstream_rejected),
        (422, Code.upstream_rejected),
        (429, Code.upstream_rate_limited),
        (500, Code.upstream_error),
        (502, Code.upstream_unavailable),
        (503, Code.upstream_unavailable),
        (504, Code.upstream_timeout),
        (529, Code.upstream_overloaded),
    ],
)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"null",
        b"{}",
        b'{"error":{"message":',
        b"<html><head><title>Overloaded: rate limit, billing</title></head><body>model not found</body></html>",
    ],
)
def test_where_the_body_says_nothing_the_status_does(status: int, body: bytes, code: Code) -> None:
    assert read_refusal(status, {}, body).code is code


@pytest.mark.parametrize("status", [401, 502])
def test_some_statuses_are_believed_whatever_the_body_says(status: int) -> None:
    believed = read_refusal(status, {}, b"").code
    assert read_refusal(status, {}, b'{"error":{"code":"model_not_found"}}').code is believed


any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(WORDS.split(", ")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["error", "message", "code", "type", "detail", "status", "x"]), inner)
    ),
)


@settings(deadline=None)
@given(st.integers(0, 999), st.binary() | any_json.map(lambda value: json.dumps(value).encode()))
def test_anything_is_a_failure(status: int, body: bytes) -> None:
    assert read_refusal(status, {}, body).code in Code
    assert read_error(body).code in Code


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"error":' * 5000 + b"1" + b"}" * 5000])
def test_an_error_without_bottom_is_a_failure(body: bytes) -> None:
    assert read_refusal(400, {}, body).code is Code.upstream_rejected
    assert read_error(body).code is Code.upstream_error


def test_of_a_long_error_only_the_beginning_is_read() -> None:
    texts = ["model " * 10_000] * 1000
    body = json.dumps({"error": {"message": texts, "code": "rate_limit_exceeded"}}).encode()
    assert read_refusal(400, {}, body).code is Code.upstream_rejected
    body = json.dumps({"error": {"message": "x" * 100_000 + "prompt is too long"}}).encode()
    assert read_refusal(400, {}, body).code is Code.upstream_rejected


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ({"message": "no", "code": 502}, Code.upstream_unavailable),
        ({"message": "no", "code": 429}, Code.upstream_rate_limited),
        ({"message": "no", "code": 400}, Code.upstream_error),
        ({"message": "no", "code": "rate_limit_exceeded"}, Code.upstream_rate_limited),
        ({"message": "no", "type": "overloaded_error"}, Code.upstream_overloaded),
        ("overloaded", Code.upstream_overloaded),
        ({}, Code.upstream_error),
        (5, Code.upstream_error),
    ],
)
def test_an_error_within_a_stream(error: Any, code: Code) -> None:
    assert read_error(json.dumps(error).encode()).code is code


NOW = 1_800_000_000.0
DAY = 86_400


@pytest.mark.parametrize("status", [429, 503, 529])
@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("3", 3),
        (" 3 ", 3),
        ("0", 0),
        ("999999", DAY),
        ("-1", None),
        ("1.5", None),
        ("", None),
        ("soon", None),
        ("²", None),
        (email.utils.formatdate(NOW + 90, usegmt=True), 90),
        (email.utils.formatdate(NOW - 90, usegmt=True), 0),
        ("Fri, 32 Jan 2027 99:99:99 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", DAY),
    ],
)
def test_when_to_try_again(monkeypatch: pytest.MonkeyPatch, status: int, value: str, seconds: int | None) -> None:
    monkeypatch.setattr(time, "time", lambda: NOW)
    assert read_refusal(status, {"retry-after": value}, b"").retry_after == seconds


@pytest.mark.parametrize(("delay", "seconds"), [("21s", 22), ("0.5s", 1), ("99999999s", DAY), ("soon", None)])
def test_when_to_try_again_may_stand_in_the_error(delay: str, seconds: int | None) -> None:
    body = {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": [{"retryDelay": delay}]}}
    assert read_refusal(429, {}, json.dumps(body).encode()).retry_after == seconds


def test_without_a_hint_nobody_says_when_to_try_again() -> None:
    assert read_refusal(429, {}, b"").retry_after is None
    assert read_refusal(400, {"retry-after": "3"}, b"").retry_after is None


def test_a_number_without_end_is_a_day() -> None:
    assert read_refusal(429, {"retry-after": "9" * 5000}, b"").retry_after == DAY


def test_a_date_that_no_clock_holds_is_none() -> None:
    headers = {"retry-after": "1 Jan 99999999999999999999 00:00:00 GMT"}
    assert read_refusal(429, headers, b"").retry_after is None
