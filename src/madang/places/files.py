"""The files a city's imports build: search index, ground, map tiles. Written aside, put in place whole."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

from madang.kernel.canonical import digest
from madang.places.imports import config
from madang.places.models import CityFile

if TYPE_CHECKING:
    from madang.journal.session import Session


class Part(StrEnum):
    """What a file holds."""

    ADDRESSES = "addresses"
    GROUND = "ground"
    TILES = "tiles"
    HORIZONS = "horizons"
    """How far cameras see before a building: the rooms above build it out of the ground."""


_SUFFIX = {Part.ADDRESSES: "sqlite3", Part.GROUND: "sqlite3", Part.TILES: "pmtiles", Part.HORIZONS: "npz"}


@dataclass(frozen=True, slots=True)
class Published:
    """A file in place: `token` names exactly its content; `source` says what it was built from."""

    path: Path
    token: str
    source: str
    made_at: datetime


def folder(authority: str) -> Path:
    """Where a city's files lie, made if need be."""
    name = authority if re.fullmatch(r"[\w-]{1,60}", authority) else digest(authority.encode())[:32]
    found = Path(settings.BASE_DIR) / config().files_dir / name
    found.mkdir(parents=True, exist_ok=True)
    return found


def current(authority: str, part: Part) -> Published | None:
    """The file that holds now; None where none was built or it is gone."""
    row = (
        CityFile.objects.filter(authority_id=authority, part=part.value)
        .values_list("name", "token", "source", "made_at")
        .first()
    )
    if row is None:
        return None
    path = folder(authority) / row[0]
    return Published(path, row[1], row[2], row[3]) if path.is_file() else None


@contextmanager
def building(authority: str, part: Part) -> Iterator[Path]:
    """A path to write a new file to; what is left of it afterwards is removed unless `publish` took it."""
    path = folder(authority) / f".{part.value}-{secrets.token_hex(6)}.part"
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def publish(tx: Session, authority: str, part: Part, made: Path, source: str, now: datetime) -> Published:
    """Puts a finished file in place of the one before, which readers that have it open may finish with."""
    token = secrets.token_hex(8)
    target = folder(authority) / f"{part.value}-{token}.{_SUFFIX[part]}"
    with made.open("rb+") as file:
        os.fsync(file.fileno())
    made.rename(target)
    before = CityFile.objects.filter(authority_id=authority, part=part.value).values_list("name", flat=True).first()
    tx.execute(
        "INSERT INTO places_cityfile (authority, part, name, token, source, size, made_at) VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (authority, part) DO UPDATE SET name = excluded.name, token = excluded.token,"
        " source = excluded.source, size = excluded.size, made_at = excluded.made_at",
        (authority, part.value, target.name, token, source, target.stat().st_size, now),
    )
    _forget_older(authority, part, {target.name, before})
    return Published(target, token, source, now)


def _forget_older(authority: str, part: Part, kept: set[str | None]) -> None:
    for path in folder(authority).glob(f"{part.value}-*.{_SUFFIX[part]}"):
        if path.name not in kept:
            with suppress(OSError):
                path.unlink()
