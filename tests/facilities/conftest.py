"""A bell, a sensor, a light and two camera sites at the city hall; people who may see, report and manage them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest

from madang.facilities.commands import FacilityRow, put_facilities, sign
from madang.facilities.domain import Cause, Down, Up
from madang.facilities.models import Facility, Outage
from madang.identity.actors import actor_of_person
from madang.identity.models import Authority
from madang.identity.rights import Actor, Role
from madang.journal import civic, relay
from madang.kernel.mode import Mode
from tests.conftest import MakePerson

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
ROWS = (
    FacilityRow("bell", "3000000:A1", name="중앙공원 비상벨", lon=128.889, lat=35.228, vendor="한빛통신",
                police_link="yes", last_inspected_on=date(2026, 9, 1), last_inspection_result="pass"),
    FacilityRow("sensor", "urn:ngsi-ld:AirQualityObserved:1", name="측정소", vendor="바람소리",
                feed_key="urn:ngsi-ld:AirQualityObserved:1", expected_every_s=60.0),
    FacilityRow("light", "L1", name="보안등 1", vendor="밝은빛"),
    FacilityRow("cctv", "site-1", name="시청 앞", vendor="큰눈"),
    FacilityRow("cctv", "site-2", name="시장 앞", vendor="큰눈"),
)  # fmt: skip


def after(seconds: float) -> datetime:
    """So long after the beginning."""
    return NOW + timedelta(seconds=seconds)


@pytest.fixture
def city(authority: Authority) -> str:
    """The city under test, furnished."""
    with civic.transaction() as tx:
        put_facilities(tx, authority.code, ROWS, NOW - timedelta(days=40), Mode.LIVE)
    return authority.code


def thing(kind: str, key: str = "") -> Facility:
    """A facility of that kind."""
    rows = Facility.objects.filter(kind=kind)
    return rows.get(source_key=key) if key else rows.order_by("source_key")[0]


def down(facility: Facility, at: float, cause: Cause = Cause.SILENT, *, sure: bool = False) -> Outage | None:
    """A sign that it does not work, so many seconds after the beginning."""
    with civic.transaction() as tx:
        return sign(tx, Facility.objects.get(pk=facility.pk), Down(cause, after(at), sure=sure), after(at))


def up(facility: Facility, at: float) -> Outage | None:
    """A sign that it works."""
    with civic.transaction() as tx:
        return sign(tx, Facility.objects.get(pk=facility.pk), Up(after(at)), after(at))


@pytest.fixture
def manager(city: str, make_person: MakePerson) -> Actor:
    """A city officer, who manages facilities."""
    del city
    return actor_of_person(make_person(Role.CITY_OFFICER))


@pytest.fixture
def second_manager(city: str, make_person: MakePerson) -> Actor:
    """Another city officer."""
    del city
    return actor_of_person(make_person(Role.CITY_OFFICER))


@pytest.fixture
def operator(city: str, make_person: MakePerson) -> Actor:
    """Somebody at a desk of the control room."""
    del city
    return actor_of_person(make_person(Role.OPERATOR))


Fire = Callable[[float], None]


@pytest.fixture
def fire() -> Fire:
    """Fires and delivers what is due so many seconds after the beginning."""

    def run(at: float) -> None:
        while relay.run_once(lambda: after(at)):
            pass

    return run
