"""Copies of both stores and what lies beside them: taken while the platform runs, verified before they are put back."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from madang import __version__
from madang.kernel.clock import instant_text, system_clock
from madang.kernel.errors import BadRequestError, ConflictError, NotFoundError
from madang.site.stores import NewerStoreError, hub_version, newest_hub_version, only_one

if TYPE_CHECKING:
    from madang.site.config import Config

MANIFEST = "manifest.json"
FORMAT = 1
CIVIC, HUB, CHECKPOINTS = "civic.sqlite3", "hub.sqlite3", "audit-checkpoints.jsonl"
HISTORY = "hub.history"
EVIDENCE = "evidence"
_ARCHIVES = (".tar", ".tar.gz", ".tgz")
_PART_BYTES = 1 << 20

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Kept:
    """One file of a backup."""

    name: str
    sha256: str
    size: int
    rows: dict[str, int]


def back_up(config: Config, target: Path, *, now: datetime, progress: Progress = lambda _: None) -> Path:
    """Copies both stores to a new directory, or to a new archive if the name ends in .tar, .tar.gz or .tgz.

    The civic store is copied first: what it has already read of the hub's feed is then surely in the hub's copy, and
    what it has told the hub since is told again. The target appears only when complete.
    """
    if target.exists():
        raise ConflictError(f"{target} exists already; nothing was written")
    if not config.civic_path.exists():
        raise NotFoundError(f"there is no civic store at {config.civic_path} to copy")
    target.parent.mkdir(parents=True, exist_ok=True)
    with _staging(target.parent) as stage:
        files = list(_copy(config, stage, progress))
        _write_manifest(stage, files, now)
        _publish(stage, target)
    return target


def before_upgrade(config: Config) -> Path:
    """The copy made before an older store is upgraded."""
    now = system_clock()
    name = f"before-{__version__}-{now:%Y%m%dT%H%M%SZ}"
    return back_up(config, config.backups_dir / name, now=now)


def _copy(config: Config, stage: Path, progress: Progress) -> Iterator[Kept]:
    progress("civic store")
    yield _described(stage / CIVIC, _copy_civic(config.civic_path, stage / CIVIC))
    progress("evidence")
    yield from _copy_evidence(config.evidence_path, stage)
    _link_history(config.history_path, stage / HISTORY)
    if config.hub_address:
        progress("hub store")
        yield _described(stage / HUB, _copy_clustered_hub(config.hub_address, stage / HUB))
    elif config.hub_path.exists():
        progress("hub store")
        yield _described(stage / HUB, _copy_hub(config.hub_path, stage / HUB))
    yield from _keep_history(config.history_path, stage)
    checkpoints = getattr(config.rooms.get("journal"), "checkpoint_file", None)
    if checkpoints is not None and Path(checkpoints).exists():
        shutil.copy2(checkpoints, stage / CHECKPOINTS)
        yield _described(stage / CHECKPOINTS, {})


def _copy_civic(source: Path, target: Path) -> dict[str, int]:
    """SQLite's own online copy: readers and writers go on meanwhile. Returns the rows of each table."""
    with (
        contextlib.closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as live,
        contextlib.closing(sqlite3.connect(target)) as copy,
    ):
        live.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
        tables = [name for (name,) in copy.execute("SELECT name FROM sqlite_master WHERE type='table' ORDER BY name")]
        rows = {name: copy.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in tables}  # noqa: S608 -- our own table names
    _synced(target)
    return rows


def _copy_hub(source: Path, target: Path) -> dict[str, int]:
    """The same through apsw, the only library that may open the hub's file."""
    import apsw

    live = apsw.Connection(str(source), flags=apsw.SQLITE_OPEN_READONLY)
    copy = apsw.Connection(str(target))
    try:
        with copy.backup("main", live, "main") as job:
            while not job.done:
                job.step(1_000)
        copy.execute("PRAGMA journal_mode=DELETE")
        tables = [
            str(name) for (name,) in copy.execute("SELECT name FROM sqlite_master WHERE type='table' ORDER BY name")
        ]
        plain = [name for name in tables if not _is_shadow(name, tables)]
        rows = {name: _count(copy, name) for name in plain}
    finally:
        copy.close()
        live.close()
    _synced(target)
    return rows


def _copy_clustered_hub(address: str, target: Path) -> dict[str, int]:
    """A store in PostgreSQL as a file, of one moment, every table compared."""
    from madang.hub import moving

    moved = moving.move(address, str(target), lambda _table, _done, _all: None)
    _synced(target)
    return {one.table: one.rows_to for one in moved}


def _copy_evidence(folder: Path, stage: Path) -> Iterator[Kept]:
    """The sealed files, after the rows that hold their keys: one may only have grown since, which its row ignores."""
    for found in sorted(folder.glob("*/*.sealed")):
        kept = stage / EVIDENCE / found.relative_to(folder)
        kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):  # erased meanwhile
            shutil.copy2(found, kept)
            yield replace(_described(kept, {}), name=f"{EVIDENCE}/{found.relative_to(folder)}")


def _link_history(folder: Path, target: Path) -> None:
    """Keeps the files of older history from going: they never change, but they are replaced and then removed.

    Done before the store is copied and once more after, so that whatever moment the copy shows, its files are there.
    """
    for found in [folder / "STORE", *folder.glob("*/*/*.parquet")]:
        kept = target / found.relative_to(folder)
        if kept.exists():
            continue
        kept.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            try:
                os.link(found, kept)
            except OSError:
                shutil.copy2(found, kept)


def _keep_history(folder: Path, stage: Path) -> Iterator[Kept]:
    """Keeps the files that the copied store lists, and no others; raises `NotFoundError` where one is away."""
    _link_history(folder, stage / HISTORY)
    listed = _history_of(stage / HUB)
    for found in stage.glob(f"{HISTORY}/*/*/*"):
        if str(found.relative_to(stage / HISTORY)) not in listed:
            found.unlink()
    for name in sorted(listed | {"STORE"} if listed else listed):
        kept = stage / HISTORY / name
        if not kept.exists():
            raise NotFoundError(f"the hub's history lacks {folder / name}; nothing was written")
        yield replace(_described(kept, {}), name=f"{HISTORY}/{name}")
    if not listed:
        shutil.rmtree(stage / HISTORY, ignore_errors=True)


def _history_of(hub: Path) -> set[str]:
    if not hub.exists():
        return set()
    import apsw

    copy = apsw.Connection(str(hub), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return {str(path) for (path,) in copy.execute("SELECT path FROM history_file WHERE gone_ms IS NULL")}
    except apsw.SQLError:  # a store from before there were files
        return set()
    finally:
        copy.close()


def _is_shadow(name: str, tables: list[str]) -> bool:
    """Whether a table only carries an R*Tree or full-text index."""
    return any(name.startswith(f"{other}_") and other != name for other in tables if other + "_node" in tables)


def _count(connection: Any, table: str) -> int:  # Any: apsw is imported late
    return int(connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0])  # noqa: S608 -- our own table names


def _described(path: Path, rows: dict[str, int]) -> Kept:
    return Kept(path.name, _sha256(path), path.stat().st_size, rows)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _synced(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _write_manifest(stage: Path, files: list[Kept], now: datetime) -> None:
    manifest = {
        "format": FORMAT,
        "madang": __version__,
        "made_at": instant_text(now),
        "migrations": _migrations(stage / CIVIC),
        "hub_version": hub_version(stage / HUB),
        "files": {kept.name: {"sha256": kept.sha256, "bytes": kept.size, "rows": kept.rows} for kept in files},
    }
    path = stage / MANIFEST
    path.write_text(json.dumps(manifest, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    _synced(path)


def _migrations(civic: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(civic)) as copy:
        try:
            rows = copy.execute("SELECT app, name FROM django_migrations ORDER BY app, name").fetchall()
        except sqlite3.OperationalError:
            return []
    return [f"{app}.{name}" for app, name in rows]


@contextlib.contextmanager
def _staging(parent: Path) -> Iterator[Path]:
    stage = Path(tempfile.mkdtemp(prefix=".madang-", dir=parent))
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _publish(stage: Path, target: Path) -> None:
    if not target.name.endswith(_ARCHIVES):
        stage.rename(target)
        return
    packed = stage.with_name(stage.name + ".part")
    mode: Any = "w" if target.name.endswith(".tar") else "w:gz"  # Any: tarfile wants a literal
    with tarfile.open(packed, mode) as archive:
        for path in sorted(stage.iterdir()):
            archive.add(path, path.name)
    packed.chmod(0o600)
    _synced(packed)
    packed.rename(target)


def restore(config: Config, source: Path, *, now: datetime, progress: Progress = lambda _: None) -> Path | None:
    """Puts a backup in place of both stores; returns where the replaced ones were moved, or None if there were none.

    Nothing is touched unless every digest agrees, no server runs on the state directory, and this release knows the
    backup's form. An older backup is upgraded at the next start.
    """
    with only_one(config), _staging(config.state_dir) as stage:
        progress("unpacking")
        _unpack(source, stage)
        manifest = verified(stage)
        _refuse_newer(manifest, source)
        progress("putting in place")
        return _exchange(config, stage, manifest, now)


def _unpack(source: Path, stage: Path) -> None:
    if source.is_dir():
        for name in (MANIFEST, CIVIC, HUB, CHECKPOINTS):
            if (source / name).is_file():
                shutil.copy2(source / name, stage / name)
        for folder in (HISTORY, EVIDENCE):
            if (source / folder).is_dir():
                shutil.copytree(source / folder, stage / folder)
        return
    try:
        with tarfile.open(source) as archive:
            members = [item for item in archive.getmembers() if _is_ours(item.name)]
            archive.extractall(stage, members, filter="data")
    except FileNotFoundError:
        raise NotFoundError(f"there is no backup at {source}") from None
    except (tarfile.TarError, OSError, EOFError) as error:
        raise BadRequestError(f"{source} is not a backup of Madang: {error}") from None


def _is_ours(name: str) -> bool:
    return name in (MANIFEST, CIVIC, HUB, CHECKPOINTS) or name.startswith((f"{HISTORY}/", f"{EVIDENCE}/"))


def verified(directory: Path) -> dict[str, Any]:  # Any: decoded JSON
    """The manifest of an unpacked backup, every file compared with its digest; raises `BadRequestError`."""
    try:
        manifest: dict[str, Any] = json.loads((directory / MANIFEST).read_text(encoding="utf-8"))
        files = {str(name): str(facts["sha256"]) for name, facts in manifest["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise BadRequestError(f"this is not a backup of Madang: it has no readable {MANIFEST}") from None
    if manifest.get("format") != FORMAT or CIVIC not in files or not all(map(_is_ours, files)):
        raise BadRequestError(f"this backup has a form this release does not know: {manifest.get('format')!r}")
    for name, expected in files.items():
        path = directory / name
        if not path.is_file():
            raise BadRequestError(f"the backup lacks {name}, which its manifest names")
        if _sha256(path) != expected:
            raise BadRequestError(
                f"{name} in the backup was changed or damaged: its SHA-256 differs from the manifest's"
            )
    return manifest


def _refuse_newer(manifest: dict[str, Any], source: Path) -> None:  # Any: decoded JSON
    from django.db.migrations.loader import MigrationLoader

    loader = MigrationLoader(None, ignore_no_migrations=True)
    known = {".".join(key) for key in loader.disk_migrations}
    ours = {app for app, _ in loader.disk_migrations}
    unknown = [name for name in manifest.get("migrations", []) if name not in known and name.split(".")[0] in ours]
    if int(manifest.get("hub_version", 0)) > newest_hub_version():
        unknown.append(f"hub version {manifest['hub_version']}")
    if unknown:
        raise NewerStoreError(
            f"{source} was made by a newer release ({unknown[0]} is unknown here); install that release"
        )


def _exchange(config: Config, stage: Path, manifest: dict[str, Any], now: datetime) -> Path | None:  # Any: JSON
    checkpoints = getattr(config.rooms.get("journal"), "checkpoint_file", None)
    places = {CIVIC: config.civic_path, HUB: config.hub_path}
    if checkpoints is not None:
        places[CHECKPOINTS] = Path(checkpoints)
    aside = config.backups_dir / f"replaced-{now:%Y%m%dT%H%M%SZ}"
    folders = {HISTORY: config.history_path, EVIDENCE: config.evidence_path}
    moved = [_move_aside(path, aside) for path in (*places.values(), *folders.values())]
    for name in manifest["files"]:
        if name in places:
            places[name].parent.mkdir(parents=True, exist_ok=True)
            shutil.move(stage / name, places[name])
    for name, folder in folders.items():
        if (stage / name).exists():
            folder.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(stage / name, folder)
    return aside if any(moved) else None


def _move_aside(path: Path, aside: Path) -> bool:
    """Moves a store with its write-ahead log, which belongs to it and to no other."""
    found = [part for part in (path, Path(f"{path}-wal"), Path(f"{path}-shm")) if part.exists()]
    for part in found:
        aside.mkdir(parents=True, exist_ok=True)
        shutil.move(part, aside / part.name)
    return bool(found)
