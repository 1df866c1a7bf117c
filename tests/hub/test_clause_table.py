"""The table of clauses says no more than is held by tests, and no less than the hub answers."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from madang.hub.http.app import OPERATIONS

ROOT = Path(__file__).parents[2]
TABLE: list[list[str]] = tomllib.loads((ROOT / "tools/ngsi_ld_clauses.toml").read_text(encoding="utf-8"))["clauses"]
STATES = {number: state for number, _, state, *_ in TABLE}
CITED = {clause for operation in OPERATIONS for clause in operation.clauses}
CLAUSE_TESTS = ROOT / "tests/hub/clauses"


def test_the_table_is_in_order_and_names_each_clause_once() -> None:
    numbers = [tuple(map(int, row[0].split("."))) for row in TABLE]
    assert numbers == sorted(numbers)
    assert [number for number, times in Counter(numbers).items() if times > 1] == []
    assert set(STATES.values()) == {"done", "partial", "not"}
    assert [number for number, _, state, note, *_ in TABLE if state != "done" and not note] == []


@pytest.mark.parametrize("row", [row for row in TABLE if row[2] == "done"], ids=lambda row: row[0])
def test_what_is_said_to_be_done_is_held_by_tests_of_that_clause(row: list[str]) -> None:
    number, _, _, _, *held = row
    for clause in held or [number]:
        assert list(CLAUSE_TESTS.glob(f"test_{clause.replace('.', '_')}_[a-z]*.py")), f"no tests named after {clause}"


def test_every_clause_the_hub_answers_for_is_in_the_table() -> None:
    operational = {clause for clause in CITED if clause.startswith("5.")}
    assert {clause for clause in operational if STATES.get(clause, "not") == "not"} == set()


def test_every_operation_said_to_be_done_is_answered() -> None:
    operations = {number for number, state in STATES.items() if re.match(r"5\.(6|7|13)\.\d|5\.8\.[1-5]$", number)}
    assert operations - CITED == set()


def test_what_comes_with_federation_is_not_half_there() -> None:
    paths = {operation.path.split("/")[1] for operation in OPERATIONS}
    assert paths & {"csourceRegistrations", "csourceSubscriptions", "entityMaps", "snapshots"} == set()


def test_every_test_of_a_clause_is_named_after_one_in_the_table() -> None:
    found = [re.match(r"test_(\d+(?:_\d+)*)_", path.name) for path in CLAUSE_TESTS.glob("test_*.py")]
    numbers = {match[1].replace("_", ".") for match in found if match is not None}
    known = set(STATES) | CITED | {number.rpartition(".")[0] for number in (*STATES, *CITED)}
    known |= {number.rpartition(".")[0] for number in known}
    assert numbers - known == set()
