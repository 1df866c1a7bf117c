"""What importing a CCTV file promises: sites and cameras, never doubled, a report, and nothing of another's city."""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from madang.connectors.boundaries_geojson import command as boundaries
from madang.connectors.cctv_standard import command
from madang.facilities.models import Facility
from madang.identity.rights import Actor, ActorKind, Role
from madang.kernel.errors import ConflictError, ForbiddenError, NotFoundError
from madang.places import geocode, imports
from madang.places.config import PlacesConfig
from madang.places.models import AddressPoint, ImportIssue, ImportRun
from madang.video.models import Camera, Site
from tests.connectors.test_cctv_parse import NEW, rows_of

if TYPE_CHECKING:
    from pytest_django import Settings

    from madang.identity.models import Authority

DATA = Path(os.environ.get("MADANG_SHARED_DATA", str(Path(__file__).resolve().parents[3] / "shared" / "data")))


@pytest.fixture(autouse=True)
def _reports(settings: Settings, tmp_path: Path) -> None:
    settings.MADANG_PLACES = PlacesConfig(reports_dir=str(tmp_path / "reports"))


@pytest.fixture
def officer(authority: Authority) -> Actor:
    return Actor("person:1", ActorKind.PERSON, "담당", {authority.code: frozenset({Role.CITY_OFFICER})})


def file_of(tmp_path: Path, *rows: str, name: str = "cctv.csv", encoding: str = "cp949") -> Path:
    path = tmp_path / name
    path.write_bytes("\r\n".join([NEW, *rows]).encode(encoding))
    return path


def shared(name: str) -> Path:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"needs the shared data: {name} (set MADANG_SHARED_DATA)")
    return path


def test_a_row_becomes_a_site_with_its_cameras_and_a_searchable_address(
    tmp_path: Path, authority: Authority, officer: Actor
) -> None:
    seen: list[tuple[int, int]] = []
    run = command.run(
        file_of(tmp_path, rows_of()), authority.code, officer, lambda done, total: seen.append((done, total))
    )
    assert (run.state, run.counts["sites"], run.counts["cameras"], run.counts["created"]) == ("done", 1, 2, 1)
    assert Site.objects.get().authority_id == authority.code
    assert Camera.objects.count() == 2
    assert seen[-1][0] == 1
    best = geocode.candidates(authority.code, "마당시 가온로12 앞")[0]
    assert (best.lon, best.lat, best.score) == (128.8892, 35.2281, 1.0)


def test_importing_again_updates_and_never_doubles(tmp_path: Path, authority: Authority, officer: Actor) -> None:
    rows = [rows_of(관리번호=f"M{n}", 소재지도로명주소=f"마당시 가온로 {n}") for n in range(1, 31)]
    first = command.run(file_of(tmp_path, *rows), authority.code, officer)
    ids = set(Site.objects.values_list("pk", flat=True))
    again = command.run(file_of(tmp_path, *rows), authority.code, officer)
    rows[3] = rows_of(관리번호="M4", 소재지도로명주소="마당시 가온로 4", 카메라대수="5")
    changed = command.run(file_of(tmp_path, *rows), authority.code, officer)
    assert [run.counts["created"] for run in (first, again, changed)] == [30, 0, 0]
    assert [run.counts["updated"] for run in (first, again, changed)] == [0, 0, 1]
    assert set(Site.objects.values_list("pk", flat=True)) == ids
    assert Camera.objects.count() == 29 * 2 + 5


def test_the_report_names_each_bad_row_on_screen_and_in_files(
    tmp_path: Path, authority: Authority, officer: Actor
) -> None:
    path = file_of(tmp_path, rows_of(), rows_of(관리번호="2", WGS84위도="0", WGS84경도="0"), "망가진 행")
    run = command.run(path, authority.code, officer)
    stored = ImportRun.objects.get(pk=run.pk)
    assert (stored.state, stored.progress, stored.total) == ("done", 3, 3)
    assert [(issue.row_number, issue.code) for issue in ImportIssue.objects.filter(run=run).order_by("row_number")] == [
        (3, "zero_coordinate"),
        (4, "short_row"),
    ]
    report = json.loads((imports.reports_dir() / stored.report_path).read_bytes())
    assert report["counts"]["sites"] == 2
    assert report["issues"] == {"zero_coordinate": 1, "short_row": 1}
    with (imports.reports_dir() / report["issues_file"]).open(encoding="utf-8-sig", newline="") as file:
        listed = list(csv.DictReader(file))
    assert [(row["row"], row["code"]) for row in listed] == [("3", "zero_coordinate"), ("4", "short_row")]
    assert all(row["reason_ko"] and row["reason_en"] for row in listed)


def test_more_issues_than_the_screen_keeps_are_all_in_the_file(
    tmp_path: Path, authority: Authority, officer: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        imports, "config", lambda: PlacesConfig(issues_kept=3, chunk_rows=4, reports_dir=str(tmp_path / "reports"))
    )
    path = file_of(tmp_path, rows_of(), *["망가진 행"] * 10)
    run = command.run(path, authority.code, officer)
    assert ImportIssue.objects.filter(run=run).count() == 3
    assert len((imports.reports_dir() / f"{run.pk}.csv").read_text("utf-8-sig").splitlines()) == 11


def test_formulas_in_a_file_stay_text_in_its_report(tmp_path: Path, authority: Authority, officer: Actor) -> None:
    run = command.run(file_of(tmp_path, rows_of(설치목적구분='=HYPERLINK("http://x")')), authority.code, officer)
    with (imports.reports_dir() / f"{run.pk}.csv").open(encoding="utf-8-sig", newline="") as file:
        assert next(csv.DictReader(file))["value"].startswith("'=")


def test_a_wrong_file_is_refused_with_the_reason_and_changes_nothing(
    tmp_path: Path, authority: Authority, officer: Actor
) -> None:
    path = tmp_path / "toilets.csv"
    path.write_bytes("화장실명,소재지도로명주소,위도,경도\n가,나,35.2,128.8\n".encode("cp949"))
    run = command.run(path, authority.code, officer)
    assert run.state == "refused"
    assert "공중화장실" in run.reason_ko
    assert "public toilets" in run.reason_en
    assert not Site.objects.exists()


def test_a_file_of_nothing_but_broken_rows_is_refused(tmp_path: Path, authority: Authority, officer: Actor) -> None:
    run = command.run(
        file_of(tmp_path, rows_of(소재지도로명주소="", 소재지지번주소="", WGS84위도="", WGS84경도="")),
        authority.code,
        officer,
    )
    assert run.state == "refused"
    assert ImportIssue.objects.get(run=run).code == "empty_row"


def test_only_who_may_import_into_this_city_does(
    tmp_path: Path, authority: Authority, other_authority: Authority, officer: Actor
) -> None:
    operator = Actor("person:2", ActorKind.PERSON, "요원", {authority.code: frozenset({Role.OPERATOR})})
    with pytest.raises(ForbiddenError):
        command.run(file_of(tmp_path, rows_of()), authority.code, operator)
    with pytest.raises(NotFoundError):
        command.run(file_of(tmp_path, rows_of()), other_authority.code, officer)
    assert not ImportRun.objects.exists()


def test_the_same_file_in_two_cities_is_two_cities_sites(
    tmp_path: Path, authority: Authority, other_authority: Authority
) -> None:
    both = Actor(
        "person:1",
        ActorKind.PERSON,
        "담당",
        {code: frozenset({Role.CITY_OFFICER}) for code in (authority.code, other_authority.code)},
    )
    for city in (authority, other_authority):
        command.run(file_of(tmp_path, rows_of()), city.code, both)
    assert Counter(Site.objects.values_list("authority_id", flat=True)) == {authority.code: 1, other_authority.code: 1}
    assert geocode.candidates(other_authority.code, "가온로 12")
    AddressPoint.objects.filter(authority=other_authority).delete()
    assert geocode.candidates(authority.code, "가온로 12")


def test_a_second_import_waits_for_the_first_and_a_dead_one_is_given_up(
    tmp_path: Path, authority: Authority, officer: Actor
) -> None:
    path = file_of(tmp_path, rows_of())

    def work(log: imports.ImportLog) -> None:
        with pytest.raises(ConflictError):
            command.run(path, authority.code, officer)
        ImportRun.objects.filter(pk=log.run.pk).update(heartbeat_at="2026-01-01T00:00:00Z")
        assert command.run(path, authority.code, officer).state == "done"

    imports.perform("cctv", path, authority.code, officer, work)


def test_a_run_killed_between_chunks_is_repaired_by_the_next(
    tmp_path: Path, authority: Authority, officer: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "config", lambda: PlacesConfig(chunk_rows=10, reports_dir=str(tmp_path / "reports")))
    path = file_of(tmp_path, *[rows_of(관리번호=str(n), 소재지도로명주소=f"가온로 {n}") for n in range(1, 36)])

    class KilledError(BaseException):
        pass

    def die(done: int, _total: int) -> None:
        if done == 20:
            raise KilledError

    with pytest.raises(KilledError):
        command.run(path, authority.code, officer, die)
    assert Site.objects.count() == 20
    assert ImportRun.objects.get().state == "failed"
    run = command.run(path, authority.code, officer)
    assert (run.counts["created"], run.counts["unchanged"]) == (15, 20)
    assert Camera.objects.count() == 70


def test_with_boundaries_a_site_outside_the_city_loses_its_place(
    tmp_path: Path, authority: Authority, officer: Actor
) -> None:
    square = [[[128.8, 35.1], [129.0, 35.1], [129.0, 35.3], [128.8, 35.3], [128.8, 35.1]]]
    area = {
        "type": "Feature",
        "properties": {"name": "가동", "code": "1"},
        "geometry": {"type": "Polygon", "coordinates": square},
    }
    city = tmp_path / "city.geojson"
    city.write_text(json.dumps({"type": "FeatureCollection", "features": [area]}), "utf-8")
    boundaries.run(city, authority.code, officer)
    rows = [
        rows_of(관리번호="in"),
        rows_of(관리번호="edge", WGS84경도="129.005"),
        rows_of(관리번호="out", WGS84경도="129.3"),
    ]
    run = command.run(file_of(tmp_path, *rows), authority.code, officer)
    assert run.report["issues"]["outside_city"] == 1
    assert [site.lon for site in Site.objects.order_by("source_key")] == [129.005, 128.8892, None]


@pytest.mark.data
@pytest.mark.parametrize("name", ["busan_cctv_cp949.csv", "busan_cctv_utf8.csv"])
def test_busan_imports_whole_with_its_dirt_reported(name: str, authority: Authority, officer: Actor) -> None:
    run = command.run(shared(f"01_cctv_busan/{name}"), authority.code, officer)
    assert run.state == "done"
    assert Site.objects.count() == run.counts["sites"] == 15_737
    assert Camera.objects.count() == run.counts["cameras"] == 20_526
    assert run.counts["identical_rows"] == 2_319
    assert run.counts["shared_coordinates"] == 4_243
    assert run.counts["coordinate_faults"] == 6
    assert run.report["empty_fields"]["촬영방면정보"] == 6_266
    assert run.report["empty_fields"]["설치연월"] == 8_675
    assert run.report["empty_fields"]["소재지지번주소"] == 6_162
    assert ["부산광역시 기장군", "부산광역시 기장군청"] in run.report["agency_spellings"]
    assert len(run.report["agencies"]) == 20
    assert len(run.report["purposes"]) == 9
    assert not run.report["unknown_purposes"]


@pytest.mark.data
def test_busan_with_its_boundaries_loses_the_six_false_places_and_no_other(
    authority: Authority, officer: Actor
) -> None:
    boundaries.run(shared("03_admin_boundaries/busan_hjd_2018.geojson"), authority.code, officer)
    run = command.run(shared("01_cctv_busan/busan_cctv_cp949.csv"), authority.code, officer)
    assert run.report["issues"]["outside_city"] == 4
    assert (run.counts["coordinate_faults"], run.counts["unlocated"]) == (6, 6)


@pytest.mark.data
def test_busan_imported_twice_is_busan_once(authority: Authority, officer: Actor) -> None:
    command.run(shared("01_cctv_busan/busan_cctv_cp949.csv"), authority.code, officer)
    again = command.run(shared("01_cctv_busan/busan_cctv_utf8.csv"), authority.code, officer)
    assert (again.counts["created"], again.counts["updated"], again.counts["unchanged"]) == (0, 0, 15_737)
    assert (Site.objects.count(), Camera.objects.count()) == (15_737, 20_526)


@pytest.mark.data
def test_suwon_imports_with_the_columns_it_lacks_named(authority: Authority, officer: Actor) -> None:
    run = command.run(shared("01_cctv_suwon/cctv.csv"), authority.code, officer)
    assert (run.state, run.counts["sites"], run.counts["identical_rows"]) == ("done", 3_704, 362)
    assert run.report["empty_fields"]["street_name_address"] == 1_575
    assert "카메라대수" in run.report["missing_columns"]


@pytest.mark.data
@pytest.mark.parametrize(
    "folder", ["04_police_stations", "04_emergency_bell", "04_school_zone_and_accidents", "03_admin_boundaries"]
)
def test_real_files_of_other_kinds_are_all_refused(folder: str, authority: Authority, officer: Actor) -> None:
    files = [path for path in sorted(shared(folder).iterdir()) if path.is_file()]
    states = {path.name: command.run(path, authority.code, officer).state for path in files}
    assert set(states.values()) == {"refused"}, states


def test_each_site_is_registered_as_a_facility_under_the_same_key(
    tmp_path: Path, authority: Authority, officer: Actor
) -> None:
    command.run(file_of(tmp_path, rows_of()), authority.code, officer)
    sites = {site.source_key: (site.lon, site.lat) for site in Site.objects.all()}
    things = Facility.objects.filter(kind="cctv")
    assert {thing.source_key: (thing.lon, thing.lat) for thing in things} == sites
    assert all(thing.condition == "unknown" for thing in things)
