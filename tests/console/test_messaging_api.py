"""Situation messages as the screens ask for them."""

from __future__ import annotations

import orjson
import pytest
from django.test import Client

from madang.identity.models import Authority
from madang.identity.rights import Role
from madang.response.messaging.models import Delivery
from madang.response.models import Incident
from tests.conftest import PASSWORD, MakePerson
from tests.response.messaging.conftest import Lines, a_recipient, incident, lines, operator, run

__all__ = ["incident", "lines", "operator"]

pytestmark = pytest.mark.django_db(transaction=True)
DRAFT = {"level": "caution", "tiers": ["city"], "text_ko": "둔치 통제", "key": "desk-1"}


def seated(make_person: MakePerson, role: Role) -> Client:
    client = Client()
    person = make_person(role)
    login = {"username": person.username, "password": PASSWORD}
    assert client.post("/api/console/login", orjson.dumps(login), "application/json").status_code == 200
    return client


def test_a_message_is_chosen_previewed_sent_once_and_followed(
    authority: Authority, incident: Incident, lines: Lines, make_person: MakePerson
) -> None:
    a_recipient(authority, "재난과 당직", "sms")
    desk = seated(make_person, Role.OPERATOR)
    base = f"/api/console/incidents/{incident.id}/messages"
    assert desk.get(base).json() == []
    choices = desk.get(f"{base}/choices").json()
    assert {tier["code"]: tier["recipients"] for tier in choices["tiers"]}["city"] == 1
    [seen] = desk.get(f"{base}/preview?tiers=city").json()
    assert (seen["name"], seen["channels"]) == ("재난과 당직", ["sms"])
    for _ in range(2):
        answered = desk.post(base, orjson.dumps(DRAFT), "application/json")
        assert answered.status_code == 200, answered.content
    run()
    assert len(lines.sms.sent) == 1
    [message] = desk.get(base).json()
    [delivery] = message["deliveries"]
    assert (delivery["state"], delivery["attempts"][0]["state"]) == ("sent", "sent")
    acknowledged = desk.post(f"/api/console/deliveries/{delivery['id']}/acknowledge", b"{}", "application/json")
    assert acknowledged.json()[0]["states"]["acknowledged"] == 1
    assert desk.get("/api/console/messages").json()[0]["incident_number"] == incident.number


def test_without_the_right_nothing_is_sent_and_no_number_is_told(
    authority: Authority, incident: Incident, lines: Lines, make_person: MakePerson
) -> None:
    del lines
    a_recipient(authority, "재난과 당직", "sms")
    auditor = seated(make_person, Role.AUDITOR)
    base = f"/api/console/incidents/{incident.id}/messages"
    assert auditor.post(base, orjson.dumps(DRAFT), "application/json").status_code in (403, 404)
    operator = seated(make_person, Role.OPERATOR)
    assert operator.post(base, orjson.dumps(DRAFT), "application/json").status_code == 200
    delivery = Delivery.objects.get()
    assert operator.post(f"/api/console/deliveries/{delivery.id}/dial", b"{}", "application/json").status_code == 409
    assert auditor.post(f"/api/console/deliveries/{delivery.id}/dial", b"{}", "application/json").status_code == 403
