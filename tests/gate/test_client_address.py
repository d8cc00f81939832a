"""From where somebody asks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenwire.gate.client_address import NOWHERE, ClientAddresses, parse_networks

TRUSTED = parse_networks(["10.0.0.0/8", "fd00::/8"])
PROXIED = ClientAddresses(TRUSTED)
FORWARDED = ClientAddresses(TRUSTED, "forwarded")


def forwarded_for(*values: str) -> list[tuple[bytes, bytes]]:
    return [(b"x-forwarded-for", value.encode()) for value in values]


def forwarded(*values: str) -> list[tuple[bytes, bytes]]:
    return [(b"forwarded", value.encode()) for value in values]


def test_without_trusted_proxies_a_header_is_nobodys_word() -> None:
    assert ClientAddresses().of("192.0.2.1", forwarded_for("203.0.113.9")) == "192.0.2.1"


def test_nobody_else_than_a_trusted_proxy_is_believed() -> None:
    assert PROXIED.of("192.0.2.1", forwarded_for("203.0.113.9")) == "192.0.2.1"


@pytest.mark.parametrize(
    ("values", "address"),
    [
        (["203.0.113.9"], "203.0.113.9"),
        (["198.51.100.1, 203.0.113.9"], "203.0.113.9"),
        (["198.51.100.1", "203.0.113.9"], "203.0.113.9"),
        (["203.0.113.9, 10.1.2.3"], "203.0.113.9"),
        (["203.0.113.9:4711"], "203.0.113.9"),
        (["[2001:db8:1:2:3::1]:4711"], "2001:db8:1:2::/64"),
        (["2001:db8:1:2:4::1"], "2001:db8:1:2::/64"),
        (["::ffff:203.0.113.9"], "203.0.113.9"),
        (["203.0.113.9, nonsense"], "10.0.0.1"),
        (["nonsense, 10.1.2.3"], "10.1.2.3"),
        ([""], "10.0.0.1"),
        ([], "10.0.0.1"),
        (["10.1.2.3"], "10.1.2.3"),
    ],
)
def test_the_last_who_is_not_trusted_is_who_asks(values: list[str], address: str) -> None:
    assert PROXIED.of("10.0.0.1", forwarded_for(*values)) == address


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("for=203.0.113.9", "203.0.113.9"),
        ('for=198.51.100.1, for="[2001:db8:1:2::1]:80";proto=https', "2001:db8:1:2::/64"),
        ("proto=https;FOR=203.0.113.9;by=10.0.0.1", "203.0.113.9"),
        ("for=unknown", "10.0.0.1"),
        ("for=_hidden", "10.0.0.1"),
        ("for=203.0.113.9, proto=https", "10.0.0.1"),
    ],
)
def test_the_standard_header(value: str, address: str) -> None:
    assert FORWARDED.of("10.0.0.1", forwarded(value)) == address


def test_only_the_header_that_the_proxy_writes_counts() -> None:
    """It passes the other one on as the client wrote it."""
    assert PROXIED.of("10.0.0.1", forwarded("for=198.51.100.1")) == "10.0.0.1"
    assert FORWARDED.of("10.0.0.1", forwarded_for("198.51.100.1")) == "10.0.0.1"


def test_a_proxy_in_front_of_ipv6_mapped_sockets_is_trusted_as_well() -> None:
    assert PROXIED.of("::ffff:10.0.0.1", forwarded_for("203.0.113.9")) == "203.0.113.9"


def test_whoever_has_no_address_is_nowhere() -> None:
    assert PROXIED.of(None, forwarded_for("203.0.113.9")) == NOWHERE


@given(st.text(st.characters(codec="latin-1")), st.booleans())
def test_whatever_is_written_to_the_left_changes_nothing(written: str, standard: bool) -> None:
    if standard:
        said = FORWARDED.of("10.0.0.1", [(b"forwarded", written.encode("latin-1") + b", for=203.0.113.9")])
    else:
        said = PROXIED.of("10.0.0.1", [(b"x-forwarded-for", written.encode("latin-1") + b", 203.0.113.9")])
    assert said == "203.0.113.9"
