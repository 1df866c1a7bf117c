"""Which cameras are offered: those that see the place, as well as they can, from different sides."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from madang.kernel.geometry import Point, destination
from madang.video.coverage import CameraIndex, IndexedCamera
from madang.video.optics import DORI_PX_PER_M, Dori, dori, range_at_m, usable_range_m, view_of, width_px
from madang.video.ranking import CameraView, Sees, judge_camera, rank, sees

PLACE = Point(128.8894, 35.2285)


def camera(bearing: float, metres: float, **changed: object) -> CameraView:
    """A working camera `metres` from the place that looks at it."""
    plain = CameraView(
        id=f"{bearing:.0f}-{metres:.0f}",
        label="",
        site_id="s",
        at=destination(PLACE, bearing, metres),
        azimuth_deg=(bearing + 180) % 360,
        hfov_deg=90,
        range_m=120,
        kind="fixed",
        megapixels=2.0,
        purpose="생활방범",
        ptz=False,
        health="ok",
    )
    return replace(plain, **changed)  # type: ignore[arg-type]  # named fields of the dataclass


@pytest.mark.parametrize(
    ("grade", "metres"), [(Dori.IDENTIFY, 3.84), (Dori.RECOGNISE, 7.68), (Dori.OBSERVE, 15.36), (Dori.DETECT, 38.4)]
)
def test_a_full_hd_right_angle_camera_has_the_ranges_of_the_standard(grade: Dori, metres: float) -> None:
    assert range_at_m(1_920, DORI_PX_PER_M[grade], 90) == pytest.approx(metres)
    assert dori(1_920, 90, metres - 0.01) is grade
    assert dori(1_920, 90, metres + 0.01) is not grade


def test_a_narrow_4k_camera_identifies_to_29_metres() -> None:
    assert range_at_m(3_840, 250, 30) == pytest.approx(28.7, abs=0.1)


def test_pixels_of_the_registry_become_a_width() -> None:
    assert width_px(2.0) == 1_920
    assert width_px(8.0) == pytest.approx(3_771, abs=2)
    assert width_px(0) is None and width_px(None) is None
    assert dori(None, 90, 5) is None
    assert usable_range_m(None, 90, 60.0) == 60.0


def test_at_night_a_camera_reaches_less_far() -> None:
    assert dori(1_920, 90, 30) is Dori.DETECT
    assert dori(1_920, 90, 30, night=True) is Dori.BEYOND


@pytest.mark.parametrize(
    ("text", "kind", "hfov"),
    [
        ("360도 전방면/회전", "omni", 360.0),
        ("360도다방면", "omni", 360.0),
        ("360", "omni", 360.0),
        ("회전(열화상)", "ptz", 90.0),
        ("고정", "fixed", 90.0),
        ("60도 단방향", "fixed", 60.0),
        ("170도 방면", "fixed", 170.0),
        ("", "unknown", 90.0),
        ("동광동주민센터 앞 공중전화부스 방면", "unknown", 90.0),
        ("부산-7-남구-0156-1 (2024)", "unknown", 90.0),
    ],
)
def test_the_registrys_free_text_is_read_without_inventing(text: str, kind: str, hfov: float) -> None:
    assert (view_of(text).kind, view_of(text).hfov_deg) == (kind, hfov)


@given(st.text(max_size=40))
def test_any_text_is_read_as_some_view(text: str) -> None:
    view = view_of(text)
    assert view.kind in ("fixed", "ptz", "omni", "unknown") and 10 <= view.hfov_deg <= 360


def test_direction_unknown_is_shown_as_unknown() -> None:
    ranked = judge_camera(camera(0, 30, azimuth_deg=None), PLACE, 500)
    assert ranked.sees is Sees.UNKNOWN
    assert ranked.reasons[0].ko == "방향 미상"
    assert judge_camera(camera(0, 30, health="unknown"), PLACE, 500).reasons[2].en == "health unknown"


def test_seeing_beats_near_and_working_beats_broken() -> None:
    turned_away = camera(0, 10, azimuth_deg=0.0)
    seeing = camera(90, 35)
    unknown = camera(180, 20, azimuth_deg=None)
    broken = camera(270, 35, health="offline")
    order = [found.id for found in rank([turned_away, unknown, broken, seeing], PLACE, 500, 4)]
    assert order[0] == seeing.id
    assert order.index(unknown.id) < order.index(broken.id)
    assert order.index(unknown.id) < order.index(turned_away.id)


def test_the_second_camera_comes_from_another_side() -> None:
    same_side = [camera(bearing, 30) for bearing in (0, 5, 10)]
    across = camera(180, 37)
    assert rank([*same_side, across], PLACE, 500, 2)[1].id == across.id


@given(
    st.lists(st.tuples(st.floats(0, 359), st.floats(1, 900)), max_size=30, unique=True),
    st.integers(1, 12),
    st.floats(10, 800),
)
def test_what_is_offered_lies_within_the_radius_and_never_twice(
    placed: list[tuple[float, float]], limit: int, radius: float
) -> None:
    cameras = [replace(camera(*at), id=str(number)) for number, at in enumerate(placed)]
    offered = rank(cameras, PLACE, radius, limit)
    assert len(offered) <= limit
    assert len({found.id for found in offered}) == len(offered)
    assert all(found.distance_m <= radius for found in offered)
    if not any(camera.azimuth_deg is None for camera in cameras):
        assert all(found.sees in (Sees.YES, Sees.NO) for found in offered)


indexed = st.builds(
    IndexedCamera,
    id=st.uuids().map(str),
    label=st.just(""),
    site_id=st.just("s"),
    lon=st.floats(128.85, 128.93),
    lat=st.floats(35.20, 35.26),
    azimuth_deg=st.one_of(st.none(), st.floats(0, 359.9)),
    hfov_deg=st.floats(20, 180),
    range_m=st.floats(10, 2_000),
    kind=st.sampled_from(["fixed", "ptz", "omni", "unknown"]),
    megapixels=st.just(2.0),
    purpose=st.just(""),
    ptz=st.just(False),
    mode=st.sampled_from(["live", "simulated"]),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(indexed, max_size=25, unique_by=lambda found: found.id))
def test_the_index_finds_what_looking_at_each_camera_finds(cameras: list[IndexedCamera]) -> None:
    index = CameraIndex(cameras)
    nearest = [found for found, _ in index.nearest(PLACE.lon, PLACE.lat, 5)]
    assert len(nearest) == min(5, len(cameras))
    distances = [metres for _, metres in index.nearest(PLACE.lon, PLACE.lat, 25)]
    assert distances == sorted(distances)
    seeing = set(index.seeing(PLACE.lon, PLACE.lat))
    for one in cameras:
        ranked = judge_camera(one.view(), PLACE, 1_000)
        edge = abs(ranked.distance_m - one.range_m) < 20 or _near_edge(one, ranked.bearing_deg)
        if not edge:
            assert (one.id in seeing) == (sees(one.view(), ranked.bearing_deg, ranked.distance_m) is Sees.YES)
    assert {view.id for view in index.around(PLACE.lon, PLACE.lat, 50_000, "live")} == {
        one.id for one in cameras if one.mode == "live"
    }


def _near_edge(one: IndexedCamera, bearing: float) -> bool:
    """The index reckons on a flat city: at the very edge of a sector the two may differ by a hair."""
    if one.azimuth_deg is None:
        return False
    off = math.fabs((bearing - one.azimuth_deg + 180) % 360 - 180)
    return abs(off - one.hfov_deg / 2) < 1.0


def test_an_empty_city_offers_nothing() -> None:
    index = CameraIndex([])
    assert index.nearest(128.9, 35.2, 5) == [] and index.seeing(128.9, 35.2) == []
    assert index.around(128.9, 35.2, 500) == [] and len(index) == 0
