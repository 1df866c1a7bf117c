"""From a survey table (CSV) or list (JSON) to surveyed views. Pure but for reading the file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import orjson

from madang.places import tabular
from madang.places.domain import Fault, FileRefusedError, Issue, Level

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

EXPECTED = "a camera survey (관리번호, 카메라번호, 방위각, 측정일; optionally 화각, 유효거리, 영상주소)"
EXPECTED_KO = "카메라 방위 조사 파일(관리번호, 카메라번호, 방위각, 측정일)"
TITLES = {
    "개방자치단체코드": "agency_code",
    "관리번호": "site_number",
    "카메라번호": "camera",
    "카메라": "camera",
    "방위각": "azimuth_deg",
    "화각": "hfov_deg",
    "유효거리": "range_m",
    "측정일": "surveyed_on",
    "조사일": "surveyed_on",
    "영상주소": "stream_url",
}
NAMES = frozenset(TITLES.values())
REQUIRED = ("site_number", "camera", "azimuth_deg", "surveyed_on")

BAD_VALUE = Fault(
    "bad_value",
    Level.ERROR,
    "{column} 값을 쓸 수 없습니다: {value}. 가져오지 않았습니다.",
    "{column} cannot be used: {value}; not imported.",
)
UNREADABLE = Fault("unreadable", Level.ERROR, "행을 읽을 수 없습니다.", "The row cannot be read.")


@dataclass(frozen=True, slots=True)
class View:
    """One camera's surveyed view. Zero field of view or reach means that nobody measured it."""

    row_number: int
    agency_code: str
    site_number: str
    camera: int
    azimuth_deg: float
    hfov_deg: float
    range_m: float
    surveyed_on: date
    stream_url: str


def read(path: Path, max_bytes: int) -> Iterator[View | Issue]:
    """The views of a file and the issues of its rows; raises `FileRefusedError` for anything else."""
    head = tabular.first_bytes(path)
    tabular.refuse_foreign(head, EXPECTED, EXPECTED_KO)
    if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        rows = _json_rows(path, max_bytes)
    else:
        rows = _csv_rows(path, head)
    return (_view(number, row) for number, row in rows)


def _json_rows(path: Path, max_bytes: int) -> Iterator[tuple[int, dict[str, str] | None]]:
    if path.stat().st_size > max_bytes:
        raise _refusal(f"more than {max_bytes} bytes of JSON")
    try:
        document: Any = orjson.loads(path.read_bytes().removeprefix(b"\xef\xbb\xbf"))  # Any: JSON from outside
    except orjson.JSONDecodeError as error:
        raise _refusal(f"broken JSON: {error}") from None
    items = document.get("cameras") if isinstance(document, dict) else document
    if not isinstance(items, list) or not any(
        isinstance(item, dict) and set(REQUIRED) <= item.keys() for item in items
    ):
        raise _refusal("JSON without a list of surveyed cameras")
    return ((number, _texts(item)) for number, item in enumerate(items, start=1))


def _texts(item: Any) -> dict[str, str] | None:  # Any: JSON from outside
    if not isinstance(item, dict):
        return None
    return {name: tabular.clean(str(item[name])) for name in NAMES & item.keys() if item[name] is not None}


def _csv_rows(path: Path, head: bytes) -> Iterator[tuple[int, dict[str, str] | None]]:
    table = tabular.find_table(path, head, lambda header: len(_columns(header)))
    columns = _columns(table.header) if table is not None else {}
    if table is None or not columns.keys() >= set(REQUIRED):
        raise _refusal("a table with other columns" if table is not None else "no table")
    width = max(columns.values()) + 1
    return (
        (row.number, {name: row.values[at] for name, at in columns.items()} if len(row.values) >= width else None)
        for row in table.rows()
    )


def _columns(header: Sequence[str]) -> dict[str, int]:
    plain = [title.replace(" ", "").partition("(")[0] for title in header]
    return {TITLES.get(title, title): at for at, title in enumerate(plain) if TITLES.get(title, title) in NAMES}


def _refusal(found: str) -> FileRefusedError:
    return FileRefusedError(expected=EXPECTED, found=found, ko=f"{EXPECTED_KO}이 아닙니다.")


def _view(number: int, row: dict[str, str] | None) -> View | Issue:
    if row is None:
        return UNREADABLE.at(number)
    numbers: dict[str, float] = {}
    for name, least, most in (("camera", 1, 999), ("azimuth_deg", 0, 360), ("hfov_deg", 0, 360), ("range_m", 0, 5_000)):
        text = row.get(name, "")
        value = _number(text) if text or name in REQUIRED else 0.0
        if value is None or not least <= value <= most:
            return BAD_VALUE.at(number, name, text)
        numbers[name] = value
    try:
        surveyed_on = date.fromisoformat(row.get("surveyed_on", ""))
    except ValueError:
        return BAD_VALUE.at(number, "surveyed_on", row.get("surveyed_on", ""))
    if not row.get("site_number"):
        return BAD_VALUE.at(number, "site_number", "")
    return View(
        number,
        row.get("agency_code", ""),
        row["site_number"],
        int(numbers["camera"]),
        numbers["azimuth_deg"] % 360,
        numbers["hfov_deg"],
        numbers["range_m"],
        surveyed_on,
        row.get("stream_url", ""),
    )


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
