"""The simulated city comes in through the same doors as a real one, and its survey turns discs into sectors."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from madang.connectors.address_csv import command as addresses
from madang.connectors.basemap_geojson import command as basemap
from madang.connectors.boundaries_geojson import command as boundaries
from madang.connectors.camera_survey import command as survey
from madang.connectors.camera_survey import parse
from madang.connectors.cctv_standard import command as cctv
from madang.connectors.workers import FILES, importers
from madang.identity.rights import system_actor
from madang.kernel.geometry import Point
from madang.kernel.mode import Mode
from madang.places.boundaries import district_of
from madang.places.domain import FileRefusedError
from madang.places.geocode import candidates
from madang.places.models import BaseFeature, ImportIssue
from madang.video.models import Camera
from tests.connectors.test_cctv_parse import NEW, rows_of

if TYPE_CHECKING:
    from pytest_django import Settings

    from madang.identity.models import Authority


@pytest.fixture(autouse=True)
def _state(settings: Settings, tmp_path: Path) -> None:
    settings.BASE_DIR = tmp_path / "state"


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("city")
    subprocess.run([sys.executable, "-m", "madang_demo.city", "--out", str(folder)], check=True, capture_output=True)
    return folder


def test_the_simulated_city_imports_whole_and_its_dirt_is_told(city: Path, authority: Authority) -> None:
    actor = system_actor(authority.code)
    areas = boundaries.run(city / "boundaries.geojson", authority.code, actor, mode=Mode.SIMULATED)
    ground = basemap.run(city / "basemap.geojson", authority.code, actor, mode=Mode.SIMULATED)
    streets = addresses.run(city / "addresses.csv", authority.code, actor, mode=Mode.SIMULATED)
    sites = cctv.run(city / "cctv.csv", authority.code, actor, mode=Mode.SIMULATED)
    assert [run.state for run in (areas, ground, streets, sites)] == ["done"] * 4
    assert (areas.counts["districts"], ground.counts["not_imported"], streets.counts["not_imported"]) == (19, 0, 0)
    assert set(BaseFeature.objects.values_list("kind", flat=True)) == {"road", "building", "water", "park", "label"}
    told = sites.report["issues"]
    assert {
        "zero_coordinate": 1,
        "swapped_coordinate": 1,
        "outside_city": 1,
        "no_coordinate": 1,
        "unknown_purpose": 1,
        "zero_camera_count": 1,
        "absurd_camera_count": 1,
        "short_row": 1,
        "repeated": 1,
    }.items() <= told.items()
    assert sites.report["agency_spellings"] == [["김해시(모의)", "김해시청(모의)"]]
    surveyed = survey.run(city / "cameras_survey.json", authority.code, actor, mode=Mode.SIMULATED)
    assert (surveyed.state, surveyed.counts["surveyed"]) == ("done", 1_200)
    assert Camera.objects.filter(azimuth_surveyed_on__isnull=False).count() == 1_200
    assert set(Camera.objects.values_list("mode", flat=True)) == {"simulated"}
    best = candidates(authority.code, "김해시청 앞")[0]
    found = district_of(authority.code, Point(best.lon, best.lat))
    assert best.label == "김해시청"
    assert found is not None


def write(path: Path, *lines: str) -> Path:
    path.write_bytes("\n".join(lines).encode("cp949"))
    return path


def test_a_survey_tells_each_row_it_cannot_use(tmp_path: Path, authority: Authority) -> None:
    actor = system_actor(authority.code)
    cctv.run(write(tmp_path / "cctv.csv", NEW, rows_of()), authority.code, actor)
    path = write(
        tmp_path / "survey.csv",
        "관리번호,카메라번호,방위각(도),화각,유효거리,측정일,영상주소",
        "M-0001,1,370,90,60,2026-05-01,",
        "M-0001,2,-0.0,,,2026-05-01,",
        "M-0001,3,10,90,60,2026-05-01,",
        "M-0002,1,10,90,60,2026-05-01,",
        "M-0001,1,nan,90,60,2026-05-01,",
        "M-0001,1,10,90,60,어제,",
        "M-0001",
        "M-0001,1,123.5,70,55,2026-05-02,ftp://example.com/a",
    )
    run = survey.run(path, authority.code, actor)
    assert [(issue.row_number, issue.code) for issue in ImportIssue.objects.filter(run=run).order_by("row_number")] == [
        (2, "bad_value"),
        (4, "no_camera"),
        (5, "no_camera"),
        (6, "bad_value"),
        (7, "bad_value"),
        (8, "unreadable"),
        (9, "stream_refused"),
    ]
    first, second = Camera.objects.order_by("number")
    assert (first.azimuth_deg, first.hfov_deg, first.range_m) == (123.5, 70, 55)
    assert (second.azimuth_deg, str(second.azimuth_surveyed_on)) == (0.0, "2026-05-01")


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"{}", b'{"cameras": [1]}', b"[", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_survey_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "survey"
    path.write_bytes(content)
    with pytest.raises(FileRefusedError) as refused:
        list(parse.read(path, 1_000_000))
    assert "방위각" in refused.value.ko


def test_every_kind_of_upload_has_its_importer(tmp_path: Path, authority: Authority) -> None:
    path = tmp_path / "empty"
    path.write_bytes(json.dumps({}).encode())
    for kind, importer in importers().items():
        assert (
            importer(path, authority.code, system_actor(authority.code), lambda _done, _total: None).state == "refused"
        )
        assert kind in FILES
