"""Imports a city's administrative boundaries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from madang.connectors.boundaries_geojson.parse import read
from madang.journal import civic
from madang.kernel.clock import Clock, system_clock
from madang.kernel.mode import Mode
from madang.places import imports, mapping
from madang.places.commands import put_boundaries
from madang.places.domain import FileRefusedError, Level

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from madang.identity.rights import Actor
    from madang.places.models import ImportRun

KIND = "boundaries"


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
    """Imports `path` into a city in one transaction; importing again updates by code and never doubles."""

    def work(log: imports.ImportLog) -> None:
        _import(log, path, authority)

    return imports.perform(KIND, path, authority, actor, work, progress, run_id=run_id, mode=mode, clock=clock)


def _import(log: imports.ImportLog, path: Path, authority: str) -> None:
    rows, issues, features = read(path, imports.config().max_json_bytes)
    log.expect(len(features.items))
    with civic.transaction() as tx:
        log.chunk(tx, len(features.items), issues)
        written = put_boundaries(tx, authority, rows)
    log.told()
    if not rows:
        raise FileRefusedError(
            expected="districts with a name and a (multi)polygon",
            found=f"{len(features.items)} features and none of them usable: {issues[0].en if issues else ''}",
            ko=f"쓸 수 있는 구역이 하나도 없습니다: {issues[0].ko if issues else ''}",
        )
    mapping.publish_tiles(authority, log.clock(), log.alive)
    bad = sum(issue.level is Level.ERROR for issue in issues)
    counts = {"rows": len(features.items), "districts": len(rows), "not_imported": bad}
    log.finish(
        counts | {"created": written.created, "updated": written.updated},
        {"crs": features.crs or "WGS84", "names": [row.name_ko for row in rows]},
    )
