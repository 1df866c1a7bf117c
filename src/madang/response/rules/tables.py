"""Decision tables that rules ask: rows of conditions and answers, edited as data, checked before use. Pure.

`first` takes the topmost row that holds, `unique` allows one only, `collect` takes the answers of all. A field without
a condition matches anything. `check` walks every situation the rows tell apart, and finds gaps (not for `collect`,
where nothing may be right), overlaps (for `unique`), and rows that never answer.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from madang.kernel.errors import BadRequestError
from madang.response.rules.conditions import WEEKDAYS
from madang.response.rules.vocabulary import Tier

Value = str | int
Facts = Mapping[str, Value]
TEXT_FIELDS = ("class", "rule", "district", "source", "weekday", "mode")
NUMBER_FIELDS: Mapping[str, tuple[int, int]] = {"hour": (0, 23), "priority": (0, 4)}
FIELDS = (*TEXT_FIELDS, *NUMBER_FIELDS)
OTHER = "\x00other"
"""Stands for every text no row names, and for a number that is not known."""
MAX_CASES = 200_000
MAX_FOUND = 20
MAX_ROWS = 200


class Policy(StrEnum):
    """How several rows that hold are read (DMN hit policies)."""

    FIRST = "first"
    UNIQUE = "unique"
    COLLECT = "collect"


class Kind(StrEnum):
    """What a table decides."""

    PRIORITY = "priority"
    GRANT = "grant"
    NOTIFY = "notify"


class Texts(Struct, frozen=True, forbid_unknown_fields=True):
    """One of these, or (negated) none of them."""

    values: Annotated[tuple[Annotated[str, Meta(max_length=100)], ...], Meta(min_length=1, max_length=64)]
    negate: bool = False

    def holds(self, value: Value | None) -> bool:
        """Whether it passes."""
        return (str(value) in self.values) is not self.negate


class Between(Struct, frozen=True, forbid_unknown_fields=True):
    """At least `low` and at most `high`, where given. A number that is not known passes nothing."""

    low: int | None = None
    high: int | None = None

    def holds(self, value: Value | None) -> bool:
        """Whether it passes."""
        if not isinstance(value, int):
            return False
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


class Conditions(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The conditions of a row, by field."""

    class_: Texts | None = msgspec.field(default=None, name="class")
    rule: Texts | None = None
    district: Texts | None = None
    source: Texts | None = None
    weekday: Texts | None = None
    mode: Texts | None = None
    hour: Between | None = None
    priority: Between | None = None

    def given(self) -> dict[str, Texts | Between]:
        """Those there are, by field."""
        tests = zip(FIELDS, msgspec.structs.astuple(self), strict=True)
        return {name: test for name, test in tests if test is not None}


class Answer(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a row answers: a priority; whether to propose the pictures to an agency; tiers to tell."""

    priority: Annotated[int, Meta(ge=0, le=4)] | None = None
    propose: Literal["", "yes", "no"] = ""
    agency: Annotated[str, Meta(max_length=40)] = ""
    tiers: Annotated[tuple[Tier, ...], Meta(max_length=6)] = ()


class Row(Struct, frozen=True, forbid_unknown_fields=True):
    """One line of a table."""

    name: Annotated[str, Meta(min_length=1, max_length=60)]
    when: Conditions = Conditions()
    then: Answer = Answer()

    def holds(self, facts: Facts) -> bool:
        """Whether every condition passes."""
        return all(test.holds(facts.get(name)) for name, test in self.when.given().items())


class Finding(Struct, frozen=True):
    """What is wrong: `gap`, `overlap`, `unreachable`, `too_large`, `no_answer`, `bad_range`, with an example."""

    kind: str
    rows: tuple[str, ...] = ()
    example: Mapping[str, Value] = {}


def rows_from(data: Any) -> tuple[Row, ...]:  # Any: JSON from outside
    """Rows from their JSON; raises `BadRequestError` naming row and member."""
    limited = Annotated[tuple[Row, ...], Meta(min_length=1, max_length=MAX_ROWS)]
    try:
        rows: tuple[Row, ...] = msgspec.convert(data, limited)
    except msgspec.ValidationError as error:
        said, _, where = str(error).partition(" - at `$")
        raise BadRequestError(
            f"the table cannot be read: {said}",
            where=f"rows{where.rstrip('`')}",
            ko=f"결정표를 읽을 수 없습니다: {where.rstrip('`') or '행'}",
        ) from None
    names = [row.name for row in rows]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadRequestError(
            f"row names must differ: {', '.join(twice)}", where="rows", ko=f"행 이름이 겹칩니다: {', '.join(twice)}"
        )
    return rows


def rule_on(rows: Iterable[Row], policy: Policy, facts: Facts) -> list[Row]:
    """The rows that answer; nothing where none holds, or where a `unique` table has several."""
    holding = [row for row in rows if row.holds(facts)]
    if policy is Policy.FIRST:
        return holding[:1]
    if policy is Policy.UNIQUE and len(holding) > 1:
        return []
    return holding


def check(rows: tuple[Row, ...], policy: Policy, kind: Kind) -> list[Finding]:
    """Everything that is wrong with a table; at most `MAX_FOUND` of each kind."""
    found = [Finding("no_answer", (row.name,)) for row in rows if not _answers(row.then, kind)]
    found += [Finding("bad_range", (row.name,)) for row in rows if _upside_down(row)]
    domains = _domains(rows)
    size = 1
    for values in domains.values():
        size *= len(values)
    if size > MAX_CASES:
        return [*found, Finding("too_large", example={"cases": size})]
    return found + _walk(rows, policy, domains)


def _answers(answer: Answer, kind: Kind) -> bool:
    if kind is Kind.PRIORITY:
        return answer.priority is not None
    return answer.propose != "" if kind is Kind.GRANT else bool(answer.tiers)


def _upside_down(row: Row) -> bool:
    between = [test for test in row.when.given().values() if isinstance(test, Between)]
    return any(test.low is not None and test.high is not None and test.low > test.high for test in between)


def _walk(rows: tuple[Row, ...], policy: Policy, domains: Mapping[str, list[Value]]) -> list[Finding]:
    """Rows are bits: which ones hold in a situation is the conjunction of what each of its values lets pass."""
    gaps: list[Finding] = []
    overlaps: dict[int, Finding] = {}
    every = (1 << len(rows)) - 1
    answered = 0
    for situation in itertools.product(*_passing(rows, domains)):
        holding = every
        for _, passed in situation:
            holding &= passed
        answered |= holding & -holding if policy is Policy.FIRST else holding
        if not holding and policy is not Policy.COLLECT and len(gaps) < MAX_FOUND:
            gaps.append(Finding("gap", (), _shown(domains, situation)))
        several = holding & (holding - 1) and policy is Policy.UNIQUE
        if several and holding not in overlaps and len(overlaps) < MAX_FOUND:
            overlaps[holding] = Finding("overlap", _names(rows, holding), _shown(domains, situation))
    unreachable = [Finding("unreachable", (name,)) for name in _names(rows, every & ~answered)]
    return gaps + list(overlaps.values()) + unreachable[:MAX_FOUND]


def _passing(rows: tuple[Row, ...], domains: Mapping[str, list[Value]]) -> list[list[tuple[Value, int]]]:
    """For each field, each of its values with the rows it lets pass."""
    given = [row.when.given() for row in rows]
    found: list[list[tuple[Value, int]]] = []
    for name, values in domains.items():
        masks = dict.fromkeys(values, 0)
        for place, tests in enumerate(given):
            for value in _passed(tests.get(name), values):
                masks[value] |= 1 << place
        found.append(list(masks.items()))
    return found


def _passed(test: Texts | Between | None, values: list[Value]) -> Iterable[Value]:
    if test is None:
        return values
    if isinstance(test, Texts) and not test.negate:
        return test.values
    if isinstance(test, Texts):
        return set(values).difference(test.values)
    return [value for value in values if test.holds(value)]


def _names(rows: tuple[Row, ...], bits: int) -> tuple[str, ...]:
    return tuple(row.name for place, row in enumerate(rows) if bits >> place & 1)


def _shown(domains: Iterable[str], situation: Iterable[tuple[Value, int]]) -> dict[str, Value]:
    facts = zip(domains, (value for value, _ in situation), strict=True)
    return {name: "(other)" if value == OTHER else value for name, value in facts}


def _domains(rows: Iterable[Row]) -> dict[str, list[Value]]:
    """For each field tested: every text named and one other, or a number of each range between bounds and none."""
    tests: dict[str, list[Texts | Between]] = {}
    for row in rows:
        for name, test in row.when.given().items():
            tests.setdefault(name, []).append(test)
    return {name: _values(name, of_field) for name, of_field in tests.items()}


def _values(name: str, tests: Iterable[Texts | Between]) -> list[Value]:
    if name not in NUMBER_FIELDS:
        named = {value for test in tests if isinstance(test, Texts) for value in test.values}
        whole: tuple[str, ...] = {"weekday": WEEKDAYS, "mode": ("live", "exercise", "simulated")}.get(name, ())
        return [*sorted(named | set(whole)), *(() if whole else (OTHER,))]
    low, high = NUMBER_FIELDS[name]
    cuts = {low}
    for test in tests:
        if isinstance(test, Between):
            cuts |= {test.low if test.low is not None else low, (test.high if test.high is not None else high) + 1}
    unknown: list[Value] = [OTHER] if name == "priority" else []
    return [*sorted(cut for cut in cuts if low <= cut <= high), *unknown]
