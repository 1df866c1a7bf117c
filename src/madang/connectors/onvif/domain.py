"""What a notification means: properties have states, and only a change of state is news. Pure."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Protocol

_TRUE = frozenset({"true", "1", "on", "yes"})
_FALSE = frozenset({"false", "0", "off", "no", ""})
_TELLING = frozenset({"ClassTypes", "ObjectId"})
"""Items that name what is there; empty means nothing is."""
Key = tuple[str, tuple[tuple[str, str], ...], str]


class Rule(Protocol):
    """Which topic means what."""

    @property
    def topic(self) -> str: ...
    @property
    def item(self) -> str: ...
    @property
    def camera(self) -> str: ...


class Told(Protocol):
    """A notification."""

    @property
    def topic(self) -> str: ...
    @property
    def operation(self) -> str: ...
    @property
    def source(self) -> Mapping[str, str]: ...
    @property
    def data(self) -> Mapping[str, str]: ...


class News(StrEnum):
    """What a notification is."""

    BEGAN = "began"
    ENDED = "ended"
    HAPPENED = "happened"
    """Something without a duration, such as a line crossed."""


def matching(rules: Sequence[Rule], topic: str, camera: str) -> int | None:
    """The number of the first rule for a topic of a camera."""
    for number, rule in enumerate(rules):
        if fnmatchcase(topic, rule.topic) and rule.camera in ("", camera):
            return number
    return None


def news(states: MutableMapping[Key, bool], told: Told, item: str) -> News | None:
    """What it tells that was not known; keeps the state in `states`.

    Initialized says how things stand: news only where they were known to stand otherwise. Deleted ends what held.
    Without an operation it is an event; one that says of something that it no longer holds ends it.
    """
    name, holds = _holds(told, item)
    if holds is None:
        return News.HAPPENED if told.operation == "" else None
    key: Key = (told.topic, tuple(sorted(told.source.items())), name)
    before = states.get(key)
    if told.operation == "Deleted":
        states.pop(key, None)
        return News.ENDED if before else None
    if told.operation == "":
        return _event(states, key, before=before, holds=holds)
    if name == "ObjectId":
        return None if told.operation == "Initialized" else News.HAPPENED
    states[key] = holds
    if told.operation == "Initialized" and before is None:
        return None
    return None if bool(before) == holds else News.BEGAN if holds else News.ENDED


def _event(states: MutableMapping[Key, bool], key: Key, *, before: bool | None, holds: bool) -> News | None:
    if holds:
        return News.HAPPENED
    states.pop(key, None)
    return News.ENDED if before else None


def _holds(told: Told, item: str) -> tuple[str, bool | None]:
    """The data item that counts, and whether it holds; None where nothing says so."""
    names = [item] if item else list(told.data)
    for name in names:
        value = told.data.get(name)
        if value is None:
            continue
        if name in _TELLING:
            return name, bool(value.strip())
        if value.strip().lower() in _TRUE:
            return name, True
        if value.strip().lower() in _FALSE:
            return name, False
    return "", None
