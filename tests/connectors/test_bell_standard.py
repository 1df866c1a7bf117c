"""What importing safety bells promises: no bell lost or doubled, dirt told and never guessed away."""

from __future__ import annotations

import gzip
import io
import json
import os
import zipfile
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import openpyxl  # type: ignore[import-untyped]  # brings no types
import pytest
from hypothesis import given
from hypothesis import strategies as st

from madang.connectors.bell_standard import command, values
from madang.connectors.bell_standard.parse import Reading, count_codes, open_source, read
from madang.facilities.models import Facility, Inspection, Outage
from madang.identity.rights import Actor, ActorKind, Role
from madang.kernel.errors import ForbiddenError
from madang.places.config import PlacesConfig
from madang.places.domain import FileRefusedError
from madang.places.models import ImportIssue

if TYPE_CHECKING:
    from pytest_django import Settings

    from madang.identity.models import Authority

DATA = Path(os.environ.get("MADANG_SHARED_DATA", str(Path(__file__).resolve().parents[3] / "shared" / "data")))
REAL = DATA / "04_emergency_bell"
TODAY = date(2026, 11, 22)
HEADER = (
    "번호,안전비상벨관리번호,설치목적,설치장소유형,설치위치,소재지도로명주소,소재지지번주소,WGS84위도,WGS84경도,연계방식,"
    "경찰연계유무,경비업체연계유무,관리사무소연계유무,부가기능,안전비상벨설치연도,최종점검일자,최종점검결과구분,관리기관명,"
    "관리기관전화번호,데이터기준일자"
)
VALUES = {
    "번호": "1",
    "안전비상벨관리번호": "A-1",
    "설치목적": "방범용",
    "설치장소유형": "공원",
    "설치위치": "중앙공원 화장실 옆",
    "소재지도로명주소": "경상남도 김해시 김해대로 2401",
    "WGS84위도": "35.228512",
    "WGS84경도": "128.889431",
    "연계방식": "양방향",
    "경찰연계유무": "Y",
    "경비업체연계유무": "N",
    "관리사무소연계유무": "N",
    "안전비상벨설치연도": "2020",
    "최종점검일자": "2026-09-01",
    "최종점검결과구분": "Y",
    "관리기관명": "김해시청",
    "관리기관전화번호": "055-330-0000",
    "데이터기준일자": "2026-09-30",
}


@pytest.fixture(autouse=True)
def _reports(settings: Settings, tmp_path: Path) -> None:
    settings.MADANG_PLACES = PlacesConfig(reports_dir=str(tmp_path / "reports"))


@pytest.fixture
def officer(authority: Authority) -> Actor:
    return Actor("person:1", ActorKind.PERSON, "담당", {authority.code: frozenset({Role.CITY_OFFICER})})


def row(**more: str) -> str:
    """A row of the standard layout, with what differs."""
    said = VALUES | more
    return ",".join(said.get(title, "") for title in HEADER.split(","))


def file_of(folder: Path, *rows: str, encoding: str = "cp949", header: str = HEADER, name: str = "bells.csv") -> Path:
    path = folder / name
    path.write_bytes("\r\n".join([header, *rows]).encode(encoding))
    return path


def reading_of(path: Path) -> Reading:
    return read(open_source(path), TODAY)


def codes(reading: Reading) -> dict[str, int]:
    return count_codes(reading.issues)


def shared(name: str) -> Path:
    if not (REAL / name).exists():
        pytest.skip("the real data is absent (set MADANG_SHARED_DATA)")
    return REAL / name


@pytest.mark.parametrize("encoding", ["cp949", "utf-8", "utf-8-sig", "utf-16"])
def test_a_row_becomes_a_bell_with_its_police_link_and_last_inspection(
    tmp_path: Path, authority: Authority, officer: Actor, encoding: str
) -> None:
    run = command.run(file_of(tmp_path, row(), encoding=encoding), authority.code, officer)
    assert (run.state, run.counts["bells"], run.counts["created"]) == ("done", 1, 1)
    bell = Facility.objects.get()
    assert (bell.kind, bell.source_key, bell.name) == ("bell", "김해시청:A-1", "중앙공원 화장실 옆")
    assert (bell.police_link, bell.last_inspected_on, bell.last_inspection_result) == ("yes", date(2026, 9, 1), "pass")
    assert (bell.lon, bell.lat, bell.condition) == (128.889431, 35.228512, "unknown")
    assert Inspection.objects.get().done_on == date(2026, 9, 1)


def test_importing_again_doubles_nothing_and_a_later_inspection_is_added(
    tmp_path: Path, authority: Authority, officer: Actor
) -> None:
    path = file_of(tmp_path, row(), row(안전비상벨관리번호="A-2"))
    command.run(path, authority.code, officer)
    again = command.run(path, authority.code, officer)
    assert (again.counts["created"], again.counts["unchanged"], Facility.objects.count()) == (0, 2, 2)
    later = file_of(tmp_path, row(최종점검일자="2026-10-01", 최종점검결과구분="N"))
    run = command.run(later, authority.code, officer)
    bell = Facility.objects.get(source_key="김해시청:A-1")
    assert run.counts["updated"] == 1
    assert (bell.last_inspected_on, bell.last_inspection_result) == (date(2026, 10, 1), "fail")
    assert bell.inspections.count() == 2
    assert Outage.objects.count() == 0
    command.run(path, authority.code, officer)
    bell.refresh_from_db()
    assert (bell.last_inspected_on, bell.inspections.count()) == (date(2026, 10, 1), 2)


def test_each_agency_counts_from_one(tmp_path: Path) -> None:
    reading = reading_of(file_of(tmp_path, row(), row(관리기관명="양산시청")))
    assert set(reading.bells) == {"김해시청:A-1", "양산시청:A-1"}


def test_of_two_editions_the_later_counts_and_how_far_it_moved_is_told(tmp_path: Path) -> None:
    newer = row(WGS84위도="35.238512", 데이터기준일자="2026-10-30")
    for rows in ([row(), newer], [newer, row()]):
        reading = reading_of(file_of(tmp_path, *rows))
        (bell,) = reading.bells.values()
        assert bell.lat == 35.238512
        assert codes(reading) == {"superseded": 1, "moved": 1}


def test_two_bells_with_one_number_are_both_kept_and_a_repetition_is_not(tmp_path: Path) -> None:
    other = row(설치위치="북쪽 놀이터 옆")
    reading = reading_of(file_of(tmp_path, row(), other, row(번호="3"), other))
    assert list(reading.bells) == ["김해시청:A-1", "김해시청:A-1#2"]
    assert codes(reading) == {"shared_number": 2, "repeated": 1}


DIRT = [
    ({"안전비상벨관리번호": ""}, "no_number"),
    ({"WGS84위도": "", "WGS84경도": ""}, "no_coordinate"),
    ({"WGS84위도": "0", "WGS84경도": "0"}, "zero_coordinate"),
    ({"WGS84위도": "128.889431", "WGS84경도": "35.228512"}, "swapped_coordinate"),
    ({"WGS84위도": "51.5001", "WGS84경도": "0.1201"}, "outside_korea"),
    ({"WGS84위도": "35도 13분"}, "bad_coordinate"),
    ({"WGS84위도": "35.22"}, "coarse_coordinate"),
    ({"경찰연계유무": "확인중"}, "bad_link"),
    ({"연계방식": "미연계"}, "contradicting_link"),
    ({"최종점검일자": "작년"}, "bad_date"),
    ({"최종점검일자": "2031-01-01"}, "future_date"),
    ({"최종점검일자": "2012-05-01"}, "inspected_before_installed"),
    ({"최종점검일자": ""}, "never_inspected"),
    ({"최종점검결과구분": "보통"}, "bad_result"),
    ({"최종점검결과구분": "불량"}, "failed_inspection"),
    ({"설치위치": "99"}, "vague_location"),
    ({"소재지도로명주소": "경상남도 김해시"}, "coarse_address"),
    ({"소재지도로명주소": ""}, "no_address"),
]


@pytest.mark.parametrize(("dirt", "code"), DIRT, ids=[code for _, code in DIRT])
def test_each_kind_of_dirt_is_told_by_name(tmp_path: Path, dirt: dict[str, str], code: str) -> None:
    assert code in codes(reading_of(file_of(tmp_path, row(**dirt), row(안전비상벨관리번호="A-9"))))


def test_what_cannot_be_believed_is_unknown_and_never_guessed(tmp_path: Path) -> None:
    bad = row(WGS84위도="128.889431", WGS84경도="35.228512", 연계방식="미연계", 최종점검결과구분="보통")
    (bell,) = reading_of(file_of(tmp_path, bad)).bells.values()
    assert (bell.lon, bell.lat, bell.police_link, bell.result) == (None, None, "unknown", "unknown")


def test_broken_rows_among_good_ones_are_passed_over_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "bells.csv"
    rows = [HEADER, row(), "1,A-2,짧은 행", row(안전비상벨관리번호="A-3") + ",넘침,더", row(안전비상벨관리번호="A-4")]
    path.write_bytes("\r\n".join(rows).encode("cp949") + b"\r\n5,A-5,\xff\xff")
    reading = reading_of(path)
    assert [bell.number for bell in reading.bells.values()] == ["A-1", "A-4"]
    assert (reading.rows, reading.not_imported) == (5, 3)


def sheet_bytes(rows: Sequence[Sequence[object]], title: str = "") -> bytes:
    book = openpyxl.Workbook()
    if title:
        book.active.append([title])
    for cells in rows:
        book.active.append(cells)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_an_excel_file_says_the_same_as_its_csv(tmp_path: Path) -> None:
    cells: list[object] = [*row().split(",")]
    cells[0], cells[14], cells[15] = 1, 2020, datetime(2026, 9, 1)  # noqa: DTZ001 -- Excel knows no zones
    cells[7], cells[8] = 35.228512, 128.889431
    path = tmp_path / "bells.xlsx"
    path.write_bytes(sheet_bytes([HEADER.split(","), cells], title="안전비상벨 현황"))
    (bell,) = reading_of(path).bells.values()
    (plain,) = reading_of(file_of(tmp_path, row())).bells.values()
    assert (bell.source_key, bell.lon, bell.lat, bell.inspected_on, bell.installed_on) == (
        plain.source_key,
        plain.lon,
        plain.lat,
        plain.inspected_on,
        plain.installed_on,
    )


def bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("[Content_Types].xml", "<Types/>")
        packed.writestr("xl/worksheets/sheet1.xml", b"\0" * 60_000_000)
    return out.getvalue()


def entities() -> bytes:
    """A workbook whose strings would expand without end."""
    good, out = zipfile.ZipFile(io.BytesIO(sheet_bytes([HEADER.split(",")]))), io.BytesIO()
    evil = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]><sst>&b;</sst>'
    with zipfile.ZipFile(out, "w") as packed:
        for part in good.infolist():
            packed.writestr(part.filename, evil if "sharedStrings" in part.filename else good.read(part))
    return out.getvalue()


REFUSED = {
    "empty": b"",
    "another kind of table": "시설명,주소\n가,나\n".encode(),
    "cameras": "관리번호,소재지도로명주소,카메라대수,위도,경도\n1,가,2,35.1,128.9\n".encode("cp949"),
    "a zip": b"PK\x03\x04 not really",
    "a zip bomb": bomb(),
    "entities that expand": entities(),
    "html": b"<!doctype html><html><body>login</body></html>",
    "a header alone": (HEADER + "\n").encode(),
}


@pytest.mark.parametrize("content", REFUSED.values(), ids=REFUSED.keys())
def test_a_file_that_is_no_list_of_bells_is_refused_with_what_it_is(
    tmp_path: Path, authority: Authority, officer: Actor, content: bytes
) -> None:
    path = tmp_path / "upload"
    path.write_bytes(content)
    run = command.run(path, authority.code, officer)
    assert run.state == "refused"
    assert run.reason_ko and run.reason_en
    assert Facility.objects.count() == 0


def test_who_may_not_import_imports_nothing(tmp_path: Path, authority: Authority) -> None:
    viewer = Actor("person:2", ActorKind.PERSON, "관제", {authority.code: frozenset({Role.OPERATOR})})
    with pytest.raises(ForbiddenError):
        command.run(file_of(tmp_path, row()), authority.code, viewer)


@given(st.text(max_size=30))
def test_no_value_whatever_breaks_the_reading(text: str) -> None:
    assert values.yes_no(text) in ("yes", "no", "unknown", None)
    assert values.result(text) in ("pass", "fail", "unknown", None)
    day = values.day(text)
    assert day is None or 1950 <= day.year <= 2100
    values.year(text), values.coordinate(text), values.is_coarse(text), values.is_vague(text)


def test_a_real_districts_file_comes_in_whole(authority: Authority, officer: Actor) -> None:
    run = command.run(shared("gwanak_subset_utf8bom.csv"), authority.code, officer)
    assert (run.state, run.counts["bells"], run.counts["not_imported"], run.counts["unlocated"]) == ("done", 988, 0, 0)
    report = json.loads(Path(run.report_path).read_bytes())
    assert report["police_link"]["yes"] + report["police_link"].get("no", 0) == 988
    assert report["missing_columns"] == []


def test_of_the_whole_real_file_every_row_is_a_bell_or_told_why_not(tmp_path: Path) -> None:
    path = tmp_path / "bells.csv"
    path.write_bytes(gzip.decompress(shared("안전비상벨위치정보_utf8.csv.gz").read_bytes()))
    reading = reading_of(path)
    found = codes(reading)
    assert (reading.rows, reading.not_imported) == (21_713, 0)
    assert len(reading.bells) + found["superseded"] + found.get("repeated", 0) == 21_713
    assert (found["failed_inspection"], found["contradicting_link"]) == (500, 28)
    assert found["moved"] > 400


def test_the_issues_of_a_run_are_kept_row_by_row(tmp_path: Path, authority: Authority, officer: Actor) -> None:
    run = command.run(file_of(tmp_path, row(연계방식="미연계"), row(안전비상벨관리번호="")), authority.code, officer)
    told = ImportIssue.objects.filter(run_id=run.pk).order_by("row_number").values_list("row_number", "code")
    assert list(told) == [(2, "contradicting_link"), (3, "no_number")]
    assert run.ended_at is not None and datetime.now(UTC) >= run.ended_at
    with pytest.raises(FileRefusedError):
        open_source(Path(__file__))
