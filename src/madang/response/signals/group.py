"""One group of signals: each settled in its order, incidents opened as they are needed, all rows written at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from django.db import connections

from madang.journal import changes, outbox, timers
from madang.journal.session import Row, Session
from madang.kernel.clock import instant_text
from madang.kernel.mode import Mode
from madang.response import timeline
from madang.response.commands import set_priority
from madang.response.config import SignalsConfig
from madang.response.domain import SaidPlace, believable_point
from madang.response.models import Incident
from madang.response.signals.correlation import Correlator, LiveEvent, LiveShelf, Seen, Verdict
from madang.response.signals.domain import Outcome, Reason, Showing, effective_priority, effective_time
from madang.response.signals.instants import at_ms, ms_at, ms_of, text_of
from madang.response.signals.opening import open_own, open_storm, ourselves
from madang.response.timeline import Line

UNSHELVE = "signals.unshelve"
"""The kind of the timers that take devices off their shelves."""
TOPIC = "response.signal.settled"
_READ = (
    "seq, id, authority, mode, source, device, class_code, observed_at, received_at, lon, lat, accuracy_m, address,"
    " priority, text, ending, rule, effects"
)
_EVENT = (
    "id, authority, mode, class_code, priority, source, device, district, lon, lat, accuracy_m, address, text,"
    " first_at, last_at, ended_at, opened_at, presented_at, counted, signals, incident_id, storm_id, splits"
)
_SAVE_EVENT = (
    f"INSERT INTO signals_event ({_EVENT}) VALUES ({', '.join('?' * 23)}) ON CONFLICT (id) DO UPDATE SET"  # noqa: S608 -- constants
    " priority = excluded.priority, first_at = excluded.first_at, last_at = excluded.last_at,"
    " ended_at = excluded.ended_at, presented_at = excluded.presented_at, signals = excluded.signals,"
    " incident_id = excluded.incident_id, storm_id = excluded.storm_id, splits = excluded.splits"
)
_GROW = (
    "UPDATE response_incident SET signal_count = signal_count + ?, last_signal_at ="
    " CASE WHEN last_signal_at IS NULL OR last_signal_at < ? THEN ? ELSE last_signal_at END WHERE id = ?"
)


def read_rows(tx: Session, limit: int) -> list[Row]:
    """The next unsettled signals, in the order they came."""
    return tx.execute(
        f"SELECT {_READ} FROM signals_signal WHERE outcome = '' ORDER BY seq LIMIT ?",  # noqa: S608 -- constants
        (limit,),
    )


@dataclass
class Group:
    """The work of one transaction. `grown` names the incidents whose figures changed, with their cities.

    `written` names the timeline lines known to be there (incident, reference): it only spares looking.
    """

    tx: Session
    correlator: Correlator
    config: SignalsConfig
    now: datetime
    written: set[tuple[str, str]]
    grown: dict[str, str] = field(default_factory=dict)
    _now_ms: int = 0
    _opened: int = 0
    _settled: list[tuple[object, ...]] = field(default_factory=list)
    _events: dict[str, LiveEvent] = field(default_factory=dict)
    _counts: Counter[str] = field(default_factory=Counter)
    _last_ms: dict[str, int] = field(default_factory=dict)
    _shelved: dict[str, LiveShelf] = field(default_factory=dict)
    _puts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._now_ms = ms_at(self.now)

    def settle(self, rows: Sequence[Row]) -> int:
        """Settles `rows` until enough incidents were opened; returns how many were settled."""
        for row in rows:
            if self._opened >= self.config.openings:
                break
            seen = self._seen(row)
            self._take(seen, row, self.correlator.settle(seen, self._now_ms))
        return len(self._settled)

    def _seen(self, row: Row) -> Seen:
        """A row as correlation looks at it."""
        seq, ident, city, mode, source, device, class_code, observed, received, lon, lat, accuracy_m, address = row[:13]
        received_ms = ms_of(received)
        at = effective_time(ms_of(observed), received_ms, round(self.config.ahead_s * 1000))
        point, _, _ = believable_point(SaidPlace(lon, lat))
        policy = self.correlator.city.policy(city, class_code)
        return Seen(
            seq=seq,
            id=ident,
            city=city,
            mode=mode,
            source=source,
            device=device,
            class_code=class_code,
            at_ms=at,
            priority=effective_priority(policy, source, row[13]),
            lon=point.lon if point else None,
            lat=point.lat if point else None,
            accuracy_m=accuracy_m,
            address=address,
            text=row[14],
            ending=bool(row[15]),
            late=received_ms - at > self.config.lateness_s * 1000,
            stale=received_ms - at > self.config.stale_s * 1000,
        )

    def _take(self, seen: Seen, row: Row, verdict: Verdict) -> None:
        """Carries out one verdict, but for the rows that are written together."""
        event, shelf = verdict.event, verdict.shelf
        if verdict.new_shelf and shelf is not None:
            self._shelve(seen, shelf)
        if event is not None:
            if verdict.show is not None:
                self._show(event, verdict)
            self._events[event.id] = event
            self._counts[event.incident_id] += 1
            self._last_ms[event.incident_id] = max(self._last_ms.get(event.incident_id, 0), seen.at_ms)
            self.grown[event.incident_id] = event.city
            self._annotate(seen, event, verdict)
        elif shelf is not None and verdict.outcome is Outcome.SHELF:
            self._puts[shelf.id] += 1
        self._settled.append(
            (
                verdict.outcome.value,
                verdict.reason.value,
                event.id if event else "",
                shelf.id if shelf and event is None and verdict.outcome is Outcome.SHELF else "",
                instant_text(self.now),
                seen.seq,
            )
        )
        if row[17]:
            self._announce(seen, row[16], row[17], verdict)

    # ---------------------------------------------------------------------------------------------- incidents

    def _show(self, event: LiveEvent, verdict: Verdict) -> None:
        if verdict.show is Showing.OWN:
            incident = open_own(self.tx, event, self.now)
            self._opened += 1
            self.correlator.move(event, incident.id)
            return
        storm = verdict.storm
        assert storm is not None, "an event without an incident of its own is in a storm"
        if not storm.incident_id:
            open_storm(self.tx, storm, event, self.now)
            self._opened += 1
        event.storm_id = storm.incident_id
        self.correlator.move(event, storm.incident_id)

    def _annotate(self, seen: Seen, event: LiveEvent, verdict: Verdict) -> None:
        """Writes on the incident's timeline what a person should know: more pressing, over, told late."""
        if verdict.raised and not event.in_storm:
            self._raise(event)
        if seen.ending:
            what = f"{seen.source} {seen.device}"
            ref = f"ended:{event.id}"
            self._line(event, Line("signal_ended", f"출처 종료 통보: {what}", f"Said to be over: {what}", ref=ref))
        elif verdict.reason is Reason.LATE:
            when = instant_text(at_ms(seen.at_ms))
            ko, en = f"늦게 도착한 신호: {when} 관측", f"A signal arrived late, observed {when}"
            self._line(event, Line("signal_late", ko, en, ref=f"late:{event.id}:{self._now_ms // 60_000}"))

    def _raise(self, event: LiveEvent) -> None:
        """The incident becomes as pressing as its event, never less than a person made it."""
        standing = Incident.objects.filter(pk=event.incident_id).values_list("priority", flat=True).first()
        if standing is not None and event.priority < standing:
            set_priority(self.tx, ourselves(event.city), event.incident_id, event.priority, self.now)

    def _line(self, event: LiveEvent, line: Line) -> None:
        """One line, once per reference; a storm's timeline is spared those of its many events."""
        if event.in_storm or (event.incident_id, line.ref) in self.written:
            return
        incident = Incident.objects.get(pk=event.incident_id)
        timeline.append(incident, line, actor=ourselves(event.city).id, now=self.now)
        self.written.add((event.incident_id, line.ref))

    def _announce(self, seen: Seen, rule: str, effects: str, verdict: Verdict) -> None:
        incident_id = verdict.event.incident_id if verdict.event else ""
        body: dict[str, Any] = {  # Any: JSON values
            "signal_id": seen.id,
            "incident_id": incident_id,
            "outcome": verdict.outcome.value,
            "source": seen.source,
            "rule": rule,
            "effects": orjson.loads(effects),
        }
        outbox.announce(
            self.tx,
            topic=TOPIC,
            key=incident_id or seen.id,
            body=body,
            authority=seen.city,
            mode=Mode(seen.mode),
            now=self.now,
        )

    # ------------------------------------------------------------------------------------------------ shelves

    def _shelve(self, seen: Seen, shelf: LiveShelf) -> None:
        city, mode, source, device = shelf.key
        at = instant_text(self.now)
        end_expired(self.tx, shelf.key, at)
        self.tx.execute(
            "INSERT INTO signals_shelf (id, authority, mode, source, device, reason, automatic, shelved_by,"
            " shelved_by_name, shelved_at, until, ended_at, ended_by, ended_by_name, ended_reason, from_seq, signals)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', '', '', '', ?, 0)",
            (
                shelf.id,
                city,
                mode,
                source,
                device,
                f"반복 신호 자동 보류 · chattering ({seen.class_code})",
                True,
                ourselves(city).id,
                "",
                at,
                text_of(shelf.until_ms),
                seen.seq,
            ),
        )
        timers.set_timer(
            self.tx, kind=UNSHELVE, key=shelf.id, due_at=at_ms(shelf.until_ms), authority=city, mode=Mode(mode)
        )
        changes.touch(self.tx, kind="shelf", ref=shelf.id, authority=city, now=self.now)

    # ------------------------------------------------------------------------------------------------ writing

    def write(self) -> None:
        """Writes every row of the group."""
        tx = self.tx
        tx.executemany(_SAVE_EVENT, [_row(event) for event in self._events.values()])
        tx.executemany(
            "UPDATE signals_signal SET outcome = ?, reason = ?, event_id = ?, shelf_id = ?, settled_at = ?"
            " WHERE seq = ?",
            self._settled,
        )
        adapt = connections["default"].ops.adapt_datetimefield_value
        grown = ((n, adapt(at_ms(self._last_ms[ident])), ident) for ident, n in self._counts.items())
        tx.executemany(_GROW, [(n, at, at, ident) for n, at, ident in grown])
        tx.executemany(
            "UPDATE signals_shelf SET signals = signals + ? WHERE id = ?", [(n, s) for s, n in self._puts.items()]
        )
        storms = {event.storm_id for event in self._events.values() if event.in_storm}
        tx.executemany(
            "UPDATE signals_storm SET last_at = ? WHERE incident_id = ?",
            [(instant_text(self.now), storm) for storm in storms],
        )


def end_expired(tx: Session, key: tuple[str, str, str, str], at: str) -> None:
    """Ends a shelf of that device whose time is over although its timer has not fired yet."""
    tx.execute(
        "UPDATE signals_shelf SET ended_at = until, ended_by = 'system:timer' WHERE authority = ? AND mode = ?"
        " AND source = ? AND device = ? AND ended_at = '' AND until <= ?",
        (*key, at),
    )


def _row(event: LiveEvent) -> tuple[object, ...]:
    return (
        event.id,
        event.city,
        event.mode,
        event.class_code,
        event.priority,
        event.source,
        event.device,
        event.district,
        event.lon,
        event.lat,
        event.accuracy_m,
        event.address,
        event.text,
        text_of(event.first_ms),
        text_of(event.last_ms),
        text_of(event.ended_ms),
        text_of(event.opened_ms),
        text_of(event.presented_ms),
        event.counted,
        event.signals,
        event.incident_id,
        event.storm_id,
        event.splits,
    )
