"""Which column is which: the file's Korean titles, the interface's names, and renamed files. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from madang.places.domain import FileRefusedError

EXPECTED = (
    "a safety-bell standard data file (전국안전비상벨위치표준데이터: 안전비상벨관리번호, 경찰연계유무, 최종점검일자 …)"
)
EXPECTED_KO = "전국안전비상벨위치표준데이터 파일"

SYNONYMS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "number": ("안전비상벨관리번호", "SFTY_EMRGNCBLL_MNG_NO", "비상벨관리번호", "비상벨번호"),
        "agency_code": ("개방자치단체코드", "OPN_ATMY_GRP_CD", "제공기관코드", "insttCode"),
        "register_number": ("관리번호", "MNG_NO"),
        "row_number": ("번호", "연번", "순번", "no"),
        "purpose": ("설치목적", "INSTL_PRPS"),
        "place_type": ("설치장소유형", "INSTL_PLC_TYPE"),
        "location": ("설치위치", "INSTL_PSTN", "설치장소"),
        "road_address": ("소재지도로명주소", "LCTN_ROAD_NM_ADDR", "도로명주소", "road_addr", "rdnmadr"),
        "lot_address": ("소재지지번주소", "LCTN_LOTNO_ADDR", "지번주소", "lnmadr"),
        "lat": ("WGS84위도", "WGS84_LAT", "위도", "latitude", "lat", "y"),
        "lon": ("WGS84경도", "WGS84_LOT", "경도", "longitude", "lon", "lng", "x"),
        "link_method": ("연계방식", "LINK_MTH"),
        "police_link": ("경찰연계유무", "POLC_LINK_EN"),
        "security_link": ("경비업체연계유무", "SECCO_LINK_EN"),
        "office_link": ("관리사무소연계유무", "MNGOFC_LINK_EN"),
        "extra": ("부가기능", "EXTRA_FWK"),
        "installed": ("안전비상벨설치연도", "SFTY_EMRGNCBLL_INSTL_YR", "설치연도", "설치년도"),
        "inspected": ("최종점검일자", "LAST_CHCK_YMD", "최종점검일"),
        "result": ("최종점검결과구분", "LAST_CHCK_RSLT_SE", "최종점검결과"),
        "agency_name": ("관리기관명", "MNG_INST_NM", "관리기관"),
        "phone": ("관리기관전화번호", "MNG_INST_TELNO", "전화번호"),
        "data_date": ("데이터기준일자", "DAT_CRTR_YMD", "데이터기준일"),
        "vendor": ("제조사", "제조업체", "설치업체", "유지보수업체"),
        "model": ("모델명", "모델"),
    }
)
NAMES_KO: Mapping[str, str] = MappingProxyType({name: words[0] for name, words in SYNONYMS.items()})
_MARKS = frozenset({"number", "police_link", "link_method", "office_link", "security_link"})
"""Columns that only a list of bells has."""
_STANDARD = tuple(
    name for name in SYNONYMS if name not in ("register_number", "row_number", "vendor", "model", "agency_code")
)


@dataclass(frozen=True, slots=True)
class Columns:
    """Where each known column stands in the header."""

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


_BY_TITLE = {_plain(word): name for name, words in SYNONYMS.items() for word in words}


def _match(header: Sequence[str]) -> tuple[dict[str, int], list[str]]:
    index: dict[str, int] = {}
    unknown: list[str] = []
    for at, title in enumerate(header):
        name = _BY_TITLE.get(_plain(title))
        if name is not None and name not in index:
            index[name] = at
        elif title:
            unknown.append(title)
    return index, unknown


def score(header: Sequence[str]) -> int:
    """How many columns of a header are known; 0 for a line that cannot be one."""
    known = len(_match(header)[0])
    return known if known >= 3 else 0


def recognise(header: Sequence[str]) -> Columns:
    """The columns of a bell file; raises `FileRefusedError` naming what was expected and what was found."""
    index, unknown = _match(header)
    if "number" not in index and "register_number" not in index:
        raise refusal(header, "no column of bell numbers", "비상벨 관리번호 열이 없습니다")
    if not _MARKS & set(index):
        raise refusal(header, "no column that only a list of bells has", "연계유무 등 비상벨 열이 없습니다")
    missing = tuple(NAMES_KO[name] for name in _STANDARD if name not in index)
    return Columns(MappingProxyType(index), tuple(header), missing, tuple(unknown))


def refusal(header: Sequence[str], en: str, ko: str) -> FileRefusedError:
    """The refusal that shows what the file's columns are."""
    shown = ", ".join(title or "(빈 칸)" for title in list(header)[:8])
    more = " …" if len(header) > 8 else ""
    return FileRefusedError(
        expected=EXPECTED,
        found=f"{en}; its columns are: {shown}{more}",
        hint="Check that this is the file of safety bells / 안전비상벨 파일이 맞는지 확인하십시오",
        ko=f"{EXPECTED_KO}이 아닙니다: {ko}. 열: {shown}{more}",
    )
