"""The tables of situation messages: who can be told, what was said, and how each telling went."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from madang.kernel.ids import new_id
from madang.kernel.mode import Mode
from madang.response.messaging.domain import AttemptState, DeliveryState
from madang.response.models import MODES, Incident, authority_key

LEVELS = (
    ("notice", "알림 Notice"),
    ("attention", "관심 Attention"),
    ("caution", "주의 Caution"),
    ("alert", "경계 Alert"),
    ("serious", "심각 Serious"),
)
"""The four levels of Korea's national crisis alert (DOMAIN §3.3), and a plain notice."""
TIERS = (
    ("department", "부서 Department"),
    ("city", "시·군·구 City"),
    ("province", "시·도 Province"),
    ("national", "중앙 National"),
    ("agency", "유관기관 Agency"),
    ("field", "현장 Field"),
)
STATE_KO: dict[DeliveryState, str] = {
    DeliveryState.TRYING: "발송 중",
    DeliveryState.SENT: "확인 대기",
    DeliveryState.PHONE: "전화 필요",
    DeliveryState.ACKNOWLEDGED: "확인",
    DeliveryState.UNREACHED: "연락 안 됨",
    DeliveryState.TOLD: "알림",
    DeliveryState.WITHDRAWN: "거둠",
}


class Recipient(models.Model):
    """Somebody, or something that speaks aloud, that situation messages go to. How to reach them is sealed."""

    id = models.CharField(primary_key=True, max_length=36, default=new_id, editable=False)
    authority = authority_key("message_recipients")
    name = models.CharField("이름 Name", max_length=100)
    duty = models.CharField("직책 Duty", max_length=100, blank=True)
    tier = models.CharField("단계 Tier", max_length=12, choices=TIERS)
    channels = models.JSONField(
        "수단 Channels", default=list, help_text="시도할 순서대로 · in the order they are tried"
    )
    addresses_sealed = models.BinaryField(default=b"", editable=False)
    classes = models.JSONField(
        "종류 Classes", default=list, blank=True, help_text="비우면 모두 · empty means every class"
    )
    order = models.PositiveSmallIntegerField("순서 Order", default=0)
    wants_ack = models.BooleanField("확인 필요 Must acknowledge", default=True)
    active = models.BooleanField("사용 Active", default=True)
    mode = models.CharField("모드 Mode", max_length=12, choices=MODES, default=Mode.LIVE.value)
    key = models.CharField("식별자 Key", max_length=60, blank=True)

    class Meta:
        verbose_name = "전파 대상 Recipient"
        verbose_name_plural = "전파 대상 Recipients"
        ordering: ClassVar[list[str]] = ["tier", "order", "name"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["authority", "mode", "key"], condition=~models.Q(key=""), name="messaging_recipient_key_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.duty})" if self.duty else self.name


class Template(models.Model):
    """Words to begin with, for a class of incident and a level. `{number}`, `{class}`, `{place}` are filled in."""

    authority = authority_key("message_templates")
    class_code = models.CharField(
        "종류 Class", max_length=64, blank=True, help_text="비우면 모두 · empty means every class"
    )
    level = models.CharField("단계 Level", max_length=10, choices=LEVELS, default="notice")
    name = models.CharField("이름 Name", max_length=80)
    text_ko = models.TextField("내용", max_length=600)
    text_en = models.TextField("Text", max_length=600, blank=True)
    tiers = models.JSONField("단계 Tiers", default=list, blank=True)

    class Meta:
        verbose_name = "전파 문안 Template"
        verbose_name_plural = "전파 문안 Templates"

    def __str__(self) -> str:
        return self.name


class SentMessage(models.Model):
    """A situation message as it was sent; what it says never changes."""

    id = models.CharField(primary_key=True, max_length=36, default=new_id, editable=False)
    authority = authority_key("situation_messages")
    mode = models.CharField("모드 Mode", max_length=12, choices=MODES)
    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="messages")
    level = models.CharField("단계 Level", max_length=10, choices=LEVELS)
    tiers = models.JSONField("대상 단계 Tiers", default=list)
    text_ko = models.TextField("내용")
    text_en = models.TextField("Text", blank=True)
    area = models.CharField("지역 Area", max_length=200, blank=True)
    ack_within_s = models.PositiveIntegerField("확인 기한(초) Acknowledge within")
    sent_by = models.CharField("보낸 이 Sent by", max_length=120)
    sent_by_name = models.CharField("보낸 이 이름 Sender", max_length=100, blank=True)
    rule = models.CharField("규칙 Rule", max_length=120, blank=True)
    sent_at = models.DateTimeField("보낸 시각 Sent")
    ref = models.CharField(max_length=120, blank=True)

    class Meta:
        verbose_name = "상황전파 Situation message"
        verbose_name_plural = "상황전파 Situation messages"
        ordering: ClassVar[list[str]] = ["-sent_at"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["incident", "ref"], condition=~models.Q(ref=""), name="messaging_message_ref_once"
            )
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["authority", "sent_at"], name="messaging_message_sent")
        ]

    def __str__(self) -> str:
        return f"{self.incident_id} {self.sent_at:%H:%M}"


class Delivery(models.Model):
    """One message on its way to one recipient."""

    id = models.CharField(primary_key=True, max_length=36, default=new_id, editable=False)
    authority = authority_key("message_deliveries")
    message = models.ForeignKey(SentMessage, on_delete=models.PROTECT, related_name="deliveries")
    recipient = models.ForeignKey(Recipient, on_delete=models.PROTECT, related_name="deliveries")
    channels = models.JSONField("수단 Channels", default=list)
    step = models.PositiveSmallIntegerField("차례 Step", default=0)
    state = models.CharField(
        "상태 State", max_length=14, choices=[(state.value, STATE_KO[state]) for state in DeliveryState]
    )
    wants_ack = models.BooleanField(default=True)
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    acknowledged_at = models.DateTimeField("확인 시각 Acknowledged", null=True, blank=True)
    acknowledged_by = models.CharField("확인자 By", max_length=120, blank=True)
    how = models.CharField("확인 방법 How", max_length=12, blank=True)
    note = models.CharField("메모 Note", max_length=300, blank=True)
    updated_at = models.DateTimeField("변경 Updated")

    class Meta:
        verbose_name = "전파 현황 Delivery"
        verbose_name_plural = "전파 현황 Deliveries"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["message", "recipient"], name="messaging_delivery_once")
        ]

    def __str__(self) -> str:
        return f"{self.recipient_id} {self.state}"


class Attempt(models.Model):
    """One try over one channel. Its id is the idempotency key the channel is given."""

    id = models.CharField(primary_key=True, max_length=36, default=new_id, editable=False)
    delivery = models.ForeignKey(Delivery, on_delete=models.PROTECT, related_name="attempts")
    step = models.PositiveSmallIntegerField()
    channel = models.CharField("수단 Channel", max_length=20)
    state = models.CharField(
        "상태 State", max_length=10, choices=[(state.value, state.value) for state in AttemptState]
    )
    queued_at = models.DateTimeField("대기 Queued")
    sent_at = models.DateTimeField("발송 Sent", null=True, blank=True)
    provider_ref = models.CharField("발송 번호 Provider's number", max_length=120, blank=True)
    error = models.CharField("오류 Error", max_length=300, blank=True)

    class Meta:
        verbose_name = "발송 시도 Attempt"
        verbose_name_plural = "발송 시도 Attempts"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["delivery", "step"], name="messaging_attempt_step_once")
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.state}"
