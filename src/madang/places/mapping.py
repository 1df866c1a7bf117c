"""Builds what a city's map is made of: the ground file and its tiles, out of features that an importer reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import islice

from madang.journal import civic
from madang.places import files, imports, tiles
from madang.places.files import Part
from madang.places.ground import Ground, GroundWriter, MapFeature
from madang.places.layers import Layer, bump, revisions
from madang.places.models import BaseFeature, BaseKind

AT_ONCE = 5_000
ROWS, OSM = "rows", "osm"
Told = Callable[[int, int], None]


def publish_ground(authority: str, features: Iterable[MapFeature], source: str, now: datetime) -> dict[str, int]:
    """Writes the ground of a city and puts it in place; returns how many features there are of each kind."""
    waiting = iter(features)
    with files.building(authority, Part.GROUND) as path:
        writer = GroundWriter(path)
        while part := list(islice(waiting, AT_ONCE)):
            writer.put(part)
        counts = writer.finish()
        if counts:
            with civic.transaction() as tx:
                files.publish(tx, authority, Part.GROUND, path, source, now)
    return counts


def publish_tiles(authority: str, now: datetime, told: Told = lambda _done, _all: None) -> dict[str, int]:
    """Draws the tiles of the city's present ground and puts them in place."""
    published = files.current(authority, Part.GROUND)
    if published is None:
        return {}
    boundaries = revisions(authority)[Layer.BOUNDARIES]
    with files.building(authority, Part.TILES) as path:
        districts = tiles.districts_of(authority)
        counts = tiles.build(Ground(published.path), districts, path, imports.config().max_zoom, told)
        if counts["tiles"]:
            with civic.transaction() as tx:
                files.publish(tx, authority, Part.TILES, path, f"{published.token}.{boundaries}", now)
                bump(tx, authority, Layer.TILES)
    return counts


def rebuild_from_rows(authority: str, now: datetime, told: Told = lambda _done, _all: None) -> dict[str, int]:
    """Ground and tiles out of the base map's rows in the civic store."""
    counts = publish_ground(authority, _rows(authority), ROWS, now)
    return counts | publish_tiles(authority, now, told)


_CLASSES = {
    BaseKind.ROAD: ("primary", "secondary", "street", "path"),
    BaseKind.BUILDING: ("building",),
    BaseKind.WATER: ("water",),
    BaseKind.PARK: ("park",),
    BaseKind.LABEL: ("place",),
}


def _rows(authority: str) -> Iterator[MapFeature]:
    import shapely

    from madang.places.models import Boundary

    districts = set(Boundary.objects.filter(authority_id=authority).values_list("name_ko", flat=True))
    rows = BaseFeature.objects.filter(authority_id=authority).values_list("kind", "name", "rank", "geometry")
    for kind_text, name, rank, geometry in rows.iterator(chunk_size=AT_ONCE):
        kind = BaseKind(kind_text)
        classes = _CLASSES[kind]
        cls = "district" if kind is BaseKind.LABEL and name in districts else classes[min(rank, len(classes) - 1)]
        yield MapFeature(kind, cls, name, "", rank, 0.0, shapely.from_geojson(geometry))
