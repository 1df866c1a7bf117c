"""History as clients get it: instances (clauses 4.5.6–4.5.8), values with times (4.5.9), aggregates (4.5.19). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import groupby
from typing import Any

import orjson

from madang.hub.changes import Stored
from madang.hub.contexts.context import Context
from madang.hub.entity import NULL, VALUE_MEMBER
from madang.hub.history.finding import Aggregated, EntityHistory
from madang.hub.history.instances import Instance, body_of, instance_id, text_of
from madang.hub.history.query import Window
from madang.hub.render import Form, View, render

Json = Any  # Any: JSON as clients get it


class TemporalForm(StrEnum):
    """How instances are told."""

    NORMALIZED = "normalized"
    CONCISE = "concise"
    VALUES = "temporalValues"
    AGGREGATED = "aggregatedValues"


@dataclass(frozen=True, slots=True)
class TemporalView:
    """How an entity's history is shown. Names are canonical; `pick` empty means every member."""

    form: TemporalForm = TemporalForm.NORMALIZED
    system: bool = False
    lang: str = ""
    pick: frozenset[str] = frozenset()
    omit: frozenset[str] = frozenset()

    def wants(self, member: str) -> bool:
        """Whether a member of the entity is shown."""
        return (not self.pick or member in self.pick) and member not in self.omit


_PLURALS = {
    "Property": "values",
    "GeoProperty": "values",
    "Relationship": "objects",
    "LanguageProperty": "languageMaps",
    "VocabProperty": "vocabs",
    "ListProperty": "valueLists",
    "ListRelationship": "objectLists",
    "JsonProperty": "jsons",
}
_WRAPPED = frozenset({"LanguageProperty", "VocabProperty", "JsonProperty"})
_TIMES = {"observedAt": "observed_us", "createdAt": "created_us", "modifiedAt": "modified_us"}


def represent(found: EntityHistory, view: TemporalView, names: Context, window: Window) -> dict[str, Json]:
    """One entity's history as JSON-ready members, without @context."""
    shown: dict[str, Json] = {}
    if view.wants("id"):
        shown["id"] = found.id
    if view.wants("type"):
        terms = [names.term(one) for one in found.types]
        shown["type"] = terms[0] if len(terms) == 1 else terms
    if view.system:
        times = {"createdAt": found.created_us, "modifiedAt": found.modified_us, "deletedAt": found.deleted_us}
        shown |= {name: text_of(us) for name, us in times.items() if us is not None and view.wants(name)}
    if view.form is TemporalForm.AGGREGATED:
        return shown | _aggregated(found.aggregates, view, names)
    for name, group in groupby(found.instances, key=lambda one: one.attribute):
        if view.wants(name):
            shown[names.term(name)] = _attribute([*group], view, names, window)
    return shown


def _attribute(instances: Sequence[Instance], view: TemporalView, names: Context, window: Window) -> Json:
    painted = _painted(instances, view, names)
    if view.form is TemporalForm.VALUES:
        return _values(instances, painted, window)
    for one, said in zip(instances, painted, strict=True):
        said |= _metadata(one, view, window)
    return painted


def _metadata(one: Instance, view: TemporalView, window: Window) -> dict[str, str]:
    said = {"instanceId": instance_id(one.seq, one.place)}
    if view.system or window.timeproperty == "createdAt":
        said["createdAt"] = text_of(one.created_us)
    if view.system or window.timeproperty == "modifiedAt":
        said["modifiedAt"] = text_of(one.modified_us)
    if one.deleted_us is not None:
        said["deletedAt"] = text_of(one.deleted_us)
    return said


def _painted(instances: Sequence[Instance], view: TemporalView, names: Context) -> list[dict[str, Json]]:
    """Instances in the client's names, language and representation; what was deleted stays as it is."""
    bodies = [body_of(one) for one in instances]
    if names.is_core and not view.lang and view.form is not TemporalForm.CONCISE:
        return bodies
    form = Form.CONCISE if view.form is TemporalForm.CONCISE else Form.NORMALIZED
    living = [body for body, one in zip(bodies, instances, strict=True) if one.form != "x"]
    shown = iter(_rendered(instances[0].attribute, living, View(form=form, lang=view.lang), names))
    return [body if one.form == "x" else _whole(next(shown)) for body, one in zip(bodies, instances, strict=True)]


def _rendered(name: str, bodies: list[dict[str, Json]], view: View, names: Context) -> list[Json]:
    """Instance by instance: several of one dataset would not be an entity."""
    said = []
    for body in bodies:
        raw = orjson.dumps({"id": "", "type": "", name: body})
        said.append(render(Stored(0, "", (), raw, {}, 0, 0, 0), view, names)[names.term(name)])
    return said


def _whole(said: Json) -> dict[str, Json]:
    """A concise instance that is only its value still needs a place for its metadata."""
    if isinstance(said, dict) and not ("coordinates" in said and "type" in said):
        return said
    return {"value": said}


def _values(instances: Sequence[Instance], painted: Iterable[dict[str, Json]], window: Window) -> Json:
    series: dict[tuple[str, str], list[Json]] = {}
    for one, said in zip(instances, painted, strict=True):
        kind = said.get("type", "Property")
        series.setdefault((kind, one.dataset), []).append([_value(kind, said, one), text_of(_time(one, window))])
    told = []
    for (kind, dataset), values in series.items():
        member = {"type": kind, _PLURALS[kind]: values}
        told.append(member | {"datasetId": dataset} if dataset else member)
    return told[0] if len(told) == 1 else told


def _time(one: Instance, window: Window) -> int:
    us = one.deleted_us if window.timeproperty == "deletedAt" else getattr(one, _TIMES[window.timeproperty])
    return int(us if us is not None else one.modified_us)


def _value(kind: str, said: dict[str, Json], one: Instance) -> Json:
    if one.form == "x":
        return NULL
    member = VALUE_MEMBER[kind]
    value = said[member]
    if kind in _WRAPPED:
        return {member: value}
    return [each["object"] for each in value] if kind == "ListRelationship" else value


def _aggregated(aggregates: Sequence[Aggregated], view: TemporalView, names: Context) -> dict[str, Json]:
    shown: dict[str, Json] = {}
    for name, group in groupby(aggregates, key=lambda one: one.attribute):
        if view.wants(name):
            told = [_series(one) for one in group]
            shown[names.term(name)] = told[0] if len(told) == 1 else told
    return shown


def _series(one: Aggregated) -> dict[str, Json]:
    relationship = one.kind in ("Relationship", "ListRelationship")
    member: dict[str, Json] = {"type": "Relationship" if relationship else "Property"}
    starts, ends = _texts(one.starts_us), _texts(one.ends_us)
    for method, values in one.values.items():
        member[method] = [*zip(values, starts, ends, strict=True)]
    return member | {"datasetId": one.dataset} if one.dataset else member


@lru_cache(maxsize=64)
def _texts(times_us: tuple[int, ...]) -> list[str]:
    """Entities share their periods: most are asked for again."""
    return [*map(text_of, times_us)]
