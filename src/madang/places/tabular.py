"""Reads the tables agencies really send: unknown encoding, unknown delimiter, broken rows among good ones.

A row that cannot be read is a value with its fault, never an exception; a file that is no table is refused.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
import unicodedata
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from madang.places.domain import FileRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

SAMPLE_BYTES = 1_000_000
MAX_LINE_CHARS = 200_000
"""A longer line is cut: no row of a table is that long, and memory stays bounded."""
MAX_JOINED_LINES = 8
"""How many lines one quoted value may span before its quote counts as broken."""
HEADER_LINES = 15
"""Titles and blank lines that may stand above the header."""
DELIMITERS = (",", "\t", ";", "|")

_MAGIC: tuple[tuple[bytes, str, str, str], ...] = (
    (b"PK\x03\x04", "a ZIP or Excel (.xlsx) file", "압축 또는 엑셀(.xlsx) 파일", "csv"),
    (b"\xd0\xcf\x11\xe0", "an old Office file (.xls, .hwp)", "구형 오피스(.xls, .hwp) 파일", "csv"),
    (b"\x1f\x8b", "a gzip file", "gzip 압축 파일", "unpack"),
    (b"\x89PNG", "a PNG image", "PNG 그림", "csv"),
    (b"\xff\xd8\xff", "a JPEG image", "JPEG 그림", "csv"),
    (b"GIF8", "a GIF image", "GIF 그림", "csv"),
    (b"%PDF", "a PDF document", "PDF 문서", "csv"),
    (b"SQLite format 3", "a SQLite database", "SQLite 데이터베이스", "csv"),
    (b"PAR1", "a Parquet file", "Parquet 파일", "csv"),
)
_HINTS = {
    "csv": "Save the table as CSV (UTF-8 or CP949) and import that / CSV로 저장하여 다시 올리십시오",
    "unpack": "Unpack it first / 압축을 풀어 다시 올리십시오",
    "json": "Ask the portal for CSV, or JSON with type=json / 포털에서 CSV 또는 type=json으로 받으십시오",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One logical row: the line it starts at, its values, and what was wrong with reading it (or "")."""

    number: int
    values: list[str]
    fault: str = ""


BAD_BYTES = "bad_bytes"
BROKEN_QUOTE = "broken_quote"
UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Table:
    """A table found in a file: how to read it, and its header."""

    path: Path
    encoding: str
    delimiter: str
    header: list[str]
    header_line: int

    def rows(self) -> Iterator[Row]:
        """The rows below the header, in order; blank lines are passed over."""
        lines = _lines(self.path, self.encoding)
        for number, _ in lines:
            if number >= self.header_line:
                break
        yield from _logical(lines, self.delimiter, len(self.header))


def first_bytes(path: Path) -> bytes:
    """The beginning of a file, for looking at what it is."""
    with path.open("rb") as file:
        return file.read(SAMPLE_BYTES)


def refuse_foreign(head: bytes, expected: str, expected_ko: str) -> None:
    """Raises `FileRefusedError` for files that are no text at all, naming what they are."""
    found = _what_is(head)
    if found is not None:
        en, ko, hint = found
        raise FileRefusedError(
            expected=expected, found=en, hint=_HINTS[hint], ko=f"{expected_ko}이(가) 아닙니다: {ko}입니다."
        )


def _what_is(head: bytes) -> tuple[str, str, str] | None:
    if not head.strip(b" \t\r\n\x00\xef\xbb\xbf"):
        return "an empty file", "빈 파일", "csv"
    for magic, en, ko, hint in _MAGIC:
        if head.startswith(magic):
            return en, ko, hint
    start = head[:600].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "an HTML page", "HTML 페이지", "csv"
    if start.startswith(b"<"):
        return "XML", "XML 문서", "json"
    if not head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and _is_binary(head):
        return "binary data", "글자가 아닌 이진 자료", "csv"
    return None


def _is_binary(head: bytes) -> bool:
    controls = sum(head.count(bytes([code])) for code in (*range(9), *range(14, 27), 28, 29, 30, 31))
    return controls > len(head) // 200


def detect_encoding(head: bytes) -> str:
    """BOM, then UTF-8, then CP949. A few damaged lines do not turn a UTF-8 file into a CP949 one.

    Judged line by line: Korean text in CP949 is practically never valid UTF-8.
    """
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    lines = [line for line in head.splitlines() if not line.isascii()]
    if len(head) >= SAMPLE_BYTES and len(lines) > 1:
        lines.pop()
    valid = sum(_is_utf8(line) for line in lines)
    return "utf-8" if valid * 2 >= len(lines) else "cp949"


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def find_table(path: Path, head: bytes, score: Callable[[Sequence[str]], int]) -> Table | None:
    """The header line and delimiter that `score` likes best among the first lines; None if it likes none."""
    encoding = detect_encoding(head)
    best: tuple[int, Table] | None = None
    for number, line in _lines(path, encoding):
        if number > HEADER_LINES:
            break
        for delimiter in DELIMITERS:
            header = [clean(value) for value in _split(line, delimiter) or []]
            points = score(header)
            if points > (best[0] if best else 0):
                best = (points, Table(path, encoding, delimiter, header, number))
    return best[1] if best else None


def clean(text: str) -> str:
    """One value as people mean it: composed (NFC), without BOM, outer spaces or control characters."""
    if text.isascii():
        return text.strip() if text.isprintable() else _CONTROL.sub(" ", text).strip()
    if not text.isprintable():
        text = _CONTROL.sub(" ", text.replace("\ufeff", ""))
    return unicodedata.normalize("NFC", text).strip()


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b\u2028\u2029]+")


def _lines(path: Path, encoding: str) -> Iterator[tuple[int, str]]:
    """Numbered lines. Bytes that do not decode stay as lone surrogates (or U+FFFD in UTF-16): see `_damaged`."""
    errors = "replace" if encoding == "utf-16" else "surrogateescape"
    with path.open(encoding=encoding, errors=errors, newline=None) as file:
        number = 0
        while line := file.readline(MAX_LINE_CHARS):
            number += 1
            yield number, line.rstrip("\n")


def _damaged(line: str) -> bool:
    return not line.isascii() and _DAMAGE.search(line) is not None


_DAMAGE = re.compile("[\udc80-\udcff\ufffd]")


def _logical(lines: Iterator[tuple[int, str]], delimiter: str, width: int) -> Iterator[Row]:
    waiting: deque[tuple[int, str]] = deque()
    while True:
        if not waiting:
            pulled = next(lines, None)
            if pulled is None:
                return
            waiting.append(pulled)
        number, line = waiting.popleft()
        if not line.strip():
            continue
        if '"' in line and line.count('"') % 2:
            yield _joined(number, line, waiting, lines, delimiter, width)
        else:
            yield _single(number, line, delimiter)


def _single(number: int, line: str, delimiter: str, fault: str = "") -> Row:
    if _damaged(line):
        line, fault = _DAMAGE.sub("\ufffd", line), BAD_BYTES
    values = _split(line, delimiter)
    if values is None:
        return Row(number, [clean(line)], UNREADABLE)
    if line.isprintable() and unicodedata.is_normalized("NFC", line):
        return Row(number, [value.strip() for value in values], fault)
    return Row(number, [clean(value) for value in values], fault)


def _joined(
    number: int,
    line: str,
    waiting: deque[tuple[int, str]],
    lines: Iterator[tuple[int, str]],
    delimiter: str,
    width: int,
) -> Row:
    """A value that spans lines, or, when no join gives a whole row, a line whose quote is broken."""
    text = line
    for ahead in range(MAX_JOINED_LINES):
        if ahead >= len(waiting):
            pulled = next(lines, None)
            if pulled is None:
                break
            waiting.append(pulled)
        text = f"{text}\n{waiting[ahead][1]}"
        if text.count('"') % 2 == 0 and len(_split(text, delimiter) or ()) == width:
            for _ in range(ahead + 1):
                waiting.popleft()
            return _single(number, text, delimiter)
    return _single(number, line.replace('"', ""), delimiter, BROKEN_QUOTE)


def _split(line: str, delimiter: str) -> list[str] | None:
    if '"' not in line:
        return line.split(delimiter)
    try:
        return next(csv.reader(io.StringIO(line, newline=""), delimiter=delimiter), [])
    except csv.Error:
        return None
