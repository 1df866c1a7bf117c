"""Sites and cameras: taken in by the thousand, surveyed, given a stream, watched for health."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice, repeat
from typing import Any

from django.conf import settings

from madang.identity.access import require
from madang.identity.rights import Actor, Right, Thing
from madang.journal import changes, civic, outbox
from madang.journal.session import Session
from madang.kernel.canonical import canonical_json, digest
from madang.kernel.clock import instant_text
from madang.kernel.errors import NotFoundError
from madang.kernel.ids import new_id
from madang.kernel.mode import Mode
from madang.video.config import VideoConfig
from madang.video.health import Fault
from madang.video.models import Camera, Health
from madang.video.optics import usable_range_m, view_of
from madang.video.seal import seal, unseal
from madang.video.sources import check_source

MAX_CAMERAS_PER_SITE = 300
_BATCH = 500


@dataclass(frozen=True, slots=True)
class CameraRow:
    """What is known of one camera beyond its site. Surveyed azimuths need `azimuth_surveyed_on`."""

    number: int
    label: str = ""
    lon: float | None = None
    lat: float | None = None
    azimuth_deg: float | None = None
    hfov_deg: float | None = None
    range_m: float | None = None
    height_m: float | None = None
    azimuth_surveyed_on: date | None = None
    pixels_mp: float | None = None
    ptz: bool | None = None
    kind: str = ""
    stream_source: str = ""


@dataclass(frozen=True, slots=True)
class SiteRow:
    """A site as an importer hands it over. `source_key` names it in its source: the same key updates, never doubles."""

    source_key: str
    name: str = ""
    road_address: str = ""
    lot_address: str = ""
    lon: float | None = None
    lat: float | None = None
    purpose: str = ""
    purpose_text: str = ""
    camera_count: int = 1
    pixels_mp: float | None = None
    direction_text: str = ""
    retention_days: int | None = None
    installed_on: date | None = None
    agency_name: str = ""
    agency_phone: str = ""
    data_date: date | None = None
    cameras: tuple[CameraRow, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the rows."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.created + other.created, self.updated + other.updated, self.unchanged + other.unchanged)


_SITE_COLUMNS = [
    "name",
    "road_address",
    "lot_address",
    "lon",
    "lat",
    "purpose",
    "purpose_text",
    "camera_count",
    "pixels_mp",
    "direction_text",
    "retention_days",
    "installed_on",
    "agency_name",
    "agency_phone",
    "data_date",
]
_UPSERT_SITE = (
    f"INSERT INTO video_site (id, authority, source_key, {', '.join(_SITE_COLUMNS)}, digest, mode)"  # noqa: S608 -- own columns
    f" VALUES ({', '.join(repeat('?', len(_SITE_COLUMNS) + 5))}) ON CONFLICT (authority, source_key) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in (*_SITE_COLUMNS, "digest", "mode"))
)
_CAMERA_COLUMNS = [
    "label",
    "lon",
    "lat",
    "azimuth_deg",
    "hfov_deg",
    "range_m",
    "height_m",
    "azimuth_surveyed_on",
    "pixels_mp",
    "ptz",
    "kind",
    "stream_sealed",
    "mode",
]
_INSERT_CAMERA = (
    f"INSERT INTO video_camera (id, authority, site_id, number, {', '.join(_CAMERA_COLUMNS)}, health, health_reason,"  # noqa: S608 -- own columns
    " active, health_fault, may_look)"
    f" VALUES ({', '.join(repeat('?', len(_CAMERA_COLUMNS) + 4))}, 'unknown', '', ?, '', TRUE)"
    " ON CONFLICT (site_id, number) DO "
)
_KEEP_SURVEY = _INSERT_CAMERA + (
    "UPDATE SET label = excluded.label, active = excluded.active, mode = excluded.mode,"
    " range_m = CASE WHEN video_camera.azimuth_surveyed_on IS NULL THEN excluded.range_m ELSE video_camera.range_m END,"
    " hfov_deg = CASE WHEN video_camera.azimuth_surveyed_on IS NULL THEN excluded.hfov_deg"
    " ELSE video_camera.hfov_deg END,"
    " kind = CASE WHEN video_camera.azimuth_surveyed_on IS NULL THEN excluded.kind ELSE video_camera.kind END"
)
_TAKE_ALL = _INSERT_CAMERA + (
    "UPDATE SET active = excluded.active, " + ", ".join(f"{name} = excluded.{name}" for name in _CAMERA_COLUMNS)
)


def put_sites(tx: Session, authority: str, rows: Iterable[SiteRow], now: datetime, mode: Mode) -> Counts:
    """Creates or updates sites and their cameras by the thousand; tells screens and the coverage index once.

    A camera's survey and stream are kept when a registry file comes again. Give the same `source_key` once a call.
    """
    counts = Counts()
    for batch in _batches(rows):
        counts = counts + _put_batch(tx, authority, batch, mode)
    if counts.created or counts.updated:
        bump_coverage(tx, authority)
        changes.touch(tx, kind="camera", ref="*", authority=authority, now=now)
    return counts


def _batches(rows: Iterable[SiteRow]) -> Iterator[list[SiteRow]]:
    """Groups of rows; within one, the last row of a key counts."""
    left = iter(rows)
    while batch := list(islice(left, _BATCH)):
        yield list({row.source_key: row for row in batch}.values())


def _put_batch(tx: Session, authority: str, rows: Sequence[SiteRow], mode: Mode) -> Counts:
    known = _known(tx, authority, rows)
    fresh: list[tuple[str, str, SiteRow]] = []
    created = 0
    for row in rows:
        mark = _digest(row, mode)
        site_id, before, _ = known.get(row.source_key, ("", "", 0))
        if before != mark:
            created += not site_id
            fresh.append((site_id or new_id(), mark, row))
    tx.executemany(_UPSERT_SITE, [_site_values(site_id, authority, row, mark, mode) for site_id, mark, row in fresh])
    tx.executemany(_KEEP_SURVEY, _plain_cameras(authority, fresh, mode))
    tx.executemany(_TAKE_ALL, _told_cameras(authority, fresh, mode))
    _switch_off(tx, [(row.camera_count, known[row.source_key]) for _, _, row in fresh if row.source_key in known])
    return Counts(created, len(fresh) - created, len(rows) - len(fresh))


def _known(tx: Session, authority: str, rows: Sequence[SiteRow]) -> dict[str, tuple[str, str, int]]:
    marks = ", ".join(repeat("?", len(rows)))
    found = tx.execute(
        f"SELECT source_key, id, digest, camera_count FROM video_site WHERE authority = ? AND source_key IN ({marks})",  # noqa: S608 -- placeholders
        [authority, *(row.source_key for row in rows)],
    )
    return {row[0]: (row[1], row[2], int(row[3])) for row in found}


def _digest(row: SiteRow, mode: Mode) -> str:
    return digest(canonical_json([row, mode]))


def _site_values(site_id: str, authority: str, row: SiteRow, mark: str, mode: Mode) -> tuple[object, ...]:
    return (
        site_id,
        authority,
        row.source_key,
        row.name[:200],
        row.road_address[:300],
        row.lot_address[:300],
        row.lon,
        row.lat,
        row.purpose[:40],
        row.purpose_text[:200],
        row.camera_count,
        row.pixels_mp,
        row.direction_text[:200],
        row.retention_days,
        _day(row.installed_on),
        row.agency_name[:200],
        row.agency_phone[:60],
        _day(row.data_date),
        mark,
        mode.value,
    )


def _day(value: date | None) -> str | None:
    return None if value is None else value.isoformat()


def _plain_cameras(
    authority: str, fresh: Iterable[tuple[str, str, SiteRow]], mode: Mode
) -> Iterator[tuple[object, ...]]:
    """One row for each camera a site counts but does not describe."""
    default_m = _config().default_range_m
    for site_id, _, row in fresh:
        view = view_of(row.direction_text)
        reach = usable_range_m(row.pixels_mp, view.hfov_deg, default_m)
        told = {camera.number for camera in row.cameras}
        for number in range(1, min(row.camera_count, MAX_CAMERAS_PER_SITE) + 1):
            if number not in told:
                plain = (_label(row, number), None, None, None, view.hfov_deg, reach, None, None, None)
                turning = view.kind == "ptz"
                yield (new_id(), authority, site_id, number, *plain, turning, view.kind, b"", mode.value, True)


def _told_cameras(
    authority: str, fresh: Iterable[tuple[str, str, SiteRow]], mode: Mode
) -> Iterator[tuple[object, ...]]:
    for site_id, _, row in fresh:
        for camera in row.cameras:
            camera_id = new_id()
            yield (camera_id, authority, site_id, camera.number, *_told_values(site_id, row, camera), mode.value, True)


def _told_values(site_id: str, row: SiteRow, camera: CameraRow) -> tuple[object, ...]:
    view = view_of(row.direction_text)
    hfov = camera.hfov_deg or view.hfov_deg
    pixels = camera.pixels_mp or row.pixels_mp
    kind = camera.kind or view.kind
    return (
        camera.label or _label(row, camera.number),
        camera.lon,
        camera.lat,
        camera.azimuth_deg,
        hfov,
        camera.range_m or usable_range_m(pixels, hfov, _config().default_range_m),
        camera.height_m,
        _day(camera.azimuth_surveyed_on),
        camera.pixels_mp,
        (kind == "ptz") if camera.ptz is None else camera.ptz,
        kind,
        sealed_stream(camera.stream_source, site_id, camera.number),
    )


def _label(row: SiteRow, number: int) -> str:
    base = row.name or row.road_address or row.lot_address or row.source_key
    return f"{base}-{number}"[:200] if row.camera_count > 1 else base[:200]


def _switch_off(tx: Session, counted: Iterable[tuple[int, tuple[str, str, int]]]) -> None:
    """Cameras beyond a site's present count are kept for the record but offered no more."""
    fewer = [(site_id, count) for count, (site_id, _, before) in counted if count < before]
    tx.executemany("UPDATE video_camera SET active = FALSE WHERE site_id = ? AND number > ?", fewer)


def bump_coverage(tx: Session, authority: str) -> None:
    """Marks the city's coverage index as old, in every process. The revision is random: only equality matters."""
    tx.execute(
        "INSERT INTO video_coveragerevision (authority, revision) VALUES (?, ?)"
        " ON CONFLICT (authority) DO UPDATE SET revision = excluded.revision",
        (authority, secrets.randbits(62)),
    )


def _config() -> VideoConfig:
    config = settings.MADANG_VIDEO
    assert isinstance(config, VideoConfig)
    return config


def _about(site_id: str, number: int) -> str:
    return f"camera:{site_id}:{number}"


def check_stream(url: str) -> None:
    """Raises `SourceRefusedError` for an address outside the configured camera networks and schemes."""
    check_source(url, _config())


def sealed_stream(url: str, site_id: str, number: int) -> bytes:
    """A stream address for the store; refused outside the configured networks and schemes."""
    if not url:
        return b""
    check_stream(url)
    return seal(url, key=settings.MADANG_KEYS.blob_key, about=_about(site_id, number))


def stream_source(camera: Camera) -> str:
    """The camera's address, opened for the media link alone; "" if it has none."""
    about = _about(camera.site_id, camera.number)
    return unseal(camera.stream_sealed, key=settings.MADANG_KEYS.blob_key, about=about)


def set_stream(tx: Session, actor: Actor, camera_id: str, url: str, now: datetime) -> None:
    """Gives a camera its stream address; refused outside the configured networks and schemes."""
    camera = camera_for(actor, camera_id, Right.MANAGE_CAMERAS)
    camera.stream_sealed = sealed_stream(url, camera.site_id, camera.number)
    camera.save(update_fields=["stream_sealed"])
    _changed(tx, actor, camera, "video.camera.stream_set", now)


def survey_camera(
    tx: Session,
    actor: Actor,
    camera_id: str,
    *,
    azimuth_deg: float,
    surveyed_on: date,
    now: datetime,
    hfov_deg: float | None = None,
    range_m: float | None = None,
) -> None:
    """Records where a camera looks, measured on that day; from then on its view is a sector."""
    camera = camera_for(actor, camera_id, Right.MANAGE_CAMERAS)
    camera.azimuth_deg, camera.azimuth_surveyed_on = azimuth_deg % 360, surveyed_on
    camera.hfov_deg, camera.range_m = hfov_deg or camera.hfov_deg, range_m or camera.range_m
    if camera.kind == "unknown":
        camera.kind = "fixed"
    camera.save()
    bump_coverage(tx, camera.authority_id)
    _changed(tx, actor, camera, "video.camera.surveyed", now, {"azimuth_deg": azimuth_deg % 360})


def _changed(
    tx: Session, actor: Actor, camera: Camera, action: str, now: datetime, body: dict[str, Any] | None = None
) -> None:  # Any: JSON values
    mode = Mode(camera.mode)
    thing = f"camera:{camera.pk}"
    authority = camera.authority_id
    civic.audit(
        tx,
        authority=authority,
        actor=actor.id,
        action=action,
        thing=thing,
        mode=mode,
        now=now,
        body=body,
        retention="administration",
    )
    changes.touch(tx, kind="camera", ref=camera.pk, authority=authority, now=now)


HEALTH = "video.camera.health"
SEEN = "video.cameras.seen"
_STANDS = (Fault.BLACK.value, Fault.FROZEN.value)
"""What a stream that flows does not disprove: its packets come, its picture is none."""


def set_camera_health(
    tx: Session, camera_id: str, health: str, now: datetime, reason: str = "", *, fault: str | None = None
) -> None:
    """Keeps what was last seen of a camera; screens and other rooms hear of it only when it changes.

    `fault` is what a look at its picture found ("" for nothing); None where only its stream was seen, which leaves a
    black or frozen picture as it is.
    """
    camera = Camera.objects.select_related("site").filter(pk=camera_id).first()
    if camera is None:
        return
    health, found = _judged(camera, Health(health), fault)
    differs = (camera.health, camera.health_fault) != (health, found)
    camera.health, camera.health_at, camera.health_reason, camera.health_fault = health, now, reason[:200], found
    camera.save(update_fields=["health", "health_at", "health_reason", "health_fault"])
    if differs:
        changes.touch(tx, kind="camera", ref=camera.pk, authority=camera.authority_id, now=now)
        _announce_health(tx, camera, now)


def _judged(camera: Camera, health: Health, fault: str | None) -> tuple[str, str]:
    if health is Health.OFFLINE:
        return health.value, fault or Fault.SILENT.value
    if fault is None and health is Health.OK and camera.health_fault in _STANDS:
        return Health.DEGRADED.value, camera.health_fault
    return health.value, fault or ""


def _announce_health(tx: Session, camera: Camera, now: datetime) -> None:
    outbox.announce(
        tx,
        topic=HEALTH,
        key=camera.pk,
        body={
            "camera_id": camera.pk,
            "site_id": camera.site_id,
            "site_source_key": camera.site.source_key,
            "health": camera.health,
            "reason": camera.health_fault,
            "at": instant_text(now),
        },
        authority=camera.authority_id,
        mode=Mode(camera.mode),
        now=now,
    )


def camera_for(actor: Actor, camera_id: str, right: Right) -> Camera:
    """The camera, if the actor may do this to it; another city's is not there."""
    camera = Camera.objects.select_related("site").filter(pk=camera_id).first()
    if camera is None:
        raise NotFoundError(ko="카메라를 찾을 수 없습니다.")
    require(actor, right, Thing(camera.authority_id))
    return camera
