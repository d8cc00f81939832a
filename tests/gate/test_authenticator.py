"""Who is asking, all ways together: one way is taken, and whatever goes wrong, nobody is known."""

import base64
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from starlette.requests import HTTPConnection

from tokenwire.accounts.records.contract import RecordsAway
from tokenwire.accounts.records.memory import MemoryRecords
from tokenwire.config.auth import Auth, Jwt
from tokenwire.errors import Code, ConfigError, Failure, Refusal
from tokenwire.gate.authenticator import Authenticate, Authenticator
from tokenwire.gate.keys import Keys
from tokenwire.gate.origin import Origins
from tokenwire.gate.principal import ANONYMOUS, Principal, Scopes

from .issuer import AUDIENCE, ISSUER, RSA, signed
from .test_credentials import bearer, http, socket

pytestmark = pytest.mark.anyio

APP = "https://app.example"
JWT = Jwt(issuer=ISSUER, audience=(AUDIENCE,), algorithms=("RS256",), public_key=RSA.as_pem(private=False).decode())
LATER: dict[str, Any] = {"exp": 4_000_000_000, "nbf": None, "iat": None}

Open = Callable[..., Authenticator]


@pytest.fixture
def records() -> MemoryRecords:
    return MemoryRecords()


@pytest.fixture
async def keys(records: MemoryRecords) -> Keys:
    return Keys(records)


@pytest.fixture
async def open_(records: MemoryRecords) -> AsyncIterator[Open]:
    opened: list[Authenticator] = []

    def open_(own: Authenticate | None = None, **auth: Any) -> Authenticator:
        opened.append(Authenticator(Auth(**auth), records, Origins((APP,)), own))
        return opened[-1]

    yield open_
    for authenticator in opened:
        await authenticator.close()


def sent(token: str, *more: tuple[str, str], **other: Any) -> dict[str, Any]:
    return http(("authorization", f"Bearer {token}"), *more, **other)


async def refused(authenticator: Authenticator, scope: dict[str, Any]) -> Code:
    with pytest.raises(Failure) as failure:
        await authenticator.identify(scope)
    return failure.value.code


async def test_without_a_word_in_the_configuration_nobody_has_to_say(open_: Open) -> None:
    for scope in (http(), sent("anything"), socket(query="ticket=x")):
        assert await open_().identify(scope) is ANONYMOUS


async def test_a_key_a_jwt_and_a_word_of_the_applications_own(open_: Open, keys: Keys) -> None:
    record, key = await keys.create()
    authenticator = open_(lambda connection: connection.headers.get("x-user"), keys=True, jwt=JWT)
    assert (await authenticator.identify(sent(key.reveal()))).key == record.id
    assert (await authenticator.identify(http(("x-api-key", key.reveal())))).key == record.id
    assert (await authenticator.identify(sent(signed(**LATER)))).name == "jwt:ann"
    assert (await authenticator.identify(http(("x-user", "bob")))).name == "bob"
    assert await refused(authenticator, http()) is Code.unauthenticated


@pytest.mark.parametrize(
    "scope",
    [
        sent("tw_000000000000_" + "0" * 43),
        sent("tw_x"),
        sent("a.b.c"),
        sent("anything"),
        http(("authorization", "Basic dXNlcjo=")),
        http(("authorization", "Basic a.b.c")),
        http(("authorization", "")),
        http(("cookie", "session=forged")),
        socket(subprotocols=(bearer("tw_x"),)),
        socket(query="ticket=forged"),
    ],
)
async def test_a_bad_credential_is_nobody_also_where_everybody_may_ask(open_: Open, scope: dict[str, Any]) -> None:
    authenticator = open_(keys=True, jwt=JWT, anonymous=True, cookie="session")
    assert await authenticator.identify(http()) is ANONYMOUS
    scope["headers"].append((b"origin", APP.encode()))
    assert await refused(authenticator, scope) is Code.unauthenticated


async def test_a_jwt_is_none_where_there_is_no_issuer(open_: Open, keys: Keys) -> None:
    assert await refused(open_(keys=True), sent(signed(**LATER))) is Code.unauthenticated
    key = (await keys.create()).text.reveal()
    assert await refused(open_(jwt=JWT), sent(key)) is Code.unauthenticated


@pytest.mark.parametrize("error", [KeyError("canary"), ValueError(), RuntimeError(), RecursionError()], ids=repr)
async def test_whatever_is_raised_nobody_is_known_and_the_log_says_what_kind(
    open_: Open, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    def own(_: HTTPConnection) -> str:
        raise error

    assert await refused(open_(own, anonymous=True), sent("canary")) is Code.unauthenticated
    assert type(error).__name__ in caplog.text
    assert "canary" not in caplog.text


async def test_a_store_that_is_away_knows_nobody(
    open_: Open, records: MemoryRecords, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = (await keys.create()).text.reveal()

    async def away(_: str) -> bytes | None:
        raise RecordsAway("gone")

    monkeypatch.setattr(records, "get", away)
    assert await refused(open_(keys=True, anonymous=True), sent(key)) is Code.store_unavailable


async def test_a_callable_tells_a_principal_with_scopes_or_waits_for_one(open_: Open) -> None:
    ann = Principal(name="ann", scopes=Scopes(models=("fast",)))

    async def own(_: HTTPConnection) -> Principal:
        return ann

    assert await open_(own).identify(http()) is ann
    assert await refused(open_(lambda _: ""), http()) is Code.unauthenticated
    assert await refused(open_(lambda _: Principal(name="")), http()) is Code.unauthenticated
    assert await open_(lambda _: None, anonymous=True).identify(http()) is ANONYMOUS
    with pytest.raises(TypeError, match="not as int"):
        await open_(lambda _: 42).identify(http())


async def test_a_callable_is_asked_about_every_other_scheme(open_: Open) -> None:
    authenticator = open_(lambda connection: connection.headers.get("authorization"), keys=True, jwt=JWT)
    for value in ("Basic dXNlcjo=", "Signed a.b.c", "Bearer opaque"):
        assert (await authenticator.identify(http(("authorization", value)))).name == value


async def test_a_callable_reads_a_subprotocols_token_as_a_header(open_: Open) -> None:
    authenticator = open_(lambda connection: connection.headers.get("authorization"))
    assert (await authenticator.identify(socket(subprotocols=(bearer("t"),)))).name == "Bearer t"


@pytest.mark.parametrize(
    ("scope", "known"),
    [
        (http(("origin", APP)), True),
        (http(("origin", "https://self.example"), ("host", "self.example")), True),
        (http(("sec-fetch-site", "same-origin")), True),
        (http(("sec-fetch-site", "none")), True),
        (http(("sec-fetch-site", "same-site")), False),
        (http(("sec-fetch-site", "cross-site")), False),
        (http(), False),
        (http(("origin", "https://evil.example")), False),
        (http(("origin", "null")), False),
        (http(("origin", "https://evil.example"), ("sec-fetch-site", "same-origin")), False),
        (http(method="GET"), True),
        (socket(("origin", APP)), True),
        (socket(("origin", "https://evil.example")), False),
        (socket(), False),
    ],
)
async def test_a_cookie_counts_only_where_the_page_is_ours(
    open_: Open, keys: Keys, scope: dict[str, Any], known: bool
) -> None:
    record, key = await keys.create()
    scope["headers"].append((b"cookie", b"session=" + key.reveal().encode()))
    authenticator = open_(keys=True, cookie="session")
    if known:
        assert (await authenticator.identify(scope)).key == record.id
    else:
        assert await refused(authenticator, scope) is Code.forbidden_origin


async def test_a_key_may_be_for_some_pages_only(open_: Open, keys: Keys) -> None:
    record, key = await keys.create(scopes=Scopes(origins=(APP,)))
    authenticator = open_(keys=True)
    for scope in (sent(key.reveal(), ("origin", APP)), sent(key.reveal())):
        assert (await authenticator.identify(scope)).key == record.id
    other = sent(key.reveal(), ("origin", "https://other.example"))
    assert await refused(authenticator, other) is Code.forbidden_origin


async def test_a_ticket_is_as_good_as_the_key_it_was_got_with(open_: Open, keys: Keys) -> None:
    record, key = await keys.create(principal="ann", scopes=Scopes(models=("fast",)))
    authenticator = open_(keys=True)
    ann = await authenticator.identify(sent(key.reveal()))
    first, second = await authenticator.ticket(ann), await authenticator.ticket(ann)
    assert await authenticator.identify(socket(query=f"ticket={first}")) == ann
    assert await refused(authenticator, socket(query=f"ticket={first}")) is Code.unauthenticated
    assert await refused(authenticator, http(query=f"ticket={second}")) is Code.unauthenticated
    await keys.revoke(record.id)
    authenticator = open_(keys=True)
    assert await refused(authenticator, socket(query=f"ticket={second}")) is Code.unauthenticated


async def test_nobody_in_particular_gets_no_ticket(open_: Open) -> None:
    with pytest.raises(Refusal):
        await open_(keys=True, anonymous=True).ticket(ANONYMOUS)


async def test_who_may_say_later(open_: Open) -> None:
    authenticator = open_(keys=True)
    assert authenticator.may_say_later(socket())
    assert not authenticator.may_say_later(socket(query="ticket=x"))
    assert not authenticator.may_say_later(socket(subprotocols=("tokenwire.bearer.***",)))
    assert not open_(lambda _: None).may_say_later(socket())


async def test_a_token_in_a_frame_is_judged_like_a_header(open_: Open, keys: Keys) -> None:
    record, key = await keys.create(scopes=Scopes(origins=(APP,)))
    authenticator = open_(keys=True)
    assert (await authenticator.identify_by(key.reveal(), socket())).key == record.id
    for token, scope in (("tw_x", socket()), (key.reveal(), socket(("origin", "https://other.example")))):
        with pytest.raises(Refusal):
            await authenticator.identify_by(token, scope)
    unprintable = base64.b64encode(b"x").decode() + "\n"
    with pytest.raises(Refusal):
        await authenticator.identify_by(unprintable, socket())


def test_jwt_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "tokenwire.gate.tokens", raising=False)
    monkeypatch.setitem(sys.modules, "joserfc", None)
    with pytest.raises(ConfigError, match=r"tokenwire\[jwt\]"):
        Authenticator(Auth(jwt=JWT), MemoryRecords(), Origins(None))
