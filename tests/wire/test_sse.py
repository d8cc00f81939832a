"""Event streams: the parser against the standard's own rules, and the frames we write."""

import json
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenwire.wire import sse
from tokenwire.wire.sse import Parser, TooLong

LINE_ENDS = [b"\n", b"\r", b"\r\n"]
FIELDS = [b"data", b"data:", b"data: ", b"id:", b"id: ", b"event: x", b"retry: 1", b": ping"]
NO_FIELDS = [b"Data: x", b" data: x", b"data : x"]
VALUES = [b":", b" ", b"a", b"b:c", b"{}", b"\xc3\xa9", b"\xff", b"\0"]
PIECES = st.lists(st.sampled_from([*LINE_ENDS, *FIELDS, *NO_FIELDS, *VALUES]), max_size=40)
MARKS = st.sampled_from([b"", b"\xef\xbb\xbf", b"\xef\xbb", b"\xef\xbb\xbf\xef\xbb\xbf"])
STREAMS = st.builds(bytes.__add__, MARKS, PIECES.map(b"".join))


def by_the_standard(stream: bytes) -> list[bytes]:
    """The data of a whole stream's events, rule by rule as the standard states them."""
    if stream[:3] == b"\xef\xbb\xbf":
        stream = stream[3:]
    messages: list[bytes] = []
    data: list[bytes] = []
    for line in complete_lines(stream):
        if line == b"":
            if data:
                messages.append(b"\n".join(data))
            data = []
            continue
        if line[:1] == b":":
            continue
        colon = line.find(b":")
        if colon < 0:
            field, value = line, b""
        else:
            field, value = line[:colon], line[colon + 1 :]
            if value[:1] == b" ":
                value = value[1:]
        if field == b"data":
            data.append(value)
    return messages


def complete_lines(stream: bytes) -> list[bytes]:
    lines: list[bytes] = []
    start = place = 0
    while place < len(stream):
        byte = stream[place : place + 1]
        if byte in (b"\n", b"\r"):
            lines.append(stream[start:place])
            place += 2 if stream[place : place + 2] == b"\r\n" else 1
            start = place
        else:
            place += 1
    return lines


def cut(stream: bytes, places: Iterable[int]) -> list[bytes]:
    """The stream in pieces, some of them empty."""
    places = sorted(place % (len(stream) + 1) for place in places)
    return [stream[start:end] for start, end in zip([0, *places], [*places, len(stream)], strict=True)]


def read(pieces: Iterable[bytes]) -> list[bytes]:
    parser = Parser()
    return [message for piece in pieces for message in parser.feed(piece)]


@pytest.mark.parametrize(
    ("stream", "messages"),
    [
        pytest.param(b"data: a\n\n", [b"a"], id="lf"),
        pytest.param(b"data: a\r\n\r\n", [b"a"], id="crlf"),
        pytest.param(b"data: a\r\r", [b"a"], id="cr"),
        pytest.param(b"data: a\r\n\r", [b"a"], id="the line ends of one event differ"),
        pytest.param(b"data: a\n\r\n", [b"a"], id="lf then crlf"),
        pytest.param(b"data:a\n\n", [b"a"], id="no space"),
        pytest.param(b"data:  a \n\n", [b" a "], id="one space is the separator's"),
        pytest.param(b"data:\ta\n\n", [b"\ta"], id="a tab is the data's"),
        pytest.param(b"data: a\ndata: b\n\n", [b"a\nb"], id="two data lines"),
        pytest.param(b"data: a\n\ndata: b\n\n", [b"a", b"b"], id="two events"),
        pytest.param(b"data\n\n", [b""], id="a field without a colon"),
        pytest.param(b"data:\n\n", [b""], id="no data is data"),
        pytest.param(b"data\ndata\n\n", [b"\n"], id="two empty data lines"),
        pytest.param(b": a\ndata: b\n: c\n\n", [b"b"], id="comments between"),
        pytest.param(b": a\n\n:\n\n", [], id="nothing but comments"),
        pytest.param(b"\n\n\r\n\r\r\n\n", [], id="nothing but empty lines"),
        pytest.param(b"\n\ndata: a\n\n\n\n\ndata: b\n\n\n", [b"a", b"b"], id="heartbeats"),
        pytest.param(b"id: 1\ndata: a\n\n", [b"a"], id="id"),
        pytest.param(b"data: a\nid: 1\n\n", [b"a"], id="id last"),
        pytest.param(b"id:  1\ndata:  a\ndata:  b\n\n", [b" a\n b"], id="one space of a line among others"),
        pytest.param(b"data: a\n\ndata: b\r\n\r\n", [b"a", b"b"], id="two kinds of event"),
        pytest.param(b"id: 1\nid: 2\ndata: a\n\n", [b"a"], id="two ids"),
        pytest.param(b"id\ndata: a\n\n", [b"a"], id="an empty id"),
        pytest.param(b"id: a\0b\ndata: a\n\n", [b"a"], id="an id with a nul"),
        pytest.param(b"id: 1\ndata: a\n\ndata: b\n\n", [b"a", b"b"], id="one event with an id and one without"),
        pytest.param(b"id: 1\n\ndata: a\n\n", [b"a"], id="an id without data"),
        pytest.param(b"event: x\nretry: 5\ndata: a\nnews: b\n\n", [b"a"], id="other fields"),
        pytest.param(b"Data: a\n data: b\ndata : c\n\n", [], id="a field's name is exact"),
        pytest.param(b"data: a: b\n\n", [b"a: b"], id="a colon in the data"),
        pytest.param("data: \u2028\x85\x0b\n\n".encode(), ["\u2028\x85\x0b".encode()], id="other line ends"),
        pytest.param(b"data: a\ndata: b\n", [], id="unfinished"),
    ],
)
def test_what_a_stream_says(stream: bytes, messages: list[bytes]) -> None:
    assert by_the_standard(stream) == messages
    assert read(stream[i : i + 1] for i in range(len(stream))) == messages
    for place in range(len(stream)):
        assert read([stream[:place], stream[place:]]) == messages


@settings(deadline=None, max_examples=400)
@given(STREAMS, st.lists(st.integers(0, 10_000), max_size=12))
def test_any_cut_of_any_stream_is_read_by_the_standard(stream: bytes, places: list[int]) -> None:
    assert read(cut(stream, places)) == by_the_standard(stream)


def test_an_empty_read_changes_nothing() -> None:
    stream = b"data: a\r\ndata: b\r\n\r\n"
    assert read([stream[:8], b"", stream[8:]]) == by_the_standard(stream)


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_a_byte_order_mark_is_not_data(size: int) -> None:
    stream = b"\xef\xbb\xbfdata: a\n\ndata: \xef\xbb\xbf\n\n"
    assert by_the_standard(stream) == [b"a", b"\xef\xbb\xbf"]
    assert read(stream[i : i + size] for i in range(0, len(stream), size)) == by_the_standard(stream)


@pytest.mark.parametrize(
    ("rest", "messages"),
    [
        (b"", []),
        (b"\n", []),
        (b"data: a", [b"a"]),
        (b"data: a\n", [b"a"]),
        (b"data: a\r", [b"a"]),
        (b"data: a\r\n", [b"a"]),
        (b"id: 1\ndata: a\ndata: b", [b"a\nb"]),
        (b"id: 1\n", []),
        (b": ping", []),
        (b"dat", []),
    ],
)
def test_the_end_gives_out_an_event_without_its_empty_line(rest: bytes, messages: list[bytes]) -> None:
    parser = Parser()
    assert parser.feed(b"data: before\n\n" + rest) == [b"before"]
    assert parser.end() == messages
    assert parser.end() == []


@settings(deadline=None)
@given(STREAMS, st.lists(st.integers(0, 10_000), max_size=12))
def test_the_end_adds_what_an_empty_line_would_have(stream: bytes, places: list[int]) -> None:
    parser = Parser()
    messages = [message for piece in cut(stream, places) for message in parser.feed(piece)]
    # two line feeds: the first only completes the last line
    assert messages + parser.end() == by_the_standard(stream + b"\n\n")


def test_an_event_without_end_is_given_up() -> None:
    parser = Parser(limit=100)
    assert parser.feed(b"data: whole\n\ndata: " + b"x" * 100) == [b"whole"]
    with pytest.raises(TooLong):
        parser.feed(b"x")
    with pytest.raises(TooLong):
        parser.feed(b"\n\n")


def test_an_event_up_to_the_limit_is_read() -> None:
    parser = Parser(limit=100)
    event = b"data: " + b"x" * 94
    assert parser.feed(event) == []
    assert parser.feed(b"\n\n") == [b"x" * 94]


def test_the_limit_is_one_events_not_the_streams() -> None:
    parser = Parser(limit=100)
    for _ in range(50):
        assert parser.feed(b"data: " + b"x" * 50) == []
        assert parser.feed(b"\n\n") == [b"x" * 50]


LINES = st.text(st.characters(exclude_categories=["Cs"])).map(
    lambda text: json.dumps(text, ensure_ascii=False).encode()
)
OFFSETS = st.none() | st.text(st.sampled_from("abcXYZ019_-:"), min_size=1)


@settings(deadline=None)
@given(st.lists(st.tuples(LINES, OFFSETS)), st.lists(st.integers(0, 10_000), max_size=12))
def test_what_is_framed_is_read_back(events: list[tuple[bytes, str | None]], places: list[int]) -> None:
    stream = b"".join(
        sse.HEARTBEAT + sse.frame(event, offset.encode() if offset is not None else None) for event, offset in events
    )
    assert by_the_standard(stream) == [event for event, _ in events]
    assert read(cut(stream, places)) == [event for event, _ in events]


@pytest.mark.parametrize(
    ("offset", "framed"), [(None, b'data: {"a":1}\n\n'), (b"key:1", b'id: key:1\ndata: {"a":1}\n\n')]
)
def test_a_frame_is_what_every_client_reads(offset: bytes | None, framed: bytes) -> None:
    assert sse.frame(b'{"a":1}', offset) == framed


def test_a_heartbeat_is_an_empty_line() -> None:
    assert sse.HEARTBEAT == b"\n"
