"""The tables of the police linkage."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from madang.kernel.mode import Mode

MODES = [(mode.value, mode.value) for mode in Mode]


class LinkState(models.Model):
    """Whether an agency's link is alive: when it was last heard, when it last took something from us."""

    agency = models.OneToOneField(
        "identity.Agency", on_delete=models.PROTECT, primary_key=True, related_name="police112_link"
    )
    authority = models.ForeignKey(
        "identity.Authority", on_delete=models.PROTECT, db_column="authority", to_field="code", related_name="+"
    )
    state = models.CharField(
        "상태 State", max_length=6, choices=[("never", "미연결"), ("up", "정상"), ("down", "두절")]
    )
    last_heard_at = models.DateTimeField("마지막 수신 Last heard", null=True, blank=True)
    last_sent_at = models.DateTimeField("마지막 송신 Last sent", null=True, blank=True)
    last_error = models.CharField("마지막 오류 Last error", max_length=300, blank=True)
    down_since = models.DateTimeField("두절 시각 Down since", null=True, blank=True)
    incident_id = models.CharField("두절 사건 Incident", max_length=36, blank=True)
    mode = models.CharField("모드 Mode", max_length=12, choices=MODES)

    class Meta:
        verbose_name = "112 연계 상태 Link state"
        verbose_name_plural = "112 연계 상태 Link states"

    def __str__(self) -> str:
        return f"{self.agency_id} {self.state}"


class WaitingMessage(models.Model):
    """A message for an agency that fetches instead of being called; dropped once fetched past."""

    agency = models.ForeignKey("identity.Agency", on_delete=models.PROTECT, related_name="+")
    message_id = models.CharField(max_length=64, unique=True)
    wire = models.BinaryField()
    kept_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["agency", "id"], name="police112_waiting")]

    def __str__(self) -> str:
        return self.message_id
