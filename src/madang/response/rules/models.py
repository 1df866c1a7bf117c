"""The tables of rules. Memories and cursors are written by SQL in groups."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from madang.kernel.ids import new_id
from madang.response.models import MODES, authority_key
from madang.response.rules.domain import Stage

STAGE_KO: dict[Stage, str] = {
    Stage.DRAFT: "초안",
    Stage.CHECKED: "점검 완료",
    Stage.REPLAYED: "재현 완료",
    Stage.SHADOW: "그림자 운전",
    Stage.PUBLISHED: "시행",
    Stage.RETIRED: "종료",
    Stage.DROPPED: "폐기",
}


def _id() -> models.CharField[str, str]:
    return models.CharField(primary_key=True, max_length=36, default=new_id, editable=False)


class RuleVersion(models.Model):
    """One version of one rule. What has once run is never changed."""

    id = _id()
    authority = authority_key("rule_versions")
    name = models.CharField("이름 Name", max_length=40)
    number = models.PositiveIntegerField("판 Version")
    stage = models.CharField("단계 Stage", max_length=10, choices=[(s.value, STAGE_KO[s]) for s in Stage])
    definition = models.JSONField("규칙 Rule")
    note = models.CharField("설명 Note", max_length=300, blank=True)
    author = models.CharField("작성 Author", max_length=80)
    author_name = models.CharField("작성자 Author's name", max_length=100, blank=True)
    editors = models.JSONField("수정 Editors", default=list, blank=True)
    findings = models.JSONField("점검 결과 Findings", default=list, blank=True)
    auto = models.BooleanField("외부 자동 실행 Acts outside by itself", default=False)
    shadow_at = models.DateTimeField("그림자 시작 Shadow since", null=True, blank=True)
    published_by = models.CharField("시행 Published by", max_length=80, blank=True)
    published_name = models.CharField("시행자 Publisher's name", max_length=100, blank=True)
    published_at = models.DateTimeField("시행 시각 Published", null=True, blank=True)
    retired_at = models.DateTimeField("종료 시각 Retired", null=True, blank=True)
    created_at = models.DateTimeField("작성 시각 Created")
    updated_at = models.DateTimeField("변경 시각 Updated")
    revision = models.PositiveIntegerField(default=1)

    class Meta:
        verbose_name = "규칙 Rule"
        verbose_name_plural = "규칙 Rules"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["authority", "name", "number"], name="rules_version_once"),
            models.UniqueConstraint(
                fields=["authority", "name"], condition=models.Q(stage="published"), name="rules_one_published"
            ),
            models.UniqueConstraint(
                fields=["authority", "name"],
                condition=models.Q(stage__in=["draft", "checked", "replayed", "shadow"]),
                name="rules_one_in_work",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["authority", "stage"], name="rules_stage")]

    def __str__(self) -> str:
        return f"{self.name}@{self.number}"


class RuleMemory(models.Model):
    """What one version remembers about one group of facts (`machines`). Pending waits are journal timers beside it."""

    version = models.ForeignKey(RuleVersion, on_delete=models.CASCADE, related_name="memories")
    key = models.CharField(max_length=100)
    body = models.TextField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["version", "key"], name="rules_memory_once")
        ]

    def __str__(self) -> str:
        return f"{self.version_id} {self.key}"


class RuleCursor(models.Model):
    """How far a feed has been followed; written in the transaction of what that caused."""

    authority = authority_key("rule_cursors")
    feed = models.CharField(max_length=10)
    cursor = models.CharField(max_length=300)
    followed_at = models.DateTimeField()
    lost = models.PositiveIntegerField(default=0)
    """How often the feed could not be resumed and what lay between was missed."""

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["authority", "feed"], name="rules_cursor_once")
        ]

    def __str__(self) -> str:
        return f"{self.authority_id} {self.feed}"


class Firing(models.Model):
    """Something a version said, or in shadow would have said. `source_id` makes it once."""

    id = _id()
    authority = authority_key("rule_firings")
    mode = models.CharField("모드 Mode", max_length=12, choices=MODES)
    version = models.ForeignKey(RuleVersion, on_delete=models.PROTECT, related_name="firings")
    key = models.CharField("묶음 Group", max_length=100)
    kind = models.CharField("종류 Kind", max_length=10, choices=[(k, k) for k in ("fired", "cleared")])
    at = models.DateTimeField("시각 At")
    noted_at = models.DateTimeField("기록 Noted")
    shadow = models.BooleanField("그림자 Shadow", default=False)
    source_id = models.CharField(max_length=200, unique=True)
    device = models.CharField("장치 Device", max_length=200, blank=True)
    class_code = models.CharField("종류 Class", max_length=64, blank=True)
    priority = models.PositiveSmallIntegerField("우선순위 Priority", null=True, blank=True)
    lon = models.FloatField(null=True, blank=True)
    lat = models.FloatField(null=True, blank=True)
    value = models.JSONField(null=True, blank=True)
    signal_id = models.CharField("신호 Signal", max_length=36, blank=True)
    refused = models.CharField("거절 이유 Refused", max_length=200, blank=True)
    incident_id = models.CharField("사건 Incident", max_length=36, blank=True)
    late = models.PositiveIntegerField("늦은 사실 Late facts", default=0)

    class Meta:
        verbose_name = "규칙 발동 Firing"
        verbose_name_plural = "규칙 발동 Firings"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["version", "noted_at"], name="rules_firing_version"),
            models.Index(fields=["incident_id"], condition=~models.Q(incident_id=""), name="rules_firing_incident"),
            models.Index(fields=["version", "key", "at"], name="rules_firing_group"),
        ]

    def __str__(self) -> str:
        return self.source_id


class Deed(models.Model):
    """One effect of one version on one incident: done, asked, confirmed, declined or impossible. Once, ever."""

    id = _id()
    authority = authority_key("rule_deeds")
    incident_id = models.CharField("사건 Incident", max_length=36)
    version = models.ForeignKey(RuleVersion, on_delete=models.PROTECT, related_name="deeds", null=True)
    rule = models.CharField("규칙 Rule", max_length=60)
    place = models.PositiveSmallIntegerField()
    kind = models.CharField("효과 Effect", max_length=20)
    effect = models.JSONField()
    state = models.CharField(
        "상태 State",
        max_length=12,
        choices=[(s, s) for s in ("done", "asked", "confirmed", "declined", "impossible")],
    )
    reason = models.CharField("사유 Reason", max_length=500, blank=True)
    at = models.DateTimeField("시각 At")
    decided_by = models.CharField("결정 Decided by", max_length=80, blank=True)
    decided_at = models.DateTimeField("결정 시각 Decided", null=True, blank=True)

    class Meta:
        verbose_name = "규칙 효과 Deed"
        verbose_name_plural = "규칙 효과 Deeds"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["incident_id", "rule", "place"], name="rules_deed_once")
        ]

    def __str__(self) -> str:
        return f"{self.rule} {self.kind}"


class ReplayRun(models.Model):
    """A version run over what was, beside the one in force: a job with progress and a report."""

    id = _id()
    authority = authority_key("rule_replays")
    version = models.ForeignKey(RuleVersion, on_delete=models.CASCADE, related_name="replays")
    revision = models.PositiveIntegerField()
    """The revision of the version that was run: a report of another is not its own."""
    state = models.CharField(
        "상태 State",
        max_length=10,
        choices=[(s, s) for s in ("queued", "running", "done", "failed", "stopped")],
        default="queued",
    )
    from_at = models.DateTimeField("부터 From")
    to_at = models.DateTimeField("까지 To")
    done = models.PositiveBigIntegerField("진행 Done", default=0)
    total = models.PositiveBigIntegerField("전체 Total", default=0)
    report = models.JSONField("결과 Report", default=dict, blank=True)
    error = models.CharField("오류 Error", max_length=500, blank=True)
    by = models.CharField("요청 By", max_length=80)
    asked_at = models.DateTimeField("요청 시각 Asked")
    finished_at = models.DateTimeField("완료 시각 Finished", null=True, blank=True)

    class Meta:
        verbose_name = "규칙 재현 Replay"
        verbose_name_plural = "규칙 재현 Replays"
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["state", "asked_at"], name="rules_replay_state")]

    def __str__(self) -> str:
        return f"{self.version_id} {self.state}"


class RuleTable(models.Model):
    """A version of a decision table that rules ask. Drafted by one person, published by another."""

    id = _id()
    authority = authority_key("rule_tables")
    kind = models.CharField(
        "표 Table",
        max_length=10,
        choices=[("priority", "우선순위"), ("grant", "영상 제공 제안"), ("notify", "전파 명단")],
    )
    number = models.PositiveIntegerField("판 Version")
    state = models.CharField(
        "상태 State", max_length=10, choices=[("draft", "초안"), ("published", "시행"), ("retired", "종료")]
    )
    policy = models.CharField(
        "방식 Policy", max_length=10, choices=[(p, p.upper()) for p in ("unique", "first", "collect")]
    )
    rows = models.JSONField("행 Rows")
    note = models.CharField("설명 Note", max_length=300, blank=True)
    author = models.CharField("작성 Author", max_length=80)
    created_at = models.DateTimeField("작성 시각 Created")
    published_by = models.CharField("시행 Published by", max_length=80, blank=True)
    published_at = models.DateTimeField("시행 시각 Published", null=True, blank=True)

    class Meta:
        verbose_name = "규칙 결정표 Decision table of rules"
        verbose_name_plural = "규칙 결정표 Decision tables of rules"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["authority", "kind", "number"], name="rules_table_once"),
            models.UniqueConstraint(
                fields=["authority", "kind"], condition=models.Q(state="published"), name="rules_table_one_published"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind}@{self.number}"
