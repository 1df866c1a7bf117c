"""The tables of duty: teams, signs of life, hand-overs, the radio and telephone log."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from madang.kernel.ids import new_id
from madang.response.models import MODES, Incident, authority_key


class Team(models.Model):
    """People who keep the same shifts (조)."""

    id = models.CharField(primary_key=True, max_length=36, default=new_id, editable=False)
    authority = authority_key("duty_teams")
    name = models.CharField("조 Team", max_length=40)
    members = models.ManyToManyField("identity.Person", related_name="duty_teams", verbose_name="사람 Members")

    class Meta:
        verbose_name = "근무조 Team"
        verbose_name_plural = "근무조 Teams"
        ordering: ClassVar[list[str]] = ["authority", "name"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["authority", "name"], name="duty_team_once")
        ]

    def __str__(self) -> str:
        return self.name


class Presence(models.Model):
    """When somebody's screen was last heard of; written at most every few seconds."""

    actor = models.CharField(primary_key=True, max_length=80)
    name = models.CharField(max_length=100, blank=True)
    authority = authority_key("duty_presence")
    seen_at = models.DateTimeField()
    released_at = models.DateTimeField(null=True, blank=True)
    lost = models.PositiveSmallIntegerField(default=0)

    class Meta:
        verbose_name = "접속 Presence"
        verbose_name_plural = "접속 Presence"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["authority", "seen_at"], name="duty_presence_seen")
        ]

    def __str__(self) -> str:
        return f"{self.actor} {self.seen_at:%H:%M:%S}"


class Handover(models.Model):
    """One person's work offered to another: a brief and the incidents that go with it."""

    id = models.CharField(primary_key=True, max_length=36, default=new_id, editable=False)
    authority = authority_key("duty_handovers")
    mode = models.CharField(max_length=12, choices=MODES)
    giver = models.CharField(max_length=80)
    giver_name = models.CharField(max_length=100)
    receiver = models.CharField(max_length=80)
    receiver_name = models.CharField(max_length=100)
    phase = models.CharField(max_length=10, default="offered")
    brief = models.TextField()
    facts = models.JSONField(default=dict)
    reason = models.CharField(max_length=300, blank=True)
    offered_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "인수인계 Hand-over"
        verbose_name_plural = "인수인계 Hand-overs"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["authority", "phase"], name="duty_handover_phase")
        ]

    def __str__(self) -> str:
        return f"{self.giver_name} → {self.receiver_name}"


class HandoverItem(models.Model):
    """One incident of a hand-over."""

    handover = models.ForeignKey(Handover, on_delete=models.PROTECT, related_name="items")
    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="handover_items")
    state = models.CharField(max_length=10, default="waiting")
    reason = models.CharField(max_length=300, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "인계 사건 Hand-over item"
        verbose_name_plural = "인계 사건 Hand-over items"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["handover", "incident"], name="duty_item_once"),
            models.UniqueConstraint(
                fields=["incident"], condition=models.Q(state="waiting"), name="duty_item_waiting_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.incident_id} {self.state}"


class LogEntry(models.Model):
    """Something said by radio or telephone. Never changed: a correction is an entry that names the one it corrects."""

    id = models.CharField(primary_key=True, max_length=36, default=new_id, editable=False)
    authority = authority_key("duty_log")
    mode = models.CharField(max_length=12, choices=MODES)
    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="log", null=True, blank=True)
    channel = models.CharField(max_length=10)
    direction = models.CharField(max_length=4)
    who = models.CharField("보낸 쪽 From", max_length=100)
    whom = models.CharField("받은 쪽 To", max_length=100)
    text = models.TextField("내용 Text")
    said_at = models.DateTimeField("통신 시각 Said")
    written_at = models.DateTimeField("기록 시각 Written")
    actor = models.CharField(max_length=80)
    actor_name = models.CharField(max_length=100)
    corrects = models.OneToOneField(
        "self", on_delete=models.PROTECT, related_name="corrected_by", null=True, blank=True
    )

    class Meta:
        verbose_name = "통신 기록 Log entry"
        verbose_name_plural = "통신 기록 Log"
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["authority", "said_at"], name="duty_log_said")]

    def __str__(self) -> str:
        return f"{self.channel} {self.said_at:%H:%M}"
