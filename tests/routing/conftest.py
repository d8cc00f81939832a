"""Time that a test moves."""

import asyncio
from typing import Any, cast

import pytest

from ..runs.clock import ClockLoop


@pytest.fixture
def anyio_backend() -> Any:
    return "asyncio", {"loop_factory": ClockLoop}


@pytest.fixture
async def clock() -> ClockLoop:
    return cast(ClockLoop, asyncio.get_running_loop())
