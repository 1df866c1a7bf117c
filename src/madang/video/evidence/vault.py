"""The vault: sealed files beside the store, one for each item, each under a key of its own.

A file is a row of pieces: length (4 bytes), nonce (12 bytes), AES-256-GCM of the piece. The item's key is itself sealed
with the platform's blob key and kept in the item's row; so forgetting it in a transaction erases the pictures at that
moment, wherever copies of the file may lie. Piece numbers are bound in: pieces cannot be exchanged, left out or cut off
unseen, because the row says how many there are and what they amount to (`digest_after`).
"""

from __future__ import annotations

import os
import secrets
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from madang.kernel.canonical import digest
from madang.kernel.errors import MadangError
from madang.video.config import VideoConfig

_HEAD = struct.Struct(">I12s")
_TAG_BYTES = 16


class EvidenceDamagedError(MadangError):
    """What lies in the vault is not what was put there."""

    code = "evidence-damaged"
    status = 500
    title = "The stored evidence is damaged"


def folder() -> Path:
    """Where the sealed files are."""
    value = settings.MADANG_VIDEO
    assert isinstance(value, VideoConfig)
    return Path(value.evidence_dir)


def path_of(ident: str) -> Path:
    """The file of an item or a package; ids are ours, so no other character can be in one."""
    if not ident.replace("-", "").isalnum():
        raise ValueError("that is no id")
    return folder() / ident[-2:] / f"{ident}.sealed"


def room_mb() -> int:
    """Free room on the vault's disk, megabytes."""
    place = folder()
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free // 1_000_000


def new_key(ident: str) -> bytes:
    """A new key, sealed for the row."""
    nonce = secrets.token_bytes(12)
    return nonce + AESGCM(settings.MADANG_KEYS.blob_key).encrypt(nonce, secrets.token_bytes(32), _about(ident))


def _opened(ident: str, sealed: bytes | memoryview | None) -> AESGCM:
    if not sealed:
        raise EvidenceDamagedError("the key of this evidence was erased", ko="파기된 증거입니다.")
    box = bytes(sealed)
    try:
        return AESGCM(AESGCM(settings.MADANG_KEYS.blob_key).decrypt(box[:12], box[12:], _about(ident)))
    except InvalidTag:
        raise EvidenceDamagedError("the key of this evidence does not open", ko="증거 열쇠가 맞지 않습니다.") from None


def _about(ident: str) -> bytes:
    return f"evidence:{ident}".encode()


def append(ident: str, key_sealed: bytes | memoryview, number: int, data: bytes, *, at: int) -> int:
    """Seals a piece at the end and syncs it; the file's length after it. Raises `OSError` when the disk is full.

    `at` is how long the row says the file is: what a crash left behind it is cut off first.
    """
    nonce = secrets.token_bytes(12)
    sealed = _opened(ident, key_sealed).encrypt(nonce, data, _about(f"{ident}/{number}"))
    path = path_of(ident)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if os.fstat(descriptor).st_size < at:
            raise EvidenceDamagedError("the sealed file is shorter than it was", where=ident)
        os.ftruncate(descriptor, at)
        record = _HEAD.pack(len(sealed), nonce) + sealed
        written = 0
        while written < len(record):
            written += os.pwrite(descriptor, record[written:], at + written)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return at + len(record)


def read(ident: str, key_sealed: bytes | memoryview | None, pieces: int, expected: str) -> Iterator[bytes]:
    """The pieces in order; raises `EvidenceDamagedError` at the first that is not as it was, or at the end."""
    key, told = _opened(ident, key_sealed), ""
    try:
        with path_of(ident).open("rb") as file:
            for number in range(pieces):
                length, nonce = _HEAD.unpack(file.read(_HEAD.size))
                data = key.decrypt(nonce, file.read(length), _about(f"{ident}/{number}"))
                told = digest_after(told, data)
                yield data
    except (OSError, struct.error, InvalidTag):
        raise EvidenceDamagedError(
            "the sealed file was changed, cut or lost", where=ident, ko="저장된 증거가 손상되었습니다."
        ) from None
    if told != expected:
        raise EvidenceDamagedError(
            "the evidence is not what was taken", where=ident, ko="저장된 증거가 손상되었습니다."
        )


def digest_after(before: str, data: bytes) -> str:
    """SHA-256 of the digest before (hexadecimal; "" at first) and the piece's own SHA-256, hexadecimal."""
    return digest(before.encode() + digest(data).encode())


def destroy(ident: str) -> bool:
    """Removes the file; whether there was one. The key in the row is what erases: this frees the room."""
    try:
        path_of(ident).unlink()
    except FileNotFoundError:
        return False
    return True


def files() -> Iterator[str]:
    """The ids of the files there are."""
    for path in folder().glob("??/*.sealed"):
        yield path.stem
