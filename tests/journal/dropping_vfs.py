"""A disk that forgets: what SQLite wrote and did not sync is lost in a crash, but for a random, torn part of it."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from typing import Any

import apsw

Write = tuple[int, bytes | None]
"""Offset and data; None cuts the file there."""


class DroppingVFS(apsw.VFS):
    """Opens files whose writes stay in memory until they are synced."""

    def __init__(self, name: str = "dropping") -> None:
        super().__init__(name, "")
        self.files: list[DroppingFile] = []

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> DroppingFile:  # noqa: N802 -- SQLite's name
        file = DroppingFile(name, flags)
        self.files.append(file)
        return file

    def crash(self, chance: random.Random) -> None:
        """Lets some of what was not synced reach the disk, as a real one may. The process must die after this."""
        for file in self.files:
            file.leak(chance)


class DroppingFile(apsw.VFSFile):
    """One file: `_view` is what SQLite sees, `_unsynced` what the disk has not got."""

    def __init__(self, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        super().__init__("", name, flags)
        self._path = name.filename() if isinstance(name, apsw.URIFilename) else name
        self._view = bytearray(super().xRead(super().xFileSize(), 0)) if super().xFileSize() else bytearray()
        self._unsynced: list[Write] = []

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802 -- SQLite's name
        return bytes(self._view[offset : offset + amount])

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802 -- SQLite's name; Any: a buffer
        copy = bytes(data)
        if len(self._view) < offset:
            self._view.extend(bytes(offset - len(self._view)))
        self._view[offset : offset + len(copy)] = copy
        self._unsynced.append((offset, copy))

    def xTruncate(self, size: int) -> None:  # noqa: N802 -- SQLite's name
        del self._view[size:]
        self._unsynced.append((size, None))

    def xFileSize(self) -> int:  # noqa: N802 -- SQLite's name
        return len(self._view)

    def xSync(self, flags: int) -> None:  # noqa: N802 -- SQLite's name
        for offset, data in self._unsynced:
            if data is None:
                super().xTruncate(offset)
            else:
                super().xWrite(data, offset)
        self._unsynced.clear()

    def leak(self, chance: random.Random) -> None:
        """Writes a random part of what was not synced."""
        if self._path is None or not self._unsynced:
            return
        descriptor = os.open(self._path, os.O_RDWR)
        for offset, data in self._some(chance):
            if data is not None:
                os.pwrite(descriptor, data[: chance.randint(0, len(data))], offset)
        os.close(descriptor)

    def _some(self, chance: random.Random) -> Sequence[Write]:
        return [write for write in self._unsynced if chance.random() < 0.5]
