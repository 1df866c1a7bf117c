"""What a notification will be made of: kept with the change that caused it, rendered when it is sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import orjson

from madang.hub.changes import Stored
from madang.hub.subscriptions.happening import Happening, Phase, tombstone

Json = Any  # Any: parts of a kept document


class Occurrence(msgspec.Struct, kw_only=True):
    """One entity as the change left it. `previous` are attributes as they were before, `gone` stands for what went."""

    id: str
    types: tuple[str, ...]
    phase: Phase
    body: msgspec.Raw
    created_ms: int
    modified_ms: int
    version: int
    stamps: dict[str, list[int]] = {}
    gone: dict[str, list[Json]] = {}
    previous: dict[str, Json] = {}

    def stored(self) -> Stored:
        """The entity as the store held it."""
        return Stored(
            0, self.id, self.types, bytes(self.body), self.stamps, self.created_ms, self.modified_ms, self.version
        )


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(list[Occurrence])


def material(happening: Happening, *, changes: bool) -> bytes:
    """What is kept for a notification of a change; with what was before, where the subscription shows changes."""
    stored = happening.subject.stored
    deleted = happening.phase is Phase.DELETED
    gone = happening.gone()
    previous: dict[str, Json] = {}
    if changes and deleted:
        attributes = stored.attributes()
        gone = {name: [tombstone(one) for one in _listed(value)] for name, value in attributes.items()}
        previous = attributes
    elif changes:
        previous = {name: happening.before[name] for name in happening.touched if name in happening.before}
    return _encoded([_occurrence(stored, happening.phase, gone, previous)])


def periodic(entities: Sequence[Stored]) -> bytes:
    """What is kept for a notification that comes by the clock."""
    return _encoded([_occurrence(one, Phase.UPDATED, {}, {}) for one in entities])


def _occurrence(stored: Stored, phase: Phase, gone: dict[str, list[Json]], previous: dict[str, Json]) -> Occurrence:
    return Occurrence(
        id=stored.id,
        types=stored.types,
        phase=phase,
        body=msgspec.Raw(stored.body),
        created_ms=stored.created_ms,
        modified_ms=stored.modified_ms,
        version=stored.version,
        stamps=stored.stamps,
        gone=gone,
        previous=previous,
    )


def _encoded(occurrences: list[Occurrence]) -> bytes:
    return _ENCODER.encode(occurrences)


def occurrences(kept: bytes) -> list[Occurrence]:
    """The entities of a kept notification."""
    return _DECODER.decode(kept)


def entity_ids(kept: bytes) -> list[str]:
    """The ids alone, for lists that people read."""
    return [str(one["id"]) for one in orjson.loads(kept)]


def _listed(value: Json) -> list[Json]:
    return value if isinstance(value, list) else [value]
