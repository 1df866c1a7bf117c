"""Finds addresses and names in the rows of the civic store: what was imported since the search index was built.

Looked up: the exact number on its street, then its neighbours, then streets spelled alike, then the names of
districts, buildings and labels. A wrong district lowers the score, it does not hide the place.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from madang.kernel.geometry import Point
from madang.places.address import Address, Kind, areas_conflict, areas_in, read, tidy
from madang.places.boundaries import DistrictIndex, index_of
from madang.places.candidate import Candidate
from madang.places.hangul import letters
from madang.places.layers import Layer, revisions
from madang.places.models import AddressPoint, BaseFeature

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.models import QuerySet

EXACT, SAME_MAIN, NEAR_NUMBER, STREET = 1.0, 0.9, 0.75, 0.6
STREET_ALONE = 0.5
NAME, DISTRICT = 0.65, 0.4
WRONG_DISTRICT = 0.75
"""What a contradicted 시군구 or 읍·면·동 leaves of a score."""
OTHER_LOT = 0.6
"""산 12 and 12 are different lots."""
ALIKE = 0.8
"""Two spellings less alike than this are different names (similarity of letters, 0 to 1)."""


@dataclass(frozen=True, slots=True)
class _Named:
    name: str
    spelled: str
    point: Point
    kind: str

    def candidate(self, likeness: float) -> Candidate:
        top = DISTRICT if self.kind == "district" else NAME
        return Candidate(self.name, self.point.lon, self.point.lat, top * likeness, self.kind)


@dataclass(frozen=True, slots=True)
class _Vocabulary:
    """The names of one city at one revision, ready for comparing."""

    revision: tuple[int, ...]
    streets: dict[str, str]
    names: list[_Named]


_vocabularies: dict[str, _Vocabulary] = {}
_lock = threading.Lock()


def search(authority: str, text: str) -> list[Candidate]:
    """Everything in the rows of a city that a text may mean, in no order."""
    address = read(text)
    vocabulary = _vocabulary(authority)
    asked = areas_in(text)
    found: list[Candidate] = []
    if address is not None:
        for street, likeness in _streets(address.street, vocabulary):
            found += (
                replace(candidate, score=candidate.score * likeness**2)
                for candidate in _on_street(authority, replace(address, street=street))
            )
    else:
        for area in (word for word in asked if word in vocabulary.streets):
            found += _on_street(authority, Address(Kind.LOT, (), area))
    found += _by_name(text, vocabulary)
    districts = index_of(authority)
    return [_in_district(districts, candidate, asked) for candidate in found]


def _on_street(authority: str, address: Address) -> Iterator[Candidate]:
    points = AddressPoint.objects.filter(authority_id=authority, street=address.street, kind=address.kind.value)
    if not address.main:
        yield from _middle(address, points, STREET)
        return
    near = list(
        points.filter(main_number__range=(address.main - 40, address.main + 40)).values_list(
            "address", "area", "main_number", "sub_number", "hill", "lon", "lat"
        )[:2000]
    )
    if not near:
        yield from _middle(address, points, STREET_ALONE)
    near.sort(key=lambda row: (row[4] != address.hill, abs(row[2] - address.main), abs(row[3] - address.sub)))
    for label, area, main, sub, hill, lon, lat in near[:8]:
        score = _score(address, main, sub) * (1.0 if hill == address.hill else OTHER_LOT)
        if areas_conflict(address.areas, tuple(area.split())):
            score *= WRONG_DISTRICT
        shown = label if score > NEAR_NUMBER else f"{label} 부근"
        yield Candidate(shown, lon, lat, score, "address")


def _score(address: Address, main: int, sub: int) -> float:
    if main == address.main:
        return EXACT if sub == address.sub else SAME_MAIN
    return max(0.3, NEAR_NUMBER - abs(main - address.main) / 100)


def _middle(address: Address, points: QuerySet[AddressPoint], score: float) -> Iterator[Candidate]:
    """Somewhere in the middle of a street or 동 whose number was not said, or is nowhere near one that is known."""
    spots = sorted(points.values_list("lon", "lat")[:2000])
    if spots:
        lon, lat = spots[len(spots) // 2]
        kind = "street" if address.kind is Kind.ROAD else "district"
        yield Candidate(address.street, lon, lat, score if kind == "street" else DISTRICT, kind)


def _streets(street: str, vocabulary: _Vocabulary) -> list[tuple[str, float]]:
    """The street itself, or when nobody knows it the few spelled most alike, with how alike they are."""
    if street in vocabulary.streets:
        return [(street, 1.0)]
    from rapidfuzz import fuzz, process

    alike = process.extract(letters(street), vocabulary.streets, scorer=fuzz.ratio, limit=3, score_cutoff=ALIKE * 100)
    return [(name, score / 100) for _, score, name in alike]


def _by_name(text: str, vocabulary: _Vocabulary) -> Iterator[Candidate]:
    """Places whose name is in the text ("시청 앞"), or is spelled much like it."""
    from rapidfuzz import fuzz, process

    plain = letters(tidy(text).replace(" ", ""))
    if len(plain) < 2:
        return
    for named in vocabulary.names:
        if named.spelled in plain:
            yield named.candidate(1.0)
    spelled = [named.spelled for named in vocabulary.names]
    for _, score, at in process.extract(plain, spelled, scorer=fuzz.ratio, limit=3, score_cutoff=ALIKE * 100):
        yield vocabulary.names[at].candidate((score / 100) ** 2)


def _in_district(index: DistrictIndex, candidate: Candidate, asked: tuple[str, ...]) -> Candidate:
    """Lowers the score of a place that lies in another 읍·면·동 than the text says."""
    if candidate.kind == "district" or not asked:
        return candidate
    named = index.names.intersection(asked)
    district = index.district_of(Point(candidate.lon, candidate.lat)) if named else None
    if district is None or district.name_ko in named:
        return candidate
    return replace(candidate, score=candidate.score * WRONG_DISTRICT)


def _vocabulary(authority: str) -> _Vocabulary:
    revision = tuple(revisions(authority)[layer] for layer in Layer)
    known = _vocabularies.get(authority)
    if known is not None and known.revision == revision:
        return known
    streets = AddressPoint.objects.filter(authority_id=authority).values_list("street", flat=True).distinct()
    fresh = _Vocabulary(revision, {name: letters(name) for name in streets}, _names(authority))
    with _lock:
        _vocabularies[authority] = fresh
    return fresh


def _names(authority: str) -> list[_Named]:
    features = BaseFeature.objects.filter(authority_id=authority).exclude(name="").exclude(kind="road")
    rows = features.values_list("name", "west", "south", "east", "north")
    found = [
        _named(name, Point((west + east) / 2, (south + north) / 2), "name") for name, west, south, east, north in rows
    ]
    index = index_of(authority)
    districts = (
        [_named(district.name_ko, point, "district") for district, point in index.centres()] if len(index) else []
    )
    return [named for named in (*found, *districts) if len(named.name) >= 2]


def _named(name: str, point: Point, kind: str) -> _Named:
    return _Named(name, letters(name.replace(" ", "")), point, kind)
