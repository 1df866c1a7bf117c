"""What rules look at: one thing that was seen, whichever feed it came by. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from madang.kernel.geometry import judge

NOTHING: Mapping[str, Any] = {}  # Any: JSON values
READING = "reading"
SIGNAL = "signal"
HEAD = frozenset({"id", "type", "scope", "expiresAt"})
_MEMBERS = ("value", "object", "languageMap", "vocab", "valueList", "objectList", "json")


@dataclass(slots=True)
class Fact:
    """One reading or signal. Times are seconds since 1970: when it was seen, and when we received it.

    `name` is a signal's class, or `Type/attribute` of a reading; `attributes` are the entity's or the signal's.
    """

    kind: str
    name: str
    device: str
    at: float
    received: float
    mode: str
    source: str = ""
    value: Any = None  # Any: a JSON value
    lon: float | None = None
    lat: float | None = None
    accuracy_m: float = 0.0
    attributes: Mapping[str, Any] = field(default_factory=dict)  # Any: JSON values
    priority: int | None = None
    confidence: float | None = None
    ref: str = ""

    @property
    def number(self) -> float | None:
        """The value, where it is a finite number; true and false count as 1 and 0."""
        value = self.value
        if isinstance(value, int | float) and math.isfinite(value):
            return float(value)
        return None


@dataclass(frozen=True, slots=True)
class World:
    """What conditions ask beyond the fact itself."""

    district_of: Callable[[float, float], tuple[str, str]] = lambda _lon, _lat: ("", "")
    """Code and Korean name of the district of a place; empty where it lies in none that is known."""
    is_near: Callable[[Fact, float, frozenset[str]], bool] = lambda _fact, _radius_m, _classes: False
    """Whether an open incident of these classes (any, where none is named) stands within so many metres."""


def plain_value(attribute: Any) -> Any:  # Any: an attribute in kept form, and its value
    """The value of an attribute as the hub keeps it; of several instances the one without a datasetId."""
    if isinstance(attribute, list):
        attribute = next((one for one in attribute if isinstance(one, dict) and "datasetId" not in one), None)
    if not isinstance(attribute, dict):
        return None
    for member in _MEMBERS:
        if member in attribute:
            value = attribute[member]
            return value.get("@value", value) if isinstance(value, dict) and "@value" in value else value
    return None


def observed_text(attribute: Any) -> str | None:  # Any: an attribute in kept form
    """The `observedAt` of an attribute's default instance."""
    if isinstance(attribute, list):
        attribute = next((one for one in attribute if isinstance(one, dict) and "datasetId" not in one), None)
    return attribute.get("observedAt") if isinstance(attribute, dict) else None


def place_of(attributes: Mapping[str, Any]) -> tuple[float, float] | None:  # Any: plain values
    """The point of a `location`; None for other shapes, for none, and for one that is not in Korea."""
    location = attributes.get("location")
    if not isinstance(location, dict) or location.get("type") != "Point":
        return None
    try:
        lon, lat = (float(each) for each in location["coordinates"][:2])
    except (KeyError, TypeError, ValueError):
        return None
    return (lon, lat) if judge(lon, lat) is None else None


def believable(lon: float | None, lat: float | None) -> bool:
    """Whether a pair of coordinates can be used."""
    return judge(lon, lat) is None
