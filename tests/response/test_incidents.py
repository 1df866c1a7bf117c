"""Incidents in the store: one transaction from the call to the grants, and nothing twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from madang.identity.actors import actor_of_person
from madang.identity.models import Agency, Authority
from madang.identity.rights import Actor, Role
from madang.journal import changes, civic
from madang.kernel.errors import BadRequestError, ConflictError, ForbiddenError, NotFoundError
from madang.kernel.mode import Mode
from madang.response import commands, queries, timeline
from madang.response.commands import CallKey, OpenIncident
from madang.response.domain import SaidPlace
from madang.response.models import Incident, SourceCall, Task, TimelineEntry
from madang.video.models import GrantCamera, VideoGrant
from tests.conftest import MakePerson
from tests.response.conftest import HALL, HARBOUR, NOW, civic_tx, robbery

OPEN = ("APPROVED", "ACTIVE")


def key_of(police: Agency) -> CallKey:
    return CallKey(police.authority_id, Mode.SIMULATED, "police112", police.code, "20261122-000417")


def opened(actor: Actor, wanted: OpenIncident) -> Incident:
    with civic_tx() as tx:
        return commands.open_incident(tx, actor, wanted, NOW)


def topics() -> list[str]:
    with civic.reading() as session:
        return [row[0] for row in session.execute("SELECT topic FROM journal_outbox ORDER BY seq")]


def offered(incident: Incident) -> set[str]:
    links = GrantCamera.objects.filter(
        grant__case_id=incident.case_id, grant__recipient_kind="agency", until_version__isnull=True
    )
    return set(links.values_list("camera__label", flat=True))


def test_a_call_becomes_an_incident_with_case_grants_and_traces_in_one_go(caller_actor: Actor, police: Agency) -> None:
    incident = opened(caller_actor, robbery(police))
    assert (incident.number, incident.state, incident.priority) == ("2026-000001", "NEW", 1)
    assert incident.place_state == "located"
    grants = VideoGrant.objects.filter(case_id=incident.case_id)
    assert {grant.recipient_kind for grant in grants} == {"agency", "control_room"}
    assert all(grant.state in OPEN for grant in grants)
    assert len(offered(incident)) == 2
    assert "response.incident.opened" in topics()
    assert "video.grant.approved" in topics()
    with civic.reading() as session:
        touched = {(change.kind, change.ref) for change in changes.changes_after(session, 0)}
        actions = [row[0] for row in session.execute("SELECT action FROM journal_audit ORDER BY seq")]
    assert ("incident", incident.id) in touched
    assert "incident.open" in actions
    assert timeline.first_broken(incident.id) is None


def test_what_is_announced_holds_nothing_personal(caller_actor: Actor, police: Agency) -> None:
    caller = {"phone": "010-1234-5678", "name": "홍길동"}
    opened(caller_actor, robbery(police, caller=caller, note="홍길동의 가게"))
    with civic.reading() as session:
        rows = session.execute("SELECT body FROM journal_outbox WHERE topic LIKE 'response.%'")
        said = session.execute("SELECT actor || action || thing FROM journal_audit")
    everything = " ".join(str(row[0]) for row in [*rows, *said])
    for secret in ("010-1234-5678", "홍길동", "김해대로"):
        assert secret not in everything


def test_the_same_call_again_opens_nothing_new(caller_actor: Actor, police: Agency) -> None:
    first = opened(caller_actor, robbery(police))
    before = (topics().count("response.incident.opened"), VideoGrant.objects.count(), TimelineEntry.objects.count())
    again = opened(caller_actor, robbery(police))
    assert again.id == first.id
    assert before == (
        topics().count("response.incident.opened"),
        VideoGrant.objects.count(),
        TimelineEntry.objects.count(),
    )


def test_the_same_call_number_in_another_mode_is_another_incident(caller_actor: Actor, police: Agency) -> None:
    first = opened(caller_actor, robbery(police))
    second = opened(caller_actor, robbery(police, mode=Mode.EXERCISE))
    assert first.id != second.id


def test_a_failure_half_way_leaves_nothing(
    caller_actor: Actor, police: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    from madang.response import video_side

    def broken(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError("disk")

    monkeypatch.setattr(video_side, "ask_for_grants", broken)
    with pytest.raises(RuntimeError):
        opened(caller_actor, robbery(police))
    assert not Incident.objects.exists()
    assert not SourceCall.objects.exists()
    assert topics() == []


def test_an_urgent_call_without_a_place_has_both_tasks_and_no_grant(caller_actor: Actor, police: Agency) -> None:
    incident = opened(caller_actor, robbery(police, place=SaidPlace(address="어딘가 골목")))
    assert incident.place_state == "unlocated"
    assert {task.kind for task in incident.tasks.filter(state="open")} == {"attend", "locate"}
    assert not VideoGrant.objects.exists()
    assert incident.case_id


def test_finding_the_place_ends_the_task_and_brings_the_cameras(
    caller_actor: Actor, police: Agency, operator: Actor
) -> None:
    incident = opened(caller_actor, robbery(police, place=SaidPlace()))
    with civic_tx() as tx:
        found = commands.locate(tx, operator, incident.id, HALL, "map", NOW)
    assert found.place_state == "located"
    assert not found.tasks.filter(kind="locate", state="open").exists()
    assert len(offered(found)) == 2
    assert "response.incident.located" in topics()


def test_a_new_place_moves_the_cameras_as_a_new_version(caller_actor: Actor, police: Agency) -> None:
    incident = opened(caller_actor, robbery(police))
    before = offered(incident)
    place = {"lon": HARBOUR.lon, "lat": HARBOUR.lat, "accuracy_m": 10, "address": ""}
    with civic_tx() as tx:
        commands.update_incident(tx, caller_actor, key_of(police), seq=2, facts={"place": place}, now=NOW)
    assert len(offered(incident)) == 2
    assert offered(incident).isdisjoint(before)
    assert VideoGrant.objects.get(recipient_kind="agency").version == 2


def test_a_wider_radius_reaches_farther_cameras(caller_actor: Actor, police: Agency) -> None:
    incident = opened(caller_actor, robbery(police, radius_m=40))
    assert len(offered(incident)) == 1
    with civic_tx() as tx:
        commands.update_incident(tx, caller_actor, key_of(police), seq=2, facts={"radius_m": 300}, now=NOW)
    assert len(offered(incident)) == 2


def test_facts_come_to_the_same_end_in_any_order(caller_actor: Actor, police: Agency) -> None:
    place = {"lon": HARBOUR.lon, "lat": HARBOUR.lat, "accuracy_m": 10, "address": ""}
    with civic_tx() as tx:
        commands.update_incident(
            tx, caller_actor, key_of(police), seq=3, facts={"place": place, "code": 0, "text": "도주"}, now=NOW
        )
    incident = opened(caller_actor, robbery(police, note="처음"))
    assert (incident.lon, incident.priority, incident.note) == (HARBOUR.lon, 0, "도주")
    assert (incident.class_code, incident.basis) == ("robbery", "pipa_18_2_3")
    assert len(offered(incident)) == 2


def test_a_cancel_that_comes_first_is_kept_and_the_call_opens_cancelled(caller_actor: Actor, police: Agency) -> None:
    with civic_tx() as tx:
        assert commands.cancel_incident(tx, caller_actor, key_of(police), seq=2, reason="mistake", now=NOW) is None
    assert not Incident.objects.exists()
    incident = opened(caller_actor, robbery(police))
    assert incident.state == "CANCELLED"
    assert incident.closed_at == NOW
    assert not VideoGrant.objects.exists()
    assert not incident.tasks.filter(state__in=("open", "escalated")).exists()
    assert topics() == ["response.incident.opened", "response.incident.cancelled"]


@pytest.mark.parametrize(("verb", "state"), [("cancel_incident", "CANCELLED"), ("close_call", "CLOSED")])
def test_the_end_of_a_call_ends_its_video(caller_actor: Actor, police: Agency, verb: str, state: str) -> None:
    incident = opened(caller_actor, robbery(police))
    with civic_tx() as tx:
        getattr(commands, verb)(tx, caller_actor, key_of(police), seq=2, reason="done", now=NOW)
    incident.refresh_from_db()
    assert incident.state == state
    assert {grant.state for grant in VideoGrant.objects.all()} == {"INCIDENT_CLOSED"}
    assert not incident.tasks.filter(state__in=("open", "escalated")).exists()


def test_what_comes_after_the_end_is_recorded_and_reopens_nothing(caller_actor: Actor, police: Agency) -> None:
    incident = opened(caller_actor, robbery(police))
    with civic_tx() as tx:
        commands.close_call(tx, caller_actor, key_of(police), seq=2, reason="", now=NOW)
        commands.update_incident(
            tx, caller_actor, key_of(police), seq=3, facts={"text": "용의자 검거", "outcome": "arrest"}, now=NOW
        )
    incident.refresh_from_db()
    assert (incident.state, incident.note, incident.outcome) == ("CLOSED", "용의자 검거", "arrest")
    last = incident.timeline.order_by("-seq").first()
    assert last is not None
    assert last.kind == "late"
    assert "용의자 검거" in last.text_ko


def test_reopening_needs_a_reason_and_offers_the_cameras_anew(
    caller_actor: Actor, police: Agency, operator: Actor
) -> None:
    incident = opened(caller_actor, robbery(police))
    with civic_tx() as tx:
        commands.close_incident(tx, operator, incident.id, "현장 종결", NOW)
    with pytest.raises(BadRequestError), civic_tx() as tx:
        commands.reopen_incident(tx, operator, incident.id, " ", NOW)
    with civic_tx() as tx:
        again = commands.reopen_incident(tx, operator, incident.id, "용의자 재출현", NOW)
    assert again.state == "ACTIVE"
    assert again.closed_at is None
    assert VideoGrant.objects.filter(case_id=again.case_id, state__in=OPEN).count() == 2
    with civic_tx() as tx:
        commands.close_call(tx, caller_actor, key_of(police), seq=9, reason="", now=NOW)
    again.refresh_from_db()
    assert again.state == "CLOSED"


def test_without_a_known_basis_there_is_no_video_until_one_is_named(caller_actor: Actor, police: Agency) -> None:
    incident = opened(caller_actor, robbery(police, basis="because"))
    assert not incident.case_id
    assert incident.timeline.filter(kind="no_basis").exists()
    with civic_tx() as tx:
        commands.update_incident(tx, caller_actor, key_of(police), seq=2, facts={"basis": "pipa_18_2_3"}, now=NOW)
    incident.refresh_from_db()
    assert len(offered(incident)) == 2


def test_a_class_nobody_knows_is_kept_as_said(caller_actor: Actor, police: Agency, operator: Actor) -> None:
    incident = opened(caller_actor, robbery(police, class_text="외계인 출현"))
    row = queries.one(operator, incident.id)
    assert (row["class_code"], row["class_ko"]) == ("unknown", "외계인 출현")


def test_an_incident_of_the_control_room_offers_its_own_cameras(operator: Actor, city: Authority) -> None:
    wanted = OpenIncident(
        authority=city.code,
        source="operator",
        mode=Mode.SIMULATED,
        class_text="fire",
        code=2,
        place=SaidPlace(HALL.lon, HALL.lat),
        basis="city_duty",
    )
    incident = opened(operator, wanted)
    assert {grant.recipient_kind for grant in VideoGrant.objects.filter(case_id=incident.case_id)} == {"control_room"}
    assert opened(operator, wanted).id != incident.id


def test_claiming_ends_the_call_for_an_owner_and_another_needs_to_take_over(
    caller_actor: Actor, police: Agency, operator: Actor, make_person: MakePerson
) -> None:
    incident = opened(caller_actor, robbery(police))
    second = actor_of_person(make_person(Role.OPERATOR))
    with civic_tx() as tx:
        commands.claim(tx, operator, incident.id, NOW)
    assert not incident.tasks.filter(kind="attend", state="open").exists()
    with pytest.raises(ConflictError) as refused, civic_tx() as tx:
        commands.claim(tx, second, incident.id, NOW)
    assert refused.value.data["owner"] == operator.id
    with civic_tx() as tx:
        taken = commands.claim(tx, second, incident.id, NOW, take_over=True)
    assert taken.owner == second.id


def test_two_people_acting_on_the_same_picture_do_not_overrule_each_other(
    caller_actor: Actor, police: Agency, operator: Actor
) -> None:
    incident = opened(caller_actor, robbery(police))
    with civic_tx() as tx:
        commands.verify(tx, operator, incident.id, NOW, version=incident.version)
    with pytest.raises(ConflictError) as refused, civic_tx() as tx:
        commands.dismiss(tx, operator, incident.id, "오인", NOW, version=incident.version)
    assert refused.value.data["reason"] == "stale_version"


def test_another_citys_incident_does_not_exist_and_another_agencys_is_refused(
    caller_actor: Actor,
    police: Agency,
    other_authority: Authority,
    make_person: MakePerson,
    make_agency: Callable[..., Agency],
) -> None:
    incident = opened(caller_actor, robbery(police))
    stranger = actor_of_person(make_person(Role.OPERATOR, authority=other_authority))
    with pytest.raises(NotFoundError):
        queries.detail(stranger, incident.id)
    with pytest.raises(NotFoundError), civic_tx() as tx:
        commands.close_incident(tx, stranger, incident.id, "x", NOW)
    assert queries.queue(stranger, police.authority_id, NOW) == []
    liaison = actor_of_person(make_person(Role.POLICE_LIAISON, agency=make_agency("busan-police")))
    with pytest.raises(ForbiddenError):
        queries.detail(liaison, incident.id)


def test_the_caller_is_sealed_and_every_reading_is_logged(
    caller_actor: Actor, police: Agency, operator: Actor, make_person: MakePerson
) -> None:
    incident = opened(caller_actor, robbery(police, caller={"phone": "010-1234-5678"}))
    assert b"010-1234-5678" not in bytes(SourceCall.objects.get().caller_sealed)
    assert queries.detail(operator, incident.id)["has_caller"] is True
    with civic_tx() as tx:
        assert commands.read_caller(tx, operator, incident.id, NOW) == {"phone": "010-1234-5678"}
    with civic.reading() as session:
        read = session.execute("SELECT actor FROM journal_audit WHERE action = 'incident.caller_read'")
    assert read == [(operator.id,)]
    officer = actor_of_person(make_person(Role.CITY_OFFICER))
    with pytest.raises(ForbiddenError), civic_tx() as tx:
        commands.read_caller(tx, officer, incident.id, NOW)


def test_a_changed_timeline_is_found_at_the_line(caller_actor: Actor, police: Agency) -> None:
    incident = opened(caller_actor, robbery(police, note="강도"))
    assert incident.timeline.count() >= 2
    TimelineEntry.objects.filter(incident=incident, seq=2).update(text_ko="아무 일도 없었음")
    assert timeline.first_broken(incident.id) == 2


def test_raising_the_priority_calls_for_an_owner(caller_actor: Actor, police: Agency) -> None:
    incident = opened(caller_actor, robbery(police, code=3))
    assert not incident.tasks.exists()
    with civic_tx() as tx:
        commands.update_incident(tx, caller_actor, key_of(police), seq=2, facts={"code": 0}, now=NOW)
    assert Task.objects.get(incident=incident).kind == "attend"


def test_a_call_that_turns_urgent_is_asked_for_again(caller_actor: Actor, police: Agency) -> None:
    incident = opened(caller_actor, robbery(police, class_text="theft", code=3))
    assert {grant.state for grant in VideoGrant.objects.filter(recipient_kind="agency")} == {"PENDING_HUMAN"}
    with civic_tx() as tx:
        facts = {"class": "weapon", "code": 0}
        commands.update_incident(tx, caller_actor, key_of(police), seq=2, facts=facts, now=NOW)
    states = VideoGrant.objects.filter(recipient_kind="agency").order_by("requested_at", "pk")
    assert [grant.state for grant in states] == ["REVOKED", "APPROVED"]
    assert len(offered(incident)) >= 2


def test_the_queue_shows_open_ones_by_urgency_and_lately_ended_ones(
    caller_actor: Actor, police: Agency, operator: Actor
) -> None:
    low = opened(caller_actor, robbery(police, source_key="a", code=3))
    high = opened(caller_actor, robbery(police, source_key="b", code=0))
    gone = opened(caller_actor, robbery(police, source_key="c", code=2))
    with civic_tx() as tx:
        commands.dismiss(tx, operator, gone.id, "오인", NOW)
    ids = [row["id"] for row in queries.queue(operator, police.authority_id, NOW)]
    assert ids == [high.id, gone.id, low.id]
    later = NOW + timedelta(hours=13)
    assert gone.id not in [row["id"] for row in queries.queue(operator, police.authority_id, later)]
