"""Key material: made fresh, and written where only its owner can read it."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from madang.kernel.errors import ConfigError
from madang.kernel.keyring import Keyring
from madang.site.config import KEY_FILES, KeysConfig


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


def keyring_from(keys: KeysConfig) -> Keyring:
    """The key material a configuration names; raises `ConfigError` for a key that is not what it should be."""
    pems = {name: getattr(keys, name).reveal().encode() + b"\n" for name in ("lease", "checkpoint", "linkage")}
    for name, pem in pems.items():
        _check_private(name, pem)
    return Keyring(
        audit_key=bytes.fromhex(keys.audit.reveal()),
        blob_key=bytes.fromhex(keys.blob.reveal()),
        lease_private_pem=pems["lease"],
        checkpoint_private_pem=pems["checkpoint"],
        linkage_private_pem=pems["linkage"],
        media_secret=keys.media.reveal(),
        linkage_key_id=keys.linkage_key_id,
    )


def _check_private(name: str, pem: bytes) -> None:
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):
        raise ConfigError(f"[keys.{name}] is not an unencrypted PKCS#8 private key in PEM form") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise ConfigError(f"[keys.{name}] is not an ECDSA P-256 key; `madang init` makes one")


def write_keys(directory: Path) -> dict[str, Path]:
    """Makes fresh keys and writes one private file each (0600); returns the files by their name in `[keys]`."""
    keys = generate_keyring()
    texts = {
        "audit": keys.audit_key.hex().encode(),
        "blob": keys.blob_key.hex().encode(),
        "lease": keys.lease_private_pem,
        "checkpoint": keys.checkpoint_private_pem,
        "linkage": keys.linkage_private_pem,
        "media": keys.media_secret.encode(),
        "session": secrets.token_urlsafe(48).encode(),
    }
    files = {name: directory / file for name, file in KEY_FILES.items()}
    for name, path in files.items():
        write_private(path, texts[name])
    return files


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
