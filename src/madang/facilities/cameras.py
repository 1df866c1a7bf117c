"""What video tells of its cameras, brought to the sites registered here: a site is down when any camera of it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from madang.facilities.commands.outages import sign
from madang.facilities.commands.register import config
from madang.facilities.domain import Cause, Condition, Down, Kind, Up
from madang.facilities.models import Facility
from madang.facilities.seeing import note_seen
from madang.journal.session import Session
from madang.kernel.clock import instant_text, parse_instant

HEALTH = "video.camera.health"
"""{camera_id, site_source_key, health, reason, at}: one camera looks different than before."""
SEEN = "video.cameras.seen"
"""{at, site_source_keys}: sites whose cameras were all seen working; tells of no change."""
_PICTURES = {"black": Cause.BLACK, "frozen": Cause.FROZEN, "shifted": Cause.SHIFTED}
_WORST = (Cause.SILENT, Cause.BLACK, Cause.FROZEN, Cause.SHIFTED)


def take_health(tx: Session, authority: str, told: Mapping[str, Any], now: datetime) -> None:  # Any: JSON values
    """Keeps what was told of one camera of a site, and lets the site's outage follow. Late news changes nothing."""
    facility = _site(authority, str(told.get("site_source_key", "")))
    if facility is None:
        return
    camera, at = str(told.get("camera_id", "")), parse_instant(str(told["at"]))
    before = facility.parts.get(camera)
    if before is not None and parse_instant(before["at"]) > at:
        return
    part = {"health": str(told.get("health", "")), "reason": str(told.get("reason", "")), "at": instant_text(at)}
    facility.parts = {**facility.parts, camera: part}
    facility.save(update_fields=["parts"])
    _judge(tx, facility, now)


def _judge(tx: Session, facility: Facility, now: datetime) -> None:
    """A site is down since its broken cameras were last told of, and up since the last of all was."""
    parts = [(part, parse_instant(part["at"])) for part in facility.parts.values()]
    broken = [(cause, at) for part, at in parts if (cause := cause_of(part)) is not None]
    newest = max(at for _, at in parts)
    if broken:
        worst = min((cause for cause, _ in broken), key=_WORST.index)
        sign(tx, facility, Down(worst, max(at for _, at in broken)), now)
    elif any(part["health"] == "ok" for part, _ in parts):
        sign(tx, facility, Up(newest), now)
        note_seen({facility.pk: newest + timedelta(seconds=config().picture_valid_s)}, newest)


def cause_of(part: Mapping[str, str]) -> Cause | None:
    """Why a camera counts as broken; None where it works, or nothing is known of it, or it only cannot be shown."""
    if part["health"] == "offline":
        return Cause.SILENT
    return _PICTURES.get(part["reason"]) if part["health"] == "degraded" else None


def take_seen(tx: Session, authority: str, told: Mapping[str, Any], now: datetime) -> None:  # Any: JSON values
    """Sites whose cameras were looked at and found working: known until the next look."""
    at = min(parse_instant(str(told["at"])), now)
    keys: Sequence[str] = [str(key) for key in told.get("site_source_keys", ())]
    rows = Facility.objects.filter(authority_id=authority, kind=Kind.CCTV.value, source_key__in=keys, in_service=True)
    until = at + timedelta(seconds=config().picture_valid_s)
    found = list(rows)
    note_seen({facility.pk: until for facility in found}, at)
    for facility in found:
        if facility.condition == Condition.UNKNOWN and not facility.hushed:
            sign(tx, facility, Up(at), now)


def _site(authority: str, source_key: str) -> Facility | None:
    rows = Facility.objects.select_for_update()
    return rows.filter(authority_id=authority, kind=Kind.CCTV.value, source_key=source_key).first()
