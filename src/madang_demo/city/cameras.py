"""Where cameras stand and look: at crossings, schools, parks and on trunk roads; and the file a city would publish."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import shapely

from madang_demo.city.ground import to_degrees
from madang_demo.city.streets import heading_deg

if TYPE_CHECKING:
    from numpy.random import Generator

    from madang_demo.city.buildings import Address, Building, Landmark, Park
    from madang_demo.city.ground import District
    from madang_demo.city.streets import Street

CAMERAS = 1_200
AGENCY_CODE = "9990000"
AGENCY = "김해시(모의)"
AGENCY_OTHERWISE = "김해시청(모의)"
"""The same agency as another clerk spells it: real files do that."""
HEADER = (
    "개방자치단체코드,관리번호,관리기관명,소재지도로명주소,소재지지번주소,설치목적구분,카메라대수,카메라화소수,촬영방면정보,"
    "보관일수,설치연월,관리기관전화번호,WGS84위도,WGS84경도,데이터기준일자,데이터갱신구분,데이터갱신시점,최종수정시점"
)
"""The columns of the 2026 edition of the national standard."""
SURVEYED_ON = "2026-05-12"


@dataclass(frozen=True, slots=True)
class Camera:
    """One surveyed camera of a site. `stream` is its number in the camera farm."""

    number: int
    azimuth_deg: float
    hfov_deg: float
    range_m: float
    height_m: float
    ptz: bool
    stream: int


@dataclass(frozen=True, slots=True)
class Site:
    """A pole with cameras, in metres."""

    number: str
    x: float
    y: float
    purpose: str
    district: District
    road_address: str
    lot_address: str
    cameras: tuple[Camera, ...]


@dataclass(frozen=True, slots=True)
class _Spot:
    x: float
    y: float
    purpose: str
    district: District
    headings: tuple[float, ...]


def place(
    rng: Generator, streets: list[Street], landmarks: list[Landmark], parks: list[Park], buildings: list[Building]
) -> list[Site]:
    """Exactly `CAMERAS` cameras at sites; each address is that of the nearest building."""
    spots = [*_at_places(rng, landmarks, parks), *_on_trunks(rng, streets), *_at_crossings(rng, streets)]
    nearest = _NearestAddress(buildings)
    sites: list[Site] = []
    streams = 0
    for spot in spots:
        if streams == CAMERAS:
            break
        count = min(int(rng.choice((1, 1, 2, 2, 3, 4))), CAMERAS - streams)
        cameras = tuple(_camera(rng, spot, n, streams + n - 1) for n in range(1, count + 1))
        streams += count
        near = nearest.to(spot)
        number = f"GH-{len(sites) + 1:04}"
        sites.append(Site(number, spot.x, spot.y, spot.purpose, spot.district, near.road, near.lot, cameras))
    return sites


class _NearestAddress:
    """The address a clerk would write down for a pole: the nearest one in its district."""

    def __init__(self, buildings: list[Building]) -> None:
        self._by_district: dict[str, list[Address]] = {}
        for building in buildings:
            self._by_district.setdefault(building.address.district.name, []).append(building.address)
        self._trees = {
            name: shapely.STRtree([shapely.Point(each.x, each.y) for each in addresses])
            for name, addresses in self._by_district.items()
        }

    def to(self, spot: _Spot) -> Address:
        """The address nearest to a spot."""
        name = spot.district.name
        return self._by_district[name][int(self._trees[name].nearest(shapely.Point(spot.x, spot.y)))]


def _camera(rng: Generator, spot: _Spot, number: int, stream: int) -> Camera:
    """Each camera of a site looks along another road of it."""
    heading = spot.headings[(number - 1) % len(spot.headings)] + float(rng.normal(0, 8))
    ptz = number == 1 and rng.random() < 0.2
    hfov = float(rng.choice((58.0, 72.0, 86.0, 98.0)))
    reach = float(rng.uniform(110, 180)) if ptz else float(rng.uniform(45, 95))
    return Camera(
        number, round(heading % 360, 1), hfov, round(reach, 1), round(float(rng.uniform(4.2, 7.5)), 1), ptz, stream
    )


def _at_places(rng: Generator, landmarks: list[Landmark], parks: list[Park]) -> list[_Spot]:
    spots = []
    for landmark in landmarks:
        purpose = "어린이보호" if landmark.name.endswith("학교") else "다목적"
        turn = float(rng.uniform(0, 360))
        headings = (turn, turn + 120, turn + 240)
        spots.append(_Spot(landmark.x - 12, landmark.y - 14, purpose, landmark.district, headings))
    districts = {landmark.district.name: landmark.district for landmark in landmarks}
    for park in parks:
        middle = park.shape.representative_point()
        near = min(districts.values(), key=lambda each: each.shape.distance(middle))
        spots.append(_Spot(middle.x, middle.y, "다목적", near, (30.0, 150.0, 270.0)))
    return spots


def _on_trunks(rng: Generator, streets: list[Street]) -> list[_Spot]:
    """Traffic cameras every kilometre or two, looking both ways."""
    spots = []
    for street in streets:
        if street.rank:
            continue
        at = float(rng.uniform(300, 700))
        while at < street.line.length - 200:
            point, heading = street.line.interpolate(at), heading_deg(street, at)
            purpose = str(rng.choice(("교통정보수집", "교통단속", "차량방범")))
            spots.append(_Spot(point.x + 9, point.y + 9, purpose, street.district, (heading, heading + 180)))
            at += float(rng.uniform(1_000, 1_900))
    return spots


def _at_crossings(rng: Generator, streets: list[Street]) -> list[_Spot]:
    """Corners where a main and a side street meet, the middle of the city first."""
    spots = []
    mains = [street for street in streets if street.rank == 1]
    tree = shapely.STRtree([street.line for street in mains])
    for side in (street for street in streets if street.rank == 2):
        for at in sorted(tree.query(side.line, predicate="intersects")):
            main = mains[int(at)]
            for point in _points(side.line.intersection(main.line)):
                along = heading_deg(main, main.line.project(point))
                across = heading_deg(side, side.line.project(point))
                headings = (along, across, along + 180, across + 180)
                purpose = str(rng.choice(("생활방범", "생활방범", "생활방범", "다목적", "쓰레기단속", "시설물관리")))
                spots.append(_Spot(point.x + 5, point.y + 5, purpose, side.district, headings))
    order = rng.permutation(len(spots))
    mixed = [spots[int(at)] for at in order]
    return sorted(mixed, key=lambda spot: -spot.district.seed.urban * rng.uniform(0.3, 1))


def _points(cut: Any) -> list[Any]:  # Any: shapely
    return [part for part in shapely.get_parts(cut) if part.geom_type == "Point"]


def survey(sites: list[Site]) -> list[dict[str, object]]:
    """What a surveyor wrote down of each camera."""
    return [
        {
            "agency_code": AGENCY_CODE,
            "site_number": site.number,
            "camera": camera.number,
            "azimuth_deg": camera.azimuth_deg,
            "hfov_deg": camera.hfov_deg,
            "range_m": camera.range_m,
            "height_m": camera.height_m,
            "ptz": camera.ptz,
            "surveyed_on": SURVEYED_ON,
            "stream": camera.stream,
        }
        for site in sites
        for camera in site.cameras
    ]


def standard_csv(rng: Generator, sites: list[Site]) -> bytes:
    """The sites in the 2026 layout of the national standard, CP949 and CRLF, with a city's usual dirt."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(HEADER.split(","))
    for site in sites:
        writer.writerow(_row(rng, site))
    for row in _faulty(rng, sites):
        writer.writerow(row)
    return text.getvalue().encode("cp949")


def _row(rng: Generator, site: Site) -> list[str]:
    lon, lat = to_degrees(site.x, site.y)
    turning = any(camera.ptz for camera in site.cameras)
    direction = "회전" if turning else str(rng.choice(("고정", "360도 전방면", "", "")))
    return [
        AGENCY_CODE,
        site.number,
        AGENCY if rng.random() < 0.94 else AGENCY_OTHERWISE,
        site.road_address if rng.random() < 0.97 else site.road_address.replace("경상남도 ", ""),
        site.lot_address if rng.random() < 0.8 else "",
        site.purpose if rng.random() < 0.985 else "방범(어린이보호구역)",
        str(len(site.cameras)),
        str(rng.choice(("200", "200", "200", "400", "130"))),
        direction,
        "30",
        f"{rng.integers(2012, 2026)}-{rng.integers(1, 13):02}" if rng.random() < 0.9 else "",
        "055-000-0112",
        f"{lat:.7f}",
        f"{lon:.7f}",
        "2026-06-30" if rng.random() < 0.95 else "20260630",
        "I",
        "2026-07-01 02:00:00",
        "2026-07-01 02:00:00",
    ]


def _faulty(rng: Generator, sites: list[Site]) -> list[list[str]]:
    """Rows as they go wrong in every real file: bad places, unknown purposes, wrong counts, a row without its end."""
    plain = [_row(rng, replace(site, number=f"GH-9{at:03}")) for at, site in enumerate(sites[:9])]
    zero, swapped, far, empty, purpose, none, many, short, repeated = plain
    zero[12:14] = ["0", "0"]
    swapped[12], swapped[13] = swapped[13], swapped[12]
    far[12:14] = ["37.5665000", "126.9780000"]
    empty[12:14] = ["", ""]
    purpose[5] = "우주관측"
    none[6] = "0"
    many[6] = "9999"
    return [zero, swapped, far, empty, purpose, none, many, short[:9], repeated, list(repeated)]
