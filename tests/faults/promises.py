"""What must hold of the store at any moment, whatever was done to it (RESPONSE §5, I1–I15).

Not looked at here: I3's frames (the media process's own tests), I11 (no alerts are sent yet), I12 (no persons at risk
are kept yet), I15 (no units are kept yet).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from madang.journal import civic
from madang.response.domain import OPEN_STATES, URGENT_PRIORITY
from madang.response.duty.models import HandoverItem
from madang.response.models import Incident, Task, TimelineEntry
from madang.response.signals.models import Event, Shelf, Signal
from madang.response.timeline import first_broken
from madang.video.config import VideoConfig
from madang.video.legal import basis_of
from madang.video.models import Case, GrantCamera, Lease, VideoGrant

OPEN = frozenset(state.value for state in OPEN_STATES)
LIVE = ("APPROVED", "ACTIVE")


@dataclass
class Witness:
    """Looks again and again, and remembers what it saw, for what may only grow."""

    lines: dict[str, list[str]] = field(default_factory=dict)
    cameras: dict[tuple[str, int], frozenset[str]] = field(default_factory=dict)
    settled: dict[str, tuple[str, str]] = field(default_factory=dict)
    audited: int = 0

    def look(self, now: datetime, *, steady: bool = True) -> None:
        """Everything below. `steady` is false where the platform's own clock was stepped back."""
        self.no_grant_without_an_open_incident_and_a_basis()
        self.no_grant_lives_longer_than_its_cap(now)
        self.no_lease_without_its_grant()
        self.granted_cameras_change_only_with_the_version()
        self.nobody_approves_what_they_asked_for()
        self.timelines_only_grow(steady=steady)
        self.every_settled_signal_ended_in_exactly_one_place()
        self.urgent_incidents_have_somebody()
        self.modes_are_never_mixed()
        self.nothing_is_announced_twice()
        self.one_offer_at_a_time()
        self.ended_incidents_have_nothing_to_do()
        self.the_audit_only_grows()

    def no_grant_without_an_open_incident_and_a_basis(self) -> None:
        """I1."""
        rows = VideoGrant.objects.filter(state__in=(*LIVE, "PENDING_HUMAN", "REQUESTED")).select_related("case")
        states = dict(Incident.objects.values_list("pk", "state"))
        for grant in rows.exclude(kind="break_glass"):
            if grant.kind == "case":
                assert grant.case is not None, "I1: a grant of a case has one"
                assert basis_of(grant.basis) is not None, "I1: a grant rests on a known basis"
                assert grant.case.state == "open", "I1: a grant rests on an open case"
                assert states[grant.case.incident_id] in OPEN, "I1: a grant rests on an open incident"

    def no_grant_lives_longer_than_its_cap(self, now: datetime) -> None:
        """I2: at the moment it is looked at, no live grant ends later than its cap from now."""
        longest = max(VideoConfig().cap_s(kind) for kind in ("police", "fire", "other", "control_room"))
        ends = VideoGrant.objects.filter(state__in=LIVE).exclude(expires_at=None).values_list("expires_at", flat=True)
        assert all(end is None or end <= now + timedelta(seconds=longest) for end in ends), (
            "I2: a grant outlives its cap"
        )

    def no_lease_without_its_grant(self) -> None:
        """I3, as far as the core knows."""
        orphans = Lease.objects.filter(ended_at=None).exclude(grant__state__in=LIVE)
        assert not orphans.exists(), "I3: a lease outlives its grant"

    def granted_cameras_change_only_with_the_version(self) -> None:
        """I4."""
        current: dict[tuple[str, int], set[str]] = {}
        for grant_id, version, camera in GrantCamera.objects.filter(until_version=None).values_list(
            "grant_id", "grant__version", "camera_id"
        ):
            current.setdefault((grant_id, version), set()).add(camera)
        for key, cameras in current.items():
            before = self.cameras.setdefault(key, frozenset(cameras))
            assert cameras <= before, "I4: the scope of a grant grew without a new version"

    def nobody_approves_what_they_asked_for(self) -> None:
        """I5."""
        decided = VideoGrant.objects.exclude(decided_at=None).exclude(kind__in=("break_glass", "roster"))
        for grant in decided.filter(state__in=(*LIVE, "EXPIRED", "REVOKED", "INCIDENT_CLOSED")):
            assert grant.decided_by != grant.requested_by or grant.rule, "I5: who asked has approved"

    def timelines_only_grow(self, *, steady: bool) -> None:
        """I6, and I14 while the platform's clock goes forward."""
        for incident in Incident.objects.all():
            assert first_broken(incident.pk) is None, "I6: a timeline's chain is broken"
            rows = list(TimelineEntry.objects.filter(incident=incident).order_by("seq").values_list("hash", "at"))
            hashes = [row[0] for row in rows]
            before = self.lines.get(incident.pk, [])
            assert hashes[: len(before)] == before, "I6: a line was changed or taken out"
            self.lines[incident.pk] = hashes
            if steady:
                times = [row[1] for row in rows]
                assert times == sorted(times), "I14: a timeline goes back in time"

    def every_settled_signal_ended_in_exactly_one_place(self) -> None:
        """I7, and what is settled stays settled."""
        events = dict(Event.objects.values_list("pk", "incident_id"))
        incidents, shelves = (
            set(Incident.objects.values_list("pk", flat=True)),
            set(Shelf.objects.values_list("pk", flat=True)),
        )
        for row in Signal.objects.exclude(outcome=""):
            ends = (row.event_id in events, row.shelf_id in shelves, row.outcome == "reject")
            assert sum(ends) == 1, f"I7: a signal ended as {row.outcome} in {sum(ends)} places"
            assert not row.event_id or events[row.event_id] in incidents, "I7: a signal's incident is gone"
            held = self.settled.setdefault(row.id, (row.outcome, row.event_id or row.shelf_id))
            assert held == (row.outcome, row.event_id or row.shelf_id), "I7: a signal's end was changed"
        counted = sum(Event.objects.values_list("signals", flat=True))
        assert counted == Signal.objects.filter(outcome="incident").count(), "I7: an event miscounts its signals"

    def urgent_incidents_have_somebody(self) -> None:
        """I8."""
        cared = set(
            Task.objects.filter(kind="attend", state__in=("open", "escalated")).values_list("incident_id", flat=True)
        )
        for incident in Incident.objects.filter(state__in=OPEN, priority__lte=URGENT_PRIORITY):
            assert incident.owner or incident.pk in cared, f"I8: nobody has to look after {incident.number}"

    def modes_are_never_mixed(self) -> None:
        """I13."""
        modes = dict(Incident.objects.values_list("pk", "mode"))
        for model in (Task, HandoverItem):
            where = "mode" if model is Task else "handover__mode"
            for incident, mode in model.objects.values_list("incident_id", where):
                assert model is HandoverItem or modes[incident] == mode, "I13: a task of another mode"
        for incident, mode in Case.objects.values_list("incident_id", "mode"):
            assert modes[incident] == mode, "I13: video of another mode"
        for incident, mode in Event.objects.values_list("incident_id", "mode"):
            assert modes[incident] == mode, "I13: an event of another mode"

    def nothing_is_announced_twice(self) -> None:
        """I9: one message id an announcement, one delivery of it to each subscriber."""
        with civic.reading() as tx:
            ids = [row[0] for row in tx.execute("SELECT message_id FROM journal_outbox")]
            pairs = tx.execute("SELECT outbox_seq, subscriber FROM journal_delivery")
        assert max(Counter(ids).values(), default=1) == 1, "I9: one id for two messages"
        assert max(Counter(pairs).values(), default=1) == 1, "I9: a message delivered under two names"

    def one_offer_at_a_time(self) -> None:
        """A hand-over changes nothing until it is accepted, and an incident is on offer once."""
        waiting = Counter(HandoverItem.objects.filter(state="waiting").values_list("incident_id", flat=True))
        assert max(waiting.values(), default=0) <= 1, "an incident is on offer twice"
        over = HandoverItem.objects.filter(state="waiting").exclude(handover__phase__in=("offered", "partly"))
        assert not over.exists(), "a settled hand-over still has something waiting"

    def ended_incidents_have_nothing_to_do(self) -> None:
        late = Task.objects.filter(state__in=("open", "escalated")).exclude(incident__state__in=OPEN)
        kinds = set(late.values_list("kind", flat=True)) - {"review"}
        assert not kinds, f"an incident is over and its tasks are not: {sorted(kinds)}"

    def the_audit_only_grows(self) -> None:
        with civic.reading() as tx:
            rows = int(tx.execute("SELECT COUNT(*) FROM journal_audit")[0][0])
        assert rows >= self.audited, "an audit row is gone"
        self.audited = rows
