"""The token a viewer shows the media gateway: half a minute of one camera, signed ES256. No Django here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

AUDIENCE = "madang-media"
_ALGORITHMS = ["ES256"]
MAX_TOKEN_CHARS = 2_000
SKEW_S = 1
"""How much the clocks of core and media may differ, seconds."""


@dataclass(frozen=True, slots=True)
class LeaseClaims:
    """What the token says. Times are seconds since the epoch."""

    lease_id: str
    grant_id: str
    camera_id: str
    viewer: str
    viewer_name: str
    incident: str
    mode: str
    issued_at: int
    expires_at: int


class BadTokenError(ValueError):
    """The token does not hold; `expired` tells the one case a viewer may mend."""

    def __init__(self, why: str, *, expired: bool = False) -> None:
        super().__init__(why)
        self.expired = expired


def load_key(pem: bytes) -> ECKey:
    """A P-256 key, private to sign or public to verify."""
    return ECKey.import_key(pem)


def sign_lease(key: ECKey, claims: LeaseClaims) -> str:
    """The signed token."""
    payload: dict[str, str | int] = {
        "jti": claims.lease_id,
        "gid": claims.grant_id,
        "cam": claims.camera_id,
        "sub": claims.viewer,
        "name": claims.viewer_name,
        "inc": claims.incident,
        "mode": claims.mode,
        "iat": claims.issued_at,
        "exp": claims.expires_at,
        "aud": AUDIENCE,
    }
    return jwt.encode({"alg": "ES256", "typ": "JWT"}, payload, key, algorithms=_ALGORITHMS)


def read_lease(key: ECKey, token: str, now: datetime) -> LeaseClaims:
    """Verifies signature, algorithm, audience and time; raises `BadTokenError`."""
    if len(token) > MAX_TOKEN_CHARS:
        raise BadTokenError("the token is too long")
    try:
        claims = jwt.decode(token, key, algorithms=_ALGORITHMS).claims
    except (JoseError, ValueError, TypeError):
        raise BadTokenError("the token is not signed by this platform") from None
    if claims.get("aud") != AUDIENCE:
        raise BadTokenError("the token is meant for another service")
    lease = _claims(claims)
    if now.timestamp() >= lease.expires_at + SKEW_S:
        raise BadTokenError("the lease has expired", expired=True)
    if lease.issued_at > now.timestamp() + 60:
        raise BadTokenError("the token was issued in the future")
    return lease


def _claims(claims: Mapping[str, object]) -> LeaseClaims:
    issued_at, expires_at = claims.get("iat"), claims.get("exp")
    if not isinstance(issued_at, int) or not isinstance(expires_at, int):
        raise BadTokenError("the token lacks claims")
    return LeaseClaims(
        lease_id=_text(claims, "jti"),
        grant_id=_text(claims, "gid"),
        camera_id=_text(claims, "cam"),
        viewer=_text(claims, "sub"),
        viewer_name=_text(claims, "name"),
        incident=_text(claims, "inc"),
        mode=_text(claims, "mode"),
        issued_at=issued_at,
        expires_at=expires_at,
    )


def _text(claims: Mapping[str, object], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str):
        raise BadTokenError("the token lacks claims")
    return value
