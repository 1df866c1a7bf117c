"""A small simulated city with surveyed cameras around one corner, and the people who work it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Protocol

import pytest

from madang.identity.actors import actor_of_agency, actor_of_person
from madang.identity.models import Agency, Authority
from madang.identity.rights import Actor, Role
from madang.journal import civic
from madang.kernel.geometry import Point, destination
from madang.kernel.mode import Mode
from madang.video.commands import CameraRow, SiteRow, open_case, put_sites
from madang.video.legal import LegalBasis
from madang.video.models import Camera, Case
from tests.conftest import MakePerson

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
CORNER = Point(128.8894, 35.2285)


@pytest.fixture
def now() -> datetime:
    """Noon in Seoul."""
    return NOW


@pytest.fixture
def corner() -> Point:
    """Where the cameras look."""
    return CORNER


def ring(count: int, metres: float, *, key: str = "ring", mode_url: str = "") -> list[SiteRow]:
    """Sites on a circle around the corner, each with one surveyed camera that looks at it."""
    rows = []
    for number in range(count):
        bearing = 360 * number / count
        at = destination(CORNER, bearing, metres)
        camera = CameraRow(
            number=1,
            azimuth_deg=(bearing + 180) % 360,
            hfov_deg=90,
            range_m=150,
            azimuth_surveyed_on=date(2026, 5, 1),
            kind="fixed",
            stream_source=mode_url,
        )
        rows.append(
            SiteRow(
                source_key=f"{key}-{number}",
                name=f"모퉁이 {number}",
                lon=at.lon,
                lat=at.lat,
                purpose="생활방범",
                pixels_mp=2.0,
                cameras=(camera,),
            )
        )
    return rows


@pytest.fixture
def cameras(authority: Authority) -> list[Camera]:
    """Eight simulated cameras 60 m around the corner."""
    with civic.transaction() as tx:
        put_sites(tx, authority.code, ring(8, 60.0), NOW, Mode.SIMULATED)
    return list(Camera.objects.filter(authority=authority).select_related("site").order_by("label"))


@pytest.fixture
def police(make_agency: Callable[..., Agency]) -> Actor:
    """The police room's own system."""
    return actor_of_agency(make_agency())


@pytest.fixture
def operator(make_person: MakePerson) -> Actor:
    return actor_of_person(make_person(Role.OPERATOR))


@pytest.fixture
def supervisor(make_person: MakePerson) -> Actor:
    return actor_of_person(make_person(Role.SUPERVISOR))


@pytest.fixture
def auditor(make_person: MakePerson) -> Actor:
    return actor_of_person(make_person(Role.AUDITOR))


class OpenCase(Protocol):
    def __call__(
        self, *, basis: LegalBasis | str = ..., place: Point | None = ..., mode: Mode = ..., radius_m: float = ...
    ) -> Case: ...


@pytest.fixture
def case_of(authority: Authority, police: Actor) -> OpenCase:
    """Opens a case of the police at the corner."""

    def make(
        *,
        basis: LegalBasis | str = LegalBasis.URGENT_LIFE,
        place: Point | None = CORNER,
        mode: Mode = Mode.SIMULATED,
        radius_m: float = 500,
    ) -> Case:
        with civic.transaction() as tx:
            return open_case(
                tx,
                authority=authority.code,
                incident_id=f"incident-{Case.objects.count() + 1}",
                incident_number=f"2026-{Case.objects.count() + 1:06d}",
                basis=basis,
                purpose="강도 신고 대응",
                place=place,
                radius_m=radius_m,
                mode=mode,
                agency=police.agency,
                now=NOW,
            )

    return make
