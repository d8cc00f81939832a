"""From where somebody asks, through proxies that are believed and past everything that anybody can write.

Of a chain of addresses only the end is certain: each proxy appends whom it was asked by. So it is read from the right,
as long as the one who says it is trusted.
"""

import ipaddress
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Header = Literal["x-forwarded-for", "forwarded"]

NOWHERE = "unknown"
"""Whoever comes over a socket that has no address: all of them are one."""

_FOR = re.compile(r'(?:^|;)\s*for\s*=\s*(?:"([^"]*)"|([^;\s]*))', re.IGNORECASE)
_WITH_PORT = re.compile(r"\[([^\]]*)\](?::\w+)?|([0-9.]+)(?::\w+)?")
_IPV6_SITE = 64
"""Bits of an IPv6 address that tell one customer from the next; the others are theirs to choose."""


def parse_networks(names: Iterable[str]) -> tuple[Network, ...]:
    """Networks as a configuration names them. Raises :class:`ValueError`."""
    return tuple(ipaddress.ip_network(name) for name in names)


class ClientAddresses:
    """Finds the address that a request is counted under.

    :param trusted: the proxies.
    :param header: where they say for whom they ask.
    """

    def __init__(self, trusted: Sequence[Network] = (), header: Header = "x-forwarded-for") -> None:
        self._trusted = trusted
        self._header = header.encode()
        self._read = _forwarded if header == "forwarded" else _forwarded_for

    def of(self, peer: str | None, headers: Iterable[tuple[bytes, bytes]]) -> str:
        """The address, of IPv6 its first 64 bits; the last that can be believed where a trusted proxy says nonsense.

        :param peer: whom the connection is from.
        """
        address = _address(peer or "")
        if address is None:
            return NOWHERE
        if self._trusts(address):
            said = b",".join(value for name, value in headers if name == self._header).decode("latin-1")
            for before in self._read(said):
                if before is None:
                    break
                address = before
                if not self._trusts(address):
                    break
        return _counted(address)

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self._trusted)


def _forwarded_for(value: str) -> Iterator[Address | None]:
    """The addresses from the right, ``None`` for what is none."""
    if value:
        yield from map(_address, reversed(value.split(",")))


def _forwarded(value: str) -> Iterator[Address | None]:
    for element in reversed(value.split(",")) if value else ():
        said = _FOR.search(element)
        yield _address(said[1] or said[2] or "") if said else None


def _address(text: str) -> Address | None:
    text = text.strip()
    if match := _WITH_PORT.fullmatch(text):
        text = match[1] or match[2]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _counted(address: Address) -> str:
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(ipaddress.ip_network((int(address), _IPV6_SITE), strict=False))
