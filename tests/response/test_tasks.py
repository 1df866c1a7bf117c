"""Tasks fall due, are escalated, and follow the grants they are about; the relay is stepped by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from madang.identity.actors import actor_of_person
from madang.identity.models import Agency
from madang.identity.rights import Actor, Role
from madang.journal import civic, relay
from madang.kernel.errors import ConflictError
from madang.response import commands, queries
from madang.response.domain import SaidPlace
from madang.response.models import Incident, SourceCall, Task
from madang.video.commands import decide_grant
from madang.video.models import VideoGrant
from tests.conftest import MakePerson
from tests.response.conftest import NOW, civic_tx, robbery


class Watch:
    """A clock the test moves, and the relay that runs by it."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def settle(self, seconds: float = 0) -> None:
        """Lets time pass, then does everything that is due."""
        self.now += timedelta(seconds=seconds)
        for _ in range(100):
            if not relay.run_once(self):
                return
        raise AssertionError("the relay never comes to rest")


@pytest.fixture
def watch() -> Watch:
    """Time in the test's hand."""
    return Watch()


def opened(actor: Actor, police: Agency, **more: object) -> Incident:
    with civic_tx() as tx:
        return commands.open_incident(tx, actor, robbery(police, **more), NOW)


def test_an_unattended_urgent_incident_is_escalated_again_and_again_until_claimed(
    caller_actor: Actor, police: Agency, operator: Actor, watch: Watch
) -> None:
    incident = opened(caller_actor, police)
    watch.settle(59)
    assert incident.tasks.get().state == "open"
    watch.settle(2)
    task = incident.tasks.get()
    assert (task.state, task.due_at > watch.now) == ("escalated", True)
    assert incident.timeline.filter(kind="task_overdue").count() == 1
    first_due = task.due_at
    watch.settle(61)
    task.refresh_from_db()
    assert task.due_at > first_due
    assert incident.timeline.filter(kind="task_overdue").count() == 1
    with civic_tx() as tx:
        commands.claim(tx, operator, incident.id, watch.now)
    watch.settle(600)
    task.refresh_from_db()
    assert (task.state, task.done_by) == ("done", operator.id)


def test_a_waiting_grant_is_a_task_for_thirty_seconds_then_the_supervisors(
    caller_actor: Actor, police: Agency, operator: Actor, make_person: MakePerson, watch: Watch
) -> None:
    incident = opened(caller_actor, police, class_text="theft", code=3)
    pending = VideoGrant.objects.get(recipient_kind="agency")
    assert pending.state == "PENDING_HUMAN"
    watch.settle()
    task = Task.objects.get(kind="approve_grant", ref=pending.pk)
    assert (task.due_at - watch.now).total_seconds() <= 30
    assert queries.one(operator, incident.id)["pending_grants"] >= 1
    watch.settle(31)
    task.refresh_from_db()
    assert task.state == "escalated"
    supervisor = actor_of_person(make_person(Role.SUPERVISOR))
    with civic_tx() as tx:
        decide_grant(tx, supervisor, pending.pk, approve=True, reason="현장 확인", now=watch.now)
    watch.settle()
    task.refresh_from_db()
    assert task.state == "done"
    assert incident.timeline.filter(kind="video.grant.approved").exists()
    assert queries.one(operator, incident.id)["cameras_offered"] == 2


def test_what_is_delivered_twice_is_written_once(caller_actor: Actor, police: Agency, watch: Watch) -> None:
    incident = opened(caller_actor, police)
    watch.settle()
    lines = incident.timeline.count()
    with civic_tx() as tx:
        tx.execute("UPDATE journal_delivery SET state = 'waiting' WHERE subscriber = 'response.grants'")
    watch.settle(1)
    assert incident.timeline.count() == lines


def test_an_ended_incident_keeps_no_task_alive(
    caller_actor: Actor, police: Agency, operator: Actor, watch: Watch
) -> None:
    incident = opened(caller_actor, police, class_text="theft", code=3, place=SaidPlace())
    watch.settle()
    with civic_tx() as tx:
        commands.close_incident(tx, operator, incident.id, "오인", watch.now)
    watch.settle(600)
    assert not incident.tasks.exclude(state="done").exists()
    with civic.reading() as session:
        waiting = session.execute(
            "SELECT kind FROM journal_timer WHERE state = 'waiting' AND kind = 'response.task_due'"
        )
    assert waiting == []


def test_two_reports_of_one_event_are_merged_and_only_one_goes_on(
    caller_actor: Actor, police: Agency, operator: Actor, make_agency: Callable[..., Agency]
) -> None:
    first = opened(caller_actor, police)
    second = opened(caller_actor, police, source_key="20261122-000418")
    with civic_tx() as tx:
        merged = commands.merge(tx, operator, second.id, first.id, NOW)
    assert (merged.state, merged.merged_into_id) == ("MERGED", first.id)
    assert not VideoGrant.objects.filter(case_id=merged.case_id, state__in=("APPROVED", "ACTIVE")).exists()
    assert VideoGrant.objects.filter(case_id=first.case_id, state="APPROVED").exists()
    assert first.timeline.filter(kind="merged_in").exists()
    with pytest.raises(ConflictError), civic_tx() as tx:
        commands.merge(tx, operator, first.id, second.id, NOW)


def test_a_caller_is_forgotten_after_the_retention_period_but_not_while_the_incident_is_open(
    caller_actor: Actor, police: Agency, operator: Actor, watch: Watch
) -> None:
    incident = opened(caller_actor, police, caller={"phone": "010-1234-5678"})
    watch.settle(31 * 86_400)
    assert SourceCall.objects.get().caller_sealed
    with civic_tx() as tx:
        commands.close_incident(tx, operator, incident.id, "종결", watch.now)
    watch.settle(86_400)
    assert not SourceCall.objects.get().caller_sealed
    incident.refresh_from_db()
    assert incident.has_caller is False
    with civic.reading() as session:
        assert session.execute("SELECT thing FROM journal_audit WHERE action = 'incident.caller_erased'") == [
            (f"incident:{incident.id}",)
        ]
