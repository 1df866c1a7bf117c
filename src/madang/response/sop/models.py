"""The tables of checklists: templates with their versions, and runs of a version on an incident."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from madang.kernel.ids import new_id
from madang.response.models import MODES, Incident, authority_key

VERSION_STATES = [("draft", "초안 Draft"), ("published", "시행 Published"), ("retired", "종료 Retired")]


class SopTemplate(models.Model):
    """A checklist of a city under a name that stays; its words are in its versions."""

    id = models.CharField(primary_key=True, max_length=36, default=new_id, editable=False)
    authority = authority_key("sop_templates")
    code = models.CharField("이름 Code", max_length=40)

    class Meta:
        verbose_name = "업무 절차 SOP"
        verbose_name_plural = "업무 절차 SOPs"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["authority", "code"], name="sop_template_once")
        ]

    def __str__(self) -> str:
        return self.code


class SopVersion(models.Model):
    """One wording of a checklist. A draft may be changed; once published it stays as it is, for the runs it has."""

    id = models.CharField(primary_key=True, max_length=36, default=new_id, editable=False)
    template = models.ForeignKey(SopTemplate, on_delete=models.PROTECT, related_name="versions")
    version = models.PositiveIntegerField("판 Version")
    state = models.CharField("상태 State", max_length=10, choices=VERSION_STATES, default="draft")
    title_ko = models.CharField("제목", max_length=100)
    title_en = models.CharField("Title", max_length=100, blank=True)
    classes = models.JSONField("자동 시작 종류 Starts for", default=list)
    steps = models.JSONField("단계 Steps", default=list)
    note = models.CharField("설명 Note", max_length=300, blank=True)
    example = models.BooleanField("예시 Example", default=False)
    drafted_by = models.CharField("작성 Drafted by", max_length=80)
    drafted_at = models.DateTimeField("작성 시각 Drafted")
    published_by = models.CharField("시행 Published by", max_length=80, blank=True)
    published_at = models.DateTimeField("시행 시각 Published", null=True, blank=True)

    class Meta:
        verbose_name = "절차 판 SOP version"
        verbose_name_plural = "절차 판 SOP versions"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["template", "version"], name="sop_version_once"),
            models.UniqueConstraint(
                fields=["template"], condition=models.Q(state="published"), name="sop_published_once"
            ),
            models.UniqueConstraint(fields=["template"], condition=models.Q(state="draft"), name="sop_draft_once"),
        ]

    def __str__(self) -> str:
        return f"{self.template.code}@{self.version}"


class SopRun(models.Model):
    """A version being worked through on an incident."""

    id = models.CharField(primary_key=True, max_length=36, default=new_id, editable=False)
    authority = authority_key("sop_runs")
    mode = models.CharField(max_length=12, choices=MODES)
    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="sop_runs")
    version = models.ForeignKey(SopVersion, on_delete=models.PROTECT, related_name="runs")
    code = models.CharField(max_length=40)
    phase = models.CharField(max_length=10, default="running")
    started_by = models.CharField(max_length=80)
    started_name = models.CharField(max_length=100, blank=True)
    rule = models.CharField(max_length=120, blank=True)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    end_reason = models.CharField(max_length=300, blank=True)

    class Meta:
        verbose_name = "절차 실행 SOP run"
        verbose_name_plural = "절차 실행 SOP runs"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["incident", "code"], condition=models.Q(phase="running"), name="sop_run_running_once"
            )
        ]
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["authority", "phase"], name="sop_run_phase")]

    def __str__(self) -> str:
        return f"{self.code} {self.incident_id}"


class SopStep(models.Model):
    """One step of a run: since when it is open, until when, and what was entered."""

    run = models.ForeignKey(SopRun, on_delete=models.PROTECT, related_name="steps")
    key = models.CharField(max_length=40)
    place = models.PositiveSmallIntegerField()
    opened_at = models.DateTimeField(null=True, blank=True)
    due_at = models.DateTimeField(null=True, blank=True)
    overdue_at = models.DateTimeField(null=True, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)
    done_by = models.CharField(max_length=80, blank=True)
    done_name = models.CharField(max_length=100, blank=True)
    skipped = models.BooleanField(default=False)
    value = models.CharField(max_length=100, blank=True)
    note = models.TextField(blank=True)
    still = models.CharField(max_length=200, blank=True)

    class Meta:
        verbose_name = "절차 단계 SOP step"
        verbose_name_plural = "절차 단계 SOP steps"
        ordering: ClassVar[list[str]] = ["run", "place"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["run", "key"], name="sop_step_once")
        ]

    def __str__(self) -> str:
        return f"{self.run_id} {self.key}"
