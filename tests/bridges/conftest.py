"""A scripted model in the test's own loop."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from tokenwire.testing import ScriptedUpstream

if TYPE_CHECKING:
    from openai import AsyncOpenAI


@pytest.fixture
async def upstream(anyio_backend: str) -> AsyncIterator[ScriptedUpstream]:
    async with ScriptedUpstream() as upstream:
        yield upstream


@pytest.fixture
async def openai(upstream: ScriptedUpstream) -> AsyncIterator["AsyncOpenAI"]:
    """The official client of the model, which is closed at the end: frameworks keep theirs for good."""
    from openai import AsyncOpenAI

    async with AsyncOpenAI(base_url=upstream.base_url, api_key="sk-test", max_retries=0) as client:
        yield client
