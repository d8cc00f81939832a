"""Golden runs with tool calls and signed reasoning: what clients show of them, and what comes back."""

from tokenwire.messages import Message, Reasoning, Text, ToolCall

NOON = Text("It is noon.")
LOOK = Text("Let me look.")
CLOCK = ToolCall("call-1", "clock", '{"zone":"UTC"}')
LOST = Message("tool", (Text('{"error": "Tool call was not completed"}'),), tool_call_id="call-1")
THOUGHTS = (
    Reasoning("Let me see.", "openai-responses:c2VjcmV0LTE="),
    Reasoning("Noon?", "openai-responses:c2VjcmV0LTI="),
)
REDACTED = (Reasoning("", "anthropic:cmVkYWN0ZWQ="), Reasoning("", "anthropic:YWdhaW4="))
NEEDED = Reasoning("I need a clock.", "gemini:dGhvdWdodA==")
SIGNED_CLOCK = ToolCall("call-1", "clock", '{"zone":"UTC"}', "gemini:Y2FsbA==")


def said(*content: Text | Reasoning, calls: tuple[ToolCall, ...] = ()) -> Message:
    return Message("assistant", content, calls)


def lost(call_id: str) -> Message:
    return Message("tool", LOST.content, tool_call_id=call_id)


WEATHER = ToolCall("call-2", "weather", '{"city":"Oslo"}')
MOON = ToolCall("call-3", "moon", "{}")
CAME_BACK = {
    "redacted-reasoning": [said(*REDACTED, NOON)],
    "signature-after-text": [said(Reasoning("", "gemini:dGV4dA=="), NOON)],
    "signed-reasoning": [said(*THOUGHTS, NOON)],
    "signed-tool-call": [said(NEEDED, LOOK, calls=(SIGNED_CLOCK,)), LOST],
    "text-after-tool-call": [said(LOOK, calls=(CLOCK,)), LOST, said(Text("Wait for it."))],
    "tool-call": [said(calls=(CLOCK,)), LOST],
    "tool-call-after-text": [said(LOOK, calls=(CLOCK,)), LOST],
    "tool-calls-parallel": [said(calls=(CLOCK, WEATHER, MOON)), LOST, lost("call-2"), lost("call-3")],
    "tool-result": [
        said(LOOK, calls=(CLOCK,)),
        Message("tool", (Text('{"time":"noon"}'),), tool_call_id="call-1"),
        said(NOON),
    ],
}
"""What the model is asked after each run, between the two questions."""

SHOWN = {
    "redacted-reasoning": [[("thinking", ""), ("thinking", ""), ("text", "It is noon.")]],
    "signature-after-text": [[("text", "It is noon."), ("thinking", "")]],
    "signed-reasoning": [[("thinking", "Let me see."), ("thinking", "Noon?"), ("text", "It is noon.")]],
    "signed-tool-call": [
        [("thinking", "I need a clock."), ("text", "Let me look.")],
        [("tool-call", 'clock {"zone":"UTC"} input-complete')],
    ],
    "text-after-tool-call": [
        [("text", "Let me look.")],
        [("tool-call", 'clock {"zone":"UTC"} input-complete')],
        [("text", "Wait for it.")],
    ],
    "tool-call": [[("tool-call", 'clock {"zone":"UTC"} input-complete')]],
    "tool-call-after-text": [
        [("text", "Let me look.")],
        [("tool-call", 'clock {"zone":"UTC"} input-complete')],
    ],
    "tool-calls-parallel": [
        [
            ("tool-call", 'clock {"zone":"UTC"} input-complete'),
            ("tool-call", 'weather {"city":"Oslo"} input-complete'),
            ("tool-call", "moon  input-complete"),
        ]
    ],
    "tool-result": [
        [("text", "Let me look.")],
        [("tool-call", 'clock {"zone":"UTC"} complete'), ("tool-result", '{"time":"noon"}')],
        [("text", "It is noon.")],
    ],
}
"""The newest client's bubbles."""

SHOWN_TO_LEGACY = SHOWN | {
    # this client has one part for all reasoning of a message, none for what nobody can read, and one state fewer
    "redacted-reasoning": [[("text", "It is noon.")]],
    "signature-after-text": [[("text", "It is noon.")]],
    "signed-reasoning": [[("thinking", "Let me see.Noon?"), ("text", "It is noon.")]],
    "tool-result": [
        [("text", "Let me look.")],
        [("tool-call", 'clock {"zone":"UTC"} input-complete'), ("tool-result", '{"time":"noon"}')],
        [("text", "It is noon.")],
    ],
}


def unsigned(conversation: list[Message]) -> list[Message]:
    """The conversation of a client that keeps no signatures."""
    return [
        Message(
            turn.role,
            tuple(part for part in turn.content if not isinstance(part, Reasoning)),
            tuple(ToolCall(call.id, call.name, call.arguments) for call in turn.tool_calls),
            turn.tool_call_id,
        )
        for turn in conversation
    ]
