"""Checklists on real incidents: started, ticked by two, overdue across a restart, ended with their incident."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from madang.identity.actors import actor_of_person
from madang.identity.models import Authority
from madang.identity.rights import Actor, Role, system_actor
from madang.journal import civic, relay
from madang.kernel.errors import BadRequestError, ConflictError, ForbiddenError, NotFoundError
from madang.kernel.mode import Mode
from madang.response import commands as response
from madang.response.commands import OpenIncident
from madang.response.models import Incident, Task
from madang.response.sop import commands, queries
from madang.response.sop.domain import Evidence
from madang.response.sop.drafting import Words, publish, retire, save_draft
from madang.response.sop.models import SopRun, SopStep, SopVersion
from madang.response.sop.seed import EXAMPLES, plant
from madang.response.timeline import first_broken
from tests.conftest import MakePerson
from tests.response.conftest import NOW, civic_tx

STEPS = [
    {"key": "a", "stage": 1, "ko": "영상 확인", "evidence": "choice", "options": ["보임", "안 보임"], "due_s": 60},
    {"key": "b", "stage": 2, "ko": "112에 알림", "evidence": "note", "only_if": {"step": "a", "answers": ["보임"]}},
    {"key": "c", "stage": 3, "ko": "책임자 확인", "done_by": "supervisor"},
]


class Watch:
    """A clock the test moves, and the relay that runs by it."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def settle(self, seconds: float = 0) -> None:
        self.now += timedelta(seconds=seconds)
        for _ in range(100):
            if not relay.run_once(self):
                return
        raise AssertionError("the relay never comes to rest")


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    watch = Watch()
    monkeypatch.setattr("madang.response.sop.workers.system_clock", watch)
    return watch


@pytest.fixture
def supervisor(city: Authority, make_person: MakePerson) -> Actor:
    return actor_of_person(make_person(Role.SUPERVISOR))


@pytest.fixture
def sop(supervisor: Actor, city: Authority) -> SopVersion:
    return worded(supervisor, city, classes=["fire"])


def worded(actor: Actor, city: Authority, code: str = "fire", **more: object) -> SopVersion:
    words = Words(**{"title_ko": "화재 확인", "steps": STEPS, **more})  # type: ignore[arg-type]  # a test's shorthand
    with civic_tx() as tx:
        return publish(tx, actor, save_draft(tx, actor, city.code, code, words, NOW).id, NOW)


def opened(actor: Actor, city: Authority, kind: str = "fire", code: int = 2) -> Incident:
    wanted = OpenIncident(
        authority=city.code, source="operator", mode=Mode.SIMULATED, class_text=kind, code=code, basis="city_duty"
    )
    with civic_tx() as tx:
        return response.open_incident(tx, actor, wanted, NOW)


def started(actor: Actor, incident: Incident, code: str = "fire", now: datetime = NOW, **more: str) -> SopRun:
    with civic_tx() as tx:
        return commands.start(tx, actor, incident.id, code, now, **more)


def ticked(actor: Actor, run: SopRun, key: str, value: str = "", now: datetime = NOW, **more: str) -> SopRun:
    with civic_tx() as tx:
        return commands.tick(tx, actor, run.id, key, value, now, **more)


def test_a_checklist_is_worked_through_and_every_step_is_on_the_timeline(
    sop: SopVersion, city: Authority, operator: Actor, supervisor: Actor
) -> None:
    incident = opened(operator, city)
    run = started(operator, incident)
    ticked(operator, run, "a", "보임")
    with pytest.raises(BadRequestError):
        ticked(operator, run, "b")
    ticked(operator, run, "b", note="112 접수 확인")
    with pytest.raises(ConflictError) as refused:
        ticked(operator, run, "c")
    assert refused.value.data["reason"] == "role_missing"
    done = ticked(supervisor, run, "c")
    assert done.phase == "done"
    kinds = list(incident.timeline.filter(kind__startswith="sop").values_list("kind", flat=True))
    assert kinds == ["sop_started", "sop_step", "sop_step", "sop_step", "sop_turned"]
    assert first_broken(incident.id) is None
    with civic.reading() as session:
        topics = session.execute("SELECT topic FROM journal_outbox WHERE topic LIKE 'response.sop.%' ORDER BY seq")
    assert [topic for (topic,) in topics] == ["response.sop.started", "response.sop.finished"]


def test_of_two_operators_ticking_at_once_one_wins_and_the_other_is_told_who(
    sop: SopVersion, city: Authority, operator: Actor, supervisor: Actor
) -> None:
    run = started(operator, opened(operator, city))
    ticked(supervisor, run, "a", "안 보임")
    with pytest.raises(ConflictError) as refused:
        ticked(operator, run, "a", "보임")
    assert refused.value.data["reason"] == "already_done"
    assert supervisor.name in refused.value.ko
    assert SopStep.objects.get(run=run, key="a").value == "안 보임"


def test_an_incident_of_its_class_starts_the_checklist_once_however_often_it_is_told(
    sop: SopVersion, city: Authority, operator: Actor, watch: Watch
) -> None:
    incident = opened(operator, city)
    other = opened(operator, city, "theft")
    watch.settle()
    run = SopRun.objects.get()
    assert (run.incident_id, run.rule) == (incident.id, "class:fire")
    with civic_tx() as tx:
        commands.stop(tx, operator, run.id, "오인 신고", watch.now)
        response.claim(tx, operator, incident.id, watch.now)
        tx.execute("UPDATE journal_delivery SET state = 'waiting' WHERE subscriber = 'sop.incidents'")
    watch.settle(1)
    assert SopRun.objects.count() == 1
    assert not SopRun.objects.filter(incident=other).exists()


def test_a_rule_starts_a_checklist_once_and_is_named(sop: SopVersion, city: Authority, operator: Actor) -> None:
    incident = opened(operator, city)
    first = started(system_actor(city.code), incident, rule="night-fire@3")
    again = started(system_actor(city.code), incident, rule="night-fire@3")
    assert first.id == again.id
    assert "night-fire@3" in incident.timeline.get(kind="sop_started").text_ko
    with pytest.raises(ConflictError):
        started(operator, incident)


def test_a_step_not_done_in_time_becomes_the_supervisors_task_also_after_a_restart(
    sop: SopVersion, city: Authority, operator: Actor, watch: Watch
) -> None:
    incident = opened(operator, city)
    run = started(operator, incident)
    watch.settle(59)
    assert not Task.objects.filter(kind="sop").exists()
    # Nothing but rows carries the time over: a new relay finds the timer due.
    watch.settle(3_600)
    task = Task.objects.get(kind="sop")
    assert (task.state, task.ref) == ("escalated", f"{run.id}:a")
    assert incident.timeline.filter(kind="sop_overdue").count() == 1
    assert queries.of_incident(operator, incident.id)[0]["steps"][0]["overdue"] is True
    ticked(operator, run, "a", "안 보임", watch.now)
    task.refresh_from_db()
    assert task.state == "done"
    watch.settle(3_600)
    assert Task.objects.filter(kind="sop").count() == 1
    assert [row["why"] for row in queries.unmet(incident.id)] == ["late", "left"]


def test_a_run_keeps_its_version_when_a_new_one_is_published(
    sop: SopVersion, city: Authority, operator: Actor, supervisor: Actor
) -> None:
    run = started(operator, opened(operator, city))
    newer = worded(supervisor, city, steps=[{"key": "z", "stage": 1, "ko": "새 단계"}], classes=["fire"])
    assert newer.version == 2
    rows = queries.of_incident(operator, run.incident_id)[0]
    assert (rows["version"], [step["key"] for step in rows["steps"]]) == (1, ["a", "b", "c"])
    ticked(operator, run, "a", "안 보임")
    later = started(operator, opened(operator, city))
    assert later.version_id == newer.id


def test_closing_the_incident_ends_the_run_and_reopening_takes_it_up_again(
    sop: SopVersion, city: Authority, operator: Actor, watch: Watch
) -> None:
    incident = opened(operator, city)
    run = started(operator, incident)
    watch.settle()
    with civic_tx() as tx:
        response.close_incident(tx, operator, incident.id, "종결", watch.now)
    watch.settle(600)
    run.refresh_from_db()
    assert run.phase == "ended"
    assert not Task.objects.filter(kind="sop").exists()
    with pytest.raises(ConflictError):
        ticked(operator, run, "a", "보임")
    with civic_tx() as tx:
        response.reopen_incident(tx, operator, incident.id, "재발", watch.now)
    watch.settle()
    run.refresh_from_db()
    assert run.phase == "running"
    watch.settle(61)
    assert Task.objects.filter(kind="sop", state="escalated").count() == 1


def test_a_mistaken_tick_is_taken_back_with_a_reason_and_both_stay_on_the_timeline(
    sop: SopVersion, city: Authority, operator: Actor
) -> None:
    run = started(operator, opened(operator, city))
    ticked(operator, run, "a", "보임")
    with pytest.raises(BadRequestError), civic_tx() as tx:
        commands.undo(tx, operator, run.id, "a", " ", NOW)
    with civic_tx() as tx:
        commands.undo(tx, operator, run.id, "a", "다른 카메라였음", NOW)
        commands.skip(tx, operator, run.id, "a", "카메라 고장", NOW)
    row = SopStep.objects.get(run=run, key="a")
    assert (row.skipped, row.note, row.value) == (True, "카메라 고장", "")
    assert run.incident.timeline.filter(kind__in=("sop_step", "sop_undone")).count() == 3


def test_drafts_may_be_unfinished_but_only_whole_ones_are_published(
    city: Authority, supervisor: Actor, operator: Actor
) -> None:
    words = Words(title_ko="비었음", steps=[])
    with civic_tx() as tx:
        draft = save_draft(tx, supervisor, city.code, "empty", words, NOW)
    with pytest.raises(BadRequestError), civic_tx() as tx:
        publish(tx, supervisor, draft.id, NOW)
    with pytest.raises(ForbiddenError), civic_tx() as tx:
        save_draft(tx, operator, city.code, "empty", words, NOW)
    with pytest.raises(NotFoundError):
        started(operator, opened(operator, city), "empty")


def test_two_checklists_never_start_for_the_same_class(sop: SopVersion, city: Authority, supervisor: Actor) -> None:
    with pytest.raises(ConflictError) as refused:
        worded(supervisor, city, "fire-two", classes=["fire", "smoke"])
    assert "화재" in refused.value.ko
    with civic_tx() as tx:
        retire(tx, supervisor, sop.id, NOW)
    assert worded(supervisor, city, "fire-two", classes=["fire"]).state == "published"


def test_another_city_sees_and_starts_nothing_here(
    sop: SopVersion, city: Authority, operator: Actor, other_authority: Authority, make_person: MakePerson
) -> None:
    run = started(operator, opened(operator, city))
    stranger = actor_of_person(make_person(Role.SUPERVISOR, authority=other_authority))
    with pytest.raises(NotFoundError):
        ticked(stranger, run, "a", "보임")
    with pytest.raises(NotFoundError):
        queries.of_incident(stranger, run.incident_id)
    assert queries.published(other_authority.code) == []


def test_the_examples_are_whole_and_say_that_they_are_examples(city: Authority, supervisor: Actor) -> None:
    with civic_tx() as tx:
        assert plant(tx, supervisor, city.code, NOW) == len(EXAMPLES) == 6
        assert plant(tx, supervisor, city.code, NOW) == 0
    for version in SopVersion.objects.filter(state="published"):
        assert version.example
        assert "예시" in version.title_ko
        assert any(step["evidence"] == Evidence.CHOICE for step in version.steps)
