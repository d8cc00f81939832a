"""What a question keeps in memory while it is answered."""

import gc

import pytest

from tokenwire.messages import Message

from .switchboard import Routing
from .test_attempts import at

pytestmark = pytest.mark.anyio


def conversations() -> int:
    gc.collect()
    return sum(type(thing) is Message for thing in gc.get_objects())


async def test_the_conversation_is_not_held_once_the_answer_has_begun() -> None:
    routing = Routing(at("a"), at("b"))
    before = conversations()
    asked = await routing.ask()
    routing.board.last.hang_up()
    assert conversations() > before
    routing.board.last.accept()
    routing.board.last.say("Hel")
    assert conversations() == before
    routing.board.last.done()
    assert asked.text == "Hel"
