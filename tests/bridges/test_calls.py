"""The ids of an answer's calls."""

from tokenwire.bridges.calls import Calls


def test_every_call_has_an_id_of_its_own_and_the_last_of_a_name_is_found() -> None:
    calls = Calls()
    assert [calls.begin(call_id) for call_id in ("c", "c-2", "c", "c", "c-2")] == ["c", "c-2", "c-3", "c-4", "c-2-2"]
    assert (calls.find("c"), calls.find("c-2"), calls.find("d")) == ("c-4", "c-2-2", None)


def test_it_waits_for_the_results_of_all() -> None:
    calls = Calls()
    for _ in range(2):
        calls.begin("c")
        assert calls.waiting
        calls.end("c")
    assert not calls.waiting
