"""What can be set about loudspeakers: the `[broadcast]` section of `madang.toml`."""

from __future__ import annotations

import msgspec

from madang.kernel.mode import Mode
from madang.kernel.secret import Secret


class BroadcastConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One public address system. Without `url` nothing is announced."""

    url: str = ""
    """Where the gateway's contract begins, e.g. `https://pa.city.example/v1`."""
    token: Secret = Secret()
    honours_key: bool = False
    """Whether the gateway promises to take the same `Idempotency-Key` once: only then a cut-off try is repeated."""
    modes: tuple[Mode, ...] = (Mode.LIVE, Mode.EXERCISE)
    certificates: str = ""
    """PEM file of the authority that signed the gateway's certificate, where it is not a public one."""
    timeout_s: float = 8.0

    def __post_init__(self) -> None:
        local = self.url.startswith(("http://127.0.0.1", "http://localhost", "http://[::1]"))
        if self.url and not (self.url.startswith("https://") or local):
            raise ValueError("url must be https; plain http is for a gateway on this machine only")
