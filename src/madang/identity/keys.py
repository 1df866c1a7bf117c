"""Public keys of agencies: what they are, and whether they are what they claim to be. Pure."""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from madang.kernel.errors import BadRequestError

ECDSA_P256 = "ecdsa-p256-sha256"
ED25519 = "ed25519"


def algorithm_of(pem: str) -> str:
    """The signature algorithm of a public key in PEM form (RFC 9421 §6.2.2); raises `BadRequestError` for others."""
    if "PRIVATE KEY" in pem:
        raise BadRequestError(
            "this is a private key; take only the public one, and have the agency replace the one it has shown"
        )
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise BadRequestError("this is not a public key in PEM form (-----BEGIN PUBLIC KEY-----)") from None
    if isinstance(key, Ed25519PublicKey):
        return ED25519
    if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        return ECDSA_P256
    raise BadRequestError("an agency key is ECDSA P-256 or Ed25519; this one is neither")
