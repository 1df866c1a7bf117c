"""The console's HTTP face: who gets in, what they are told, what they can do."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable

import pytest
from django.test import Client

from madang.identity.models import Agency, Authority
from madang.identity.rights import Role
from madang.journal import civic
from madang.video.models import Camera, VideoGrant
from tests.conftest import PASSWORD, MakePerson
from tests.console.conftest import CORNER, Desk, OpenCall, put_cameras

pytestmark = pytest.mark.django_db
MakeDesk = Callable[..., Desk]


def audited(action: str) -> int:
    with civic.reading() as tx:
        return int(tx.execute("SELECT COUNT(*) FROM journal_audit WHERE action = ?", (action,))[0][0])


# ------------------------------------------------------------------------------------------------- session


def test_login_tells_who_i_am_and_is_audited(make_person: MakePerson, authority: Authority) -> None:
    person = make_person(Role.OPERATOR)
    answer = Client().post(
        "/api/console/login", {"username": person.username, "password": PASSWORD}, content_type="application/json"
    )
    assert answer.status_code == 200
    me = answer.json()
    assert me["person"] == {"id": f"person:{person.pk}", "name": person.display_name}
    assert me["authority"]["code"] == authority.code
    assert me["roles"] == ["operator"]
    assert "work_incident" in me["rights"]
    assert "approve_grant" not in me["rights"]
    assert me["on_duty"] is None
    assert audited("session.opened") == 1


def test_a_wrong_password_says_what_to_do_in_korean(make_person: MakePerson) -> None:
    person = make_person(Role.OPERATOR)
    answer = Client().post(
        "/api/console/login", {"username": person.username, "password": "no"}, content_type="application/json"
    )
    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/problem+json"
    assert "비밀번호" in answer.json()["ko"]


def test_five_wrong_passwords_lock_the_login_even_for_the_right_one(make_person: MakePerson) -> None:
    person = make_person(Role.OPERATOR)
    client = Client()
    for _ in range(5):
        client.post(
            "/api/console/login", {"username": person.username, "password": "no"}, content_type="application/json"
        )
    answer = client.post(
        "/api/console/login", {"username": person.username, "password": PASSWORD}, content_type="application/json"
    )
    assert answer.status_code == 429
    assert answer.json()["code"] == "locked-out"


def test_login_and_writes_without_the_form_token_are_refused(make_person: MakePerson) -> None:
    person = make_person(Role.OPERATOR)
    strict = Client(enforce_csrf_checks=True)
    refused = strict.post(
        "/api/console/login", {"username": person.username, "password": PASSWORD}, content_type="application/json"
    )
    assert refused.status_code == 403
    assert refused.json()["code"] == "csrf"
    strict.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    refused = strict.post("/api/console/incidents", {}, content_type="application/json")
    assert refused.status_code == 403
    assert refused.json()["code"] == "csrf"


def test_login_with_the_form_token_works(make_person: MakePerson) -> None:
    person = make_person(Role.OPERATOR)
    strict = Client(enforce_csrf_checks=True)
    strict.get("/api/console/token")
    answer = strict.post(
        "/api/console/login",
        {"username": person.username, "password": PASSWORD},
        content_type="application/json",
        headers={"X-CSRFToken": strict.cookies["csrftoken"].value},
    )
    assert answer.status_code == 200


def test_without_a_session_every_door_says_log_in() -> None:
    for path in ("/me", "/snapshot", "/cameras?bbox=0,0,1,1", "/basemap", "/roster"):
        answer = Client().get(f"/api/console{path}")
        assert answer.status_code == 401, path
        assert answer.json()["ko"]


def test_an_address_that_does_not_exist_is_a_problem_too(desk: MakeDesk) -> None:
    operator = desk(Role.OPERATOR)
    for answer in (operator.get("/nothing"), operator.post("/nothing/at/all"), Client().get("/api/console/x")):
        assert answer.status_code == 404
        assert answer["Content-Type"] == "application/problem+json"


def test_no_answer_is_kept_by_a_browser(desk: MakeDesk) -> None:
    operator = desk(Role.OPERATOR)
    for path in ("/me", "/snapshot", "/cameras?bbox=1,1,2,2", "/incidents/none"):
        assert operator.get(path)["Cache-Control"] == "no-store", path


def test_logging_out_ends_the_session(desk: MakeDesk) -> None:
    operator = desk(Role.OPERATOR)
    assert operator.post("/logout").status_code == 200
    assert operator.get("/me").status_code == 401


def test_someone_with_roles_in_two_cities_can_switch_and_only_there(desk: MakeDesk, other_authority: Authority) -> None:
    operator = desk(Role.OPERATOR)
    assert operator.post("/me/authority", {"code": other_authority.code}).status_code == 404
    operator.person.role_assignments.create(role=Role.SUPERVISOR.value, authority=other_authority)
    answer = operator.post("/me/authority", {"code": other_authority.code})
    assert answer.status_code == 200
    assert answer.json()["roles"] == ["supervisor"]
    assert operator.get("/me").json()["authority"]["code"] == other_authority.code


def test_an_account_without_a_role_is_told_to_ask_for_one(make_person: MakePerson) -> None:
    person = make_person(Role.OPERATOR)
    person.role_assignments.all().delete()
    client = Client()
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    answer = client.get("/api/console/me")
    assert answer.status_code == 403
    assert "역할" in answer.json()["ko"]


# ----------------------------------------------------------------------------------------------- incidents


def test_a_call_shows_in_the_queue_with_its_cameras_and_its_grants(
    desk: MakeDesk, cameras: list[Camera], police: Agency, open_call: OpenCall
) -> None:
    incident = open_call(police)
    snapshot = desk(Role.OPERATOR).get("/snapshot").json()
    (row,) = snapshot["incidents"]
    assert row["id"] == incident.pk
    assert row["agency"] == {"code": police.code, "name_ko": police.name_ko}
    assert row["class_ko"] == "강도"
    assert row["place"]["lon"] == CORNER[0]
    assert {grant["incident_number"] for grant in snapshot["grants"]} == {incident.number}
    assert all(set(grant["camera_ids"]) <= {camera.pk for camera in cameras} for grant in snapshot["grants"])


def test_rows_in_lists_never_carry_the_caller_and_reading_it_is_audited(
    desk: MakeDesk, police: Agency, open_call: OpenCall
) -> None:
    incident = open_call(police)
    operator = desk(Role.OPERATOR)
    assert "010-1234-5678" not in operator.get("/snapshot").content.decode()
    assert audited("incident.caller_read") == 0
    detail = operator.get(f"/incidents/{incident.pk}").json()
    assert detail["caller"] == {"phone": "010-1234-5678", "name": "홍길동"}
    assert audited("incident.caller_read") == 1


def test_the_panel_has_timeline_ranked_cameras_grants_and_tasks(
    desk: MakeDesk, cameras: list[Camera], police: Agency, open_call: OpenCall
) -> None:
    incident = open_call(police)
    detail = desk(Role.SUPERVISOR).get(f"/incidents/{incident.pk}").json()
    assert detail["timeline"][0]["text_ko"]
    assert {camera["id"] for camera in detail["cameras"]} <= {camera.pk for camera in cameras}
    assert detail["cameras"][0]["sees"] in ("yes", "unknown", "no")
    assert all(reason["ko"] and reason["en"] for reason in detail["cameras"][0]["reasons"])
    assert detail["grants"]
    assert any(task["kind"] == "attend" for task in detail["tasks"])


def test_an_operator_works_an_incident_from_claim_to_close_and_reopen(
    desk: MakeDesk, police: Agency, open_call: OpenCall
) -> None:
    incident = open_call(police)
    operator = desk(Role.OPERATOR)
    claimed = operator.post(f"/incidents/{incident.pk}/claim").json()
    assert claimed["owner"]["id"] == operator.actor.id
    for step, state in (("verify", "VERIFYING"), ("activate", "ACTIVE"), ("stabilise", "STABILISED")):
        answer = operator.post(f"/incidents/{incident.pk}/{step}")
        assert answer.status_code == 200, answer.content
        assert answer.json()["state"] == state
    assert operator.post(f"/incidents/{incident.pk}/note", {"text": "현장 확인"}).status_code == 200
    assert operator.post(f"/incidents/{incident.pk}/close", {"reason": "상황 종료"}).json()["state"] == "CLOSED"
    assert operator.post(f"/incidents/{incident.pk}/reopen", {"reason": ""}).status_code == 400
    assert operator.post(f"/incidents/{incident.pk}/reopen", {"reason": "재신고"}).json()["state"] == "ACTIVE"


def test_a_decision_made_on_an_old_picture_is_refused(desk: MakeDesk, police: Agency, open_call: OpenCall) -> None:
    incident = open_call(police)
    operator = desk(Role.OPERATOR)
    old = incident.version
    assert operator.post(f"/incidents/{incident.pk}/claim", {"version": old}).status_code == 200
    stale = operator.post(f"/incidents/{incident.pk}/verify", {"version": old})
    assert stale.status_code == 409
    assert stale.json()["reason"] == "stale_version"


def test_an_operator_opens_an_incident_by_hand_and_finds_its_place(desk: MakeDesk, cameras: list[Camera]) -> None:
    operator = desk(Role.OPERATOR)
    opened = operator.post("/incidents", {"class_code": "disturbance", "priority": 2, "note": "다툼"}).json()
    assert opened["source"] == "operator"
    assert opened["place"]["state"] == "unlocated"
    found = operator.post(f"/incidents/{opened['id']}/locate", {"lon": CORNER[0], "lat": CORNER[1]}).json()
    assert found["place"]["state"] == "located"
    assert found["cameras_offered"] >= 1


def test_a_place_that_is_none_is_refused_with_its_field(desk: MakeDesk, police: Agency, open_call: OpenCall) -> None:
    incident = open_call(police)
    operator = desk(Role.OPERATOR)
    assert operator.post(f"/incidents/{incident.pk}/locate", {}).json()["where"] == "lon"
    assert operator.post(f"/incidents/{incident.pk}/locate", {"lon": 0, "lat": 0}).status_code == 400


def test_a_body_of_the_wrong_form_names_each_field(desk: MakeDesk) -> None:
    answer = desk(Role.OPERATOR).post("/incidents", {"class_code": "", "priority": 9})
    assert answer.status_code == 400
    places = {fault["where"] for fault in answer.json()["errors"]}
    assert {place.rpartition(".")[2] for place in places} == {"class_code", "priority"}


def test_a_body_that_is_no_json_is_a_problem_not_a_fault(desk: MakeDesk) -> None:
    operator = desk(Role.OPERATOR)
    answer = operator.client.post("/api/console/incidents", b"\xff{", content_type="application/json")
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"


# ------------------------------------------------------------------------------------------- other people's


def test_another_citys_incident_grant_and_camera_do_not_exist(
    desk: MakeDesk, police: Agency, open_call: OpenCall, cameras: list[Camera], other_authority: Authority
) -> None:
    incident = open_call(police)
    grant = VideoGrant.objects.first()
    assert grant is not None
    stranger = desk(Role.SUPERVISOR, authority=other_authority)
    assert stranger.get(f"/incidents/{incident.pk}").status_code == 404
    assert stranger.post(f"/incidents/{incident.pk}/claim").status_code == 404
    assert stranger.post(f"/grants/{grant.pk}/revoke", {"reason": "x"}).status_code == 404
    assert stranger.get(f"/cameras/{cameras[0].pk}").status_code == 404
    assert stranger.post("/leases", {"camera_id": cameras[0].pk, "grant_id": grant.pk}).status_code == 404
    assert stranger.post("/break-glass", {"camera_ids": [cameras[0].pk], "reason": "x"}).status_code == 404
    assert stranger.get("/snapshot").json()["incidents"] == []
    unknown = stranger.get("/incidents/0190-nothing")
    known = stranger.get(f"/incidents/{incident.pk}")
    assert unknown.json() == known.json()


def test_seconded_police_see_their_own_agencys_incidents_only(
    desk: MakeDesk, police: Agency, other_police: Agency, open_call: OpenCall
) -> None:
    ours, theirs = open_call(police), open_call(other_police)
    liaison = desk(Role.POLICE_LIAISON, agency=police)
    assert [row["id"] for row in liaison.get("/snapshot").json()["incidents"]] == [ours.pk]
    assert liaison.get(f"/incidents/{theirs.pk}").status_code == 404
    assert liaison.get(f"/incidents/{ours.pk}").json()["caller"]["name"] == "홍길동"
    numbers = {grant["incident_number"] for grant in liaison.get("/snapshot").json()["grants"]}
    assert numbers <= {ours.number}


def test_administrators_and_auditors_see_neither_incidents_nor_video(
    desk: MakeDesk, police: Agency, open_call: OpenCall, cameras: list[Camera]
) -> None:
    incident = open_call(police)
    for role in (Role.ADMINISTRATOR, Role.AUDITOR):
        person = desk(role)
        assert person.get("/snapshot").status_code == 403
        assert person.get(f"/incidents/{incident.pk}").status_code == 404
        assert person.post("/leases", {"camera_id": cameras[0].pk}).status_code == 403


def test_the_superuser_flag_opens_nothing(
    make_person: MakePerson, police: Agency, open_call: OpenCall, cameras: list[Camera]
) -> None:
    incident = open_call(police)
    person = make_person(Role.ADMINISTRATOR)
    person.is_superuser = person.is_staff = True
    person.save()
    root = Desk(person)
    assert root.get(f"/incidents/{incident.pk}").status_code == 404
    assert root.get("/snapshot").status_code == 403
    assert root.post("/leases", {"camera_id": cameras[0].pk}).status_code == 403


# --------------------------------------------------------------------------------------------------- video


def test_an_operator_on_duty_gets_a_lease_and_its_token_is_in_no_address(desk: MakeDesk, cameras: list[Camera]) -> None:
    operator = desk(Role.OPERATOR)
    refused = operator.post("/leases", {"camera_id": cameras[0].pk})
    assert refused.status_code == 403
    assert "근무" in refused.json()["ko"]
    assert operator.post("/shift/start", {"hours": 8}).json()["on_duty"]
    lease = operator.post("/leases", {"camera_id": cameras[0].pk}).json()
    assert lease["token"]
    assert lease["token"] not in lease["url"]
    assert lease["overlay"]["viewer"] == operator.person.display_name
    assert operator.post(f"/leases/{lease['lease_id']}/renew").json()["lease_id"] == lease["lease_id"]
    assert operator.post(f"/leases/{lease['lease_id']}/close").status_code == 200
    assert [shift["person"]["id"] for shift in operator.get("/roster").json()["shifts"]] == [operator.actor.id]
    assert operator.post("/shift/end").json()["on_duty"] is None


def test_a_lease_for_an_incident_finds_the_grant_that_covers_the_camera(
    desk: MakeDesk, cameras: list[Camera], police: Agency, open_call: OpenCall
) -> None:
    incident = open_call(police)
    supervisor = desk(Role.SUPERVISOR)
    for grant in supervisor.get("/snapshot").json()["grants"]:
        if grant["state"] == "PENDING_HUMAN":
            assert supervisor.post(f"/grants/{grant['id']}/approve", {"reason": "확인"}).status_code == 200
    offered = supervisor.get(f"/incidents/{incident.pk}").json()["cameras"]
    covered = next(camera for camera in offered if camera["grant_id"])
    lease = supervisor.post("/leases", {"camera_id": covered["id"], "incident_id": incident.pk})
    assert lease.status_code == 200, lease.content
    assert lease.json()["overlay"]["incident"] == incident.number


def test_nobody_approves_what_they_asked_for_themselves(
    desk: MakeDesk, cameras: list[Camera], police: Agency, open_call: OpenCall
) -> None:
    incident = open_call(police, kind="소음", code=4)
    asker, other = desk(Role.POLICE_LIAISON, agency=police), desk(Role.SUPERVISOR)
    asked = asker.post("/grants", {"incident_id": incident.pk, "camera_ids": [cameras[0].pk], "rights": ["live"]})
    assert asked.status_code == 200, asked.content
    grant = asked.json()
    assert grant["state"] == "PENDING_HUMAN"
    refused = asker.post(f"/grants/{grant['id']}/approve", {"reason": "제가"})
    assert refused.status_code == 403
    assert refused.json()["reason"] == "own_request"
    assert other.post(f"/grants/{grant['id']}/approve", {"reason": "확인"}).json()["state"] == "APPROVED"
    extended = other.post(f"/grants/{grant['id']}/extend", {"reason": "추적 계속"}).json()
    assert extended["version"] > grant["version"]
    assert other.post(f"/grants/{grant['id']}/revoke", {"reason": "종료"}).json()["state"] == "REVOKED"


def test_break_glass_is_short_told_to_two_and_shown(desk: MakeDesk, cameras: list[Camera]) -> None:
    desk(Role.SUPERVISOR)
    watching = desk(Role.AUDITOR)
    operator = desk(Role.OPERATOR)
    grant = operator.post("/break-glass", {"camera_ids": [cameras[0].pk], "reason": "칼부림 목격"}).json()
    assert grant["kind"] == "break_glass"
    assert grant["state"] == "ACTIVE"
    assert [row["id"] for row in operator.get("/snapshot").json()["grants"]] == [grant["id"]]
    assert watching.post("/break-glass", {"camera_ids": [cameras[0].pk], "reason": "x"}).status_code == 403


# ----------------------------------------------------------------------------------------------------- map


def test_cameras_in_view_come_as_rows_and_when_too_many_as_clusters(
    desk: MakeDesk, cameras: list[Camera], other_authority: Authority
) -> None:
    put_cameras(other_authority.code, 2, prefix="OTHER")
    operator = desk(Role.OPERATOR)
    box = "128.8,35.2,129.0,35.3"
    few = operator.get(f"/cameras?bbox={box}").json()
    at = few["columns"].index("id")
    assert {row[at] for row in few["rows"]} == {camera.pk for camera in cameras}
    assert few["clipped"] is False
    many = operator.get(f"/cameras?bbox={box}&limit=3").json()
    assert many["clipped"] is True
    assert many["rows"] == []
    assert sum(cluster["count"] for cluster in many["clusters"]) == len(cameras) == many["total"]


@pytest.mark.parametrize("box", ["", "1,2,3", "a,b,c,d", "nan,0,1,1", "2,0,1,1", "0,0,999,1"])
def test_a_box_that_is_none_is_refused(desk: MakeDesk, box: str) -> None:
    answer = desk(Role.OPERATOR).get(f"/cameras?bbox={box}")
    assert answer.status_code == 400
    assert "bbox" in answer.json()["where"]


def test_throwing_the_net_gives_the_nearest_first(desk: MakeDesk, cameras: list[Camera]) -> None:
    found = desk(Role.OPERATOR).get(f"/near?lon={CORNER[0]}&lat={CORNER[1]}&k=3").json()
    assert len(found) == 3
    distances = [camera["distance_m"] for camera in found if camera["sees"] != "yes"]
    assert distances == sorted(distances)


def test_search_finds_cameras_and_incidents(
    desk: MakeDesk, cameras: list[Camera], police: Agency, open_call: OpenCall
) -> None:
    incident = open_call(police)
    operator = desk(Role.OPERATOR)
    assert len(operator.get("/search?q=CAM").json()["cameras"]) == len(cameras)
    assert [row["id"] for row in operator.get(f"/search?q={incident.number}").json()["incidents"]] == [incident.pk]
    assert operator.get("/search?q=%20").json() == {"cameras": [], "incidents": [], "places": []}


def test_the_base_map_is_compressed_and_not_sent_twice(desk: MakeDesk, authority: Authority) -> None:
    from madang.places.models import BaseFeature, Boundary

    Boundary.objects.create(
        authority=authority,
        code="1",
        name_ko="내외동",
        geometry='{"type":"Polygon","coordinates":[[[128.8,35.2],[128.9,35.2],[128.9,35.3],[128.8,35.2]]]}',
        west=128.8,
        south=35.2,
        east=128.9,
        north=35.3,
    )
    BaseFeature.objects.create(
        authority=authority,
        kind="road",
        source_key="r1",
        name="김해대로",
        geometry='{"type":"LineString","coordinates":[[128.8,35.2],[128.9,35.2]]}',
        west=128.8,
        south=35.2,
        east=128.9,
        north=35.2,
    )
    operator = desk(Role.OPERATOR)
    answer = operator.get("/basemap", **{"Accept-Encoding": "gzip"})
    assert answer["Content-Encoding"] == "gzip"
    body = json.loads(gzip.decompress(answer.content))
    assert body["boundaries"]["features"][0]["properties"]["name"] == "내외동"
    assert body["roads"]["features"][0]["properties"]["name"] == "김해대로"
    assert set(body) >= {"boundaries", "roads", "buildings", "water", "labels", "rev"}
    again = operator.get("/basemap", **{"If-None-Match": answer["ETag"]})
    assert again.status_code == 304


def test_the_screen_says_how_to_build_it_when_it_is_not_built(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    from pathlib import Path

    from madang.console import screen

    monkeypatch.setattr(screen, "APP", Path(str(tmp_path)))
    answer = Client().get("/")
    assert answer.status_code == 503
    assert "빌드" in answer.content.decode()
    (Path(str(tmp_path)) / "index.html").write_text("<!doctype html><title>마당</title>", encoding="utf-8")
    answer = Client().get("/")
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-cache"
    assert "csrftoken" in answer.cookies
