"""What both clients are put through."""

import json
from typing import Any

from tokenwire.client.messages import Dialect

from ...wire.logs import GOLDEN
from .twin import Event, Scenario

STARTED: Event = {"type": "RUN_STARTED", "threadId": "$thread", "runId": "$run"}


def finished(reason: str | None = "stop", **fields: Any) -> Event:
    return {"type": "RUN_FINISHED", "threadId": "$thread", "runId": "$run", "finishReason": reason, **fields}


def failed(message: str) -> Event:
    return {"type": "RUN_ERROR", "message": message, "error": {"message": message}, "runId": "$run"}


def text(message_id: str, *deltas: str) -> list[Event]:
    return [
        {"type": "TEXT_MESSAGE_START", "messageId": message_id, "role": "assistant"},
        *({"type": "TEXT_MESSAGE_CONTENT", "messageId": message_id, "delta": delta} for delta in deltas),
        {"type": "TEXT_MESSAGE_END", "messageId": message_id},
    ]


def call(call_id: str, name: str, *deltas: str, **fields: Any) -> list[Event]:
    return [
        {"type": "TOOL_CALL_START", "toolCallId": call_id, "toolName": name, "toolCallName": name, **fields},
        *({"type": "TOOL_CALL_ARGS", "toolCallId": call_id, "delta": delta} for delta in deltas),
        {"type": "TOOL_CALL_END", "toolCallId": call_id, "toolName": name},
    ]


def result(call_id: str, name: str, content: str, **fields: Any) -> list[Event]:
    return [
        {
            "type": "TOOL_CALL_RESULT",
            "messageId": f"tool-{call_id}",
            "toolCallId": call_id,
            "content": content,
            **fields,
        },
        {"type": "TOOL_CALL_END", "toolCallId": call_id, "toolName": name, "result": content},
    ]


def thought(step: str, *deltas: str) -> list[Event]:
    return [
        {"type": "STEP_STARTED", "stepId": step, "stepName": step},
        *(
            event
            for delta in deltas
            for event in (
                {"type": "REASONING_MESSAGE_CONTENT", "messageId": step, "delta": delta},
                {"type": "STEP_FINISHED", "stepId": step, "stepName": step, "delta": delta},
            )
        ),
    ]


def custom(name: str, value: Any) -> Event:
    return {"type": "CUSTOM", "name": name, "value": value}


def run(*parts: list[Event], end: Event | None = None) -> list[Event]:
    return [STARTED, *(event for part in parts for event in part), end or finished()]


HELLO = run(text("m1", "Hel", "lo", "!"))
AGAIN = run(text("m2", "Again."))
WEATHER = ["let me ", '{"city":', '"Oslo"}']

both = [
    Scenario("text", [HELLO], [["send", "  hi \n"]]),
    Scenario("blank", [], [["send", " \n "]]),
    Scenario("two turns", [HELLO, AGAIN], [["send", "hi"], ["send", "more", {"model": "m"}]]),
    Scenario("body", [HELLO], [["send", "hi", {"a": 2}]], client={"body": {"a": 1, "b": 1}}),
    Scenario("unicode", [run(text("m1", "жар-", "птица 🔥", "\u2028"))], [["send", "«Žluťoučký»"]]),
    Scenario("no terminal event", [[STARTED, *text("m1", "Hel", "lo")]], [["send", "hi"]]),
    Scenario("no start", [[{"type": "TEXT_MESSAGE_CONTENT", "messageId": "m1", "delta": "Hi"}]], [["send", "hi"]]),
    Scenario("no id", [run([{"type": "TEXT_MESSAGE_CONTENT", "delta": "Hi"}])], [["send", "hi"]]),
    Scenario(
        "unknown events",
        [run([{"type": "NEWS", "x": 1}], text("m1", "Hi"), [custom("mine", {"toolCallId": "c"})])],
        [["send", "hi"]],
    ),
    Scenario(
        "reasoning",
        [run(thought("s1", "hm", "m"), text("m1", "So."), thought("s2", "wait"), text("m2", "No."))],
        [["send", "hi"], ["send", "and"]],
    ),
    Scenario("error", [[STARTED, *text("m1", "Hel"), failed("broken")], AGAIN], [["send", "hi"], ["send", "again"]]),
    Scenario("error at once", [[STARTED, failed("no")], AGAIN], [["send", "hi"], ["reload"]]),
    Scenario("reload", [HELLO, AGAIN], [["send", "hi"], ["reload"]]),
    Scenario("clear", [HELLO, AGAIN], [["send", "hi"], ["clear"], ["send", "new"]]),
    Scenario(
        "append",
        [HELLO, AGAIN],
        [
            ["append", {"role": "user", "content": "hi"}],
            [
                "append",
                {
                    "id": "u2",
                    "role": "user",
                    "parts": [
                        {"type": "text", "content": "look"},
                        {"type": "image", "source": {"type": "url", "value": "http://pictures.test/1.png"}},
                    ],
                },
            ],
        ],
    ),
    Scenario(
        "server tool",
        [
            run(
                text("m1", WEATHER[0]),
                call("c1", "weather", *WEATHER[1:], parentMessageId="m1"),
                result("c1", "weather", '{"celsius":4}'),
                text("m2", "It is ", "4 °C."),
            ),
            AGAIN,
        ],
        [["send", "hi"], ["send", "more"]],
    ),
    Scenario(
        "two tools side by side",
        [
            run(
                [e for pair in zip(call("c1", "f", "{}"), call("c2", "g", '{"x":[1'), strict=True) for e in pair],
                result("c1", "f", "plain text"),
                result("c2", "g", "[1,2]"),
                text("m2", "done"),
            ),
            AGAIN,
        ],
        [["send", "hi"], ["send", "more"]],
    ),
    Scenario("call without a result", [run(call("c1", "f", '{"a":"par')), AGAIN], [["send", "hi"], ["send", "more"]]),
    Scenario(
        "input at the end",
        [
            run(
                [
                    {"type": "TOOL_CALL_START", "toolCallId": "c1", "toolName": "f", "toolCallName": "f"},
                    {"type": "TOOL_CALL_END", "toolCallId": "c1", "input": {"q": "ä"}},
                ],
                result("c1", "f", "1"),
                text("m2", "ok"),
            )
        ],
        [["send", "hi"]],
    ),
    Scenario(
        "text after a call without a start",
        [
            run(
                text("m1", "let me "),
                call("c1", "f", "{}"),
                result("c1", "f", "1"),
                [{"type": "TEXT_MESSAGE_CONTENT", "messageId": "m1", "delta": d} for d in ("it is", " one")],
            )
        ],
        [["send", "hi"]],
    ),
    Scenario(
        "snapshot",
        [
            run(
                text("m1", "Hel"),
                [
                    {
                        "type": "MESSAGES_SNAPSHOT",
                        "messages": [
                            {"id": "u1", "role": "user", "parts": [{"type": "text", "content": "hi"}]},
                            {"id": "m1", "role": "assistant", "parts": [{"type": "text", "content": "Hello"}]},
                        ],
                    }
                ],
                [{"type": "TEXT_MESSAGE_CONTENT", "messageId": "m1", "delta": " you"}],
            )
        ],
        [["send", "hi"]],
    ),
    Scenario(
        "approval by custom event",
        [
            run(
                text("m1", "May I?"),
                call("c1", "f", '{"a":1}'),
                [
                    custom(
                        "approval-requested",
                        {
                            "toolCallId": "c1",
                            "toolName": "f",
                            "input": {"a": 1},
                            "approval": {"id": "approval_c1", "needsApproval": True},
                        },
                    )
                ],
            ),
            run(call("c1", "f", '{"a":1}', parentMessageId="m1"), result("c1", "f", "7"), text("m2", "Done.")),
            AGAIN,
        ],
        [["send", "hi"], ["approve", "approval_c1", True], ["send", "thanks"]],
    ),
    Scenario(
        "client tool by custom event",
        [
            run(
                call("c1", "f", '{"a":1}'),
                [custom("tool-input-available", {"toolCallId": "c1", "toolName": "f", "input": {"a": 1}})],
            ),
            AGAIN,
        ],
        [["send", "hi"]],
        tools=[{"name": "f", "description": "F.", "output": {"x": [1, "ä"]}}],
    ),
    Scenario(
        "client tool that fails",
        [
            run(
                call("c1", "f", "{}"),
                [custom("tool-input-available", {"toolCallId": "c1", "toolName": "f", "input": {}})],
            ),
            AGAIN,
        ],
        [["send", "hi"]],
        tools=[{"name": "f", "description": "F.", "error": "no luck"}],
    ),
    Scenario(
        "result by hand",
        [
            run(
                call("c1", "f", "{}"),
                [custom("tool-input-available", {"toolCallId": "c1", "toolName": "f", "input": {}})],
            ),
            AGAIN,
        ],
        [["send", "hi"], ["result", "c1", "f", "by hand"]],
        tools=[{"name": "f", "description": "F."}],
    ),
    Scenario("blank answer", [run(text("m1", " \n")), AGAIN], [["send", "hi"], ["send", "more"]]),
    Scenario(
        "initial messages",
        [HELLO],
        [["send", "hi"]],
        client={
            "initialMessages": [
                {
                    "id": "u0",
                    "role": "user",
                    "parts": [{"type": "text", "content": "before"}],
                    "createdAt": "2026-11-21T09:04:32.642Z",
                },
                {
                    "id": "m0",
                    "role": "assistant",
                    "parts": [
                        {"type": "thinking", "content": "hmm"},
                        {"type": "text", "content": "yes"},
                        {
                            "type": "tool-call",
                            "id": "c0",
                            "name": "f",
                            "arguments": "{}",
                            "state": "input-complete",
                            "output": [1],
                        },
                    ],
                    "createdAt": "2026-11-21T09:04:33.000Z",
                },
            ]
        },
    ),
]


def approval(*call_ids: str) -> Event:
    return finished(
        "tool_calls",
        outcome={
            "type": "interrupt",
            "interrupts": [
                {
                    "id": f"approval_{each}",
                    "reason": "approval_required",
                    "message": "Run f?",
                    "toolCallId": each,
                    "metadata": {"kind": "approval", "toolName": "f", "input": {"a": 1}},
                }
                for each in call_ids
            ],
        },
    )


def tool_input(call_id: str) -> Event:
    return finished(
        "tool_calls",
        outcome={
            "type": "interrupt",
            "interrupts": [
                {
                    "id": f"client_tool_{call_id}",
                    "reason": "client_tool_input",
                    "toolCallId": call_id,
                    "metadata": {"kind": "client_tool", "toolName": "f", "input": {"a": 1}},
                }
            ],
        },
    )


SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
ASKS = run(text("m1", "May I?"), call("c1", "f", '{"a":1}', parentMessageId="m1"), end=approval("c1"))
ASKS_TWICE = run(call("c1", "f", '{"a":1}'), call("c2", "f", '{"a":1}'), end=approval("c1", "c2"))
ANSWERED = run(result("c1", "f", "7"), text("m2", "Done."))

new_only = [
    Scenario("approved", [ASKS, ANSWERED, AGAIN], [["send", "hi"], ["approve", "approval_c1", True], ["send", "ok"]]),
    Scenario(
        "denied",
        [
            ASKS,
            run(
                result("c1", "f", '{"error":"no"}', metadata={"tanstack": {"state": "output-error"}}),
                text("m2", "A pity."),
            ),
            AGAIN,
        ],
        [["send", "hi"], ["approve", "approval_c1", False], ["send", "ok"]],
    ),
    Scenario(
        "one by one",
        [ASKS_TWICE, ANSWERED],
        [["send", "hi"], ["approve", "approval_c1", True], ["approve", "approval_c2", False]],
    ),
    Scenario("cancelled", [ASKS, AGAIN], [["send", "hi"], ["cancel"]]),
    Scenario(
        "client tool",
        [run(call("c1", "f", '{"a":1}'), end=tool_input("c1")), AGAIN],
        [["send", "hi"]],
        tools=[{"name": "f", "description": "F.", "inputSchema": SCHEMA, "output": {"x": 1}}],
    ),
    Scenario(
        "client tool that fails in a pause",
        [run(call("c1", "f", '{"a":1}'), end=tool_input("c1")), AGAIN],
        [["send", "hi"]],
        tools=[{"name": "f", "description": "F.", "inputSchema": SCHEMA, "error": "no luck"}],
    ),
    Scenario(
        "structured output",
        [
            run(
                [custom("structured-output.start", {"messageId": "m1"})],
                text("m1", '{"na', 'me":"A', 'da","tags":["x', '"]}'),
                [
                    custom(
                        "structured-output.complete",
                        {
                            "object": {"name": "Ada", "tags": ["x"]},
                            "raw": '{"name":"Ada","tags":["x"]}',
                            "messageId": "m1",
                        },
                    )
                ],
            ),
            AGAIN,
        ],
        [["send", "hi"], ["send", "more"]],
    ),
    Scenario(
        "structured output cut off",
        [run([custom("structured-output.start", {"messageId": "m1"})], text("m1", '{"a":1')), AGAIN],
        [["send", "hi"], ["send", "more"]],
    ),
    Scenario(
        "signatures",
        [
            run(
                thought("s1", "hm"),
                [
                    {
                        "type": "REASONING_ENCRYPTED_VALUE",
                        "subtype": "message",
                        "entityId": "s1",
                        "encryptedValue": "abc",
                    }
                ],
                call("c1", "f", "{}"),
                [
                    {
                        "type": "REASONING_ENCRYPTED_VALUE",
                        "subtype": "tool-call",
                        "entityId": "c1",
                        "encryptedValue": "xyz",
                    }
                ],
                result("c1", "f", "1"),
                text("m2", "So."),
            ),
            AGAIN,
        ],
        [["send", "hi"], ["send", "more"]],
    ),
    Scenario(
        "metadata",
        [
            run(
                [
                    {
                        "type": "TEXT_MESSAGE_START",
                        "messageId": "m1",
                        "role": "assistant",
                        "metadata": {"mine": 1, "tanstack": {"model": "m"}},
                    },
                    {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m1", "delta": "Hi"},
                ]
            ),
            AGAIN,
        ],
        [["send", "hi"], ["send", "more"]],
    ),
    Scenario(
        "widget",
        [
            run(
                text("m1", "Look"),
                call("c1", "f", "{}", parentMessageId="m1"),
                [
                    custom(
                        "ui-resource",
                        {"resource": {"uri": "ui://1", "mimeType": "text/html"}, "toolCallId": "c1", "toolName": "f"},
                    )
                ],
            ),
            AGAIN,
        ],
        [["send", "hi"], ["send", "more"]],
    ),
    Scenario(
        "snapshot of rows",
        [
            run(
                call("c1", "f", "{}"),
                result("c1", "f", "7"),
                [
                    {
                        "type": "MESSAGES_SNAPSHOT",
                        "messages": [
                            {"id": "u1", "role": "user", "content": "hi"},
                            {"id": "r1", "role": "reasoning", "content": "hm"},
                            {
                                "id": "a1",
                                "role": "assistant",
                                "content": "let me",
                                "toolCalls": [
                                    {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
                                ],
                            },
                            {"id": "t1", "role": "tool", "toolCallId": "c1", "content": "7"},
                        ],
                    }
                ],
                text("m9", "Seven."),
            )
        ],
        [["send", "hi"]],
    ),
    Scenario(
        "forwarded props",
        [HELLO],
        [["send", "hi", {"c": 3}]],
        client={"body": {"a": 1, "b": 1}, "forwardedProps": {"b": 2, "c": 2}},
    ),
    Scenario(
        "answer that goes on after tools",
        [run(call("c1", "f", "{}"), [finished("tool_calls"), STARTED], result("c1", "f", "1"), text("m2", "One."))],
        [["send", "hi"]],
    ),
]


def recorded(run: str, dialect: Dialect) -> Scenario:
    """A golden run as this server tells it, and a further question."""
    wire = {"new": "tanstack", "legacy": "tanstack-legacy"}[dialect]
    recording = (GOLDEN / run / f"{wire}.ndjson").read_text()
    lines = recording.replace('"thread-1"', '"$thread"').replace('"run-1"', '"$run"').removesuffix("\n").split("\n")
    told = [json.loads(line) for line in lines]
    return Scenario(run, [[line.get("chunk", line) for line in told], AGAIN], [["send", "hi"], ["send", "more"]])
