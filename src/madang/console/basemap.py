"""The base map of a city as one compressed answer, built once per revision."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterable
from dataclasses import dataclass

import orjson
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified

from madang.places.layers import Layer, revisions
from madang.places.models import BaseFeature, BaseKind, Boundary

CITIES_KEPT = 4
_LAYERS: dict[str, tuple[str, ...]] = {
    "roads": (BaseKind.ROAD.value,),
    "buildings": (BaseKind.BUILDING.value,),
    "water": (BaseKind.WATER.value,),
    "parks": (BaseKind.PARK.value,),
    "labels": (BaseKind.LABEL.value,),
}


@dataclass(frozen=True, slots=True)
class BaseMap:
    """GeoJSON collections by layer, gzipped; `etag` names exactly these bytes."""

    etag: str
    compressed: bytes


_kept: dict[str, BaseMap] = {}
_building = threading.Lock()


def basemap_of(authority: str) -> BaseMap:
    """The city's base map as it is now; one thread builds it while others wait."""
    etag = etag_of(authority)
    with _building:
        known = _kept.pop(authority, None)
        if known is None or known.etag != etag:
            known = BaseMap(etag, gzip.compress(_body(authority, etag), 6))
        _kept[authority] = known
        for surplus in list(_kept)[:-CITIES_KEPT]:
            del _kept[surplus]
    return known


def etag_of(authority: str) -> str:
    """Changes exactly when boundaries or base map do."""
    now = revisions(authority)
    return f'"{authority}-{now[Layer.BOUNDARIES]}-{now[Layer.BASEMAP]}"'


def _body(authority: str, etag: str) -> bytes:
    rows = Boundary.objects.filter(authority=authority).values_list("code", "level", "name_ko", "name_en", "geometry")
    boundaries = _collection(
        ({"code": code, "level": level, "name": ko, "name_en": en}, shape)
        for code, level, ko, en, shape in rows.iterator()
    )
    layers = {name: _layer(authority, kinds) for name, kinds in _LAYERS.items()}
    members = {"boundaries": boundaries, **layers, "rev": orjson.dumps(etag.strip('"'))}
    return b"{" + b",".join(b'"' + name.encode() + b'":' + body for name, body in members.items()) + b"}"


def _layer(authority: str, kinds: tuple[str, ...]) -> bytes:
    rows = BaseFeature.objects.filter(authority=authority, kind__in=kinds).order_by("rank")
    return _collection(
        ({"name": name, "rank": rank}, shape)
        for name, rank, shape in rows.values_list("name", "rank", "geometry").iterator()
    )


def _collection(features: Iterable[tuple[dict[str, object], str]]) -> bytes:
    """A FeatureCollection; geometries are stored as GeoJSON text already checked, and are not read again."""
    parts = (
        b'{"type":"Feature","properties":' + orjson.dumps(properties) + b',"geometry":' + shape.encode() + b"}"
        for properties, shape in features
    )
    return b'{"type":"FeatureCollection","features":[' + b",".join(parts) + b"]}"


def answer(request: HttpRequest, authority: str) -> HttpResponse:
    """200 with the map, 304 when the browser has it; gzipped unless the client cannot."""
    if request.headers.get("If-None-Match") == etag_of(authority):
        response: HttpResponse = HttpResponseNotModified()
        response["ETag"] = etag_of(authority)
        return response
    found = basemap_of(authority)
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        response = HttpResponse(found.compressed, content_type="application/json")
        response["Content-Encoding"] = "gzip"
    else:
        response = HttpResponse(gzip.decompress(found.compressed), content_type="application/json")
    response["ETag"] = found.etag
    response["Cache-Control"] = "private, no-cache"
    response["Vary"] = "Accept-Encoding, Cookie"
    return response
