"""What importing OpenStreetMap promises: a city's ground, tiles and names; damaged and hostile files refused."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mapbox_vector_tile
import osmium
import pytest
from pmtiles.reader import MmapSource, Reader
from pmtiles.tile import tileid_to_zxy

from madang.connectors.osm import command, tags
from madang.connectors.osm.read import form_of
from madang.identity.rights import Actor, ActorKind, Role
from madang.journal import civic
from madang.kernel.geometry import Point
from madang.places import files, reverse
from madang.places.commands import BoundaryRow, put_boundaries
from madang.places.config import PlacesConfig
from madang.places.domain import FileRefusedError
from madang.places.files import Part
from madang.places.geocode import candidates
from madang.places.ground import buildings_near, ground_of
from madang.places.models import BaseKind, ImportIssue

if TYPE_CHECKING:
    from pytest_django import Settings

    from madang.identity.models import Authority

WEST, SOUTH = 128.88, 35.23


@pytest.fixture(autouse=True)
def _state(settings: Settings, tmp_path: Path) -> None:
    settings.BASE_DIR = tmp_path / "state"
    settings.MADANG_PLACES = PlacesConfig()


@pytest.fixture
def officer(authority: Authority) -> Actor:
    return Actor("person:1", ActorKind.PERSON, "담당", {authority.code: frozenset({Role.CITY_OFFICER})})


class Town:
    """A few blocks as OpenStreetMap has them."""

    def __init__(self, west: float = WEST, south: float = SOUTH) -> None:
        self.west, self.south = west, south
        self.nodes: list[tuple[int, tuple[float, float], dict[str, str]]] = []
        self.ways: list[tuple[int, list[int], dict[str, str]]] = []
        self.relations: list[tuple[int, list[tuple[str, int, str]], dict[str, str]]] = []

    def node(self, x: float, y: float, **said: str) -> int:
        self.nodes.append((len(self.nodes) + 1, (self.west + x / 1e5, self.south + y / 1e5), said))
        return len(self.nodes)

    def way(self, *spots: tuple[float, float], **said: str) -> int:
        refs = [self.node(x, y) for x, y in spots]
        self.ways.append((len(self.ways) + 1, refs, said))
        return len(self.ways)

    def area(self, x: float, y: float, size: float, **said: str) -> int:
        way = self.way((x, y), (x + size, y), (x + size, y + size), (x, y + size), **said)
        refs = self.ways[-1][1]
        refs.append(refs[0])
        return way

    def write(self, path: Path) -> Path:
        """Writes the town in the form the name ends with."""
        path.unlink(missing_ok=True)
        writer = osmium.SimpleWriter(str(path))
        for at, place, said in self.nodes:
            writer.add_node(osmium.osm.mutable.Node(id=at, location=place, tags=said, version=1))
        for at, refs, said in self.ways:
            writer.add_way(osmium.osm.mutable.Way(id=at, nodes=refs, tags=said, version=1))
        for at, members, said in self.relations:
            writer.add_relation(osmium.osm.mutable.Relation(id=at, members=members, tags=said, version=1))
        writer.close()
        return path


def town(**at: float) -> Town:
    made = Town(**at)
    made.way((0, 0), (400, 0), (800, 20), highway="primary", **{"name": "가온대로", "name:en": "Gaon-daero"})
    made.way((200, -300), (200, 300), highway="residential", name="누리길")
    made.way((0, 200), (600, 200), highway="footway")
    made.way((0, -250), (900, -250), railway="rail", name="경전선")
    made.way((0, 420), (900, 420), waterway="river", name="해반천")
    made.area(100, 40, 60, **{"building": "yes", "building:levels": "4", "name": "가온빌딩"})
    made.area(300, 40, 40, building="apartments", height="45 m")
    made.area(500, 60, 120, leisure="park", name="연지새공원")
    outer, inner = made.area(650, 250, 100, note="o"), made.area(680, 280, 30, note="i")
    made.relations.append(
        (1, [("w", outer, "outer"), ("w", inner, "inner")], {"type": "multipolygon", "natural": "water"})
    )
    made.node(250, 60, amenity="townhall", name="가온시청")
    made.node(350, 90, shop="convenience", name="새벽편의점")
    made.node(400, 100, place="suburb", name="가람동")
    made.node(10, 10, highway="crossing")
    return made


@pytest.mark.parametrize("suffix", ["osm.pbf", "osm", "osm.opl"])
def test_roads_buildings_water_and_places_are_read_from_every_form(
    tmp_path: Path, authority: Authority, officer: Actor, suffix: str
) -> None:
    path = town().write(tmp_path / f"town.{suffix}")
    run = command.run(path, authority.code, officer)
    if suffix == "osm.opl":
        assert run.state == "refused"
        return
    assert (run.state, run.reason_en) == ("done", "")
    counts = {kind: run.counts[kind] for kind in ("road", "building", "water", "park", "label")}
    assert counts == {"road": 4, "building": 2, "water": 2, "park": 1, "label": 3}
    assert run.counts["tiles"] > 0


def test_a_lake_keeps_its_island(tmp_path: Path, authority: Authority, officer: Actor) -> None:
    command.run(town().write(tmp_path / "town.osm.pbf"), authority.code, officer)
    ground = ground_of(authority.code)
    assert ground is not None
    lakes = [one for one in ground.in_box(ground.box, (BaseKind.WATER,)) if one.cls == "water"]
    assert len(lakes) == 1
    assert len(lakes[0].shape.geoms[0].interiors) == 1


def test_tiles_hold_korean_names_and_classes(tmp_path: Path, authority: Authority, officer: Actor) -> None:
    command.run(town().write(tmp_path / "town.osm.pbf"), authority.code, officer)
    published = files.current(authority.code, Part.TILES)
    assert published is not None
    drawn: dict[str, list[dict[str, Any]]] = {}
    zooms = set()
    with published.path.open("rb") as file:
        reader = Reader(MmapSource(file))
        header = reader.header()
        for zoom, x, y, raw in every_tile(reader, header["min_zoom"], header["max_zoom"]):
            zooms.add(zoom)
            for name, layer in mapbox_vector_tile.decode(gzip.decompress(raw)).items():
                drawn.setdefault(name, []).extend(feature["properties"] for feature in layer["features"])
            assert (x, y) >= (0, 0)
    assert max(zooms) == 14
    assert {(row["class"], row.get("name")) for row in drawn["road"]} >= {("primary", "가온대로"), ("rail", "경전선")}
    assert {row.get("height") for row in drawn["building"]} == {12.0, 45.0}
    assert {row["name"] for row in drawn["label"]} == {"가온시청", "새벽편의점", "가람동"}
    assert drawn["road"][0]["name_en"] == "Gaon-daero"


def every_tile(reader: Any, low: int, high: int) -> list[tuple[int, int, int, bytes]]:
    from madang.places.tiles import _covering

    box = (WEST - 0.01, SOUTH - 0.01, WEST + 0.02, SOUTH + 0.01)
    found = []
    for zoom in range(low, high + 1):
        for x, y in _covering(box, zoom):
            raw = reader.get(zoom, x, y)
            if raw is not None:
                found.append((zoom, x, y, raw))
    assert tileid_to_zxy(0) == (0, 0, 0)
    return found


def test_names_are_searched_and_points_described(tmp_path: Path, authority: Authority, officer: Actor) -> None:
    command.run(town().write(tmp_path / "town.osm.pbf"), authority.code, officer)
    best = candidates(authority.code, "가온 시청 앞")[0]
    assert best.label == "가온시청"
    said = reverse.describe(authority.code, Point(WEST + 260 / 1e5, SOUTH + 8 / 1e5))
    assert said.road is not None
    assert (said.road.name, said.road.side_ko) == ("가온대로", "북쪽")
    assert said.landmarks[0].name == "가온시청"
    assert said.landmarks[0].wind_ko == "남쪽"
    assert len(buildings_near(authority.code, (WEST, SOUTH, WEST + 0.01, SOUTH + 0.01))) == 2


def test_what_is_far_outside_the_city_is_left_out(tmp_path: Path, authority: Authority, officer: Actor) -> None:
    ring = [[127.0, 37.5], [127.1, 37.5], [127.1, 37.6], [127.0, 37.6], [127.0, 37.5]]
    with civic.transaction() as tx:
        shape = {"type": "Polygon", "coordinates": [ring]}
        put_boundaries(tx, authority.code, [BoundaryRow("1", "먼동", "", shape, (127.0, 37.5, 127.1, 37.6))])
    run = command.run(town().write(tmp_path / "town.osm.pbf"), authority.code, officer)
    assert run.state == "refused"
    assert "outside" in run.reason_en
    assert files.current(authority.code, Part.GROUND) is None


def test_exchanged_coordinates_are_refused_and_named(tmp_path: Path, authority: Authority, officer: Actor) -> None:
    path = town(west=SOUTH, south=WEST - 90).write(tmp_path / "town.osm.pbf")
    run = command.run(path, authority.code, officer)
    assert run.state == "refused"


def test_a_truncated_file_is_refused_and_the_map_before_stays(
    tmp_path: Path, authority: Authority, officer: Actor
) -> None:
    path = town().write(tmp_path / "town.osm.pbf")
    command.run(path, authority.code, officer)
    before = files.current(authority.code, Part.GROUND)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    run = command.run(path, authority.code, officer)
    assert run.state == "refused"
    assert "truncated" in run.reason_en
    assert files.current(authority.code, Part.GROUND) == before


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00\x00\x00\x0d\x0a\x09OSMHeader rubbish",
        b"PK\x03\x04",
        b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY x 'y'>]><osm>&x;&x;</osm>",
        b"<?xml version='1.0'?><gpx/>",
        b'{"type":"Topology"}',
        b"just words",
    ],
)
def test_what_is_no_map_is_refused_with_a_reason(
    tmp_path: Path, authority: Authority, officer: Actor, content: bytes
) -> None:
    path = tmp_path / "map.bin"
    path.write_bytes(content)
    run = command.run(path, authority.code, officer)
    assert run.state == "refused"
    assert run.reason_ko


def test_geojson_with_openstreetmap_tags_gives_the_same_kinds(
    tmp_path: Path, authority: Authority, officer: Actor
) -> None:
    line = {"type": "LineString", "coordinates": [[WEST, SOUTH], [WEST + 0.01, SOUTH]]}
    ring = [[WEST, SOUTH], [WEST + 0.001, SOUTH], [WEST + 0.001, SOUTH + 0.001], [WEST, SOUTH + 0.001], [WEST, SOUTH]]
    features = [
        {"type": "Feature", "properties": {"highway": "trunk", "name": "가온대로"}, "geometry": line},
        {"type": "Feature", "properties": {"building": "yes"}, "geometry": {"type": "Polygon", "coordinates": [ring]}},
        {"type": "Feature", "properties": {"building": "yes"}, "geometry": {"type": "Polygon", "coordinates": [[]]}},
        {"type": "Feature", "properties": {"highway": "trunk"}, "geometry": None},
    ]
    path = tmp_path / "map.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False))
    run = command.run(path, authority.code, officer)
    assert (run.state, run.counts["road"], run.counts["building"]) == ("done", 1, 1)
    assert ImportIssue.objects.filter(run=run).count() == 2


def test_a_way_whose_nodes_are_missing_is_told_and_the_rest_is_taken(
    tmp_path: Path, authority: Authority, officer: Actor
) -> None:
    made = town()
    made.ways.append((99, [90_001, 90_002], {"highway": "primary"}))
    run = command.run(made.write(tmp_path / "town.osm.pbf"), authority.code, officer)
    assert (run.state, run.counts["road"]) == ("done", 4)
    assert list(ImportIssue.objects.filter(run=run).values_list("code", flat=True)) == ["broken_shape"]


@pytest.mark.parametrize(
    ("said", "metres"),
    [
        ({"height": "45 m"}, 45.0),
        ({"height": "45"}, 45.0),
        ({"building:levels": "4"}, 12.0),
        ({"height": "tall"}, 0.0),
        ({"height": "99999"}, 700.0),
        ({}, 0.0),
    ],
)
def test_heights_are_read_as_people_write_them(said: dict[str, str], metres: float) -> None:
    assert tags.height_of(said) == metres


def test_names_are_composed_and_without_control_letters() -> None:
    assert tags.name_of({"name": "\u1100\u1161\u110b\u1169\u11ab\u0000 시청 "}) == "가온 시청"


def test_forms_are_told_by_content_not_by_name(tmp_path: Path) -> None:
    path = tmp_path / "anything"
    path.write_bytes(b"\xef\xbb\xbf{}")
    assert form_of(path) == "geojson"
    path.write_bytes(b"%PDF-1.7")
    with pytest.raises(FileRefusedError):
        form_of(path)
