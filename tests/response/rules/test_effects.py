"""What rules have done to incidents: once, whatever comes twice; outside only with a person's word."""

from __future__ import annotations

from typing import Any

import pytest

from madang.identity.actors import actor_of_person
from madang.identity.models import Authority
from madang.identity.rights import Actor, Role, system_actor
from madang.journal import civic
from madang.kernel.errors import BadRequestError, ConflictError, ForbiddenError
from madang.response.models import Incident, Task
from madang.response.rules import effects
from madang.response.rules.domain import Step
from madang.response.rules.models import Deed, Firing
from madang.response.sop import queries as sops
from madang.response.sop import seed
from madang.video import commands as video
from madang.video.models import VideoGrant
from tests.conftest import MakePerson
from tests.response.conftest import furnish
from tests.response.rules.conftest import HALL, Room
from tests.response.rules.playing import LEVEL, level, rule_json

pytestmark = pytest.mark.django_db
NOW = {"op": "threshold", "source": LEVEL, "limit": 2.5}


def _flood(room: Room, *wanted: dict[str, Any], **more: Any) -> Incident:  # Any: JSON values
    """A rule with these effects fires, and its signal opens an incident."""
    room.publish(rule_json(NOW, effects=list(wanted)), **more)
    fact = level(3.0, 0)
    fact.lon, fact.lat = HALL
    room.feed(fact)
    room.settle()
    return Incident.objects.get()


def _states(incident: Incident) -> dict[str, str]:
    return dict(Deed.objects.filter(incident_id=incident.id).values_list("kind", "state"))


def _answer(room: Room, who: Actor, yes: bool, reason: str = "") -> Deed:
    deed = Deed.objects.get(state="asked")
    with civic.transaction() as tx:
        return effects.answer(tx, who, deed.id, yes, reason, room.now)


@pytest.fixture
def operator(make_person: MakePerson) -> Actor:
    return actor_of_person(make_person(Role.OPERATOR))


def test_effects_are_carried_out_on_the_incident_the_signal_ended_in(room: Room) -> None:
    incident = _flood(room, {"do": "record", "text_ko": "수위 경보"}, {"do": "set_priority", "priority": 1})
    assert _states(incident) == {"record": "done", "set_priority": "done"}
    assert (incident.class_code, incident.priority) == ("flood", 1)
    assert incident.timeline.filter(text_ko="수위 경보", actor="system:rule:flood-watch@1").count() == 1
    assert Firing.objects.get(kind="fired").incident_id == incident.id


def test_effects_of_one_version_are_carried_out_once_per_incident(room: Room) -> None:
    incident = _flood(room, {"do": "record"})
    with civic.transaction() as tx:
        effects.carry_out(tx, incident, "flood-watch@1", [{"do": "record"}], room.now)
    room.at(10)
    calm, high = level(1.0, 5), level(3.0, 10)
    high.lon, high.lat = calm.lon, calm.lat = HALL
    room.feed(calm, high)
    room.settle()
    assert Incident.objects.count() == 1
    assert incident.timeline.filter(kind="rule_record").count() == 1


def test_what_cannot_be_done_is_said_and_the_rest_is_done(room: Room) -> None:
    incident = _flood(room, {"do": "start_sop", "code": "NO-SUCH"}, {"do": "show"}, {"do": "record", "text_ko": "끝"})
    assert _states(incident) == {"start_sop": "impossible", "show": "impossible", "record": "done"}
    assert incident.timeline.filter(kind="rule_impossible").count() == 2


def test_effects_from_another_time_that_nobody_can_read_are_said_to_be_so(room: Room) -> None:
    incident = _flood(room, {"do": "record"})
    with civic.transaction() as tx:
        effects.carry_out(tx, incident, "old-rule@7", [{"do": "dance"}, {"do": "record", "text_ko": "x"}], room.now)
    assert _states(incident)["dance"] == "impossible"


def test_a_message_waits_for_a_persons_word(room: Room, operator: Actor) -> None:
    incident = _flood(room, {"do": "message", "text_ko": "침수 우려", "tiers": ["city"]})
    assert _states(incident) == {"message": "asked"}
    task = Task.objects.get(kind="rule_ask")
    assert (task.state, task.text_ko) == ("open", "시·군·구에 전파하시겠습니까? “침수 우려”")
    deed = _answer(room, operator, False, "오작동")
    assert (deed.state, deed.reason, deed.decided_by) == ("declined", "오작동", operator.id)
    assert Task.objects.get(kind="rule_ask").state == "done"
    with pytest.raises(ConflictError), civic.transaction() as tx:
        effects.answer(tx, operator, deed.id, True, "", room.now)


def test_a_confirmed_message_to_nobody_registered_is_told_as_impossible(room: Room, operator: Actor) -> None:
    incident = _flood(room, {"do": "message", "text_ko": "침수 우려", "tiers": ["city"]})
    assert _answer(room, operator, True).state == "impossible"
    assert incident.timeline.filter(kind="rule_impossible").exists()


def test_a_message_goes_out_by_itself_only_where_the_publisher_let_it(room: Room) -> None:
    incident = _flood(room, {"do": "message", "text_ko": "침수 우려", "tiers": ["city"]}, accept_auto=True)
    assert _states(incident) == {"message": "impossible"}  # tried at once: nobody is registered to be told


def test_one_who_may_not_send_messages_may_not_confirm_them(room: Room, make_person: MakePerson) -> None:
    _flood(room, {"do": "message", "text_ko": "침수 우려", "tiers": ["city"]})
    with pytest.raises(ForbiddenError):
        _answer(room, actor_of_person(make_person(Role.AUDITOR)), True)


def test_a_proposal_asks_for_the_pictures_when_somebody_says_yes(room: Room, operator: Actor) -> None:
    incident = _flood(room, {"do": "ask", "text_ko": "현장 영상을 볼까요?", "propose": "grant"})
    assert _states(incident) == {"ask": "asked"}
    assert _answer(room, operator, True).state in ("confirmed", "impossible")


def test_who_said_yes_to_a_rule_asked_for_the_pictures_and_does_not_approve_them(room: Room) -> None:
    incident = _flood(room, {"do": "ask", "text_ko": "현장 영상을 볼까요?", "propose": "grant"})
    deed = _answer(room, room.second, True)
    assert deed.state == "confirmed", deed.reason
    grant = VideoGrant.objects.get(case__incident_id=incident.id, pk=deed.effect["grant_id"])
    assert grant.requested_by == room.second.id
    with pytest.raises(ForbiddenError) as refused, civic.transaction() as tx:
        video.decide_grant(tx, room.second, grant.pk, True, "현장 확인", room.now)
    assert refused.value.data["reason"] == "own_request"


def test_a_shadow_asks_nobody(room: Room) -> None:
    room.shadow(rule_json(NOW, effects=[{"do": "ask", "text_ko": "?"}]))
    room.feed(level(3.0, 0))
    room.settle()
    assert not Incident.objects.exists()
    assert not Deed.objects.exists()


def test_nothing_is_asked_about_what_is_over(room: Room) -> None:
    incident = _flood(room, {"do": "record"})
    Incident.objects.update(state="CLOSED")
    with civic.transaction() as tx:
        incident.refresh_from_db()
        effects.carry_out(tx, incident, "late-rule@1", [{"do": "ask", "text_ko": "?"}], room.now)
    assert _states(incident)["ask"] == "impossible"


def test_auto_cannot_be_accepted_where_nothing_reaches_outside(room: Room) -> None:
    row = room.shadow(rule_json(NOW, effects=[{"do": "record"}]))
    with pytest.raises(BadRequestError):
        room.step(row, Step.PUBLISH, accept_auto=True)


def test_cameras_shown_are_the_best_for_the_place_and_are_kept_with_the_deed(room: Room) -> None:
    furnish(Authority.objects.get(code=room.city))
    room.publish(rule_json(NOW, effects=[{"do": "show", "cameras": 2}]))
    fact = level(3.0, 0)
    fact.lon, fact.lat, fact.mode = *HALL, "simulated"
    room.feed(fact)
    room.settle()
    deed = Deed.objects.get()
    assert (deed.state, len(deed.effect["camera_ids"])) == ("done", 2)
    assert effects.told_of(deed)[0] == "카메라 2대를 보입니다"


def test_a_checklist_is_started_and_linked(room: Room) -> None:
    with civic.transaction() as tx:
        seed.plant(tx, system_actor(room.city), room.city, room.now)
    code = str(sops.published(room.city)[0]["code"])
    incident = _flood(room, {"do": "start_sop", "code": code})
    deed = Deed.objects.get(incident_id=incident.id, kind="start_sop")
    assert deed.state == "done", deed.reason
    assert deed.effect["run_id"] in {one["id"] for one in sops.of_incident(room.second, incident.id)}
    assert effects.told_of(deed)[0].endswith("시작합니다")
