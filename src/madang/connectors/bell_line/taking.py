"""What follows from what bells say: signals for presses, inspections for tests, heard-at for every sign of life."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any  # Any: JSON values

from madang.connectors.bell_line.config import BellLineConfig
from madang.connectors.bell_line.wire import Intercom, Kind, Said
from madang.facilities.commands import Result, record_inspection
from madang.facilities.models import Facility
from madang.identity.access import require
from madang.identity.rights import Actor, Right, Thing, system_actor
from madang.journal.session import Session
from madang.kernel.clock import SEOUL, parse_instant
from madang.kernel.mode import Mode
from madang.response.signals.intake import Answer, Draft, Receipt, accept
from madang.response.signals.models import Signal

log = logging.getLogger(__name__)
TESTER = "bell_line"
PLACE_ACCURACY_M = 10.0


@dataclass(frozen=True, slots=True)
class Line:
    """Whose bells they are, in which mode, who hands them over."""

    authority: str
    mode: Mode
    actor: Actor
    config: BellLineConfig


def take(tx: Session, line: Line, said: Sequence[Said], now: datetime) -> list[Answer]:
    """Keeps what bells said; the answers stand in its order. Durable once `tx` commits, and the same twice is once."""
    require(line.actor, Right.SEND_SIGNAL, Thing(line.authority, agency=line.actor.agency))
    said = _as_first_told(line, said)
    known = _registered(line, {one.bell for one in said})
    meant = [_kind(one, known.get(one.bell), line.config, now) for one in said]
    drafts = {
        at: _draft(line, one, kind, known.get(one.bell))
        for at, (one, kind) in enumerate(zip(said, meant, strict=True))
        if _is_signal(one, kind)
    }
    kept = dict(zip(drafts, accept(tx, line.actor, list(drafts.values()), now) if drafts else (), strict=True))
    _hear(line, said, known, now)
    for one, kind in zip(said, meant, strict=True):
        bell = known.get(one.bell)
        if kind is Kind.TEST and bell is not None:
            _tested(tx, line, bell, one, now)
    return [kept.get(at, Answer(Receipt.NEW)) for at in range(len(said))]


def _as_first_told(line: Line, said: Sequence[Said]) -> list[Said]:
    """Messages without a time of their own keep the time they first arrived at: sent again, they are the same."""
    ids = [one.id for one in said if not one.timed]
    rows = Signal.objects.filter(authority_id=line.authority, mode=line.mode.value, source="bell", source_id__in=ids)
    first = {(device, ident): parse_instant(at) for device, ident, at in rows.values_list(*_FIRST)} if ids else {}
    return [
        one if one.timed else replace(one, observed_at=first.setdefault((one.bell, one.id), one.observed_at))
        for one in said
    ]


_FIRST = ("device", "source_id", "observed_at")


def _registered(line: Line, numbers: set[str]) -> dict[str, Facility]:
    """The facility of each bell number: by the whole key, or by what follows the agency's code in it."""
    rows = Facility.objects.filter(authority_id=line.authority, kind="bell")
    found: dict[str, Facility] = {row.source_key: row for row in rows.filter(source_key__in=numbers)}
    missing = numbers - set(found)
    if missing:
        keys = _by_ending(rows.values_list("source_key", flat=True), missing)
        ended = {row.source_key: row for row in rows.filter(source_key__in=keys.values())}
        found |= {number: ended[key] for number, key in keys.items()}
    return found


def _by_ending(keys: Iterable[str], wanted: set[str]) -> dict[str, str]:
    """The one key that ends in `:number`, for each number that one key only ends in."""
    ending: defaultdict[str, list[str]] = defaultdict(list)
    for key in keys:
        parts = key.split(":")
        for begin in range(1, len(parts)):
            ending[":".join(parts[begin:])].append(key)
    return {number: ending[number][0] for number in wanted if len(ending[number]) == 1}


def _kind(one: Said, bell: Facility | None, config: BellLineConfig, now: datetime) -> Kind:
    """What it counts as: a test of a bell nobody knows, or that nobody planned where that is asked for, is a press."""
    if one.kind is not Kind.TEST:
        return one.kind
    if bell is None:
        return Kind.PRESS
    today = now.astimezone(SEOUL).date()
    planned = not config.tests_planned_only or bell.inspections.filter(state="planned", due_on=today).exists()
    return Kind.TEST if planned else Kind.PRESS


def _is_signal(one: Said, kind: Kind) -> bool:
    return kind in (Kind.PRESS, Kind.RESET, Kind.TAMPER) or (kind is Kind.INTERCOM and one.pressed)


_TEXT = {
    Kind.PRESS: "비상벨이 눌렸습니다",
    Kind.RESET: "비상벨이 복구되었습니다",
    Kind.TAMPER: "비상벨 함이 열리거나 훼손되었습니다",
    Kind.INTERCOM: "비상벨 통화",
}
_INTERCOM_KO = {"idle": "종료", "ringing": "호출 중", "talking": "연결됨", "failed": "연결 실패"}


def _draft(line: Line, one: Said, kind: Kind, bell: Facility | None) -> Draft:
    """The register's place is believed before the message's; what is not registered is marked, never lost."""
    registered = bell is not None and bell.lon is not None and bell.lat is not None
    attributes: dict[str, Any] = {
        "kind": one.kind.value,
        "intercom": one.intercom,
        "battery": one.battery,
        "device_time": one.device_time,
        "facility_id": bell.pk if bell else "",
        "name": str(bell) if bell else "",
        "police_link": bell.police_link if bell else "unknown",
        "registered": bell is not None,
    }
    return Draft(
        authority=line.authority,
        mode=line.mode,
        source="bell",
        source_id=one.id,
        device=one.bell,
        class_code="device_tampered" if kind is Kind.TAMPER else "emergency_bell",
        observed_at=one.observed_at,
        lon=bell.lon if registered and bell else one.lon,
        lat=bell.lat if registered and bell else one.lat,
        accuracy_m=PLACE_ACCURACY_M,
        address=bell.address if bell else "",
        text=_words(one, kind, bell),
        attributes={name: value for name, value in attributes.items() if value not in ("", None)},
        ending=kind is Kind.RESET,
    )


def _words(one: Said, kind: Kind, bell: Facility | None) -> str:
    words = [_TEXT[kind]]
    if kind is Kind.PRESS and one.kind is Kind.TEST:
        words.append("(시험 신호이나 예정된 점검 없음)")
    if one.intercom and kind in (Kind.INTERCOM, Kind.PRESS):
        words.append(f"· 통화 {_INTERCOM_KO[one.intercom]}")
    if bell is not None and bell.police_link == "yes":
        words.append("· 경찰 연계 벨")
    return " ".join([*words, one.text]).strip()


def _hear(line: Line, said: Sequence[Said], known: Mapping[str, Facility], now: datetime) -> None:
    """Every message is a sign of life. Silence is judged of those that sent a heartbeat: `expected_every_s`."""
    for one in said:
        bell = known.get(one.bell)
        if bell is None:
            log.info("a bell that is not registered speaks: %s", one.bell)
            continue
        at = min(one.observed_at, now)
        if bell.heard_at is None or at > bell.heard_at:
            bell.heard_at = at
        if one.kind is Kind.HEARTBEAT and line.config.heartbeat_s > 0 and bell.expected_every_s is None:
            bell.expected_every_s = line.config.heartbeat_s
        bell.attributes = {**_attributes(bell), **_state(one)}
    rows = {row.pk: row for row in known.values()}
    Facility.objects.bulk_update(rows.values(), ["heard_at", "expected_every_s", "attributes"], batch_size=500)


def _attributes(bell: Facility) -> dict[str, Any]:  # Any: JSON values
    return bell.attributes if isinstance(bell.attributes, dict) else {}


def _state(one: Said) -> dict[str, Any]:  # Any: JSON values
    state = {"intercom": one.intercom, "battery": one.battery}
    return {name: value for name, value in state.items() if value not in ("", None)}


def _tested(tx: Session, line: Line, bell: Facility, one: Said, now: datetime) -> None:
    """A test press is an inspection of that day, once: passed, unless the intercom failed."""
    day = min(one.observed_at, now).astimezone(SEOUL).date()
    failed = one.intercom == Intercom.FAILED.value
    result = "fail" if failed else "pass"
    if bell.inspections.filter(state="done", done_on=day, recorded_by=TESTER, result=result).exists():
        return
    note = f"시험 누름 {one.bell}" + (": 통화 연결 실패" if failed else "")
    record_inspection(tx, system_actor(line.authority, TESTER), bell.pk, Result(day, result, note), now)
