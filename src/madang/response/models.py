"""The tables of response: incidents, what their sources said, timelines and tasks."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from madang.kernel.ids import new_id
from madang.kernel.mode import Mode
from madang.response.domain import PlaceState, State

MODES = [(mode.value, mode.value) for mode in Mode]
STATE_KO: dict[State, str] = {
    State.NEW: "접수",
    State.VERIFYING: "확인 중",
    State.ACTIVE: "대응 중",
    State.STABILISED: "안정",
    State.CLOSED: "종결",
    State.REVIEWED: "검토 완료",
    State.DISMISSED: "기각",
    State.MERGED: "병합",
    State.CANCELLED: "취소",
}


def authority_key(related_name: str) -> models.ForeignKey[models.Model, models.Model]:
    """The city a row belongs to."""
    return models.ForeignKey(
        "identity.Authority",
        on_delete=models.PROTECT,
        db_column="authority",
        to_field="code",
        related_name=related_name,
        verbose_name="기관 Authority",
    )


class Incident(models.Model):
    """Something that happened, or may have, and what is done about it."""

    id = models.CharField(primary_key=True, max_length=36, default=new_id, editable=False)
    authority = authority_key("incidents")
    number = models.CharField("사건번호 Number", max_length=20)
    mode = models.CharField("모드 Mode", max_length=12, choices=MODES, default=Mode.LIVE.value)
    source = models.CharField("출처 Source", max_length=20)
    source_key = models.CharField("신고번호 Call number", max_length=100, blank=True)
    agency = models.CharField("기관 Agency", max_length=40, blank=True)
    class_code = models.CharField("종류 Class", max_length=64)
    class_text = models.CharField("종류 원문 Class as said", max_length=64, blank=True)
    priority = models.PositiveSmallIntegerField("우선순위 Priority")
    state = models.CharField("상태 State", max_length=12, choices=[(s.value, STATE_KO[s]) for s in State])
    place_state = models.CharField("위치 상태 Place", max_length=12, choices=[(p.value, p.value) for p in PlaceState])
    place_how = models.CharField("위치 근거 Place read from", max_length=20, blank=True)
    lon = models.FloatField("경도 Longitude", null=True, blank=True)
    lat = models.FloatField("위도 Latitude", null=True, blank=True)
    accuracy_m = models.FloatField("정확도(m) Accuracy", null=True, blank=True)
    address = models.CharField("주소 Address", max_length=500, blank=True)
    district = models.CharField("읍·면·동 District", max_length=60, blank=True)
    candidates = models.JSONField("위치 후보 Candidates", default=list, blank=True)
    doubts = models.JSONField("의문점 Doubts", default=list, blank=True)
    radius_m = models.FloatField("반경(m) Radius", default=500.0)
    basis = models.CharField("법적 근거 Basis", max_length=64, blank=True)
    note = models.TextField("내용 Note", blank=True)
    outcome = models.CharField("결과 Outcome", max_length=64, blank=True)
    owner = models.CharField("담당 Owner", max_length=80, blank=True)
    owner_name = models.CharField("담당자 Owner name", max_length=100, blank=True)
    officer = models.JSONField("요청 경찰관 Officer", default=dict, blank=True)
    has_caller = models.BooleanField("신고자 정보 Caller known", default=False)
    parent = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="children",
        verbose_name="상위 사건 Part of",
    )
    signal_count = models.PositiveIntegerField("신호 수 Signals", default=0)
    last_signal_at = models.DateTimeField("마지막 신호 Last signal", null=True, blank=True)
    merged_into = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="merged",
        verbose_name="병합된 곳 Merged into",
    )
    case_id = models.CharField("영상 사건 Video case", max_length=36, blank=True)
    opened_at = models.DateTimeField("접수 시각 Opened")
    updated_at = models.DateTimeField("변경 시각 Updated")
    closed_at = models.DateTimeField("종료 시각 Closed", null=True, blank=True)
    version = models.PositiveIntegerField("판 Version", default=1)

    class Meta:
        verbose_name = "사건 Incident"
        verbose_name_plural = "사건 Incidents"
        ordering: ClassVar[list[str]] = ["-opened_at"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["authority", "number"], name="response_incident_number_once"),
            models.UniqueConstraint(
                fields=["authority", "mode", "source", "agency", "source_key"],
                condition=~models.Q(source_key=""),
                name="response_incident_source_once",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["authority", "state", "priority"], name="response_incident_queue"),
            models.Index(fields=["authority", "closed_at"], name="response_incident_closed"),
            models.Index(fields=["case_id"], name="response_incident_case"),
        ]

    def __str__(self) -> str:
        return self.number


class SourceCall(models.Model):
    """Everything one source has said about one call, also before there is an incident and after it has ended."""

    id = models.CharField(primary_key=True, max_length=36, default=new_id, editable=False)
    authority = authority_key("source_calls")
    mode = models.CharField(max_length=12, choices=MODES)
    source = models.CharField(max_length=20)
    agency = models.CharField(max_length=40, blank=True)
    source_key = models.CharField(max_length=100)
    incident = models.OneToOneField(
        Incident, on_delete=models.PROTECT, related_name="source_call", null=True, blank=True
    )
    account = models.JSONField(default=dict)
    caller_sealed = models.BinaryField(default=b"", editable=False)
    request_message_id = models.CharField(max_length=100, blank=True)
    first_heard_at = models.DateTimeField()

    class Meta:
        verbose_name = "신고 Source call"
        verbose_name_plural = "신고 Source calls"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["authority", "mode", "source", "agency", "source_key"], name="response_source_call_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.agency} {self.source_key}"


class IncidentCounter(models.Model):
    """The last incident number of a city in a year (Seoul time)."""

    authority = authority_key("incident_counters")
    year = models.PositiveSmallIntegerField()
    last = models.PositiveIntegerField(default=0)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["authority", "year"], name="response_counter_once")
        ]

    def __str__(self) -> str:
        return f"{self.year}-{self.last:06}"


class TimelineEntry(models.Model):
    """One line of what happened, append-only: each carries the hash of the one before (I6)."""

    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="timeline")
    seq = models.PositiveIntegerField()
    at = models.DateTimeField("시각 At")
    actor = models.CharField("행위자 Actor", max_length=120)
    actor_name = models.CharField("이름 Name", max_length=100, blank=True)
    kind = models.CharField("종류 Kind", max_length=40)
    text_ko = models.TextField("내용", blank=True)
    text_en = models.TextField("Text", blank=True)
    payload = models.JSONField(default=dict, blank=True)
    ref = models.CharField(max_length=100, blank=True)
    prev_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        verbose_name = "경과 Timeline entry"
        verbose_name_plural = "경과 Timeline entries"
        ordering: ClassVar[list[str]] = ["incident", "seq"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["incident", "seq"], name="response_timeline_seq_once"),
            models.UniqueConstraint(
                fields=["incident", "kind", "ref"], condition=~models.Q(ref=""), name="response_timeline_ref_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.incident_id} #{self.seq} {self.kind}"


class Task(models.Model):
    """Something a person should do about an incident, and by when."""

    id = models.CharField(primary_key=True, max_length=36, default=new_id, editable=False)
    authority = authority_key("tasks")
    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="tasks")
    kind = models.CharField("종류 Kind", max_length=20)
    ref = models.CharField("대상 About", max_length=100, blank=True)
    state = models.CharField(
        "상태 State",
        max_length=12,
        choices=[("open", "진행 Open"), ("escalated", "상향 Escalated"), ("done", "완료 Done")],
        default="open",
    )
    due_at = models.DateTimeField("기한 Due")
    text_ko = models.CharField("내용", max_length=300)
    text_en = models.CharField("Text", max_length=300)
    created_at = models.DateTimeField("생성 Created")
    done_at = models.DateTimeField("완료 Done", null=True, blank=True)
    done_by = models.CharField("완료자 Done by", max_length=120, blank=True)
    note = models.TextField("결과 Result", blank=True)
    made_by = models.CharField("만든 사람 Made by", max_length=120, blank=True)
    assignee = models.CharField("맡은 사람 Assignee", max_length=80, blank=True)
    assignee_name = models.CharField("맡은 이름 Assignee name", max_length=100, blank=True)
    snoozed_until = models.DateTimeField("미룸 Snoozed until", null=True, blank=True)
    snooze_reason = models.CharField("미룬 사유 Why snoozed", max_length=300, blank=True)
    mode = models.CharField("모드 Mode", max_length=12, choices=MODES)

    class Meta:
        verbose_name = "할 일 Task"
        verbose_name_plural = "할 일 Tasks"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["incident", "kind", "ref"],
                condition=models.Q(state__in=["open", "escalated"]),
                name="response_task_open_once",
            )
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["authority", "state", "due_at"], name="response_task_due"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.incident_id}"
