"""Taking signals in: each is kept exactly once before anything is done about it, many in one transaction.

The signal's row is its own inbox: unique by sender's id within city, mode, source and device, with a digest of what was
said. SQL on this path, no ORM.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import msgspec
import orjson

from madang.identity.access import require
from madang.identity.rights import Actor, Right, Thing
from madang.journal import alarms
from madang.journal.session import Session
from madang.kernel.canonical import canonical_json, digest
from madang.kernel.clock import instant_text
from madang.kernel.ids import new_id
from madang.kernel.mode import Mode
from madang.response.signals.domain import Source

JSON = Any  # Any: a JSON value
WAKE = "signals"
"""The signal that is set when signals were taken in."""

MOST_TEXT = 4_000
MOST_ATTRIBUTES_BYTES = 16_384
MOST_EFFECTS = 16
_AT_ONCE = 400
_LENGTHS = {
    "source_id": (1, 200),
    "device": (0, 100),
    "class_code": (1, 64),
    "address": (0, 500),
    "text": (0, MOST_TEXT),
    "media_ref": (0, 500),
    "rule": (0, 120),
}


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A report as its sender tells it.

    `source_id` is the sender's own id of this report, unique within (authority, mode, source, device). `device` is who
    saw it: debounce and chatter are per device. `priority` 0–4 is a proposal; None leaves it to the class. `ending`
    says that what was reported before is over: it annotates, and opens nothing. `rule` is "name@version" and `effects`
    what that rule wants done to the incident the signal ends in.
    """

    authority: str
    mode: Mode
    source: str
    source_id: str
    device: str
    class_code: str
    observed_at: datetime
    lon: float | None
    lat: float | None
    accuracy_m: float | None
    address: str = ""
    priority: int | None = None
    confidence: float | None = None
    text: str = ""
    media_ref: str = ""
    attributes: Mapping[str, JSON] = {}
    rule: str = ""
    effects: tuple[Mapping[str, JSON], ...] = ()
    ending: bool = False


class Receipt(StrEnum):
    """What became of a draft. Only a commit makes it true: answer the sender after that."""

    NEW = "new"
    REPEATED = "repeated"
    CONFLICTING = "conflicting"
    """The id was used before for something else: the first report stands, and an alarm is raised."""
    REFUSED = "refused"
    """It cannot be kept as it is; `reason` says why."""


class Answer(msgspec.Struct, frozen=True):
    """The receipt of one draft. `signal_id` is empty when it was refused."""

    receipt: Receipt
    signal_id: str = ""
    reason: str = ""


_Key = tuple[str, str, str, str, str]
_COLUMNS = (
    "id, authority, mode, source, device, source_id, body_digest, class_code, observed_at, received_at, lon, lat,"
    " accuracy_m, address, priority, confidence, text, media_ref, attributes, rule, effects, ending, sender, outcome,"
    " reason, event_id, shelf_id, settled_at"
)
_INSERT = (
    f"INSERT INTO signals_signal ({_COLUMNS}) VALUES"  # noqa: S608 -- constants
    " (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', '', '', '', '')"
)


def accept(tx: Session, actor: Actor, drafts: Sequence[Draft], now: datetime) -> list[Answer]:
    """Keeps every draft that can be kept, exactly once; the answers stand in the order of the drafts.

    Needs `SEND_SIGNAL` in the city of each. Durable, and true, once `tx` commits.
    """
    for city in {draft.authority for draft in drafts}:
        require(actor, Right.SEND_SIGNAL, Thing(city, agency=actor.agency))
    tx.serialise()
    received = instant_text(now)
    read = [_read(draft, received, actor.id) for draft in drafts]
    known = _known(tx, {one.key for one in read if isinstance(one, _Ready)})
    rows: list[tuple[object, ...]] = []
    answers: list[Answer] = []
    for one in read:
        first = None if isinstance(one, str) else known.get(one.key)
        if isinstance(one, str):
            answers.append(Answer(Receipt.REFUSED, "", one))
        elif first is None:
            ident = new_id()
            known[one.key] = (ident, one.said)
            rows.append((ident, *one.row))
            answers.append(Answer(Receipt.NEW, ident))
        elif first[1] == one.said:
            answers.append(Answer(Receipt.REPEATED, first[0]))
        else:
            _alarm(tx, one, first[1], now)
            answers.append(Answer(Receipt.CONFLICTING, first[0], "this id was used before for another report"))
    if rows:
        tx.executemany(_INSERT, rows)
        tx.wake(WAKE)
    return answers


@dataclass(frozen=True, slots=True)
class _Ready:
    """A draft that can be kept: its key, the digest of what it says, and its row but for the id."""

    key: _Key
    said: str
    row: tuple[object, ...]


def _known(tx: Session, keys: Iterable[_Key]) -> dict[_Key, tuple[str, str]]:
    """Id and digest of those that were taken in before."""
    found: dict[_Key, tuple[str, str]] = {}
    wanted = list(keys)
    for some in (wanted[at : at + _AT_ONCE] for at in range(0, len(wanted), _AT_ONCE)):
        places = ", ".join(["(?, ?, ?, ?, ?)"] * len(some))
        rows = tx.execute(
            f"WITH asked (authority, mode, source, device, source_id) AS (VALUES {places})"  # noqa: S608 -- only placeholders
            " SELECT s.authority, s.mode, s.source, s.device, s.source_id, s.id, s.body_digest"
            " FROM asked a CROSS JOIN signals_signal s WHERE s.authority = a.authority AND s.mode = a.mode"
            " AND s.source = a.source AND s.device = a.device AND s.source_id = a.source_id",
            [part for key in some for part in key],
        )
        found |= {(row[0], row[1], row[2], row[3], row[4]): (row[5], row[6]) for row in rows}
    return found


def _alarm(tx: Session, ready: _Ready, first: str, now: datetime) -> None:
    authority, mode, source, device, source_id = ready.key
    alarms.raise_conflict(
        tx,
        authority=authority,
        mode=Mode(mode),
        source=f"signal:{source}:{device}"[:100],
        message_id=source_id,
        first_digest=first,
        second_digest=ready.said,
        now=now,
    )


# --------------------------------------------------------------------------------------------- what can be kept


def _read(draft: Draft, received: str, sender: str) -> _Ready | str:
    """The draft ready to be kept, its texts in one form of Hangul (NFC), or why it cannot be."""
    try:
        tidy = msgspec.structs.replace(
            draft,
            address=unicodedata.normalize("NFC", draft.address).strip(),
            text=unicodedata.normalize("NFC", draft.text).strip(),
        )
        fault = _fault(tidy)
        if fault:
            return fault
        key = (tidy.authority, tidy.mode.value, tidy.source, tidy.device, tidy.source_id)
        said = _digest(tidy)
        return _Ready(key, said, _row(tidy, said, received, sender))
    except UnicodeEncodeError:
        return "a text holds half a character; send UTF-8"
    except (TypeError, ValueError, OverflowError) as error:
        return f"it cannot be written down: {error}"


def _fault(draft: Draft) -> str:
    if draft.source not in frozenset(Source):
        return f"source {draft.source[:40]!r} is not one of {', '.join(Source)}"
    for name, (least, most) in _LENGTHS.items():
        value: str = getattr(draft, name)
        value.encode()
        if not least <= len(value) <= most or "\x00" in value:
            return f"{name} must have {least} to {most} characters and no NUL"
    if draft.observed_at.tzinfo is None:
        return "observed_at needs an offset from UTC, e.g. 2026-11-22T09:00:00+09:00"
    if draft.priority is not None and not 0 <= draft.priority <= 4:
        return "priority is 0 to 4"
    if draft.confidence is not None and not 0 <= draft.confidence <= 1:
        return "confidence is between 0 and 1"
    return _weight(draft)


def _weight(draft: Draft) -> str:
    if len(draft.effects) > MOST_EFFECTS:
        return f"at most {MOST_EFFECTS} effects are taken"
    if len(orjson.dumps([draft.attributes, draft.effects], default=dict)) > MOST_ATTRIBUTES_BYTES:
        return f"attributes and effects have at most {MOST_ATTRIBUTES_BYTES} bytes"
    return ""


def _digest(draft: Draft) -> str:
    said = (
        draft.class_code,
        draft.observed_at.astimezone(UTC).isoformat(),
        *map(_finite, (draft.lon, draft.lat, draft.accuracy_m, draft.confidence)),
        draft.address,
        draft.priority,
        draft.text,
        draft.media_ref,
        dict(draft.attributes),
        draft.rule,
        [dict(effect) for effect in draft.effects],
        draft.ending,
    )
    return digest(canonical_json(said))


def _finite(value: float | None) -> float | None:
    """A number a table can hold: what is none counts as unknown, for a signal never bounces because of its place."""
    return value if value is not None and math.isfinite(value) else None


def _row(draft: Draft, said: str, received: str, sender: str) -> tuple[object, ...]:
    return (
        draft.authority,
        draft.mode.value,
        draft.source,
        draft.device,
        draft.source_id,
        said,
        draft.class_code,
        instant_text(draft.observed_at),
        received,
        _finite(draft.lon),
        _finite(draft.lat),
        _finite(draft.accuracy_m),
        draft.address,
        draft.priority,
        _finite(draft.confidence),
        draft.text,
        draft.media_ref,
        canonical_json(dict(draft.attributes)).decode(),
        draft.rule,
        canonical_json([dict(effect) for effect in draft.effects]).decode() if draft.effects else "",
        draft.ending,
        sender[:80],
    )
