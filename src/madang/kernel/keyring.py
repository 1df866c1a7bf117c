"""The platform's own secrets, loaded once from configuration and handed to whoever must sign, seal or digest."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Keyring:
    """Key material. Nothing of it shows in `repr`, logs or errors.

    `audit_key` keys the digests of the audit chain (32 bytes); `blob_key` seals personal data (AES-256-GCM, 32 bytes);
    the PEMs are PKCS#8 private keys (ECDSA P-256): leases for the media gateway, checkpoints for the outside auditor,
    messages to agencies. `media_secret` lets the media process speak to core.
    """

    audit_key: bytes = field(repr=False)
    blob_key: bytes = field(repr=False)
    lease_private_pem: bytes = field(repr=False)
    checkpoint_private_pem: bytes = field(repr=False)
    linkage_private_pem: bytes = field(repr=False)
    media_secret: str = field(repr=False)
    linkage_key_id: str = "madang-1"
