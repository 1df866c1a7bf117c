"""The access token a client shows the hub: minutes of rights in one city, signed ES256. Pure: no tables, no clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

AUDIENCE = "madang-hub"
LIFETIME_S = 900
"""How long an access token holds, seconds."""
MAX_CHARS = 8_000
_TYPE = "at+jwt"
_ALGORITHMS = ["ES256"]
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""How many keys P-256 has, and one more (SP 800-186)."""


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What the token says (RFC 9068). Times are seconds since the epoch."""

    token_id: str
    client_id: str
    tenant: str
    scope: str
    issued_at: int
    expires_at: int


@lru_cache(maxsize=4)
def signing_key(secret: bytes) -> ECKey:
    """The key access tokens are signed with, derived from a secret of the keyring: it signs nothing else.

    The 384 bits taken leave no bias worth naming (FIPS 186-5 A.2.1).
    """
    drawn = HKDF(hashes.SHA256(), 48, salt=None, info=b"madang hub access tokens").derive(secret)
    key = ec.derive_private_key(int.from_bytes(drawn) % (_ORDER - 1) + 1, ec.SECP256R1())
    return ECKey.import_key(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def sign_access(key: ECKey, claims: AccessClaims) -> str:
    """The signed token."""
    payload: dict[str, str | int] = {
        "jti": claims.token_id,
        "client_id": claims.client_id,
        "sub": claims.client_id,
        "tenant": claims.tenant,
        "scope": claims.scope,
        "iat": claims.issued_at,
        "exp": claims.expires_at,
        "aud": AUDIENCE,
    }
    return jwt.encode({"alg": "ES256", "typ": _TYPE}, payload, key, algorithms=_ALGORITHMS)


def read_access(key: ECKey, token: str, now: datetime) -> AccessClaims | None:
    """What a token says, or None when signature, algorithm, kind, audience or time do not hold."""
    if len(token) > MAX_CHARS:
        return None
    try:
        read = jwt.decode(token, key, algorithms=_ALGORITHMS)
    except (JoseError, ValueError, TypeError):
        return None
    if read.header.get("typ") != _TYPE or read.claims.get("aud") != AUDIENCE:
        return None
    claims = _claims(read.claims)
    return claims if claims is not None and now.timestamp() < claims.expires_at else None


def _claims(claims: Mapping[str, object]) -> AccessClaims | None:
    texts = [claims.get(name) for name in ("jti", "client_id", "tenant", "scope")]
    times = [claims.get(name) for name in ("iat", "exp")]
    if not all(isinstance(text, str) for text in texts) or not all(isinstance(time, int) for time in times):
        return None
    return AccessClaims(*texts, *times)  # type: ignore[arg-type]  # their types were looked at just above
