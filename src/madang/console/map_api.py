"""The map: base map, cameras in view, 투망, and search."""

from __future__ import annotations

import math
from typing import Annotated, Any, TypedDict

import orjson
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from madang.console import basemap
from madang.console.config import console_config
from madang.console.projection import RankedRow, camera_row, incident_rows, ranked_rows, visible_incidents
from madang.console.screen import squeezed
from madang.console.seat import SeatedRequest, demand
from madang.identity.rights import Right
from madang.kernel.errors import BadRequestError, NotFoundError
from madang.kernel.geometry import Point
from madang.places import geocode
from madang.response.queries import JsonRow
from madang.video import queries as video_queries
from madang.video.ranking import CameraView

router = Router(tags=["map"])
COLUMNS = (
    "id",
    "lon",
    "lat",
    "azimuth_deg",
    "hfov_deg",
    "range_m",
    "health",
    "purpose",
    "ptz",
    "label",
    "site_id",
)
MOST_CAMERAS = 20_000
CELLS = 24


class FoundPlace(TypedDict):
    label: str
    lon: float
    lat: float
    score: float
    kind: str


def parse_box(text: str) -> video_queries.Box:
    """`w,s,e,n` in degrees; raises `BadRequestError` naming what is wrong."""
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        raise _bad_box(f"{text[:80]!r} is not four numbers") from None
    if not all(math.isfinite(value) for value in (west, south, east, north)):
        raise _bad_box("the numbers must be finite")
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise _bad_box("west must not exceed east, nor south north, within the world")
    return west, south, east, north


def _bad_box(why: str) -> BadRequestError:
    return BadRequestError(
        why, where="bbox", hint="Send bbox=west,south,east,north", ko="지도 범위가 올바르지 않습니다."
    )


def _spot(lon: float, lat: float) -> Point:
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        raise BadRequestError("lon and lat are no place on earth", where="lon", ko="위치가 올바르지 않습니다.")
    return Point(lon, lat)


def _json(request: HttpRequest, body: Any) -> HttpResponse:  # Any: a JSON value
    response = HttpResponse(orjson.dumps(body), content_type="application/json")
    response["Cache-Control"] = "no-store"
    return squeezed(request, response)


@router.get("/cameras")
def cameras(request: SeatedRequest, bbox: str, limit: Annotated[int, Query(ge=0, le=MOST_CAMERAS)] = 0) -> HttpResponse:
    """The cameras of a box as rows, or as clusters with their worst health when there are more than `limit`."""
    demand(request.auth, Right.VIEW_MAP)
    city, box = request.auth.authority, parse_box(bbox)
    most = limit or console_config().cameras_at_once
    found = video_queries.cameras_in(city, box, most)
    clusters = video_queries.clusters_in(city, box, CELLS) if found.clipped else []
    body = {
        "columns": COLUMNS,
        "rows": [] if found.clipped else [_columns(camera) for camera in found.cameras],
        "total": found.total,
        "clipped": found.clipped,
        "clusters": [
            {"lon": cluster.lon, "lat": cluster.lat, "count": cluster.count, "worst": cluster.worst}
            for cluster in clusters
        ],
    }
    return _json(request, body)


def _columns(camera: CameraView) -> list[object]:
    row: dict[str, object] = {**camera_row(camera)}
    return [row[name] for name in COLUMNS]


@router.get("/cameras/{camera_id}")
def camera(request: SeatedRequest, camera_id: str) -> JsonRow:
    """One camera."""
    demand(request.auth, Right.VIEW_MAP)
    found = video_queries.camera_view(request.auth.authority, camera_id)
    if found is None:
        raise NotFoundError("There is no such camera here", where="id", ko="카메라를 찾을 수 없습니다.")
    return {**camera_row(found), "kind": found.kind, "megapixels": found.megapixels}


@router.get("/near")
def near(request: SeatedRequest, lon: float, lat: float, k: Annotated[int, Query(ge=1, le=64)] = 12) -> list[RankedRow]:
    """투망: the cameras around a point, those that see it first."""
    demand(request.auth, Right.VIEW_MAP)
    return ranked_rows(video_queries.nearest(request.auth.authority, _spot(lon, lat), k))


@router.get("/search")
def search(request: SeatedRequest, q: Annotated[str, Query(max_length=200)]) -> JsonRow:
    """Cameras, incidents and places that a text may mean."""
    demand(request.auth, Right.VIEW_MAP)
    text = q.strip()
    if not text:
        return {"cameras": [], "incidents": [], "places": []}
    city = request.auth.authority
    named = Q(number__icontains=text) | Q(source_key__icontains=text) | Q(address__icontains=text)
    incidents = visible_incidents(request.auth.sight).filter(named).order_by("-opened_at")[:10]
    return {
        "cameras": [camera_row(camera) for camera in video_queries.search_cameras(city, text, 20)],
        "incidents": incident_rows(list(incidents)),
        "places": [_found(candidate) for candidate in geocode.candidates(city, text, 8)],
    }


def _found(candidate: geocode.Candidate) -> FoundPlace:
    return {
        "label": candidate.label,
        "lon": candidate.lon,
        "lat": candidate.lat,
        "score": candidate.score,
        "kind": candidate.kind,
    }


@router.get("/basemap")
def base(request: SeatedRequest) -> HttpResponse:
    """Boundaries, roads, buildings, water, parks and labels as GeoJSON; nothing comes from an outside server."""
    demand(request.auth, Right.VIEW_MAP)
    return basemap.answer(request, request.auth.authority)
