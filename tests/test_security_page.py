"""The tables of docs/security.md name tests that exist, and leave out no risk."""

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PAGE = (TESTS.parent / "docs" / "security.md").read_text()
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| ")]
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)(?:::(\w+))?`", PAGE)))


def functions(file: Path) -> set[str]:
    return {
        node.name
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


@pytest.mark.parametrize(("file", "name"), NAMED, ids=["::".join(named) for named in NAMED])
def test_every_test_that_is_named_exists(file: str, name: str) -> None:
    assert (TESTS / file).exists()
    assert not name or name in functions(TESTS / file)


def test_no_risk_is_left_out() -> None:
    names = [row[0].partition(" ")[0] for row in ROWS]
    for risks in (
        [str(number) for number in range(1, 13)],
        [f"LLM{number:02}" for number in range(1, 11)],
        [f"API{number}" for number in range(1, 11)],
    ):
        assert [name for name in names if name in risks] == risks


def test_every_row_names_a_test_or_says_that_it_is_not_ours() -> None:
    rows = [row for row in ROWS if re.match(r"(\d+|LLM\d\d|API\d+)\b", row[0])]
    assert len(rows) == 32
    assert [
        row for row in rows if ".py" not in row[2] and "ot ours*" not in row[1] and "There are none" not in row[1]
    ] == []
