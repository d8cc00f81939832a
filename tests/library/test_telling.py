"""What telling an answer costs."""

from tokenwire import events
from tokenwire.agents.telling import Telling


class Counted(str):
    """An id that counts how often another is made of it."""

    made = 0

    def __format__(self, spec: str) -> str:
        Counted.made += 1
        return super().__format__(spec)


def test_many_calls_of_one_id_cost_no_more_than_their_number() -> None:
    telling = Telling("message")
    for _ in range(100):
        telling.hear(events.ToolCallStart(Counted("c"), "find", ""))
    begun = {event.tool_call_id for event in telling.close() if isinstance(event, events.ToolCallStart)}
    assert begun == {"c"} | {f"c-{number}" for number in range(2, 101)}
    assert Counted.made <= 100
