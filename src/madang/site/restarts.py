"""When a process that ended is started again. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a process may end within `window_s` seconds, and how long to wait before it is started again."""

    most: int = 5
    window_s: float = 60.0
    base_s: float = 0.5
    cap_s: float = 15.0


def next_start(ended_s: Sequence[float], now_s: float, patience: Patience = Patience()) -> float | None:
    """Seconds to wait before the next start, given when it ended so far; None when it ended too often."""
    recent = [at for at in ended_s if now_s - at < patience.window_s]
    if len(recent) > patience.most:
        return None
    return min(patience.cap_s, patience.base_s * 2.0 ** max(0, len(recent) - 1))
