"""The console's face of signals: storms, shelves, the signals behind an incident, and reports taken by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from madang.identity.models import Agency, Authority
from madang.identity.rights import Role, system_actor
from madang.journal import civic
from madang.kernel.clock import system_clock
from madang.kernel.mode import Mode
from madang.response.signals.intake import Draft, accept
from madang.response.signals.models import Event
from madang.response.signals.settlement import Settlement
from tests.console.conftest import CORNER, Desk

pytestmark = pytest.mark.django_db
MakeDesk = Callable[..., Desk]


def take_in(city: str, count: int, class_code: str = "loitering", *, step: float = 0.01) -> None:
    """So many signals of as many devices, a kilometre apart, settled."""
    now = system_clock()
    drafts = [
        Draft(
            authority=city,
            mode=Mode.LIVE,
            source="sensor",
            source_id=f"{class_code}-{n}",
            device=f"D-{n}",
            class_code=class_code,
            observed_at=now,
            lon=CORNER[0] + step * n,
            lat=CORNER[1],
            accuracy_m=None,
            text=f"신호 {n}",
        )
        for n in range(count)
    ]
    with civic.transaction() as tx:
        accept(tx, system_actor(city), drafts, now)
    settle()


def settle() -> None:
    settlement = Settlement(civic.store, system_clock)
    while settlement.run_once():
        pass


def test_a_storm_is_listed_searched_and_split_from_the_screen(authority: Authority, desk: MakeDesk) -> None:
    take_in(authority.code, 30)
    operator = desk(Role.OPERATOR)
    storm = operator.get("/signals/storms").json()["storms"][0]
    assert storm["events"] > 10
    found = operator.get(f"/signals/storms/{storm['incident_id']}/events?q=D-29").json()
    assert [row["device"] for row in found["rows"]] == ["D-29"]
    event = found["rows"][0]
    assert event["in_storm"]
    answer = operator.post(f"/signals/events/{event['id']}/split", {"reason": "직접 확인"})
    assert answer.status_code == 200
    assert answer.json()["parent_id"] == storm["incident_id"]
    after = operator.get(f"/signals/events/{event['id']}").json()
    assert after["incident_id"] == answer.json()["id"]
    assert not after["in_storm"]
    merged = operator.post("/signals/merge", {"incident_id": answer.json()["id"], "into_id": storm["incident_id"]})
    assert merged.json()["id"] == storm["incident_id"]
    again = operator.post(f"/signals/events/{event['id']}/split", {"reason": "역시 다른 일"})
    assert again.status_code == 200
    assert again.json()["id"] != answer.json()["id"]


def test_the_signals_of_an_incident_are_shown_with_why_they_are_there(authority: Authority, desk: MakeDesk) -> None:
    take_in(authority.code, 3, step=0.0)
    incident = Event.objects.get().incident_id
    page = desk(Role.OPERATOR).get(f"/signals/of/{incident}").json()
    assert page["total"] == 3
    assert {row["reason"] for row in page["rows"]} == {"opened", "merged"}


def test_shelves_are_made_listed_and_ended_from_the_screen(authority: Authority, desk: MakeDesk) -> None:
    operator = desk(Role.OPERATOR)
    body = {"source": "sensor", "device": "D-0", "minutes": 30, "reason": "점검"}
    made = operator.post("/signals/shelves", body)
    assert made.status_code == 200
    assert operator.post("/signals/shelves", body).status_code == 409
    take_in(authority.code, 1)
    assert operator.get("/signals/shelves").json()["shelves"][0]["signals"] == 1
    inside = operator.get(f"/signals/shelves/{made.json()['id']}/signals").json()
    assert inside["total"] == 1
    assert operator.post(f"/signals/shelves/{made.json()['id']}/unshelve", {"reason": ""}).status_code in (400, 422)
    ended = operator.post(f"/signals/shelves/{made.json()['id']}/unshelve", {"reason": "끝"})
    assert ended.json()["ended_by"]["name"] == operator.person.display_name
    assert operator.get("/signals/shelves").json()["shelves"] == []
    assert len(operator.get("/signals/shelves?ended=true").json()["shelves"]) == 1


def test_the_most_talkative_devices_come_first_and_tell_whether_they_are_shelved(
    authority: Authority, desk: MakeDesk
) -> None:
    take_in(authority.code, 3)
    take_in(authority.code, 2, "fire")
    operator = desk(Role.OPERATOR)
    operator.post("/signals/shelves", {"source": "sensor", "device": "D-1", "minutes": 30, "reason": "점검"})
    devices = operator.get("/signals/talkers").json()["devices"]
    assert [(row["device"], row["signals"], row["shelved"]) for row in devices] == [
        ("D-0", 2, False),
        ("D-1", 2, True),
        ("D-2", 1, False),
    ]


def test_a_report_by_hand_is_taken_once_and_found_again(authority: Authority, desk: MakeDesk) -> None:
    operator = desk(Role.OPERATOR)
    body = {"class_code": "fire", "informant": "citizen", "lon": CORNER[0], "lat": CORNER[1], "report_id": "r-1"}
    first = operator.post("/signals/reports", body).json()
    assert first["receipt"] == "new"
    assert operator.post("/signals/reports", body).json()["id"] == first["id"]
    settle()
    after = operator.get(f"/signals/one/{first['id']}").json()
    assert after["outcome"] == "incident"
    assert operator.get(f"/incidents/{after['incident_id']}").json()["class_code"] == "fire"


def test_bad_reports_are_refused_in_korean(desk: MakeDesk, authority: Authority) -> None:
    operator = desk(Role.OPERATOR)
    assert operator.post("/signals/reports", {"class_code": "fire", "lon": 1.0}).json()["ko"]
    assert operator.post("/signals/reports", {"class_code": ""}).status_code in (400, 422)


def test_load_and_policies_are_shown(authority: Authority, desk: MakeDesk) -> None:
    take_in(authority.code, 30)
    operator = desk(Role.OPERATOR)
    load = operator.get("/signals/load").json()
    assert load["new_items"] <= load["allowed"]
    assert load["in_storms"] > 0
    assert operator.get("/signals/policies/fire").json()["priority"] == 1
    assert operator.get("/signals/rejected").json()["total"] == 0


@pytest.mark.parametrize("path", ["storms", "shelves", "load", "events", "rejected"])
def test_who_may_not_see_incidents_sees_no_signals(
    path: str, authority: Authority, desk: MakeDesk, police: Agency
) -> None:
    take_in(authority.code, 1)
    assert desk(Role.AUDITOR).get(f"/signals/{path}").status_code == 403
    assert desk(Role.POLICE_LIAISON, agency=police).get(f"/signals/{path}").status_code == 403


def test_another_city_sees_nothing_of_it(authority: Authority, other_authority: Authority, desk: MakeDesk) -> None:
    take_in(authority.code, 30)
    event = Event.objects.exclude(storm_id="").first()
    assert event is not None
    stranger = desk(Role.OPERATOR, authority=other_authority)
    assert stranger.get("/signals/storms").json() == {"storms": []}
    assert stranger.get(f"/signals/events/{event.pk}").status_code == 404
    assert stranger.post(f"/signals/events/{event.pk}/split", {"reason": "x"}).status_code == 404
    assert stranger.get(f"/signals/of/{event.incident_id}").status_code == 404
