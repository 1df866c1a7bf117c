"""Who is at a screen. A claim does not outlive its owner's screen: silent for too long, it is released.

A screen answers every word of the live stream with a sign of life, written at most every few seconds together with the
timer that would release what its person holds. Both are rows: a restart forgets neither. What this process does keep in
memory is since when it has been listening without a gap, so that its own silence is never taken for everybody's.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

from madang.identity.access import require
from madang.identity.rights import Actor, Right, Thing, system_actor
from madang.journal import civic, outbox, timers
from madang.journal.handlers import Timer
from madang.journal.session import Session
from madang.kernel.clock import system_clock
from madang.kernel.mode import Mode
from madang.response import commands as response
from madang.response import tasks, todo
from madang.response.config import DutyConfig
from madang.response.domain import ATTEND, OPEN_STATES
from madang.response.duty import domain
from madang.response.duty.models import Presence
from madang.response.models import Incident
from madang.response.tasks import response_config

UNSEEN = "duty.unseen"
LOST = "response.duty.owner_lost"
_OPEN = [state.value for state in OPEN_STATES]
_ATTEND = tasks.Wording(
    "담당자의 화면이 끊겼습니다. 새 담당자를 정하십시오.",
    "The owner's screen went silent: somebody must take this on.",
    "담당자를 잃은 사건을 아직 아무도 맡지 않았습니다.",
    "Nobody has taken on the incident that lost its owner.",
)


@dataclass(slots=True)
class Lookout:
    """Since when this process has listened without a gap. A gap (restart, suspension, clock step) begins it anew."""

    since: datetime | None = None
    last: datetime | None = None

    def look(self, now: datetime, gap_s: float) -> datetime:
        """Notes that the process is awake at `now`; since when it has been."""
        awake = self.last is not None and abs((now - self.last).total_seconds()) <= gap_s
        if self.since is None or not awake:
            self.since = now
        self.last = now
        return self.since

    def forget(self) -> None:
        """As after a restart."""
        self.since = self.last = None


LOOKOUT = Lookout()
EVERY_S = 5.0


def duty_config() -> DutyConfig:
    """The `[response.duty]` section."""
    return response_config().duty


async def keep_lookout() -> None:
    """Keeps the process's own watchfulness on record, until cancelled."""
    while True:
        LOOKOUT.look(system_clock(), duty_config().lookout_gap_s)
        await asyncio.sleep(EVERY_S)


@dataclass(frozen=True, slots=True)
class Heard:
    """What a sign of life led to: whether it was written down (the last may be fresh enough), and how many incidents
    were taken off this person since the one before."""

    written: bool
    lost: int = 0


def seen(actor: Actor, authority: str, now: datetime) -> Heard:
    """A sign of life from somebody's screen. Needs `KEEP_DUTY`.

    Opens its own transaction, and only when there is something to write.
    """
    require(actor, Right.KEEP_DUTY, Thing(authority, agency=actor.agency))
    config = duty_config()
    row = Presence.objects.filter(pk=actor.id).first()
    fresh = row is not None and timedelta(0) <= now - row.seen_at < timedelta(seconds=config.seen_every_s)
    if row is not None and fresh and row.released_at is None:
        return Heard(written=False)
    with civic.transaction() as tx:
        values = {"name": actor.name, "authority_id": authority, "seen_at": now, "released_at": None, "lost": 0}
        Presence.objects.update_or_create(pk=actor.id, defaults=values)
        _set_timer(tx, actor.id, authority, now + timedelta(seconds=config.unseen_s))
    return Heard(written=True, lost=row.lost if row is not None else 0)


def alive(person_id: str, now: datetime) -> bool:
    """Whether somebody's screen was heard of lately. `person_id` is the actor id, `person:…`."""
    row = Presence.objects.filter(pk=person_id).first()
    return row is not None and now - row.seen_at <= timedelta(seconds=duty_config().unseen_s)


def _set_timer(tx: Session, actor_id: str, authority: str, due_at: datetime) -> None:
    timers.set_timer(tx, kind=UNSEEN, key=actor_id, due_at=due_at, authority=authority, mode=Mode.LIVE)


def unseen(tx: Session, timer: Timer, now: datetime) -> None:
    """Nothing was heard of somebody for too long, unless it was us who did not listen: what they hold is released."""
    row = Presence.objects.select_for_update().filter(pk=timer.key).first()
    if row is None:
        return
    config = duty_config()
    listening = LOOKOUT.look(now, config.lookout_gap_s)
    release_at = domain.release_at(row.seen_at, listening, config.unseen_s)
    if now < release_at:
        _set_timer(tx, row.actor, row.authority_id, release_at)
        return
    row.released_at, row.lost = now, _release_all(tx, row, now)
    row.save(update_fields=["released_at", "lost"])


def _release_all(tx: Session, row: Presence, now: datetime) -> int:
    theirs = Incident.objects.select_for_update().filter(owner=row.actor, state__in=_OPEN)
    held = list(theirs.order_by("priority", "opened_at"))
    silent = round((now - row.seen_at).total_seconds())
    for incident in held:
        actor = system_actor(incident.authority_id)
        # Made before the release, so that the task stands at once as the supervisor's.
        tasks.need(
            tx,
            incident,
            ATTEND,
            now,
            wording=_ATTEND,
            due_s=response_config().attend_due_s,
            escalated=True,
        )
        response.release(
            tx, actor, incident.id, row.actor, f"화면 응답 없음 {silent}초 · screen silent for {silent} s", now
        )
        _announce(tx, incident, row, now)
    todo.free(tx, row.actor, now)
    return len(held)


def _announce(tx: Session, incident: Incident, row: Presence, now: datetime) -> None:
    outbox.announce(
        tx,
        topic=LOST,
        key=incident.id,
        body={"incident_id": incident.id, "owner": row.actor, "seen_at": row.seen_at.isoformat()},
        authority=incident.authority_id,
        mode=Mode(incident.mode),
        now=now,
    )
