"""Decision tables: how rows are read, and what is found wrong with them."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


def test_the_largest_table_is_walked_as_a_whole_and_its_findings_are_true() -> None:
    """200 rows over 180,000 situations: asked row by row this took minutes, with the store locked when publishing."""
    some = [f"c{number}" for number in range(60)]
    data = [
        {
            "name": f"r{number}",
            "when": {
                "class": {"values": some},
                "district": {"values": some},
                "hour": {"low": number % 24, "high": number % 24},
                "source": {"values": ["bell"], "negate": number % 2 == 0},
            },
            "then": {"priority": 1},
        }
        for number in range(200)
    ]
    rows = rows_from(data)
    found = check(rows, Policy.UNIQUE, Kind.PRIORITY)
    assert {one.kind for one in found} == {"gap", "overlap"}
    for one in found:
        holding = tuple(row.name for row in rows if row.holds(one.example))
        assert one.rows == holding


_TEXTS = st.fixed_dictionaries(
    {"values": st.lists(st.sampled_from("abc"), min_size=1, max_size=2), "negate": st.booleans()}
)
_BETWEEN = st.fixed_dictionaries({}, optional={"low": st.integers(-1, 5), "high": st.integers(-1, 5)})
_CONDITIONS = st.fixed_dictionaries({}, optional={"class": _TEXTS, "source": _TEXTS, "priority": _BETWEEN})


@given(conditions=st.lists(_CONDITIONS, min_size=1, max_size=4), policy=st.sampled_from(Policy))
def test_what_is_found_is_what_asking_every_situation_finds(
    conditions: list[dict[str, Any]],  # Any: JSON values
    policy: Policy,
) -> None:
    rows = rows_from([{"name": f"r{n}", "when": when, "then": {"priority": 1}} for n, when in enumerate(conditions)])
    answers: set[tuple[str, ...]] = set()
    for code, source, priority in itertools.product("abcz", "abcz", [*range(5), "unknown"]):
        facts: Facts = {"class": code, "source": source, "priority": priority}
        answers.add(tuple(row.name for row in rows if row.holds(facts)))
    reached = {name for names in answers for name in (names[:1] if policy is Policy.FIRST else names)}
    found = check(rows, policy, Kind.PRIORITY)
    assert {one.rows[0] for one in found if one.kind == "unreachable"} == {row.name for row in rows} - reached
    assert any(one.kind == "gap" for one in found) is (() in answers and policy is not Policy.COLLECT)
    several = {names for names in answers if len(names) > 1} if policy is Policy.UNIQUE else set()
    assert {one.rows for one in found if one.kind == "overlap"} == several
