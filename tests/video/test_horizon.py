"""What cameras promise where buildings stand: none sees through one, and what is unknown hides nothing."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from madang.journal import civic
from madang.kernel.geometry import Point, bearing_deg, destination, distance_m
from madang.kernel.mode import Mode
from madang.places import mapping
from madang.places.config import PlacesConfig
from madang.places.ground import MapFeature, buildings_near
from madang.places.models import BaseKind
from madang.video import commands as video
from madang.video import occlusion, queries
from madang.video.coverage import CameraIndex, IndexedCamera, cameras_in_store
from madang.video.horizon import BEHIND_WALL_M, Stand, free_m, horizon_of, is_hidden, work_out
from madang.video.models import Camera
from madang.video.ranking import Sees, judge_camera, sees

if TYPE_CHECKING:
    from pytest_django import Settings

    from madang.identity.models import Authority

HERE = Point(128.88, 35.23)
NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


def block(bearing: float, away_m: float, half_width_m: float = 15.0, depth_m: float = 10.0) -> shapely.Polygon:
    """A building whose face stands square to the line of sight."""
    near, far = destination(HERE, bearing, away_m), destination(HERE, bearing, away_m + depth_m)
    corners = [
        destination(near, bearing - 90, half_width_m),
        destination(near, bearing + 90, half_width_m),
        destination(far, bearing + 90, half_width_m),
        destination(far, bearing - 90, half_width_m),
    ]
    return shapely.Polygon([(corner.lon, corner.lat) for corner in corners])


def camera(horizon: bytes, azimuth: float | None = 0.0, kind: str = "fixed") -> IndexedCamera:
    return IndexedCamera("c", "", "s", HERE.lon, HERE.lat, azimuth, 90.0, 120.0, kind, 2.0, "", False, "live", horizon)


def test_a_building_hides_what_is_behind_it_and_nothing_else() -> None:
    horizon = horizon_of(Stand("c", HERE.lon, HERE.lat, 120.0), [block(0.0, 40.0)])
    assert free_m(horizon, 0.0) == pytest.approx(40.0, abs=0.5)
    assert is_hidden(horizon, 0.0, 100.0)
    assert not is_hidden(horizon, 0.0, 35.0)
    assert not is_hidden(horizon, 90.0, 100.0)
    assert not is_hidden(horizon, 0.0, 40.0 + BEHIND_WALL_M / 2), "the face of the building itself is seen"


def test_a_building_a_camera_hangs_on_does_not_blind_it() -> None:
    stand = Stand("c", HERE.lon, HERE.lat, 120.0)
    assert horizon_of(stand, [block(180.0, 0.2)]) == b""


def test_without_buildings_nothing_is_hidden() -> None:
    assert horizon_of(Stand("c", HERE.lon, HERE.lat, 120.0), []) == b""
    assert not is_hidden(b"", 12.0, 5_000.0)


@settings(max_examples=60, deadline=None)
@given(bearing=st.floats(0, 359.9), away=st.floats(5, 100), towards=st.floats(0, 359.9), at=st.floats(2, 119))
def test_what_is_hidden_is_what_a_line_of_sight_through_a_building_says(
    bearing: float, away: float, towards: float, at: float
) -> None:
    building = block(bearing, away)
    horizon = horizon_of(Stand("c", HERE.lon, HERE.lat, 120.0), [building])
    place = destination(HERE, towards, at)
    crosses = shapely.LineString([(HERE.lon, HERE.lat), (place.lon, place.lat)]).intersects(building)
    if is_hidden(horizon, towards, at):
        assert near_the_line(building, towards, at)
    elif crosses and at > away + BEHIND_WALL_M + 40:
        assert not deep_inside(building, towards, at), "a place well behind a building is hidden"


def near_the_line(building: shapely.Polygon, towards: float, at: float) -> bool:
    """Whether the building is met within a direction's width."""
    ends = [destination(HERE, towards + off, at) for off in (-3.5, -1.7, 0, 1.7, 3.5)]
    return any(shapely.LineString([(HERE.lon, HERE.lat), (end.lon, end.lat)]).intersects(building) for end in ends)


def deep_inside(building: shapely.Polygon, towards: float, at: float) -> bool:
    """Whether the whole direction is filled by the building."""
    ends = [destination(HERE, towards + off, at) for off in (-3.2, 0, 3.2)]
    return all(shapely.LineString([(HERE.lon, HERE.lat), (end.lon, end.lat)]).intersects(building) for end in ends)


def test_ranking_says_why_a_hidden_place_is_not_seen() -> None:
    horizon = horizon_of(Stand("c", HERE.lon, HERE.lat, 120.0), [block(0.0, 40.0)])
    place = destination(HERE, 0.0, 90.0)
    ranked = judge_camera(camera(horizon).view(), place, 200.0)
    assert (ranked.sees, ranked.reasons[0].ko) == (Sees.NO, "건물에 가림")
    assert judge_camera(camera(b"").view(), place, 200.0).sees is Sees.YES
    turning = camera(horizon, kind="ptz").view()
    assert sees(turning, 0.0, 90.0) is Sees.NO, "no camera can be turned to see through a wall"


def test_the_index_and_the_ranking_agree_on_every_direction() -> None:
    horizon = horizon_of(Stand("c", HERE.lon, HERE.lat, 120.0), [block(20.0, 30.0), block(200.0, 60.0)])
    all_round = camera(horizon, None, "omni")
    index = CameraIndex([all_round])
    for bearing in range(0, 360, 7):
        for at in (10.0, 35.0, 75.0, 110.0):
            place = destination(HERE, bearing, at)
            judged = sees(all_round.view(), bearing_deg(HERE, place), distance_m(HERE, place)) is Sees.YES
            assert index.seeing(place.lon, place.lat) == (["c"] if judged else []), (bearing, at)


def test_cameras_that_did_not_move_are_not_worked_out_again() -> None:
    asked: list[object] = []

    def buildings(box: object) -> list[object]:
        asked.append(box)
        return []

    stands = [Stand("a", HERE.lon, HERE.lat, 50.0), Stand("b", HERE.lon + 0.001, HERE.lat, 50.0)]
    first = work_out(stands, {}, buildings)
    assert first is not None
    work_out([stands[0], Stand("b", HERE.lon + 0.002, HERE.lat, 50.0)], first, buildings)
    assert len(asked) == 3
    assert work_out(stands, {}, lambda _: [], lambda: True) is None


@pytest.fixture
def corner(authority: Authority, settings: Settings, tmp_path: Path) -> str:
    """A camera that looks all round, and a building north of it."""
    settings.BASE_DIR = tmp_path / "state"
    settings.MADANG_PLACES = PlacesConfig()
    rows = [video.SiteRow(source_key="A", name="모퉁이", lon=HERE.lon, lat=HERE.lat, camera_count=1)]
    with civic.transaction() as tx:
        video.put_sites(tx, authority.code, rows, NOW, Mode.LIVE)
    Camera.objects.filter(authority=authority.code).update(kind="omni", range_m=120.0)
    building = MapFeature(BaseKind.BUILDING, "building", "", "", 1, 12.0, block(0.0, 40.0))
    mapping.publish_ground(authority.code, [building], mapping.OSM, NOW)
    return authority.code


@pytest.mark.django_db
def test_an_imported_building_takes_hidden_places_from_a_camera(corner: str) -> None:
    behind, beside = destination(HERE, 0.0, 90.0), destination(HERE, 90.0, 90.0)
    before = queries.rank_for(corner, behind, 200.0, 5)
    assert before[0].sees is Sees.YES
    assert occlusion.renew(corner, NOW) == 1
    assert queries.rank_for(corner, behind, 200.0, 5)[0].sees is Sees.NO
    assert queries.rank_for(corner, beside, 200.0, 5)[0].sees is Sees.YES
    assert occlusion.renew(corner, NOW) is None, "nothing changed, nothing to do"


@pytest.mark.django_db
def test_a_camera_that_was_moved_is_not_judged_by_its_old_horizon(corner: str) -> None:
    occlusion.renew(corner, NOW)
    Camera.objects.filter(authority=corner).update(lon=HERE.lon + 0.01, lat=HERE.lat)
    (moved,) = cameras_in_store(corner)
    from madang.video.coverage import COVERAGE

    assert COVERAGE.rebuild(corner).cameras[0].horizon == b""
    assert math.isclose(moved.lon, HERE.lon + 0.01)


@pytest.mark.django_db
def test_a_broken_file_of_horizons_hides_nothing(corner: str, tmp_path: Path) -> None:
    assert occlusion.read(tmp_path / "none.npz") == {}
    broken = tmp_path / "broken.npz"
    broken.write_bytes(b"PK\x03\x04 not a table")
    assert occlusion.read(broken) == {}


@pytest.mark.django_db
def test_buildings_are_found_by_their_box(corner: str) -> None:
    assert len(buildings_near(corner, (128.87, 35.22, 128.89, 35.24))) == 1
    assert buildings_near(corner, (127.0, 36.0, 127.1, 36.1)) == []
