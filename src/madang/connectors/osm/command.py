"""Imports a real city's map: its ground, its tiles, and its names for the search."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from madang.connectors.osm.read import Reading, refusal
from madang.journal import civic
from madang.kernel.clock import Clock, system_clock
from madang.kernel.geometry import metres_per_degree
from madang.kernel.mode import Mode
from madang.places import imports, index, mapping
from madang.places.boundaries import index_of
from madang.places.domain import Level
from madang.places.ground import Box, MapFeature
from madang.places.layers import Layer, bump

if TYPE_CHECKING:
    from pathlib import Path

    from madang.identity.rights import Actor
    from madang.places.models import ImportRun

KIND = "osm"
FENCE_M = 3_000.0
"""How far beyond the city's boundary its map goes on, metres."""


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
    """Imports `path` into a city in place of the map it had; what is far outside its boundary is left out."""

    def work(log: imports.ImportLog) -> None:
        _import(log, path, authority)

    return imports.perform(KIND, path, authority, actor, work, progress, run_id=run_id, mode=mode, clock=clock)


def _import(log: imports.ImportLog, path: Path, authority: str) -> None:
    reading = Reading(path, imports.config().max_json_bytes, _fence(authority))
    kinds = mapping.publish_ground(authority, _told(log, reading), mapping.OSM, log.clock())
    if not kinds:
        raise refusal(
            f"nothing that belongs on this city's map ({dict(reading.counts)})",
            f"이 도시의 지도에 그릴 것이 없습니다({dict(reading.counts)}).",
            "Is it another region's file, or are longitude and latitude exchanged?",
        )
    with civic.transaction() as tx:
        bump(tx, authority, Layer.BASEMAP)
    drawn = mapping.publish_tiles(authority, log.clock(), log.alive)
    index.rebuild(authority, log.clock(), lambda _: log.alive(log.run.progress, log.run.total))
    log.run.total = log.run.progress
    log.finish({"rows": log.run.progress, "not_imported": 0, **reading.counts, **kinds, **drawn}, {"crs": "WGS84"})


def _told(log: imports.ImportLog, reading: Reading) -> Iterator[MapFeature]:
    """The features of a file, with the run told of each thousand of them."""
    told = 0
    for done, feature in enumerate(reading.features(), 1):
        yield feature
        if done % imports.config().chunk_rows == 0:
            told = _tell(log, reading, done, told)
    _tell(log, reading, reading.counts["features"], told)


def _tell(log: imports.ImportLog, reading: Reading, done: int, before: int) -> int:
    issues, reading.issues[:] = list(reading.issues), []
    reading.counts["not_imported"] += sum(issue.level is Level.ERROR for issue in issues)
    with civic.transaction() as tx:
        log.chunk(tx, done - before, issues)
    log.told()
    return done


def _fence(authority: str) -> Box | None:
    districts = index_of(authority)
    if not len(districts):
        return None
    west, south, east, north = districts.box
    lon_m, lat_m = metres_per_degree((south + north) / 2)
    return west - FENCE_M / lon_m, south - FENCE_M / lat_m, east + FENCE_M / lon_m, north + FENCE_M / lat_m
