"""The register takes things in by the thousand and keeps what people and feeds have added since."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from madang.facilities.commands import Counts, FacilityRow, put_facilities
from madang.facilities.models import Facility, Inspection
from madang.journal import civic
from madang.kernel.mode import Mode
from tests.facilities.conftest import NOW, ROWS, thing

pytestmark = pytest.mark.django_db(transaction=True)


def put(city: str, *rows: FacilityRow) -> Counts:
    with civic.transaction() as tx:
        return put_facilities(tx, city, rows, NOW, Mode.LIVE)


def test_the_same_rows_again_change_nothing(city: str) -> None:
    assert put(city, *ROWS) == Counts(0, 0, len(ROWS))
    assert Inspection.objects.count() == 1


def test_what_people_and_feeds_have_added_survives_another_import(city: str) -> None:
    Facility.objects.filter(kind="light").update(
        vendor="새 업체", condition="working", in_service=False, inspect_every_days=30, feed_key="urn:x", hushed="이전"
    )
    before: dict[str, object] = {**Facility.objects.values().get(kind="light")}
    assert put(city, replace(ROWS[2], name="보안등 하나", vendor="")).updated == 1
    after: dict[str, object] = {**Facility.objects.values().get(kind="light")}
    assert {name for name in before if before[name] != after[name]} == {"name", "digest"}


def test_within_one_call_the_last_row_of_a_key_counts(city: str) -> None:
    rows = (FacilityRow("light", "x", name="가"), FacilityRow("light", "x", name="나"))
    assert put(city, *rows) == Counts(1, 0, 0)
    assert thing("light", "x").name == "나"


def test_the_same_number_of_another_kind_is_another_thing(city: str) -> None:
    put(city, FacilityRow("light", "1"), FacilityRow("bell", "1"))
    assert Facility.objects.filter(source_key="1").count() == 2


def test_a_kind_nobody_knows_is_refused_whole(city: str) -> None:
    with pytest.raises(ValueError, match="bench"):
        put(city, FacilityRow("light", "y"), FacilityRow("bench", "z"))
    assert not Facility.objects.filter(source_key="y").exists()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.none() | st.integers(0, 400), min_size=1, max_size=6))
def test_in_whatever_order_files_come_the_latest_inspection_is_the_last_one(city: str, days: list[int | None]) -> None:
    Facility.objects.filter(source_key="order").delete()
    first = date(2025, 1, 1)
    told = [None if day is None else first + timedelta(days=day) for day in days]
    for day in told:
        put(city, FacilityRow("bell", "order", last_inspected_on=day))
    known = [day for day in told if day is not None]
    bell = thing("bell", "order")
    assert bell.last_inspected_on == max(known, default=None)
    assert bell.next_inspection_on == (max(known) + timedelta(days=90) if known else None)
