"""What requests and runs may take, and how long things are waited for and kept."""

from typing import Annotated

import msgspec

from .table import Positive, Seconds, Table


class Limits(Table, frozen=True):
    """``[limits]``: what one request, and all of them together, may take."""

    body_bytes: Positive = 4 * 1024 * 1024
    body_seconds: Seconds = 15.0
    depth: Positive = 64
    messages: Positive = 1000
    characters: Positive = 2_000_000
    message_characters: Positive = 1_000_000
    parts: Positive = 200
    tools: Positive = 128
    tool_bytes: Positive = 256 * 1024
    runs: Positive = 10_000
    run_bytes: Positive = 32 * 1024 * 1024
    ahead_bytes: Positive = 4 * 1024 * 1024
    readers: Positive = 5000


class Runs(Table, frozen=True):
    """``[runs]``: how long things are waited for and kept."""

    keep_seconds: Seconds = 300.0
    keep_bytes: Positive | None = None
    heartbeat_seconds: Seconds = 15.0
    connect_seconds: Seconds = 10.0
    silence_seconds: Seconds = 120.0
    answer_seconds: Seconds = 3600.0
    retry_seconds: Seconds = 15.0
    breaker_seconds: Annotated[float, msgspec.Meta(ge=0)] = 5.0
    lease_seconds: Seconds = 10.0
    store_seconds: Seconds = 10.0
    drain_seconds: Annotated[float, msgspec.Meta(ge=0)] = 25.0
