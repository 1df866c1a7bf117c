"""Two cameras at the city hall, a police agency, and the journal's relay run by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from madang.identity.actors import actor_of_agency, actor_of_person
from madang.identity.models import Agency, Authority
from madang.identity.rights import Actor, Role
from madang.journal import civic
from madang.journal.session import Session
from madang.kernel.geometry import Point, destination
from madang.kernel.mode import Mode
from madang.response.commands import OpenIncident
from madang.response.domain import SaidPlace
from madang.video.commands import SiteRow, put_sites
from madang.video.coverage import COVERAGE
from tests.conftest import MakePerson

HALL = Point(128.8894, 35.2285)
"""Where the incidents of these tests are."""
HARBOUR = destination(HALL, 90, 5_000)
NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


@contextmanager
def civic_tx() -> Iterator[Session]:
    with civic.transaction() as tx:
        yield tx


def furnish(authority: Authority) -> Authority:
    """Two simulated cameras at the hall and two at the harbour, ready to be ranked."""
    rows = [
        SiteRow(f"{name}-{n}", name=f"{name} {n}", lon=at.lon, lat=at.lat, purpose="생활방범")
        for name, centre in (("hall", HALL), ("harbour", HARBOUR))
        for n, at in enumerate((destination(centre, 0, 30), destination(centre, 180, 60)))
    ]
    with civic_tx() as tx:
        put_sites(tx, authority.code, rows, NOW, Mode.SIMULATED)
    COVERAGE.rebuild(authority.code)
    return authority


@pytest.fixture
def city(authority: Authority) -> Authority:
    """The city under test, furnished."""
    return furnish(authority)


@pytest.fixture
def police(city: Authority, make_agency: Callable[..., Agency]) -> Agency:
    """The police room of the city."""
    return make_agency()


@pytest.fixture
def caller_actor(police: Agency) -> Actor:
    """The police room's system."""
    return actor_of_agency(police)


@pytest.fixture
def operator(city: Authority, make_person: MakePerson) -> Actor:
    """A person at the wall."""
    return actor_of_person(make_person(Role.OPERATOR))


def robbery(police: Agency, **more: object) -> OpenIncident:
    """A call as the police linkage hands it over."""
    values: dict[str, object] = {
        "authority": police.authority_id,
        "source": "police112",
        "mode": Mode.SIMULATED,
        "class_text": "robbery",
        "code": 1,
        "place": SaidPlace(HALL.lon, HALL.lat, 20.0, "김해대로 2401"),
        "source_key": "20261122-000417",
        "agency": police.code,
        "basis": "pipa_18_2_3",
        "message_id": "m-1",
    }
    return OpenIncident(**(values | more))  # type: ignore[arg-type]  # a test's shorthand
