"""What a bridge says where its package is not installed."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Around the imports of a bridge: an :class:`ImportError` from here says what to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ImportError(f"the {name} bridge needs a package: pip install 'tokenwire[{name}]'") from error
