"""Bridges are there for whoever has the packages, and cost nobody else anything."""

import subprocess
import sys

import pytest

PACKAGES = {"pydantic_ai": "pydantic-ai", "langgraph": "langgraph", "any_llm": "any-llm"}


MISSING = """
import sys
for package in ("pydantic_ai", "langgraph", "langchain_core", "any_llm"):
    sys.modules[package] = None  # as if it were not installed
try:
    import tokenwire.bridges.{module}
except ImportError as error:
    print(error, end="")
"""


@pytest.mark.parametrize(("module", "extra"), PACKAGES.items())
def test_a_missing_package_is_told_with_what_to_install(module: str, extra: str) -> None:
    assert run(MISSING.format(module=module)) == (
        f"the {extra} bridge needs a package: pip install 'tokenwire[{extra}]'"
    )


def test_nothing_else_imports_them() -> None:
    program = """
import sys
import tokenwire.bridges.agui
from tokenwire import *
print({"pydantic_ai", "langgraph", "langchain_core", "any_llm", "ag_ui", "pydantic"} & set(sys.modules))
"""
    assert run(program) == "set()\n"


def run(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout
