"""The JavaScript clients, started once for all twins."""

from collections.abc import Iterator

import pytest

from ...interop.node import Node, install


@pytest.fixture(scope="session")
def twins() -> Iterator[Node]:
    """The Node program that plays the same scenarios."""
    install()
    with Node("../client/twins/twin.mjs") as node:
        yield node
