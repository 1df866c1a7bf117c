"""A hand-over over real incidents: until it is accepted, who handed over stays responsible."""

from __future__ import annotations

import pytest

from madang.identity.actors import actor_of_person
from madang.identity.models import Authority
from madang.identity.rights import Actor, Role
from madang.kernel.errors import BadRequestError, ConflictError, ForbiddenError, NotFoundError
from madang.response import commands as response
from madang.response import todo
from madang.response.duty import commands, queries
from madang.response.duty.models import Handover
from madang.response.models import Incident, Task
from tests.conftest import MakePerson
from tests.response.conftest import NOW, civic_tx
from tests.response.duty.conftest import held_by


def offered(giver: Actor, city: Authority, to: Actor, *incidents: Incident) -> Handover:
    with civic_tx() as tx:
        chosen = [one.id for one in incidents] or None
        return commands.hand_over(tx, giver, city.code, to.id, "야간 특이사항 없음", NOW, incident_ids=chosen)


def owner(incident: Incident) -> str:
    return str(Incident.objects.values_list("owner", flat=True).get(pk=incident.pk))


def test_incidents_and_their_tasks_change_hands_on_acceptance_and_not_before(
    city: Authority, kim: Actor, lee: Actor
) -> None:
    incident = held_by(kim, city)
    with civic_tx() as tx:
        task = todo.add(tx, kim, incident.id, "현장 CCTV 재확인", 600, NOW, to=kim.id)
    row = offered(kim, city, lee)
    assert owner(incident) == kim.id
    with civic_tx() as tx:
        accepted = commands.accept_handover(tx, lee, row.id, NOW)
    assert (accepted.phase, owner(incident)) == ("accepted", lee.id)
    assert Task.objects.get(pk=task.pk).assignee == lee.id
    kinds = set(incident.timeline.values_list("kind", flat=True))
    assert {"handover_offered", "handover_accepted", "claim"} <= kinds


def test_declined_it_goes_back_with_its_reason_and_the_giver_stays_responsible(
    city: Authority, kim: Actor, lee: Actor
) -> None:
    incident = held_by(kim, city)
    row = offered(kim, city, lee)
    with pytest.raises(BadRequestError), civic_tx() as tx:
        commands.decline_handover(tx, lee, row.id, " ", NOW)
    with civic_tx() as tx:
        back = commands.decline_handover(tx, lee, row.id, "아직 교대 전", NOW)
    assert (back.phase, back.reason, owner(incident)) == ("declined", "아직 교대 전", kim.id)
    assert "아직 교대 전" in incident.timeline.get(kind="handover_declined").text_ko
    assert offered(kim, city, lee).phase == "offered"


def test_it_can_be_taken_over_item_by_item(city: Authority, kim: Actor, lee: Actor) -> None:
    first, second = held_by(kim, city), held_by(kim, city)
    row = offered(kim, city, lee)
    with civic_tx() as tx:
        commands.accept_handover(tx, lee, row.id, NOW, incident_ids=[first.id])
    assert (owner(first), owner(second)) == (lee.id, kim.id)
    with civic_tx() as tx:
        commands.decline_handover(tx, lee, row.id, "김 주임이 계속 처리", NOW, incident_ids=[second.id])
    row.refresh_from_db()
    assert (row.phase, owner(second)) == ("partly", kim.id)


def test_only_the_one_it_is_offered_to_answers_and_only_once(
    city: Authority, kim: Actor, lee: Actor, chief: Actor
) -> None:
    incident = held_by(kim, city)
    row = offered(kim, city, lee)
    for other in (kim, chief):
        with pytest.raises(ConflictError), civic_tx() as tx:
            commands.accept_handover(tx, other, row.id, NOW)
    with civic_tx() as tx:
        commands.accept_handover(tx, lee, row.id, NOW)
    with pytest.raises(ConflictError), civic_tx() as tx:
        commands.withdraw_handover(tx, kim, row.id, NOW)
    assert owner(incident) == lee.id


def test_what_a_third_has_taken_meanwhile_stays_with_that_third(
    city: Authority, kim: Actor, lee: Actor, chief: Actor
) -> None:
    incident = held_by(kim, city)
    row = offered(kim, city, lee)
    with civic_tx() as tx:
        response.claim(tx, chief, incident.id, NOW, take_over=True)
        commands.accept_handover(tx, lee, row.id, NOW)
    assert owner(incident) == chief.id
    assert queries.handover(row.id)["items"][0]["item_state"] == "lapsed"


def test_an_incident_is_on_offer_to_one_person_at_a_time_and_only_by_who_holds_it(
    city: Authority, kim: Actor, lee: Actor, chief: Actor
) -> None:
    incident = held_by(kim, city)
    row = offered(kim, city, lee)
    with pytest.raises(ConflictError):
        offered(kim, city, chief)
    with pytest.raises(ConflictError):
        offered(lee, city, chief, incident)
    with civic_tx() as tx:
        commands.withdraw_handover(tx, kim, row.id, NOW)
    assert offered(kim, city, chief).receiver == chief.id


def test_nothing_is_handed_to_oneself_or_to_somebody_who_keeps_no_duty_here(
    city: Authority, kim: Actor, make_person: MakePerson, other_authority: Authority
) -> None:
    auditor = actor_of_person(make_person(Role.AUDITOR))
    stranger = actor_of_person(make_person(Role.OPERATOR, authority=other_authority))
    for nobody in (kim, auditor, stranger):
        with pytest.raises(BadRequestError):
            offered(kim, city, nobody)
    with pytest.raises(ForbiddenError):
        offered(auditor, city, kim)
    with pytest.raises(NotFoundError), civic_tx() as tx:
        commands.accept_handover(tx, kim, "nope", NOW)


def test_the_brief_begins_with_what_is_held_and_what_is_to_do(city: Authority, kim: Actor, lee: Actor) -> None:
    incident = held_by(kim, city)
    held_by(lee, city)
    with civic_tx() as tx:
        todo.add(tx, lee, incident.id, "119 회신 확인", 600, NOW)
    facts = queries.brief_facts(kim, city.code, NOW)
    assert [row["number"] for row in facts["incidents"]] == [incident.number]
    assert {row["kind"] for row in facts["tasks"]} == {"locate", "todo"}
    assert "119 회신 확인" in [row["text_ko"] for row in facts["tasks"]]
    assert queries.handovers(kim, city.code, NOW) == []
    row = offered(kim, city, lee)
    assert [one["id"] for one in queries.handovers(lee, city.code, NOW)] == [row.id]
    assert queries.brief_facts(kim, city.code, NOW)["incidents"][0]["offered"] is True
