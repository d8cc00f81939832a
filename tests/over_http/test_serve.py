"""The address that is served on."""

import pytest

from tokenwire.errors import ConfigError
from tokenwire.server.listener import bind


def test_an_address_is_had_by_one() -> None:
    """From the moment it is bound: between that and the first answer lies the start of an embedded model."""
    with bind("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port} is in use"):
            bind("127.0.0.1", port).close()


def test_an_address_can_be_had_again() -> None:
    with bind("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
    with bind("127.0.0.1", port) as listener:
        assert listener.getsockname()[1] == port


@pytest.mark.parametrize(
    "host", ["192.0.2.1", "nobody.invalid", "a..b", "x" * 64 + ".example", "127.0.0.1:80", "[::1]"]
)
def test_an_address_that_cannot_be_had_is_named(host: str) -> None:
    with pytest.raises(ConfigError) as wrong:
        bind(host, 0).close()
    assert host in str(wrong.value)
    assert "\n" not in str(wrong.value)
