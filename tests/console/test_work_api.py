"""Checklists, hand-overs, the log and tasks as the screens ask for them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from madang.identity.models import Agency, Authority
from madang.identity.rights import Role, system_actor
from madang.journal import civic
from madang.kernel.clock import system_clock
from madang.response.models import Incident
from madang.response.sop.seed import plant
from tests.console.conftest import Desk, OpenCall

MakeDesk = Callable[..., Desk]


@pytest.fixture
def kim(desk: MakeDesk) -> Desk:
    return desk(Role.OPERATOR, username="kim")


@pytest.fixture
def lee(desk: MakeDesk) -> Desk:
    return desk(Role.OPERATOR, username="lee")


@pytest.fixture
def incident(authority: Authority, police: Agency, open_call: OpenCall, kim: Desk) -> Incident:
    with civic.transaction() as tx:
        plant(tx, system_actor(authority.code), authority.code, system_clock())
    found = open_call(police)
    assert kim.post(f"/incidents/{found.pk}/claim").status_code == 200
    return found


def test_a_checklist_is_started_and_ticked_and_the_second_to_tick_is_told_who_was_first(
    incident: Incident, kim: Desk, lee: Desk
) -> None:
    before = kim.get(f"/sops/incidents/{incident.pk}").json()
    assert before["runs"] == []
    assert {"bell", "fire"} <= {sop["code"] for sop in before["startable"]}
    run = kim.post(f"/sops/incidents/{incident.pk}", {"code": "fall"}).json()
    first = run["steps"][0]
    assert (first["standing"], first["evidence"], first["mine"]) == ("open", "choice", True)
    assert first["due_at"] is not None
    step = f"/sops/runs/{run['id']}/steps/{first['key']}"
    wrong = lee.post(f"{step}/tick", {"value": "글쎄"})
    assert (wrong.status_code, wrong.json()["where"]) == (400, "value")
    ticked = lee.post(f"{step}/tick", {"value": "일어남"}).json()
    assert [row["standing"] for row in ticked["steps"]] == ["done", "off", "off", "off", "open"]
    late = kim.post(f"{step}/tick", {"value": "움직임"})
    assert late.status_code == 409
    assert lee.person.display_name in late.json()["ko"]
    assert kim.post(f"{step}/undo", {"reason": "다시 확인"}).json()["steps"][0]["standing"] == "open"
    assert kim.post(f"/sops/runs/{run['id']}/stop", {"reason": "오인"}).json()["phase"] == "stopped"


def test_a_hand_over_goes_from_draft_to_acceptance(incident: Incident, kim: Desk, lee: Desk) -> None:
    kim.post(f"/sops/incidents/{incident.pk}", {"code": "fall"})
    draft = kim.get("/handovers/draft").json()
    assert [row["number"] for row in draft["incidents"]] == [incident.number]
    assert incident.number in draft["brief"]
    assert "쓰러짐" in draft["brief"]
    row = kim.post("/handovers", {"to": lee.actor.id, "brief": draft["brief"]}).json()
    assert lee.get("/duty").json()["handovers"][0]["id"] == row["id"]
    assert kim.post(f"/handovers/{row['id']}/accept").status_code == 409
    assert lee.post(f"/handovers/{row['id']}/decline", {"reason": ""}).status_code == 400
    assert kim.get(f"/incidents/{incident.pk}").json()["owner"]["id"] == kim.actor.id
    done = lee.post(f"/handovers/{row['id']}/accept", {"incident_ids": [incident.pk]}).json()
    assert (done["phase"], done["items"][0]["item_state"]) == ("accepted", "accepted")
    assert kim.get(f"/incidents/{incident.pk}").json()["owner"]["id"] == lee.actor.id


def test_the_log_and_the_tasks_of_an_incident(incident: Incident, kim: Desk, lee: Desk) -> None:
    said = {"channel": "phone", "direction": "out", "who": "관제", "whom": "119", "text": "출동 요청"}
    entry = kim.post("/log", said | {"incident_id": incident.pk}).json()
    fixed = lee.post(f"/log/{entry['id']}/correct", {"text": "구급 출동 요청"}).json()
    rows = kim.get(f"/log?incident_id={incident.pk}").json()["entries"]
    assert {(row["id"], row["corrected_by"]) for row in rows} == {(entry["id"], fixed["id"]), (fixed["id"], None)}
    assert kim.post("/log", said | {"channel": "smoke"}).status_code == 400
    assert kim.post("/log", said | {"incident_id": "nope"}).status_code == 404
    task = kim.post("/tasks", {"incident_id": incident.pk, "text": "회신 확인", "due_min": 5}).json()
    assert (task["by_hand"], task["assignee"]) == (True, None)
    assert lee.post(f"/tasks/{task['id']}/take").json()["assignee"]["id"] == lee.actor.id
    taken = kim.post(f"/tasks/{task['id']}/take")
    assert (taken.status_code, taken.json()["reason"]) == (409, "task_taken")
    assert lee.post(f"/tasks/{task['id']}/snooze", {"minutes": 5, "reason": "통화 중"}).json()["snoozed_until"]
    assert lee.post(f"/tasks/{task['id']}/complete", {"note": "회신 받음"}).json()["state"] == "done"
    assert task["id"] not in [row["id"] for row in kim.get("/tasks").json()["tasks"]]


def test_a_sign_of_life_shows_on_the_board(incident: Incident, kim: Desk) -> None:
    assert kim.post("/presence").json() == {"written": True, "lost": 0}
    assert kim.post("/presence").json() == {"written": False, "lost": 0}
    me = next(row for row in kim.get("/duty").json()["people"] if row["id"] == kim.actor.id)
    assert (me["alive"], me["holds"]) == (True, 1)
    assert kim.post("/shift/begin").status_code == 409


def test_who_keeps_no_duty_here_sees_and_does_nothing_of_it(
    incident: Incident, desk: MakeDesk, other_authority: Authority, kim: Desk
) -> None:
    auditor = desk(Role.AUDITOR)
    stranger = desk(Role.OPERATOR, authority=other_authority, username="stranger")
    for path in ("/duty", "/handovers/draft", "/log"):
        assert auditor.get(path).status_code == 403
    assert auditor.post("/presence").status_code == 403
    assert stranger.get(f"/sops/incidents/{incident.pk}").status_code == 404
    assert stranger.post(f"/sops/incidents/{incident.pk}", {"code": "fall"}).status_code == 404
    run = kim.post(f"/sops/incidents/{incident.pk}", {"code": "fall"}).json()
    tried = stranger.post(f"/sops/runs/{run['id']}/steps/moves/tick", {"value": "일어남"})
    assert tried.status_code == 404
    assert stranger.get("/log").json() == {"entries": []}
