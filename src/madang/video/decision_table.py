"""The decision table that answers a request for video: rows of conditions, edited as data, checked before use.

A row holds where each of its conditions holds; a field without a condition matches anything. Policy `first` takes
the topmost row that holds, `unique` allows one row only. `check` finds situations that no row answers, and (for
`unique`) that two do. Pure.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Fact = str | int
Facts = Mapping[str, Fact]

TEXT_FIELDS = ("agency_kind", "basis", "crime_class", "mode", "place_state")
NUMBER_FIELDS: Mapping[str, tuple[int, int]] = {"code": (0, 4), "hour": (0, 23), "cameras": (0, 64)}
"""Fields that are numbers, with the range the check walks through."""
FIELDS = (*TEXT_FIELDS, *NUMBER_FIELDS)
OTHER = "\x00other"
"""Stands for every text no row names."""
MAX_CASES = 200_000
MAX_FOUND = 20


class Outcome(StrEnum):
    """What a row answers."""

    APPROVE = "approve"
    ASK = "ask"
    DENY = "deny"


class Policy(StrEnum):
    """How several matching rows are read (DMN hit policies)."""

    FIRST = "first"
    UNIQUE = "unique"


@dataclass(frozen=True, slots=True)
class Condition:
    """One test on one field: one of `values` (or none of them, if `negate`), or between `low` and `high`."""

    field: str
    values: frozenset[str] = frozenset()
    negate: bool = False
    low: int | None = None
    high: int | None = None

    def holds(self, fact: Fact | None) -> bool:
        """Whether the fact passes. A number that is not known passes no range."""
        if self.field in NUMBER_FIELDS:
            if not isinstance(fact, int):
                return False
            return (self.low is None or fact >= self.low) and (self.high is None or fact <= self.high)
        return (str(fact) in self.values) is not self.negate


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    name: str
    conditions: tuple[Condition, ...]
    outcome: Outcome
    rights: tuple[str, ...] = ("live",)
    max_cameras: int = 12
    duration_s: int = 1_800
    terms: tuple[str, ...] = ()
    why: str = ""

    def holds(self, facts: Facts) -> bool:
        """Whether every condition passes."""
        return all(condition.holds(facts.get(condition.field)) for condition in self.conditions)


@dataclass(frozen=True, slots=True)
class Table:
    """A version of the table; `name` is what decisions cite, e.g. `video-grant@3`."""

    name: str
    rows: tuple[Row, ...]
    policy: Policy = Policy.FIRST


@dataclass(frozen=True, slots=True)
class Ruling:
    """The table's answer, with the row that gave it."""

    outcome: Outcome
    rule: str
    rights: tuple[str, ...] = ()
    max_cameras: int = 0
    duration_s: int = 0
    conditions: tuple[str, ...] = ()
    why: str = ""


def rule_on(table: Table, facts: Facts) -> Ruling:
    """The table's answer. What no row answers, or a `unique` table answers twice, a human is asked."""
    matching = [row for row in table.rows if row.holds(facts)]
    if not matching or (table.policy is Policy.UNIQUE and len(matching) > 1):
        why = "no_row" if not matching else "several_rows"
        return Ruling(Outcome.ASK, f"{table.name}#{why}", ("live",), 12, 1_800, (), why)
    row = matching[0]
    rule = f"{table.name}#{row.name}"
    return Ruling(row.outcome, rule, row.rights, row.max_cameras, row.duration_s, row.terms, row.why)


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a table: `gap`, `overlap`, `unreachable`, `too_large`, with an example situation."""

    kind: str
    rows: tuple[str, ...] = ()
    example: Mapping[str, Fact] | None = None


def check(table: Table) -> list[Finding]:
    """Every gap, (for `unique`) overlap, and row that can never answer; at most `MAX_FOUND` of each kind."""
    domains = _domains(table.rows)
    size = 1
    for values in domains.values():
        size *= len(values)
    if size > MAX_CASES:
        return [Finding("too_large", example={"cases": size})]
    return _walk(table, domains)


def _walk(table: Table, domains: Mapping[str, list[Fact]]) -> list[Finding]:
    gaps: list[Finding] = []
    overlaps: dict[tuple[str, ...], Finding] = {}
    answered: set[str] = set()
    for facts in _situations(domains):
        names = tuple(row.name for row in table.rows if row.holds(facts))
        if not names:
            gaps.append(Finding("gap", (), facts))
            continue
        answered.update(names if table.policy is Policy.UNIQUE else names[:1])
        if table.policy is Policy.UNIQUE and len(names) > 1:
            overlaps.setdefault(names, Finding("overlap", names, facts))
    unreachable = [Finding("unreachable", (row.name,)) for row in table.rows if row.name not in answered]
    return gaps[:MAX_FOUND] + list(overlaps.values())[:MAX_FOUND] + unreachable[:MAX_FOUND]


def _situations(domains: Mapping[str, list[Fact]]) -> Iterator[dict[str, Fact]]:
    for combination in itertools.product(*domains.values()):
        yield dict(zip(domains, combination, strict=True))


def _domains(rows: Iterable[Row]) -> dict[str, list[Fact]]:
    """For each field a row tests: every text named and one other, or one number of each range between bounds."""
    conditions = [condition for row in rows for condition in row.conditions]
    domains: dict[str, list[Fact]] = {}
    for name in dict.fromkeys(condition.field for condition in conditions):
        of_field = [condition for condition in conditions if condition.field == name]
        if name in NUMBER_FIELDS:
            domains[name] = _numbers(name, of_field)
        else:
            domains[name] = [*sorted(set().union(*(c.values for c in of_field))), OTHER]
    return domains


def _numbers(name: str, conditions: Iterable[Condition]) -> list[Fact]:
    low, high = NUMBER_FIELDS[name]
    cuts = {low}
    for condition in conditions:
        cuts.add(condition.low if condition.low is not None else low)
        cuts.add((condition.high if condition.high is not None else high) + 1)
    unknown: list[Fact] = [OTHER]
    return sorted(cut for cut in cuts if low <= cut <= high) + unknown


class TableError(ValueError):
    """A table that cannot be read, naming the row and the field."""


def rows_from(data: object) -> tuple[Row, ...]:
    """Reads rows from their JSON form; raises `TableError` naming row and field.

    `[{"name": "…", "when": {"basis": ["pipa_18_2_7"], "code": {"max": 1}, "crime_class": {"not": ["…"]}},
    "outcome": "approve", "rights": ["live"], "max_cameras": 12, "duration_s": 1800, "terms": [], "why": ""}]`
    """
    if not isinstance(data, list) or not data:
        raise TableError("the table needs at least one row")
    rows = tuple(_row(number, row) for number, row in enumerate(data, start=1))
    names = [row.name for row in rows]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise TableError(f"row names must differ: {', '.join(sorted(twice))}")
    return rows


_ROW_KEYS = frozenset({"name", "when", "outcome", "rights", "max_cameras", "duration_s", "terms", "why"})
_RIGHTS = frozenset({"live", "playback", "ptz", "record", "export"})


def _row(number: int, data: object) -> Row:
    if not isinstance(data, dict):
        raise TableError(f"row {number} is not an object")
    unknown = set(data) - _ROW_KEYS
    if unknown:
        raise TableError(f"row {number} has unknown members: {', '.join(sorted(map(str, unknown)))}")
    where = f"row {number} ({data.get('name', '?')})"
    when = data.get("when", {})
    if not isinstance(when, dict):
        raise TableError(f"{where}: `when` is not an object")
    conditions = tuple(_condition(where, str(name), test) for name, test in when.items())
    return _built(where, data, conditions)


def _built(where: str, data: dict[str, Any], conditions: tuple[Condition, ...]) -> Row:  # Any: JSON members
    try:
        outcome = Outcome(data.get("outcome", ""))
    except ValueError:
        raise TableError(f"{where}: outcome must be approve, ask or deny") from None
    rights = tuple(map(str, data.get("rights", ["live"])))
    if not set(rights) <= _RIGHTS:
        raise TableError(f"{where}: rights must be among {', '.join(sorted(_RIGHTS))}")
    name = str(data.get("name", ""))
    if not name:
        raise TableError(f"{where}: a row needs a name")
    return Row(
        name=name,
        conditions=conditions,
        outcome=outcome,
        rights=rights,
        max_cameras=_positive(where, "max_cameras", data.get("max_cameras", 12)),
        duration_s=_positive(where, "duration_s", data.get("duration_s", 1_800)),
        terms=tuple(map(str, data.get("terms", []))),
        why=str(data.get("why", "")),
    )


def _positive(where: str, name: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise TableError(f"{where}: {name} must be a whole number above 0")
    return value


def _condition(where: str, name: str, test: object) -> Condition:
    if name not in FIELDS:
        raise TableError(f"{where}: unknown field {name}; known are {', '.join(FIELDS)}")
    if name in NUMBER_FIELDS:
        return _number_condition(where, name, test)
    negate = isinstance(test, dict) and set(test) == {"not"}
    values = test["not"] if isinstance(test, dict) and negate else test
    if not isinstance(values, list) or not values or not all(isinstance(value, str) for value in values):
        raise TableError(f'{where}: {name} wants a list of texts, or {{"not": [texts]}}')
    return Condition(name, frozenset(values), negate=negate)


def _number_condition(where: str, name: str, test: object) -> Condition:
    bounds = test if isinstance(test, dict) else {}
    low, high = bounds.get("min"), bounds.get("max")
    whole = all(bound is None or (isinstance(bound, int) and not isinstance(bound, bool)) for bound in (low, high))
    if not bounds or not set(bounds) <= {"min", "max"} or not whole:
        raise TableError(f'{where}: {name} wants {{"min": n, "max": n}} with whole numbers')
    if low is not None and high is not None and low > high:
        raise TableError(f"{where}: {name} has min above max")
    return Condition(name, low=low, high=high)
