"""The lines of a national address file, or of all those in a ZIP, read in pieces however large they are."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from madang.places import tabular
from madang.places.domain import FileRefusedError

EXPECTED = (
    "a file of road-name addresses (도로명주소 한글, 관련지번, 위치정보요약DB, 건물DB: text with |, or their ZIP)"
)
EXPECTED_KO = "도로명주소 파일(도로명주소 한글·관련지번·위치정보요약DB·건물DB 텍스트 또는 그 ZIP)"
MOST_MEMBERS = 400
MOST_RATIO = 120
"""Korean addresses compress ten to twenty times; what claims more is made to fill the disk."""
LONGEST_LINE = 20_000
PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Member:
    """One text of addresses: its name, and how many bytes it has."""

    name: str
    size: int
    encoding: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line: `text` None when its bytes are no text."""

    number: int
    text: str | None


def refusal(found: str, ko: str, hint: str = "") -> FileRefusedError:
    """A refusal that says what is taken."""
    return FileRefusedError(expected=EXPECTED, found=found, hint=hint, ko=f"{EXPECTED_KO}이 아닙니다: {ko}")


class Source:
    """A file or ZIP of address texts."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        """Raises `FileRefusedError` for what cannot be such a file, or would unpack to more than `max_bytes`."""
        self._path, self._max = path, max_bytes
        self._zip = zipfile.is_zipfile(path)
        if self._zip:
            self._members = self._listed()
        else:
            head = tabular.first_bytes(path)
            tabular.refuse_foreign(head, EXPECTED, EXPECTED_KO)
            self._members = [path.name]

    def _listed(self) -> list[str]:
        with zipfile.ZipFile(self._path) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
        texts = [info for info in infos if info.filename.lower().endswith((".txt", ".csv"))]
        if not texts:
            raise refusal(
                "a ZIP without a text file", "ZIP 안에 텍스트 파일이 없습니다.", "Unpack nested archives first"
            )
        if len(infos) > MOST_MEMBERS:
            raise refusal(f"a ZIP of {len(infos)} files", f"ZIP 안의 파일이 너무 많습니다({len(infos)}개).")
        if any(info.flag_bits & 1 for info in texts):
            raise refusal("an encrypted ZIP", "암호가 걸린 ZIP입니다.")
        total = sum(info.file_size for info in texts)
        packed = sum(info.compress_size for info in texts)
        if total > self._max or total > MOST_RATIO * max(packed, 1):
            raise refusal(
                f"a ZIP that unpacks to {total} bytes from {packed}",
                f"풀면 {total:,} 바이트가 되는 ZIP입니다(압축 {packed:,}).",
            )
        return [info.filename for info in texts]

    @property
    def size(self) -> int:
        """Bytes of text there are, as far as the file says."""
        if not self._zip:
            return self._path.stat().st_size
        with zipfile.ZipFile(self._path) as archive:
            return sum(archive.getinfo(name).file_size for name in self._members)

    def members(self) -> Iterator[tuple[Member, Iterator[Line]]]:
        """Each text with its lines."""
        if not self._zip:
            with self._path.open("rb") as file:
                yield self._open(self._path.name, self._path.stat().st_size, file)
            return
        with zipfile.ZipFile(self._path) as archive:
            for name in self._members:
                info = archive.getinfo(name)
                with archive.open(info) as packed:
                    yield self._open(name, info.file_size, packed)  # type: ignore[arg-type] # reads bytes all the same

    def _open(self, name: str, size: int, file: BinaryIO) -> tuple[Member, Iterator[Line]]:
        head = self._read(file)
        encoding = tabular.detect_encoding(head)
        if encoding == "utf-16":
            raise refusal("UTF-16 text", "UTF-16 파일입니다. CP949나 UTF-8로 저장하십시오.")
        return Member(name, size, encoding), self._lines(head, file, "utf-8" if encoding.startswith("utf") else "cp949")

    def _read(self, file: BinaryIO) -> bytes:
        try:
            return file.read(PIECE)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
            raise refusal(f"a damaged ZIP ({error})", f"ZIP이 깨졌습니다({error}). 다시 받으십시오.") from None

    def _lines(self, head: bytes, file: BinaryIO, encoding: str) -> Iterator[Line]:
        number, rest, piece, seen = 0, b"", head.removeprefix(b"\xef\xbb\xbf"), 0
        while piece:
            seen += len(piece)
            if seen > self._max:
                raise refusal(f"more than {self._max} bytes", f"풀린 크기가 {self._max:,} 바이트를 넘습니다.")
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                number += 1
                yield Line(number, _text(line, encoding))
            if len(rest) > LONGEST_LINE:
                raise refusal("a line without an end", f"{number + 1}행이 끝나지 않습니다.")
            piece = self._read(file)
        if rest.strip():
            yield Line(number + 1, _text(rest, encoding))


def _text(line: bytes, encoding: str) -> str | None:
    try:
        return line.rstrip(b"\r").decode(encoding)
    except UnicodeDecodeError:
        return None
