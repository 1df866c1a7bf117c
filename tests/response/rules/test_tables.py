"""Decision tables: how rows are read, and what is found wrong with them."""

from __future__ import annotations

from typing import Any

import pytest

from madang.kernel.errors import BadRequestError
from madang.response.rules.tables import Facts, Kind, Policy, check, rows_from, rule_on

NIGHT = {"name": "night", "when": {"hour": {"low": 22}}, "then": {"priority": 1}}
DAY = {"name": "day", "when": {"hour": {"high": 21}}, "then": {"priority": 3}}
BELLS = {"name": "bells", "when": {"class": {"values": ["emergency_bell"]}}, "then": {"priority": 0}}
REST = {"name": "rest", "then": {"priority": 4}}


def _found(rows: list[dict[str, Any]], policy: Policy, kind: Kind = Kind.PRIORITY) -> set[str]:  # Any: JSON values
    return {one.kind for one in check(rows_from(rows), policy, kind)}


def test_first_takes_the_topmost_row_that_holds() -> None:
    facts: Facts = {"hour": 23, "class": "emergency_bell"}
    assert [row.name for row in rule_on(rows_from([BELLS, NIGHT, REST]), Policy.FIRST, facts)] == ["bells"]


def test_a_unique_table_answered_twice_answers_nothing() -> None:
    rows = rows_from([BELLS, NIGHT])
    assert rule_on(rows, Policy.UNIQUE, {"hour": 23, "class": "emergency_bell"}) == []
    assert [row.name for row in rule_on(rows, Policy.UNIQUE, {"hour": 3, "class": "emergency_bell"})] == ["bells"]


def test_collect_takes_every_row() -> None:
    facts: Facts = {"hour": 23, "class": "emergency_bell"}
    assert [row.name for row in rule_on(rows_from([BELLS, NIGHT, REST]), Policy.COLLECT, facts)] == [
        "bells",
        "night",
        "rest",
    ]


def test_gaps_overlaps_and_rows_that_never_answer_are_found() -> None:
    assert _found([NIGHT, DAY], Policy.UNIQUE) == set()
    assert _found([NIGHT], Policy.UNIQUE) == {"gap"}
    assert _found([NIGHT, DAY, BELLS], Policy.UNIQUE) == {"overlap"}
    assert _found([REST, NIGHT], Policy.FIRST) == {"unreachable"}
    assert _found([BELLS], Policy.COLLECT) == set()


def test_a_row_must_answer_what_its_table_is_for() -> None:
    assert _found([REST], Policy.FIRST, Kind.NOTIFY) == {"no_answer"}
    assert _found([{"name": "all", "then": {"tiers": ["city"]}}], Policy.COLLECT, Kind.NOTIFY) == set()


def test_a_table_too_large_to_walk_says_so_and_does_not_hang() -> None:
    rows = [
        {
            "name": f"r{n}",
            "when": {name: {"values": [f"{name}{n}-{m}" for m in range(8)]} for name in ("class", "rule", "district")},
            "then": {"priority": 1},
        }
        for n in range(40)
    ]
    assert "too_large" in _found(rows, Policy.FIRST)


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [{"name": "x", "when": {"colour": {"values": ["red"]}}}],
        [{"name": "x", "when": {"hour": "late"}}],
        [{"name": "x"}, {"name": "x"}],
        [{"name": "x", "then": {"tiers": ["everybody"]}}],
        "rows",
    ],
)
def test_what_is_no_table_is_refused_where_it_is_wrong(rows: Any) -> None:  # Any: JSON from outside
    with pytest.raises(BadRequestError) as caught:
        rows_from(rows)
    assert caught.value.where.startswith("rows")
