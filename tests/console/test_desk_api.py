"""A wall learns what the same person's desk shows, and nobody else's."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from madang.identity.models import Authority
from madang.identity.rights import Role
from tests.console.conftest import Desk

pytestmark = pytest.mark.django_db
MakeDesk = Callable[..., Desk]
TILE = {"camera_id": "c1", "label": "부원동 1", "grant_id": "g1"}


def test_a_wall_is_told_what_the_desk_of_the_same_person_shows(authority: Authority, desk: MakeDesk) -> None:
    operator = desk(Role.OPERATOR)
    assert operator.get("/desk").json() == {"authority": authority.code, "desk": None}
    assert operator.post("/desk", {"incident_id": "i1", "tiles": [TILE]}).status_code == 200
    told = operator.get("/desk").json()["desk"]
    assert (told["incident_id"], told["tiles"][0]["camera_id"]) == ("i1", "c1")
    assert told["person"] == f"person:{operator.person.pk}"
    operator.post("/desk", {"incident_id": "", "tiles": []})
    assert operator.get("/desk").json()["desk"]["tiles"] == []


def test_a_desk_with_too_much_on_it_is_refused(desk: MakeDesk, authority: Authority) -> None:
    del authority
    assert desk(Role.OPERATOR).post("/desk", {"tiles": [TILE] * 10}).status_code in (400, 422)


def test_who_may_not_see_incidents_has_no_desk_to_follow(desk: MakeDesk, authority: Authority) -> None:
    del authority
    auditor = desk(Role.AUDITOR)
    assert auditor.get("/desk").status_code == 403
    assert auditor.post("/desk", {"incident_id": "i1"}).status_code == 403


def test_the_wall_has_an_address_of_its_own(desk: MakeDesk, authority: Authority) -> None:
    del authority
    answer = desk(Role.OPERATOR).client.get("/wall?layout=map")
    assert answer.status_code in (200, 503)
    assert "text/html" in answer["Content-Type"]
