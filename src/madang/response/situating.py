"""From a place as somebody said it to what the city's maps make of it."""

from __future__ import annotations

from dataclasses import replace

from madang.kernel.geometry import Point
from madang.places import boundaries, geocode, reverse
from madang.places.address import areas_in
from madang.response.domain import Candidate, Doubt, Known, Place, SaidPlace, believable_point, settle
from madang.response.tasks import response_config


def situate(authority: str, said: SaidPlace) -> tuple[Place, tuple[Doubt, ...]]:
    """What to believe of `said` in that city. Never refuses."""
    config = response_config()
    point, _, _ = believable_point(said)
    known = Known(
        contained=boundaries.contains(authority, point) if point is not None else None,
        district=_district(authority, point),
        candidates=_candidates(authority, said.address, config.candidates),
        address_district=_named_district(authority, said.address),
    )
    place, doubts = settle(said, known, approximate_above_m=config.approximate_above_m, sure=config.geocode_sure)
    district = place.district or _district(authority, place.point)
    return replace(place, district=district, address=place.address or in_words(authority, place.point)), doubts


def situate_point(authority: str, point: Point) -> tuple[bool | None, str]:
    """Whether a point lies in the city (None: no boundary known), and the name of its district."""
    return boundaries.contains(authority, point), _district(authority, point)


def in_words(authority: str, point: Point | None) -> str:
    """Where a point is, as one would say it: its address, else its road and what stands near; empty without a point."""
    if point is None:
        return ""
    found = reverse.describe(authority, point)
    return found.address or found.ko


def _district(authority: str, point: Point | None) -> str:
    if point is None:
        return ""
    found = boundaries.district_of(authority, point)
    return "" if found is None else found.name_ko


def _candidates(authority: str, address: str, limit: int) -> tuple[Candidate, ...]:
    if not address.strip():
        return ()
    found = geocode.candidates(authority, address, limit=limit)
    return tuple(Candidate(one.label, one.lon, one.lat, one.score, one.kind) for one in found)


def _named_district(authority: str, address: str) -> str:
    """The district the address names, if it names exactly one that the city has."""
    named = boundaries.index_of(authority).names.intersection(areas_in(address)) if address.strip() else frozenset()
    return next(iter(named)) if len(named) == 1 else ""
