"""What others read of video: cameras for a place, cameras in a box, grants of a case, the register."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Count, Q, QuerySet

from madang.kernel.clock import SEOUL, system_clock
from madang.kernel.geometry import Point
from madang.kernel.mode import Mode
from madang.video import ranking
from madang.video import register as _register
from madang.video.config import VideoConfig
from madang.video.coverage import COVERAGE
from madang.video.models import Camera, Case, DisclosureRequest, ProvisionRecord, PurposeRetention, VideoGrant
from madang.video.ranking import CameraView, RankedCamera
from madang.video.register import Aggregate

Box = tuple[float, float, float, float]
"""West, south, east, north in degrees."""

Param = str | float | int

NIGHT_HOURS = frozenset({19, 20, 21, 22, 23, 0, 1, 2, 3, 4, 5})
"""Hours reckoned as dark. A plain table until the sun is computed."""


def rank_for(
    authority: str,
    place: Point,
    radius_m: float,
    limit: int,
    purpose: str | None = None,
    *,
    mode: Mode | None = None,
    now: datetime | None = None,
) -> list[RankedCamera]:
    """The cameras to offer for a place, best first.

    With `mode`, only cameras that may be shown in it (real ones for live, simulated ones otherwise).
    """
    world = _camera_mode(mode)
    found = COVERAGE.index(authority).around(place.lon, place.lat, radius_m, world)
    if purpose is not None:
        found = [camera for camera in found if camera.purpose == purpose]
    now = now or system_clock()
    night = _is_night(now)
    return ranking.rank(with_health(found, now), place, radius_m, limit, night=night)


def _is_night(now: datetime) -> bool:
    return now.astimezone(SEOUL).hour in NIGHT_HOURS


def _camera_mode(mode: Mode | None) -> str | None:
    if mode is None:
        return None
    return "live" if mode is Mode.LIVE else "not live"


def rank_for_case(case_id: str, limit: int) -> list[RankedCamera]:
    """The cameras to offer for a case; none while its place is not known."""
    case = Case.objects.filter(pk=case_id).first()
    if case is None or case.lon is None or case.lat is None:
        return []
    place = Point(case.lon, case.lat)
    return rank_for(case.authority_id, place, case.radius_m, limit, mode=Mode(case.mode))


def standing_of(case_id: str, camera_ids: Sequence[str], now: datetime | None = None) -> list[RankedCamera]:
    """How those cameras stand to a case's place, in the order given; those out of its radius are left out."""
    case = Case.objects.filter(pk=case_id).first()
    if case is None or case.lon is None or case.lat is None:
        return []
    place, views = Point(case.lon, case.lat), COVERAGE.index(case.authority_id).views(camera_ids)
    now = now or system_clock()
    night = _is_night(now)
    judged = (ranking.judge_camera(view, place, case.radius_m, night=night) for view in with_health(views, now))
    return [ranked for ranked in judged if ranked.distance_m <= case.radius_m]


def nearest(authority: str, point: Point, k: int, mode: Mode | None = None) -> list[RankedCamera]:
    """The `k` nearest cameras with their standing for the point, those that see it first (투망)."""
    index = COVERAGE.index(authority)
    found = index.nearest(point.lon, point.lat, max(4 * k, k + 16))
    if not found:
        return []
    radius_m = found[-1][1] + 1.0
    world = _camera_mode(mode)
    views = [view for view in index.views(camera_id for camera_id, _ in found) if _fits(index.mode_of(view.id), world)]
    judged = [ranking.judge_camera(view, point, radius_m) for view in with_health(views, system_clock())]
    nearest_first = sorted(judged, key=lambda ranked: (ranked.sees is not ranking.Sees.YES, ranked.distance_m))
    return nearest_first[:k]


def _fits(camera_mode: str, world: str | None) -> bool:
    return world is None or (camera_mode == "live") == (world == "live")


def with_health(cameras: Sequence[CameraView], now: datetime) -> list[CameraView]:
    """The same cameras with their health as it stands at `now`."""
    seen = Camera.objects.filter(pk__in=[camera.id for camera in cameras], health_at__isnull=False)
    rows = seen.values_list("pk", "health", "health_at")
    known = {row[0]: (_fresh(row[1], row[2], now), row[2]) for row in rows}
    return [
        replace(camera, health=known[camera.id][0], health_at=known[camera.id][1]) if camera.id in known else camera
        for camera in cameras
    ]


def _fresh(health: str, seen_at: datetime | None, now: datetime) -> str:
    """What was seen too long ago is not known any more."""
    stale_s = _config().health_stale_s
    return health if seen_at is not None and (now - seen_at).total_seconds() < stale_s else "unknown"


def _config() -> VideoConfig:
    config = settings.MADANG_VIDEO
    assert isinstance(config, VideoConfig)
    return config


@dataclass(frozen=True, slots=True)
class CamerasIn:
    """Cameras of a box, and how many there are in all."""

    cameras: list[CameraView]
    total: int

    @property
    def clipped(self) -> bool:
        """Whether some were left out."""
        return self.total > len(self.cameras)


@dataclass(frozen=True, slots=True)
class Cluster:
    """Cameras drawn as one mark; `worst` is the worst known health among them."""

    lon: float
    lat: float
    count: int
    worst: str


_LON, _LAT = "COALESCE(c.lon, s.lon)", "COALESCE(c.lat, s.lat)"
_FROM_BOX = (
    " FROM video_camera c JOIN video_site s ON s.id = c.site_id WHERE c.authority = %s AND c.active"
    f" AND {_LON} BETWEEN %s AND %s AND {_LAT} BETWEEN %s AND %s"
)
_COLUMNS = (
    f"c.id, c.label, c.site_id, {_LON}, {_LAT}, CASE WHEN c.azimuth_surveyed_on IS NULL THEN NULL ELSE c.azimuth_deg"
    " END, c.hfov_deg, c.range_m, c.kind, COALESCE(c.pixels_mp, s.pixels_mp), s.purpose, c.ptz, c.health, c.health_at"
)


def cameras_in(authority: str, bbox: Box, limit: int) -> CamerasIn:
    """At most `limit` cameras of a box, and the number of all."""
    params = _box_params(authority, bbox)
    total = int(_rows(f"SELECT COUNT(*){_FROM_BOX}", params)[0][0])
    rows = _rows(f"SELECT {_COLUMNS}{_FROM_BOX} ORDER BY c.id LIMIT %s", [*params, limit])
    return CamerasIn([_view_of(row) for row in rows], total)


def clusters_in(authority: str, bbox: Box, cells: int = 24) -> list[Cluster]:
    """The cameras of a box in a grid of at most `cells` × `cells` clusters."""
    west, south, east, north = bbox
    width, height = max((east - west) / cells, 1e-9), max((north - south) / cells, 1e-9)
    worst = "MAX(CASE c.health WHEN 'offline' THEN 3 WHEN 'degraded' THEN 2 WHEN 'unknown' THEN 1 ELSE 0 END)"
    rows = _rows(
        f"SELECT AVG({_LON}), AVG({_LAT}), COUNT(*), {worst}{_FROM_BOX}"
        f" GROUP BY CAST(({_LON} - %s) / %s AS INTEGER), CAST(({_LAT} - %s) / %s AS INTEGER)",
        [*_box_params(authority, bbox), west, width, south, height],
    )
    names = ("ok", "unknown", "degraded", "offline")
    return [Cluster(float(row[0]), float(row[1]), int(row[2]), names[int(row[3])]) for row in rows]


def _box_params(authority: str, bbox: Box) -> list[Param]:
    west, south, east, north = bbox
    return [authority, west, east, south, north]


def _rows(sql: str, params: Sequence[Param]) -> list[tuple[Any, ...]]:  # Any: column values
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        rows: list[tuple[Any, ...]] = cursor.fetchall()  # Any: column values
        return rows


def _view_of(row: tuple[Any, ...]) -> CameraView:  # Any: column values
    return CameraView(
        id=row[0],
        label=row[1],
        site_id=row[2],
        at=Point(float(row[3]), float(row[4])),
        azimuth_deg=row[5],
        hfov_deg=row[6],
        range_m=row[7],
        kind=row[8],
        megapixels=row[9],
        purpose=row[10],
        ptz=bool(row[11]),
        health=_fresh(row[12], _instant(row[13]), system_clock()),
        health_at=_instant(row[13]),
    )


def _instant(value: datetime | str | None) -> datetime | None:
    """A raw column as aware UTC: SQLite hands out text without offset."""
    if value is None:
        return None
    parsed = datetime.fromisoformat(value) if isinstance(value, str) else value
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed


def camera_view(authority: str, camera_id: str) -> CameraView | None:
    """One camera of a city."""
    rows = _rows(
        f"SELECT {_COLUMNS} FROM video_camera c JOIN video_site s ON s.id = c.site_id"  # noqa: S608 -- constants
        f" WHERE c.authority = %s AND c.id = %s AND {_LON} IS NOT NULL AND {_LAT} IS NOT NULL",
        [authority, camera_id],
    )
    return _view_of(rows[0]) if rows else None


def search_cameras(authority: str, text: str, limit: int = 20) -> list[CameraView]:
    """Cameras whose label, site or address holds the text."""
    like = f"%{text.strip()}%"
    rows = _rows(
        f"SELECT {_COLUMNS} FROM video_camera c JOIN video_site s ON s.id = c.site_id"  # noqa: S608 -- constants
        f" WHERE c.authority = %s AND c.active AND {_LON} IS NOT NULL AND {_LAT} IS NOT NULL"
        " AND (c.label LIKE %s OR s.name LIKE %s OR s.road_address LIKE %s OR s.lot_address LIKE %s) LIMIT %s",
        [authority, like, like, like, like, limit],
    )
    return [_view_of(row) for row in rows]


def grants_of(case_id: str) -> list[VideoGrant]:
    """Every grant of a case, newest first, each with `viewers` (who watch now) and `.grant_cameras` fetched."""
    return list(grant_rows(Q(case_id=case_id)))


def grant_rows(where: Q) -> QuerySet[VideoGrant]:
    """Grants with what screens show of them: `case`, cameras and the number of viewers now."""
    return (
        VideoGrant.objects.filter(where)
        .select_related("case")
        .prefetch_related("grant_cameras")
        .annotate(viewers=Count("views", filter=Q(views__ended_at=None), distinct=True))
        .order_by("-requested_at", "-pk")
    )


def camera_ids_of(grant: VideoGrant) -> list[str]:
    """The cameras a grant covers now, best first; empty for a roster grant."""
    links = [link for link in grant.grant_cameras.all() if link.until_version is None]
    return [link.camera_id for link in sorted(links, key=lambda link: link.rank)]


def register(authority: str, month: str) -> list[ProvisionRecord]:
    """The register rows of a Korean calendar month `YYYY-MM`, oldest first."""
    start, end = _register.month_bounds(month)
    rows = ProvisionRecord.objects.filter(authority_id=authority, from_at__gte=start, from_at__lt=end)
    return list(rows.order_by("from_at"))


def aggregate(authority: str, year: int, modes: Iterable[Mode] = (Mode.LIVE,)) -> list[Aggregate]:
    """What the public page shows (PIPA §18④), without investigations."""
    return _register.aggregate(authority, year, modes)


def retention_days(camera: Camera) -> int:
    """How long the camera's recordings are kept: its own figure, its site's, its purpose's, else 30 days."""
    own = camera.retention_days or camera.site.retention_days
    if own:
        return own
    row = PurposeRetention.objects.filter(authority_id=camera.authority_id, purpose=camera.site.purpose).first()
    return row.days if row is not None else 30


def disclosure_by_receipt(authority: str, receipt: str) -> DisclosureRequest | None:
    """A citizen's request by its receipt number."""
    return DisclosureRequest.objects.filter(authority_id=authority, receipt=receipt.strip().upper()).first()


def media_url() -> str:
    """Where viewers connect."""
    return _config().view_url
