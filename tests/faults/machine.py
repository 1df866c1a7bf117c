"""A shift at random: calls, signals, people, hand-overs, video and crashes, over the real commands on a real store."""

from __future__ import annotations

import random
from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from madang.identity.rights import Actor
from madang.journal import civic
from madang.kernel.errors import MadangError
from madang.kernel.geometry import destination
from madang.kernel.mode import Mode
from madang.response import commands as response
from madang.response import todo
from madang.response.commands import CallKey
from madang.response.duty import commands as duty
from madang.response.duty import presence
from madang.response.duty.models import Handover
from madang.response.models import Incident, Task
from madang.response.signals import commands as signals
from madang.response.signals.models import Event, Shelf
from madang.video import commands as video
from madang.video.models import Lease, VideoGrant
from tests.faults.promises import Witness
from tests.faults.room import CITY, HALL, SIMULATED, Room, tx

PICK = st.integers(0, 10_000)
WHO = st.sampled_from(("kim", "lee", "chief"))
CLASSES = ("intrusion", "loitering", "emergency_bell", "motion", "crowd")
STEPS = ("verify", "activate", "stabilise", "dismiss", "close_incident", "reopen_incident")
NEEDS_WORDS = frozenset({"dismiss", "close_incident", "reopen_incident"})


class Shift(RuleBasedStateMachine):
    """Any order of what happens on a shift. A refusal changes nothing; every promise holds after each step."""

    def __init__(self) -> None:
        super().__init__()
        self.room = Room(random.Random(0))
        self.witness = Witness()
        self.refused = 0

    # ------------------------------------------------------------------------------------------------ inside

    def attempt(self, work: Callable[..., object], *words: object, **more: object) -> None:
        """Does it in one transaction; refused, it must have left nothing."""
        before = self._mark()
        try:
            with tx() as session:
                work(session, *words, **more)
        except MadangError:
            self.refused += 1
            assert self._mark() == before, "a refusal left something behind"

    def _mark(self) -> tuple[object, ...]:
        with civic.reading() as session:
            return tuple(
                session.execute(f"SELECT MAX(seq), COUNT(*) FROM {table}")[0]
                for table in ("journal_change", "journal_outbox", "journal_audit")
            )

    def who(self, name: str) -> Actor:
        found = getattr(self.room, name)
        assert isinstance(found, Actor)
        return found

    def incident(self, pick: int) -> str:
        found = list(Incident.objects.order_by("pk").values_list("pk", flat=True))
        return found[pick % len(found)] if found else "none"

    # ----------------------------------------------------------------------------------------- what comes in

    @rule(
        key=st.integers(0, 3),
        code=st.integers(0, 4),
        seq=st.integers(1, 9),
        mode=st.sampled_from((SIMULATED, Mode.EXERCISE)),
    )
    def the_police_call(self, key: int, code: int, seq: int, mode: Mode) -> None:
        import dataclasses

        wanted = dataclasses.replace(self.room.call(f"c-{key}", code, seq), mode=mode)
        self.attempt(response.open_incident, self.room.police, wanted, self.room.now)

    @rule(key=st.integers(0, 3), seq=st.integers(1, 9), what=st.sampled_from(("update", "close", "cancel")))
    def the_police_say_more(self, key: int, seq: int, what: str) -> None:
        call = CallKey(CITY, SIMULATED, "police112", self.room.agency.code, f"c-{key}")
        police, now = self.room.police, self.room.now
        if what == "update":
            self.attempt(response.update_incident, police, call, seq=seq, facts={"text": f"s{seq}"}, now=now)
        elif what == "close":
            self.attempt(response.close_call, police, call, seq=seq, reason="끝", now=now)
        else:
            self.attempt(response.cancel_incident, police, call, seq=seq, reason="오인", now=now)

    @rule(
        kinds=st.lists(
            st.tuples(st.sampled_from(CLASSES), st.integers(0, 3), st.integers(0, 5)), min_size=1, max_size=6
        )
    )
    def devices_report(self, kinds: list[tuple[str, int, int]]) -> None:
        drafts = [
            self.room.draft(kind, device=f"D-{device}", at=destination(HALL, 90, 100.0 * place))
            for kind, device, place in kinds
        ]
        self.room.take_in(*drafts, *drafts[:2])

    @rule()
    def signals_are_settled(self) -> None:
        self.room.settle()

    @rule()
    def the_core_is_killed(self) -> None:
        self.room.restart()

    @rule(seconds=st.sampled_from((1, 20, 200, 2_000)))
    def time_passes(self, seconds: int) -> None:
        self.room.wait(seconds)

    @rule()
    def the_relay_works(self) -> None:
        self.room.work()

    # -------------------------------------------------------------------------------------------- what people do

    @rule(pick=PICK, who=WHO, over=st.booleans(), version=st.none() | st.integers(1, 4))
    def somebody_claims(self, pick: int, who: str, over: bool, version: int | None) -> None:
        self.attempt(response.claim, self.who(who), self.incident(pick), self.room.now, take_over=over, version=version)

    @rule(pick=PICK, who=WHO, step=st.sampled_from(STEPS), reason=st.sampled_from(("", "확인", "확인")))
    def somebody_moves_it(self, pick: int, who: str, step: str, reason: str) -> None:
        words = (reason,) if step in NEEDS_WORDS else ()
        self.attempt(getattr(response, step), self.who(who), self.incident(pick), *words, self.room.now)

    @rule(pick=PICK, who=WHO, priority=st.integers(0, 4))
    def somebody_sets_the_priority(self, pick: int, who: str, priority: int) -> None:
        self.attempt(response.set_priority, self.who(who), self.incident(pick), priority, self.room.now)

    @rule(pick=PICK, other=PICK)
    def somebody_merges(self, pick: int, other: int) -> None:
        self.attempt(signals.merge, self.room.kim, self.incident(pick), self.incident(other), self.room.now)

    @precondition(lambda self: Event.objects.exists())
    @rule(pick=PICK)
    def somebody_splits(self, pick: int) -> None:
        events = list(Event.objects.order_by("pk").values_list("pk", flat=True))
        self.attempt(signals.split, self.room.kim, events[pick % len(events)], "따로", self.room.now)

    @rule(device=st.integers(0, 3))
    def somebody_shelves(self, device: int) -> None:
        self.attempt(
            signals.shelve, self.room.chief, authority=CITY, mode=SIMULATED, source="sensor", device=f"D-{device}",
            minutes=5, reason="점검", now=self.room.now,
        )  # fmt: skip

    @rule()
    def somebody_unshelves(self) -> None:
        shelf = Shelf.objects.filter(ended_at="").order_by("pk").first()
        self.attempt(signals.unshelve, self.room.chief, shelf.pk if shelf else "none", "끝", self.room.now)

    @rule(pick=PICK, who=WHO, to=WHO, text=st.sampled_from(("", "현장 확인")))
    def somebody_writes_a_task(self, pick: int, who: str, to: str, text: str) -> None:
        self.attempt(todo.add, self.who(who), self.incident(pick), text, 300.0, self.room.now, to=self.who(to).id)

    @precondition(lambda self: Task.objects.exists())
    @rule(pick=PICK, who=WHO, deed=st.sampled_from(("take", "complete", "snooze")))
    def somebody_does_a_task(self, pick: int, who: str, deed: str) -> None:
        tasks = list(Task.objects.order_by("pk").values_list("pk", flat=True))
        words: tuple[object, ...] = {"take": (), "complete": ("함",), "snooze": (5.0, "대기")}[deed]
        now = self.room.now
        args = (*words, now)
        self.attempt(getattr(todo, deed), self.who(who), tasks[pick % len(tasks)], *args)

    # ------------------------------------------------------------------------------------------------- hand-overs

    @rule(who=WHO, to=WHO, brief=st.sampled_from(("", "교대")), some=st.booleans(), pick=PICK)
    def somebody_hands_over(self, who: str, to: str, brief: str, some: bool, pick: int) -> None:
        chosen = [self.incident(pick)] if some else None
        self.attempt(
            duty.hand_over, self.who(who), CITY, self.who(to).id, brief, self.room.now,
            incident_ids=chosen, mode=SIMULATED,
        )  # fmt: skip

    @precondition(lambda self: Handover.objects.exists())
    @rule(pick=PICK, who=WHO, deed=st.sampled_from(("accept_handover", "decline_handover", "withdraw_handover")))
    def somebody_answers_a_hand_over(self, pick: int, who: str, deed: str) -> None:
        rows = list(Handover.objects.order_by("pk"))
        row, actor = rows[pick % len(rows)], self.who(who)
        owned = dict(Incident.objects.values_list("pk", "owner"))
        words = ("바쁨",) if deed == "decline_handover" else ()
        self.attempt(getattr(duty, deed), actor, row.pk, *words, self.room.now)
        for incident, owner in Incident.objects.values_list("pk", "owner"):
            changed = owner != owned[incident]
            assert not changed or (deed == "accept_handover" and actor.id == row.receiver == owner)

    @rule(who=WHO)
    def a_screen_is_heard(self, who: str) -> None:
        presence.LOOKOUT.look(self.room.now, 15)
        presence.seen(self.who(who), CITY, self.room.now)

    @rule(who=WHO)
    def an_operator_crashes(self, who: str) -> None:
        """Their screen is silent for three minutes while the platform listens."""
        self.room.live(180, step_s=10)
        if presence.alive(self.who(who).id, self.room.now):
            return
        from madang.response.duty.models import Presence

        if Presence.objects.filter(pk=self.who(who).id).exists():
            held = Incident.objects.filter(
                owner=self.who(who).id, state__in=("NEW", "VERIFYING", "ACTIVE", "STABILISED")
            )
            assert not held.exists(), "a silent operator still holds a claim"

    # ------------------------------------------------------------------------------------------------------ video

    @precondition(lambda self: VideoGrant.objects.exists())
    @rule(pick=PICK, who=WHO, deed=st.sampled_from(("approve", "deny", "extend", "revoke")))
    def somebody_decides_a_grant(self, pick: int, who: str, deed: str) -> None:
        grants = list(VideoGrant.objects.order_by("pk").values_list("pk", flat=True))
        grant, actor, now = grants[pick % len(grants)], self.who(who), self.room.now
        if deed in ("approve", "deny"):
            self.attempt(video.decide_grant, actor, grant, deed == "approve", "판단", now)
        elif deed == "extend":
            self.attempt(video.extend_grant, actor, grant, "계속", now)
        else:
            self.attempt(video.revoke_grant, actor, grant, "끝", now)

    @precondition(lambda self: VideoGrant.objects.filter(state__in=("APPROVED", "ACTIVE")).exists())
    @rule(pick=PICK, who=st.sampled_from(("kim", "police")))
    def somebody_opens_a_lease(self, pick: int, who: str) -> None:
        grants = list(VideoGrant.objects.filter(state__in=("APPROVED", "ACTIVE")).order_by("pk"))
        grant = grants[pick % len(grants)]
        camera = self.room.cameras[pick % len(self.room.cameras)]
        self.attempt(
            video.open_lease, self.who(who), camera_id=camera, grant_id=grant.pk, viewer_name="시험", now=self.room.now
        )

    @rule(who=WHO, reason=st.sampled_from(("", "인명 위험")))
    def somebody_breaks_the_glass(self, who: str, reason: str) -> None:
        self.attempt(video.break_glass, self.who(who), self.room.cameras[:1], reason, self.room.now)

    # -------------------------------------------------------------------------------------------- what always holds

    @invariant()
    def every_promise_holds(self) -> None:
        self.witness.look(self.room.now)

    def teardown(self) -> None:
        self.room.settle()
        self.room.work()
        self.witness.look(self.room.now)
        assert not Lease.objects.filter(ended_at=None, grant__ended_at__isnull=False).exists()
        self.room.leave()
