"""One change of one entity as subscriptions see it: what came, what changed, what went (clause 5.8.6). Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import orjson

from madang.hub.changes import CORE_MEMBERS, Op, instances
from madang.hub.entity import NULL, VALUE_MEMBER
from madang.hub.store import Observed
from madang.hub.subscriptions.conditions import Look, Subject

Json = Any  # Any: parts of a kept document


class Phase(StrEnum):
    """What became of the entity."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"


class Happening:
    """A change, looked at once for all subscriptions. `subject` is the entity afterwards; of a deleted one, before."""

    __slots__ = ("_before", "_changed", "_sorted", "observed", "phase", "subject", "touched")

    def __init__(self, observed: Observed, look: Look | None = None) -> None:
        self.observed = observed
        self.phase = _phase(observed)
        standing = observed.before if observed.after is None else observed.after
        assert standing is not None
        self.subject = Subject(standing, look)
        self._before: dict[str, Json] | None = None
        self._sorted: tuple[frozenset[str], frozenset[str], frozenset[str]] | None = None
        self._changed: dict[str, Json] = orjson.loads(observed.effect.changed) if self.phase is Phase.UPDATED else {}
        self.touched = self._touched()

    @property
    def before(self) -> dict[str, Json]:
        """The attributes as they were."""
        if self._before is None:
            self._before = self.observed.before.attributes() if self.observed.before is not None else {}
        return self._before

    def _touched(self) -> frozenset[str]:
        if self.phase is not Phase.UPDATED:
            return frozenset(self.subject.document.keys() - CORE_MEMBERS)
        said = frozenset(self._changed) - CORE_MEMBERS
        if self.observed.effect.op is Op.REPLACED:
            said |= self.before.keys() - self.subject.document.keys()
        return said

    def triggered(self, triggers: frozenset[str], watched: frozenset[str] | None) -> bool:
        """Whether one of the triggers fires for one of the watched attributes (None: for any)."""
        if self.phase is Phase.DELETED:
            return "entityDeleted" in triggers and self._watches(watched)
        if self.phase is Phase.CREATED:
            return bool({"entityCreated", "attributeCreated"} & triggers) and self._watches(watched)
        if not self.touched:
            return watched is None and "entityUpdated" in triggers
        created, updated, deleted = self.sorted()
        return (
            ("attributeUpdated" in triggers and _meet(updated, watched))
            or ("attributeCreated" in triggers and _meet(created, watched))
            or ("attributeDeleted" in triggers and _meet(deleted, watched))
        )

    def _watches(self, watched: frozenset[str] | None) -> bool:
        return watched is None or not watched.isdisjoint(self.touched)

    def sorted(self) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
        """The attributes with an instance that an update created, gave another content, deleted (clause 5.8.6)."""
        if self._sorted is None:
            created, updated, deleted = set(), set(), set()
            for name in self.touched:
                was, now = _instances(self.before.get(name)), _instances(self.subject.document.get(name))
                if now.keys() - was.keys():
                    created.add(name)
                if was.keys() - now.keys():
                    deleted.add(name)
                written = _instances(self._changed.get(name)).keys() & was.keys() & now.keys()
                if any(_differ(was[key], now[key]) for key in written):
                    updated.add(name)
            self._sorted = frozenset(created), frozenset(updated), frozenset(deleted)
        return self._sorted

    def gone(self) -> dict[str, list[Json]]:
        """What stands for attribute instances that went: their kind, with the NGSI-LD null for a value."""
        found: dict[str, list[Json]] = {}
        if self.phase is Phase.UPDATED:
            for name in self.sorted()[2]:
                now = _instances(self.subject.document.get(name))
                was = _instances(self.before.get(name))
                found[name] = [tombstone(one) for key, one in was.items() if key not in now]
        return found


def _phase(observed: Observed) -> Phase:
    if observed.after is None:
        return Phase.DELETED
    return Phase.CREATED if observed.before is None else Phase.UPDATED


def _differ(was: Json, now: Json) -> bool:
    """Whether two instances say something else; true and 1 are not the same."""
    return bool(was != now) or _bytes(was) != _bytes(now)


def _bytes(instance: Json) -> bytes:
    return orjson.dumps(instance, option=orjson.OPT_SORT_KEYS)


def _meet(names: frozenset[str], watched: frozenset[str] | None) -> bool:
    return bool(names) if watched is None else not watched.isdisjoint(names)


def _instances(value: Json) -> dict[str, Json]:
    return instances(value) if value is not None else {}


def tombstone(instance: Json) -> dict[str, Json]:
    """A deleted attribute instance as notifications show it (clause 4.5.0)."""
    kind = instance["type"]
    said: dict[str, Json] = {"type": kind, VALUE_MEMBER[kind]: {"@none": NULL} if "languageMap" in instance else NULL}
    if "datasetId" in instance:
        said["datasetId"] = instance["datasetId"]
    return said
