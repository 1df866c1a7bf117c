"""A verifier as an outside auditor would write it from the format alone: nothing of madang, only what anyone has.

Takes the rows, the sealed bodies and the checkpoint file; gives the first row it cannot trust, or None.
The keys for the bodies are optional: an auditor without them still verifies the chain.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import sqlite3
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NOTHING = "0" * 64
FIELDS = ["stream", "seq", "at", "actor", "action", "thing", "basis", "mode", "retention", "digest", "prev_hash"]
Wrong = tuple[str, int, str]


def canonical(value: Any) -> bytes:  # Any: a JSON value
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def audit(
    database: Path, checkpoints: Path, public_pem: bytes, audit_key: bytes | None, blob_key: bytes | None
) -> Wrong | None:
    """The first thing wrong as (stream, seq, what), or None."""
    seen, wrong = read_checkpoints(checkpoints, public_pem)
    if wrong:
        return wrong
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        names = {row[0] for row in connection.execute("SELECT DISTINCT stream FROM journal_audit")}
        for stream in sorted(names | set(seen)):
            wrong = chain(connection, stream, seen.get(stream, {})) or bodies(connection, stream, audit_key, blob_key)
            if wrong:
                return wrong
    finally:
        connection.close()
    return None


def read_checkpoints(path: Path, public_pem: bytes) -> tuple[dict[str, dict[int, str]], Wrong | None]:
    key = serialization.load_pem_public_key(public_pem)
    assert isinstance(key, ec.EllipticCurvePublicKey)
    seen: dict[str, dict[int, str]] = {}
    before = NOTHING
    for line in path.read_bytes().splitlines():
        point = json.loads(line)
        signature = base64.b64decode(point.pop("sig"))
        try:
            key.verify(signature, canonical(point), ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return seen, (point["stream"], point["seq"], "checkpoint signature")
        if point["prev"] != before or point["count"] != point["seq"]:
            return seen, (point["stream"], point["seq"], "checkpoint order")
        before = hashlib.sha256(line).hexdigest()
        seen.setdefault(point["stream"], {})[point["seq"]] = point["hash"]
    return seen, None


def chain(connection: sqlite3.Connection, stream: str, seen: dict[int, str]) -> Wrong | None:
    last, expected = NOTHING, 1
    sql = f"SELECT {', '.join(FIELDS)}, hash FROM journal_audit WHERE stream = ? ORDER BY seq"
    for row in connection.execute(sql, (stream,)):
        fields = dict(zip(FIELDS, row, strict=False))
        if fields["seq"] != expected:
            return stream, expected, "missing"
        if hashlib.sha256(canonical(fields)).hexdigest() != row[-1]:
            return stream, expected, "changed"
        if fields["prev_hash"] != last:
            return stream, expected - 1, "rewritten"
        if seen.get(expected, row[-1]) != row[-1]:
            return stream, expected, "not what was signed"
        last, expected = row[-1], expected + 1
    if seen and max(seen) >= expected:
        return stream, expected, "cut off"
    return None


def bodies(
    connection: sqlite3.Connection, stream: str, audit_key: bytes | None, blob_key: bytes | None
) -> Wrong | None:
    sql = (
        "SELECT a.seq, a.digest, b.sealed, b.erasure_seq, e.action FROM journal_audit a"
        " LEFT JOIN journal_audit_blob b ON b.stream = a.stream AND b.seq = a.seq"
        " LEFT JOIN journal_audit e ON e.stream = a.stream AND e.seq = b.erasure_seq"
        " WHERE a.stream = ? AND a.digest <> '' ORDER BY a.seq"
    )
    for seq, digest, sealed, erasure_seq, erasure in connection.execute(sql, (stream,)):
        if sealed is None:
            if erasure_seq is None or erasure != "journal.erased":
                return stream, seq, "body gone"
        elif audit_key is not None and blob_key is not None:
            nonce, closed = sealed[:12], sealed[12:]
            try:
                body = AESGCM(blob_key).decrypt(nonce, closed, f"{stream}/{seq}".encode())
            except (InvalidTag, ValueError):
                return stream, seq, "body changed"
            if hmac.new(audit_key, nonce + body, hashlib.sha256).hexdigest() != digest:
                return stream, seq, "body is another"
    return None
