"""Reads a camera survey: one row a camera, by agency code, site number and the camera's number at the site. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from madang.places.domain import Fault, Issue, Level
from madang.video.commands.survey import SurveyRow

TITLES = {
    "개방자치단체코드": "agency_code",
    "제공기관코드": "agency_code",
    "관리번호": "site_number",
    "카메라번호": "camera",
    "방위각": "azimuth_deg",
    "화각": "hfov_deg",
    "유효거리": "range_m",
    "높이": "height_m",
    "회전": "ptz",
    "측량일자": "surveyed_on",
    "영상주소": "stream_url",
}
"""Korean titles and the member each stands for; the English member names are titles too."""
MEMBERS = frozenset(TITLES.values())
REQUIRED = frozenset({"agency_code", "site_number", "camera"})
_LIMITS = {"azimuth_deg": (-360.0, 360.0), "hfov_deg": (1.0, 360.0), "range_m": (1.0, 5000.0), "height_m": (0.0, 200.0)}
_YES, _NO = frozenset({"true", "1", "y", "yes", "예", "o"}), frozenset({"false", "0", "n", "no", "아니오", "x"})

BAD_ROW = Fault("bad_row", Level.ERROR, "행을 읽을 수 없습니다.", "The row cannot be read.")
BAD_VALUE = Fault(
    "bad_value", Level.ERROR, "{column} 값을 쓸 수 없습니다: {value}", "The value of {column} cannot be used: {value}"
)
NO_CAMERA = Fault(
    "no_camera", Level.ERROR, "이 도시에 없는 카메라입니다: {value}", "There is no such camera in this city: {value}"
)
BAD_STREAM = Fault(
    "bad_stream", Level.ERROR, "영상주소를 쓸 수 없습니다: {value}", "The stream address is refused: {value}"
)
NO_DATE = Fault(
    "no_date", Level.WARNING, "측량일자가 없어 방위각을 쓰지 않았습니다.", "Without its date the azimuth was not used."
)


def member_of(title: str) -> str | None:
    """The member a column title stands for."""
    name = title.replace(" ", "").casefold()
    return TITLES.get(name) or (name if name in MEMBERS else None)


def read_row(number: int, values: Mapping[str, object]) -> tuple[SurveyRow | None, list[Issue]]:
    """One row: what it says, and what is wrong with it. None where the camera cannot even be named."""
    issues: list[Issue] = []
    text = {name: str(value).strip() for name, value in values.items() if value is not None}
    camera = _number(number, "camera", text, issues)
    if not text.get("agency_code") or not text.get("site_number") or camera is None or camera < 1:
        return None, issues or [BAD_ROW.at(number, value=", ".join(text.values()))]
    figures = {name: _number(number, name, text, issues) for name in _LIMITS}
    day = _day(number, text.get("surveyed_on", ""), issues)
    if figures["azimuth_deg"] is not None and day is None and not issues:
        issues.append(NO_DATE.at(number, "surveyed_on"))
    row = SurveyRow(
        source_key=f"{text['agency_code']}:{text['site_number']}",
        number=int(camera),
        surveyed_on=day,
        ptz=_flag(number, text.get("ptz", ""), issues),
        stream_url=text.get("stream_url") or None,
        azimuth_deg=figures["azimuth_deg"],
        hfov_deg=figures["hfov_deg"],
        range_m=figures["range_m"],
        height_m=figures["height_m"],
    )
    return row, issues


def _number(row: int, name: str, text: Mapping[str, str], issues: list[Issue]) -> float | None:
    value = text.get(name, "")
    if not value:
        return None
    try:
        number = float(value.replace(",", ""))
    except ValueError:
        number = float("nan")
    low, high = _LIMITS.get(name, (1.0, 1000.0))
    if low <= number <= high:
        return number
    issues.append(BAD_VALUE.at(row, name, value))
    return None


def _day(row: int, value: str, issues: list[Issue]) -> date | None:
    if not value:
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        issues.append(BAD_VALUE.at(row, "surveyed_on", value))
        return None


def _flag(row: int, value: str, issues: list[Issue]) -> bool | None:
    if not value:
        return None
    if value.casefold() in _YES | _NO:
        return value.casefold() in _YES
    issues.append(BAD_VALUE.at(row, "ptz", value))
    return None
