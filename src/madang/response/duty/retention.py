"""How long duty's rows are kept: what was said by radio and telephone, briefs of hand-overs, signs of life."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q

from madang.journal.retention import Kind
from madang.kernel.mode import Mode
from madang.response.duty.domain import Phase
from madang.response.duty.models import Handover, LogEntry, Presence
from madang.response.forgetting import Forgetting

LOG = Kind(
    "duty_log",
    1095,
    "통신 기록과 인수인계",
    "Radio and telephone log, hand-overs",
    "기관의 기록물 관리 기준 (기간은 기관 지침)",
    "The institution's records schedule (period set by the institution)",
)
PRESENCE = Kind(
    "presence",
    30,
    "접속 상태",
    "Signs of life of screens",
    "개인정보 보호법 제21조: 목적 달성 후 지체 없이 파기",
    "Personal Information Protection Act, art. 21: destroyed without delay once the purpose is met",
)


def _calls(before: datetime, most: int) -> list[tuple[str, str]]:
    """Empties what was said, by whom and to whom; that there was a call, and when, stays."""
    due = LogEntry.objects.filter(written_at__lt=before).exclude(text="", who="", whom="")
    rows = list(due.values_list("pk", "authority_id", "mode")[:most])
    LogEntry.objects.filter(pk__in=[row[0] for row in rows]).update(text="", who="", whom="")
    return [row[1:] for row in rows]


def _briefs(before: datetime, most: int) -> list[tuple[str, str]]:
    """Empties briefs of hand-overs that are settled."""
    due = Handover.objects.filter(settled_at__lt=before).exclude(phase=Phase.OFFERED.value)
    due = due.filter(~Q(brief="") | ~Q(reason=""))
    rows = list(due.values_list("pk", "authority_id", "mode")[:most])
    Handover.objects.filter(pk__in=[row[0] for row in rows]).update(brief="", reason="", facts={})
    return [row[1:] for row in rows]


def _silent(before: datetime, most: int) -> list[tuple[str, str]]:
    rows = list(Presence.objects.filter(seen_at__lt=before).values_list("pk", "authority_id")[:most])
    Presence.objects.filter(pk__in=[pk for pk, _ in rows]).delete()
    return [(authority, Mode.LIVE.value) for _, authority in rows]


FORGETTINGS = (Forgetting(LOG, _calls), Forgetting(LOG, _briefs), Forgetting(PRESENCE, _silent))
