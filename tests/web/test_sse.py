"""The page's reader of event streams."""

from __future__ import annotations

from .browser import Page

STREAM = (
    ': comment\n\nid: r:1\ndata: {"a":1}\n\n\n\r\n'
    "id:r:2\r\nevent: ignored\r\ndata:two\r\ndata: lines\r\n\r\n"
    "data: no id\r\rid:\ndata: \n\ndata\n\nretry: 5\nid: alone\n\ndata: not finished"
)

EVENTS = [
    {"id": "r:1", "data": '{"a":1}'},
    {"id": "r:2", "data": "two\nlines"},
    {"id": None, "data": "no id"},
    {"id": None, "data": ""},
    {"id": None, "data": ""},
]


def test_a_stream_cut_anywhere_gives_the_same_events(modules: Page) -> None:
    seen = modules.call(
        """async (stream) => {
            const {ServerSentEventParser} = await import(new URL("web/sse.js", document.baseURI));
            const read = (pieces) => {
                const parser = new ServerSentEventParser();
                return pieces.flatMap((piece) => parser.feed(piece));
            };
            const cuts = [...stream].map((_, at) => read([stream.slice(0, at), stream.slice(at)]));
            return [read([stream]), read([...stream]), ...cuts];
        }""",
        STREAM,
    )
    assert len(seen) == len(STREAM) + 2
    for events in seen:
        assert events == EVENTS
