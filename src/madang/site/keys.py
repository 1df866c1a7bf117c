"""Key material: made fresh, and written where only its owner can read it."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from madang.kernel.keyring import Keyring


def generate_keyring(linkage_key_id: str = "madang-1") -> Keyring:
    """Fresh random keys of every kind."""
    return Keyring(
        audit_key=secrets.token_bytes(32),
        blob_key=secrets.token_bytes(32),
        lease_private_pem=new_private_pem(),
        checkpoint_private_pem=new_private_pem(),
        linkage_private_pem=new_private_pem(),
        media_secret=secrets.token_urlsafe(32),
        linkage_key_id=linkage_key_id,
    )


def new_private_pem() -> bytes:
    """A fresh ECDSA P-256 private key (PKCS#8 PEM, unencrypted)."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def public_pem(private_pem: bytes) -> bytes:
    """The public half of a PKCS#8 private key, as SubjectPublicKeyInfo PEM."""
    key = serialization.load_pem_private_key(private_pem, password=None)
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def write_private(path: Path, data: bytes) -> None:
    """Writes a new file that only its owner can read (0600); refuses to replace one."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
