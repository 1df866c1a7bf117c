"""What a survey or a video system knows of cameras, many at once: where they look, how far, and their stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from madang.identity.access import require
from madang.identity.rights import Actor, Right, Thing
from madang.journal import changes, civic
from madang.journal.session import Session
from madang.kernel.mode import Mode
from madang.video.commands.sites import bump_coverage, sealed_stream

_CHUNK = 400
"""Keys asked for in one statement: SQLite takes a bounded number of parameters."""

_CAMERAS_OF = (
    "SELECT s.source_key, c.number, c.id, s.id FROM video_camera c JOIN video_site s ON s.id = c.site_id"
    " WHERE s.authority = ? AND s.source_key IN (MARKS)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyRow:
    """One camera of a site; what is None is left as it is. Degrees clockwise from north, metres.

    `source_key` is the site's key as imported (agency code and number), `number` counts cameras of a site from 1.
    """

    source_key: str
    number: int
    azimuth_deg: float | None = None
    hfov_deg: float | None = None
    range_m: float | None = None
    height_m: float | None = None
    ptz: bool | None = None
    surveyed_on: date | None = None
    stream_url: str | None = None


def put_survey(tx: Session, actor: Actor, authority: str, rows: Sequence[SurveyRow], now: datetime) -> list[SurveyRow]:
    """Writes what the rows know into the city's cameras; returns the rows whose camera does not exist.

    An azimuth counts as surveyed only with its date. Stream addresses are sealed, and refused outside the configured
    networks and schemes.
    """
    require(actor, Right.MANAGE_CAMERAS, Thing(authority))
    known = _known(tx, authority, sorted({row.source_key for row in rows}))
    found = [(row, known[row.source_key, row.number]) for row in rows if (row.source_key, row.number) in known]
    tx.executemany(
        "UPDATE video_camera SET azimuth_deg = coalesce(?, azimuth_deg), azimuth_surveyed_on = coalesce(?,"
        " azimuth_surveyed_on), hfov_deg = coalesce(?, hfov_deg), range_m = coalesce(?, range_m), height_m ="
        " coalesce(?, height_m), ptz = coalesce(?, ptz), kind = coalesce(?, kind) WHERE id = ?",
        [_values(row, camera_id) for row, (camera_id, _) in found],
    )
    streams = [
        (sealed_stream(row.stream_url, site_id, row.number), camera_id)
        for row, (camera_id, site_id) in found
        if row.stream_url is not None
    ]
    tx.executemany("UPDATE video_camera SET stream_sealed = ? WHERE id = ?", streams)
    bump_coverage(tx, authority)
    changes.touch(tx, kind="camera", ref="*", authority=authority, now=now)
    civic.audit(
        tx,
        authority=authority,
        actor=actor.id,
        action="video.cameras.surveyed",
        thing=f"authority:{authority}",
        mode=Mode.LIVE,
        now=now,
        body={"cameras": len(found), "streams": len(streams), "keys": [row.source_key for row, _ in found][:1000]},
        retention="administration",
    )
    return [row for row in rows if (row.source_key, row.number) not in known]


def _known(tx: Session, authority: str, keys: Sequence[str]) -> dict[tuple[str, int], tuple[str, str]]:
    """Camera and site id by (site key, camera number)."""
    found: dict[tuple[str, int], tuple[str, str]] = {}
    for start in range(0, len(keys), _CHUNK):
        part = keys[start : start + _CHUNK]
        marks = ", ".join("?" * len(part))
        query = _CAMERAS_OF.replace("MARKS", marks)
        found |= {(key, number): (camera, site) for key, number, camera, site in tx.execute(query, (authority, *part))}
    return found


def _values(row: SurveyRow, camera_id: str) -> tuple[object, ...]:
    surveyed = row.azimuth_deg is not None and row.surveyed_on is not None
    kind = "ptz" if row.ptz else "fixed" if surveyed else None
    azimuth = row.azimuth_deg % 360 if surveyed and row.azimuth_deg is not None else None
    day = row.surveyed_on.isoformat() if surveyed and row.surveyed_on is not None else None
    return azimuth, day, row.hfov_deg, row.range_m, row.height_m, row.ptz, kind, camera_id
