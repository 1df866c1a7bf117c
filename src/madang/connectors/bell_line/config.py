"""What can be set about bells: the `[bell_line]` section of `madang.toml`."""

from __future__ import annotations

from typing import Literal

import msgspec

from madang.kernel.secret import Secret


class BellLineConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One broker that bells speak to. Without `url` only the HTTP door is open."""

    url: str = ""
    """`mqtt://host:1883` or `mqtts://host:8883`."""
    version: Literal["3.1.1", "5"] = "3.1.1"
    client_id: str = "madang-bells"
    username: str = ""
    password: Secret = Secret()
    authority: str = ""
    """The city whose bells speak at the broker."""
    topic: str = "bells/+"
    """What is listened to; the last level is the bell's number where the message does not say it."""
    heartbeat_s: float = 0.0
    """How often a bell that sent a heartbeat is expected to send the next; 0 leaves it to `[facilities]`."""
    tests_planned_only: bool = False
    """Take a test press for a test only on a day an inspection of that bell is planned for; else it is a press."""
    max_payload: int = 16_384
    """A larger message is refused, bytes."""

    def __post_init__(self) -> None:
        if self.url and not self.authority:
            raise ValueError("authority is needed: the city whose bells speak at the broker")
