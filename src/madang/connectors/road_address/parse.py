"""From a row of a national file to an address, its position or its further lot; or what is wrong with the row."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from madang.connectors.road_address.layouts import ABOLISHED, Holds, Layout
from madang.kernel.geometry import in_korea
from madang.places.domain import Fault, Issue, Level
from madang.places.staging import Entrance, FurtherLot, Key, Named

BAD_COLUMNS = Fault(
    "bad_columns",
    Level.ERROR,
    "열이 {value}개입니다. 이 파일은 {column}개여야 합니다.",
    "The row has {value} columns instead of {column}.",
)
BAD_BYTES = Fault("bad_bytes", Level.ERROR, "글자로 읽을 수 없는 행입니다.", "The bytes of this row are no text.")
BAD_NUMBER = Fault(
    "bad_number", Level.ERROR, "{column}을(를) 읽을 수 없습니다: {value}", "{column} cannot be read: {value}"
)
BAD_NAME = Fault(
    "bad_name", Level.ERROR, "{column}이(가) 한글 이름이 아닙니다: {value}", "{column} is no Korean name: {value}"
)
SWAPPED = Fault(
    "swapped",
    Level.WARNING,
    "X좌표와 Y좌표가 바뀌어 바로잡았습니다: {value}",
    "X and Y were exchanged; put right: {value}",
)
BAD_PLACE = Fault(
    "bad_coordinate",
    Level.ERROR,
    "{crs} 좌표가 아닙니다: {value}",
    "Not a coordinate in {crs}: {value}",
)
UTM_K = "EPSG:5179"
"""What the national files are in; another system must be stated (`places.address_crs`)."""

EAST_M, NORTH_M = (680_000.0, 1_420_000.0), (1_425_000.0, 2_150_000.0)
"""Where South Korea lies in UTM-K, metres: no value is possible on both axes."""


@dataclass(frozen=True, slots=True)
class Spot:
    """An entrance before its metres are made degrees."""

    row_number: int
    key: Key
    province: str
    town: str
    emd: str
    road: str
    building: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Gone:
    """An address that was abolished."""

    key: Key


@dataclass(frozen=True, slots=True)
class Unplaced:
    """An entrance whose position is not published."""


Parsed = Named | Spot | FurtherLot | Gone | Unplaced


def parse(
    number: int,
    values: Sequence[str],
    layout: Layout,
    places: Mapping[str, int],
    issues: list[Issue],
    crs: str = UTM_K,
) -> Parsed | None:
    """What a row says, its metres in `crs`; None with an issue for a bad one."""

    def of(name: str) -> str:
        at = places.get(name)
        return "" if at is None else values[at].strip()

    key = _key(number, of("road_code"), of("basement"), of("main"), of("sub"), issues)
    if key is None:
        return None
    if of("change") == ABOLISHED:
        return Gone(key)
    texts = {name: clean(of(name)) for name in ("province", "town", "emd", "ri", "road", "building", "building_2")}
    if layout.holds is not Holds.LOTS and not _is_name(texts["road"]):
        issues.append(BAD_NAME.at(number, "도로명", texts["road"]))
        return None
    if layout.holds is Holds.ENTRANCES:
        return _spot(number, key, texts, of("x"), of("y"), issues, crs)
    lot = _lot(number, of("hill"), of("lot_main"), of("lot_sub"), issues)
    if lot is None:
        return None
    if layout.holds is Holds.LOTS:
        return FurtherLot(key, texts["emd"], texts["ri"], *lot)
    building = texts["building"] or texts["building_2"]
    return Named(key, texts["province"], texts["town"], texts["emd"], texts["ri"], texts["road"], *lot, building)


def clean(text: str) -> str:
    """Composed Hangul without control letters, cut to what a name may have."""
    if text.isascii() and text.isprintable():
        return text[:80]
    return "".join(one for one in unicodedata.normalize("NFC", text) if one.isprintable())[:80]


def _is_name(text: str) -> bool:
    return len(text) >= 2 and any("가" <= one <= "힣" for one in text) and "\ufffd" not in text


def _key(number: int, code: str, basement: str, main: str, sub: str, issues: list[Issue]) -> Key | None:
    if not (code.isdigit() and len(code) == 12):
        issues.append(BAD_NUMBER.at(number, "도로명코드", code))
        return None
    if not (main.isdigit() and int(main) < 100_000 and (sub or "0").isdigit() and (basement or "0") in "0123"):
        issues.append(BAD_NUMBER.at(number, "건물번호", f"{basement} {main}-{sub}"))
        return None
    return Key(code, int(basement or 0), int(main), int(sub or 0))


def _lot(number: int, hill: str, main: str, sub: str, issues: list[Issue]) -> tuple[bool, int, int] | None:
    if not ((main or "0").isdigit() and (sub or "0").isdigit() and len(main) <= 5 and len(sub) <= 5):
        issues.append(BAD_NUMBER.at(number, "지번", f"{main}-{sub}"))
        return None
    return hill == "1", int(main or 0), int(sub or 0)


def _spot(
    number: int, key: Key, texts: Mapping[str, str], x_text: str, y_text: str, issues: list[Issue], crs: str
) -> Spot | Unplaced | None:
    if not x_text or not y_text:
        return Unplaced()
    try:
        x, y = float(x_text), float(y_text)
    except ValueError:
        x = y = math.nan
    if crs == UTM_K and _inside(y, x):
        issues.append(SWAPPED.at(number, "X좌표·Y좌표", f"{x_text}, {y_text}"))
        x, y = y, x
    if not (math.isfinite(x) and math.isfinite(y)) or (crs == UTM_K and not _inside(x, y)):
        issues.append(BAD_PLACE.at(number, "X좌표·Y좌표", f"{x_text}, {y_text}", crs=crs))
        return None
    return Spot(number, key, texts["province"], texts["town"], texts["emd"], texts["road"], texts["building"], x, y)


def _inside(x: float, y: float) -> bool:
    return EAST_M[0] <= x <= EAST_M[1] and NORTH_M[0] <= y <= NORTH_M[1]


def placed(spots: Sequence[Spot], issues: list[Issue], crs: str = UTM_K) -> list[Entrance]:
    """Entrances with their metres in `crs` as degrees, all at once; those that come to lie outside Korea are told."""
    if not spots:
        return []
    lons, lats = _to_degrees([spot.x for spot in spots], [spot.y for spot in spots], crs)
    found = []
    for spot, lon, lat in zip(spots, lons, lats, strict=True):
        if in_korea(lon, lat):
            found.append(Entrance(spot.key, spot.province, spot.town, spot.emd, spot.road, spot.building, lon, lat))
        else:
            issues.append(BAD_PLACE.at(spot.row_number, "X좌표·Y좌표", f"{spot.x}, {spot.y}", crs=crs))
    return found


def _to_degrees(xs: list[float], ys: list[float], crs: str) -> tuple[list[float], list[float]]:
    import numpy as np
    import pyproj

    transformer = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    lons, lats = transformer.transform(np.array(xs), np.array(ys))
    return np.round(lons, 7).tolist(), np.round(lats, 7).tolist()
