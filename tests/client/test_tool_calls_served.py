"""Tool calls and signed reasoning, from a server to the chat and back."""

from collections.abc import Iterator

import pytest

from tokenwire.client import ChatClient
from tokenwire.client.messages import Dialect
from tokenwire.messages import message

from ..interop.stories import CAME_BACK, unsigned
from ..interop.storyteller import telling, what_was_asked
from .test_chat_served import adapter, wires

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with telling(tmp_path_factory.mktemp("storyteller")) as url:
        yield url


@wires
@pytest.mark.parametrize("run", CAME_BACK)
async def test_an_answer_ends_and_comes_back(url: str, run: str, dialect: Dialect, framing: str) -> None:
    async with ChatClient(adapter(url, framing), dialect=dialect) as client:
        await client.send_message(run)
        assert client.status == "ready"
        await client.send_message("And?")
        answer = client.messages[-1].text
    first, *came_back, last = what_was_asked(answer)
    assert (first, last) == (message("user", run), message("user", "And?"))
    assert came_back == (CAME_BACK[run] if dialect == "new" else unsigned(CAME_BACK[run]))
