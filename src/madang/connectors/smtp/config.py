"""What can be set about mail: the `[smtp]` section of `madang.toml`."""

from __future__ import annotations

from email.utils import parseaddr
from typing import Literal

import msgspec

from madang.kernel.mode import Mode
from madang.kernel.secret import Secret


class SmtpConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One mail server. Without `host` no mail is sent."""

    host: str = ""
    port: int = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    """`none` is for a server on the same machine only."""
    certificates: str = ""
    """PEM file of the authority that signed the server's certificate, where it is not a public one."""
    username: str = ""
    password: Secret = Secret()
    sender: str = ""
    """The address mail comes from, e.g. `상황실 <situation@city.example>`."""
    modes: tuple[Mode, ...] = (Mode.LIVE, Mode.EXERCISE)
    """Whose messages go out here; a simulated city has a mail server of its own."""
    timeout_s: float = 8.0

    def __post_init__(self) -> None:
        if self.host and "@" not in parseaddr(self.sender)[1]:
            raise ValueError("sender must be a mail address when host is set")
        if self.host and self.security == "none" and self.host not in ("127.0.0.1", "::1", "localhost"):
            raise ValueError("security = 'none' is for a mail server on this machine only")
