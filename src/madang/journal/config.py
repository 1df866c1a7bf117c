"""The `[journal]` section of the configuration."""

from __future__ import annotations

from pathlib import Path

import msgspec


class JournalConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Timings of the journal's workers and the place of the checkpoint file.

    `checkpoint_file` None means no checkpoints are signed. Lengths of time end in `_s` (seconds) or `_days`.
    """

    checkpoint_file: Path | None = None
    checkpoint_every_s: float = 60.0
    attempts: int = 60
    retry_base_s: float = 0.5
    retry_cap_s: float = 60.0
    wait_s: float = 1.0
    lease_s: float = 6.0
    drain_s: float = 5.0
    housekeeping_every_s: float = 3600.0
    body_days: int = 7
    done_days: int = 400
    change_days: int = 7
