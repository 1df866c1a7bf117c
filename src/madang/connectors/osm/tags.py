"""What an OpenStreetMap object is on our map, by its tags: kind, class and how early it is seen."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from madang.places.models import BaseKind

Tags = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Meaning:
    """A kind, a class within it, and a rank: 0 is seen from afar."""

    kind: BaseKind
    cls: str
    rank: int


_ROADS = {
    "motorway": ("motorway", 0),
    "trunk": ("trunk", 0),
    "primary": ("primary", 0),
    "secondary": ("secondary", 1),
    "tertiary": ("tertiary", 2),
    "residential": ("street", 3),
    "unclassified": ("street", 3),
    "living_street": ("street", 3),
    "road": ("street", 3),
    "service": ("service", 4),
    "track": ("service", 4),
    "pedestrian": ("path", 4),
    "footway": ("path", 4),
    "path": ("path", 4),
    "steps": ("path", 4),
    "cycleway": ("path", 4),
}
_RAILS = frozenset({"rail", "light_rail", "subway", "narrow_gauge", "monorail"})
_GREENS = {
    ("leisure", "park"): "park",
    ("leisure", "garden"): "park",
    ("leisure", "nature_reserve"): "wood",
    ("leisure", "golf_course"): "grass",
    ("leisure", "pitch"): "pitch",
    ("landuse", "forest"): "wood",
    ("landuse", "grass"): "grass",
    ("landuse", "meadow"): "grass",
    ("landuse", "recreation_ground"): "park",
    ("landuse", "village_green"): "park",
    ("landuse", "cemetery"): "grass",
    ("natural", "wood"): "wood",
    ("natural", "scrub"): "wood",
    ("natural", "grassland"): "grass",
}
_WATERS = {("natural", "water"), ("waterway", "riverbank"), ("landuse", "reservoir"), ("landuse", "basin")}
_PLACES = {"city": 0, "town": 0, "borough": 0, "suburb": 1, "quarter": 1, "village": 1, "neighbourhood": 2, "hamlet": 2}
_WELL_KNOWN = frozenset(
    {
        *("townhall", "hospital", "university", "college", "police", "fire_station", "courthouse", "bus_station"),
        *("school", "marketplace", "community_centre", "library", "theatre", "station", "museum", "stadium"),
    }
)
_NAMED = ("amenity", "railway", "public_transport", "tourism", "historic", "leisure", "office", "shop", "man_made")
LARGE_BUILDING_M2 = 1_500.0
WIDE_M2, BROAD_M2 = 300_000.0, 20_000.0
KEYS = (
    *("highway", "railway", "building", "natural", "waterway", "landuse", "leisure", "place"),
    *("amenity", "public_transport", "tourism", "historic", "office", "shop", "man_made"),
)
"""The keys by which an object may be of interest."""


def line(tags: Tags) -> Meaning | None:
    """What an open way is."""
    highway = tags.get("highway", "")
    known = _ROADS.get(highway.removesuffix("_link"))
    if known is not None and tags.get("area") != "yes":
        return Meaning(BaseKind.ROAD, known[0], min(4, known[1] + (1 if highway.endswith("_link") else 0)))
    if tags.get("railway") in _RAILS:
        return Meaning(BaseKind.ROAD, "rail", 2 if tags.get("tunnel", "no") == "no" else 4)
    if tags.get("waterway") in ("river", "canal"):
        return Meaning(BaseKind.WATER, "river", 1)
    if tags.get("waterway") in ("stream", "ditch", "drain"):
        return Meaning(BaseKind.WATER, "stream", 2)
    return None


def area(tags: Tags, m2: float) -> Meaning | None:
    """What an area of so many square metres is."""
    if tags.get("building", "no") != "no":
        return Meaning(BaseKind.BUILDING, "building", 1 if m2 >= LARGE_BUILDING_M2 else 2)
    size = 0 if m2 >= WIDE_M2 else 1 if m2 >= BROAD_M2 else 2
    if any(tags.get(key) == value for key, value in _WATERS):
        return Meaning(BaseKind.WATER, "water", size)
    for (key, value), cls in _GREENS.items():
        if tags.get(key) == value:
            return Meaning(BaseKind.PARK, cls, size)
    return None


def label(tags: Tags) -> Meaning | None:
    """What a named point is, or the middle of a named area."""
    if not name_of(tags):
        return None
    place = tags.get("place", "")
    if place in _PLACES:
        return Meaning(BaseKind.LABEL, "place", _PLACES[place])
    for key in _NAMED:
        value = tags.get(key)
        if value and value != "no":
            known = value in _WELL_KNOWN
            return Meaning(BaseKind.LABEL, value if known else key, 1 if known else 3)
    return None


def name_of(tags: Tags) -> str:
    """The Korean name, composed and without control letters."""
    return _tidy(tags.get("name:ko") or tags.get("name") or "")


def name_en_of(tags: Tags) -> str:
    """The English name, if there is one."""
    return _tidy(tags.get("name:en") or "")


def _tidy(text: str) -> str:
    composed = unicodedata.normalize("NFC", text[:400])
    return " ".join("".join(one for one in composed if one.isprintable()).split())[:120]


_METRES = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*m?\s*$")
METRES_PER_LEVEL = 3.0
TALLEST_M = 700.0


def height_of(tags: Tags) -> float:
    """How high a building is, metres; 0 where nothing is said."""
    said = _METRES.match(tags.get("height", "")) or _METRES.match(tags.get("building:height", ""))
    if said is not None:
        return min(float(said[1]), TALLEST_M)
    levels = _METRES.match(tags.get("building:levels", ""))
    return min(float(levels[1]) * METRES_PER_LEVEL, TALLEST_M) if levels is not None else 0.0
