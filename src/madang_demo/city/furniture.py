"""What else stands in the street: safety bells as the standard file lists them, lights and smart shelters, vendors."""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta
from typing import TYPE_CHECKING

from madang_demo.city.cameras import AGENCY, AGENCY_CODE
from madang_demo.city.ground import to_degrees

if TYPE_CHECKING:
    from numpy.random import Generator

    from madang_demo.city.buildings import Building, Landmark, Park
    from madang_demo.city.cameras import Site

BELLS, LIGHTS, SHELTERS = 180, 260, 9
SPEAKING_BELLS = 24
"""The first so many bells send a heartbeat."""
VENDORS = ("한빛통신(모의)", "큰눈시스템(모의)", "새길정보(모의)")
LAMP_MAKERS = ("밝은빛(모의)", "등대조명(모의)")
DATA_DATE = date(2026, 9, 30)
HEADER = (
    "개방자치단체코드,안전비상벨관리번호,설치목적,설치장소유형,설치위치,소재지도로명주소,소재지지번주소,WGS84위도,WGS84경도,"
    "연계방식,경찰연계유무,경비업체연계유무,관리사무소연계유무,부가기능,안전비상벨설치연도,최종점검일자,최종점검결과구분,"
    "관리기관명,관리기관전화번호,데이터기준일자,제조사"
)
"""The columns of the national standard, and the maker, which this city adds."""


def bells_csv(rng: Generator, sites: list[Site]) -> bytes:
    """Bells on the poles of some camera sites, in CP949 as cities publish them, with the usual dirt."""
    chosen = [sites[int(at)] for at in rng.choice(len(sites), BELLS, replace=False)]
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(HEADER.split(","))
    for number, site in enumerate(chosen, start=1):
        writer.writerow(_bell(rng, number, site))
    return text.getvalue().encode("cp949")


def speaking_bells(csv_file: bytes) -> list[dict[str, object]]:
    """The bells that send a heartbeat, as the broker knows them."""
    rows = list(csv.DictReader(io.StringIO(csv_file.decode("cp949"), newline="")))[:SPEAKING_BELLS]
    return [
        {
            "id": row["안전비상벨관리번호"],
            "agency": row["개방자치단체코드"],
            "lon": float(row["WGS84경도"]),
            "lat": float(row["WGS84위도"]),
        }
        for row in rows
    ]


def _bell(rng: Generator, number: int, site: Site) -> list[object]:
    lon, lat = to_degrees(site.x + 1.5, site.y)
    linked = rng.random() < 0.8
    inspected = DATA_DATE - timedelta(days=int(rng.integers(5, 150)))
    place = rng.choice(("공원", "가로변", "화장실"), p=(0.25, 0.65, 0.1))
    shown = "99" if number % 45 == 0 else f"{site.district.name} {site.number} 폴대"
    return [
        AGENCY_CODE,
        f"BELL-{number:03}",
        "방범용",
        place,
        shown,
        site.road_address,
        site.lot_address,
        f"{lat:.6f}",
        f"{lon:.6f}",
        "미연계" if number % 60 == 0 else "양방향",
        "Y" if linked else "N",
        "N",
        "N",
        "CCTV+경보음",
        int(rng.integers(2016, 2026)),
        "" if number % 50 == 0 else inspected.isoformat(),
        "N" if number % 40 == 0 else "Y",
        AGENCY,
        "055-330-0000",
        DATA_DATE.isoformat(),
        VENDORS[number % len(VENDORS)],
    ]


def standing(
    rng: Generator, buildings: list[Building], parks: list[Park], landmarks: list[Landmark]
) -> list[dict[str, object]]:
    """Street lights and smart shelters, as the city's own list of facilities."""
    found: list[dict[str, object]] = []
    for number, at in enumerate(rng.choice(len(buildings), LIGHTS, replace=False), start=1):
        address = buildings[int(at)].address
        maker = LAMP_MAKERS[number % len(LAMP_MAKERS)]
        found.append(
            _thing("light", f"LAMP-{number:04}", f"보안등 {number}", address.x, address.y, address.road, maker)
        )
    places = [(park.name, park.shape.centroid.x, park.shape.centroid.y) for park in parks]
    places += [(landmark.name, landmark.x, landmark.y) for landmark in landmarks]
    for number, (name, x, y) in enumerate(places[:SHELTERS], start=1):
        found.append(_thing("shelter", f"SHELTER-{number:02}", f"{name} 스마트쉼터", x, y, "", VENDORS[number % 3]))
    return found


def _thing(kind: str, key: str, name: str, x: float, y: float, address: str, vendor: str) -> dict[str, object]:
    lon, lat = to_degrees(x, y)
    return {
        "kind": kind,
        "source_key": key,
        "name": f"{name}(모의)",
        "lon": round(lon, 6),
        "lat": round(lat, 6),
        "address": address,
        "vendor": vendor,
    }
