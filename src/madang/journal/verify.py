"""Verifies the audit chains: names the first row that is not as it was written, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from cryptography.exceptions import InvalidTag

from madang.journal import audit, checkpoint
from madang.journal.session import Row, Session
from madang.kernel.keyring import Keyring

_PAGE = 2_000
_CHAIN = ", ".join(f"a.{name}" for name in audit.COLUMNS)
_SELECT = (
    f"SELECT {_CHAIN}, b.seq, b.sealed, b.erased_at, b.erasure_seq FROM journal_audit a"  # noqa: S608 -- constants
    " LEFT JOIN journal_audit_blob b ON b.stream = a.stream AND b.seq = a.seq"
    " WHERE a.stream = ? AND a.seq > ? ORDER BY a.seq LIMIT ?"
)

_ORPHAN = (
    "SELECT MAX(b.seq) FROM journal_audit_blob b WHERE b.stream = ? AND b.seq > ? AND NOT EXISTS"
    " (SELECT 1 FROM journal_audit a WHERE a.stream = b.stream AND a.seq = b.seq)"
)


class Fault(StrEnum):
    """What can be wrong with a chain."""

    MISSING = "missing"
    EDITED = "edited"
    REORDERED = "reordered"
    REWRITTEN = "rewritten"
    BODY_CHANGED = "body_changed"
    BODY_MISSING = "body_missing"
    BODY_UNEXPECTED = "body_unexpected"
    ERASURE_UNRECORDED = "erasure_unrecorded"
    TAIL_CUT = "tail_cut"
    CHECKPOINT_BAD = "checkpoint_bad"
    CHECKPOINTS_MISSING = "checkpoints_missing"


@dataclass(frozen=True, slots=True)
class Broken:
    """The first thing found wrong: the row, the kind of fault and a sentence for people."""

    stream: str
    seq: int
    fault: Fault
    text: str


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome: how many rows were read, how many of their bodies are erased, and the first fault if any."""

    ok: bool
    rows: int
    erased: int
    checkpoints: int
    first_broken: Broken | None


@dataclass(slots=True)
class _Erasure:
    """The erased rows that name one erasing row."""

    first_seq: int
    count: int = 0
    latest_at: dict[str, str] = field(default_factory=dict)

    def add(self, retention: str, at: str) -> None:
        self.count += 1
        self.latest_at[retention] = max(self.latest_at.get(retention, ""), at)

    def covered_by(self, action: str, thing: str) -> bool:
        """Whether the row's own words cover what was erased: `row:SEQ`, or `KIND<INSTANT`."""
        if action != "journal.erased":
            return False
        kind, _, cutoff = thing.partition("<")
        if thing == f"row:{self.first_seq}":
            return self.count == 1
        return set(self.latest_at) == {kind} and self.latest_at[kind] < cutoff


def verify(
    tx: Session,
    keys: Keyring,
    *,
    checkpoint_file: Path | None = None,
    stream: str | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Report:
    """Verifies every chain, or one, page by page; `progress` hears how many rows are done.

    With `checkpoint_file` also that no chain was cut off or written anew since the file's checkpoints were signed.
    """
    marks: dict[str, dict[int, str]] = {}
    count = 0
    if checkpoint_file is not None:
        marks, count, bad = _read_marks(checkpoint_file, keys)
        if bad is not None:
            return Report(False, 0, 0, count, bad)
    names = sorted({*audit.streams(tx), *marks}) if stream is None else [stream]
    rows = erased = 0
    for name in names:
        reader = _Reader(tx, keys, name, marks.get(name, {}), lambda done, before=rows: progress(before + done))  # type: ignore[misc] # a default binds the count now
        broken = reader.read()
        rows, erased = rows + reader.rows, erased + reader.erased
        if broken is not None:
            return Report(False, rows, erased, count, broken)
    return Report(True, rows, erased, count, None)


def _read_marks(path: Path, keys: Keyring) -> tuple[dict[str, dict[int, str]], int, Broken | None]:
    marks: dict[str, dict[int, str]] = {}
    count = 0
    if not path.exists():
        return marks, 0, Broken("", 0, Fault.CHECKPOINTS_MISSING, f"there is no checkpoint file {path.name}")
    for found in checkpoint.read(path, checkpoint.public_pem(keys.checkpoint_private_pem)):
        if isinstance(found, checkpoint.BadCheckpoint):
            text = f"line {found.line} of the checkpoint file: {found.why}"
            return marks, count, Broken(found.stream, found.seq, Fault.CHECKPOINT_BAD, text)
        count += 1
        known = marks.setdefault(found.stream, {}).setdefault(found.seq, found.hash)
        if known != found.hash:
            text = f"line {found.line} of the checkpoint file holds another hash for the row than a line before it"
            return marks, count, Broken(found.stream, found.seq, Fault.REWRITTEN, text)
    return marks, count, None


class _Reader:
    """Reads one chain from its first row to its last."""

    def __init__(
        self, tx: Session, keys: Keyring, stream: str, marks: dict[int, str], progress: Callable[[int], None]
    ) -> None:
        self.rows = 0
        self.erased = 0
        self._tx = tx
        self._keys = keys
        self._stream = stream
        self._marks = marks
        self._progress = progress
        self._hash = audit.FIRST
        self._marked = 0
        self._erasures: dict[int, _Erasure] = {}

    def read(self) -> Broken | None:
        for row in self._all():
            broken = self._chain_fault(row) or self._body_fault(row) or self._erasure_fault(row)
            if broken is not None:
                return broken
            self.rows += 1
            self._hash = row[11]
        return self._tail_fault()

    def _all(self) -> Iterator[Row]:
        seq = 0
        while page := self._tx.execute(_SELECT, (self._stream, seq, _PAGE)):
            yield from page
            seq = int(page[-1][1])
            self._progress(self.rows)

    def _broken(self, seq: int, fault: Fault, text: str) -> Broken:
        return Broken(self._stream, seq, fault, f"{self._stream} row {seq}: {text}")

    def _chain_fault(self, row: Row) -> Broken | None:
        expected, seq = self.rows + 1, int(row[1])
        if seq != expected:
            return self._broken(expected, Fault.MISSING, f"the row is missing; the next one there is {seq}")
        if audit.row_hash(_fields(row, seq)) != row[11]:
            return self._changed(row, seq)
        if row[10] != self._hash:
            return self._unlinked(seq)
        if self._marks.get(seq, row[11]) != row[11]:
            text = f"it or a row since {self._marked + 1} was written anew: a signed checkpoint holds another hash"
            return self._broken(seq, Fault.REWRITTEN, text)
        if seq in self._marks:
            self._marked = seq
        return None

    def _changed(self, row: Row, seq: int) -> Broken:
        behind = self._tx.execute(
            "SELECT seq FROM journal_audit WHERE stream = ? AND hash = ?", (self._stream, row[10])
        )
        for other in {seq + 1, seq - 1, *(int(found[0]) + 1 for found in behind)} - {seq}:
            if audit.row_hash(_fields(row, other)) == row[11]:
                return self._broken(seq, Fault.REORDERED, f"the row in this place was written as row {other}")
        return self._broken(seq, Fault.EDITED, "a field was changed after it was written")

    def _unlinked(self, seq: int) -> Broken:
        if seq - 1 <= self._marked:
            return self._broken(seq, Fault.REWRITTEN, "it was written anew and does not follow the row before it")
        text = f"it was written anew: row {seq} follows another row"
        return self._broken(seq - 1, Fault.REWRITTEN, text)

    def _body_fault(self, row: Row) -> Broken | None:
        seq, body_digest, sealed = int(row[1]), row[9], row[13]
        if row[12] is None:
            return self._broken(seq, Fault.BODY_MISSING, "its sealed body is missing") if body_digest else None
        if not body_digest:
            return self._broken(seq, Fault.BODY_UNEXPECTED, "it was written without a body and has one now")
        if sealed is None:
            return self._note_erased(row, seq)
        try:
            nonce, body = audit.unseal(self._keys, self._stream, seq, bytes(sealed))
        except (InvalidTag, ValueError):
            return self._broken(seq, Fault.BODY_CHANGED, "its sealed body was changed or belongs to another row")
        if audit.keyed_digest(self._keys, nonce, body) != body_digest:
            return self._broken(seq, Fault.BODY_CHANGED, "its sealed body is not the one that was recorded")
        return None

    def _note_erased(self, row: Row, seq: int) -> Broken | None:
        if row[14] is None or row[15] is None or int(row[15]) <= seq:
            return self._broken(seq, Fault.BODY_MISSING, "its body is gone without an erasure on record")
        self.erased += 1
        self._erasures.setdefault(int(row[15]), _Erasure(seq)).add(row[8], row[2])
        return None

    def _erasure_fault(self, row: Row) -> Broken | None:
        erasure = self._erasures.pop(int(row[1]), None)
        if erasure is None or erasure.covered_by(row[4], row[5]):
            return None
        text = f"its body was erased, but row {row[1]} does not record that"
        return self._broken(erasure.first_seq, Fault.ERASURE_UNRECORDED, text)

    def _tail_fault(self) -> Broken | None:
        last_mark = max(self._marks, default=0)
        if last_mark > self.rows:
            text = f"the chain ends before it, though a signed checkpoint saw row {last_mark}"
            return self._broken(self.rows + 1, Fault.TAIL_CUT, text)
        body = self._tx.execute(_ORPHAN, (self._stream, self.rows))[0][0]
        if body is not None:
            text = f"the chain ends before it, though row {body} left its body"
            return self._broken(self.rows + 1, Fault.TAIL_CUT, text)
        if self._erasures:
            first = min(self._erasures.values(), key=lambda erasure: erasure.first_seq)
            return self._broken(first.first_seq, Fault.ERASURE_UNRECORDED, "the row that recorded its erasure is gone")
        return None


def _fields(row: Row, seq: int) -> Row:
    return (row[0], seq, *row[2:11])
