"""The client's errors."""

import pytest

from tokenwire.client import ClientError, HttpError, RunFailed, errors
from tokenwire.errors import TokenwireError


def test_all_are_one_family() -> None:
    family = [each for each in vars(errors).values() if isinstance(each, type) and each is not TokenwireError]
    assert len(family) == 8
    assert all(issubclass(each, ClientError) and issubclass(each, TokenwireError) for each in family)


@pytest.mark.parametrize(
    ("status", "reason", "text"),
    [(401, "Unauthorized", "HTTP error! status: 401 Unauthorized"), (500, "", "HTTP error! status: 500")],
)
def test_a_refusal_speaks_as_the_javascript_client_does(status: int, reason: str, text: str) -> None:
    assert str(HttpError(status, reason, body="never shown")) == text


def test_a_failed_run_says_what_the_server_said() -> None:
    error = RunFailed("The model is busy.", "upstream_rate_limited")
    assert (str(error), error.message, error.code) == ("The model is busy.", "The model is busy.", error.code)
