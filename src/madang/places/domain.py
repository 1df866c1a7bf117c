"""What an import run may do next, and what it says about a row. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from madang.kernel.errors import MadangError

if TYPE_CHECKING:
    from collections.abc import Mapping


class State(StrEnum):
    """Where an import run stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


MOVES: Mapping[State, frozenset[State]] = MappingProxyType(
    {
        State.QUEUED: frozenset({State.RUNNING, State.REFUSED, State.FAILED}),
        State.RUNNING: frozenset({State.DONE, State.REFUSED, State.FAILED}),
        State.DONE: frozenset[State](),
        State.REFUSED: frozenset[State](),
        State.FAILED: frozenset[State](),
    }
)
"""The moves of a run. A run that ended is never reopened: the file is imported again, which repairs."""


class Level(StrEnum):
    """What an issue means for its row."""

    ERROR = "error"
    WARNING = "warning"
    NOTICE = "notice"


@dataclass(frozen=True, slots=True)
class Issue:
    """One fault of one row. `row_number` is the line of the file (the header of a plain CSV is line 1)."""

    row_number: int
    level: Level
    code: str
    column: str
    value: str
    ko: str
    en: str


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind of issue: how bad, and what a person is told. Texts may use `{column}` and `{value}`."""

    code: str
    level: Level
    ko: str
    en: str

    def at(self, row_number: int, column: str = "", value: str = "", **more: object) -> Issue:
        """This fault in one row; the value is cut to what a screen can show."""
        shown = value if len(value) <= MAX_SHOWN else value[: MAX_SHOWN - 1] + "…"
        texts = {"column": column, "value": shown, **more}
        return Issue(
            row_number, self.level, self.code, column, shown, self.ko.format_map(texts), self.en.format_map(texts)
        )


MAX_SHOWN = 120
"""Characters of a bad value that are repeated to a person."""


class FileRefusedError(MadangError):
    """The file is not what this importer takes; nothing of it was imported."""

    code = "file-refused"
    status = 422
    title = "The file was refused"

    def __init__(self, *, expected: str, found: str, hint: str = "", ko: str = "") -> None:
        super().__init__(
            f"expected {expected}; found {found}", hint=hint, ko=ko or f"{expected} 파일이 아닙니다: {found}"
        )
        self.expected = expected
        self.found = found
