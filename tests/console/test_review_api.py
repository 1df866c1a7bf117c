"""Reviews and alarm load as the screens ask for them."""

from __future__ import annotations

from typing import Any

import jsonschema
import orjson
import pytest
from django.test import Client

from madang.identity.models import Agency, Authority
from madang.identity.rights import Actor, Role
from madang.response.models import Incident
from madang.response.review.domain import CHECKLIST
from madang.response.review.schema import SCHEMA
from tests.conftest import PASSWORD, MakePerson
from tests.response.conftest import city, police
from tests.response.review.conftest import incident, kim, lee, open_incident

__all__ = ["city", "incident", "kim", "lee", "open_incident", "police"]

pytestmark = pytest.mark.django_db(transaction=True)
Json = Any  # Any: JSON answers


def seated(make_person: MakePerson, role: Role, **more: object) -> Client:
    client = Client()
    person = make_person(role, **more)  # type: ignore[arg-type]  # a test's shorthand
    login = {"username": person.username, "password": PASSWORD}
    assert client.post("/api/console/login", orjson.dumps(login), "application/json").status_code == 200
    return client


def post(client: Client, path: str, body: object = None) -> tuple[int, Json]:
    answered = client.post(f"/api/console/reviews{path}", orjson.dumps(body or {}), "application/json")
    return answered.status_code, answered.json()


def get(client: Client, path: str = "") -> tuple[int, Json]:
    answered = client.get(f"/api/console/reviews{path}")
    return answered.status_code, answered.json()


def test_a_reviewer_takes_an_incident_from_the_list_to_a_signed_file(
    incident: Incident, make_person: MakePerson
) -> None:
    desk = seated(make_person, Role.SUPERVISOR)
    _, listed = get(desk)
    assert [(row["number"], row["phase"]) for row in listed["rows"]] == [(incident.number, "none")]
    at = f"/{incident.id}"
    assert post(desk, f"{at}/sign", {"summary": "총평", "version": 1})[0] == 404
    code, one = post(desk, f"{at}/open")
    assert (code, one["phase"], one["may"]["sign"]) == (200, "open", True)
    for point in CHECKLIST:
        code, one = post(desk, f"{at}/checklist", {"key": point.key, "answer": "yes"})
        assert code == 200
    code, problem = post(desk, f"{at}/checklist", {"key": "video", "answer": "no"})
    assert (code, problem["reason"]) == (400, "note_missing")
    assert post(desk, f"{at}/findings", {"kind": "bad", "text": "?"})[0] == 400
    code, one = post(desk, f"{at}/findings", {"kind": "gap", "text": "늦은 인계"})
    code, one = post(desk, f"{at}/findings/{one['findings'][0]['id']}/drop")
    assert one["findings"] == []
    _, choices = get(desk, "/choices")
    wanted = {"kind": "rule", "text": "야간 벨", "owner": choices["owners"][0]["id"], "due_on": "2099-01-01"}
    code, one = post(desk, f"{at}/lessons", wanted)
    assert post(desk, f"{at}/lessons", wanted | {"due_on": "2020-01-01"})[0] == 400
    lesson = one["lessons"][0]["id"]
    code, drafted = post(desk, f"/lessons/{lesson}/rule", {"name": "night-bell-2", "example": "night-bell"})
    assert (code, drafted["draft"], drafted["state"]) == (200, "rule:night-bell-2@1", "drafted")
    code, refused = post(desk, f"{at}/sign", {"summary": "총평", "version": 1})
    assert (code, refused["reason"]) == (409, "stale_version")
    _, one = get(desk, at)
    code, one = post(desk, f"{at}/sign", {"summary": "잘 끝났다", "version": one["version"]})
    assert (code, one["phase"], one["state"]) == (200, "signed", "REVIEWED")
    code, one = post(desk, f"{at}/addenda", {"text": "시각 정정"})
    assert [row["number"] for row in one["documents"]] == [1, 2]
    for number in (1, 2):
        answered = desk.get(f"/api/console/reviews{at}/report.json?number={number}")
        assert "attachment" in answered["Content-Disposition"]
        jsonschema.validate(answered.json(), SCHEMA)
    assert get(desk, "/schema")[1]["title"] == SCHEMA["title"]


def test_those_without_the_right_and_other_cities_are_turned_away(
    incident: Incident, make_person: MakePerson, other_authority: Authority
) -> None:
    operator = seated(make_person, Role.OPERATOR)
    assert get(operator)[0] == 403
    assert get(operator, "/alarm-load")[0] == 403
    officer = seated(make_person, Role.CITY_OFFICER)
    assert get(officer, f"/{incident.id}")[0] == 200
    assert post(officer, f"/{incident.id}/open")[0] == 403
    stranger = seated(make_person, Role.SUPERVISOR, authority=other_authority)
    assert get(stranger, f"/{incident.id}")[0] == 404
    assert post(stranger, f"/{incident.id}/open")[0] == 404
    assert get(stranger)[1]["rows"] == []


def test_alarm_load_says_what_is_unknown_and_refuses_a_period_that_is_none(
    police: Agency, make_person: MakePerson
) -> None:
    del police
    auditor = seated(make_person, Role.AUDITOR)
    code, load = get(auditor, "/alarm-load?by=shift")
    assert (code, load["whole"]["items"], load["whole"]["average"], load["whole"]["known"]) == (200, 0, None, 0.0)
    for bad in ("from=yesterday", "from=2020-01-01T00:00:00Z", "by=year", "from=2099-01-01T00:00:00Z"):
        code, problem = get(auditor, f"/alarm-load?{bad}")
        assert (code, bool(problem["ko"])) == (400, True)
    sheet = auditor.get("/api/console/reviews/alarm-load.csv")
    text = sheet.content.decode()
    assert text.startswith("\ufeff구분")
    assert "미상" in text


def test_an_auditor_reads_names_and_an_officer_codes(incident: Incident, kim: Actor, make_person: MakePerson) -> None:
    auditor, officer = seated(make_person, Role.AUDITOR), seated(make_person, Role.CITY_OFFICER)
    assert kim.name in get(auditor, f"/{incident.id}")[1]["names"].values()
    assert get(officer, f"/{incident.id}")[1]["names"] == {}
