"""The invariants of RESPONSE §5 (I1–I5) over every sequence of requests, answers, extensions and closings."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, MultipleResults, RuleBasedStateMachine, consumes, invariant, multiple, rule

from madang.kernel.decisions import Accepted, Rejected
from madang.kernel.mode import Mode
from madang.video import domain
from madang.video.decision_table import Outcome, Ruling
from madang.video.domain import (
    ENDED_STATES,
    LIVE_STATES,
    OPEN_STATES,
    TRANSITIONS,
    Decision,
    Grant,
    GrantEvent,
    GrantKind,
    GrantState,
    LeaseAsked,
    Moved,
    VideoRight,
)
from madang.video.legal import LegalBasis

T0 = datetime(2026, 11, 22, tzinfo=UTC)
CAP_S = 7_200
PENDING_S = 900
CAMERAS = [f"cam-{number}" for number in range(6)]
SCOPE = frozenset(CAMERAS[:4])

rulings = st.builds(
    Ruling,
    outcome=st.sampled_from(Outcome),
    rule=st.just("video-grant@1#row"),
    rights=st.lists(st.sampled_from([right.value for right in VideoRight]), max_size=3).map(tuple),
    max_cameras=st.integers(1, 12),
    duration_s=st.integers(1, 100_000),
)
bases = st.sampled_from([None, *LegalBasis])


def test_no_state_is_a_dead_end_but_the_ended_ones() -> None:
    reachable = {state for state, _ in TRANSITIONS}
    assert reachable == OPEN_STATES
    assert set(TRANSITIONS.values()) == set(GrantState) - {GrantState.REQUESTED}


@given(ruling=rulings, basis=bases, open_=st.booleans(), cameras=st.sets(st.sampled_from(CAMERAS)))
def test_no_request_is_approved_without_open_case_basis_and_scope(
    ruling: Ruling, basis: LegalBasis | None, open_: bool, cameras: set[str]
) -> None:
    grant = Grant(basis=basis, case_open=open_, cameras=frozenset(cameras), scope=SCOPE, requested_by="agency:112")
    decision = domain.decide_request(grant, ruling, cap_s=CAP_S, pending_s=PENDING_S, now=T0)
    if isinstance(decision, Rejected):
        assert not open_ or not cameras <= SCOPE
        return
    after = domain.evolve(grant, decision.events[0])
    if after.state is GrantState.APPROVED:
        assert open_ and basis is not None and cameras <= SCOPE
        assert ruling.outcome is Outcome.APPROVE
        assert after.expires_at is not None and T0 < after.expires_at <= T0 + timedelta(seconds=CAP_S)
        assert after.rights and after.rights <= grant.rights
    else:
        assert after.state in (GrantState.PENDING_HUMAN, GrantState.DENIED)
    if after.state is GrantState.PENDING_HUMAN:
        assert after.rights <= {VideoRight(right) for right in ruling.rights}


@settings(max_examples=400)
@given(
    state=st.sampled_from([*LIVE_STATES] * 4 + [*GrantState]),
    expires=st.integers(-10, 60),
    open_=st.sampled_from([True, True, True, False]),
    kind=st.sampled_from(GrantKind),
    rights=st.sets(st.sampled_from(VideoRight)).map(lambda held: held | {VideoRight.LIVE} if len(held) % 2 else held),
    camera_mode=st.sampled_from(Mode),
    grant_mode=st.sampled_from(Mode),
    viewers=st.integers(0, 4),
    purpose=st.sampled_from(["", "생활방범", "교통단속"]),
)
def test_no_lease_without_a_live_grant_and_none_outlives_it(
    state: GrantState,
    expires: int,
    open_: bool,
    kind: GrantKind,
    rights: set[VideoRight],
    camera_mode: Mode,
    grant_mode: Mode,
    viewers: int,
    purpose: str,
) -> None:
    grant = Grant(
        kind=kind,
        state=state,
        case_open=open_,
        rights=frozenset(rights),
        cameras=frozenset({"cam-1"}),
        not_before=T0 - timedelta(seconds=1),
        expires_at=T0 + timedelta(seconds=expires),
        mode=grant_mode,
    )
    asked = LeaseAsked("cam-1", camera_mode, purpose, grant, viewers, 3, frozenset({"생활방범"}))
    until = domain.decide_lease(asked, lease_s=30, now=T0)
    if isinstance(until, Rejected):
        return
    assert state in LIVE_STATES and VideoRight.LIVE in rights
    assert T0 < until <= min(T0 + timedelta(seconds=30), T0 + timedelta(seconds=expires))
    assert kind is not GrantKind.CASE or open_
    assert kind is not GrantKind.ROSTER or purpose == "생활방범"
    assert (camera_mode is Mode.LIVE) == (grant_mode is Mode.LIVE)
    assert viewers < 3


def test_a_camera_outside_the_grant_gets_no_lease() -> None:
    grant = Grant(state=GrantState.ACTIVE, case_open=True, cameras=SCOPE, expires_at=T0 + timedelta(hours=1))
    refused = domain.decide_lease(LeaseAsked("cam-5", Mode.LIVE, "", grant, 0, 9), lease_s=30, now=T0)
    assert refused == Rejected("camera_not_granted")


@pytest.mark.parametrize(
    ("reason", "cameras", "locked", "code"),
    [
        ("불 켜진 창에 사람", {"cam-1"}, True, "review_overdue"),
        ("??", {"cam-1"}, False, "reason_missing"),
        ("불 켜진 창에 사람", set(), False, "no_cameras"),
        ("불 켜진 창에 사람", set(CAMERAS), False, "too_many_cameras"),
    ],
)
def test_glass_is_not_broken_lightly(reason: str, cameras: set[str], locked: bool, code: str) -> None:
    refused = domain.decide_break_glass(reason=reason, cameras=frozenset(cameras), max_cameras=4, locked=locked)
    assert refused is not None and refused.code == code


def test_broken_glass_is_live_at_once_and_cannot_be_extended() -> None:
    grant = Grant(kind=GrantKind.BREAK_GLASS, requested_by="person:1", cameras=SCOPE)
    decision = domain.broken_glass(grant, by="person:1", reason="화재 연기", duration_s=600, now=T0)
    assert isinstance(decision, Accepted)
    live = domain.evolve(grant, decision.events[0])
    assert live.state is GrantState.ACTIVE and live.live_at(T0)
    assert not live.live_at(T0 + timedelta(seconds=600))
    refused = domain.decide_extend(live, by="person:2", reason="", cap_s=CAP_S, duration_s=600, now=T0)
    assert refused == Rejected("not_extendable", {"kind": "break_glass"})


class GrantLife(RuleBasedStateMachine):
    """Grants of one case lived at random; the invariants hold after every step."""

    grants: Bundle[str] = Bundle("grants")

    def __init__(self) -> None:
        super().__init__()
        self.now = T0
        self.open = True
        self.rows: dict[str, Grant] = {}
        self.history: dict[str, list[Grant]] = {}

    def take(self, name: str, decision: Decision) -> None:
        if isinstance(decision, Accepted):
            for event in decision.events:
                self.rows[name] = domain.evolve(self.rows[name], event)
            self.history[name].append(self.rows[name])

    @rule(
        target=grants, ruling=rulings, basis=bases, cameras=st.sets(st.sampled_from(CAMERAS)), by=st.sampled_from("ab")
    )
    def request(
        self, ruling: Ruling, basis: LegalBasis | None, cameras: set[str], by: str
    ) -> str | MultipleResults[str]:
        name = f"grant-{len(self.rows)}"
        grant = Grant(requested_by=by, basis=basis, case_open=self.open, cameras=frozenset(cameras), scope=SCOPE)
        decision = domain.decide_request(grant, ruling, cap_s=CAP_S, pending_s=PENDING_S, now=self.now)
        if isinstance(decision, Rejected):
            return multiple()
        self.rows[name], self.history[name] = grant, [grant]
        self.take(name, decision)
        return name

    @rule(name=grants, by=st.sampled_from("abc"), approve=st.booleans(), duration=st.integers(1, 20_000))
    def decide(self, name: str, by: str, approve: bool, duration: int) -> None:
        decision = domain.decide_human(
            self.rows[name], by=by, approve=approve, reason="", rule="r", cap_s=CAP_S, duration_s=duration, now=self.now
        )
        self.take(name, decision)
        if isinstance(decision, Accepted) and approve:
            assert by != self.rows[name].requested_by

    @rule(name=grants, by=st.sampled_from("abc"), duration=st.integers(1, 20_000))
    def extend(self, name: str, by: str, duration: int) -> None:
        before = self.rows[name]
        decision = domain.decide_extend(before, by=by, reason="", cap_s=CAP_S, duration_s=duration, now=self.now)
        self.take(name, decision)
        if isinstance(decision, Accepted):
            assert self.rows[name].version == before.version + 1

    @rule(name=grants, cameras=st.sets(st.sampled_from(CAMERAS)))
    def rescope(self, name: str, cameras: set[str]) -> None:
        before = self.rows[name]
        decision = domain.decide_rescope(before, by="system", cameras=frozenset(cameras), reason="")
        self.take(name, decision)
        grown = self.rows[name].cameras - before.cameras
        if grown and before.state in LIVE_STATES:
            assert self.rows[name].version > before.version

    @rule(name=grants)
    def view(self, name: str) -> None:
        self.take(name, domain.step(self.rows[name], Moved(GrantEvent.FIRST_VIEW, by="v")))

    @rule(name=consumes(grants))
    def revoke(self, name: str) -> None:
        self.take(name, domain.step(self.rows[name], Moved(GrantEvent.REVOKE, by="s")))

    @rule(seconds=st.integers(1, 4_000))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        for name, grant in self.rows.items():
            if grant.expires_at is not None and grant.expires_at <= self.now:
                self.take(name, domain.step(grant, Moved(GrantEvent.EXPIRE, by="timer")))

    @rule()
    def close(self) -> None:
        self.open = False
        for name, grant in self.rows.items():
            self.rows[name] = replace(grant, case_open=False)
            self.take(name, domain.step(self.rows[name], Moved(GrantEvent.CLOSE_INCIDENT, by="s")))

    @invariant()
    def what_is_live_may_be(self) -> None:
        for grant in self.rows.values():
            if grant.live_at(self.now):
                assert self.open and grant.basis is not None  # I1
                assert grant.expires_at is not None
                assert grant.expires_at <= self.now + timedelta(seconds=CAP_S)  # I2
                assert grant.cameras <= grant.scope  # I4
                assert grant.decided_by != grant.requested_by  # I5

    @invariant()
    def closing_ends_everything(self) -> None:
        if not self.open:
            assert all(grant.state in ENDED_STATES for grant in self.rows.values())

    @invariant()
    def what_has_ended_stays_ended(self) -> None:
        for steps in self.history.values():
            ended = [grant.state in ENDED_STATES for grant in steps]
            assert ended == sorted(ended)


TestGrantLife = GrantLife.TestCase
TestGrantLife.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
