"""Which column of which national file holds what. Data: a new layout is a new entry here.

The files have no header, bars between columns, CP949. Recognised by the number of their columns; a file that has a
header with these titles (in any order) is read by its titles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Holds(StrEnum):
    """What the rows of a file tell."""

    NAMES = "names"
    ENTRANCES = "entrances"
    LOTS = "lots"


@dataclass(frozen=True, slots=True)
class Layout:
    """One national file. `columns` are the titles of its documentation; `reads` says which of them we take as what."""

    title: str
    holds: Holds
    columns: tuple[str, ...]
    reads: Mapping[str, str]
    more_columns: int = 0
    """Columns that daily change files add at the end."""


_KEY = {"도로명코드": "road_code", "지하여부": "basement", "건물본번": "main", "건물부번": "sub"}
_AREA = {"시도명": "province", "시군구명": "town"}
_LOT = {"법정리명": "ri", "산여부": "hill", "지번본번": "lot_main", "지번부번": "lot_sub"}

ROAD_ADDRESS = Layout(
    "도로명주소 한글 (rnaddrkor_*.txt)",
    Holds.NAMES,
    (
        *("도로명주소관리번호", "법정동코드", "시도명", "시군구명", "법정읍면동명", "법정리명", "산여부", "지번본번"),
        *("지번부번", "도로명코드", "도로명", "지하여부", "건물본번", "건물부번", "행정동코드", "행정동명"),
        *("기초구역번호", "이전도로명주소", "효력발생일", "공동주택구분", "이동사유코드", "건축물대장건물명"),
        *("시군구용건물명", "비고"),
    ),
    MappingProxyType(
        _KEY
        | _AREA
        | _LOT
        | {
            "법정읍면동명": "emd",
            "도로명": "road",
            "시군구용건물명": "building",
            "건축물대장건물명": "building_2",
            "이동사유코드": "change",
        }
    ),
)
FURTHER_LOTS = Layout(
    "관련지번 (jibun_rnaddrkor_*.txt)",
    Holds.LOTS,
    (
        *("도로명주소관리번호", "법정동코드", "시도명", "시군구명", "법정읍면동명", "법정리명", "산여부", "지번본번"),
        *("지번부번", "도로명코드", "지하여부", "건물본번", "건물부번", "이동사유코드"),
    ),
    MappingProxyType(_KEY | _AREA | _LOT | {"법정읍면동명": "emd", "이동사유코드": "change"}),
)
ENTRANCES = Layout(
    "위치정보요약DB (entrc_*.txt)",
    Holds.ENTRANCES,
    (
        *("시군구코드", "출입구일련번호", "법정동코드", "시도명", "시군구명", "읍면동명", "도로명코드", "도로명"),
        *("지하여부", "건물본번", "건물부번", "건물명", "우편번호", "건물용도분류", "건물군여부", "관할행정동"),
        *("X좌표", "Y좌표"),
    ),
    MappingProxyType(
        _KEY
        | _AREA
        | {
            "읍면동명": "emd",
            "도로명": "road",
            "건물명": "building",
            "X좌표": "x",
            "Y좌표": "y",
            "이동사유코드": "change",
        }
    ),
    more_columns=1,
)
BUILDINGS = Layout(
    "건물DB (build_*.txt)",
    Holds.NAMES,
    (
        *("법정동코드", "시도명", "시군구명", "법정읍면동명", "법정리명", "산여부", "지번본번", "지번부번"),
        *("도로명코드", "도로명", "지하여부", "건물본번", "건물부번", "건축물대장건물명", "상세건물명", "건물관리번호"),
        *("읍면동일련번호", "행정동코드", "행정동명", "우편번호", "우편일련번호", "다량배달처명", "이동사유코드"),
        *("고시일자", "변동전도로명주소", "시군구용건물명", "공동주택여부", "기초구역번호", "상세주소여부"),
        *("비고1", "비고2"),
    ),
    MappingProxyType(
        _KEY
        | _AREA
        | _LOT
        | {
            "법정읍면동명": "emd",
            "도로명": "road",
            "시군구용건물명": "building",
            "건축물대장건물명": "building_2",
            "이동사유코드": "change",
        }
    ),
)
LAYOUTS = (ROAD_ADDRESS, FURTHER_LOTS, ENTRANCES, BUILDINGS)
ABOLISHED = "63"
"""이동사유코드 of an address that is no more."""


def recognise(values: Sequence[str]) -> tuple[Layout, dict[str, int], bool] | None:
    """The layout a first row belongs to, where each thing stands in a row, and whether the row is a header."""
    titles = [value.replace(" ", "").replace("_", "") for value in values]
    for layout in LAYOUTS:
        wanted = {title: name for title, name in layout.reads.items() if title in titles}
        if "도로명코드" in wanted and "건물본번" in wanted and _says(layout, set(titles)):
            return layout, {name: titles.index(title) for title, name in wanted.items()}, True
    for layout in LAYOUTS:
        more = len(values) - len(layout.columns)
        if 0 <= more <= layout.more_columns:
            columns = (*layout.columns, "이동사유코드")[: len(values)]
            places = {layout.reads[title]: at for at, title in enumerate(columns) if title in layout.reads}
            if values[places["road_code"]].strip().isdigit():
                return layout, places, False
    return None


def _says(layout: Layout, titles: set[str]) -> bool:
    """Whether a header has what a layout is there for."""
    if layout.holds is Holds.ENTRANCES:
        return {"X좌표", "Y좌표", "도로명"} <= titles
    if layout.holds is Holds.NAMES:
        return {"도로명", "법정읍면동명"} <= titles
    return "도로명" not in titles and "지번본번" in titles
