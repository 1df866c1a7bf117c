"""Core's side of taking: what the media process is told to keep, and storing what comes. On the media link's thread.

By state, like everything on that line: each look compares what stands in the store with what this gateway was told.
A piece is sealed and synced before it is acknowledged; a gateway that died leaves what it had delivered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog
from django.db.models import Q

from madang.journal import civic
from madang.journal.session import Session
from madang.kernel.decisions import Rejected
from madang.video.commands.leases import not_showable
from madang.video.commands.sites import stream_source
from madang.video.domain import LIVE_STATES
from madang.video.evidence import domain, record, vault
from madang.video.evidence.domain import UNDER_WAY, ItemState, Kind
from madang.video.evidence.models import Item, PastPolicy
from madang.video.media.protocol import FromCore, Halt, Keep, Kept, Piece, Take, Taken
from madang.video.models import Camera

log = structlog.get_logger(__name__)
_POLICY_EVERY_S = 5.0
_KEEP_AGAIN_S = 30.0
_AT_ONCE = 50


@dataclass(slots=True)
class EvidenceLine:
    """What one gateway was told; made anew with each connection of one."""

    told: set[str] = field(default_factory=set)
    halted: set[str] = field(default_factory=set)
    kept: dict[str, Kept] = field(default_factory=dict)
    looked_at: datetime | None = None
    kept_at: datetime | None = None

    def hello(self, takes: Sequence[str], now: datetime) -> None:
        """A gateway connects: what it does not run any more has broken off."""
        self.told = set(takes)
        for row in Item.objects.filter(state=ItemState.TAKING).exclude(pk__in=self.told):
            break_off(row.pk, "gateway_restarted", now)

    def due(self, now: datetime) -> list[FromCore]:
        """What to tell the gateway now."""
        return [*self._takes(now), *self._keeps(now)]

    def _takes(self, now: datetime) -> list[FromCore]:
        messages: list[FromCore] = []
        rows = Item.objects.filter(state__in=UNDER_WAY).select_related("lease", "grant", "grant__case", "camera")
        for row in rows.order_by("wanted_at")[:_AT_ONCE]:
            if row.pk not in self.told:
                messages += self._begin(row, now)
            elif row.pk not in self.halted and row.kind == Kind.RECORDING and (row.halted_by or not allowed(row, now)):
                self.halted.add(row.pk)
                messages.append(Halt(row.pk))
        return messages

    def _begin(self, row: Item, now: datetime) -> list[FromCore]:
        self.told.add(row.pk)
        if row.halted_by or not allowed(row, now):
            break_off(row.pk, "grant_ended", now)
            return []
        return [Take(row.pk, row.camera_id, stream_source(row.camera), row.kind, row.most_s)]

    def _keeps(self, now: datetime) -> list[FromCore]:
        if self.looked_at is not None and (now - self.looked_at).total_seconds() < _POLICY_EVERY_S:
            return []
        self.looked_at = now
        kept = cameras_with_past()
        stale = self.kept_at is None or (now - self.kept_at).total_seconds() >= _KEEP_AGAIN_S
        if kept == self.kept and not (stale and kept):
            return []
        self.kept, self.kept_at = kept, now
        return [Keep(kept)]

    def hear(self, message: Piece | Taken, now: datetime) -> bool:
        """Stores what came; False when something before it is missing, so that it must be sent again."""
        if isinstance(message, Piece):
            return _store(message, now)
        with civic.transaction() as tx:
            return _finish(tx, message, now)


def allowed(row: Item, now: datetime) -> bool:
    """Whether what an item rests on still stands: the lease for a still, the grant for the rest, the open case."""
    if row.kind == Kind.STILL:
        return not not_showable(row.lease, now)
    grant = row.grant
    if grant.state not in LIVE_STATES or grant.expires_at is None or now >= grant.expires_at:
        return False
    covered = grant.grant_cameras.filter(camera_id=row.camera_id, until_version=None).exists()
    return covered and grant.case is not None and grant.case.state == "open"


def cameras_with_past() -> dict[str, Kept]:
    """Every camera whose policy keeps the time before an event, with how much."""
    rules = list(PastPolicy.objects.filter(Q(seconds__gt=0) | Q(camera__isnull=False)))
    own = {rule.camera_id: rule.seconds for rule in rules if rule.camera_id}
    by_purpose = {(rule.authority_id, rule.purpose): rule.seconds for rule in rules if not rule.camera_id}
    if not any(rule.seconds for rule in rules):
        return {}
    purposes = [purpose for _, purpose in by_purpose]
    found = Camera.objects.filter(Q(pk__in=list(own)) | Q(site__purpose__in=purposes), active=True)
    kept: dict[str, Kept] = {}
    for camera in found.exclude(stream_sealed=b"").select_related("site").order_by("pk"):
        seconds = own.get(camera.pk, by_purpose.get((camera.authority_id, camera.site.purpose), 0))
        if seconds:
            kept[camera.pk] = Kept(stream_source(camera), min(float(seconds), record.config().past_s))
    return kept


def _store(piece: Piece, now: datetime) -> bool:
    try:
        with civic.transaction() as tx:
            return _put(tx, piece, now)
    except (OSError, vault.EvidenceDamagedError) as error:
        log.error("evidence.store_failed", item=piece.take, error=type(error).__name__)
        break_off(piece.take, "disk_full" if isinstance(error, OSError) else "damaged", now)
        return True


def _put(tx: Session, piece: Piece, now: datetime) -> bool:
    row = Item.objects.select_for_update().filter(pk=piece.take).first()
    if row is None:
        return True
    decision = domain.take_piece(record.as_domain(row), piece.number)
    if decision is None:
        return True
    if isinstance(decision, Rejected):
        return False
    assert row.key_sealed is not None, "what is under way has its key"
    row.sealed_bytes = vault.append(row.pk, row.key_sealed, piece.number, piece.data, at=row.sealed_bytes)
    began = row.state == ItemState.WANTED
    row.state = decision.events[0].value
    row.pieces, row.bytes = row.pieces + 1, row.bytes + len(piece.data)
    row.digest = vault.digest_after(row.digest, piece.data)
    row.began_at = row.began_at or now
    row.ended_at = now
    row.save()
    if began and row.kind == Kind.RECORDING:
        record.note(tx, row, row.taken_by, "recording_began", now)
    return True


def _finish(tx: Session, taken: Taken, now: datetime) -> bool:
    row = Item.objects.select_for_update().filter(pk=taken.take).first()
    if row is None:
        return True
    decision = domain.finish(record.as_domain(row), ok=taken.ok, pieces=taken.pieces)
    if decision is None:
        return True
    if isinstance(decision, Rejected):
        return False
    row.began_at = _instant(taken.began_at) or row.began_at
    row.ended_at = _instant(taken.ended_at) or row.ended_at
    row.codec, row.width, row.height = taken.codec[:40], max(taken.width, 0), max(taken.height, 0)
    record.came_to_an_end(tx, row, decision.events[0], taken.reason, now)
    return True


def _instant(seconds: float) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if 0 < seconds < 1e11 else None


def break_off(item_id: str, fault: str, now: datetime) -> None:
    """No more comes of an item: what was stored of it is kept as a part."""
    with civic.transaction() as tx:
        break_item(tx, item_id, fault, now)


def break_item(tx: Session, item_id: str, fault: str, now: datetime) -> None:
    """The same, in the caller's transaction."""
    row = Item.objects.select_for_update().filter(pk=item_id, state__in=UNDER_WAY).first()
    if row is not None:
        record.came_to_an_end(tx, row, domain.ended_as(record.as_domain(row), ok=False), fault, now)
