"""Imports a camera survey: from then on a camera's view is a sector and not a disc."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from madang.connectors.camera_survey.parse import View, read
from madang.journal import civic
from madang.kernel.clock import Clock, system_clock
from madang.kernel.errors import MadangError
from madang.kernel.mode import Mode
from madang.places import imports
from madang.places.domain import Fault, Issue, Level
from madang.video.commands import set_stream, survey_camera
from madang.video.models import Camera

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from madang.identity.rights import Actor
    from madang.journal.session import Session
    from madang.places.models import ImportRun

KIND = "survey"
CHUNK = 200

NO_CAMERA = Fault(
    "no_camera",
    Level.ERROR,
    "그런 카메라가 없습니다: {value}. CCTV 파일을 먼저 가져오십시오.",
    "There is no such camera: {value}. Import the CCTV file first.",
)
STREAM_REFUSED = Fault(
    "stream_refused", Level.WARNING, "영상 주소를 쓸 수 없습니다. {why}", "The stream's address cannot be used: {why}"
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
    """Imports `path` into a city; a later survey of a camera replaces the earlier one."""

    def work(log: imports.ImportLog) -> None:
        rows = read(path, imports.config().max_json_bytes)
        cameras = _cameras(authority)
        log.expect(len(cameras))
        surveyed = 0
        while chunk := list(islice(rows, CHUNK)):
            with civic.transaction() as tx:
                issues = [issue for row in chunk if (issue := _take(tx, log, actor, row, cameras)) is not None]
                log.chunk(tx, len(chunk), issues)
            surveyed += len(chunk) - sum(issue.level is Level.ERROR for issue in issues)
            log.told()
        log.run.total = log.run.progress
        done = log.run.progress
        log.finish({"rows": done, "surveyed": surveyed, "not_imported": done - surveyed}, {})

    return imports.perform(KIND, path, authority, actor, work, progress, run_id=run_id, mode=mode, clock=clock)


def _cameras(authority: str) -> dict[tuple[str, int], str]:
    """The cameras by their site's key (with and without the agency's code) and number; a number two sites share is
    left out of the short form."""
    found: dict[tuple[str, int], str] = {}
    short: dict[tuple[str, int], str] = {}
    rows = Camera.objects.filter(authority_id=authority).values_list("site__source_key", "number", "pk")
    for key, number, camera_id in rows:
        found[key, number] = camera_id
        plain = (key.partition(":")[2], number)
        short[plain] = "" if plain in short else camera_id
    return {plain: camera_id for plain, camera_id in short.items() if camera_id} | found


def _take(
    tx: Session, log: imports.ImportLog, actor: Actor, row: View | Issue, cameras: dict[tuple[str, int], str]
) -> Issue | None:
    if isinstance(row, Issue):
        return row
    key = f"{row.agency_code}:{row.site_number}" if row.agency_code else row.site_number
    camera_id = cameras.get((key, row.camera))
    if camera_id is None:
        return NO_CAMERA.at(row.row_number, "site_number", f"{key} {row.camera}")
    now = log.clock()
    survey_camera(
        tx,
        actor,
        camera_id,
        azimuth_deg=row.azimuth_deg,
        surveyed_on=row.surveyed_on,
        now=now,
        hfov_deg=row.hfov_deg or None,
        range_m=row.range_m or None,
    )
    if not row.stream_url:
        return None
    try:
        set_stream(tx, actor, camera_id, row.stream_url, now)
    except MadangError as refused:
        return STREAM_REFUSED.at(row.row_number, "stream_url", why=refused.ko or refused.detail)
    return None
