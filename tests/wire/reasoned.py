"""Histories with signed reasoning, and turns that a client shows in several messages (docs/wires/tanstack.md 1.6)."""

from tokenwire.messages import Reasoning

from .rows import (
    HELLO,
    HI,
    LOST,
    answer,
    asks,
    call,
    called,
    reasoned,
    rendered,
    result,
    said,
    signed,
    text,
    thinking,
    thought,
    told,
)

REASONING = [
    ("signed", [thought("hm", "s"), asks(content="so")], [reasoned(Reasoning("hm", "s"), said="so")]),
    ("unsigned", [thought("hm"), asks(content="so")], [said("so")]),
    ("signed with nothing", [thought("hm", ""), asks(content="so")], [said("so")]),
    ("signed with odd things", [thought("hm", 5), thought("hm", ["s"]), asks(content="so")], [said("so")]),
    ("signed at length", [thought("hm", "s" * (1024 * 1024 + 1)), asks(content="so")], [said("so")]),
    ("unreadable", [thought("", "s"), asks(content="so")], [reasoned(Reasoning("", "s"), said="so")]),
    ("of no text", [thought(None, "s"), asks(content="so")], [reasoned(Reasoning("", "s"), said="so")]),
    (
        "several, in their order",
        [thought("one", "a"), thought("unsigned"), thought("", "b"), thought("three", "c"), asks(content="so")],
        [reasoned(Reasoning("one", "a"), Reasoning("", "b"), Reasoning("three", "c"), said="so")],
    ),
    (
        "before a call",
        [thought("hm", "s"), asks(call("c1")), answer("c1")],
        [reasoned(Reasoning("hm", "s"), calls=(called("c1"),)), told("c1")],
    ),
    (
        "of each turn",
        [thought("hm", "a"), asks(call("c1")), answer("c1"), thought("ah", "b"), asks(content="so")],
        [
            reasoned(Reasoning("hm", "a"), calls=(called("c1"),)),
            told("c1"),
            reasoned(Reasoning("ah", "b"), said="so"),
        ],
    ),
    ("nobody's", [thought("hm", "s"), HI, asks(content="so")], [HELLO, said("so")]),
    ("at the end", [HI, thought("hm", "s")], [HELLO]),
    ("of a message that is empty", [HI, thought("hm", "s"), asks(), HI], [HELLO, HELLO]),
    ("rendered", [rendered(thinking("hm", "s"), text("so"))], [reasoned(Reasoning("hm", "s"), said="so")]),
    ("rendered, unreadable", [rendered(thinking("", "s"), text("so"))], [reasoned(Reasoning("", "s"), said="so")]),
    ("rendered, odd", [rendered(thinking(["hm"], "s"), text("so"))], [reasoned(Reasoning("", "s"), said="so")]),
    (
        "rendered, several",
        [rendered(thinking("one", "a"), thinking("two", "b"), text("so"))],
        [reasoned(Reasoning("one", "a"), Reasoning("two", "b"), said="so")],
    ),
    ("rendered after its text", [rendered(text("so"), thinking("", "s"))], [reasoned(Reasoning("", "s"), said="so")]),
    ("rendered, nothing else", [HI, rendered(thinking("hm", "s"))], [HELLO]),
    (
        "rendered, of each turn",
        [rendered(thinking("hm", "a"), call("c1"), result("c1"), thinking("ah", "b"), text("so"))],
        [
            reasoned(Reasoning("hm", "a"), calls=(called("c1"),)),
            told("c1"),
            reasoned(Reasoning("ah", "b"), said="so"),
        ],
    ),
    (
        "both, which are one",
        [thought("hm", "s"), asks(content="so") | {"parts": [thinking("hm", "s"), text("so")]}],
        [reasoned(Reasoning("hm", "s"), said="so")],
    ),
    (
        "a signed call",
        [asks(call("c1", metadata=signed("s"))), answer("c1")],
        [said("", called("c1", signature="s")), told("c1")],
    ),
    (
        "a signed call, rendered",
        [rendered(call("c1", metadata=signed("s") | {"mine": 1}), result("c1"))],
        [said("", called("c1", signature="s")), told("c1")],
    ),
    (
        "a call signed with odd things",
        [rendered(call("c1", metadata=signed({})), call("c2", metadata="s"), call("c3", metadata=signed("")))],
        [
            said("", called("c1"), called("c2"), called("c3")),
            *(told(call_id, LOST) for call_id in ("c1", "c2", "c3")),
        ],
    ),
    (
        "a signed call that was cut off",
        [asks(call("c1", '{"a', metadata=signed("s")))],
        [said("", called("c1")), told("c1", LOST)],
    ),
]

TURNS = [
    (
        "text, and calls in the next message",
        [asks(content="let me"), asks(call("c1")), answer("c1"), asks(content="so")],
        [said("let me", called("c1")), told("c1"), said("so")],
    ),
    (
        "reasoning and text, and calls in the next message",
        [thought("hm", "s"), asks(content="let me"), asks(call("c1")), answer("c1")],
        [reasoned(Reasoning("hm", "s"), said="let me", calls=(called("c1"),)), told("c1")],
    ),
    (
        "the same, rendered",
        [rendered(thinking("hm", "s"), text("let me")), rendered(call("c1"), result("c1")), rendered(text("so"))],
        [reasoned(Reasoning("hm", "s"), said="let me", calls=(called("c1"),)), told("c1"), said("so")],
    ),
    (
        "calls that have their own reasoning",
        [asks(content="let me"), thought("hm", "s"), asks(call("c1")), answer("c1")],
        [said("let me"), reasoned(Reasoning("hm", "s"), calls=(called("c1"),)), told("c1")],
    ),
    ("text after text", [asks(content="let me"), asks(content="see")], [said("let me"), said("see")]),
    (
        "calls after calls",
        [asks(call("c1")), asks(call("c2"))],
        [said("", called("c1")), told("c1", LOST), said("", called("c2")), told("c2", LOST)],
    ),
    (
        "calls after somebody else's text",
        [HI, asks(call("c1")), answer("c1")],
        [HELLO, said("", called("c1")), told("c1")],
    ),
]
