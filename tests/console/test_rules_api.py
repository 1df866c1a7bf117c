"""The rules room as screens see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from madang.identity.models import Authority
from madang.identity.rights import Role
from tests.console.conftest import Desk
from tests.response.rules.playing import BELL, rule_json

MakeDesk = Callable[..., Desk]
RULE = rule_json({"op": "count", "source": BELL, "n": 3, "window_s": 60}, effects=[{"do": "record"}])


def _made(
    desk: Desk, name: str = "many-bells", definition: dict[str, Any] | None = None
) -> dict[str, Any]:  # Any: JSON
    answer = desk.post("/rules", {"name": name, "definition": definition or RULE, "note": "시험"})
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def _put(desk: Desk, path: str, body: dict[str, Any]) -> Any:  # Any: JSON; the test client's response
    return desk.client.put(f"/api/console{path}", body, content_type="application/json")


@pytest.fixture
def writer(desk: MakeDesk) -> Desk:
    return desk(Role.CITY_OFFICER)


@pytest.fixture
def approver(desk: MakeDesk) -> Desk:
    return desk(Role.SUPERVISOR)


def test_a_rule_goes_from_a_form_to_its_shadow_and_a_second_person_publishes_it(writer: Desk, approver: Desk) -> None:
    from madang.response.rules.models import RuleVersion

    draft = _made(writer)
    assert draft["sentence"]["ko"]["text"].startswith("비상벨 신호가 1분 안에 3번 이상 들어오면")
    assert draft["may"] == {"edit": True, "check": True, "drop": True}
    path = f"/rules/versions/{draft['id']}"
    checked = writer.post(f"{path}/check", {}).json()
    assert (checked["stage"], checked["faults"]) == ("checked", 0)
    assert writer.post(f"{path}/replay", {"days": 7}).json()["replay"]["state"] == "queued"
    RuleVersion.objects.update(stage="replayed")  # as the job leaves it
    assert writer.post(f"{path}/shadow", {}).json()["stage"] == "shadow"
    assert writer.post(f"{path}/publish", {}).status_code == 403
    assert approver.get(path).json()["may"]["publish"] is True
    published = approver.post(f"{path}/publish", {}).json()
    assert (published["stage"], published["published_by"]["id"]) == ("published", approver.actor.id)
    listed = writer.get("/rules").json()["rules"]
    assert [(one["name"], one["published"]["cited"], one["work"]) for one in listed] == [
        ("many-bells", "many-bells@1", None)
    ]
    assert approver.get("/rules/named/many-bells").json()["in_force"]["id"] == draft["id"]


def test_editing_makes_a_draft_again_and_an_old_picture_is_refused(writer: Desk) -> None:
    draft = _made(writer)
    path = f"/rules/versions/{draft['id']}"
    body = {"definition": {**RULE, "title_ko": "고침"}, "note": "", "revision": draft["revision"]}
    edited = _put(writer, path, body).json()
    assert (edited["title_ko"], edited["stage"], edited["id"]) == ("고침", "draft", draft["id"])
    assert _put(writer, path, body).status_code == 409


def test_what_cannot_be_read_is_refused_at_its_member_in_korean(writer: Desk) -> None:
    bad = {**RULE, "when": {**RULE["when"], "window_s": 10**9}}
    answer = writer.post("/rules", {"name": "bad", "definition": bad, "note": ""})
    assert answer.status_code == 400
    assert answer.json()["where"] == "definition.when.window_s"
    assert "when.window_s" in answer.json()["ko"]


def test_a_preview_keeps_nothing(writer: Desk) -> None:
    from madang.response.rules.models import RuleVersion

    loop = {**RULE, "when": {"op": "happens", "source": {**BELL, "classes": ["flood"], "sources": ["rule"]}}}
    found = writer.post("/rules/preview", {"definition": loop}).json()
    assert [one["code"] for one in found["findings"]] == ["loop"]
    assert found["sentence"]["en"]["text"]
    assert not RuleVersion.objects.exists()


def test_the_vocabulary_answers_also_where_the_hub_does_not(writer: Desk) -> None:
    found = writer.get("/rules/vocabulary").json()
    assert found["entity_types"] is None
    assert {one["op"] for one in found["operators"]} >= {"threshold", "schedule"}
    assert writer.get("/rules/schema").json()["$schema"]


def test_operators_see_no_rules_and_other_cities_rules_do_not_exist(
    desk: MakeDesk, writer: Desk, other_authority: Authority
) -> None:
    draft = _made(writer)
    assert desk(Role.OPERATOR).get("/rules").status_code == 403
    neighbour = desk(Role.SUPERVISOR, authority=other_authority)
    assert neighbour.get(f"/rules/versions/{draft['id']}").status_code == 404
    assert neighbour.post(f"/rules/versions/{draft['id']}/drop", {}).status_code == 404
    assert neighbour.get("/rules").json() == {"rules": []}


def test_a_table_is_checked_and_published_by_a_second_person(desk: MakeDesk, approver: Desk) -> None:
    rows = [{"name": "all", "then": {"tiers": ["city"]}}]
    body = {"kind": "notify", "policy": "collect", "rows": rows, "note": ""}
    assert approver.post("/rules/tables/check", body).json() == {"findings": []}
    table = approver.post("/rules/tables", body).json()
    assert approver.post(f"/rules/tables/{table['id']}/publish").status_code == 403
    second = desk(Role.SUPERVISOR)
    assert second.post(f"/rules/tables/{table['id']}/publish").json()["state"] == "published"
    kinds = {one["kind"]: one["published"] for one in second.get("/rules/tables").json()["tables"]}
    assert kinds["notify"]["number"] == 1
    assert kinds["priority"] is None


def test_firings_and_waits_of_a_version_are_listed(writer: Desk) -> None:
    path = f"/rules/versions/{_made(writer)['id']}"
    assert writer.get(f"{path}/firings?limit=5").json() == {"firings": []}
    assert writer.get(f"{path}/waiting").json() == {"groups": []}


def test_a_dropped_draft_makes_room_for_another(writer: Desk) -> None:
    draft = _made(writer)
    assert writer.post("/rules", {"name": "many-bells", "definition": RULE, "note": ""}).status_code == 409
    assert writer.post(f"/rules/versions/{draft['id']}/drop", {}).json()["stage"] == "dropped"
    assert _made(writer)["number"] == 2


def test_an_approver_sends_a_shadow_back_with_a_reason_and_its_history_tells(writer: Desk, approver: Desk) -> None:
    from madang.response.rules.models import RuleVersion

    draft = _made(writer)
    path = f"/rules/versions/{draft['id']}"
    RuleVersion.objects.update(stage="replayed")
    assert writer.post(f"{path}/shadow", {}).json()["may"]["send_back"] == "role_lacks_right"
    assert writer.post(f"{path}/send_back", {"reason": "아무나"}).status_code == 403
    assert approver.post(f"{path}/send_back", {"reason": " "}).status_code == 400
    assert approver.post(f"{path}/send_back", {"reason": "너무 자주 울립니다"}).json()["stage"] == "draft"
    steps = writer.get(f"{path}/history").json()["steps"]
    assert [one["act"] for one in steps] == ["drafted", "shadow", "send_back"]
    assert (steps[-1]["reason"], steps[-1]["by"]["id"]) == ("너무 자주 울립니다", approver.actor.id)
    assert not steps[-1]["by"]["name"].startswith("person:")


def test_a_form_says_which_sources_a_field_takes(writer: Desk) -> None:
    forms = {one["op"]: one["fields"] for one in writer.get("/rules/vocabulary").json()["operators"]}
    sources = {op: [one["options"] for one in fields if one["kind"] == "source"] for op, fields in forms.items()}
    assert sources["threshold"] == [["reading"]]
    assert sources["sequence"] == [["reading", "signal"], ["reading", "signal"]]
