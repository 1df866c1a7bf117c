"""From GeoJSON features to districts, whatever their publisher called the properties."""

from __future__ import annotations

from typing import TYPE_CHECKING

from madang.places import geojson
from madang.places.commands import BoundaryRow
from madang.places.domain import Fault, Issue, Level

if TYPE_CHECKING:
    from pathlib import Path

NAMES = (
    "name_ko",
    "name",
    "adm_nm",
    "adm_kor_nm",
    "emd_kor_nm",
    "emd_nm",
    "hjd_nam",
    "dong_nm",
    "sig_kor_nm",
    "sgg_nm",
)
NAMES_EN = ("name_en", "name_eng", "adm_eng_nm", "emd_eng_nm", "sig_eng_nm")
CODES = ("code", "adm_cd2", "adm_cd", "adm_dr_cd", "emd_cd", "hcode", "hjd_cde", "sig_cd", "sgg_cd", "id")
"""Property names of KOSTAT, SGIS, the ministry's (행정안전부) and the land ministry's files, most telling first."""
SHAPES = ("Polygon", "MultiPolygon")

NO_NAME = Fault(
    "no_name",
    Level.ERROR,
    "이름 속성이 없습니다({column}). 가져오지 않았습니다.",
    "No name property ({column}); not imported.",
)
NO_CODE = Fault("no_code", Level.NOTICE, "코드가 없어 이름으로 구분합니다.", "No code; the name stands in for it.")
PARTS = Fault(
    "same_code",
    Level.NOTICE,
    "같은 코드의 도형을 하나로 합쳤습니다: {value}",
    "Shapes of one code were joined: {value}",
)
OTHER_NAME = Fault(
    "code_twice",
    Level.ERROR,
    "코드 {value}가 다른 이름으로 앞에 있습니다. 가져오지 않았습니다.",
    "Code {value} was used above under another name; not imported.",
)


def read(path: Path, max_bytes: int) -> tuple[list[BoundaryRow], list[Issue], geojson.Features]:
    """The districts of a file and the issues of its features; raises `FileRefusedError` for no GeoJSON."""
    features = geojson.open_features(path, max_bytes)
    issues: list[Issue] = []
    named: dict[str, tuple[str, str]] = {}
    parts: dict[str, list[geojson.Shape]] = {}
    for number in range(1, len(features.items) + 1):
        _take(features, number, issues, named, parts)
    rows = []
    for code, (name, name_en) in named.items():
        whole = geojson.union(parts[code])
        rows.append(BoundaryRow(code, name[:100], name_en[:100], whole.geometry, whole.box, _level(name)))
    return rows, issues, features


def _take(
    features: geojson.Features,
    number: int,
    issues: list[Issue],
    named: dict[str, tuple[str, str]],
    parts: dict[str, list[geojson.Shape]],
) -> None:
    properties = features.properties(number)
    full = geojson.text(properties, NAMES)
    if not full:
        issues.append(NO_NAME.at(number, " · ".join(NAMES[:4])))
        return
    shape = features.shape(number, issues, SHAPES)
    if shape is None:
        return
    name = full.split()[-1]
    code = geojson.text(properties, CODES)[:20]
    if not code:
        issues.append(NO_CODE.at(number, "code", name))
        code = name[:20]
    known = named.setdefault(code, (name, geojson.text(properties, NAMES_EN)))
    if known[0] != name:
        issues.append(OTHER_NAME.at(number, "code", code))
        return
    if code in parts:
        issues.append(PARTS.at(number, "code", code))
    parts.setdefault(code, []).append(shape)


def _level(name: str) -> str:
    """읍·면·동, or 시·군·구 by the last letter of the name."""
    return "sigungu" if name[-1] in "시군구" else "dong"
