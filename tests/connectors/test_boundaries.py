"""What importing boundaries, base maps and addresses promises: any publisher's names, wrong files refused."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from madang.connectors.address_csv import command as addresses
from madang.connectors.basemap_geojson import command as basemap
from madang.connectors.boundaries_geojson import command, parse
from madang.identity.rights import Actor, ActorKind, Role
from madang.kernel.geometry import Point
from madang.places.boundaries import district_of
from madang.places.config import PlacesConfig
from madang.places.domain import FileRefusedError
from madang.places.geocode import candidates
from madang.places.models import BaseFeature, Boundary, ImportIssue

if TYPE_CHECKING:
    from pytest_django import Settings

    from madang.identity.models import Authority

DATA = Path(os.environ.get("MADANG_SHARED_DATA", str(Path(__file__).resolve().parents[3] / "shared" / "data")))


@pytest.fixture(autouse=True)
def _state(settings: Settings, tmp_path: Path) -> None:
    settings.MADANG_PLACES = PlacesConfig(reports_dir=str(tmp_path / "reports"))


@pytest.fixture
def officer(authority: Authority) -> Actor:
    return Actor("person:1", ActorKind.PERSON, "담당", {authority.code: frozenset({Role.CITY_OFFICER})})


def polygon(west: float = 128.8, south: float = 35.2, size: float = 0.05) -> dict[str, Any]:  # Any: GeoJSON
    ring = [[west, south], [west + size, south], [west + size, south + size], [west, south + size], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def feature(geometry: object, **properties: object) -> dict[str, object]:
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def file_of(tmp_path: Path, *features: object, encoding: str = "utf-8", **members: object) -> Path:
    path = tmp_path / "areas.geojson"
    document = {"type": "FeatureCollection", "features": features, **members}
    path.write_bytes(json.dumps(document, ensure_ascii=False).encode(encoding))
    return path


@pytest.mark.parametrize(
    "properties",
    [
        {"name": "가동", "code": "11", "name_eng": "Ga-dong"},
        {"adm_nm": "경상남도 김해시 가동", "adm_cd2": "11", "adm_cd": "99"},
        {"EMD_KOR_NM": "가동", "EMD_CD": 11, "EMD_ENG_NM": "Ga-dong"},
        {"ADM_DR_NM": None, "ADM_NM": "가동", "ADM_DR_CD": "11"},
    ],
)
def test_districts_are_read_whoever_published_them(
    tmp_path: Path, authority: Authority, officer: Actor, properties: dict[str, object]
) -> None:
    run = command.run(file_of(tmp_path, feature(polygon(), **properties)), authority.code, officer)
    assert (run.state, run.counts["districts"]) == ("done", 1)
    found = district_of(authority.code, Point(128.82, 35.22))
    assert found is not None
    assert (found.name_ko, found.code) == ("가동", "11")


def test_importing_again_updates_and_never_doubles(tmp_path: Path, authority: Authority, officer: Actor) -> None:
    command.run(file_of(tmp_path, feature(polygon(), name="가동", code="1")), authority.code, officer)
    again = command.run(
        file_of(tmp_path, feature(polygon(128.9), name="가동", code="1"), feature(polygon(), name="나동", code="2")),
        authority.code,
        officer,
    )
    assert (again.counts["created"], again.counts["updated"]) == (1, 1)
    assert Boundary.objects.count() == 2
    moved = district_of(authority.code, Point(128.92, 35.22))
    assert moved is not None
    assert moved.name_ko == "가동"


def test_a_bad_feature_never_stops_a_file(tmp_path: Path, authority: Authority, officer: Actor) -> None:
    bow = {
        "type": "Polygon",
        "coordinates": [[[128.8, 35.2], [128.9, 35.3], [128.9, 35.2], [128.8, 35.3], [128.8, 35.2]]],
    }
    path = file_of(
        tmp_path,
        feature(polygon(), name="가동", code="1"),
        feature(polygon(), code="2"),
        feature(None, name="나동", code="3"),
        feature({"type": "Point", "coordinates": [128.8, 35.2]}, name="다동", code="4"),
        feature(bow, name="라동", code="5"),
        feature(polygon(2.3, 48.8), name="마동", code="6"),
        feature({"type": "Polygon", "coordinates": [[["a", {}]]]}, name="바동", code="7"),
        "nothing",
        feature(polygon(128.9), name="가동", code="1"),
        feature(polygon(128.9), name="사동", code="1"),
        feature(polygon(128.7), name="아동"),
    )
    run = command.run(path, authority.code, officer)
    issues = {issue.row_number: issue.code for issue in ImportIssue.objects.filter(run=run)}
    assert issues == {
        2: "no_name",
        3: "no_shape",
        4: "wrong_shape",
        5: "repaired",
        6: "outside_korea",
        7: "no_shape",
        8: "no_name",
        9: "same_code",
        10: "code_twice",
        11: "no_code",
    }
    assert run.state == "done"
    assert set(Boundary.objects.values_list("name_ko", flat=True)) == {"가동", "라동", "아동"}
    both = [district_of(authority.code, Point(lon, 35.205)) for lon in (128.83, 128.945)]
    assert all(each is not None and each.code == "1" for each in both)


def test_a_named_reference_system_is_reprojected(tmp_path: Path, authority: Authority, officer: Actor) -> None:
    import pyproj

    to_metres = pyproj.Transformer.from_crs("EPSG:4326", "EPSG:5179", always_xy=True)
    ring = [list(to_metres.transform(*spot)) for spot in polygon()["coordinates"][0]]
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::5179"}}
    area = feature({"type": "Polygon", "coordinates": [ring]}, name="가동", code="1")
    run = command.run(file_of(tmp_path, area, crs=crs), authority.code, officer)
    assert (run.state, run.report["crs"]) == ("done", "5179")
    stored = Boundary.objects.get()
    assert (stored.west, stored.south) == pytest.approx((128.8, 35.2), abs=1e-5)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp949", "utf-16"])
def test_files_in_other_encodings_are_read(tmp_path: Path, authority: Authority, officer: Actor, encoding: str) -> None:
    path = file_of(tmp_path, feature(polygon(), name="가동", code="1"), encoding=encoding)
    assert command.run(path, authority.code, officer).report["names"] == ["가동"]


METRES = {
    "type": "Polygon",
    "coordinates": [[[1100000, 1700000], [1100500, 1700000], [1100500, 1700500], [1100000, 1700000]]],
}
SWAPPED = {"type": "Polygon", "coordinates": [[[35.2, 128.8], [35.3, 128.8], [35.3, 128.9], [35.2, 128.8]]]}


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ({"type": "Topology", "objects": {}, "arcs": []}, "TopoJSON"),
        ({"type": "FeatureCollection", "features": []}, "without features"),
        ({"type": "FeatureCollection"}, "FeatureCollection"),
        ({"type": "FeatureCollection", "features": [feature(METRES, name="가", code="1")]}, "metres"),
        (
            {"type": "FeatureCollection", "features": [feature(SWAPPED, name="가", code="1")]},
            "latitude before longitude",
        ),
        (
            {
                "type": "FeatureCollection",
                "features": [feature(polygon(), name="가", code="1")],
                "crs": {"type": "name", "properties": {"name": "moon"}},
            },
            "reference system",
        ),
        (
            {
                "type": "FeatureCollection",
                "features": [feature(polygon(), name="가", code="1")],
                "crs": {"type": "name", "properties": {"name": "EPSG:99999"}},
            },
            "EPSG:99999",
        ),
        ([1, 2], "no object"),
        ({"type": "FeatureCollection", "features": [feature(polygon(), label="?")]}, "none of them usable"),
    ],
)
def test_a_wrong_file_is_refused_with_what_was_found(
    tmp_path: Path, authority: Authority, officer: Actor, document: object, found: str
) -> None:
    path = tmp_path / "wrong.json"
    path.write_text(json.dumps(document), "utf-8")
    run = command.run(path, authority.code, officer)
    assert run.state == "refused"
    assert found in run.reason_en
    assert run.reason_ko
    assert not Boundary.objects.exists()


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.binary(max_size=200),
        st.recursive(
            st.none()
            | st.booleans()
            | st.floats(allow_nan=False)
            | st.text(max_size=5)
            | st.sampled_from(["Polygon", 128.8, 35.2]),
            lambda inner: (
                st.lists(inner, max_size=4)
                | st.dictionaries(
                    st.sampled_from(["type", "features", "geometry", "coordinates", "properties", "name", "crs"]),
                    inner,
                    max_size=5,
                )
            ),
            max_leaves=20,
        ).map(
            lambda geometry: json.dumps(
                {"type": "FeatureCollection", "features": [{"properties": {"name": "가"}, "geometry": geometry}]}
            ).encode()
        ),
    )
)
def test_no_bytes_do_anything_but_parse_or_be_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "any"
    path.write_bytes(data)
    try:
        rows, issues, features = parse.read(path, 1_000_000)
    except FileRefusedError as refused:
        assert refused.ko
        return
    assert len(rows) + len(issues) >= len(features.items)


def test_a_base_map_is_taken_by_kind_or_by_openstreetmap_tags(
    tmp_path: Path, authority: Authority, officer: Actor
) -> None:
    line = {"type": "LineString", "coordinates": [[128.8, 35.2], [128.81, 35.21]]}
    point = {"type": "Point", "coordinates": [128.8, 35.2]}
    path = file_of(
        tmp_path,
        feature(line, kind="road", id="r1", name="가온로", rank=1),
        feature(line, highway="primary", osm_id=7),
        feature(polygon(), building="yes", name="큰집"),
        feature(polygon(), natural="water"),
        feature(polygon(), kind="park", id="p1", name="가온공원"),
        feature(point, kind="label", id="l1", name="마당시청"),
        feature(point, kind="road", id="r2"),
        feature(point, kind="castle"),
    )
    first = basemap.run(path, authority.code, officer)
    again = basemap.run(path, authority.code, officer)
    assert (first.counts["created"], first.counts["not_imported"]) == (6, 2)
    assert (again.counts["created"], again.counts["updated"]) == (0, 6)
    assert BaseFeature.objects.count() == 6
    assert candidates(authority.code, "마당시청 앞")[0].label == "마당시청"


def test_addresses_are_taken_and_bad_rows_told(tmp_path: Path, authority: Authority, officer: Actor) -> None:
    path = tmp_path / "addresses.csv"
    rows = ["마당시 가온로 1,마당시 새솔동 2,35.2,128.8", "마당시 가온로 3,,0,0", "짧다", "마당시 가온로 5,,북위,동경"]
    path.write_bytes("\n".join(["도로명주소,지번주소,위도,경도", *rows]).encode("cp949"))
    run = addresses.run(path, authority.code, officer)
    assert (run.state, run.counts["addresses"], run.counts["not_imported"]) == ("done", 2, 3)
    assert candidates(authority.code, "새솔동 2번지")[0].lat == 35.2


def test_a_file_without_positions_is_no_address_file(tmp_path: Path, authority: Authority, officer: Actor) -> None:
    path = tmp_path / "addresses.csv"
    path.write_bytes("이름,주소\n가,나\n".encode())
    run = addresses.run(path, authority.code, officer)
    assert run.state == "refused"
    assert "위도" in run.reason_ko


@pytest.mark.data
def test_gimhae_has_its_nineteen_districts(authority: Authority, officer: Actor) -> None:
    path = DATA / "03_admin_boundaries" / "gimhae_hjd_2018.geojson"
    if not path.exists():
        pytest.skip("needs the shared data: 03_admin_boundaries (set MADANG_SHARED_DATA)")
    run = command.run(path, authority.code, officer)
    assert (run.state, run.counts["districts"], run.counts["not_imported"]) == ("done", 19, 0)
    found = district_of(authority.code, Point(128.8893, 35.2284))
    assert found is not None
    assert (found.name_ko, found.code) == ("부원동", "3807053")


@pytest.mark.data
def test_real_topojson_is_refused_with_a_hint(authority: Authority, officer: Actor) -> None:
    path = DATA / "03_admin_boundaries" / "skorea-municipalities-2018-topo-simple.json"
    if not path.exists():
        pytest.skip("needs the shared data: 03_admin_boundaries (set MADANG_SHARED_DATA)")
    run = command.run(path, authority.code, officer)
    assert run.state == "refused"
    assert "mapshaper" in run.reason_en
