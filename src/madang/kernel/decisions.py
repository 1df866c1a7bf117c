"""The two answers of every `decide`: accepted with its events, or rejected with a code."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

E = TypeVar("E", covariant=True)


@dataclass(frozen=True, slots=True)
class Accepted(Generic[E]):
    """The rules allow it; these events are what it means."""

    events: tuple[E, ...] = ()


@dataclass(frozen=True, slots=True)
class Rejected:
    """The rules forbid it: a stable code and the facts a person needs to understand why."""

    code: str
    data: dict[str, Any] = field(default_factory=dict)  # Any: JSON values
