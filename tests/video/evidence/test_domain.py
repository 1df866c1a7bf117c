"""The state machines of evidence, on every path: nothing stored is thrown away, nobody decides alone, locks hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from madang.kernel.decisions import Accepted, Rejected
from madang.video.evidence import domain
from madang.video.evidence.domain import (
    EXPORT_OPEN,
    EXPORT_STEPS,
    HELD,
    ITEM_STEPS,
    UNDER_WAY,
    Export,
    ExportEvent,
    ExportState,
    Item,
    ItemState,
    Kind,
)

START = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
PEOPLE = st.sampled_from(["person:a", "person:b", "person:c"])
REASONS = st.sampled_from(["", "짧음", "재판 증거 보전"])


class ItemLife(RuleBasedStateMachine):
    """Pieces and ends in any order and number, locks by anybody, time that passes, a case that closes and reopens."""

    def __init__(self) -> None:
        super().__init__()
        self.item = Item(Kind.RECORDING, keep_until=None)
        self.now = START
        self.case_open = True
        self.stored = 0
        self.before = self.item

    def put(self, item: Item) -> None:
        self.before, self.item = self.item, item

    def moved(self, state: ItemState) -> None:
        from dataclasses import replace

        keep = self.now + timedelta(days=30) if state in HELD else self.item.keep_until
        self.put(replace(self.item, state=state, keep_until=keep))

    @rule(ahead=st.integers(-2, 1))
    def piece(self, ahead: int) -> None:
        from dataclasses import replace

        number = self.item.pieces + ahead
        decision = domain.take_piece(self.item, number) if number >= 0 else None
        if isinstance(decision, Accepted):
            assert number == self.item.pieces, "stored in order, without a gap"
            self.stored += 1
            self.put(replace(self.item, state=decision.events[0], pieces=self.item.pieces + 1))
        elif isinstance(decision, Rejected):
            assert number > self.item.pieces

    @rule(ok=st.booleans(), missing=st.integers(0, 1))
    def end(self, ok: bool, missing: int) -> None:
        decision = domain.finish(self.item, ok=ok, pieces=self.item.pieces + missing)
        if isinstance(decision, Accepted):
            assert missing == 0
            self.moved(decision.events[0])

    @rule(by=PEOPLE, reason=REASONS, days=st.integers(-1, 1_200))
    def lock(self, by: str, reason: str, days: int) -> None:
        until = self.now + timedelta(days=days)
        decision = domain.lock(self.item, by=by, reason=reason, until=until, now=self.now, most_days=1_095)
        if isinstance(decision, Accepted):
            assert self.item.state in HELD and len(reason) >= domain.REASON_CHARS and 0 < days <= 1_095
            locked = decision.events[0]
            assert locked.locked_until is not None
            held = self.item.locked_until if self.item.locked_at(self.now) else None
            assert held is None or locked.locked_until >= held, "a lock is never shortened"
            self.put(locked)

    @rule(by=PEOPLE, reason=REASONS)
    def unlock(self, by: str, reason: str) -> None:
        decision = domain.unlock(self.item, by=by, reason=reason, now=self.now)
        if isinstance(decision, Accepted):
            assert self.item.locked_at(self.now) and by != self.item.locked_by
            self.put(decision.events[0])

    @rule(days=st.integers(0, 400))
    def wait(self, days: int) -> None:
        self.now += timedelta(days=days)

    @rule()
    def case(self) -> None:
        self.case_open = not self.case_open

    @rule()
    def erase(self) -> None:
        decision = domain.erase(self.item, self.now, case_open=self.case_open)
        if isinstance(decision, Accepted):
            assert not self.item.locked_at(self.now) and not self.case_open
            assert self.item.keep_until is not None and self.item.keep_until <= self.now
            self.moved(ItemState.ERASED)
        elif decision.code == "held":
            assert decision.data["again_at"] > self.now, "it is looked at again, later"

    @invariant()
    def every_step_is_in_the_table(self) -> None:
        states = self.before.state, self.item.state
        allowed = {(start, to) for (start, _), to in ITEM_STEPS.items()}
        assert states[0] == states[1] or states in allowed

    @invariant()
    def what_was_stored_is_never_called_failed(self) -> None:
        assert self.item.pieces == self.stored
        assert self.item.state is not ItemState.FAILED or self.stored == 0


class ExportLife(RuleBasedStateMachine):
    """Anybody tries anything."""

    def __init__(self) -> None:
        super().__init__()
        self.export = Export(requested_by="person:a")
        self.yes_by: str | None = None
        self.handed_over = 0

    @rule(event=st.sampled_from(list(ExportEvent)), by=PEOPLE, reason=REASONS)
    def step(self, event: ExportEvent, by: str, reason: str) -> None:
        decision = domain.decide_export(self.export, event, by=by, reason=reason)
        if isinstance(decision, Rejected):
            return
        assert self.export.state in EXPORT_OPEN, "ends lead nowhere"
        assert decision.events[0] is EXPORT_STEPS[self.export.state, event]
        self.export = Export(decision.events[0], self.export.requested_by)
        if event is ExportEvent.APPROVE:
            self.yes_by = by
        if event is ExportEvent.HAND_OVER:
            assert by == self.export.requested_by
            self.handed_over += 1

    @invariant()
    def nothing_leaves_without_another_persons_yes(self) -> None:
        past_yes = {ExportState.APPROVED, ExportState.READY, ExportState.HANDED_OVER}
        assert self.export.state not in past_yes or self.yes_by not in (None, self.export.requested_by)

    @invariant()
    def it_leaves_once(self) -> None:
        assert self.handed_over <= 1
        assert not self.handed_over or self.export.state is ExportState.HANDED_OVER


TestItemLife = ItemLife.TestCase
TestItemLife.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestExportLife = ExportLife.TestCase
TestExportLife.settings = settings(max_examples=60, stateful_step_count=12, deadline=None)


def test_ends_lead_nowhere() -> None:
    starts = {start for start, _ in ITEM_STEPS}
    assert starts == UNDER_WAY | HELD
    assert {start for start, _ in EXPORT_STEPS} == EXPORT_OPEN
