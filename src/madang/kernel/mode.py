"""Whether something is real: on every message and every row, never mixed."""

from __future__ import annotations

from enum import StrEnum


class Mode(StrEnum):
    """`live` is real; `exercise` runs on live links with people pretending; `simulated` never leaves the simulator."""

    LIVE = "live"
    EXERCISE = "exercise"
    SIMULATED = "simulated"
