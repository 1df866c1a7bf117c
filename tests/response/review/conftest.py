"""A closed robbery call: claimed, viewed through, handed over, told about, and two people who may review it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from madang.identity.actors import actor_of_agency, actor_of_person
from madang.identity.models import Agency, Authority
from madang.identity.rights import Actor, Role
from madang.response import commands as response
from madang.response.duty.commands import accept_handover, hand_over
from madang.response.models import Incident
from madang.video.models import GrantCamera, Lease, VideoGrant, ViewSession
from tests.conftest import MakePerson
from tests.response.conftest import NOW, civic_tx, robbery

CALLER = {"name": "박신고", "phone": "010-9876-5432"}


def at(seconds: float):  # type: ignore[no-untyped-def]  # a test's shorthand
    return NOW + timedelta(seconds=seconds)


@pytest.fixture
def kim(city: Authority, make_person: MakePerson) -> Actor:
    """Answers for the incident first."""
    return actor_of_person(make_person(Role.SUPERVISOR, username="김관제"))


@pytest.fixture
def lee(city: Authority, make_person: MakePerson) -> Actor:
    """Takes it over."""
    return actor_of_person(make_person(Role.OPERATOR, username="이교대"))


@pytest.fixture
def reviewer(city: Authority, make_person: MakePerson) -> Actor:
    """Never answered for it."""
    return actor_of_person(make_person(Role.SUPERVISOR, username="최검토"))


@pytest.fixture
def officer(city: Authority, make_person: MakePerson) -> Actor:
    """May read reviews, but not who did what."""
    return actor_of_person(make_person(Role.CITY_OFFICER, username="문주무"))


def look(incident: Incident, viewer: str, name: str) -> None:
    """A minute through the first camera that was granted."""
    grant = VideoGrant.objects.filter(case__incident_id=incident.id, state__in=("APPROVED", "ACTIVE")).first()
    assert grant is not None
    camera = GrantCamera.objects.filter(grant=grant).select_related("camera")[0].camera
    common = {"authority_id": incident.authority_id, "grant": grant, "camera": camera, "viewer": viewer}
    lease = Lease.objects.create(**common, viewer_name=name, opened_at=at(20), expires_at=at(50), mode=incident.mode)
    ViewSession.objects.create(
        **common, lease=lease, viewer_name=name, started_at=at(21), ended_at=at(81), seconds=60.0, mode=incident.mode
    )


@pytest.fixture
def open_incident(police: Agency, kim: Actor, lee: Actor) -> Incident:
    """Worked on and handed over, not closed yet."""
    call = robbery(police, note="박신고(010-9876-5432) 칼 든 남자가 편의점에 들어왔다", caller=CALLER)
    with civic_tx() as tx:
        incident = response.open_incident(tx, actor_of_agency(police), call, at(0))
    with civic_tx() as tx:
        response.claim(tx, kim, incident.id, at(30))
        response.verify(tx, kim, incident.id, at(60))
        response.add_note(tx, kim, incident.id, "박신고와 통화, 김관제가 순찰차 요청", at(70))
    incident.refresh_from_db()
    look(incident, kim.id, kim.name)
    with civic_tx() as tx:
        offer = hand_over(tx, kim, incident.authority_id, lee.id, "편의점 강도", at(90))
        accept_handover(tx, lee, offer.id, at(120))
        response.activate(tx, lee, incident.id, at(130))
    incident.refresh_from_db()
    return incident


@pytest.fixture
def incident(open_incident: Incident, lee: Actor) -> Incident:
    """Closed."""
    with civic_tx() as tx:
        response.close_incident(tx, lee, open_incident.id, "검거", at(600))
    open_incident.refresh_from_db()
    return open_incident
