"""Entities for clients of an older version of the specification (clause 4.3.6.8). Pure."""

from __future__ import annotations

import re
from typing import Any

Json = Any  # Any: an entity in kept form
Version = tuple[int, int]

CURRENT: Version = (1, 9)
_WISH = re.compile(r"(?:^|[,;\s])ngsi-ld\s*=\s*\"?(\d{1,3})\.(\d{1,3})(?:\.\d{1,3})?\"?\s*(?:$|[,;])", re.IGNORECASE)
_AS_PROPERTY = {
    "LanguageProperty": ((1, 4), "languageMap"),
    "JsonProperty": ((1, 8), "json"),
    "VocabProperty": ((1, 8), "vocab"),
    "ListProperty": ((1, 8), "valueList"),
}
_SINCE = {
    "datasetId": (1, 3),
    "observedAt": (1, 3),
    "unitCode": (1, 3),
    "objectType": (1, 8),
    "valueType": (1, 9),
    "expiresAt": (1, 9),
    "ngsildproof": (1, 9),
}


def wished(prefer: str) -> Version | None:
    """The version a Prefer header asks for, at most the present one; None where it asks for none."""
    found = _WISH.search(prefer)
    return None if found is None else min((int(found[1]), int(found[2])), CURRENT)


def older(document: dict[str, Json], version: Version) -> dict[str, Json]:
    """The entity as that version knows entities; the very same object where nothing had to change."""
    shown: dict[str, Json] = {}
    for name, value in document.items():
        if name == "id":
            shown[name] = value
        elif name == "type":
            shown[name] = value[0] if isinstance(value, list) and version < (1, 3) else value
        elif name == "scope":
            if version >= (1, 4):
                shown[name] = value
        elif name == "expiresAt":
            if version >= _SINCE[name]:
                shown[name] = value
        else:
            shown[name] = _attribute(value, version)
    return document if shown == document else shown


def _attribute(value: Json, version: Version) -> Json:
    if not isinstance(value, list):
        return _instance(value, version)
    if version >= (1, 3):
        return [_instance(one, version) for one in value]
    default = next((one for one in value if "datasetId" not in one), value[0])
    return _instance(default, version)


def _instance(instance: dict[str, Json], version: Version) -> dict[str, Json]:
    kind = instance["type"]
    since, member = _AS_PROPERTY.get(kind, ((1, 0), ""))
    shown: dict[str, Json] = {}
    for name, value in instance.items():
        if version < _SINCE.get(name, (1, 0)):
            continue
        if name == "type":
            shown[name] = "Property" if version < since else value
        elif name == member and version < since:
            shown["value"] = value
        elif kind == "ListRelationship" and name == "objectList" and version < (1, 8):
            shown["type"], shown["object"] = "Relationship", [one["object"] for one in value]
        elif name not in _VALUES and isinstance(value, dict) and "type" in value:
            shown[name] = _instance(value, version)
        elif name not in _VALUES and isinstance(value, list):
            shown[name] = _attribute(value, version)
        else:
            shown[name] = value
    return shown


_VALUES = frozenset({"value", "object", "languageMap", "json", "vocab", "valueList", "objectList", "ngsildproof"}) | {
    "objectType",
    "valueType",
}
