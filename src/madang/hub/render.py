"""Kept entities → what a client asked for: representation, projection, system attributes, names of its @context.

Pure. The common case (normalized, core names, everything) never comes here: the kept bytes are the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from madang.hub.changes import Stored, stamp_of
from madang.hub.contexts.context import Context
from madang.hub.entity import VALUE_MEMBER, Attribute, Json
from madang.kernel.clock import instant_text


class Form(StrEnum):
    """Representations of an entity (clauses 4.5.1, 4.5.17 and 4.5.4)."""

    NORMALIZED = "normalized"
    CONCISE = "concise"
    SIMPLIFIED = "simplified"


@dataclass(frozen=True, slots=True)
class View:
    """How entities are shown. Names are canonical; `only` empty means every attribute."""

    form: Form = Form.NORMALIZED
    system: bool = False
    only: frozenset[str] = frozenset()
    pick: frozenset[str] = frozenset()
    omit: frozenset[str] = frozenset()
    lang: str = ""

    @property
    def plain(self) -> bool:
        """Whether the kept form shows it already, but for names."""
        return self == _PLAIN


_PLAIN = View()
_REFERENCES = frozenset({"objectType", "valueType"})


def render(stored: Stored, view: View, names: Context) -> dict[str, Json]:
    """One entity as JSON-ready members, without @context."""
    shown: dict[str, Json] = {}
    painter = _Painter(stored, view, names)
    for name, value in stored.document().items():
        if not _wanted(name, view):
            continue
        if name == "id" or name == "scope":
            shown[name] = value
        elif name == "type":
            shown[name] = [names.term(one) for one in value] if isinstance(value, list) else names.term(value)
        else:
            shown[names.term(name)] = painter.attribute(name, value)
    if view.system:
        shown["createdAt"] = _time(stored.created_ms)
        shown["modifiedAt"] = _time(stored.modified_ms)
    return shown


def _wanted(name: str, view: View) -> bool:
    if view.pick and name not in view.pick:
        return False
    if name in view.omit:
        return False
    return not view.only or name in view.only or name in ("id", "type", "scope")


def _time(ms: int) -> str:
    return instant_text(datetime.fromtimestamp(ms / 1000, UTC))


class _Painter:
    def __init__(self, stored: Stored, view: View, names: Context) -> None:
        self._stored = stored
        self._view = view
        self._names = names

    def attribute(self, name: str, value: Attribute) -> Json:
        if isinstance(value, list):
            if self._view.form is Form.SIMPLIFIED:
                return {"dataset": {one.get("datasetId", "@none"): self._simple(one) for one in value}}
            return [self._instance(name, one) for one in value]
        return self._simple(value) if self._view.form is Form.SIMPLIFIED else self._instance(name, value)

    def _instance(self, name: str, instance: dict[str, Json]) -> Json:
        shown = self._members(self._said(instance))
        if self._view.system:
            created, modified = stamp_of(self._stored, name, instance)
            shown["createdAt"], shown["modifiedAt"] = _time(created), _time(modified)
        return _concise(shown) if self._view.form is Form.CONCISE else shown

    def _said(self, instance: dict[str, Json]) -> dict[str, Json]:
        """A LanguageProperty in the language asked for (clause 4.15), else the instance as it is."""
        if not self._view.lang or instance["type"] != "LanguageProperty":
            return instance
        lang, text = _in_language(instance["languageMap"], self._view.lang)
        rest = {key: value for key, value in instance.items() if key not in ("type", "languageMap")}
        return {"type": "Property", "value": text, "lang": lang} | rest

    def _members(self, instance: dict[str, Json]) -> dict[str, Json]:
        if self._names.is_core and self._view.form is Form.NORMALIZED:
            return dict(instance)
        value_member = VALUE_MEMBER.get(instance["type"], "value")
        shown: dict[str, Json] = {}
        for member, value in instance.items():
            if member == value_member:
                shown[member] = self._value(instance["type"], value)
            elif member in _REFERENCES or member == "vocab":
                shown[member] = self._words(value)
            elif isinstance(value, dict):
                shown[self._names.term(member)] = self._sub(value)
            elif isinstance(value, list):
                shown[self._names.term(member)] = [self._sub(one) for one in value]
            else:
                shown[member] = value
        return shown

    def _sub(self, value: dict[str, Json]) -> Json:
        shown = self._members(self._said(value))
        return _concise(shown) if self._view.form is Form.CONCISE else shown

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

    def _simple(self, instance: dict[str, Json]) -> Json:
        """The simplified value (clause 4.5.4)."""
        instance = self._said(instance)
        kind = instance["type"]
        value = self._value(kind, instance[VALUE_MEMBER[kind]])
        if kind in ("LanguageProperty", "VocabProperty", "JsonProperty"):
            return {VALUE_MEMBER[kind]: value}
        if kind == "ListRelationship":
            return [one["object"] for one in value]
        return value


def _concise(shown: dict[str, Json]) -> Json:
    """Clause 4.5.17: the kind goes where the value's member tells it; a Property of only a value is that value."""
    kind = shown["type"]
    rest = {key: value for key, value in shown.items() if key != "type"}
    if kind in ("Property", "GeoProperty") and set(rest) == {"value"}:
        value = rest["value"]
        if kind == "GeoProperty" or not isinstance(value, dict):
            return value
    return rest


def _in_language(texts: dict[str, Json], wanted: str) -> tuple[str, Json]:
    """The best text for an Accept-Language-like wish; any, when none fits."""
    for one in wanted.split(","):
        tag = one.partition(";")[0].strip()
        for lang in texts:
            if lang.lower() == tag.lower() or lang.lower().partition("-")[0] == tag.lower().partition("-")[0]:
                return lang, texts[lang]
    first = "@none" if "@none" in texts else next(iter(texts))
    return first, texts[first]
