"""Histories as clients send them, and the conversations they stand for (docs/wires/tanstack.md 1.4 to 1.6)."""

from tokenwire.messages import Media, Message, Text, message

from .reasoned import REASONING, TURNS
from .rows import (
    APPROVED,
    DENIED,
    HELLO,
    HI,
    LOST,
    URL,
    answer,
    asks,
    call,
    called,
    media,
    rendered,
    result,
    said,
    text,
    told,
    user,
)

PLAIN = [
    ("user", [HI], [HELLO]),
    ("system", [{"role": "system", "content": "Be brief."}, HI], [message("system", "Be brief."), HELLO]),
    ("developer", [{"role": "developer", "content": "Be brief."}, HI], [message("system", "Be brief."), HELLO]),
    ("assistant", [HI, asks(content="ho"), HI], [HELLO, said("ho"), HELLO]),
    ("two users in a row", [HI, HI], [HELLO, HELLO]),
    ("the empty bubble of a failed turn", [HI, asks(content=""), HI], [HELLO, HELLO]),
    ("no content", [HI, {"role": "assistant"}, {"role": "user"}, asks()], [HELLO]),
    ("blank is not empty", [user(" \n")], [message("user", " \n")]),
    ("reasoning", [HI, {"role": "reasoning", "content": "hm"}], [HELLO]),
    ("activity", [HI, {"role": "activity", "content": "x"}], [HELLO]),
    ("unknown fields", [HI | {"id": "m1", "createdAt": "x", "metadata": {"tanstack": {}}, "name": 5}], [HELLO]),
    ("odd characters", [user("\0 😀 \u2028 \x7f")], [message("user", "\0 😀 \u2028 \x7f")]),
    ("no call is the user's", [HI | {"toolCalls": [{"id": "c1", "function": {"name": "f"}}]}], [HELLO]),
]

CONTENT = [
    (
        "text",
        [user([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}])],
        [Message("user", (Text("a"), Text("b")))],
    ),
    ("text under content", [user([text("a")])], [message("user", "a")]),
    ("empty text", [user([text(""), text("a"), {"type": "text"}, text(None), text(5)])], [message("user", "a")]),
    (
        "image by address",
        [user([text("see"), media("image", {"type": "url", "value": URL})])],
        [Message("user", (Text("see"), Media("image", url=URL)))],
    ),
    (
        "image by value",
        [user([media("image", {"type": "data", "value": "AA==", "mimeType": "image/webp"})])],
        [Message("user", (Media("image", data="AA==", mime_type="image/webp"),))],
    ),
    (
        "detail",
        [user([media("image", {"type": "url", "value": URL}, metadata={"detail": "low"})])],
        [Message("user", (Media("image", url=URL, detail="low"),))],
    ),
    (
        "audio, video, document",
        [user([media(kind, {"type": "data", "value": "AA=="}) for kind in ("audio", "video", "document")])],
        [Message("user", (Media("audio", data="AA=="), Media("video", data="AA=="), Media("document", data="AA==")))],
    ),
    (
        "odd fields of media",
        [user([media("image", {"type": "url", "value": URL, "mimeType": 5}, metadata={"detail": []})])],
        [Message("user", (Media("image", url=URL),))],
    ),
    (
        "media without a value",
        [user([text("a"), media("image", {"type": "url"}), media("image", {"value": ""}), media("image", "x"), {}])],
        [message("user", "a")],
    ),
    (
        "parts of other kinds",
        [user([text("a"), {"type": "binary", "data": "AA=="}, {"type": "ui-resource"}, "b", 5, None, []])],
        [message("user", "a")],
    ),
    ("nothing that is known", [HI, user([{"type": "binary"}])], [HELLO]),
    ("rendered user", [rendered(text("a"), text("b"), role="user")], [Message("user", (Text("a"), Text("b")))]),
    (
        "rendered user with an image",
        [rendered(text("see"), media("image", {"type": "url", "value": URL}), role="user")],
        [Message("user", (Text("see"), Media("image", url=URL)))],
    ),
    ("rendered wins over content", [rendered(text("a"), role="user", content="b")], [message("user", "a")]),
    ("rendered system", [rendered(text("Be brief."), role="system"), HI], [message("system", "Be brief."), HELLO]),
]

CALLS = [
    (
        "a call and its result",
        [asks(call("c1", '{"a":1}'), content="let me"), answer("c1", '{"x":1}')],
        [said("let me", called("c1", '{"a":1}')), told("c1", '{"x":1}')],
    ),
    (
        "results in any order",
        [asks(call("c1"), call("c2")), answer("c2", "two"), answer("c1", "one")],
        [said("", called("c1"), called("c2")), told("c1", "one"), told("c2", "two")],
    ),
    ("a late result", [asks(call("c1")), HI, answer("c1")], [said("", called("c1")), told("c1"), HELLO]),
    ("an early result", [answer("c1"), asks(call("c1"))], [said("", called("c1")), told("c1")]),
    (
        "a result in parts",
        [asks(call("c1")), answer("c1", [text("4"), text("2")])],
        [said("", called("c1")), told("c1")],
    ),
    ("a result of nothing", [asks(call("c1")), answer("c1", None)], [said("", called("c1")), told("c1", "null")]),
    (
        "a failed client tool",
        [asks(call("c1")), answer("c1", "null", error="no network")],
        [said("", called("c1")), told("c1", '{"error": "no network"}')],
    ),
    ("no error", [asks(call("c1")), answer("c1", error="")], [said("", called("c1")), told("c1")]),
    ("empty arguments", [asks(call("c1", "")), answer("c1")], [said("", called("c1")), told("c1")]),
    ("blank arguments", [asks(call("c1", " \n")), answer("c1")], [said("", called("c1")), told("c1")]),
    ("no arguments", [asks(call("c1", None)), answer("c1")], [said("", called("c1")), told("c1")]),
]

REPAIRS = [
    ("no result", [asks(call("c1")), HI], [said("", called("c1")), told("c1", LOST), HELLO]),
    (
        "one result of two",
        [asks(call("c1"), call("c2")), answer("c2")],
        [said("", called("c1"), called("c2")), told("c1", LOST), told("c2")],
    ),
    ("stopped in the arguments", [asks(call("c1", '{"a":"par'))], [said("", called("c1")), told("c1", LOST)]),
    (
        "a result of a call that was cut off",
        [asks(call("c1", '{"a":"par')), answer("c1")],
        [said("", called("c1")), told("c1", LOST)],
    ),
    ("a result nobody asked for", [HI, answer("c1")], [HELLO]),
    ("a result without an id", [HI, answer(None), answer("")], [HELLO]),
    (
        "two results",
        [asks(call("c1")), answer("c1", "one"), answer("c1", "two")],
        [said("", called("c1")), told("c1", "one")],
    ),
    (
        "one call told twice",
        [asks(call("c1")), answer("c1"), asks(call("c1")), asks(call("c1"), content="so")],
        [said("", called("c1")), told("c1"), said("so")],
    ),
    (
        "calls that name nothing",
        [HI, asks(call(""), call(5), call("c1", name=""), call("c1", name=None))],
        [HELLO],
    ),
    (
        "calls without a function",
        [HI, {"role": "assistant", "toolCalls": [{}, {"id": "c1", "function": "f"}]}],
        [HELLO],
    ),
    ("approved is no result", [asks(call("c1")), answer("c1", APPROVED)], [said("", called("c1")), told("c1", LOST)]),
    ("denied is no result", [asks(call("c1")), answer("c1", DENIED)], [said("", called("c1")), told("c1", LOST)]),
    (
        "approved, then done",
        [asks(call("c1")), answer("c1", APPROVED), answer("c1")],
        [said("", called("c1")), told("c1")],
    ),
    (
        "results that only look like decisions",
        [
            asks(*map(call, "abcd")),
            answer("a", '{"approved":true}'),
            answer("b", '{"approved":false,"message":"Over the limit"}'),
            answer("c", '"approved"'),
            answer("d", '{"approved"'),
        ],
        [
            said("", *map(called, "abcd")),
            told("a", '{"approved":true}'),
            told("b", '{"approved":false,"message":"Over the limit"}'),
            told("c", '"approved"'),
            told("d", '{"approved"'),
        ],
    ),
]

RENDERED = [
    ("text", [rendered(text("a"), text("b"))], [Message("assistant", (Text("a"), Text("b")))]),
    ("no role", [rendered(text("a"), role=None)], [said("a")]),
    ("the empty bubble of a failed turn", [HI, rendered(), HI], [HELLO, HELLO]),
    ("thinking", [rendered({"type": "thinking", "content": "hm"}, text("a"))], [said("a")]),
    ("nothing but thinking", [HI, rendered({"type": "thinking", "content": "hm"})], [HELLO]),
    ("widgets", [rendered(text("a"), {"type": "ui-resource", "resource": {}}, {}, {"type": "news"})], [said("a")]),
    (
        "one turn a result",
        [rendered(text("let me"), call("c1"), result("c1"), text("it is noon"))],
        [said("let me", called("c1")), told("c1"), said("it is noon")],
    ),
    (
        "calls side by side",
        [rendered(call("c1"), call("c2"), result("c1"), result("c2"), text("so"))],
        [said("", called("c1"), called("c2")), told("c1"), told("c2"), said("so")],
    ),
    (
        "one call after the other",
        [rendered(call("c1"), result("c1"), call("c2"), result("c2"))],
        [said("", called("c1")), told("c1"), said("", called("c2")), told("c2")],
    ),
    (
        "a result after more text",
        [rendered(call("c1"), call("c2"), result("c1"), text("so"), result("c2"))],
        [said("", called("c1"), called("c2")), told("c1"), told("c2"), said("so")],
    ),
    ("stopped in the arguments", [rendered(call("c1", '{"a'))], [said("", called("c1")), told("c1", LOST)]),
    (
        "waiting for an approval",
        [rendered(call("c1", state="approval-requested", approval={"id": "a1", "needsApproval": True}))],
        [said("", called("c1")), told("c1", LOST)],
    ),
    (
        "output without a result",
        [rendered(call("c1", output={"x": [1]}), text("so"))],
        [said("so", called("c1")), told("c1", '{"x": [1]}')],
    ),
    ("output is text", [rendered(call("c1", output="42"))], [said("", called("c1")), told("c1")]),
    ("output is null", [rendered(call("c1", output=None))], [said("", called("c1")), told("c1", "null")]),
    (
        "a result wins over the output",
        [rendered(call("c1", output={"x": 1}), result("c1", "42"))],
        [said("", called("c1")), told("c1")],
    ),
    (
        "a failed client tool",
        [rendered(call("c1", output={"error": "no"}), result("c1", None, state="error", error="no"))],
        [said("", called("c1")), told("c1", '{"error": "no"}')],
    ),
    (
        "a result in parts",
        [rendered(call("c1"), result("c1", [text("4"), media("image", {"type": "url", "value": URL}), text("2")]))],
        [said("", called("c1")), told("c1")],
    ),
    (
        "a result in a later row",
        [rendered(call("c1")), rendered(result("c1"), text("so"))],
        [said("", called("c1")), told("c1"), said("so")],
    ),
    (
        "structured output",
        [rendered({"type": "structured-output", "status": "complete", "raw": '{"a":1}', "data": {"a": 1}})],
        [said('{"a":1}')],
    ),
]

BOTH = [
    (
        "every result comes twice",
        [
            {"role": "reasoning", "content": "hm"},
            asks(call("c1"), content="let meit is noon")
            | {"parts": [text("let me"), call("c1"), result("c1", "one"), text("it is noon")]},
            answer("c1", "two"),
            HI | {"parts": [text("hi")]},
        ],
        [said("let me", called("c1")), told("c1", "one"), said("it is noon"), HELLO],
    ),
    (
        "the rendered result counts, wherever it stands",
        [answer("c1", "two"), rendered(call("c1"), result("c1", "one"))],
        [said("", called("c1")), told("c1", "one")],
    ),
    (
        "a result that only the row has",
        [asks(call("c1")) | {"parts": [call("c1")]}, answer("c1")],
        [said("", called("c1")), told("c1")],
    ),
]

CASES = [
    (f"{group}: {name}", rows, messages)
    for group, cases in [
        ("plain", PLAIN),
        ("content", CONTENT),
        ("calls", CALLS),
        ("repairs", REPAIRS),
        ("rendered", RENDERED),
        ("reasoning", REASONING),
        ("turns", TURNS),
        ("both", BOTH),
    ]
    for name, rows, messages in cases
]
