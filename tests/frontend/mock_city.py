"""A small made-up city in the words of the console's API, for the screen's tests: rows only, no server."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

Row = dict[str, Any]  # Any: JSON rows, whose shapes the contract names and the screen's own types check

LON, LAT = 128.8894, 35.2284
OPERATOR_RIGHTS = [
    "view_incident",
    "work_incident",
    "open_incident",
    "see_caller",
    "view_map",
    "request_grant",
    "view_live",
    "break_glass",
    "approve_grant",
    "revoke_grant",
    "send_signal",
    "shelve_signals",
    "keep_duty",
    "send_messages",
]
PEOPLE = {
    "operator": ("김하늘", OPERATOR_RIGHTS),
    "seer": ("김하늘", [right for right in OPERATOR_RIGHTS if right != "view_map"]),
    "auditor": ("정감사", ["read_audit"]),
    "officer": ("박도시", ["view_map", "import_data", "manage_cameras"]),
}
PASSWORD = "correct horse"
DISTRICTS = ["부원동", "내외동", "북부동", "활천동", "삼안동", "불암동", "회현동", "동상동", "칠산서부동", "장유1동"]
PURPOSES = ["crime_prevention", "traffic_information", "child_protection", "facility"]
HEALTHS = ["ok"] * 14 + ["degraded", "offline", "unknown"]


def instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _ago(**parts: float) -> str:
    return instant(datetime.now(UTC) - timedelta(**parts))


@dataclass
class City:
    """Everything the mock knows; the server changes it and tells the changes."""

    incidents: dict[str, Row] = field(default_factory=dict)
    grants: dict[str, Row] = field(default_factory=dict)
    tasks: dict[str, Row] = field(default_factory=dict)
    timelines: dict[str, list[Row]] = field(default_factory=dict)
    cameras: list[Row] = field(default_factory=list)
    feeds: dict[str, Row] = field(default_factory=dict)
    links: dict[str, Row] = field(default_factory=dict)


def offset(east_m: float, north_m: float) -> tuple[float, float]:
    return LON + east_m / (111_320 * math.cos(math.radians(LAT))), LAT + north_m / 111_320


def build() -> City:
    """A city with four open incidents, one of them without a place, one waiting for an approval."""
    city = City(cameras=_cameras())
    _incident(
        city, "i1", 42, "assault", "폭행", "Assault", 1, (120, 80), "김해시 부원동 가야로 12 앞 사거리", minutes=2
    )
    _incident(
        city, "i2", 41, "missing_person", "실종", "Missing person", 1, None, "수로왕릉 근처 편의점 골목", minutes=6
    )
    _incident(
        city,
        "i3",
        40,
        "traffic_accident",
        "교통사고",
        "Traffic accident",
        2,
        (-700, 300),
        "내외동 중앙로 87",
        minutes=21,
    )
    _incident(
        city, "i4", 39, "facility_fault", "시설물 고장", "Facility fault", 3, (900, -500), "활천동 12", minutes=64
    )
    _incident(
        city,
        "i5",
        38,
        "disturbance",
        "시비·소란",
        "Disturbance",
        2,
        (400, 900),
        "북부동 평전로 5",
        minutes=190,
        state="CLOSED",
    )
    city.incidents["i3"]["owner"] = {"id": "person:2", "name": "이야근"}
    city.incidents["i3"]["state"] = "ACTIVE"
    _grants(city)
    city.tasks["t1"] = {
        "id": "t1",
        "kind": "locate",
        "incident_id": "i2",
        "incident_number": city.incidents["i2"]["number"],
        "state": "open",
        "due_at": _ago(minutes=-3),
        "text_ko": "신고에 좌표가 없습니다. 장소를 정해 주십시오.",
        "text_en": "The call has no coordinates. Find the place.",
    }
    city.links = {
        "police112": {
            "name": "police112",
            "agency": {"code": "police", "name_ko": "김해중부경찰서"},
            "state": "up",
            "last_heard_at": _ago(seconds=3),
            "mode": "simulated",
        }
    }
    city.feeds = {
        "air": _feed("대기질", "mqtt", 12, 120),
        "rain": _feed("강우량", "mqtt", 30, 600),
        "traffic": _feed("교통량", "mqtt", 4000, 300),
    }
    return city


def _feed(name: str, kind: str, age_s: float, stale_after_s: int) -> Row:
    return {
        "name": name,
        "kind": kind,
        "last_at": _ago(seconds=age_s),
        "stale_after_s": stale_after_s,
        "count": 1834,
        "rejects": 2 if stale_after_s > 200 else 0,
    }


def _incident(
    city: City,
    key: str,
    number: int,
    code: str,
    ko: str,
    en: str,
    priority: int,
    at: tuple[float, float] | None,
    address: str,
    *,
    minutes: float,
    state: str = "NEW",
) -> None:
    lon, lat = offset(*at) if at else (None, None)
    row = {
        "id": key,
        "number": f"2026-{number:06d}",
        "version": 1,
        "mode": "simulated",
        "authority": "48250",
        "source": "police112",
        "agency": {"code": "police", "name_ko": "김해중부경찰서"},
        "call_no": f"112-{number}",
        "class_code": code,
        "class_ko": ko,
        "class_en": en,
        "priority": priority,
        "state": state,
        "place": {
            "state": "located" if at else "unlocated",
            "lon": lon,
            "lat": lat,
            "accuracy_m": 60 if at else None,
            "address": address,
            "district": "부원동" if at else None,
        },
        "candidates": [] if at else _candidates(),
        "owner": None,
        "opened_at": _ago(minutes=minutes),
        "updated_at": _ago(minutes=minutes / 2),
        "closed_at": _ago(minutes=5) if state == "CLOSED" else None,
        "note": f"{address}에서 {ko} 신고. 남성 두 명, 검은 옷.",
        "cameras_offered": 12 if at else 0,
        "pending_grants": 0,
    }
    city.incidents[key] = row
    city.timelines[key] = [
        _entry(1, minutes, "김해중부경찰서", "opened", "112 신고로 접수", "Opened by a 112 call"),
        _entry(2, minutes - 0.1, "마당", "offered", "카메라 12대를 찾음", "12 cameras found"),
    ]


def _entry(seq: int, minutes: float, actor: str, kind: str, ko: str, en: str) -> Row:
    return {"seq": seq, "at": _ago(minutes=minutes), "actor": actor, "kind": kind, "text_ko": ko, "text_en": en}


def _candidates() -> list[Row]:
    spots = [("서상동 수로왕릉 (가락로93번길 26)", -500, 250, 0.86), ("서상동 수로왕릉길 편의점", -430, 190, 0.61)]
    return [
        {"label": label, "lon": offset(e, n)[0], "lat": offset(e, n)[1], "score": score, "kind": "address"}
        for label, e, n, score in spots
    ]


def _grants(city: City) -> None:
    waiting = grant_row("g1", city.incidents["i1"], "PENDING_HUMAN", ["c1", "c2", "c3"])
    running = grant_row("g2", city.incidents["i1"], "APPROVED", [camera["id"] for camera in city.cameras[:12]])
    running["recipient"] = {"kind": "control_room", "code": "48250", "name_ko": "김해시 통합관제센터"}
    running["expires_at"] = instant(datetime.now(UTC) + timedelta(minutes=27))
    city.grants = {"g1": waiting, "g2": running}
    city.incidents["i1"]["pending_grants"] = 1


def grant_row(key: str, incident: Row, state: str, cameras: list[str]) -> Row:
    return {
        "id": key,
        "incident_id": incident["id"],
        "incident_number": incident["number"],
        "case_id": f"case-{incident['id']}",
        "state": state,
        "kind": "case",
        "recipient": {"kind": "agency", "code": "police", "name_ko": "김해중부경찰서"},
        "rights": ["live"],
        "camera_ids": cameras,
        "basis": "pipa_18_2_3",
        "basis_ko": "급박한 생명·신체·재산의 이익",
        "purpose": "112 긴급영상 지원",
        "requested_at": _ago(minutes=1),
        "decided_at": None,
        "not_before": None,
        "expires_at": None,
        "decided_by": None,
        "rule": "police-2026-1",
        "reason": None,
        "version": 1,
        "viewers": 0,
        "requested_by": "agency:police",
    }


def _cameras() -> list[Row]:
    rows = []
    for index in range(220):
        turn = index * 2.399963
        radius = 45 + 38 * math.sqrt(index) * (1 + index / 60)
        lon, lat = offset(120 + radius * math.cos(turn), 80 + radius * math.sin(turn))
        rows.append(
            {
                "id": f"c{index + 1}",
                "lon": lon,
                "lat": lat,
                "azimuth_deg": None if index % 5 == 4 else round(math.degrees(turn) + 190) % 360,
                "hfov_deg": 74,
                "range_m": 70,
                "health": HEALTHS[(index * 7) % len(HEALTHS)],
                "purpose": PURPOSES[index % 4],
                "ptz": index % 6 == 0,
                "label": f"{DISTRICTS[index % len(DISTRICTS)]} 방범 {index + 1:03d}-1",
                "site_id": f"s{index + 1}",
            }
        )
    rows[8]["lon"], rows[8]["lat"] = rows[7]["lon"], rows[7]["lat"]
    return rows


def ranked(city: City, lon: float, lat: float, count: int, granted: str | None) -> list[Row]:
    """The nearest cameras as the server would rank them."""
    metres = 111_320 * math.cos(math.radians(LAT))

    def away(row: Row) -> tuple[float, float]:
        return (row["lon"] - lon) * metres, (row["lat"] - lat) * 111_320

    near = sorted(city.cameras, key=lambda row: math.hypot(*away(row)))[:count]
    return [_ranked_row(row, *away(row), index, granted) for index, row in enumerate(near)]


def _ranked_row(row: Row, east: float, north: float, index: int, granted: str | None) -> Row:
    distance = math.hypot(east, north)
    sees = "unknown" if row["azimuth_deg"] is None else ("yes" if distance < 90 else "no")
    return {
        **copy.deepcopy(row),
        "distance_m": round(distance, 1),
        "bearing_deg": round(math.degrees(math.atan2(east, north)) % 360, 1),
        "sees": sees,
        "dori": "recognise" if distance < 60 else "observe",
        "health_at": _ago(seconds=30),
        "score": round(1 - index / 30, 3),
        "grant_id": granted,
        "reasons": [{"ko": "현장을 향함" if sees == "yes" else "가까움", "en": "faces the place"}],
    }


def basemap() -> Row:
    """Streets on a grid, a river, a park, houses and the names of districts."""
    return {
        "boundaries": _collection([_polygon(-4200, -3600, 4200, 3600, name="김해시", code="48250")]),
        "parks": _collection([_polygon(-1500, -900, -900, -300, name="수릉원", rank=0)]),
        "water": _collection([_polygon(-4000, -2100, 4000, -1800, name="해반천", rank=0)]),
        "roads": _collection([_street(index, along) for index in range(-10, 11) for along in (True, False)]),
        "buildings": _collection([_house(x, y) for x in range(-12, 12) for y in range(-9, 9)]),
        "labels": _collection(
            [
                _point(*offset(-2400 + 1200 * (i % 5), -900 + 1800 * (i // 5)), name=name, rank=0)
                for i, name in enumerate(DISTRICTS)
            ]
        ),
        "rev": "mock-1",
    }


def _collection(features: list[Row]) -> Row:
    return {"type": "FeatureCollection", "features": features}


def _feature(kind: str, coordinates: object, **properties: object) -> Row:
    return {"type": "Feature", "properties": properties, "geometry": {"type": kind, "coordinates": coordinates}}


def _point(lon: float, lat: float, **properties: object) -> Row:
    return _feature("Point", [lon, lat], **properties)


def _polygon(west: float, south: float, east: float, north: float, **properties: object) -> Row:
    corners = [(west, south), (east, south), (east, north), (west, north), (west, south)]
    return _feature("Polygon", [[list(offset(*corner)) for corner in corners]], **properties)


def _street(index: int, along: bool) -> Row:
    at = index * 330
    line = [(-3600, at), (3600, at)] if along else [(at, -3300), (at, 3300)]
    name = f"{'가야로' if along else '분성로'}{abs(index) * 10 or ''}"
    return _feature("LineString", [list(offset(*point)) for point in line], name=name, rank=0 if index % 4 == 0 else 1)


def _house(x: int, y: int) -> Row:
    west, south = x * 330 + 40 + (x * y) % 5 * 9, y * 330 + 40 + (x + y) % 4 * 11
    return _polygon(west, south, west + 110 + (x % 3) * 30, south + 90 + (y % 3) * 34, name="", rank=0)
