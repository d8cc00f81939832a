"""What every test of the run engine may ask for."""

import asyncio
from typing import Any, cast

import pytest

from tokenwire.runs.engine import Engine
from tokenwire.runs.memory import MemoryStore
from tokenwire.runs.run import Bounds

from .clock import ClockLoop


@pytest.fixture
def anyio_backend() -> Any:
    return "asyncio", {"loop_factory": ClockLoop}


@pytest.fixture
async def clock() -> ClockLoop:
    return cast(ClockLoop, asyncio.get_running_loop())


@pytest.fixture
def engine() -> Engine:
    """An engine with room for two runs, each of a thousand bytes."""
    return Engine(MemoryStore(), max_runs=2, bounds=Bounds(size=1000, ahead=1000))
