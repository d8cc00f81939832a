"""Which wire a body speaks (docs/wires/tanstack.md 0, 1.3)."""

import json
from typing import Any

import pytest

from tokenwire.wire.base import Wire
from tokenwire.wire.detect import WIRES, detect, detect_tanstack
from tokenwire.wire.rais import RAIS
from tokenwire.wire.request import decode_envelope
from tokenwire.wire.tanstack import TANSTACK, TANSTACK_LEGACY

PLAIN = [{"role": "user", "content": "hi"}]
RENDERED = [{"role": "user", "content": "hi"}, {"role": "user", "parts": []}]


@pytest.mark.parametrize(
    ("body", "wire"),
    [
        ({"messages": PLAIN}, RAIS),
        ({"messages": PLAIN, "persona": "p", "temperature": 1, "conversationId": "c"}, RAIS),
        ({"messages": PLAIN, "data": None, "runId": None}, RAIS),
        ({"messages": PLAIN, "threadId": "t"}, RAIS),
        ({"messages": PLAIN, "forwardedProps": {}}, RAIS),
        ({}, RAIS),
        ({"messages": PLAIN, "data": {}}, TANSTACK_LEGACY),
        ({"messages": RENDERED}, TANSTACK_LEGACY),
        ({"messages": RENDERED, "data": {"conversationId": "c"}}, TANSTACK_LEGACY),
        ({"messages": PLAIN, "runId": "r"}, TANSTACK),
        ({"messages": PLAIN, "runId": "r", "threadId": "t", "data": {}, "forwardedProps": {}}, TANSTACK),
        ({"messages": RENDERED, "runId": "r", "data": {}}, TANSTACK),
        ({"runId": ""}, TANSTACK),
    ],
)
def test_the_body_tells_its_wire(body: dict[str, Any], wire: Wire) -> None:
    assert detect(decode_envelope(json.dumps(body).encode())) is wire


@pytest.mark.parametrize(
    ("body", "wire"),
    [
        ({"messages": PLAIN}, TANSTACK_LEGACY),
        ({"messages": RENDERED, "data": {}}, TANSTACK_LEGACY),
        ({"messages": PLAIN, "runId": "r"}, TANSTACK),
    ],
)
def test_of_tanstacks_generations_the_newest_names_its_run(body: dict[str, Any], wire: Wire) -> None:
    assert detect_tanstack(decode_envelope(json.dumps(body).encode())) is wire


def test_a_wire_is_found_by_its_name() -> None:
    assert {"rais": RAIS, "tanstack": TANSTACK, "tanstack-legacy": TANSTACK_LEGACY} == WIRES
