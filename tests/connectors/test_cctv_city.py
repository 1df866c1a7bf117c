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
from madang.connectors.cctv_standard import command as cctv
from madang.connectors.workers import FILES, importers
from madang.identity.rights import system_actor
from madang.kernel.geometry import Point
from madang.kernel.mode import Mode
from madang.places.boundaries import district_of
from madang.places.config import PlacesConfig
from madang.places.geocode import candidates
from madang.places.models import BaseFeature
from madang.video.models import Camera

if TYPE_CHECKING:
    from pytest_django import Settings

    from madang.identity.models import Authority


@pytest.fixture(autouse=True)
def _state(settings: Settings, tmp_path: Path) -> None:
    settings.MADANG_PLACES = PlacesConfig(reports_dir=str(tmp_path / "reports"))


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
    assert (surveyed.state, surveyed.counts["cameras"]) == ("done", 1_200)
    assert Camera.objects.filter(azimuth_surveyed_on__isnull=False).count() == 1_200
    assert set(Camera.objects.values_list("mode", flat=True)) == {"simulated"}
    best = candidates(authority.code, "김해시청 앞")[0]
    found = district_of(authority.code, Point(best.lon, best.lat))
    assert best.label == "김해시청"
    assert found is not None


def test_every_kind_of_upload_has_its_importer(tmp_path: Path, authority: Authority) -> None:
    path = tmp_path / "empty"
    path.write_bytes(json.dumps({}).encode())
    for kind, importer in importers().items():
        assert (
            importer(path, authority.code, system_actor(authority.code), lambda _done, _total: None).state == "refused"
        )
        assert kind in FILES
