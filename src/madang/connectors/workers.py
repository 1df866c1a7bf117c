"""Runs uploaded imports in the background: which connector takes which kind of file."""

from __future__ import annotations

import importlib
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Protocol

from madang.kernel.mode import Mode
from madang.places.workers import Importer, import_worker
from madang.video.workers import heavy_workers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from madang.identity.rights import Actor
    from madang.kernel.workers import ThreadWorker
    from madang.places.models import ImportRun

FILES = {
    "cctv": "madang.connectors.cctv_standard",
    "boundaries": "madang.connectors.boundaries_geojson",
    "basemap": "madang.connectors.basemap_geojson",
    "addresses": "madang.connectors.address_csv",
    "road_address": "madang.connectors.road_address",
    "osm": "madang.connectors.osm",
    "survey": "madang.connectors.camera_survey",
    "bells": "madang.connectors.bell_standard",
}
"""The kinds of file taken, and the folder that takes each. Others come by the entry point group `madang.importers`."""


def importers(mode: Mode = Mode.LIVE) -> dict[str, Importer]:
    """Every importer by kind, for things of that mode; a connector is loaded when its first file comes."""
    theirs = {point.name: point.value.partition(":")[0] for point in entry_points(group="madang.importers")}
    return {kind: _importer(package, mode) for kind, package in (theirs | FILES).items()}


def _importer(package: str, mode: Mode) -> Importer:
    def run(
        path: Path, authority: str, actor: Actor, progress: Callable[[int, int], None], *, run_id: str = ""
    ) -> ImportRun:
        connector = importlib.import_module(f"{package}.command")
        done: ImportRun = connector.run(path, authority, actor, progress, run_id=run_id, mode=mode)
        return done

    return run


class _Config(Protocol):
    @property
    def rooms(self) -> Mapping[str, object]: ...


class Services(Protocol):
    """What `site` hands over."""

    @property
    def config(self) -> _Config: ...


def workers(services: Services) -> list[ThreadWorker]:
    """What this floor runs in the background. What is uploaded is of the installation's own mode."""
    mode = getattr(services.config.rooms.get("console"), "mode", Mode.LIVE)
    return [import_worker(importers(Mode(mode))), *heavy_workers()]
