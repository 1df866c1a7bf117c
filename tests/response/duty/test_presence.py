"""A claim does not outlive its owner's screen; and our own silence is never taken for everybody's."""

from __future__ import annotations

from datetime import timedelta

import pytest

from madang.identity.actors import actor_of_person
from madang.identity.models import Authority
from madang.identity.rights import Actor, Role
from madang.journal import civic
from madang.kernel.errors import ForbiddenError
from madang.response import todo
from madang.response.duty import commands, presence
from madang.response.duty.models import Presence
from madang.response.models import Incident, Task
from tests.conftest import MakePerson
from tests.response.conftest import NOW, civic_tx
from tests.response.duty.conftest import Watch, held_by


def owner(incident: Incident) -> str:
    return str(Incident.objects.values_list("owner", flat=True).get(pk=incident.pk))


def test_a_silent_owner_loses_the_claim_and_the_supervisor_is_told(city: Authority, kim: Actor, watch: Watch) -> None:
    urgent, usual = held_by(kim, city, code=1), held_by(kim, city, code=3)
    with civic_tx() as tx:
        task = todo.add(tx, kim, usual.id, "회신 확인", 3_600, NOW, to=kim.id)
    presence.seen(kim, city.code, NOW)
    watch.settle(55)
    assert (owner(urgent), owner(usual)) == (kim.id, kim.id)
    watch.settle(10)
    assert (owner(urgent), owner(usual)) == ("", "")
    for incident in (urgent, usual):
        assert "화면 응답 없음" in incident.timeline.get(kind="released").text_ko
        open_now = Task.objects.filter(incident=incident, kind="attend").exclude(state="done")
        assert [task.state for task in open_now] == ["escalated"]
    assert Task.objects.get(pk=task.pk).assignee == ""
    with civic.reading() as session:
        told = session.execute("SELECT key FROM journal_outbox WHERE topic = 'response.duty.owner_lost'")
    assert {key for (key,) in told} == {urgent.id, usual.id}
    assert [presence.seen(kim, city.code, watch.now).lost for _ in range(2)] == [2, 0]


def test_while_the_screen_answers_nothing_is_released(city: Authority, kim: Actor, watch: Watch) -> None:
    incident = held_by(kim, city, code=1)
    for _ in range(20):
        presence.seen(kim, city.code, watch.now)
        watch.settle(15)
    assert owner(incident) == kim.id


def test_after_a_restart_everybody_has_the_whole_time_to_come_back(city: Authority, kim: Actor, watch: Watch) -> None:
    incident = held_by(kim, city, code=1)
    presence.seen(kim, city.code, NOW)
    watch.settle(3_600, awake=False)
    assert owner(incident) == kim.id
    watch.settle(50)
    assert owner(incident) == kim.id
    watch.settle(20)
    assert owner(incident) == ""


def test_who_comes_back_in_time_after_a_restart_keeps_everything(city: Authority, kim: Actor, watch: Watch) -> None:
    incident = held_by(kim, city, code=1)
    presence.seen(kim, city.code, NOW)
    watch.settle(600, awake=False)
    watch.settle(30)
    presence.seen(kim, city.code, watch.now)
    watch.settle(55)
    assert owner(incident) == kim.id


def test_a_sign_of_life_is_written_at_most_every_ten_seconds(city: Authority, kim: Actor) -> None:
    pace = [presence.seen(kim, city.code, NOW + timedelta(seconds=n)).written for n in (0, 9, 10)]
    assert pace == [True, False, True]
    assert presence.alive(kim.id, NOW + timedelta(seconds=70))
    assert not presence.alive(kim.id, NOW + timedelta(seconds=71))
    assert not presence.alive("person:nobody", NOW)


def test_a_clock_stepped_back_does_not_make_a_screen_look_fresh(city: Authority, kim: Actor) -> None:
    presence.seen(kim, city.code, NOW)
    earlier = NOW - timedelta(minutes=10)
    assert presence.seen(kim, city.code, earlier).written
    assert Presence.objects.get(pk=kim.id).seen_at == earlier


def test_an_offered_incident_lost_by_a_crash_is_still_taken_over(
    city: Authority, kim: Actor, lee: Actor, watch: Watch
) -> None:
    incident = held_by(kim, city, code=1)
    presence.seen(kim, city.code, NOW)
    with civic_tx() as tx:
        row = commands.hand_over(tx, kim, city.code, lee.id, "교대", NOW)
    watch.settle(65)
    assert owner(incident) == ""
    with civic_tx() as tx:
        commands.accept_handover(tx, lee, row.id, watch.now)
    assert owner(incident) == lee.id
    assert set(Task.objects.filter(incident=incident, kind="attend").values_list("state", flat=True)) == {"done"}


def test_only_people_on_duty_keep_a_place_at_the_wall(city: Authority, make_person: MakePerson) -> None:
    with pytest.raises(ForbiddenError):
        presence.seen(actor_of_person(make_person(Role.AUDITOR)), city.code, NOW)
