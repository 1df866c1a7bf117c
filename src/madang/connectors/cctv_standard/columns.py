"""Which column is which: three generations of the national layout and the renamed files cities publish. Pure."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from madang.places.domain import FileRefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

EXPECTED = "a CCTV standard data file (전국CCTV표준데이터: 관리기관명, 소재지도로명주소, 카메라대수, 위도, 경도 …)"
EXPECTED_KO = "전국CCTV표준데이터 파일"

SYNONYMS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "agency_code": ("개방자치단체코드", "OPN_ATMY_GRP_CD", "제공기관코드", "insttCode"),
        "number": ("관리번호", "MNG_NO", "CCTV관리번호", "카메라관리번호"),
        "row_number": ("번호", "연번", "순번", "일련번호", "no", "num", "id"),
        "agency_name": ("관리기관명", "MNG_INST_NM", "institutionNm", "관리기관", "agency", "agency_name"),
        "provider": ("제공기관명", "insttNm"),
        "road_address": (
            "소재지도로명주소",
            "LCTN_ROAD_NM_ADDR",
            "도로명주소",
            "소재지주소(도로명)",
            "rdnmadr",
            "street_name_address",
            "road_name_address",
            "road_address",
            "street_address",
        ),
        "lot_address": (
            "소재지지번주소",
            "LCTN_LOTNO_ADDR",
            "지번주소",
            "소재지주소(지번)",
            "lnmadr",
            "lot_address",
            "lot_number_address",
            "jibun_address",
        ),
        "address": ("주소", "소재지", "소재지주소", "설치장소", "설치위치", "설치주소", "address"),
        "purpose": ("설치목적구분", "INSTL_PRPS_SE_NM", "설치목적", "설치목적구분명", "purpose"),
        "cameras": ("카메라대수", "CAM_CNTOM", "카메라수", "설치대수", "대수", "CCTV대수", "camera_count", "cameras"),
        "pixels": ("카메라화소수", "CAM_PIXEL_CNT", "카메라화소", "화소수", "화소", "pixels"),
        "direction": ("촬영방면정보", "SHT_ANGLE_INFO", "촬영방면", "촬영방향", "direction"),
        "retention": ("보관일수", "KPNG_DAY_CNT", "보관기간", "retention_days"),
        "installed": ("설치년월", "설치연월", "INSTL_YM", "설치년도", "설치연도", "설치일자", "installed"),
        "phone": ("관리기관전화번호", "MNG_INST_TELNO", "전화번호", "phoneNumber", "phone"),
        "lat": ("WGS84위도", "위도", "WGS84_LAT", "latitude", "lat"),
        "lon": ("WGS84경도", "경도", "WGS84_LOT", "longitude", "lon", "lng"),
        "data_date": ("데이터기준일자", "DAT_CRTR_YMD", "데이터기준일", "기준일자", "referenceDate", "data_date"),
        "update_kind": ("데이터갱신구분", "DAT_UPDT_SE"),
        "updated_at": ("데이터갱신시점", "DAT_UPDT_PNT"),
        "modified_at": ("최종수정시점", "LAST_MDFCN_PNT"),
    }
)
NAMES_KO: Mapping[str, str] = MappingProxyType({name: words[0] for name, words in SYNONYMS.items()})
"""What a column is called to a person when the file has none."""

_MARKS = frozenset({"cameras", "pixels", "direction", "retention"})
"""Columns that only a list of cameras has."""
_ADDRESSES = frozenset({"road_address", "lot_address", "address"})
_STANDARD = (
    "agency_name",
    "road_address",
    "lot_address",
    "purpose",
    "cameras",
    "pixels",
    "direction",
    "retention",
    "installed",
    "phone",
    "lat",
    "lon",
    "data_date",
)

_OTHER_FILES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("공중화장실", "public toilets", ("화장실명", "남성용대변기수")),
    ("안전비상벨", "safety bells", ("안전비상벨관리번호", "SFTY_EMRGNCBLL_MNG_NO", "경찰연계유무")),
    ("무인교통단속카메라", "speed cameras", ("무인교통단속카메라관리번호", "단속구분", "mnlssRegltCameraManageNo")),
    ("어린이보호구역", "child protection zones", ("대상시설명", "보호구역도로폭")),
    ("보안등", "security lights", ("보안등위치명",)),
    ("스마트가로등", "smart street lights", ("스마트가로등유형", "streetLampType")),
    ("주차장", "parking", ("주차장관리번호", "주차장명", "주차구획수")),
    ("관광지", "tourist sites", ("관광지명",)),
    ("경찰관서", "police stations", ("경찰서", "지구대", "관서명")),
)


@dataclass(frozen=True, slots=True)
class Columns:
    """Where each known column stands in the header, by its own name there."""

    index: Mapping[str, int]
    header: tuple[str, ...]
    missing: tuple[str, ...]
    unknown: tuple[str, ...]

    def title(self, name: str) -> str:
        """What the file (or, where it has none, the standard) calls a column."""
        at = self.index.get(name)
        return self.header[at] if at is not None else NAMES_KO[name]


def _plain(title: str) -> str:
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", title)).casefold()


def _without_unit(title: str) -> str:
    return _plain(re.sub(r"\([^)]*\)|\[[^\]]*\]", "", title))


_BY_TITLE = {_plain(word): name for name, words in SYNONYMS.items() for word in words}


@dataclass(slots=True)
class _Match:
    index: dict[str, int] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)


def _match(header: Sequence[str]) -> _Match:
    match = _Match()
    for at, title in enumerate(header):
        name = _BY_TITLE.get(_plain(title)) or _BY_TITLE.get(_without_unit(title))
        if name is not None and name not in match.index:
            match.index[name] = at
        elif title:
            match.unknown.append(title)
    return match


def score(header: Sequence[str]) -> int:
    """How many columns of a header are known; 0 for a line that cannot be one."""
    known = len(_match(header).index)
    return known if known >= 2 else 0


def recognise(header: Sequence[str]) -> Columns:
    """The columns of a CCTV file; raises `FileRefusedError` naming what was expected and what was found.

    Taken are files with a column only cameras have, and minimal ones that hold nothing but addresses and coordinates.
    """
    match = _match(header)
    _refuse_other(header)
    known = frozenset(match.index)
    located = {"lat", "lon"} <= known
    placed = located or bool(known & _ADDRESSES)
    if not placed:
        raise _refusal(header, "no address and no coordinates", "주소도 좌표도 없습니다")
    if not known & _MARKS and not (located and known & _ADDRESSES and not match.unknown):
        raise _refusal(header, "no column that only a camera list has", "카메라대수 등 CCTV 열이 없습니다")
    missing = tuple(NAMES_KO[name] for name in _STANDARD if name not in known)
    return Columns(MappingProxyType(match.index), tuple(header), missing, tuple(match.unknown))


def _refuse_other(header: Sequence[str]) -> None:
    titles = {_plain(title) for title in header}
    for ko, en, signature in _OTHER_FILES:
        if any(_plain(word) in titles for word in signature):
            raise _refusal(header, f"what looks like a list of {en}", f"{ko} 자료로 보입니다")


def _refusal(header: Sequence[str], en: str, ko: str) -> FileRefusedError:
    shown = ", ".join(title or "(빈 칸)" for title in list(header)[:8])
    more = " …" if len(header) > 8 else ""
    return FileRefusedError(
        expected=EXPECTED,
        found=f"{en}; its columns are: {shown}{more}",
        hint="Check that this is the CCTV file / CCTV 파일이 맞는지 확인하십시오",
        ko=f"{EXPECTED_KO}이 아닙니다: {ko}. 열: {shown}{more}",
    )
