"""Reading evidence. Lists tell what there is; every look at a picture or a film is in the access log."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from madang.identity.access import require
from madang.identity.models import Person
from madang.identity.rights import Actor, Right, Thing
from madang.journal.models import AuditRow
from madang.journal.session import Session
from madang.kernel.clock import instant_text
from madang.kernel.decisions import Rejected
from madang.kernel.errors import BadRequestError, NotFoundError
from madang.video.commands.leases import received
from madang.video.domain import LIVE_STATES
from madang.video.evidence import commands, record, vault
from madang.video.evidence.domain import HELD, Kind
from madang.video.evidence.models import Export, Item, Look
from madang.video.evidence.refusals import refuse
from madang.video.legal import BASIS_KO, NOT_FOR_OTHERS
from madang.video.models import Case, GrantCamera
from madang.video.register import month_bounds

JsonRow = dict[str, Any]  # Any: JSON values
_BASIS_KO = {basis.value: ko for basis, ko in BASIS_KO.items()}


@dataclass(frozen=True, slots=True)
class Content:
    """What is looked at."""

    data: bytes
    media_type: str
    name: str


def of_incident(actor: Actor, incident_id: str, now: datetime) -> JsonRow:
    """An incident's evidence, its exports, and what may be recorded now."""
    case = (
        Case.objects.filter(incident_id=incident_id, authority_id__in=actor.authorities).order_by("-opened_at").first()
    )
    if case is None:
        return {"items": [], "exports": [], "recordable": [], "bases": []}
    require(actor, Right.SEE_EVIDENCE, Thing(case.authority_id))
    items = Item.objects.filter(incident_id=incident_id, authority_id=case.authority_id).order_by("-wanted_at")
    exports = Export.objects.filter(incident_id=incident_id, authority_id=case.authority_id).order_by("-requested_at")
    return {
        "items": item_rows(items[:500], now),
        "exports": export_rows(exports.prefetch_related("chosen")[:100]),
        "recordable": _recordable(actor, case, now) if case.state == "open" else [],
        "bases": [{"code": basis.value, "ko": ko} for basis, ko in BASIS_KO.items() if basis not in NOT_FOR_OTHERS],
    }


def _recordable(actor: Actor, case: Case, now: datetime) -> list[JsonRow]:
    live = [state.value for state in LIVE_STATES]
    links = GrantCamera.objects.filter(
        grant__case=case, grant__state__in=live, grant__expires_at__gt=now, until_version=None
    ).select_related("grant", "camera", "camera__site")
    found: dict[str, JsonRow] = {}
    for link in links.order_by("rank"):
        if not received(actor, link.grant):
            continue
        rights = set(link.grant.rights)
        row = found.setdefault(
            link.camera_id,
            {"id": link.camera_id, "label": link.camera.label, "record": False, "past_s": 0.0},
        )
        row["record"] = row["record"] or "record" in rights
        if rights & {"record", "playback"}:
            row["past_s"] = commands.past_seconds(link.camera)
    return list(found.values())


def of_city(actor: Actor, authority: str, month: str, now: datetime) -> JsonRow:
    """Who took and who handed over what in a month (`YYYY-MM`, Korean time), and why."""
    require(actor, Right.SEE_EVIDENCE, Thing(authority))
    start, end = _month(month)
    items = Item.objects.filter(authority_id=authority, wanted_at__gte=start, wanted_at__lt=end).order_by("-wanted_at")
    exports = Export.objects.filter(authority_id=authority, requested_at__gte=start, requested_at__lt=end)
    return {
        "items": item_rows(items.select_related("case")[:2_000], now),
        "exports": export_rows(exports.order_by("-requested_at").prefetch_related("chosen")[:2_000]),
    }


def _month(text: str) -> tuple[datetime, datetime]:
    try:
        return month_bounds(text)
    except ValueError:
        raise BadRequestError("month must be YYYY-MM", where="month", ko="달은 2026-11처럼 적으십시오.") from None


def history(actor: Actor, item_id: str) -> list[JsonRow]:
    """Who did what with an item, from the audit chain."""
    row = _seen(actor, item_id)
    lines = list(AuditRow.objects.filter(stream=row.authority_id, thing=f"evidence:{row.pk}").order_by("seq")[:500])
    names = _names({line.actor for line in lines})
    return [
        {
            "at": line.at,
            "by": line.actor,
            "name": names.get(line.actor, line.actor),
            "act": line.action.removeprefix("evidence."),
        }
        for line in lines
    ]


def _names(actors: set[str]) -> dict[str, str]:
    people = [actor.removeprefix("person:") for actor in actors if actor.startswith("person:")]
    return {f"person:{person.pk}": str(person.name_ko) for person in Person.objects.filter(pk__in=people)}


def picture(tx: Session, actor: Actor, item_id: str, now: datetime) -> Content:
    """A still, once looked at in the access log for an hour."""
    row = _held(_seen(actor, item_id))
    if row.kind != Kind.STILL:
        raise NotFoundError("this is not a still", ko="정지영상이 아닙니다.")
    _note_look(tx, row, actor, now)
    return _content(row)


def film(tx: Session, actor: Actor, item_id: str, now: datetime) -> Content:
    """A recording, for who may play back what was; each time in the access log."""
    row = _held(_seen(actor, item_id))
    if row.kind == Kind.STILL:
        raise NotFoundError("this is not a recording", ko="녹화가 아닙니다.")
    require(actor, Right.VIEW_PLAYBACK, Thing(row.authority_id))
    record.log_access(tx, row, actor, "played", now)
    return _content(row)


def still_bytes(item_id: str) -> bytes | None:
    """A still for a report that somebody with the right is making; None when it was erased or damaged."""
    row = Item.objects.filter(pk=item_id, kind=Kind.STILL, state__in=HELD).first()
    if row is None:
        return None
    try:
        return _content(row).data
    except vault.EvidenceDamagedError:
        return None


def _seen(actor: Actor, item_id: str) -> Item:
    row = Item.objects.select_related("grant").filter(pk=item_id, authority_id__in=actor.authorities).first()
    if row is None:
        raise NotFoundError("there is no such evidence", ko="증거를 찾을 수 없습니다.")
    require(actor, Right.SEE_EVIDENCE, Thing(row.authority_id))
    return row


def _held(row: Item) -> Item:
    if row.state not in HELD:
        refuse(Rejected("nothing_held", {"state": row.state}))
    return row


def _content(row: Item) -> Content:
    data = b"".join(vault.read(row.pk, row.key_sealed, row.pieces, row.digest))
    return Content(data, row.media_type, f"{row.kind}-{row.pk[-8:]}")


def _note_look(tx: Session, row: Item, actor: Actor, now: datetime) -> None:
    look = Look.objects.filter(item=row, viewer=actor.id).first()
    if look is not None and now - look.at < timedelta(seconds=record.config().look_again_s):
        return
    Look.objects.update_or_create(item=row, viewer=actor.id, defaults={"at": now})
    record.log_access(tx, row, actor, "seen", now)


def item_rows(items: Iterable[Item], now: datetime) -> list[JsonRow]:
    """Evidence as screens show it."""
    return [_item_row(item, now) for item in items]


def _item_row(item: Item, now: datetime) -> JsonRow:
    locked = item.locked_until is not None and now < item.locked_until
    return {
        "id": item.pk,
        "kind": item.kind,
        "state": item.state,
        "mode": item.mode,
        "incident_id": item.incident_id,
        "camera": {"id": item.camera_id, "label": item.camera_label},
        "taken_by": {"id": item.taken_by, "name": item.taken_by_name},
        "reason": item.reason,
        "wanted_at": instant_text(item.wanted_at),
        "began_at": _text(item.began_at),
        "ended_at": _text(item.ended_at),
        "most_s": item.most_s,
        "width": item.width,
        "height": item.height,
        "bytes": item.bytes,
        "digest": item.digest,
        "fault": item.fault,
        "halted": bool(item.halted_by),
        "lock": {
            "by": {"id": item.locked_by, "name": item.locked_by_name},
            "until": _text(item.locked_until),
            "reason": item.lock_reason,
        }
        if locked
        else None,
        "keep_until": _text(item.keep_until),
        "erased_at": _text(item.erased_at),
        "erased_by": item.erased_by,
    }


def export_rows(exports: Iterable[Export]) -> list[JsonRow]:
    """Exports as screens and the register show them."""
    return [
        {
            "id": row.pk,
            "state": row.state,
            "mode": row.mode,
            "incident_id": row.incident_id,
            "incident_number": row.incident_number,
            "recipient": {"name": row.recipient_name, "office": row.recipient_office},
            "basis": row.basis,
            "basis_ko": _BASIS_KO.get(row.basis, row.basis),
            "purpose": row.purpose,
            "requested_by": {"id": row.requested_by, "name": row.requested_by_name},
            "requested_at": instant_text(row.requested_at),
            "decided_by": {"id": row.decided_by, "name": row.decided_by_name} if row.decided_by else None,
            "decided_at": _text(row.decided_at),
            "reason": row.reason,
            "ready_at": _text(row.ready_at),
            "fetched_at": _text(row.fetched_at),
            "bytes": row.bytes,
            "manifest_digest": row.manifest_digest,
            "fault": row.fault,
            "items": [one.item_id for one in row.chosen.all()],
        }
        for row in exports
    ]


def _text(at: datetime | None) -> str | None:
    return instant_text(at) if at is not None else None


__all__ = ["Content", "film", "history", "of_city", "of_incident", "picture", "still_bytes"]
