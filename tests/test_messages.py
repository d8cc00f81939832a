"""The conversation model."""

import pytest

from tokenwire.messages import Media, Message, Text, ToolCall, message


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ((), ""),
        ((Text("a"),), "a"),
        ((Text("a"), Text("b")), "ab"),
        ((Text("a"), Media("image", url="https://example.org/a.png"), Text("b")), "ab"),
        ((Media("image", data="AA=="),), ""),
    ],
)
def test_the_text_of_a_message_is_all_its_text(content: tuple[Text | Media, ...], text: str) -> None:
    assert Message("user", content).text == text


def test_a_message_of_text_holds_one_part() -> None:
    assert message("system", "Be brief.") == Message("system", (Text("Be brief."),))


def test_a_message_of_no_text_is_empty() -> None:
    assert message("user", "") == Message("user")


def test_messages_are_compared_by_value_and_do_not_change() -> None:
    asked = Message("assistant", tool_calls=(ToolCall("c1", "f", "{}"),))
    assert asked == Message("assistant", tool_calls=(ToolCall("c1", "f", "{}"),))
    with pytest.raises(AttributeError):
        asked.role = "user"  # type: ignore[misc]
