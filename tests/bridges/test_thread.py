"""The names under which other frameworks keep threads."""

from hypothesis import example, given
from hypothesis import strategies as st

from tokenwire import Ask
from tokenwire.bridges.thread import thread_key

some_name = st.text("ab/%2F", max_size=6)


def key(principal: str, thread_id: str) -> str:
    return thread_key(Ask(messages=(), thread_id=thread_id, run_id="r", principal=principal))


def test_a_thread_has_its_principal_in_front() -> None:
    assert (key("ann", "t"), key("", "t")) == ("ann/t", "t")


@given(some_name, some_name, some_name, some_name)
@example("ann", "t", "", "ann/t")
@example("ann", "b/t", "ann/b", "t")
def test_nobody_names_the_thread_of_another(principal: str, thread_id: str, other: str, other_id: str) -> None:
    same = (principal, thread_id) == (other, other_id)
    assert (key(principal, thread_id) == key(other, other_id)) == same
