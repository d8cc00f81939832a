"""The scripted upstream, and the official client pointed at it."""

from collections.abc import AsyncIterator

import pytest
from openai import AsyncOpenAI

from tokenwire.testing import ScriptedUpstream


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with ScriptedUpstream() as upstream:
        yield upstream


@pytest.fixture
async def client(upstream: ScriptedUpstream) -> AsyncIterator[AsyncOpenAI]:
    url = upstream.base_url
    async with AsyncOpenAI(base_url=url, api_key="sk-test", max_retries=0, timeout=10) as client:
        yield client
