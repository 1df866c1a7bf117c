"""An Excel file (.xlsx) as rows of text. What it claims about its own size is not believed, in either direction."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterator
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from madang.connectors.bell_standard.columns import EXPECTED, EXPECTED_KO, score
from madang.places.domain import FileRefusedError
from madang.places.tabular import HEADER_LINES, Row, clean

MOST_ROWS = 1_000_000
MOST_COLUMNS = 200
MOST_UNPACKED_BYTES = 600_000_000
MOST_RATIO = 300
"""A part that unpacks to more than so many times its size is a bomb, not a table."""


def is_xlsx(head: bytes) -> bool:
    """Whether it begins as an Excel file does (any ZIP)."""
    return head.startswith(b"PK\x03\x04")


def read_sheet(path: Path) -> tuple[list[str], int, Iterator[Row]]:
    """The header, its row number, and the rows below it, of the first sheet that has a header of bells."""
    _refuse_bombs(path)
    book = _open(path)
    for sheet in book.worksheets:
        sheet.reset_dimensions()  # some writers declare one cell only
        found = _header(sheet)
        if found is not None:
            number, header = found
            return header, number, _rows(sheet, number, len(header))
    raise _refused("no sheet has a header of bells", "비상벨 열 이름이 있는 시트를 찾지 못했습니다")


def _refuse_bombs(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as packed:
            parts = packed.infolist()
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise _refused(f"a damaged file ({type(error).__name__})", "손상된 파일입니다") from None
    if not any(part.filename == "[Content_Types].xml" for part in parts):
        raise _refused("a ZIP that is no Excel file", "엑셀이 아닌 압축 파일입니다. 풀어서 올리십시오")
    whole = sum(part.file_size for part in parts)
    bloated = any(part.file_size > MOST_RATIO * max(part.compress_size, 4_096) for part in parts)
    if whole > MOST_UNPACKED_BYTES or bloated:
        raise _refused(f"a file that unpacks to {whole} bytes", "풀면 지나치게 커지는 파일입니다")


def _open(path: Path) -> Any:  # Any: openpyxl brings no types
    import openpyxl  # type: ignore[import-untyped]  # brings no types

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # missing styles and the like: only the cells matter
            return openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
    except Exception as error:  # noqa: BLE001 -- whatever a damaged part makes of the library
        raise _refused(f"a damaged Excel file ({type(error).__name__})", "손상된 엑셀 파일입니다") from None


def _header(sheet: Any) -> tuple[int, list[str]] | None:  # Any: openpyxl brings no types
    best: tuple[int, int, list[str]] = (0, 0, [])
    for number, cells in enumerate(islice(_cells(sheet), HEADER_LINES), start=1):
        points = score(cells)
        if points > best[0]:
            best = (points, number, cells)
    return (best[1], best[2]) if best[0] else None


def _cells(sheet: Any) -> Iterator[list[str]]:  # Any: openpyxl brings no types
    for values in sheet.iter_rows(values_only=True, max_row=MOST_ROWS, max_col=MOST_COLUMNS):
        cells = [_text(value) for value in values]
        while cells and not cells[-1]:
            cells.pop()
        yield cells


def _rows(sheet: Any, header_row: int, width: int) -> Iterator[Row]:  # Any: openpyxl brings no types
    try:
        for number, cells in enumerate(_cells(sheet), start=1):
            if number > header_row and cells:
                yield Row(number, cells + [""] * (width - len(cells)))
    except Exception as error:  # noqa: BLE001 -- the same, in the middle of a sheet
        raise _refused(f"a sheet that breaks off ({type(error).__name__})", "시트가 중간에 손상되었습니다") from None


def _text(value: object) -> str:
    """A cell as people see it: dates as days, whole numbers without a point."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return clean(str(value)[:2_000])


def _refused(en: str, ko: str) -> FileRefusedError:
    return FileRefusedError(
        expected=EXPECTED,
        found=en,
        hint="Save the table as CSV and import that / CSV로 저장하여 올리십시오",
        ko=f"{EXPECTED_KO}이 아닙니다: {ko}.",
    )
