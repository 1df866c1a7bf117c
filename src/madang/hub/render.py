"""Kept entities → what a client asked for: representation, projection, system attributes, names of its @context.

Pure. The common case (normalized, core names, everything) never comes here: the kept bytes are the answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from madang.hub.changes import Stored, stamp_of, sub_stamp
from madang.hub.contexts.context import Context
from madang.hub.entity import VALUE_MEMBER, Attribute, Json
from madang.hub.language import chosen
from madang.hub.versions import Version, older
from madang.kernel.clock import instant_text


class Form(StrEnum):
    """Representations of an entity (clauses 4.5.1, 4.5.2.3 and 4.5.4)."""

    NORMALIZED = "normalized"
    CONCISE = "concise"
    SIMPLIFIED = "simplified"


@dataclass(frozen=True, slots=True)
class View:
    """How entities are shown. Names are canonical; `only` and `pick` empty mean every member.

    `datasets` are the datasetIds of the instances wanted, "" for the default one (clause 4.5.5); `linked` is how
    entities behind a relationship are shown where that differs (clause 4.21); `geometry` is the GeoProperty that
    becomes a GeoJSON geometry; `version` an older version of the specification to answer in (clause 4.3.6.8).
    """

    form: Form = Form.NORMALIZED
    system: bool = False
    only: frozenset[str] = frozenset()
    pick: frozenset[str] = frozenset()
    omit: frozenset[str] = frozenset()
    lang: str = ""
    datasets: frozenset[str] = frozenset()
    linked: tuple[tuple[str, View], ...] = ()
    geometry: str = "location"
    version: Version | None = None

    @property
    def plain(self) -> bool:
        """Whether the kept form shows it already, but for names."""
        return self == _PLAIN

    def behind(self, relationship: str) -> View:
        """How the entities are shown that a relationship points at."""
        for name, view in self.linked:
            if name == relationship:
                return view
        return replace(self, only=frozenset()) if self.only else self

    def wants(self, member: str) -> bool:
        """Whether a member of an entity is shown."""
        if (self.pick and member not in self.pick) or member in self.omit:
            return False
        return not self.only or member in self.only or member in _HEAD


_PLAIN = View()
_HEAD = frozenset({"id", "type", "scope", "expiresAt", "createdAt", "modifiedAt"})
_REFERENCES = frozenset({"objectType", "valueType"})
_PROOF = "ngsildproof"


@dataclass(slots=True)
class Graph:
    """Linked entities within reach (clause 4.5.23): `levels` more may be followed, never to what was `seen`.

    `budget` bounds how many are drawn into one answer; `cut` is set where it ran out.
    """

    entities: Mapping[str, Stored]
    levels: int
    seen: frozenset[str]
    budget: list[int]

    def draw(self, entity_id: str) -> Stored | None:
        """A linked entity to show here, if there is one and room for it."""
        found = self.entities.get(entity_id) if self.levels and entity_id not in self.seen else None
        if found is None or self.budget[0] <= 0:
            return None
        self.budget[0] -= 1
        return found

    def beyond(self, entity_id: str) -> Graph:
        """What may be followed from a linked entity."""
        return Graph(self.entities, self.levels - 1, self.seen | {entity_id}, self.budget)


def render(stored: Stored, view: View, names: Context, graph: Graph | None = None) -> dict[str, Json]:
    """One entity as JSON-ready members, without @context; entities of `graph` stand inside its relationships."""
    shown: dict[str, Json] = {}
    painter = _Painter(stored, view, names, graph)
    for name, value in _document(stored, view).items():
        if not view.wants(name):
            continue
        if name in ("id", "scope", "expiresAt"):
            shown[name] = value
        elif name == "type":
            shown[name] = [names.term(one) for one in value] if isinstance(value, list) else names.term(value)
        elif (said := painter.attribute(name, value)) is not None:
            shown[names.term(name)] = said
    if view.system:
        times = {"createdAt": stored.created_ms, "modifiedAt": stored.modified_ms}
        shown |= {name: _time(ms) for name, ms in times.items() if view.wants(name)}
    return shown


def _document(stored: Stored, view: View) -> dict[str, Json]:
    document = stored.document()
    return older(document, view.version) if view.version is not None else document


def targets(stored: Stored, view: View) -> Iterator[tuple[str, list[str]]]:
    """The relationships a view shows, each with the entities it points at."""
    for name, value in stored.document().items():
        if name in _HEAD or not view.wants(name):
            continue
        for one in value if isinstance(value, list) else [value]:
            if not view.datasets or one.get("datasetId", "") in view.datasets:
                yield name, _pointed(one)


def _pointed(instance: dict[str, Json]) -> list[str]:
    if instance["type"] == "Relationship":
        said = instance["object"]
        return said if isinstance(said, list) else [said]
    if instance["type"] == "ListRelationship":
        return [one["object"] for one in instance["objectList"]]
    return []


def feature(stored: Stored, view: View, shown: dict[str, Json]) -> dict[str, Json]:
    """A shown entity as a GeoJSON Feature (clauses 4.5.16.2 and 4.5.17.1)."""
    properties = {name: value for name, value in shown.items() if name != "id"}
    return {"id": stored.id, "type": "Feature", "geometry": _geometry(stored, view), "properties": properties}


def _geometry(stored: Stored, view: View) -> Json:
    """Clause 4.5.16.1: of several instances the one of the datasetId asked for, else the default one."""
    held = stored.document().get(view.geometry)
    instances = held if isinstance(held, list) else [held]
    wanted = view.datasets or {""}
    for one in instances:
        if isinstance(one, dict) and one.get("type") == "GeoProperty" and one.get("datasetId", "") in wanted:
            return one["value"]
    return None


def _time(ms: int) -> str:
    return instant_text(datetime.fromtimestamp(ms / 1000, UTC))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in an attribute instance a sub-attribute lies."""

    name: str
    instance: dict[str, Json]
    path: tuple[tuple[str, str], ...]

    def below(self, member: str, value: dict[str, Json]) -> _Place:
        """The place of a sub-attribute of what lies here."""
        return _Place(self.name, self.instance, (*self.path, (member, value.get("datasetId", ""))))


class _Painter:
    def __init__(self, stored: Stored, view: View, names: Context, graph: Graph | None) -> None:
        self._stored = stored
        self._view = view
        self._names = names
        self._graph = graph
        self._as_kept = names.is_core and view.form is Form.NORMALIZED and not view.lang and not view.system

    def attribute(self, name: str, value: Attribute) -> Json:
        """An attribute as it is shown; None where none of its instances is wanted."""
        simple = self._view.form is Form.SIMPLIFIED
        if not isinstance(value, list):
            if self._view.datasets and value.get("datasetId", "") not in self._view.datasets:
                return None
            return self._simple(name, value) if simple else self._instance(name, value)
        several = [one for one in value if not self._view.datasets or one.get("datasetId", "") in self._view.datasets]
        if len(several) < 2:
            return self.attribute(name, several[0]) if several else None
        if simple:
            return {"dataset": {one.get("datasetId", "@none"): self._simple(name, one) for one in several}}
        return [self._instance(name, one, alone=False) for one in several]

    def _instance(self, name: str, instance: dict[str, Json], *, alone: bool = True) -> Json:
        shown = self._members(self._said(instance), _Place(name, instance, ()))
        if self._graph is not None and (drawn := self._drawn(name, instance)):
            entities = [entity for _, entity in drawn if entity is not None]
            if instance["type"] == "ListRelationship":
                shown["entityList"] = entities
            elif entities:
                shown["entity"] = entities if isinstance(instance["object"], list) else entities[0]
        if self._view.system:
            created, modified = stamp_of(self._stored, name, instance)
            shown["createdAt"], shown["modifiedAt"] = _time(created), _time(modified)
        return _concise(shown, alone=alone) if self._view.form is Form.CONCISE else shown

    def _drawn(self, name: str, instance: dict[str, Json]) -> list[tuple[str, dict[str, Json] | None]]:
        """What an instance points at, each with its linked entity where there is one to show; empty where none is."""
        graph = self._graph
        assert graph is not None
        drawn: list[tuple[str, dict[str, Json] | None]] = []
        for target in _pointed(instance):
            found = graph.draw(target)
            view = self._view.behind(name)
            drawn.append((target, render(found, view, self._names, graph.beyond(target)) if found else None))
        return drawn if any(entity is not None for _, entity in drawn) else []

    def _said(self, instance: dict[str, Json]) -> dict[str, Json]:
        """A LanguageProperty in the language asked for (clause 4.15), else the instance as it is."""
        if not self._view.lang or instance["type"] != "LanguageProperty":
            return instance
        lang, text = chosen(instance["languageMap"], self._view.lang)
        rest = {key: value for key, value in instance.items() if key not in ("type", "languageMap")}
        return {"type": "Property", "value": text, "lang": lang} | rest

    def _members(self, instance: dict[str, Json], place: _Place) -> dict[str, Json]:
        if self._as_kept:
            return dict(instance)
        value_member = VALUE_MEMBER.get(instance["type"], "value")
        shown: dict[str, Json] = {}
        for member, value in instance.items():
            if member == value_member:
                shown[member] = self._value(instance["type"], value)
            elif member in _REFERENCES or member == "vocab":
                shown[member] = self._words(value)
            elif member == _PROOF:
                shown[member] = value
            elif isinstance(value, dict):
                shown[self._names.term(member)] = self._sub(value, place.below(member, value))
            elif isinstance(value, list):
                below = [self._sub(one, place.below(member, one), alone=False) for one in value]
                shown[self._names.term(member)] = below
            else:
                shown[member] = value
        return shown

    def _sub(self, value: dict[str, Json], place: _Place, *, alone: bool = True) -> Json:
        shown = self._members(self._said(value), place)
        if self._view.system:
            created, modified = sub_stamp(self._stored, place.name, place.instance, place.path)
            shown["createdAt"], shown["modifiedAt"] = _time(created), _time(modified)
        return _concise(shown, alone=alone) if self._view.form is Form.CONCISE else shown

    def _value(self, kind: str, value: Json) -> Json:
        if kind == "VocabProperty":
            return self._words(value)
        if kind in ("Property", "ListProperty"):
            return self._translated(value)
        return value

    def _words(self, value: Json) -> Json:
        return [self._names.term(one) for one in value] if isinstance(value, list) else self._names.term(value)

    def _translated(self, value: Json) -> Json:
        """The reverse of what reading did to the member names of compound values."""
        if self._names.is_core:
            return value
        if isinstance(value, list):
            return [self._translated(one) for one in value]
        if not isinstance(value, dict):
            return value
        term = self._names.term
        return {
            (key if key[:1] == "@" else term(key)): (
                term(inner) if key in ("type", "@type") and isinstance(inner, str) else self._translated(inner)
            )
            for key, inner in value.items()
        }

    def _simple(self, name: str, instance: dict[str, Json]) -> Json:
        """The simplified value (clause 4.5.4)."""
        instance = self._said(instance)
        kind = instance["type"]
        if self._graph is not None and (drawn := self._drawn(name, instance)):
            values = [target if entity is None else entity for target, entity in drawn]
            return values[0] if isinstance(instance.get("object"), str) else values
        value = self._value(kind, instance[VALUE_MEMBER[kind]])
        if kind in ("LanguageProperty", "VocabProperty", "JsonProperty"):
            return {VALUE_MEMBER[kind]: value}
        if kind == "ListRelationship":
            return [one["object"] for one in value]
        return value


def _concise(shown: dict[str, Json], *, alone: bool) -> Json:
    """Clause 4.5.2.3: the kind goes where the value's member tells it; a Property of only a value is that value.

    Among several instances it stays an object: a list of bare values would be one Property's list.
    """
    kind = shown["type"]
    rest = {key: value for key, value in shown.items() if key != "type"}
    if alone and kind in ("Property", "GeoProperty") and set(rest) == {"value"}:
        value = rest["value"]
        if kind == "GeoProperty" or not isinstance(value, dict):
            return value
    return rest
