"""The timeline of an incident: append-only, each line chained to the one before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from madang.kernel.canonical import canonical_json, digest
from madang.kernel.clock import instant_text
from madang.response.models import Incident, TimelineEntry

FIRST = "0" * 64


@dataclass(frozen=True, slots=True)
class Line:
    """What to write: a stable kind, both languages, JSON facts, and (for what may be told twice) a reference."""

    kind: str
    ko: str
    en: str
    payload: Mapping[str, Any] = field(default_factory=dict)  # Any: JSON values
    ref: str = ""


def append(incident: Incident, line: Line, *, actor: str, actor_name: str = "", now: datetime) -> TimelineEntry | None:
    """Writes `line`, in the caller's transaction; None if its reference was written before."""
    if line.ref and TimelineEntry.objects.filter(incident=incident, kind=line.kind, ref=line.ref).exists():
        return None
    last = TimelineEntry.objects.filter(incident=incident).order_by("-seq").first()
    entry = TimelineEntry(
        incident=incident,
        seq=1 if last is None else last.seq + 1,
        at=now,
        actor=actor,
        actor_name=actor_name,
        kind=line.kind,
        text_ko=line.ko,
        text_en=line.en,
        payload=dict(line.payload),
        ref=line.ref,
        prev_hash=FIRST if last is None else last.hash,
    )
    entry.hash = hash_of(entry)
    entry.save(force_insert=True)
    return entry


def hash_of(entry: TimelineEntry) -> str:
    """SHA-256 over the canonical JSON of everything the line says and the hash of the line before."""
    return digest(
        canonical_json(
            {
                "incident": entry.incident_id,
                "seq": entry.seq,
                "at": instant_text(entry.at),
                "actor": entry.actor,
                "actor_name": entry.actor_name,
                "kind": entry.kind,
                "text_ko": entry.text_ko,
                "text_en": entry.text_en,
                "payload": entry.payload,
                "ref": entry.ref,
                "prev_hash": entry.prev_hash,
            }
        )
    )


def first_broken(incident_id: str) -> int | None:
    """The number of the first line that was changed, removed or moved; None when the chain holds."""
    previous = FIRST
    for expected, entry in enumerate(TimelineEntry.objects.filter(incident_id=incident_id).order_by("seq"), start=1):
        if entry.seq != expected or entry.prev_hash != previous or entry.hash != hash_of(entry):
            return expected
        previous = entry.hash
    return None
