"""JSON Web Tokens: who a good one says is asking, and that no other one says anything."""

import hashlib
import hmac
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import OctKey

from tokenwire.config.auth import Jwt
from tokenwire.errors import ConfigError
from tokenwire.gate.principal import Scopes
from tokenwire.gate.tokens import Tokens
from tokenwire.secret import Secret

from .issuer import AUDIENCE, EC, ISSUER, NOW, OTHER_RSA, RSA, claims, raw, signed

pytestmark = pytest.mark.anyio

PEM = RSA.as_pem(private=False).decode()
SECRET = "a shared secret of thirty-two bytes!"


def tokens(**rules: Any) -> Tokens:
    given = {"algorithms": ("RS256",), "public_key": PEM, **rules}
    return Tokens(Jwt(issuer=ISSUER, audience=(AUDIENCE, "other"), **given), clock=lambda: NOW)


async def test_a_good_token_says_who_is_asking_and_until_when() -> None:
    principal = await tokens(leeway=30).verify(signed())
    assert principal is not None
    assert (principal.name, principal.key, principal.expires) == ("jwt:ann", None, NOW + 630)
    assert principal.scopes == Scopes()


@pytest.mark.parametrize(
    "other",
    [
        {"exp": NOW - 31},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": True},
        {"exp": 1e400},
        {"nbf": NOW + 31},
        {"iat": NOW + 31},
        {"iss": "https://login.example/"},
        {"iss": None},
        {"iss": [ISSUER]},
        {"aud": "somebody"},
        {"aud": []},
        {"aud": None},
        {"aud": {"tokenwire": 1}},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "a\nb"},
        {"sub": "a" * 257},
    ],
    ids=str,
)
async def test_what_a_token_must_not_say(other: dict[str, Any]) -> None:
    assert await tokens().verify(signed(**other)) is None


@pytest.mark.parametrize("other", [{"exp": NOW - 29}, {"nbf": NOW + 29}, {"aud": ["x", "other"]}], ids=str)
async def test_what_it_may(other: dict[str, Any]) -> None:
    assert await tokens().verify(signed(**other)) is not None


@pytest.mark.parametrize(
    "token",
    [
        signed(OTHER_RSA),
        signed(EC, "ES256"),
        signed(alg="RS512"),
        signed(alg="PS256"),
        raw({"alg": "none", "kid": "rsa-1"}, claims()),
        raw({"alg": "None"}, claims()),
        raw({"alg": ""}, claims()),
        raw({"alg": ["RS256"]}, claims()),
        raw({"alg": None}, claims()),
        raw({"kid": "rsa-1"}, claims()),
        raw([], claims()),
        raw({"alg": "RS256"}, claims()),
        signed(header={"crit": ["b64"], "b64": False}),
        signed(OTHER_RSA, header={"jwk": OTHER_RSA.as_dict(private=False)}),
        signed(OTHER_RSA, header={"jku": "http://127.0.0.1:9/jwks"}),
    ],
    ids=["another key", "ec", "rs512", "ps256", "none", "None", "empty", "list", "null", "no alg", "no header",
         "no signature", "crit", "its own jwk", "its own jku"],
)  # fmt: skip
async def test_a_forged_token(token: str) -> None:
    assert await tokens().verify(token) is None


async def test_a_token_changed_anywhere_is_forged() -> None:
    token = signed()
    for place in range(0, len(token) - 1, 7):  # the last character holds bits that mean nothing
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        assert await tokens().verify(changed) is None


@pytest.mark.parametrize("secret", [PEM.encode(), PEM.strip().encode(), RSA.as_pem(private=False)])
async def test_the_public_key_is_no_shared_secret(secret: bytes) -> None:
    head = raw({"alg": "HS256", "typ": "JWT"}, claims()).rpartition(".")[0]
    signature = hmac.digest(secret, head.encode(), hashlib.sha256)
    token = raw({"alg": "HS256", "typ": "JWT"}, claims(), signature)
    assert await tokens().verify(token) is None
    # not even where a configuration could have allowed it
    assert await tokens(algorithms=("RS256", "HS256")).verify(token) is None


async def test_a_shared_secret() -> None:
    judge = tokens(algorithms=("HS256",), public_key=None, secret=Secret(SECRET))
    assert await judge.verify(signed(OctKey.import_key(SECRET), "HS256")) is not None
    assert await judge.verify(signed(OctKey.import_key(SECRET[::-1]), "HS256")) is None
    assert await judge.verify(raw({"alg": "none"}, claims())) is None


async def test_a_key_of_another_kind_in_pem() -> None:
    judge = tokens(algorithms=("ES256",), public_key=EC.as_pem(private=False).decode())
    assert await judge.verify(signed(EC, "ES256")) is not None
    assert await judge.verify(signed()) is None


@pytest.mark.parametrize("pem", ["", "no key", EC.as_pem(private=False).decode()])
def test_what_is_no_public_key_for_the_algorithms(pem: str) -> None:
    with pytest.raises(ConfigError, match="public_key_file"):
        tokens(public_key=pem)


async def test_headers_that_the_standard_does_not_know_do_not_matter() -> None:
    assert await tokens().verify(signed(header={"cat": "cl_B7d4PD111AAA", "typ": "at+jwt"})) is not None
    assert await tokens().verify(signed(header={"x5t#S256": "A" * 2000})) is not None
    assert await tokens().verify(signed(header={"x5t#S256": "A" * 4000})) is None


async def test_claims_become_scopes() -> None:
    numbers = {"requests_per_minute": "rpm", "day_dollars": "d"}
    judge = tokens(scopes={"models": "tw_models", "personas": "p", "tools": "t", **numbers})
    principal = await judge.verify(signed(tw_models=["fast"], p="plain poet", t="find look", rpm=10, d=2.5))
    assert principal is not None
    assert principal.scopes == Scopes(
        models=("fast",),
        personas=("plain", "poet"),
        tools=("find", "look"),
        requests_per_minute=10,
        day_dollars=2.5,
    )


@pytest.mark.parametrize("claim", [None, 7, {"a": 1}, [1], ["fast", None]], ids=str)
async def test_a_scope_that_is_not_said_or_cannot_be_read_is_not_taken_for_everything(claim: object) -> None:
    assert await tokens(scopes={"models": "tw_models"}).verify(signed(tw_models=claim)) is None


async def test_a_required_claim_is_there_and_true() -> None:
    judge = tokens(required=("email_verified",))
    for value, known in ((True, True), ("yes", True), (None, False), (False, False), ("", False)):
        assert (await judge.verify(signed(email_verified=value)) is not None) == known


async def test_the_name_is_of_the_claim_and_the_prefix_that_are_configured() -> None:
    principal = await tokens(principal="email", prefix="example/").verify(signed(email="ann@app.example", sub=None))
    assert principal is not None
    assert principal.name == "example/ann@app.example"


@pytest.mark.parametrize(
    "token",
    ["", ".", "..", "...", "a.b.c", "é.b.c", "a" * 8000, "." * 8000, raw({"alg": "RS256"}, {})[:-3] + "A" * 500_000],
    ids=lambda token: f"{len(token)} characters",
)
async def test_what_is_no_token(token: str) -> None:
    assert await tokens().verify(token) is None


async def test_a_deep_header_is_no_token() -> None:
    import base64

    deep = base64.urlsafe_b64encode(b'{"alg":' + b"[" * 2900 + b"]" * 2900 + b"}").decode().rstrip("=")
    assert await tokens().verify(f"{deep[:4000]}.e30.AA") is None


@given(st.text(max_size=300) | st.lists(st.text("abcdefghijABCDEFG019-_=", max_size=60), max_size=5).map(".".join))
async def test_garbage_is_no_token(text: str) -> None:
    assert await tokens().verify(text) is None


@given(st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk", "x5c", "cty"]),
                       st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text())))  # fmt: skip
async def test_a_garbled_header_is_no_token(header: dict[str, Any]) -> None:
    assert await tokens().verify(raw(header, claims())) is None


async def test_a_token_stays_out_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    token = signed(aud="canary-audience", sub="canary-subject")
    await tokens().verify(token)
    await tokens().verify(raw({"alg": "canary-alg"}, claims()))
    assert "aud" in caplog.text
    assert "canary" not in caplog.text
    assert token.rpartition(".")[2] not in caplog.text
