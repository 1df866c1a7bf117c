"""Imports a base map: each feature's `kind` says what it is, or its OpenStreetMap tags do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from madang.journal import civic
from madang.kernel.canonical import canonical_json, digest
from madang.kernel.clock import Clock, system_clock
from madang.kernel.mode import Mode
from madang.places import geojson, imports, index, mapping
from madang.places.commands import FeatureRow, Written, put_features
from madang.places.domain import Fault, FileRefusedError, Issue, Level
from madang.places.models import BaseKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from madang.identity.rights import Actor
    from madang.places.models import ImportRun

KIND = "basemap"
NAMES = ("name_ko", "name:ko", "name")
LINES = ("LineString", "MultiLineString")
AREAS = ("Polygon", "MultiPolygon")
SHAPES: Mapping[BaseKind, tuple[str, ...]] = {
    BaseKind.ROAD: LINES,
    BaseKind.BUILDING: AREAS,
    BaseKind.WATER: AREAS + LINES,
    BaseKind.PARK: AREAS,
    BaseKind.LABEL: ("Point",),
}
MOST_RANK = 9

NO_KIND = Fault(
    "no_kind",
    Level.ERROR,
    "무엇인지 알 수 없습니다: kind에 road, building, water, park, label 중 하나를 적으십시오.",
    "What it is cannot be told: set kind to road, building, water, park or label.",
)


def run(
    path: Path,
    authority: str,
    actor: Actor,
    progress: Callable[[int, int], None] = imports.silent,
    *,
    run_id: str = "",
    mode: Mode = Mode.LIVE,
    clock: Clock = system_clock,
) -> ImportRun:
    """Imports `path` into a city; importing again updates features by their id (or shape) and never doubles."""

    def work(log: imports.ImportLog) -> None:
        _import(log, path, authority)

    return imports.perform(KIND, path, authority, actor, work, progress, run_id=run_id, mode=mode, clock=clock)


def _import(log: imports.ImportLog, path: Path, authority: str) -> None:
    features = geojson.open_features(path, imports.config().max_json_bytes)
    log.expect(len(features.items))
    written, bad = Written(), 0
    for rows, issues, done in _chunks(features):
        with civic.transaction() as tx:
            log.chunk(tx, done, issues)
            part = put_features(tx, authority, rows)
        log.told()
        written = Written(written.created + part.created, written.updated + part.updated)
        bad += sum(issue.level is Level.ERROR for issue in issues)
    if bad == len(features.items):
        raise FileRefusedError(
            expected="features with a kind (road, building, water, park, label) and a fitting shape",
            found=f"{bad} features and none of them usable",
            ko="쓸 수 있는 도형이 하나도 없습니다. 문제 목록을 보십시오.",
        )
    drawn = mapping.rebuild_from_rows(authority, log.clock(), log.alive)
    index.rebuild(authority, log.clock(), lambda _: log.alive(log.run.progress, log.run.total))
    counts = {"rows": len(features.items), "not_imported": bad, "tiles": drawn.get("tiles", 0)}
    log.finish(counts | {"created": written.created, "updated": written.updated}, {"crs": features.crs or "WGS84"})


def _chunks(features: geojson.Features) -> Iterator[tuple[list[FeatureRow], list[Issue], int]]:
    size = imports.config().chunk_rows
    for start in range(1, len(features.items) + 1, size):
        numbers = range(start, min(start + size, len(features.items) + 1))
        issues: list[Issue] = []
        rows = [row for number in numbers if (row := _row(features, number, issues)) is not None]
        yield rows, issues, len(numbers)


def _row(features: geojson.Features, number: int, issues: list[Issue]) -> FeatureRow | None:
    properties = features.properties(number)
    kind = kind_of(properties)
    if kind is None:
        issues.append(NO_KIND.at(number, "kind", geojson.text(properties, ("kind",))))
        return None
    shape = features.shape(number, issues, SHAPES[kind])
    if shape is None:
        return None
    key = geojson.text(properties, ("id", "@id", "osm_id"))[:80] or digest(canonical_json(shape.geometry))[:32]
    name = geojson.text(properties, NAMES)[:200]
    return FeatureRow(kind.value, key, name, shape.geometry, shape.box, _rank(properties))


def kind_of(properties: Mapping[str, Any]) -> BaseKind | None:  # Any: JSON from outside
    """What a feature is, by its own word or by OpenStreetMap's."""
    said = geojson.text(properties, ("kind",)).casefold()
    if said in BaseKind.values:
        return BaseKind(said)
    if geojson.text(properties, ("highway",)):
        return BaseKind.ROAD
    if geojson.text(properties, ("building",)):
        return BaseKind.BUILDING
    if geojson.text(properties, ("waterway",)) or geojson.text(properties, ("natural",)) == "water":
        return BaseKind.WATER
    if geojson.text(properties, ("leisure", "landuse")) in ("park", "grass", "forest", "garden"):
        return BaseKind.PARK
    return BaseKind.LABEL if geojson.text(properties, ("place",)) else None


_MINOR_ROADS = {"motorway": 0, "trunk": 0, "primary": 0, "secondary": 1, "tertiary": 1}


def _rank(properties: Mapping[str, Any]) -> int:  # Any: JSON from outside
    rank = properties.get("rank")
    if isinstance(rank, int) and 0 <= rank <= MOST_RANK:
        return rank
    highway = geojson.text(properties, ("highway",))
    return _MINOR_ROADS.get(highway, 2) if highway else 1
