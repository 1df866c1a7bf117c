"""Rules compiled once, and what facts make of them. Pure: live, shadow and replay run the same code."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from madang.response.rules import machines
from madang.response.rules.conditions import Test, compile_conditions
from madang.response.rules.facts import READING, SIGNAL, Fact, World
from madang.response.rules.machines import Machine, Memory, Said, machine_of
from madang.response.rules.vocabulary import (
    Heard,
    Near,
    NearOpen,
    OfAttribute,
    OneOf,
    Reading,
    Rule,
    Schedule,
    Source,
    all_conditions,
    sources_of,
)

KEY_CHARS = 100
_DEFAULT_SOURCES = frozenset({"sensor", "bell", "frigate", "onvif", "agency", "citizen", "operator", "facility"})


@dataclass(frozen=True, slots=True)
class Compiled:
    """A version of a rule, ready to be asked. `live` is False in shadow: it records and does nothing."""

    version_id: str
    name: str
    number: int
    rule: Rule
    live: bool
    machine: Machine
    gate: Test
    remembered: frozenset[str]
    """Attributes that conditions ask of the last fact when a wait is over."""

    @property
    def cited(self) -> str:
        """What it acts as: `name@version`."""
        return f"{self.name}@{self.number}"


@dataclass(frozen=True, slots=True)
class Listener:
    """One source of one rule: its role there, and what it filters."""

    compiled: Compiled
    role: int
    where: Test
    sources: frozenset[str] = frozenset()


@dataclass(slots=True)
class Book:
    """The rules of a city by what they listen to."""

    rules: dict[str, Compiled] = field(default_factory=dict)
    by_name: dict[tuple[str, str], list[Listener]] = field(default_factory=lambda: defaultdict(list))
    types: set[str] = field(default_factory=set)
    uses_near: bool = False

    def add(self, compiled: Compiled) -> None:
        """Listens for this rule too."""
        self.rules[compiled.version_id] = compiled
        self.uses_near = self.uses_near or needs_near(compiled.rule)
        for role, source in enumerate(sources_of(compiled.rule.when)):
            for key, listener in _listeners(compiled, role, source):
                self.by_name[key].append(listener)
            if isinstance(source, Reading):
                self.types.add(source.type)


def book_of(compiled: Iterable[Compiled]) -> Book:
    """A book of these rules."""
    book = Book()
    for one in compiled:
        book.add(one)
    return book


def _listeners(compiled: Compiled, role: int, source: Source) -> Iterable[tuple[tuple[str, str], Listener]]:
    where = compile_conditions(source.where)
    if isinstance(source, Reading):
        yield (READING, f"{source.type}/{source.attribute}"), Listener(compiled, role, where)
        return
    assert isinstance(source, Heard)
    heard = frozenset(source.sources) or _DEFAULT_SOURCES
    for code in source.classes:
        yield (SIGNAL, code), Listener(compiled, role, where, heard)


def compile_rule(version_id: str, name: str, number: int, rule: Rule, *, live: bool) -> Compiled:
    """A rule as closures."""
    conditions = rule.conditions
    if isinstance(rule.when, Near):
        conditions = (*conditions, NearOpen(radius_m=rule.when.radius_m, classes=rule.when.classes))
    named = (one.name for one in rule.conditions if isinstance(one, OfAttribute | OneOf))
    gate = compile_conditions(conditions)
    return Compiled(version_id, name, number, rule, live, machine_of(rule), gate, frozenset(named))


def needs_near(rule: Rule) -> bool:
    """Whether it must be told where incidents stand open."""
    return isinstance(rule.when, Near) or any(isinstance(one, NearOpen) for one in all_conditions(rule))


def is_scheduled(rule: Rule) -> bool:
    """Whether the clock alone sets it off."""
    return isinstance(rule.when, Schedule)


# -------------------------------------------------------------------------------------------------- what happens


@dataclass(frozen=True, slots=True)
class Happening:
    """Something a rule said about one group: it fired, what had fired is over, or a late fact came in."""

    compiled: Compiled
    key: str
    kind: str
    at: float
    fact: Fact


def group_of(rule: Rule, fact: Fact, world: World) -> str:
    """What a fact is counted with; facts of different modes never are."""
    if rule.per == "device":
        own = fact.device
    elif rule.per == "all":
        own = "*"
    elif fact.lon is None or fact.lat is None:
        own = "?"
    else:
        own = world.district_of(fact.lon, fact.lat)[0] or "?"
    key = f"{fact.mode}|{own}"
    if len(key) <= KEY_CHARS:
        return key
    return f"{key[: KEY_CHARS - 17]}~{hashlib.sha256(key.encode()).hexdigest()[:16]}"


Placed = tuple[Listener, str]


def listeners_of(book: Book, fact: Fact, world: World) -> list[Placed]:
    """Who wants the fact, and the group it belongs to there."""
    return [
        (one, group_of(one.compiled.rule, fact, world))
        for one in book.by_name.get((fact.kind, fact.name), ())
        if (not one.sources or fact.source in one.sources) and one.where(fact, world)
    ]


def take(listener: Listener, key: str, memory: Memory, fact: Fact, world: World) -> list[Happening]:
    """One fact for one group of one rule; `memory` is changed."""
    compiled = listener.compiled
    spoke = memory.get("spoke")
    said = machines.take(compiled.machine, compiled.rule, memory, listener.role, fact)
    if memory.get("due") is not None or memory.get("on"):
        memory["last"] = _kept(fact, compiled.remembered)
    return _told(compiled, key, memory, said, fact, world, spoke)


def wake(compiled: Compiled, key: str, memory: Memory, now: float, world: World) -> list[Happening]:
    """A group's wait may be over; `memory` is changed."""
    spoke = memory.get("spoke")
    said = machines.wake(compiled.machine, compiled.rule, memory, now)
    last = memory.get("last")
    if not said.fired or last is None:
        return []
    return _told(compiled, key, memory, said, _recalled(last), world, spoke)


def _told(
    compiled: Compiled, key: str, memory: Memory, said: Said, fact: Fact, world: World, spoke: float | None
) -> list[Happening]:
    if said.fired and not compiled.gate(fact, world):
        machines.unsay(memory, spoke)
        said.fired.clear()
    found = [Happening(compiled, key, "fired", at, fact) for at in said.fired]
    if said.cleared is not None:
        found.append(Happening(compiled, key, "cleared", said.cleared, fact))
    if said.late and memory.get("spoke") is not None:
        found.append(Happening(compiled, key, "late", min(fact.at, fact.received), fact))
    return found


_KEPT_FIELDS = (
    "kind", "name", "device", "at", "received", "mode", "source", "value",
    "lon", "lat", "accuracy_m", "priority", "confidence", "ref",
)  # fmt: skip


def _kept(fact: Fact, remembered: frozenset[str]) -> dict[str, Any]:  # Any: JSON values
    kept = {name: getattr(fact, name) for name in _KEPT_FIELDS}
    kept["attributes"] = {name: fact.attributes[name] for name in remembered if name in fact.attributes}
    return kept


def _recalled(kept: Mapping[str, Any]) -> Fact:  # Any: JSON values
    return Fact(**kept)
