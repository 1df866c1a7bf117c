"""Handing evidence over: asked for by one person, decided on by another, packed, fetched once, and in the register."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from madang.identity.access import require
from madang.identity.rights import Actor, Right, Thing
from madang.journal import outbox
from madang.journal.session import Session
from madang.kernel.decisions import Rejected
from madang.kernel.errors import NotFoundError
from madang.kernel.mode import Mode
from madang.video.evidence import domain, record, vault
from madang.video.evidence.domain import EXPORT_OPEN, HELD, ExportEvent, ExportState
from madang.video.evidence.models import Export, ExportItem, Item
from madang.video.evidence.refusals import refuse
from madang.video.legal import NOT_FOR_OTHERS, basis_of
from madang.video.models import Case

WAKE = "evidence.packing"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for: items of one incident, for a named person of an office, on a ground, to an end."""

    incident_id: str
    items: Sequence[str]
    recipient_name: str
    recipient_office: str
    basis: str
    purpose: str


def request_export(tx: Session, actor: Actor, wanted: Wanted, now: datetime) -> Export:
    """Asks for evidence to be handed over. Nothing leaves before another person has approved."""
    rows = list(
        Item.objects.select_related("case").filter(
            pk__in=list(wanted.items)[:200], incident_id=wanted.incident_id, authority_id__in=actor.authorities
        )
    )
    authority = rows[0].authority_id if rows else _city_of(actor, wanted.incident_id)
    require(actor, Right.EXPORT_VIDEO, Thing(authority))
    _check(wanted, rows)
    row = Export.objects.create(
        authority_id=authority,
        incident_id=wanted.incident_id,
        incident_number=rows[0].case.incident_number,
        state=ExportState.REQUESTED.value,
        recipient_name=wanted.recipient_name.strip()[:100],
        recipient_office=wanted.recipient_office.strip()[:100],
        basis=wanted.basis,
        purpose=wanted.purpose.strip()[:300],
        requested_by=actor.id,
        requested_by_name=actor.name[:100],
        requested_at=now,
        mode=rows[0].mode,
    )
    ExportItem.objects.bulk_create([ExportItem(export=row, item=item) for item in rows])
    record.set_timer(tx, record.EXPORT_TIMER, row, now + timedelta(days=record.config().package_days))
    body = {"items": [item.pk for item in rows], "recipient": f"{row.recipient_office} {row.recipient_name}"}
    record.note(tx, row, actor.id, "export_requested", now, body | {"purpose": row.purpose})
    return row


def _city_of(actor: Actor, incident_id: str) -> str:
    case = Case.objects.filter(incident_id=incident_id, authority_id__in=actor.authorities).first()
    if case is None:
        raise NotFoundError("this incident has no video case", ko="영상 사건을 찾을 수 없습니다.")
    return str(case.authority_id)


def _check(wanted: Wanted, rows: list[Item]) -> None:
    if not rows or len(rows) != len(set(wanted.items)) or any(row.state not in HELD for row in rows):
        refuse(Rejected("nothing_chosen"))
    if len({row.mode for row in rows}) != 1:
        refuse(Rejected("nothing_chosen", {"why": "mode"}))
    basis = basis_of(wanted.basis)
    if basis is None or basis in NOT_FOR_OTHERS:
        refuse(Rejected("no_basis"))
    if len(wanted.purpose.strip()) < domain.REASON_CHARS:
        refuse(Rejected("reason_missing"))
    if not wanted.recipient_name.strip() or not wanted.recipient_office.strip():
        refuse(Rejected("recipient_missing"))


def export_for(actor: Actor, export_id: str) -> Export:
    """The request, locked for this transaction; another city's is not found."""
    row = Export.objects.select_for_update().filter(pk=export_id, authority_id__in=actor.authorities).first()
    if row is None:
        raise NotFoundError("there is no such export", ko="반출 요청을 찾을 수 없습니다.")
    return row


def decide(tx: Session, actor: Actor, export_id: str, approve: bool, reason: str, now: datetime) -> Export:
    """Another person's yes or no. A yes has the package made."""
    row = export_for(actor, export_id)
    require(actor, Right.APPROVE_EXPORT, Thing(row.authority_id, requested_by=row.requested_by))
    event = ExportEvent.APPROVE if approve else ExportEvent.DENY
    _step(row, event, actor.id, reason)
    if approve and any(one.item.state not in HELD for one in row.chosen.select_related("item")):
        refuse(Rejected("nothing_chosen"))
    row.decided_by, row.decided_by_name, row.decided_at = actor.id, actor.name[:100], now
    row.reason = reason.strip()[:300]
    row.ended_at = None if approve else now
    row.save()
    record.note(tx, row, actor.id, "export_approved" if approve else "export_denied", now, {"reason": row.reason})
    tx.wake(WAKE)
    return row


def withdraw(tx: Session, actor: Actor, export_id: str, reason: str, now: datetime) -> Export:
    """Whoever asked asks no more; a package that was made is forgotten."""
    row = export_for(actor, export_id)
    require(actor, Right.EXPORT_VIDEO, Thing(row.authority_id))
    _step(row, ExportEvent.WITHDRAW, actor.id, reason)
    _over(row, now)
    record.note(tx, row, actor.id, "export_withdrawn", now, {"reason": reason.strip()[:300]})
    return row


def fetch(tx: Session, actor: Actor, export_id: str, now: datetime) -> tuple[Export, bytes]:
    """The package, once, to the person who asked for it; then it is forgotten here. Returns row and ZIP bytes."""
    row = export_for(actor, export_id)
    require(actor, Right.EXPORT_VIDEO, Thing(row.authority_id))
    _step(row, ExportEvent.HAND_OVER, actor.id, "")
    package = b"".join(vault.read(row.pk, row.key_sealed, row.pieces, str(row.manifest.get("package_digest", ""))))
    row.fetched_at = now
    _over(row, now)
    body = {"recipient": f"{row.recipient_office} {row.recipient_name}", "manifest": row.manifest_digest}
    record.note(tx, row, actor.id, "handed_over", now, body)
    outbox.announce(
        tx,
        topic=record.HANDED_OVER,
        key=row.incident_id,
        body={
            "incident_id": row.incident_id,
            "export_id": row.pk,
            "recipient": f"{row.recipient_office} {row.recipient_name}",
            "items": row.chosen.count(),
            "by": actor.id,
            "by_name": actor.name,
            "manifest_digest": row.manifest_digest,
        },
        authority=row.authority_id,
        mode=Mode(row.mode),
        now=now,
    )
    return row, package


def lapse(tx: Session, export_id: str, now: datetime) -> None:
    """Nobody decided or fetched in time (timer)."""
    row = Export.objects.select_for_update().filter(pk=export_id).first()
    if row is None or row.state not in EXPORT_OPEN:
        return
    if row.state == ExportState.APPROVED:
        record.set_timer(tx, record.EXPORT_TIMER, row, now + timedelta(hours=1))
        return
    _step(row, ExportEvent.LAPSE, "system:retention", "")
    _over(row, now)
    record.note(tx, row, "system:retention", "export_lapsed", now)


def _over(row: Export, now: datetime) -> None:
    row.ended_at, row.key_sealed = now, None
    row.save()
    ident = row.pk
    transaction.on_commit(lambda: _remove(ident))


def _remove(ident: str) -> None:
    from madang.video.evidence.retention import remove_file

    remove_file(ident)


def _step(row: Export, event: ExportEvent, by: str, reason: str) -> None:
    decision = domain.decide_export(
        domain.Export(ExportState(row.state), row.requested_by), event, by=by, reason=reason
    )
    if isinstance(decision, Rejected):
        refuse(decision)
    row.state = decision.events[0].value
