"""A small city at work: cameras around one corner, people of every role, and clients that are logged in as them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.test import Client

from madang.identity.actors import actor_of_person
from madang.identity.models import Agency, Authority, Person
from madang.identity.rights import Role, system_actor
from madang.journal import civic
from madang.kernel.clock import system_clock
from madang.kernel.mode import Mode
from madang.response import commands as response
from madang.response.domain import SaidPlace
from madang.response.models import Incident
from madang.video import commands as video
from madang.video.models import Camera
from tests.conftest import MakePerson

CORNER = (128.8890, 35.2280)


@pytest.fixture(autouse=True)
def _fresh_login_counts(db: None) -> None:
    from axes.models import AccessAttempt

    AccessAttempt.objects.all().delete()


def put_cameras(city: str, count: int = 6, *, prefix: str = "CAM") -> list[Camera]:
    """A row of crime-prevention cameras next to the corner."""
    rows = [
        video.SiteRow(
            source_key=f"{prefix}-{number}",
            name=f"{prefix} 앞 {number}",
            lon=CORNER[0] + 0.0004 * number,
            lat=CORNER[1],
            purpose="생활방범",
            camera_count=1,
            pixels_mp=2.0,
        )
        for number in range(count)
    ]
    with civic.transaction() as tx:
        video.put_sites(tx, city, rows, system_clock(), Mode.LIVE)
    return list(Camera.objects.filter(authority=city, site__source_key__startswith=prefix).order_by("label"))


@pytest.fixture
def cameras(authority: Authority) -> list[Camera]:
    """Six cameras of the city under test."""
    return put_cameras(authority.code)


@pytest.fixture
def police(make_agency: Callable[..., Agency]) -> Agency:
    """The police room of the city."""
    return make_agency()


@pytest.fixture
def other_police(authority: Authority) -> Agency:
    """Another agency of the same city."""
    return Agency.objects.create(code="gimhae-fire", authority=authority, kind="fire", name_ko="김해 119")


class Desk:
    """Someone at a screen: a logged-in client, their person and their actor."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.actor = actor_of_person(person)
        self.client = Client()
        self.client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")

    def get(self, path: str, **headers: str) -> Any:  # Any: the test client's response carries test-only attributes
        return self.client.get(f"/api/console{path}", headers=headers)

    def post(self, path: str, body: object | None = None) -> Any:  # Any: the same
        return self.client.post(f"/api/console{path}", body or {}, content_type="application/json")


@pytest.fixture
def desk(make_person: MakePerson) -> Callable[..., Desk]:
    """A maker of people at screens."""

    def make(role: Role, **more: Any) -> Desk:  # Any: as `make_person` takes them
        return Desk(make_person(role, **more))

    return make


class OpenCall:
    """Opens a call as the police system of an agency does."""

    def __init__(self, city: str) -> None:
        self.city = city
        self.calls = 0

    def __call__(
        self,
        agency: Agency,
        *,
        lon: float | None = CORNER[0],
        lat: float | None = CORNER[1],
        kind: str = "강도",
        code: int = 0,
        caller: dict[str, str] | None = None,
        now: datetime | None = None,
    ) -> Incident:
        self.calls += 1
        wanted = response.OpenIncident(
            authority=agency.authority_id,
            source="police112",
            mode=Mode.LIVE,
            class_text=kind,
            code=code,
            place=SaidPlace(lon, lat, 20.0, "김해대로 2401"),
            source_key=f"CALL-{self.calls}",
            agency=agency.code,
            basis="pipa_18_2_7",
            note="흉기를 든 사람이 있다고 함",
            caller=caller or {"phone": "010-1234-5678", "name": "홍길동"},
        )
        with civic.transaction() as tx:
            return response.open_incident(tx, system_actor(agency.authority_id), wanted, now or system_clock())


@pytest.fixture
def open_call(authority: Authority) -> OpenCall:
    """A maker of calls."""
    return OpenCall(authority.code)
