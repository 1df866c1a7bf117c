"""Keeps what was seen: the times through which facilities were watched, lengthened lazily, a row a gap."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from madang.facilities.models import SeenSpan

_BATCH = 500


def note_seen(until: Mapping[str, datetime], at: datetime, *, slack: float = 0.5) -> int:
    """Notes that facilities (by id) were seen at `at` and count as known until then; how many rows were written.

    A span that already reaches far enough (all but `slack` of the new length) is left alone, so that hearing a thing
    every second does not write every second.
    """
    written = 0
    ids = list(until)
    for start in range(0, len(ids), _BATCH):
        written += _note({key: until[key] for key in ids[start : start + _BATCH]}, at, slack)
    return written


def _note(until: Mapping[str, datetime], at: datetime, slack: float) -> int:
    last: dict[str, SeenSpan] = {}
    for span in SeenSpan.objects.filter(facility_id__in=list(until), to_at__gte=at).order_by("to_at"):
        last[span.facility_id] = span
    longer: list[SeenSpan] = []
    new: list[SeenSpan] = []
    for key, to_at in until.items():
        if key not in last:
            new.append(SeenSpan(facility_id=key, from_at=at, to_at=to_at))
        elif to_at - last[key].to_at > (to_at - at) * (1.0 - slack):
            last[key].to_at = to_at
            longer.append(last[key])
    SeenSpan.objects.bulk_create(new)
    SeenSpan.objects.bulk_update(longer, ["to_at"])
    return len(new) + len(longer)
