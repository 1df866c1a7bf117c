"""Parquet files: written under another name, made durable, then renamed. Sorted by attribute, entity and time, so that
a question about one of them reads little of a file."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from madang.hub.errors import StoreRefusedError
from madang.hub.history.engine import parquet
from madang.hub.history.instances import COLUMNS
from madang.hub.history.rows import HistoryFile
from madang.kernel.ids import new_id

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SUFFIX = ".parquet"
_UNFINISHED = ".unfinished"
ORDER = "attribute, entity, dataset, observed_us, seq, place"
_NAMES = ", ".join(COLUMNS)
_OPTIONS = "FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880"
_BOUNDS = (
    "count(*), min(observed_us), max(observed_us), min(modified_us), max(modified_us), min(created_us),"
    " max(created_us), count(deleted_us)"
)
Step = Callable[[str], None]


def copy_statement(source: str, target: Path) -> str:
    """The statement that writes a relation in this format; the benchmark uses it too."""
    path = str(target).replace("'", "''")
    return f"COPY (SELECT {_NAMES} FROM {source} ORDER BY {ORDER}) TO '{path}' ({_OPTIONS})"  # noqa: S608


def write(
    cursor: DuckDBPyConnection, source: str, directory: Path, tenant: int, types: str, day: str, step: Step
) -> HistoryFile | None:
    """Writes what `source` (a relation) selects to a file that is durable before this returns; None for nothing."""
    folder = directory / str(tenant) / hashlib.sha256(types.encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{day}-{new_id()}"
    unfinished, final = folder / (name + _UNFINISHED), folder / (name + SUFFIX)
    cursor.execute(copy_statement(source, unfinished))
    step("written")
    bounds = cursor.execute(f"SELECT {_BOUNDS} FROM {parquet([str(unfinished)])}").fetchall()[0]  # noqa: S608 -- ours
    if not bounds[0]:
        unfinished.unlink()
        return None
    size, digest = _synced(unfinished)
    step("synced")
    unfinished.rename(final)
    for parent in (folder, folder.parent, directory):
        _sync_folder(parent)
    step("renamed")
    path = str(final.relative_to(directory))
    return HistoryFile(0, tenant, types, day, path, bounds[0], size, digest, *bounds[1:])


def _synced(path: Path) -> tuple[int, str]:
    hashed, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            hashed.update(part)
            size += len(part)
        os.fsync(file.fileno())
    return size, hashed.hexdigest()


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove(directory: Path, paths: Iterable[str]) -> None:
    """Removes files; those gone already are no fault."""
    for path in paths:
        (directory / path).unlink(missing_ok=True)


def own(directory: Path, epoch: str) -> None:
    """Marks a folder as a store's own; raises `StoreRefusedError` where it is another's: its files would be swept."""
    directory.mkdir(parents=True, exist_ok=True)
    mark = directory / "STORE"
    if not mark.exists():
        mark.write_text(epoch)
    elif mark.read_text() != epoch:
        raise StoreRefusedError(
            f"{directory} holds the history of another store", where="hub.history", hint="Give each its own folder"
        )


def copy(directory: Path, target: Path) -> None:
    """Copies a store's files, and the mark whose they are."""
    if directory.exists():
        shutil.copytree(directory, target, ignore=shutil.ignore_patterns("spill", "*" + _UNFINISHED))


def sweep(directory: Path, known: set[str]) -> int:
    """Removes files nobody speaks of: left by a crash between writing and the store's commit. How many."""
    removed = 0
    for pattern in ("*/*/*" + SUFFIX, "*/*/*" + _UNFINISHED):
        for found in directory.glob(pattern):
            if str(found.relative_to(directory)) not in known:
                found.unlink(missing_ok=True)
                removed += 1
    return removed
