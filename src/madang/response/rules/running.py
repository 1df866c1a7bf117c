"""The versions that run, compiled once; facts are given to them in one transaction with everything that causes."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from madang.journal import timers
from madang.journal.handlers import Timer
from madang.journal.session import Session
from madang.kernel.errors import MadangError
from madang.kernel.mode import Mode
from madang.response.rules import clocks, memories, saying
from madang.response.rules.domain import RUNNING, Stage
from madang.response.rules.engine import (
    Book,
    Compiled,
    Happening,
    Listener,
    book_of,
    compile_rule,
    is_scheduled,
    listeners_of,
    take,
    wake,
)
from madang.response.rules.facts import SIGNAL, Fact, World
from madang.response.rules.machines import Memory
from madang.response.rules.memories import Group
from madang.response.rules.models import RuleVersion
from madang.response.rules.vocabulary import read_rule
from madang.response.rules.world import world_of

log = logging.getLogger(__name__)
AGAIN_S = 0.25
PATIENCE_S = 1.5
"""So long a wait that is over is held back while facts of before its end may still be unread."""
MISSED_S = 3_600.0
"""A time of the clock that was missed by more than this is let go."""


@dataclass
class Pace:
    """Whether this process has read the feeds up to now, city by city."""

    behind_since: dict[str, float] = field(default_factory=dict)
    """Monotonic seconds."""

    def fell_behind(self, city: str) -> None:
        """There is more to read than was read."""
        self.behind_since.setdefault(city, time.monotonic())

    def caught_up(self, city: str) -> None:
        """Everything was read."""
        self.behind_since.pop(city, None)

    def is_behind(self, city: str) -> bool:
        """Whether waits should be held back a little."""
        since = self.behind_since.get(city)
        return since is not None and time.monotonic() - since < PATIENCE_S


PACE = Pace()
_books: dict[str, tuple[tuple[tuple[str, str, int], ...], Book]] = {}


def book(authority: str) -> Book:
    """The rules of a city that run, as they are now."""
    found = RuleVersion.objects.filter(authority_id=authority, stage__in=[stage.value for stage in RUNNING])
    mark = tuple(found.order_by("id").values_list("id", "stage", "revision"))
    held = _books.get(authority)
    if held is not None and held[0] == mark:
        return held[1]
    fresh = book_of(one for one in (compiled_of(row) for row in found) if one is not None)
    _books[authority] = (mark, fresh)
    return fresh


def compiled_of(row: RuleVersion) -> Compiled | None:
    """A version, ready to be asked; None for one that can no longer be read (it says so in the log)."""
    try:
        rule = read_rule(row.definition)
    except MadangError:
        log.exception("rule %s cannot be read and does not run", row)
        return None
    return compile_rule(row.id, row.name, row.number, rule, live=row.stage == Stage.PUBLISHED.value)


def give(tx: Session, authority: str, facts: Sequence[Fact], now: datetime) -> int:
    """Gives facts to the rules that run, in their order; memories, waits, firings and signals are written with it.

    Returns how many rules fired. The caller writes the cursor in the same transaction.
    """
    tx.serialise()
    rules = book(authority)
    world = world_of(authority, near=rules.uses_near)
    placed = [(fact, *each) for fact in facts for each in listeners_of(rules, fact, world)]
    if not placed:
        return 0
    held = memories.load(tx, ((listener.compiled.version_id, key) for _, listener, key in placed))
    before = {group: memory.get("due") for group, memory in held.items()}
    happenings: list[Happening] = []
    for fact, listener, key in placed:
        happenings += _take(listener, key, held[listener.compiled.version_id, key], fact, world)
    memories.save(tx, held)
    for group, memory in held.items():
        memories.set_wait(tx, group, before[group], memory.get("due"), authority)
    return saying.say(tx, authority, happenings, world, now) if happenings else 0


def _take(listener: Listener, key: str, memory: Memory, fact: Fact, world: World) -> list[Happening]:
    """One fact for one group; what no machine was made for must not hold up the feed for everybody else."""
    try:
        return take(listener, key, memory, fact, world)
    except Exception:
        log.exception("rule %s could not take a fact of %s", listener.compiled.cited, fact.device)
        memory["bad"] = memory.get("bad", 0) + 1
        return []


def fell_due(tx: Session, timer: Timer, now: datetime) -> None:
    """A wait may be over. It belongs to its version: one that no longer runs lets it go."""
    group: Group = (str(timer.body["version"]), str(timer.body["key"]))
    compiled = book(timer.authority).rules.get(group[0])
    if compiled is None:
        return
    if PACE.is_behind(timer.authority):
        _set_again(tx, timer, now)
        return
    held = memories.load(tx, [group])
    memory = held[group]
    world = world_of(timer.authority, near=book(timer.authority).uses_near)
    happenings = wake(compiled, group[1], memory, max(now, timer.due_at).timestamp() + 0.001, world)
    memories.save(tx, held)
    memories.set_wait(tx, group, None, memory.get("due"), timer.authority)
    if happenings:
        saying.say(tx, timer.authority, happenings, world, now)


def _set_again(tx: Session, timer: Timer, now: datetime) -> None:
    timers.set_timer(
        tx,
        kind=timer.kind,
        key=timer.key,
        due_at=now + timedelta(seconds=AGAIN_S),
        authority=timer.authority,
        mode=timer.mode,
        body=timer.body,
    )


# --------------------------------------------------------------------------------------------------- by the clock


def set_clock(tx: Session, row: RuleVersion, mode: Mode, now: datetime) -> None:
    """Sets the next time of a scheduled version; nothing for any other."""
    compiled = compiled_of(row)
    if compiled is None or not is_scheduled(compiled.rule):
        return
    timers.set_timer(
        tx,
        kind=memories.CLOCK,
        key=row.id,
        due_at=clocks.next_time(compiled.rule, now),
        authority=row.authority_id,
        mode=mode,
        body={"version": row.id},
    )


def struck(tx: Session, timer: Timer, now: datetime) -> None:
    """The time of a scheduled version has come: it speaks, and is set for the next. Long missed ones are let go."""
    row = RuleVersion.objects.filter(pk=timer.body["version"]).first()
    compiled = book(timer.authority).rules.get(str(timer.body["version"])) if row is not None else None
    if row is None or compiled is None:
        return
    set_clock(tx, row, timer.mode, now)
    at = timer.due_at.timestamp()
    if now.timestamp() - at > MISSED_S:
        log.warning("rule %s missed its time of %s", row, timer.due_at)
        return
    world = world_of(timer.authority, near=book(timer.authority).uses_near)
    fact = Fact(SIGNAL, "clock", compiled.name, at, at, timer.mode.value)
    if compiled.gate(fact, world):
        happening = Happening(compiled, f"{timer.mode.value}|*", "fired", at, fact)
        saying.say(tx, timer.authority, [happening], world, now)
