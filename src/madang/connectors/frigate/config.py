"""What can be set about Frigate: the `[frigate]` section of `madang.toml`."""

from __future__ import annotations

from typing import Literal

import msgspec

from madang.kernel.secret import Secret


class ClassRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What Frigate's words mean here. Empty fields match everything; the first rule that matches counts."""

    class_code: str
    """A class of signals, e.g. `intrusion`; `ignore` keeps nothing."""
    label: str = ""
    zone: str = ""
    camera: str = ""
    """Frigate's name of a camera."""
    severity: Literal["", "alert", "detection"] = ""
    least_score: float = 0.0
    """Where the score is known and lower, the rule does not match."""
    priority: int | None = None


IGNORE = "ignore"
RULES = (
    ClassRule(class_code="fire", label="fire"),
    ClassRule(class_code="smoke", label="smoke"),
    ClassRule(class_code="intrusion", label="person", severity="alert"),
    ClassRule(class_code="object_seen"),
)


class FrigateConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One Frigate behind a broker. Without `url` nothing is connected."""

    url: str = ""
    """`mqtt://host:1883` or `mqtts://host:8883`."""
    version: Literal["3.1.1", "5"] = "3.1.1"
    client_id: str = "madang-frigate"
    username: str = ""
    password: Secret = Secret()
    authority: str = ""
    """The city whose cameras Frigate watches."""
    prefix: str = "frigate"
    """Frigate's `topic_prefix`."""
    unit: Literal["reviews", "events"] = "reviews"
    """What becomes signals: review items, or each tracked object by itself (where Frigate makes no reviews)."""
    cameras: dict[str, str] = {}
    """Frigate's name of a camera → ours: its id, or `SITE_KEY/NUMBER` as in the imported list."""
    classes: tuple[ClassRule, ...] = RULES
    sub_labels: tuple[str, ...] = ()
    """Sub-labels that may be kept. Others are dropped on arrival: they can be names of people or number plates."""
    retained_s: float = 600.0
    """A message the broker had kept and that is older than this is not taken as news."""
    max_payload: int = 262_144
    """A larger message is refused, bytes."""

    def __post_init__(self) -> None:
        if self.url and not self.authority:
            raise ValueError("authority is needed: the city whose cameras Frigate watches")
