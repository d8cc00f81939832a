"""NDJSON: one line an event, in an envelope where the wire carries offsets."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenwire.wire import ndjson

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.mark.parametrize(("offset", "framed"), [(None, b'{"a":1}\n'), (b"key:1", b'{"id":"key:1","chunk":{"a":1}}\n')])
def test_a_frame_is_what_every_client_reads(offset: bytes | None, framed: bytes) -> None:
    assert ndjson.frame(b'{"a":1}', offset) == framed


@settings(deadline=None)
@given(st.lists(TEXTS))
def test_a_stream_is_one_event_a_line_and_heartbeats_are_empty(texts: list[str]) -> None:
    events = [json.dumps({"type": "X", "delta": text}, ensure_ascii=False).encode() for text in texts]
    stream = b"".join(
        ndjson.HEARTBEAT + ndjson.frame(event, b"k:%d" % seq if seq % 2 else None) for seq, event in enumerate(events)
    )
    lines = [json.loads(line) for line in stream.split(b"\n") if line]
    assert [line.get("id") for line in lines] == [f"k:{seq}" if seq % 2 else None for seq in range(len(texts))]
    assert [line.get("chunk", line)["delta"] for line in lines] == texts
