"""Writes what importers read: boundaries, base map and addresses, many rows at a time."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from madang.places.address import MAX_NUMBER, read
from madang.places.layers import Layer, bump

if TYPE_CHECKING:
    from collections.abc import Iterable

    from madang.journal.session import Session


@dataclass(frozen=True, slots=True)
class BoundaryRow:
    """One district: its GeoJSON geometry and its box (west, south, east, north; degrees)."""

    code: str
    name_ko: str
    name_en: str
    geometry: dict[str, Any]  # Any: GeoJSON
    box: tuple[float, float, float, float]
    level: str = "dong"


@dataclass(frozen=True, slots=True)
class FeatureRow:
    """One piece of the base map."""

    kind: str
    source_key: str
    name: str
    geometry: dict[str, Any]  # Any: GeoJSON
    box: tuple[float, float, float, float]
    rank: int = 0


@dataclass(frozen=True, slots=True)
class AddressRow:
    """An address in someone's file and where it is."""

    text: str
    lon: float
    lat: float


@dataclass(frozen=True, slots=True)
class Written:
    """How many rows a command made, changed and found as they were."""

    created: int = 0
    updated: int = 0


_Box = tuple[float, float, float, float]


def put_boundaries(tx: Session, authority: str, rows: Iterable[BoundaryRow]) -> Written:
    """Makes or updates districts by (level, code).

    A district of the same name in the same place that carried another code (KOSTAT's, the ministry's) takes the new
    one, so that a file with other codes renews the city instead of doubling it.
    """
    known = _known_districts(tx, authority)
    new = changed = 0
    for row in rows:
        before = known.get((row.level, row.code)) or _renumbered(tx, authority, row, known)
        new, changed = new + (before is None), changed + (before is not None)
        known[row.level, row.code] = (row.name_ko, row.box)
        tx.execute(
            "INSERT INTO places_boundary"
            " (authority, code, level, name_ko, name_en, geometry, west, south, east, north)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (authority, level, code) DO UPDATE SET name_ko = excluded.name_ko,"
            " name_en = excluded.name_en, geometry = excluded.geometry,"
            " west = excluded.west, south = excluded.south, east = excluded.east, north = excluded.north",
            (authority, row.code, row.level, row.name_ko, row.name_en, _geojson(row.geometry), *row.box),
        )
    bump(tx, authority, Layer.BOUNDARIES)
    return Written(new, changed)


def _known_districts(tx: Session, authority: str) -> dict[tuple[str, str], tuple[str, _Box]]:
    rows = tx.execute(
        "SELECT level, code, name_ko, west, south, east, north FROM places_boundary WHERE authority = ?", (authority,)
    )
    return {(row[0], row[1]): (row[2], (row[3], row[4], row[5], row[6])) for row in rows}


def _renumbered(
    tx: Session, authority: str, row: BoundaryRow, known: dict[tuple[str, str], tuple[str, _Box]]
) -> tuple[str, _Box] | None:
    for (level, code), (name, box) in known.items():
        if level == row.level and name == row.name_ko and _mostly_same(box, row.box):
            tx.execute(
                "UPDATE places_boundary SET code = ? WHERE authority = ? AND level = ? AND code = ?",
                (row.code, authority, level, code),
            )
            return known.pop((level, code))
    return None


def _mostly_same(a: _Box, b: _Box) -> bool:
    """Whether two boxes share more than half of the larger one."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    larger = max((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]))
    return width > 0 and height > 0 and width * height * 2 > larger


def put_features(tx: Session, authority: str, rows: Iterable[FeatureRow]) -> Written:
    """Makes or updates pieces of the base map by (kind, source key)."""
    known = {
        (kind, key)
        for kind, key in tx.execute("SELECT kind, source_key FROM places_basefeature WHERE authority = ?", (authority,))
    }
    batch = {(row.kind, row.source_key): row for row in rows}
    tx.executemany(
        "INSERT INTO places_basefeature"
        " (authority, kind, source_key, name, rank, geometry, west, south, east, north)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (authority, kind, source_key) DO UPDATE SET name = excluded.name, rank = excluded.rank,"
        " geometry = excluded.geometry,"
        " west = excluded.west, south = excluded.south, east = excluded.east, north = excluded.north",
        [
            (authority, row.kind, row.source_key, row.name, row.rank, _geojson(row.geometry), *row.box)
            for row in batch.values()
        ],
    )
    bump(tx, authority, Layer.BASEMAP)
    changed = len(known & batch.keys())
    return Written(len(batch) - changed, changed)


def put_addresses(tx: Session, authority: str, rows: Iterable[AddressRow]) -> int:
    """Makes or moves addresses; texts without a street and number are passed over. Returns how many were written."""
    values: dict[tuple[object, ...], tuple[object, ...]] = {}
    for row in rows:
        address = read(row.text)
        if address is None or not 0 < address.main < MAX_NUMBER:
            continue
        street, area = address.street[:100], " ".join(address.areas)[:100]
        key = (street, address.main, address.sub, area, address.hill)
        values[key] = (authority, *key, row.text[:300], row.lon, row.lat, address.kind.value)
    tx.executemany(
        "INSERT INTO places_addresspoint"
        " (authority, street, main_number, sub_number, area, hill, address, lon, lat, kind)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (authority, street, main_number, sub_number, area, hill) DO UPDATE SET"
        " address = excluded.address, lon = excluded.lon, lat = excluded.lat",
        [values[key] for key in sorted(values)],
    )
    bump(tx, authority, Layer.ADDRESSES)
    return len(values)


def _geojson(geometry: dict[str, Any]) -> str:  # Any: GeoJSON
    return json.dumps(geometry, ensure_ascii=False, separators=(",", ":"))
