"""Whether a camera shows anything: judged from the marks of its pictures, never from pictures. Pure.

A look opens a camera, decodes one or two key pictures and keeps of each its mean brightness, its spread, and a checksum
of each of 144 blocks. No picture can be made of those again. See docs/decisions: health checks are no views.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

BLOCKS = 144
MARK_HEX = 4
"""Hexadecimal digits of a block's checksum."""


class Outcome(StrEnum):
    """What came of opening a camera."""

    SEEN = "seen"
    SILENT = "silent"
    UNREADABLE = "unreadable"
    """It answers with something that is not shown here (H.265, garbage): nothing is known of its picture."""


class Fault(StrEnum):
    """What is wrong with a camera, as it is announced."""

    NONE = ""
    SILENT = "silent"
    BLACK = "black"
    FROZEN = "frozen"


@dataclass(frozen=True, slots=True)
class Marks:
    """What is kept of one picture: mean brightness and spread (0–255), and its blocks' checksums in order."""

    luma: float
    spread: float
    blocks: str

    @property
    def usable(self) -> bool:
        """Whether it has the form it should; what comes from the media process is checked too."""
        return len(self.blocks) == BLOCKS * MARK_HEX and 0 <= self.luma <= 255 and 0 <= self.spread <= 255


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a camera: when, and the marks of the pictures decoded (none, one or two)."""

    outcome: Outcome
    at: datetime
    marks: tuple[Marks, ...] = ()


@dataclass(frozen=True, slots=True)
class Rules:
    """When a picture counts as none. Times in seconds."""

    black_luma: float = 24.0
    black_spread: float = 4.0
    same_share: float = 0.98
    """Two pictures with so many equal blocks are the same picture; a living camera's noise makes all blocks differ."""
    confirm_s: float = 60.0
    """How long a fault must be seen before it is believed."""
    frozen_s: float = 300.0
    """How long a picture must stand still before it counts as frozen."""
    every_s: float = 21_600.0
    again_s: float = 60.0
    """When a doubtful camera is looked at again."""


@dataclass(frozen=True, slots=True)
class Record:
    """What is remembered of a camera: its fault, what is suspected since when, and its last picture's marks."""

    fault: Fault = Fault.NONE
    suspected: Fault = Fault.NONE
    since: datetime | None = None
    blocks: str = ""


def same_share(a: str, b: str) -> float:
    """The share of blocks that are equal."""
    if len(a) != len(b) or not a:
        return 0.0
    steps = range(0, len(a), MARK_HEX)
    return sum(a[at : at + MARK_HEX] == b[at : at + MARK_HEX] for at in steps) / len(steps)


def judge(record: Record, look: Look, rules: Rules) -> Record:
    """What is known after a look. A fault is believed once it has been seen for its time; one good look ends it."""
    if look.outcome is Outcome.UNREADABLE:
        return Record()
    seen = _suspicion(record, look, rules)
    blocks = look.marks[-1].blocks if look.marks else record.blocks
    if seen is Fault.NONE:
        return Record(blocks=blocks)
    since = record.since if record.suspected is seen and record.since is not None else look.at
    patience = rules.frozen_s if seen is Fault.FROZEN else rules.confirm_s
    believed = seen if look.at - since >= timedelta(seconds=patience) else record.fault
    return replace(record, fault=believed, suspected=seen, since=since, blocks=blocks)


def _suspicion(record: Record, look: Look, rules: Rules) -> Fault:
    if look.outcome is Outcome.SILENT or not look.marks:
        return Fault.SILENT
    if all(mark.luma <= rules.black_luma and mark.spread <= rules.black_spread for mark in look.marks):
        return Fault.BLACK
    return Fault.FROZEN if _stands_still(record, look.marks, rules) else Fault.NONE


def _stands_still(record: Record, marks: Sequence[Marks], rules: Rules) -> bool:
    """Every picture of the look, and the one remembered, are the same. One picture alone proves nothing."""
    pictures = [*([record.blocks] if record.blocks else []), *(mark.blocks for mark in marks)]
    if len(pictures) < 2:
        return False
    return all(same_share(pictures[0], other) >= rules.same_share for other in pictures[1:])


def next_look_at(record: Record, look: Look, rules: Rules) -> datetime:
    """When to look again: soon where something is only suspected, sooner than others where it is broken."""
    if record.suspected is not record.fault:
        return look.at + timedelta(seconds=rules.again_s)
    wait_s = rules.every_s if record.fault is Fault.NONE else min(rules.every_s, RECOVERY * rules.again_s)
    return look.at + timedelta(seconds=wait_s)


RECOVERY = 10
"""A camera known to be broken is looked at less often than a doubtful one, by this factor."""
