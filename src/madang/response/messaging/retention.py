"""How long situation messages are kept: what they said and who acknowledged; that they went out stays."""

from __future__ import annotations

from datetime import datetime

from madang.journal.retention import Kind
from madang.response.forgetting import Forgetting
from madang.response.messaging.domain import TERMINAL
from madang.response.messaging.models import Attempt, Delivery, SentMessage

KIND = Kind(
    "situation_message",
    1095,
    "상황전파 내용과 확인자",
    "Situation messages and who acknowledged",
    "기관의 기록물 관리 기준 (기간은 기관 지침)",
    "The institution's records schedule (period set by the institution)",
)


def _messages(before: datetime, most: int) -> list[tuple[str, str]]:
    """Empties messages that nobody need acknowledge any more, with their deliveries."""
    due = SentMessage.objects.filter(sent_at__lt=before).exclude(text_ko="", text_en="", sent_by_name="")
    open_still = Delivery.objects.exclude(state__in=[state.value for state in TERMINAL])
    due = due.exclude(pk__in=open_still.values("message_id"))
    rows = list(due.values_list("pk", "authority_id", "mode")[:most])
    ids = [row[0] for row in rows]
    SentMessage.objects.filter(pk__in=ids).update(text_ko="", text_en="", area="", sent_by_name="")
    Delivery.objects.filter(message_id__in=ids).update(acknowledged_by="", note="")
    Attempt.objects.filter(delivery__message_id__in=ids).update(error="", provider_ref="")
    return [row[1:] for row in rows]


FORGETTINGS = (Forgetting(KIND, _messages),)
