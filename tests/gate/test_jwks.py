"""An issuer's keys: fetched seldom, whatever tokens come and however the issuer is."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from joserfc.errors import SecurityWarning
from joserfc.jwk import RSAKey

from tokenwire.config.auth import Jwt
from tokenwire.errors import Refusal
from tokenwire.gate.jwks import COOL_DOWN_SECONDS, FRESH_SECONDS, STALE_SECONDS, Jwks
from tokenwire.gate.tokens import Tokens

from .issuer import AUDIENCE, EC, ISSUER, NOW, RSA, jwks, signed

pytestmark = pytest.mark.anyio

SECOND = RSAKey.generate_key(2048, {"kid": "rsa-2"})


class Issuer:
    """What is published, how often it was asked for, and the time."""

    def __init__(self) -> None:
        self.body = jwks(RSA)
        self.down = False
        self.fetches = 0
        self.now = 0.0

    async def fetch(self, _: str) -> bytes:
        self.fetches += 1
        await asyncio.sleep(0)
        if self.down:
            raise OSError("down")
        return self.body

    def keys(self) -> Jwks:
        return Jwks("https://login.example/jwks", fetch=self.fetch, clock=lambda: self.now)


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


async def test_keys_are_fetched_once_for_many(issuer: Issuer) -> None:
    keys = issuer.keys()
    found = await asyncio.gather(*(keys.key("rsa-1", "RS256") for _ in range(50)))
    assert all(key is not None for key in found)
    assert issuer.fetches == 1


async def test_unknown_key_ids_cause_one_fetch_in_the_cool_down(issuer: Issuer) -> None:
    keys = issuer.keys()
    await keys.key("rsa-1", "RS256")
    issuer.now = COOL_DOWN_SECONDS
    for number in range(500):
        assert await keys.key(f"made-up-{number}", "RS256") is None
    assert issuer.fetches == 2
    issuer.now += COOL_DOWN_SECONDS - 1
    assert await keys.key("made-up", "RS256") is None
    assert issuer.fetches == 2


async def test_a_new_key_is_found(issuer: Issuer) -> None:
    keys = issuer.keys()
    await keys.key("rsa-1", "RS256")
    issuer.body, issuer.now = jwks(SECOND), COOL_DOWN_SECONDS
    assert await keys.key("rsa-2", "RS256") is not None
    assert await keys.key("rsa-1", "RS256") is None


async def test_a_withdrawn_key_is_forgotten_when_the_keys_are_old(issuer: Issuer) -> None:
    keys = issuer.keys()
    await keys.key("rsa-1", "RS256")
    issuer.body, issuer.now = jwks(SECOND), FRESH_SECONDS
    await keys.key("rsa-1", "RS256")  # nobody waits for the fetch
    for _ in range(5):
        await asyncio.sleep(0)
    assert await keys.key("rsa-1", "RS256") is None
    assert issuer.fetches == 2


async def test_keys_outlive_their_issuer_for_a_while(issuer: Issuer) -> None:
    keys = issuer.keys()
    await keys.key("rsa-1", "RS256")
    issuer.down, issuer.now = True, STALE_SECONDS - 1
    assert await keys.key("rsa-1", "RS256") is not None
    issuer.now = STALE_SECONDS
    with pytest.raises(Refusal) as refused:
        await keys.key("rsa-1", "RS256")
    assert refused.value.status == 503
    issuer.down, issuer.now = False, STALE_SECONDS + COOL_DOWN_SECONDS
    assert await keys.key("rsa-1", "RS256") is not None


async def test_of_a_key_that_may_be_new_nobody_can_tell_while_the_issuer_is_away(issuer: Issuer) -> None:
    keys = issuer.keys()
    await keys.key("rsa-1", "RS256")
    issuer.down, issuer.now = True, COOL_DOWN_SECONDS
    for _ in range(2):
        with pytest.raises(Refusal) as refused:
            await keys.key("rsa-2", "RS256")
        assert refused.value.status == 503
    assert await keys.key("rsa-1", "RS256") is not None
    issuer.down, issuer.body, issuer.now = False, jwks(RSA, SECOND), 2 * COOL_DOWN_SECONDS
    assert await keys.key("rsa-2", "RS256") is not None
    assert await keys.key("rsa-3", "RS256") is None


async def test_an_issuer_that_is_down_is_not_asked_by_everybody(issuer: Issuer) -> None:
    issuer.down = True
    keys = issuer.keys()
    for _ in range(100):
        with pytest.raises(Refusal):
            await keys.key("rsa-1", "RS256")
    assert issuer.fetches == 1


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{}", b'{"keys":[]}', b'{"keys":7}', b'{"keys":' + b"[" * 100_000, b"<html>",
        b'{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}',
        b'{"keys":[{"kty":"oct","k":"' + b"c2Vj" * 16 + b'"}]}',
        b'{"keys":[7,{"kty":"RSA"},{"kty":"RSA","n":"AQAB","e":"AQAB"},{"kty":7}]}',
    ],
    ids=range(10),
)  # fmt: skip
async def test_what_is_no_set_of_public_keys(issuer: Issuer, body: bytes) -> None:
    issuer.body = body
    with pytest.raises(Refusal):
        await issuer.keys().key("rsa-1", "RS256")


async def test_a_weak_key_is_as_good_as_not_there(issuer: Issuer) -> None:
    with pytest.warns(SecurityWarning):
        weak = RSAKey.generate_key(1024, {"kid": "weak"})
    issuer.body = jwks(weak, RSA)
    keys = issuer.keys()
    assert await keys.key("rsa-1", "RS256") is not None
    assert await keys.key("weak", "RS256") is None


async def test_who_goes_while_the_keys_are_fetched_takes_them_from_nobody(issuer: Issuer) -> None:
    keys = issuer.keys()
    first, second = (asyncio.create_task(keys.key("rsa-1", "RS256")) for _ in range(2))
    for _ in range(3):
        await asyncio.sleep(0)
    first.cancel()
    assert await second is not None
    assert issuer.fetches == 1


async def test_a_key_is_for_its_own_algorithm(issuer: Issuer) -> None:
    issuer.body = jwks(RSA, EC)
    keys = issuer.keys()
    assert await keys.key("ec-1", "ES256") is not None
    assert await keys.key("ec-1", "RS256") is None
    assert await keys.key("ec-1", "HS256") is None
    assert await keys.key(None, "ES256") is not None


async def test_without_an_id_the_key_has_to_be_the_only_one(issuer: Issuer) -> None:
    issuer.body = jwks(RSA, SECOND)
    assert await issuer.keys().key(None, "RS256") is None


class Site:
    """A real server of keys."""

    def __init__(self) -> None:
        self.url = ""
        self.answer = web.Response(body=jwks(RSA))

    async def handle(self, _: web.Request) -> web.StreamResponse:
        return self.answer

    async def keys(self, _: web.Request) -> web.StreamResponse:
        return web.Response(body=jwks(RSA))


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    app = web.Application()
    app.router.add_get("/jwks", site.handle)
    app.router.add_get("/moved", site.keys)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    site.url = f"http://127.0.0.1:{runner.addresses[0][1]}/jwks"
    yield site
    await runner.cleanup()


async def test_tokens_are_judged_by_keys_from_the_net(site: Site) -> None:
    rules = Jwt(issuer=ISSUER, audience=(AUDIENCE,), algorithms=("RS256",), jwks_url=site.url)
    tokens = Tokens(rules, clock=lambda: NOW)
    principal = await tokens.verify(signed())
    assert principal is not None
    assert principal.name == "jwt:ann"
    assert await tokens.verify(signed(SECOND)) is None
    await tokens.close()


@pytest.mark.parametrize(
    "answer",
    [
        lambda: web.Response(status=302, headers={"location": "/moved"}),
        lambda: web.Response(status=500, body=jwks(RSA)),
        lambda: web.Response(body=jwks(RSA) + b" " * 300_000),
    ],
    ids=["a redirect", "a failure", "too much"],
)
async def test_what_the_net_must_not_say(site: Site, answer: object) -> None:
    assert callable(answer)
    site.answer = answer()
    keys = Jwks(site.url)
    with pytest.raises(Refusal):
        await keys.key("rsa-1", "RS256")
    await keys.close()
