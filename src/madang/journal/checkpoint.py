"""Signed checkpoints of the audit chains, appended to a file that somebody else keeps a copy of.

Each line is one canonical JSON object (UTF-8, keys sorted, no spaces):
`stream`, `seq`, `hash` (the chain's last row), `count` (its rows), `at` (RFC 3339, UTC), `prev` (SHA-256, hexadecimal,
of the line before without its newline; 64 zeros in the first) and `sig`: base64 of the ECDSA P-256 signature (SHA-256,
DER) over the canonical JSON of the object without `sig`. After RFC 6962's signed tree heads: a chain cut off or
written anew no longer fits a checkpoint that was handed out.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from madang.journal import audit
from madang.journal.session import Store
from madang.kernel.canonical import canonical_json, digest
from madang.kernel.clock import instant_text
from madang.kernel.errors import ConfigError

_ALGORITHM = ec.ECDSA(hashes.SHA256())


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One line of the file, its signature and place checked. `line` counts from 1."""

    line: int
    stream: str
    seq: int
    hash: str
    at: str


@dataclass(frozen=True, slots=True)
class BadCheckpoint:
    """A line that cannot be trusted, and why."""

    line: int
    stream: str
    seq: int
    why: str


class Checkpoints:
    """Writes the file. One process does this at a time."""

    def __init__(self, path: Path, private_pem: bytes) -> None:
        self._path = path
        self._key = _private_key(private_pem)
        self._written: dict[str, tuple[int, str]] = {}

    def write(self, store: Store, now: datetime) -> int:
        """Signs the head of each chain that grew since the last time; returns how many, safely on the disk."""
        with store.reading() as tx:
            heads = {stream: audit.head(tx, stream) for stream in audit.streams(tx)}
        grown = {stream: head for stream, head in heads.items() if self._written.get(stream) != head}
        if grown:
            self._append(grown, now)
            self._written.update(grown)
        return len(grown)

    def _append(self, heads: dict[str, tuple[int, str]], now: datetime) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = not self._path.exists()
        with self._path.open("ab+") as file:
            prev = _drop_torn_line(file.fileno())
            for stream, (seq, row_hash) in sorted(heads.items()):
                line = self._signed(stream, seq, row_hash, prev, now)
                file.write(line + b"\n")
                prev = digest(line)
            file.flush()
            os.fsync(file.fileno())
        if new:
            _sync_folder(self._path.parent)

    def _signed(self, stream: str, seq: int, row_hash: str, prev: str, now: datetime) -> bytes:
        body = {"stream": stream, "seq": seq, "hash": row_hash, "count": seq, "at": instant_text(now), "prev": prev}
        signature = self._key.sign(canonical_json(body), _ALGORITHM)
        return canonical_json(body | {"sig": base64.b64encode(signature).decode()})


def read(path: Path, public_pem: bytes) -> Iterator[Checkpoint | BadCheckpoint]:
    """Every line, checked against the public key and the line before; an unfinished last line is left out."""
    key = serialization.load_pem_public_key(public_pem)
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise ConfigError("The checkpoint key is not an elliptic-curve key", hint="Use ECDSA P-256")
    prev = audit.FIRST
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return
            yield _checked(number, line[:-1], prev, key)
            prev = digest(line[:-1])


def public_pem(private_pem: bytes) -> bytes:
    """The public key that belongs to a private one: this is what the outside auditor is given."""
    return (
        _private_key(private_pem)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


def _checked(number: int, line: bytes, prev: str, key: ec.EllipticCurvePublicKey) -> Checkpoint | BadCheckpoint:
    try:
        body = orjson.loads(line)
        signature = base64.b64decode(body.pop("sig"), validate=True)
        found = Checkpoint(number, str(body["stream"]), int(body["seq"]), str(body["hash"]), str(body["at"]))
        key.verify(signature, canonical_json(body), _ALGORITHM)
    except InvalidSignature:
        return BadCheckpoint(number, found.stream, found.seq, "its signature does not hold")
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
        return BadCheckpoint(number, "", 0, "it is not a checkpoint")
    if body["prev"] != prev:
        return BadCheckpoint(number, found.stream, found.seq, "a line before it is missing or was changed")
    return found


def _private_key(private_pem: bytes) -> ec.EllipticCurvePrivateKey:
    if not private_pem:
        raise ConfigError("Checkpoints need a signing key", hint="Set the checkpoint key, or no checkpoint file")
    key = serialization.load_pem_private_key(private_pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ConfigError("The checkpoint key is not an elliptic-curve key", hint="Use ECDSA P-256")
    return key


def _drop_torn_line(descriptor: int) -> str:
    """Cuts off a line that a crash left unfinished; returns the digest of the last whole one."""
    size = os.fstat(descriptor).st_size
    tail = os.pread(descriptor, 65_536, max(0, size - 65_536))
    whole = tail[: tail.rfind(b"\n") + 1]
    if len(whole) < len(tail):
        os.ftruncate(descriptor, size - (len(tail) - len(whole)))
    last = whole[:-1].rpartition(b"\n")[2]
    return digest(last) if last else audit.FIRST


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
