"""The addresses that a conversation brings: of images, documents and sound that the model's provider is to fetch.

This server never connects to them. What is checked is that an address names a host that everybody may ask, so that no
provider, gateway or model on the operator's own network is made to ask one that only it can reach. The name is looked
up once, and whoever fetches looks it up again: an address that changes in between is that fetcher's to refuse.
"""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence

from ..config.policy import MediaUrlRule
from ..errors import Code, Refusal
from ..messages import Media, Message

MAX_URL = 4096
"""Characters of an address."""
MAX_HOSTS = 16
"""Different names in one request."""
SECONDS = 3.0
"""How long all of them may take to be looked up."""

_LOOKUPS = 4
"""At once: each holds a thread of those that connect to upstreams, too."""

_URL = re.compile(
    r"https://(\[[0-9a-f]*:[0-9a-f:.]*\]|[^\[\]/?#:@\\]+)(?::([0-9]{1,5}))?(?:[/?#][!-~]*)?", re.IGNORECASE
)
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
# what ends in a number is an address, in one of the spellings that browsers know
_NAME = re.compile(rf"(?=.{{1,253}}$)(?:{_LABEL}\.)+(?=[a-z]){_LABEL}", re.IGNORECASE)
_OF_CLOUDS = (ipaddress.ip_network("168.63.129.16/32"), ipaddress.ip_network("192.0.0.0/24"))
"""Public by their numbers, and answered by the machine's own host."""
_UNICAST = ipaddress.ip_network("2000::/3")

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Lookup = Callable[[str], Awaitable[Sequence[str]]]
"""From a name to its addresses. Raises :class:`OSError` where it has none."""


async def look_up(name: str) -> Sequence[str]:
    """A :data:`Lookup` by the system's own means."""
    found = await asyncio.get_running_loop().getaddrinfo(name, 443, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class MediaUrls:
    """Lets a conversation pass whose addresses are all of the allowed kind."""

    def __init__(self, rule: MediaUrlRule, lookup: Lookup = look_up) -> None:
        self._rule = rule
        self._lookup = lookup
        self._slots = asyncio.Semaphore(_LOOKUPS)

    async def check(self, messages: Iterable[Message]) -> None:
        """Raises :class:`Refusal` (``bad_request``), which does not tell what a name stands for here."""
        parts = (part for message in messages for part in message.content if isinstance(part, Media))
        urls = {part.url for part in parts if part.url is not None and part.url[:5].lower() != "data:"}
        if not urls or self._rule == "any":
            return
        if self._rule == "none":
            raise Refusal(Code.bad_request, "Images and files are taken here as data, not by address.")
        names = {host for url in urls if not isinstance(host := _host(url), _Address)}
        if len(names) > MAX_HOSTS:
            raise Refusal(Code.bad_request, f"The images and files are at more than {MAX_HOSTS} different hosts.")
        try:
            async with asyncio.timeout(SECONDS):
                found = await asyncio.gather(*(self._addresses(name) for name in names))
        except (OSError, UnicodeError):  # a timeout is an OSError, too
            raise _not_public() from None
        if not all(addresses and all(map(_is_public, addresses)) for addresses in found):
            raise _not_public()

    async def _addresses(self, name: str) -> Sequence[str]:
        await self._slots.acquire()
        looking = asyncio.ensure_future(self._lookup(name))
        # a thread cannot be called back: its slot is free when it is, not when nobody waits for it any more
        looking.add_done_callback(lambda _: self._slots.release())
        return await asyncio.shield(looking)


def _host(url: str) -> str | _Address:
    """The host that every reader of the address takes for it. Raises :class:`Refusal` where they might differ."""
    match = _URL.fullmatch(url) if len(url) <= MAX_URL else None
    if match is None or not 0 < int(match[2] or 443) <= 65535:
        raise _not_public()
    host = match[1].lower()
    if _NAME.fullmatch(host):
        return host
    if not _is_public(host.strip("[]")):
        raise _not_public()
    return ipaddress.ip_address(host.strip("[]"))


def _is_public(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global and not address.is_multicast and not any(address in net for net in _OF_CLOUDS)
    # the rest of them leads nowhere, or to an IPv4 address within
    return address in _UNICAST and address.is_global and address.sixtofour is None


def _not_public() -> Refusal:
    return Refusal(Code.bad_request, "Images and files are taken from public https addresses only.")
