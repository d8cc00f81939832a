"""The description names what is served, all of it, and nothing of whoever serves it."""

import json
from collections.abc import Container
from pathlib import Path
from typing import Any

import pytest

from tokenwire.config.load import resolve, tables
from tokenwire.server import app
from tokenwire.server.openapi import describe

from ..conftest import Serve
from ..over_http.client import ask, get
from ..server import Server
from .conftest import CANARY

PEOPLE = {"/"}
METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.mark.parametrize("metrics", [{}, {"token_env": "T"}])
def test_every_path_that_is_served_is_described_and_no_other(
    monkeypatch: pytest.MonkeyPatch, metrics: dict[str, str]
) -> None:
    served: set[str] = set()

    def described(paths: Container[str]) -> Any:
        assert isinstance(paths, set)
        served.update(paths)
        return describe(paths)

    monkeypatch.setattr(app, "describe", described)
    app.App(resolve(tables({"metrics": metrics}, "here"), {"T": CANARY}, folder=Path(), origins=()))
    assert served
    assert set(describe(served)["paths"]) == served - PEOPLE
    assert ("/metrics" in served) == bool(metrics)


def test_every_method_that_is_answered_is_described_and_no_other(server: Server, document: Any) -> None:
    for path, item in document["paths"].items():
        refused = ask(server.url, path.replace("{run}", "r"), method="OPTIONS")
        assert refused.status == 405, path
        allowed = {method.strip().lower() for method in refused.headers["allow"].split(",")}
        assert allowed - {"head"} == METHODS & set(item), path


def test_it_tells_nothing_of_the_installation(document: Any) -> None:
    text = json.dumps(document)
    for private in ("secret-model", "secret-persona", "127.0.0.1", CANARY):
        assert private not in text


def test_every_reference_leads_somewhere(document: Any) -> None:
    def references(value: Any) -> set[str]:
        if isinstance(value, dict):
            own = {value["$ref"]} if "$ref" in value else set()
            return own.union(*map(references, value.values()))
        return set().union(*map(references, value)) if isinstance(value, list) else set()

    named = references(document)
    schemas = document["components"]["schemas"]
    assert named <= {f"#/components/schemas/{name}" for name in schemas}
    assert {f"#/components/schemas/{name}" for name in schemas} <= named


def test_it_is_nowhere_where_the_operator_says_so(serve: Serve) -> None:
    config = '[models.small]\nprovider = "openai-compatible"\nbase_url = "{upstream}"\nmodel = "m"\n'
    assert get(serve(f"{config}[server]\nopenapi = false\n").url, "/openapi.json").status == 404
