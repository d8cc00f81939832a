"""The names a server may be asked by: what others can make lead here is not one of them."""

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message, Scope

from tokenwire.config.accounts import Server
from tokenwire.errors import ConfigError
from tokenwire.gate.host import HostGate, Hosts
from tokenwire.gate.origin import Origins

ADDRESSES = ["127.0.0.1", "127.0.0.1:8000", "[::1]:8000", "192.168.1.5", "localhost", "LOCALHOST:8000"]
REBOUND = ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.evil.example", "1.2.3.4a.example"]


@pytest.mark.parametrize("host", ADDRESSES)
@pytest.mark.parametrize("hosts", [Hosts(), Hosts(["chat.example"]), Hosts(any_name=True)])
def test_an_address_is_always_believed(hosts: Hosts, host: str) -> None:
    assert hosts.believe(host)
    assert hosts.admit(host)


@pytest.mark.parametrize("host", REBOUND)
@pytest.mark.parametrize("hosts", [Hosts(), Hosts(["chat.example"]), Hosts(["chat.example"], any_name=True)])
def test_a_name_that_anybody_can_make_lead_here_is_not(hosts: Hosts, host: str) -> None:
    assert not hosts.believe(host)
    assert not hosts.admit(host)


@pytest.mark.parametrize(
    "host", ["chat.example", "chat.example:8443", "CHAT.example", "chat.example.", "Chat.Example.:80"]
)
def test_the_operators_name_is(host: str) -> None:
    hosts = Hosts(["Chat.example"])
    assert hosts.believe(host)
    assert hosts.admit(host)


def test_a_proxys_word_for_us_is_answered_but_no_page_is_ours_by_it() -> None:
    assert Hosts().admit("tokenwire")
    assert not Hosts().believe("tokenwire")
    assert not Hosts(["chat.example"]).admit("tokenwire")


def test_who_names_no_host_is_no_page() -> None:
    assert Hosts(["chat.example"]).admit("")
    assert not Hosts(["chat.example"]).believe("")
    assert not Origins((), Hosts(any_name=True)).own("null", "")


def test_with_a_file_on_loopback_a_name_is_our_own_only_where_the_operator_says_so() -> None:
    page, host = "https://chat.example", "chat.example"
    assert Origins((), Hosts(any_name=True)).own(page, host)
    assert Origins((), Hosts(["chat.example"])).own(page, host)
    assert not Origins((), Hosts()).own(page, host)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ([b"chat.example"], 200),
        ([b"evil.example"], 403),
        ([], 200),
        ([b"chat.example", b"evil.example"], 403),
        ([b"evil.example", b"chat.example"], 403),
        ([b"\xff\xfe"], 403),
    ],
)
async def test_a_request_by_another_name_is_refused(asked: list[bytes], status: int) -> None:
    gate = HostGate(PlainTextResponse("answer"), Hosts(["chat.example"]), PlainTextResponse("refused", 403))
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"host", host) for host in asked]}
    await gate(scope, receive, send)
    assert sent[0]["status"] == status


@pytest.mark.parametrize("name", ["https://chat.example", "chat.example:8000", "*", "*.example", "", "chat example"])
def test_what_is_no_name_is_a_mistake_in_the_file(name: str) -> None:
    with pytest.raises(ConfigError, match=r"server\.hosts"):
        Server(hosts=(name,)).check()
