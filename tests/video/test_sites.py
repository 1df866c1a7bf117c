"""Sites and cameras come by the thousand, again and again, and never double."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from madang.identity.actors import actor_of_person
from madang.identity.models import Authority
from madang.identity.rights import Actor, Role
from madang.journal import civic
from madang.kernel.errors import ForbiddenError, NotFoundError
from madang.kernel.geometry import Point
from madang.kernel.mode import Mode
from madang.video.commands import CameraRow, Counts, SiteRow, put_sites, set_camera_health, set_stream, survey_camera
from madang.video.commands.sites import stream_source
from madang.video.coverage import Coverage
from madang.video.models import Camera, PurposeRetention, Site
from madang.video.queries import camera_view, cameras_in, clusters_in, nearest, rank_for, retention_days, search_cameras
from madang.video.sources import SourceRefusedError
from tests.conftest import MakePerson
from tests.video.conftest import CORNER, NOW, ring


def put(authority: Authority, *rows: SiteRow, mode: Mode = Mode.LIVE) -> Counts:
    with civic.transaction() as tx:
        return put_sites(tx, authority.code, rows, NOW, mode)


PLAIN = SiteRow(
    source_key="A-1",
    name="시청 앞",
    road_address="김해대로 2401",
    lon=128.8894,
    lat=35.2285,
    purpose="생활방범",
    camera_count=3,
    pixels_mp=2.0,
    direction_text="360도 전방면",
    retention_days=30,
)


def test_a_site_becomes_its_cameras(authority: Authority) -> None:
    assert put(authority, PLAIN) == Counts(created=1)
    cameras = Camera.objects.order_by("number")
    assert [camera.label for camera in cameras] == ["시청 앞-1", "시청 앞-2", "시청 앞-3"]
    assert {camera.kind for camera in cameras} == {"omni"}
    assert {camera.health for camera in cameras} == {"unknown"}


def test_the_same_file_again_changes_nothing(authority: Authority) -> None:
    put(authority, PLAIN)
    before = list(Camera.objects.values_list("pk", flat=True))
    assert put(authority, PLAIN) == Counts(unchanged=1)
    assert list(Camera.objects.values_list("pk", flat=True)) == before


def test_a_changed_row_updates_and_fewer_cameras_are_switched_off_not_lost(authority: Authority) -> None:
    put(authority, PLAIN)
    changed = SiteRow(source_key="A-1", name="시청 정문", lon=128.89, lat=35.229, camera_count=1)
    assert put(authority, changed) == Counts(updated=1)
    assert Site.objects.get().name == "시청 정문"
    assert list(Camera.objects.order_by("number").values_list("active", flat=True)) == [True, False, False]
    assert put(authority, PLAIN) == Counts(updated=1)
    assert Camera.objects.filter(active=True).count() == 3


def test_a_key_twice_in_one_file_is_one_site_and_cities_do_not_share_keys(
    authority: Authority, other_authority: Authority
) -> None:
    assert put(authority, PLAIN, PLAIN) == Counts(created=1)
    assert put(other_authority, PLAIN) == Counts(created=1)
    assert Site.objects.count() == 2


def test_a_survey_and_a_stream_outlive_the_next_import(authority: Authority, make_person: MakePerson) -> None:
    put(authority, PLAIN)
    officer = actor_of_person(make_person(Role.CITY_OFFICER))
    camera = Camera.objects.get(number=2)
    with civic.transaction() as tx:
        survey_camera(
            tx, officer, camera.pk, azimuth_deg=450, surveyed_on=date(2026, 5, 1), now=NOW, hfov_deg=60, range_m=80
        )
        set_stream(tx, officer, camera.pk, "http://127.0.0.1:8090/cam/2.ts", NOW)
    put(
        authority,
        SiteRow(source_key="A-1", name="새 이름", lon=128.9, lat=35.23, camera_count=3, direction_text="고정"),
    )
    camera.refresh_from_db()
    assert (camera.azimuth_deg, camera.hfov_deg, camera.range_m) == (90.0, 60.0, 80.0)
    assert camera.label == "새 이름-2"
    assert stream_source(camera) == "http://127.0.0.1:8090/cam/2.ts"
    assert b"8090" not in bytes(camera.stream_sealed)


def test_a_described_camera_keeps_its_own_position_and_view(authority: Authority) -> None:
    row = SiteRow(
        source_key="B",
        lon=128.8,
        lat=35.2,
        camera_count=2,
        cameras=(
            CameraRow(
                number=2, label="남쪽", lon=128.9, lat=35.3, azimuth_deg=180, azimuth_surveyed_on=date(2026, 1, 1)
            ),
        ),
    )
    put(authority, row)
    told = camera_view(authority.code, Camera.objects.get(number=2).pk)
    assert told is not None
    assert (told.label, told.at, told.azimuth_deg) == ("남쪽", Point(128.9, 35.3), 180.0)
    assert Camera.objects.get(number=1).azimuth_deg is None


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "http://10.0.0.1/cam.ts",
        "http://169.254.169.254/",
        "http://[::ffff:10.0.0.1]/",
        "ftp://127.0.0.1/x",
        "rtsp://",
        "http://127.0.0.1/a b",
        "concat:a|b",
        "http://127.0.0.1:99999/",
    ],
)
def test_a_stream_address_outside_the_camera_networks_is_refused_without_repeating_it(
    authority: Authority, make_person: MakePerson, url: str
) -> None:
    put(authority, PLAIN)
    officer = actor_of_person(make_person(Role.CITY_OFFICER))
    camera = Camera.objects.first()
    assert camera is not None
    with civic.transaction() as tx, pytest.raises(SourceRefusedError) as refused:
        set_stream(tx, officer, camera.pk, url, NOW)
    assert url not in str(refused.value.problem())


def test_only_those_who_manage_cameras_change_them(
    authority: Authority, other_authority: Authority, make_person: MakePerson, operator: Actor
) -> None:
    put(authority, PLAIN)
    camera = Camera.objects.first()
    assert camera is not None
    stranger = actor_of_person(make_person(Role.CITY_OFFICER, authority=other_authority))
    with civic.transaction() as tx:
        with pytest.raises(ForbiddenError):
            set_stream(tx, operator, camera.pk, "http://127.0.0.1/x.ts", NOW)
        with pytest.raises(NotFoundError):
            set_stream(tx, stranger, camera.pk, "http://127.0.0.1/x.ts", NOW)


def test_the_offer_knows_new_cameras_and_fresh_health(authority: Authority) -> None:
    assert rank_for(authority.code, CORNER, 500, 5) == []
    put(authority, *ring(4, 60.0), mode=Mode.SIMULATED)
    offered = rank_for(authority.code, CORNER, 500, 5, now=NOW)
    assert len(offered) == 4 and {found.camera.health for found in offered} == {"unknown"}
    with civic.transaction() as tx:
        set_camera_health(tx, offered[0].id, "ok", NOW)
    again = rank_for(authority.code, CORNER, 500, 5, now=NOW)
    assert again[0].id == offered[0].id and again[0].camera.health == "ok" and again[0].camera.health_at == NOW


@pytest.mark.parametrize("small", [True, False])
def test_a_caller_waits_for_a_small_citys_index_and_never_for_a_large_ones(small: bool) -> None:
    revision = 1
    coverage = Coverage(lambda _: (revision, ()), lambda _: revision, lambda _: small)
    before = coverage.index("48250")
    assert coverage.index("48250") is before
    revision = 2
    assert (coverage.index("48250") is before) is not small
    coverage.rebuild("48250")
    assert coverage.index("48250").revision == 2


def test_the_map_asks_by_box_and_by_cluster(authority: Authority, other_authority: Authority) -> None:
    put(authority, *ring(6, 60.0), mode=Mode.SIMULATED)
    put(other_authority, *ring(6, 60.0))
    box = (128.88, 35.22, 128.90, 35.24)
    found = cameras_in(authority.code, box, 4)
    assert (len(found.cameras), found.total, found.clipped) == (4, 6, True)
    assert cameras_in(authority.code, (0, 0, 1, 1), 4).total == 0
    with civic.transaction() as tx:
        set_camera_health(tx, found.cameras[0].id, "offline", NOW)
    clusters = clusters_in(authority.code, box, cells=1)
    assert sum(cluster.count for cluster in clusters) == 6
    assert "offline" in {cluster.worst for cluster in clusters}
    assert [found.camera.label for found in nearest(authority.code, CORNER, 3)] != []
    assert [view.label for view in search_cameras(authority.code, "모퉁이 3")] == ["모퉁이 3"]


def test_retention_is_the_cameras_own_then_its_sites_then_its_purposes(authority: Authority) -> None:
    put(authority, PLAIN, SiteRow(source_key="C", purpose="어린이보호"))
    first, other = Camera.objects.get(site__source_key="A-1", number=1), Camera.objects.get(site__source_key="C")
    assert retention_days(first) == 30
    first.retention_days = 7
    assert retention_days(first) == 7
    assert retention_days(other) == 30
    PurposeRetention.objects.create(authority=authority, purpose="어린이보호", days=60)
    assert retention_days(other) == 60


def test_health_seen_long_ago_is_not_known_any_more(authority: Authority) -> None:
    put(authority, *ring(1, 60.0), mode=Mode.SIMULATED)
    with civic.transaction() as tx:
        set_camera_health(tx, Camera.objects.get().pk, "ok", NOW)
    fresh, stale = (
        rank_for(authority.code, CORNER, 500, 1, now=NOW + timedelta(hours=hours))[0].camera for hours in (23, 25)
    )
    assert (fresh.health, stale.health, stale.health_at) == ("ok", "unknown", NOW)
