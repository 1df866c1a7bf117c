"""Forgetting: what rules said long ago, old replays, groups silent for longer than any window."""

from __future__ import annotations

from datetime import datetime, timedelta

import orjson

from madang.journal import civic
from madang.response.rules.models import Firing, ReplayRun, RuleMemory
from madang.response.rules.vocabulary import WEEK_S

SHADOW_DAYS = 90
SAID_DAYS = 1_095
"""As long as incidents are kept."""
REPLAY_DAYS = 365
_AT_ONCE = 500


def run_once(now: datetime) -> int:
    """Drops what is too old; how many rows."""
    dropped = 0
    with civic.transaction():
        old = Firing.objects.filter(shadow=True, noted_at__lt=now - timedelta(days=SHADOW_DAYS))
        dropped += old.delete()[0]
        dropped += Firing.objects.filter(noted_at__lt=now - timedelta(days=SAID_DAYS)).delete()[0]
        dropped += ReplayRun.objects.filter(asked_at__lt=now - timedelta(days=REPLAY_DAYS)).delete()[0]
    return dropped + _forget_silent(now)


def _forget_silent(now: datetime) -> int:
    """Groups without a wait that stand for nothing, last heard of more than a week and a day ago."""
    before = now.timestamp() - WEEK_S - 86_400
    dropped, last = 0, 0
    while True:
        with civic.transaction():
            rows = list(RuleMemory.objects.filter(pk__gt=last).order_by("pk").values_list("pk", "body")[:_AT_ONCE])
            silent = [key for key, body in rows if _is_silent(orjson.loads(body), before)]
            dropped += RuleMemory.objects.filter(pk__in=silent).delete()[0]
        if len(rows) < _AT_ONCE:
            return dropped
        last = rows[-1][0]


def _is_silent(memory: dict[str, object], before: float) -> bool:
    seen = memory.get("seen")
    stands = memory.get("on") or memory.get("due") is not None or memory.get("armed") is not None
    return not stands and (not isinstance(seen, int | float) or seen < before)
