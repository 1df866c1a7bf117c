"""The health sweep: which cameras are looked at next, and what a look changes. Runs on the media link's thread.

Cameras are chosen by when they are due, within a rate; those whose purpose or own setting forbids it are never opened.
Every look is one camera, opened by the platform itself: nobody sees its picture and none is kept, so it is no view. How
many cameras were looked at stands in the audit chain, hour by hour.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from django.db.models import Q, QuerySet

from madang.journal import civic, outbox
from madang.journal.session import Session
from madang.kernel.clock import instant_text
from madang.kernel.mode import Mode
from madang.video.commands.sites import SEEN, set_camera_health, stream_source
from madang.video.config import VideoConfig
from madang.video.health import Fault, Look, Marks, Outcome, Record, Rules, judge, next_look_at
from madang.video.media.protocol import Looked
from madang.video.models import Camera, CameraLook

log = structlog.get_logger(__name__)
_ENROL_EVERY = timedelta(seconds=60)
_ENROL_AT_ONCE = 2_000
_ASK_EVERY = timedelta(seconds=0.9)
"""The link looks after every commit; who is due need not be asked that often."""
_TELL_EVERY = timedelta(seconds=60)
_AUDIT_EVERY = timedelta(hours=1)
_KEYS_A_MESSAGE = 500


def rules_of(config: VideoConfig) -> Rules:
    """The city's patience, as the judgement wants it."""
    return Rules(
        confirm_s=config.health_confirm_s,
        frozen_s=config.frozen_after_s,
        every_s=config.health_every_s,
        again_s=config.health_again_s,
    )


@dataclass(slots=True)
class Sweep:
    """One gateway's share of the looking. All methods run where the civic store may be used."""

    config: VideoConfig
    _budget: float = 1.0
    _at: datetime | None = None
    _asked_at: datetime | None = None
    _enrolled_at: datetime | None = None
    _told_at: datetime | None = None
    _audited_at: datetime | None = None
    _seen: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    _looked: Counter[tuple[str, str]] = field(default_factory=Counter)

    def due(self, now: datetime) -> dict[str, str]:
        """The cameras to look at now (id → source), as many as the rate allows; they are not due again for a while."""
        if self.config.health_every_s <= 0 or self.config.health_per_minute <= 0:
            return {}
        self._enrol(now)
        room = self._room(now)
        if room < 1 or (self._asked_at is not None and now - self._asked_at < _ASK_EVERY):
            return {}
        self._asked_at = now
        chosen = list(self._next(now, room))
        self._budget -= len(chosen)
        again = now + timedelta(seconds=max(self.config.health_every_s, self.config.health_look_s))
        with civic.transaction():
            CameraLook.objects.filter(pk__in=[camera.pk for camera in chosen]).update(due_at=again)
        return {camera.pk: stream_source(camera) for camera in chosen}

    def _room(self, now: datetime) -> int:
        """Looks left of the rate; what was not used is kept for ten seconds only."""
        rate = self.config.health_per_minute / 60.0
        passed = (now - self._at).total_seconds() if self._at is not None else 0.0
        self._at = now
        self._budget = min(max(1.0, 10.0 * rate), self._budget + max(0.0, passed) * rate)
        return int(self._budget)

    def _enrol(self, now: datetime) -> None:
        """Cameras that were never looked at stand in the line, a few thousand a minute."""
        if self._enrolled_at is not None and now - self._enrolled_at < _ENROL_EVERY:
            return
        self._enrolled_at = now
        fresh = self._allowed().filter(look=None).values_list("pk", flat=True)[:_ENROL_AT_ONCE]
        rows = [CameraLook(camera_id=pk, due_at=now) for pk in fresh]
        if rows:
            with civic.transaction():
                CameraLook.objects.bulk_create(rows, ignore_conflicts=True)

    def _allowed(self) -> QuerySet[Camera]:
        rows = Camera.objects.filter(active=True, may_look=True).exclude(stream_sealed=b"")
        forbidden = self.config.health_forbidden_purposes
        return rows.exclude(Q(site__purpose__in=forbidden) | Q(site__purpose_text__in=forbidden)) if forbidden else rows

    def _next(self, now: datetime, room: int) -> Iterator[Camera]:
        """The doubtful and the broken first (each waits its time between two looks), then whoever waits longest."""
        for doubtful in (True, False):
            rows = self._allowed().filter(look__doubtful=doubtful, look__due_at__lte=now)
            found = list(rows.select_related("site").order_by("look__due_at")[:room])
            yield from found
            room -= len(found)
            if room <= 0:
                return

    def take(self, heard: Looked, now: datetime) -> None:
        """Judges what a look found, keeps its marks, and lets the camera's health follow."""
        with civic.transaction() as tx:
            row = CameraLook.objects.select_related("camera__site").filter(camera_id=heard.camera).first()
            if row is None:
                return
            look = look_of(heard, now)
            record = judge(record_of(row), look, rules_of(self.config))
            _keep(row, look, record, next_look_at(record, look, rules_of(self.config)))
            self._follow(tx, row.camera, look, record, heard.reason, now)

    def _follow(self, tx: Session, camera: Camera, look: Look, record: Record, reason: str, now: datetime) -> None:
        whose = camera.authority_id, camera.mode
        self._looked[whose] += 1
        if look.outcome is Outcome.UNREADABLE:
            set_camera_health(tx, camera.pk, "degraded", now, reason, fault="")
        elif record.fault is Fault.SILENT:
            set_camera_health(tx, camera.pk, "offline", now, reason, fault=record.fault.value)
        elif record.fault is not Fault.NONE:
            set_camera_health(tx, camera.pk, "degraded", now, _TEXTS[record.fault], fault=record.fault.value)
        elif record.suspected is Fault.NONE:
            set_camera_health(tx, camera.pk, "ok", now, "", fault="")
            self._seen.setdefault(whose, set()).add(camera.site.source_key)

    def tell(self, now: datetime, *, ending: bool = False) -> None:
        """Announces the sites seen working, and writes into the audit chain how many cameras were looked at."""
        if self._seen and (ending or self._told_at is None or now - self._told_at >= _TELL_EVERY):
            self._told_at = now
            with civic.transaction() as tx:
                for (city, mode), keys in self._seen.items():
                    for part in _parts(sorted(keys)):
                        _announce_seen(tx, city, Mode(mode), part, now)
            self._seen.clear()
        if self._audited_at is None:
            self._audited_at = now
        if self._looked and (ending or now - self._audited_at >= _AUDIT_EVERY):
            with civic.transaction() as tx:
                for (city, mode), count in self._looked.items():
                    _audit(tx, city, Mode(mode), count, self._audited_at, now)
            self._looked.clear()
            self._audited_at = now


_TEXTS = {Fault.BLACK: "검은 화면 black picture", Fault.FROZEN: "멈춘 화면 frozen picture"}


def look_of(heard: Looked, now: datetime) -> Look:
    """What the media process told, checked: marks of another form are none."""
    known = heard.outcome in Outcome._value2member_map_
    outcome = Outcome(heard.outcome) if known else Outcome.UNREADABLE
    marks = tuple(Marks(one.luma, one.spread, one.blocks) for one in heard.marks[:2])
    return Look(outcome, now, tuple(one for one in marks if one.usable))


def record_of(row: CameraLook) -> Record:
    """What is remembered, as the judgement wants it."""
    return Record(Fault(row.fault), Fault(row.suspected), row.since, row.blocks)


def _keep(row: CameraLook, look: Look, record: Record, due_at: datetime) -> None:
    row.looked_at, row.due_at, row.outcome = look.at, due_at, look.outcome.value
    row.doubtful = record.suspected is not Fault.NONE
    row.fault, row.suspected, row.since, row.blocks = (
        record.fault.value,
        record.suspected.value,
        record.since,
        record.blocks,
    )
    row.save()


def _parts(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), _KEYS_A_MESSAGE):
        yield keys[start : start + _KEYS_A_MESSAGE]


def _announce_seen(tx: Session, city: str, mode: Mode, keys: Sequence[str], now: datetime) -> None:
    body = {"at": instant_text(now), "site_source_keys": list(keys)}
    outbox.announce(tx, topic=SEEN, key=f"seen:{city}", body=body, authority=city, mode=mode, now=now)


def _audit(tx: Session, city: str, mode: Mode, count: int, since: datetime, now: datetime) -> None:
    civic.audit(
        tx,
        authority=city,
        actor="system:video-health",
        action="video.health.looked",
        thing="cameras",
        mode=mode,
        now=now,
        body={"cameras": count, "from": instant_text(since), "to": instant_text(now)},
        basis="facility_management",
        retention="administration",
    )
