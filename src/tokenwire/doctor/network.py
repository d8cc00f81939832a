"""Where an address is."""

import ipaddress
from urllib.parse import urlsplit


def is_this_machine(host: str | None) -> bool:
    """Whether a host's name or address cannot be anywhere else."""
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return host == "localhost" or (host or "").endswith(".localhost")


def in_the_clear(url: str) -> bool:
    """Whether what is sent to a URL can be read on its way."""
    parts = urlsplit(url)
    return parts.scheme in ("http", "ws", "redis") and not is_this_machine(parts.hostname)
