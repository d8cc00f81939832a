"""What is there beside the chat."""

from .client import ask, get


def test_the_server_says_that_it_is_well(ordinary: str) -> None:
    answer = get(ordinary, "/healthz")
    assert answer.status == 200
    assert answer.json == {"status": "ok"}
    assert answer.headers["cache-control"] == "no-store"


def test_what_may_be_asked_for_is_listed_and_not_where_it_is(ordinary: str) -> None:
    answer = get(ordinary, "/models")
    assert answer.status == 200
    offered = answer.json
    assert offered["default"] == "small"
    assert [model["name"] for model in offered["models"]] == ["small", "nowhere"]
    assert [persona["name"] for persona in offered["personas"]] == ["support-agent"]
    for inside in (b"127.0.0.1", b"upstream", b"CANARY", b"You help people"):
        assert inside not in answer.body


def test_the_page_may_load_and_ask_nothing_but_its_own(ordinary: str) -> None:
    answer = get(ordinary, "/")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/html")
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_head_of_a_page_has_no_body(ordinary: str) -> None:
    answer = ask(ordinary, "/", None, method="HEAD")
    assert (answer.status, answer.body) == (200, b"")
