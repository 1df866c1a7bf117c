"""What a city may set about its screens: the `[console]` section."""

from __future__ import annotations

import msgspec
from django.conf import settings

from madang.kernel.mode import Mode


class ConsoleConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Banner, limits and pace of the screens. Times in seconds."""

    mode: Mode = Mode.LIVE
    """What this installation is: `simulated` and `exercise` put a banner over every screen and page."""
    closed_shown_s: int = 43_200
    """How long an incident that ended stays in the queue: one shift."""
    rows_shown: int = 500
    """The most incidents a screen is sent at once, newest first."""
    cameras_at_once: int = 2_000
    """More cameras than this in view are sent as clusters."""
    keep_alive_s: float = 10.0
    session_check_s: float = 10.0
    """How often open streams ask whether their session still stands."""
    live_readers: int = 500
    live_backlog: int = 2_000
    """Changes that may wait for a slow screen before it is told to start over."""


def console_config() -> ConsoleConfig:
    """The city's settings for its screens."""
    config = settings.MADANG_CONSOLE
    assert isinstance(config, ConsoleConfig)
    return config
