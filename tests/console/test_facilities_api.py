"""The facility board's doors: what each role sees and may do, page by page, with nothing of another city."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import date, timedelta

import pytest

from madang.facilities.commands import FacilityRow, put_facilities, sign
from madang.facilities.domain import Cause, Down
from madang.facilities.models import Facility
from madang.identity.models import Authority
from madang.identity.rights import Role
from madang.journal import civic
from madang.kernel.clock import system_clock
from madang.kernel.mode import Mode
from tests.console.conftest import Desk

pytestmark = pytest.mark.django_db(transaction=True)
Make = Callable[..., Desk]


@pytest.fixture
def city(authority: Authority, other_authority: Authority) -> str:
    rows = [
        FacilityRow(
            "bell", f"b{n}", name=f"공원 비상벨 {n}", lon=128.88 + n / 1000, lat=35.22, vendor="한빛", police_link="yes"
        )
        for n in range(3)
    ]
    rows.append(
        FacilityRow(
            "bell", "old", name="오래된 벨", vendor="=한빛", last_inspected_on=date(2020, 1, 1), police_link="no"
        )
    )
    rows.append(FacilityRow("light", "l1", name="보안등", lon=128.881, lat=35.221))
    with civic.transaction() as tx:
        put_facilities(tx, authority.code, rows, system_clock() - timedelta(days=3), Mode.LIVE)
        put_facilities(tx, other_authority.code, [FacilityRow("bell", "x", name="남의 벨")], system_clock(), Mode.LIVE)
    return authority.code


def broken(key: str) -> Facility:
    facility = Facility.objects.get(source_key=key)
    with civic.transaction() as tx:
        now = system_clock()
        sign(tx, facility, Down(Cause.SILENT, now - timedelta(hours=1), sure=True), now)
    return facility


def test_the_board_counts_by_kind_and_says_unknown_where_nothing_is_known(city: str, desk: Make) -> None:
    broken("b1")
    body = desk(Role.OPERATOR).get("/facilities/board").json()
    kinds = {row["kind"]: row for row in body["kinds"]}
    assert (kinds["bell"]["total"], kinds["bell"]["out"], kinds["bell"]["unknown"]) == (4, 1, 3)
    assert (kinds["bell"]["overdue"], kinds["bell"]["unlinked"]) == (1, 1)
    assert (kinds["light"]["availability"], kinds["light"]["coverage"]) == (None, 0)
    assert body["outages"] == 1


def test_the_register_is_searched_filtered_and_paged(city: str, desk: Make) -> None:
    who = desk(Role.CITY_OFFICER)
    assert who.get("/facilities?q=공원 비상벨").json()["total"] == 3
    assert [row["name"] for row in who.get("/facilities?inspection=overdue").json()["rows"]] == ["오래된 벨"]
    assert who.get("/facilities?kind=bell&police_link=no").json()["total"] == 1
    assert who.get("/facilities?q=남의").json()["total"] == 0
    assert who.get("/facilities?inspection=sometimes").status_code == 400
    page = who.get("/facilities?offset=4").json()
    assert (len(page["rows"]), page["total"]) == (1, 5)


def test_the_map_gives_rows_or_clusters_with_the_worst(city: str, desk: Make) -> None:
    broken("b1")
    who = desk(Role.OPERATOR)
    rows = who.get("/facilities/map?bbox=128,35,129,36").json()
    assert len(rows["rows"]) == 4
    clusters = who.get("/facilities/map?bbox=128,35,129,36&limit=1").json()["clusters"]
    assert sum(one["count"] for one in clusters) == 4
    assert [one["worst"] for one in clusters if one["out"]] == ["out"]
    assert who.get("/facilities/map?bbox=129,36,128,35").status_code == 400


def test_from_fault_to_verified_repair_through_the_doors(city: str, desk: Make) -> None:
    operator, officer, second = desk(Role.OPERATOR), desk(Role.CITY_OFFICER), desk(Role.CITY_OFFICER)
    light = Facility.objects.get(source_key="l1")
    outage = operator.post(f"/facilities/{light.pk}/report", {"text": "깜빡임"}).json()
    assert (outage["state"], outage["cause_ko"]) == ("open", "신고")
    seen = operator.post(f"/facilities/outages/{outage['id']}/acknowledge", {"version": outage["version"]}).json()
    assert seen["state"] == "acknowledged"
    stale = officer.post(f"/facilities/outages/{outage['id']}/repair", {"version": outage["version"]})
    assert (stale.status_code, stale.json()["reason"]) == (409, "changed_meanwhile")
    wanted = {"facility_id": light.pk, "assignee_kind": "department", "assignee": "도로과", "what": "전구 교체"}
    assert operator.post("/facilities/orders", wanted).status_code == 403
    order = officer.post("/facilities/orders", wanted).json()
    path = f"/facilities/orders/{order['id']}"
    assert officer.post(f"{path}/start").json()["state"] == "working"
    done = officer.post(
        f"{path}/finish", {"reason": "교체", "parts": [{"name": "전구"}], "photos": ["사진대장 12"]}
    ).json()
    assert (done["parts"], done["photos"]) == ([{"name": "전구", "count": 1}], ["사진대장 12"])
    assert officer.post(f"{path}/verify").status_code == 403
    assert second.post(f"{path}/verify").json()["state"] == "verified"
    restored = second.post(f"/facilities/outages/{outage['id']}/restore", {"reason": "켜짐 확인"}).json()
    assert restored["state"] == "restored"
    detail = operator.get(f"/facilities/{light.pk}").json()
    assert [note["step"] for note in detail["notes"]] == ["restore", "repair", "acknowledge", "begin"]


def test_inspections_are_planned_recorded_and_called_off(city: str, desk: Make) -> None:
    officer, bell = desk(Role.CITY_OFFICER), Facility.objects.get(source_key="b0")
    later = (system_clock() + timedelta(days=9)).date().isoformat()
    planned = officer.post(f"/facilities/{bell.pk}/plan", {"due_on": later, "assigned_to": "한빛"}).json()
    assert officer.get("/facilities/inspections").json()["total"] == 1
    called_off = officer.post(f"/facilities/inspections/{planned['id']}/cancel", {"reason": "교체 예정"}).json()
    assert called_off["state"] == "cancelled"
    today = system_clock().date().isoformat()
    done = officer.post(f"/facilities/{bell.pk}/inspect", {"done_on": today, "result": "pass"})
    assert done.status_code == 200 or "not come" in done.json()["detail"]
    assert officer.post(f"/facilities/{bell.pk}/plan", {"due_on": "2020-01-01"}).status_code == 400


@pytest.mark.parametrize("what", ["facilities", "outages", "orders", "availability"])
def test_tables_are_saved_as_csv_that_a_spreadsheet_does_not_compute(city: str, desk: Make, what: str) -> None:
    broken("b1")
    response = desk(Role.CITY_OFFICER).get(f"/facilities/export.csv?what={what}")
    assert response.status_code == 200
    assert response.content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(response.content.decode("utf-8-sig"))))
    assert len({len(row) for row in rows}) == 1
    assert not any(cell.startswith(("=", "+", "@")) for row in rows for cell in row)
    assert len(rows) > (what != "orders")


def test_availability_says_unknown_and_not_a_number_for_what_nobody_watched(city: str, desk: Make) -> None:
    broken("b1")
    rows = {
        (row["kind"], row["vendor"]): row for row in desk(Role.OPERATOR).get("/facilities/availability").json()["rows"]
    }
    assert rows["light", ""]["availability"] is None
    assert (rows["bell", "한빛"]["availability"], rows["bell", "한빛"]["known_facilities"]) == (0, 1)
    assert 0 < rows["bell", "한빛"]["coverage"] < 0.1
    assert desk(Role.OPERATOR).get("/facilities/availability?month=may").status_code == 400


def test_who_may_not_see_facilities_sees_none_and_another_citys_are_not_there(city: str, desk: Make) -> None:
    theirs = Facility.objects.get(source_key="x")
    for path in ("board", "outages", "orders", "availability", "export.csv", ""):
        assert desk(Role.AUDITOR).get(f"/facilities/{path}".rstrip("/")).status_code == 403
    officer = desk(Role.CITY_OFFICER)
    assert officer.get(f"/facilities/{theirs.pk}").status_code == 404
    assert officer.post(f"/facilities/{theirs.pk}/report", {"text": ""}).status_code == 404
    assert officer.post(f"/facilities/{theirs.pk}/service", {"in_service": False, "reason": "x"}).status_code == 404


@pytest.mark.parametrize(
    "page",
    [
        "/facilities?offset=99999999999999999999999",
        "/facilities/outages?offset=99999999999999999999999",
        "/facilities/orders?offset=99999999999999999999999",
        "/facilities/inspections?offset=99999999999999999999999",
    ],
)
def test_a_page_beyond_every_table_is_empty(city: str, desk: Make, page: str) -> None:
    answer = desk(Role.OPERATOR).get(page)
    assert (answer.status_code, answer.json()["rows"]) == (200, [])


@pytest.mark.parametrize("month", ["9999-12", "0001-01", "2026-13", "x" * 5_000])
def test_a_month_no_calendar_of_the_city_has_is_refused(city: str, desk: Make, month: str) -> None:
    assert desk(Role.OPERATOR).get(f"/facilities/availability?month={month}").status_code == 400
