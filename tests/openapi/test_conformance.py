"""Whatever is asked within the description, and around it, the answer is one that it describes."""

from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tokenwire.server.openapi import describe

from ..cli.command import tokenwire
from ..conftest import Serve
from ..over_http.client import ask
from ..server import Server
from .conftest import CANARY

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


class Everything:
    def __contains__(self, path: object) -> bool:
        return True


schema = schemathesis.openapi.from_dict(describe(Everything()))


@schema.parametrize()
@settings(max_examples=12, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
def test_an_answer_is_as_described(server: Server, case: "schemathesis.Case[Any]") -> None:
    case.call_and_validate(base_url=server.url, checks=CHECKS, timeout=20)


@schema.include(path_regex="^/(models|usage|metrics|healthz|api/chat/ticket)$").parametrize()
@settings(max_examples=12, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
def test_so_is_an_answer_to_a_token(server: Server, case: "schemathesis.Case[Any]") -> None:
    """The metrics' own, which is nobody's elsewhere. What may be asked here is described to the letter."""
    headers = {"authorization": f"Bearer {CANARY}"}
    checks = [*CHECKS, positive_data_acceptance, negative_data_rejection]
    case.call_and_validate(base_url=server.url, headers=headers, checks=checks, timeout=20)


def test_the_example_is_answered(server: Server, document: Any) -> None:
    for path, item in document["paths"].items():
        if path.startswith("/api/chat") and "requestBody" in item.get("post", {}):
            content = item["post"]["requestBody"]["content"]["application/json"]
            (stream,) = item["post"]["responses"]["200"]["content"]
            answer = ask(server.url, path, content["example"])
            assert (answer.status, answer.headers["content-type"]) == (200, stream)
            answer.read()


def test_a_run_that_is_stopped_is_as_described(server: Server) -> None:
    ask(server.url, body={"runId": "to-be-stopped", "messages": [{"role": "user", "content": "Hi"}]}).read()
    case = schema["/api/chat/runs/{run}/cancel"]["POST"].Case(path_parameters={"run": "to-be-stopped"})
    assert case.call_and_validate(base_url=server.url, checks=CHECKS).status_code == 200


def test_so_is_a_ticket(serve: Serve, tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'runs.db'}"
    model = '[models.m]\nprovider = "openai-compatible"\nbase_url = "http://127.0.0.1:9/v1"\nmodel = "m"\n'
    server = serve(f"{model}[auth]\nkeys = true\n", "--store", store)
    key = tokenwire("keys", "create", "--store", store).stdout.strip()
    case = schema["/api/chat/ticket"]["POST"].Case(headers={"authorization": f"Bearer {key}"})
    assert case.call_and_validate(base_url=server.url, checks=CHECKS).status_code == 200
