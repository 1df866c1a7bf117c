"""The roster: teams, shifts planned for them, and taking up a planned shift. A shift itself is video's `DutyShift`,
because it carries the right to watch."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta

from madang.identity.access import require
from madang.identity.models import Person
from madang.identity.rights import Actor, Right, Thing
from madang.journal import civic
from madang.journal.session import Session
from madang.kernel.errors import BadRequestError, ConflictError, NotFoundError
from madang.kernel.mode import Mode
from madang.response.duty.domain import span_on
from madang.response.duty.models import Team
from madang.response.duty.presence import duty_config
from madang.video import commands as video
from madang.video.models import DutyShift

LONGEST_DAYS = 62


def put_team(tx: Session, actor: Actor, authority: str, name: str, people: Collection[str], now: datetime) -> Team:
    """Makes a team, or gives one of that name these members. Needs `ASSIGN_ROSTER`."""
    require(actor, Right.ASSIGN_ROSTER, Thing(authority))
    name = name.strip()[:40]
    if not name:
        raise BadRequestError("a team needs a name", where="name", ko="조 이름을 적으십시오.")
    team, _ = Team.objects.get_or_create(authority_id=authority, name=name)
    team.members.set(_people(authority, people))
    _audit(tx, actor, authority, "team.changed", f"team:{team.name}", now, {"members": sorted(people)})
    return team


def _people(authority: str, keys: Collection[str]) -> list[Person]:
    found = list(
        Person.objects.filter(pk__in=keys, role_assignments__authority_id=authority, is_active=True).distinct()
    )
    if len(found) != len(set(keys)):
        raise NotFoundError("somebody named is not of this city", ko="이 도시의 사람이 아닙니다.")
    return found


def plan(
    tx: Session,
    actor: Actor,
    authority: str,
    days: tuple[date, date],
    shift: str,
    people: Collection[str],
    now: datetime,
) -> list[DutyShift]:
    """Plans one shift of each day (first to last) for these people (Person keys). Needs `ASSIGN_ROSTER`.

    All or nothing: somebody who already has a shift at that time refuses the whole plan.
    """
    require(actor, Right.ASSIGN_ROSTER, Thing(authority))
    first, last = days
    if not timedelta(0) <= last - first <= timedelta(days=LONGEST_DAYS):
        raise BadRequestError(f"a plan covers up to {LONGEST_DAYS} days", where="days", ko="기간을 확인하십시오.")
    if shift not in duty_config().shifts:
        raise BadRequestError(f"there is no shift {shift}", where="shift", ko="없는 근무 시간대입니다.")
    chosen = _people(authority, people)
    if not chosen:
        raise BadRequestError("nobody is named", where="people", ko="근무할 사람을 고르십시오.")
    made: list[DutyShift] = []
    for n in range((last - first).days + 1):
        span = span_on(first + timedelta(days=n), shift)
        for person in chosen:
            _refuse_overlap(authority, person, span.from_at, span.to_at)
            made.append(video.assign_shift(tx, actor, authority, person.pk, span.from_at, span.to_at, now))
    who = {"people": [person.pk for person in chosen], "first": str(first), "last": str(last)}
    _audit(tx, actor, authority, "roster.planned", f"shift:{shift}", now, who)
    return made


def _refuse_overlap(authority: str, person: Person, from_at: datetime, to_at: datetime) -> None:
    others = DutyShift.objects.filter(authority_id=authority, person=person, ended_at=None)
    if others.filter(from_at__lt=to_at, to_at__gt=from_at).exists():
        raise ConflictError(
            f"{person.display_name} has a shift at that time already",
            where="people",
            ko=f"{person.display_name} 님은 그 시간에 이미 근무가 있습니다 ({from_at:%m-%d %H:%M}).",
        )


def unplan(tx: Session, actor: Actor, shift_id: str, now: datetime) -> None:
    """Takes a planned shift off the roster that nobody has begun. Needs `ASSIGN_ROSTER`."""
    shift = DutyShift.objects.select_for_update().filter(pk=shift_id).first()
    if shift is None:
        raise NotFoundError(ko="근무를 찾을 수 없습니다.")
    require(actor, Right.ASSIGN_ROSTER, Thing(shift.authority_id))
    if shift.accepted_at is not None or shift.ended_at is not None:
        raise ConflictError("the shift has begun or is over", ko="이미 시작했거나 끝난 근무입니다.")
    shift.ended_at = now
    shift.save(update_fields=["ended_at"])
    tx.wake("changes")
    _audit(tx, actor, shift.authority_id, "roster.unplanned", f"shift:{shift.pk}", now, {"person": shift.person_id})


def planned_for(actor_id: str, authority: str, now: datetime) -> DutyShift | None:
    """The planned shift somebody may begin now: under way, or about to be."""
    early = now + timedelta(seconds=duty_config().early_s)
    waiting = DutyShift.objects.filter(
        authority_id=authority,
        person_id=actor_id.partition(":")[2],
        accepted_at=None,
        ended_at=None,
        from_at__lte=early,
        to_at__gt=now,
    )
    return waiting.order_by("from_at").first()


def begin(tx: Session, actor: Actor, authority: str, now: datetime) -> DutyShift:
    """Takes up the planned shift: on duty until its planned end. `ConflictError` when none is planned now."""
    planned = planned_for(actor.id, authority, now)
    if planned is None:
        raise ConflictError("no shift is planned for you now", ko="지금 시작할 수 있는 근무가 근무표에 없습니다.")
    planned.ended_at = now
    planned.save(update_fields=["ended_at"])
    hours = (planned.to_at - now).total_seconds() / 3_600
    return video.start_shift(tx, actor, authority, hours, now)


def _audit(
    tx: Session, actor: Actor, authority: str, action: str, thing: str, now: datetime, body: Mapping[str, object]
) -> None:
    civic.audit(tx, authority=authority, actor=actor.id, action=action, thing=thing, mode=Mode.LIVE, now=now, body=body)
