"""Places for the screens: the tiles of the base map, and a point in words."""

from __future__ import annotations

from typing import TypedDict

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from ninja import Router

from madang.console import tiles
from madang.console.seat import SeatedRequest, demand
from madang.identity.rights import Right
from madang.kernel.errors import BadRequestError
from madang.kernel.geometry import Point
from madang.places import files, reverse
from madang.places.files import Part
from madang.places.tiles import MIN_ZOOM

router = Router(tags=["places"])


class GroundRow(TypedDict):
    """Where the base map's tiles are; `tiles` null where the map is to be drawn from `/basemap`."""

    tiles: str | None
    min_zoom: int
    made_at: str | None


class LandmarkRow(TypedDict):
    name: str
    distance_m: float
    ko: str
    en: str


class RoadRow(TypedDict):
    name: str
    number: str
    distance_m: float
    side_ko: str
    side_en: str


class DescribedRow(TypedDict):
    """A point in words: in one line each language, and its parts."""

    ko: str
    en: str
    address: str
    district: str
    road: RoadRow | None
    landmarks: list[LandmarkRow]


@router.get("/ground")
def ground(request: SeatedRequest) -> GroundRow:
    """Where the base map's tiles are, if the city has some."""
    demand(request.auth, Right.VIEW_MAP)
    found = files.current(request.auth.authority, Part.TILES)
    return {
        "tiles": None if found is None else f"/api/console/tiles/{found.token}.pmtiles",
        "min_zoom": MIN_ZOOM,
        "made_at": None if found is None else found.made_at.isoformat(),
    }


@router.api_operation(["GET", "HEAD"], "/tiles/{token}.pmtiles")
def tile_file(request: HttpRequest, token: str) -> HttpResponseBase:
    """The tiles themselves, whole or in ranges."""
    seated: SeatedRequest = request  # type: ignore[assignment] # the router's auth seats every request
    demand(seated.auth, Right.VIEW_MAP)
    return tiles.answer(request, seated.auth.authority, token)


@router.get("/describe")
def describe(request: SeatedRequest, lon: float, lat: float) -> DescribedRow:
    """A point in words: road and number, 읍·면·동, landmarks."""
    demand(request.auth, Right.VIEW_MAP)
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        raise BadRequestError("lon and lat are no place on earth", where="lon", ko="위치가 올바르지 않습니다.")
    found = reverse.describe(request.auth.authority, Point(lon, lat))
    road = found.road
    return {
        "ko": found.ko,
        "en": found.en,
        "address": found.address,
        "district": found.district,
        "road": None
        if road is None
        else {
            "name": road.name,
            "number": road.number,
            "distance_m": round(road.distance_m, 1),
            "side_ko": road.side_ko,
            "side_en": road.side_en,
        },
        "landmarks": [
            {"name": one.name, "distance_m": round(one.distance_m, 1), "ko": one.ko, "en": one.en}
            for one in found.landmarks
        ],
    }
