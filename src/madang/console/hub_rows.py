"""The hub's entities as the data hub's screen shows them. Pure: kept form in, JSON-ready rows out.

Names stay as the hub keeps them (core terms, else full addresses); the screen shortens them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from madang.hub.changes import Stored, stamp_of
from madang.hub.contexts.context import CORE_CONTEXT
from madang.hub.entity import VALUE_MEMBER
from madang.hub.render import View, render
from madang.kernel.clock import instant_text

Json = dict[str, Any]  # Any: JSON values
SHOWN_IN_A_ROW = 4
MOST_TEXT = 200
_HEAD = ("id", "type", "scope")
_TITLES = ("name", "title", "description", "number", "alternateName")
_DULL = frozenset({*_TITLES, "location", "version"})
_KINDS = frozenset(VALUE_MEMBER)
_OURS = frozenset({"type", "unitCode", "observedAt", "datasetId", "createdAt", "modifiedAt", "expiresAt"})


def instant_of(ms: int) -> str:
    """An instant of the store (ms since 1970) as the screens read it."""
    return instant_text(datetime.fromtimestamp(ms / 1000, UTC))


def entity_row(stored: Stored) -> Json:
    """One line of a list: what it is called, how fresh it is, and its first values."""
    attributes = {name: first_of(value) for name, value in stored.attributes().items()}
    observed = [one["observedAt"] for one in attributes.values() if isinstance(one.get("observedAt"), str)]
    told = [name for name in attributes if name not in _DULL and attributes[name].get("type") in _TOLD]
    return {
        "id": stored.id,
        "types": list(stored.types),
        "title": _title(attributes),
        "modified_at": instant_of(stored.modified_ms),
        "observed_at": max(observed, default=None),
        "attributes": len(attributes),
        "values": [{"name": name, **_short(attributes[name])} for name in told[:SHOWN_IN_A_ROW]],
    }


_TOLD = frozenset({"Property", "LanguageProperty", "VocabProperty", "Relationship"})


def first_of(value: Any) -> Json:  # Any: one instance or several
    """An attribute's default instance, else its first."""
    if isinstance(value, list):
        return next((one for one in value if "datasetId" not in one), value[0] if value else {})
    return value if isinstance(value, dict) else {}


def _title(attributes: Mapping[str, Json]) -> str:
    for name in _TITLES:
        value = attributes.get(name, {})
        said = value.get("value", value.get("languageMap"))
        if isinstance(said, Mapping):
            said = said.get("ko") or said.get("en") or next(iter(said.values()), "")
        if isinstance(said, str | int) and said != "":
            return str(said)[:MOST_TEXT]
    return ""


def _short(instance: Json) -> Json:
    value = instance.get(VALUE_MEMBER.get(str(instance.get("type")), "value"))
    if isinstance(value, str):
        value = value[:MOST_TEXT]
    elif isinstance(value, Mapping) and isinstance(value.get("@value"), str):
        value = {"@type": value.get("@type"), "@value": value["@value"][:MOST_TEXT]}
    elif isinstance(value, Mapping):
        value = str(value.get("ko") or value.get("en") or "{…}")[:MOST_TEXT]
    elif isinstance(value, list):
        value = f"[{len(value)}]"
    kind = "Property" if instance.get("type") == "LanguageProperty" else instance.get("type")
    return {"kind": kind, "value": value, "unit": instance.get("unitCode")}


def entity_detail(stored: Stored) -> Json:
    """One whole entity: its attributes by instance, its times, its place, and itself as normalized JSON."""
    whole = render(stored, View(system=True), CORE_CONTEXT)
    attributes = stored.attributes()
    return {
        "id": stored.id,
        "types": list(stored.types),
        "title": _title({name: first_of(value) for name, value in attributes.items()}),
        "scope": stored.document().get("scope"),
        "created_at": instant_of(stored.created_ms),
        "modified_at": instant_of(stored.modified_ms),
        "expires_at": None if stored.expires_ms is None else instant_of(stored.expires_ms),
        "version": stored.version,
        "attributes": [attribute_rows(stored, name, value) for name, value in attributes.items()],
        "places": list(places_of(attributes)),
        "raw": whole,
    }


def attribute_rows(stored: Stored, name: str, value: Any) -> Json:  # Any: one instance or several
    """An attribute with each of its instances."""
    instances = value if isinstance(value, list) else [value]
    return {"name": name, "instances": [_instance(stored, name, one) for one in instances]}


def _instance(stored: Stored, name: str, instance: Json) -> Json:
    created, modified = stamp_of(stored, name, instance)
    return {**_members(instance), "created_at": instant_of(created), "modified_at": instant_of(modified)}


def _members(instance: Json) -> Json:
    kind = str(instance.get("type", "Property"))
    member = VALUE_MEMBER.get(kind, "value")
    more = {key: value for key, value in instance.items() if key not in _OURS and key != member}
    return {
        "kind": kind,
        "value": instance.get(member),
        "unit": instance.get("unitCode"),
        "observed_at": instance.get("observedAt"),
        "expires_at": instance.get("expiresAt"),
        "dataset_id": instance.get("datasetId"),
        "subs": [
            {"name": key, **_members(one)}
            for key, value in more.items()
            for one in (value if isinstance(value, list) else [value])
            if isinstance(one, dict) and one.get("type") in _KINDS
        ],
        "members": {key: value for key, value in more.items() if not _is_attribute(value)},
    }


def _is_attribute(value: Any) -> bool:  # Any: JSON
    first = value[0] if isinstance(value, list) and value else value
    return isinstance(first, dict) and first.get("type") in _KINDS


def places_of(attributes: Mapping[str, Any]) -> Iterator[Json]:  # Any: one instance or several
    """Every geometry of an entity, `location` first."""
    for name in sorted(attributes, key=lambda one: one != "location"):
        value = attributes[name]
        for one in value if isinstance(value, list) else [value]:
            if one.get("type") == "GeoProperty":
                yield {"attribute": name, "geometry": one["value"]}


def printable(raw: bytes, most: int = 160) -> str:
    """The first bytes of an input, safe to show: what is not plain text stands as its escape."""
    text = raw[:most].decode("utf-8", "backslashreplace")
    shown = "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)
    return shown + ("…" if len(raw) > most else "")
