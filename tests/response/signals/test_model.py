"""Every signal ends in exactly one incident, shelf or rejection, and a crash between groups changes nothing (I7)."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from madang.identity.models import Authority
from madang.identity.rights import system_actor
from madang.journal import civic
from madang.kernel.errors import ConflictError
from madang.kernel.mode import Mode
from madang.response import commands as response
from madang.response.config import SignalsConfig
from madang.response.domain import OPEN_STATES
from madang.response.models import Incident
from madang.response.signals import commands
from madang.response.signals.intake import Draft, Receipt
from madang.response.signals.memory import rebuild
from madang.response.signals.models import Event, Shelf, Signal, Storm
from tests.response.signals.conftest import NOW, Desk, east

pytestmark = pytest.mark.django_db(transaction=True)
CLASSES = ("intrusion", "loitering", "emergency_bell", "motion", "device_tampered")
_CONFIG = SignalsConfig(group=7, openings=3, storm_events=3, operator_items=5)
_OPEN = [state.value for state in OPEN_STATES]


class Signals(RuleBasedStateMachine):
    """Devices, people and crashes in any order."""

    city: str

    def __init__(self) -> None:
        super().__init__()
        wipe()
        self.desk = Desk(self.city, config=_CONFIG)
        self.known: list[Draft] = []
        self.new = 0

    # ---------------------------------------------------------------------------------------- what can happen

    @rule(
        kinds=st.lists(
            st.tuples(
                st.sampled_from(CLASSES), st.integers(0, 5), st.integers(0, 12), st.sampled_from((0, 0, 0, 5, 45)),
                st.booleans(), st.sampled_from((Mode.SIMULATED, Mode.SIMULATED, Mode.EXERCISE)),
            ),
            min_size=1, max_size=12,
        )
    )  # fmt: skip
    def devices_report(self, kinds: list[tuple[str, int, int, int, bool, Mode]]) -> None:
        drafts = [
            self.desk.draft(
                class_code,
                device=f"D-{device}",
                at=east(90.0 * place),
                ago_s=ago,
                ending=ending and ago == 0,
                mode=mode,
            )
            for class_code, device, place, ago, ending, mode in kinds
        ]
        self.known += drafts
        answers = self.desk.take_in(*drafts)
        assert {answer.receipt for answer in answers} == {Receipt.NEW}
        self.new += len(answers)

    @precondition(lambda self: self.known)
    @rule(picks=st.lists(st.integers(0, 10_000), min_size=1, max_size=8))
    def senders_repeat_themselves(self, picks: list[int]) -> None:
        answers = self.desk.take_in(*(self.known[pick % len(self.known)] for pick in picks))
        assert {answer.receipt for answer in answers} == {Receipt.REPEATED}

    @rule(seconds=st.sampled_from((1, 10, 100, 700, 2_000)))
    def time_passes(self, seconds: int) -> None:
        self.desk.wait(seconds)

    @rule()
    def a_group_is_settled(self) -> None:
        self.desk.settlement.run_once()

    @rule()
    def the_core_is_killed(self) -> None:
        self.desk.restarted()

    @rule()
    def timers_fire(self) -> None:
        self.desk.fire_timers()

    @rule(pick=st.integers(0, 10_000), reason=st.just("확인"))
    def somebody_splits_an_event(self, pick: int, reason: str) -> None:
        events = list(Event.objects.order_by("pk"))
        if not events:
            return
        try:
            with civic.transaction() as tx:
                commands.split(tx, self.desk.actor, events[pick % len(events)].pk, reason, self.desk.now)
        except ConflictError:
            return

    @rule(pick=st.integers(0, 10_000), other=st.integers(0, 10_000))
    def somebody_merges_two_incidents(self, pick: int, other: int) -> None:
        rows = list(Incident.objects.filter(state__in=["NEW"]).order_by("pk"))
        if not rows:
            return
        try:
            with civic.transaction() as tx:
                commands.merge(
                    tx, self.desk.actor, rows[pick % len(rows)].pk, rows[other % len(rows)].pk, self.desk.now
                )
        except ConflictError:
            return

    @rule(pick=st.integers(0, 10_000))
    def somebody_closes_an_incident(self, pick: int) -> None:
        rows = list(Incident.objects.filter(state__in=_OPEN).order_by("pk"))
        if rows:
            with civic.transaction() as tx:
                response.close_incident(tx, system_actor(self.city), rows[pick % len(rows)].pk, "", self.desk.now)

    @rule(device=st.integers(0, 5))
    def somebody_shelves_a_device(self, device: int) -> None:
        try:
            with civic.transaction() as tx:
                commands.shelve(
                    tx, self.desk.actor, authority=self.city, mode=Mode.SIMULATED, source="sensor",
                    device=f"D-{device}", minutes=10, reason="점검", now=self.desk.now,
                )  # fmt: skip
        except ConflictError:
            return

    @rule()
    def somebody_takes_a_device_off_its_shelf(self) -> None:
        shelf = Shelf.objects.filter(ended_at="").order_by("pk").first()
        if shelf is not None:
            with civic.transaction() as tx:
                commands.unshelve(tx, self.desk.actor, shelf.pk, "점검 끝", self.desk.now)

    # -------------------------------------------------------------------------------------- what always holds

    @invariant()
    def nothing_is_lost_or_doubled(self) -> None:
        assert Signal.objects.count() == self.new
        assert sum(Event.objects.values_list("signals", flat=True)) == Signal.objects.filter(outcome="incident").count()

    @invariant()
    def every_settled_signal_ended_in_exactly_one_place(self) -> None:
        events = dict(Event.objects.values_list("pk", "incident_id"))
        incidents = set(Incident.objects.values_list("pk", flat=True))
        shelves = set(Shelf.objects.values_list("pk", flat=True))
        for row in Signal.objects.exclude(outcome=""):
            ends = (row.event_id in events, row.shelf_id in shelves, row.outcome == "reject")
            assert sum(ends) == 1, (row.outcome, row.reason, ends)
            assert not row.event_id or events[row.event_id] in incidents

    @invariant()
    def modes_are_never_mixed(self) -> None:
        modes = dict(Incident.objects.values_list("pk", "mode"))
        of_events = dict(Event.objects.values_list("pk", "mode"))
        for mode, event_id in Signal.objects.exclude(event_id="").values_list("mode", "event_id"):
            assert of_events[event_id] == mode
        assert all(modes[incident] == mode for mode, incident in Event.objects.values_list("mode", "incident_id"))

    @invariant()
    def what_is_urgent_is_never_hidden_in_a_storm(self) -> None:
        open_storms = set(Storm.objects.values_list("incident_id", flat=True)) & set(
            Incident.objects.filter(class_code="storm", state__in=_OPEN).values_list("pk", flat=True)
        )
        hidden = Event.objects.filter(incident_id__in=open_storms, priority__lte=1)
        merged_by_hand = set(
            Incident.objects.filter(merged_into_id__in=open_storms).values_list("source_key", flat=True)
        )
        assert not [row.pk for row in hidden if not any(key.startswith(row.pk) for key in merged_by_hand)]

    @invariant()
    def the_operator_is_given_no_more_than_the_cap(self) -> None:
        opened: Counter[tuple[str, datetime]] = Counter()
        rows: Any = Event.objects.exclude(presented_at="").values_list("mode", "presented_at")  # Any: pairs
        items = [(mode, datetime.fromisoformat(at)) for mode, at in rows]
        items += [(row.mode, datetime.fromisoformat(row.opened_at)) for row in Storm.objects.all()]
        closed_storms = Storm.objects.filter(open=False).count()
        for mode, at in items:
            opened[mode, at] = sum(m == mode and at - timedelta(seconds=600) < other <= at for m, other in items)
        assert max(opened.values(), default=0) <= _CONFIG.operator_items + closed_storms

    @invariant()
    def what_is_remembered_follows_from_the_tables(self) -> None:
        memory = self.desk.settlement._memory
        if memory is None:
            return
        with civic.reading() as tx:
            changed = tx.execute(
                "SELECT COUNT(*) FROM journal_change WHERE seq > ? AND kind IN ('incident', 'shelf')", (memory.cursor,)
            )[0][0]
            if changed:
                return
            fresh = rebuild(tx, _CONFIG, self.desk.now).correlator
        assert view(memory.correlator, self.desk.now) == view(fresh, self.desk.now)

    def teardown(self) -> None:
        self.desk.settle()
        self.every_settled_signal_ended_in_exactly_one_place()
        self.nothing_is_lost_or_doubled()
        assert not Signal.objects.filter(outcome="").exists()


def view(correlator: Any, now: datetime) -> dict[str, object]:  # Any: looks inside
    """Everything a correlator remembers that can still matter."""
    from madang.response.signals.instants import ms_at

    now_ms = ms_at(now)
    alive = {key: event for key, event in correlator.events.items() if correlator._alive(event, now_ms)}
    return {
        "events": {
            key: {name: getattr(event, name) for name in event.__slots__ if name != "text"}
            for key, event in alive.items()
        },
        "storms": {key: storm.incident_id for key, storm in correlator.storms.items()},
        "shelves": {key: (s.id, s.until_ms) for key, s in correlator.shelves.items() if now_ms < s.until_ms},
        "times": {key: times for key, times in correlator.times.items() if times and times[-1] > now_ms - 60_000},
        "last": {key: value for key, value in correlator.last.items() if value[0] in alive},
        "items": {
            k: [t for t in v if t > now_ms - 600_000]
            for k, v in correlator.items.items()
            if v and v[-1] > now_ms - 600_000
        },
        "openings": {
            k: [t for t in v if t > now_ms - 600_000]
            for k, v in correlator.openings.items()
            if v and v[-1] > now_ms - 600_000
        },
    }


def wipe() -> None:
    """Empties what a run of the machine left."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("PRAGMA foreign_keys=OFF")
        for table in connection.introspection.table_names():
            if table.startswith(("signals_", "response_", "journal_", "video_")):
                cursor.execute(f'DELETE FROM "{table}"')
        cursor.execute("PRAGMA foreign_keys=ON")


def test_the_room_of_signals_keeps_its_promises_on_every_path(authority: Authority) -> None:
    Signals.city = authority.code
    run_state_machine_as_test(
        Signals,
        settings=settings(
            max_examples=15, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


def test_the_same_signals_settle_the_same_with_and_without_crashes(authority: Authority) -> None:
    import random

    def settled(crash: bool) -> list[tuple[object, ...]]:
        wipe()
        dice = random.Random(5)
        desk = Desk(authority.code, config=_CONFIG)
        desk.now = NOW
        for _ in range(12):
            desk.wait(dice.choice((1, 5, 40)))
            drafts = [
                desk.draft(dice.choice(CLASSES), device=f"D-{dice.randrange(6)}", at=east(90.0 * dice.randrange(9)))
                for _ in range(dice.randrange(1, 20))
            ]
            desk.take_in(*drafts, *dice.sample(drafts, len(drafts) // 3))
            while desk.settlement.run_once():
                if crash:
                    desk.restarted()
        order = {row.id: number for number, row in enumerate(Signal.objects.order_by("seq"))}
        return [
            (order[row.id], row.outcome, row.reason, order.get(row.event_id), order.get(row.shelf_id))
            for row in Signal.objects.order_by("seq")
        ]

    assert settled(crash=False) == settled(crash=True)
