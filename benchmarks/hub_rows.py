"""The rows that the hub keeps of an entity, written by bare grouped statements: the peer of every write the hub is
held against, and the quick way to a large store.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import apsw
import orjson

from madang.hub.sqlite.schema import CHANGE_BITS, ensure_indexes, migrate

Json = Any  # Any: JSON members
TENANT = "bench"
TYPE = "AirQualityObserved"
INDEXED = "pm25"
POLLUTANTS = ("pm10", "pm25", "o3", "no2", "co")
SHAPES = {**dict.fromkeys(POLLUTANTS, 1), "refDevice": 2, "name": 1, "location": 4}


def entity(number: int, *, location: bool, shift: int = 0) -> dict[str, Json]:
    """An entity of about 700 bytes: readings of an air-quality station; another `shift` makes other readings."""
    members: dict[str, Json] = {"id": f"urn:ngsi-ld:{TYPE}:{number}", "type": TYPE}
    if location:
        spot = {"type": "Point", "coordinates": [128.8 + number % 997 / 5000, 35.1 + number % 991 / 5000]}
        members["location"] = {"type": "GeoProperty", "value": spot}
    for place, name in enumerate(POLLUTANTS):
        members[name] = {
            "type": "Property",
            "value": (number * 7 + place * 13 + shift) % 400 / 2,
            "unitCode": "GQ",
            "observedAt": "2026-11-22T00:00:00Z",
        }
    members["refDevice"] = {"type": "Relationship", "object": f"urn:ngsi-ld:Device:{number % 1000}"}
    members["name"] = {"type": "Property", "value": f"김해 측정소 {number}"}
    return members


class BareWriter:
    """Writes the same rows to the same tables and indexes as the hub does, with the same durability, and no more."""

    def __init__(self, path: Path, indexed: tuple[str, ...] = (INDEXED,), *, synchronous: str = "FULL") -> None:
        self.connection = apsw.Connection(str(path))
        pragmas = ("journal_mode=WAL", f"synchronous={synchronous}", "wal_autocheckpoint=4000", "cache_size=-64000")
        for pragma in pragmas:
            self.connection.execute(f"PRAGMA {pragma}")
        migrate(self.connection, str(path))
        ensure_indexes(self.connection, indexed)
        self.connection.execute("INSERT OR IGNORE INTO tenant VALUES (1, ?)", (TENANT,))
        self.connection.execute("INSERT OR IGNORE INTO kind VALUES (1, 1, ?)", (TYPE,))
        shapes = [(1, name, shape) for name, shape in SHAPES.items()]
        self.connection.executemany("INSERT OR IGNORE INTO attribute VALUES (?, ?, ?)", shapes)
        self.at_ms = time.time_ns() // 1_000_000  # of now: older changes would be dropped while the hub is measured
        self._key = self._last("key", "entity")
        self._seq = max(self._last("seq", "change"), 1 << CHANGE_BITS)

    def _last(self, column: str, table: str) -> int:
        sql = f"SELECT coalesce(max({column}), 0) FROM {table}"
        return int(str(self.connection.execute(sql).fetchall()[0][0]))

    def first(self, count: int) -> list[tuple[str, bytes]]:
        """Ids and bodies of the first entities."""
        rows = self.connection.execute("SELECT id, body FROM entity ORDER BY key LIMIT ?", (count,))
        return [(str(entity_id), bytes(body)) for entity_id, body in rows]

    def insert(self, group: Sequence[tuple[dict[str, Json], bytes]]) -> None:
        """Begins a transaction and writes new entities, each with its JSON; the caller commits."""
        entities, kinds, places, changes = [], [], [], []
        for one, kept in group:
            self._key += 1
            self._seq += 1
            key = self._key
            spots = 1 if "location" in one else 0
            entities.append((key, 1, one["id"], one["type"], self.at_ms, self.at_ms, 1, spots, kept))
            kinds.append((1, key))
            changes.append((self._seq, key, 1, self.at_ms, "bench", kept))
            if spots:
                lon, lat = one["location"]["value"]["coordinates"]
                places.append((key * 16, lon, lon, lat, lat, key, "location", lon, lat, None))
        many = self.connection.executemany
        self.connection.execute("BEGIN IMMEDIATE")
        many(
            "INSERT INTO entity (key, tenant, id, types, created_ms, modified_ms, version, spots, body, doc)"
            " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, jsonb(CAST(?9 AS TEXT)))",
            entities,
        )
        many("INSERT INTO entity_kind VALUES (?, ?)", kinds)
        many("INSERT INTO change VALUES (?, ?, ?, ?, ?, ?)", changes)
        if places:
            many("INSERT INTO place VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", places)

    def update(self, group: Sequence[tuple[int, bytes, bytes]]) -> None:
        """Begins a transaction and exchanges bodies (key, JSON, system attributes as JSON); the caller commits."""
        entities, changes = [], []
        for key, kept, stamps in group:
            self._seq += 1
            entities.append((self.at_ms, 2, stamps.decode(), kept, key))
            changes.append((self._seq, key, 3, self.at_ms, "bench", kept))
        many = self.connection.executemany
        self.connection.execute("BEGIN IMMEDIATE")
        many(
            "UPDATE entity SET modified_ms = ?1, version = ?2, stamps = ?3, body = ?4, doc = jsonb(CAST(?4 AS TEXT))"
            " WHERE key = ?5",
            entities,
        )
        many("INSERT INTO change VALUES (?, ?, ?, ?, ?, ?)", changes)

    def commit(self) -> None:
        """Ends the transaction; it is durable when this returns."""
        self.connection.execute("COMMIT")


def seed(path: Path, count: int, *, location: bool = True) -> None:
    """A store of so many entities. Nothing is synced before the end: a power cut would only cost the benchmark."""
    writer = BareWriter(path, synchronous="OFF")
    for group in _groups(count, location):
        writer.insert(group)
        writer.commit()
    writer.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    writer.connection.close()


def _groups(count: int, location: bool) -> Iterator[list[tuple[dict[str, Json], bytes]]]:
    for first in range(0, count, 5_000):
        made = (entity(number, location=location) for number in range(first, min(first + 5_000, count)))
        yield [(one, orjson.dumps(one)) for one in made]
