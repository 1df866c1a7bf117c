"""The audit chain: who did what to what, on which basis; one chain per authority, its bodies sealed and erasable.

Format, for an auditor who writes a verifier of his own (`tests/journal/outside_auditor.py` is one):

A row of `journal_audit` has `stream` (the authority), `seq` (1, 2, 3 … without gaps), `at` (RFC 3339, UTC,
milliseconds), `actor`, `action`, `thing`, `basis`, `mode`, `retention`, `digest`, `prev_hash`, `hash`. All are text
but `seq`.

- `hash` = SHA-256, lower-case hexadecimal, of the canonical JSON of the object with every column above except `hash`:
  UTF-8, keys sorted, no spaces, nothing escaped that JSON lets stand.
- `prev_hash` = `hash` of the row with `seq` − 1; 64 zeros in the first row.
- `digest` is "" for a row without a body, else HMAC-SHA256(audit key, nonce ‖ body), hexadecimal, where body is the
  canonical JSON of what was recorded. The key and the random nonce keep a short body from being guessed.
- `journal_audit_blob.sealed` = nonce (12 bytes) ‖ AES-256-GCM(blob key, nonce, body, AAD `stream/seq`). Erasing sets
  it to NULL, notes when, by whom and why, and names in `erasure_seq` the later row (action `journal.erased`) that
  recorded it: body and nonce are gone, the chain still verifies.

Rows hold identifiers, never names or other personal data: those belong in the body.
Checkpoints (`checkpoint.py`) kept by somebody else show that nothing was cut off or written anew.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from madang.journal.schema import fit
from madang.journal.session import Row, Session
from madang.kernel.canonical import canonical_json, digest
from madang.kernel.clock import instant_text
from madang.kernel.keyring import Keyring
from madang.kernel.mode import Mode

FIRST = "0" * 64
_STREAMS = (  # one step through the index for each stream, where DISTINCT would read every row
    "WITH RECURSIVE s(stream) AS (SELECT MIN(stream) FROM journal_audit UNION ALL"
    " SELECT (SELECT MIN(a.stream) FROM journal_audit a WHERE a.stream > s.stream) FROM s WHERE s.stream IS NOT NULL)"
    " SELECT stream FROM s WHERE stream IS NOT NULL"
)
NONCE_BYTES = 12
COLUMNS = (
    "stream",
    "seq",
    "at",
    "actor",
    "action",
    "thing",
    "basis",
    "mode",
    "retention",
    "digest",
    "prev_hash",
    "hash",
)
_INSERT = f"INSERT INTO journal_audit ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608 -- constants


def record(
    tx: Session,
    keys: Keyring,
    *,
    authority: str,
    actor: str,
    action: str,
    thing: str,
    mode: Mode,
    now: datetime,
    body: Mapping[str, Any] | None = None,  # Any: JSON values
    basis: str = "",
    retention: str = "access_log",
) -> int:
    """Appends a row to the authority's chain, in the transaction of what it tells of; returns its number."""
    fit("journal_audit", stream=authority, actor=actor, action=action, thing=thing, basis=basis, retention=retention)
    tx.serialise()
    seq, prev_hash = head(tx, authority)
    seq += 1
    sealed, body_digest = (None, "") if body is None else seal(keys, authority, seq, canonical_json(dict(body)))
    fields = (
        authority,
        seq,
        instant_text(now),
        actor,
        action,
        thing,
        basis,
        mode.value,
        retention,
        body_digest,
        prev_hash,
    )
    tx.execute(_INSERT, (*fields, row_hash(fields)))
    if sealed is not None:
        tx.execute(
            "INSERT INTO journal_audit_blob (stream, seq, retention, at, sealed, erased_at, erased_by, erased_reason,"
            " erasure_seq) VALUES (?, ?, ?, ?, ?, NULL, '', '', NULL)",
            (authority, seq, retention, fields[2], sealed),
        )
    return seq


def head(tx: Session, stream: str) -> tuple[int, str]:
    """Number and hash of a chain's last row; (0, 64 zeros) before the first."""
    rows = tx.execute("SELECT seq, hash FROM journal_audit WHERE stream = ? ORDER BY seq DESC LIMIT 1", (stream,))
    return (int(rows[0][0]), str(rows[0][1])) if rows else (0, FIRST)


def streams(tx: Session) -> list[str]:
    """The authorities that have a chain."""
    return [row[0] for row in tx.execute(_STREAMS)]


def row_hash(fields: Row) -> str:
    """The hash of a row, given its columns in the order of `COLUMNS` without `hash`."""
    return digest(canonical_json(dict(zip(COLUMNS[:-1], fields, strict=True))))


def seal(keys: Keyring, stream: str, seq: int, body: bytes) -> tuple[bytes, str]:
    """The sealed form of a body and its keyed digest."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    sealed = nonce + AESGCM(keys.blob_key).encrypt(nonce, body, _aad(stream, seq))
    return sealed, keyed_digest(keys, nonce, body)


def unseal(keys: Keyring, stream: str, seq: int, sealed: bytes) -> tuple[bytes, bytes]:
    """Nonce and body of a sealed blob; raises `cryptography.exceptions.InvalidTag` when it was changed or moved."""
    nonce = sealed[:NONCE_BYTES]
    return nonce, AESGCM(keys.blob_key).decrypt(nonce, sealed[NONCE_BYTES:], _aad(stream, seq))


def keyed_digest(keys: Keyring, nonce: bytes, body: bytes) -> str:
    """HMAC-SHA256 over nonce and body, hexadecimal."""
    return hmac.new(keys.audit_key, nonce + body, hashlib.sha256).hexdigest()


def _aad(stream: str, seq: int) -> bytes:
    return f"{stream}/{seq}".encode()
