"""The tables of facilities: what stands in the street, when it was seen working, outages, inspections, work orders."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from madang.facilities.domain import Cause, Condition, Kind, State
from madang.facilities.orders import OrderState
from madang.kernel.ids import new_id
from madang.kernel.mode import Mode

MODES = [(mode.value, mode.value) for mode in Mode]
KIND_KO: dict[Kind, str] = {
    Kind.CCTV: "CCTV",
    Kind.BELL: "안전비상벨",
    Kind.LIGHT: "조명",
    Kind.SENSOR: "센서",
    Kind.SHELTER: "쉼터",
    Kind.OTHER: "기타",
}
CAUSE_KO: dict[Cause, str] = {
    Cause.SILENT: "무응답",
    Cause.BLACK: "검은 화면",
    Cause.FROZEN: "멈춘 화면",
    Cause.SHIFTED: "화면 틀어짐",
    Cause.UNSTABLE: "불안정(반복)",
    Cause.INSPECTION: "점검 불량",
    Cause.REPORTED: "신고",
    Cause.OTHER: "기타",
}
STATE_KO: dict[State, str] = {
    State.SUSPECTED: "의심",
    State.OPEN: "고장",
    State.ACKNOWLEDGED: "확인",
    State.IN_REPAIR: "수리 중",
    State.RESTORED: "복구(지켜보는 중)",
    State.CLOSED: "종료",
    State.CLEARED: "해소",
}
ORDER_KO: dict[OrderState, str] = {
    OrderState.ISSUED: "지시",
    OrderState.ACCEPTED: "접수",
    OrderState.WORKING: "작업 중",
    OrderState.DONE: "완료 보고",
    OrderState.VERIFIED: "검증됨",
    OrderState.CANCELLED: "취소",
}
LINKS = [("yes", "연계"), ("no", "미연계"), ("unknown", "모름")]
RESULTS = [("pass", "정상"), ("fail", "불량"), ("unknown", "모름")]


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


def id_key() -> models.CharField[str, str]:
    """A time-ordered text id."""
    return models.CharField(primary_key=True, max_length=36, default=new_id, editable=False)


class Facility(models.Model):
    """One thing in the street. `source_key` names it in its source; `feed_key` is the hub entity that speaks for it."""

    id = id_key()
    authority = authority_key("facilities")
    kind = models.CharField("종류 Kind", max_length=10, choices=[(k.value, KIND_KO[k]) for k in Kind])
    source_key = models.CharField("원천 키 Source key", max_length=200)
    name = models.CharField("이름 Name", max_length=200, blank=True)
    lon = models.FloatField("경도 Longitude", null=True, blank=True)
    lat = models.FloatField("위도 Latitude", null=True, blank=True)
    address = models.CharField("주소 Address", max_length=300, blank=True)
    vendor = models.CharField("업체 Vendor", max_length=100, blank=True)
    model = models.CharField("모델 Model", max_length=100, blank=True)
    agency_name = models.CharField("관리기관 Agency", max_length=200, blank=True)
    agency_phone = models.CharField("전화 Phone", max_length=60, blank=True)
    installed_on = models.DateField("설치일 Installed", null=True, blank=True)
    police_link = models.CharField("경찰 연계 Police link", max_length=8, choices=LINKS, default="unknown")
    attributes = models.JSONField("그 밖의 값 Attributes", default=dict, blank=True)
    last_inspected_on = models.DateField("마지막 점검 Last inspected", null=True, blank=True)
    last_inspection_result = models.CharField(
        "점검 결과 Result", max_length=8, choices=RESULTS, default="unknown", blank=True
    )
    inspect_every_days = models.PositiveIntegerField("점검 주기(일) Inspected every", null=True, blank=True)
    next_inspection_on = models.DateField("다음 점검 Next inspection", null=True, blank=True)
    feed_key = models.CharField("신호 Feed", max_length=300, blank=True)
    expected_every_s = models.FloatField("신호 주기(초) Expected every", null=True, blank=True)
    heard_at = models.DateTimeField("마지막 신호 Last heard", null=True, blank=True)
    parts = models.JSONField("부분별 상태 Parts", default=dict, blank=True)
    """For a site of several cameras, what was last told of each."""
    condition = models.CharField(
        "상태 Condition", max_length=8, choices=[(c.value, c.value) for c in Condition], default=Condition.UNKNOWN.value
    )
    condition_at = models.DateTimeField("상태 시각 Since", null=True, blank=True)
    hushed = models.CharField("묵인 사유 Hushed", max_length=300, blank=True)
    """Why a sign that it is down is not acted on until it has been up again; set when an outage was dismissed."""
    in_service = models.BooleanField("운영 중 In service", default=True)
    service_note = models.CharField("운영 사유 Service note", max_length=300, blank=True)
    registered_at = models.DateTimeField("등록 Registered")
    digest = models.CharField(max_length=64, blank=True, editable=False)
    mode = models.CharField("모드 Mode", max_length=12, choices=MODES, default=Mode.LIVE.value)

    class Meta:
        verbose_name = "시설물 Facility"
        verbose_name_plural = "시설물 Facilities"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["authority", "kind", "source_key"], name="facilities_source_once")
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["authority", "lon", "lat"], name="facilities_at"),
            models.Index(fields=["authority", "kind", "condition"], name="facilities_condition"),
            models.Index(fields=["authority", "next_inspection_on"], name="facilities_due"),
            models.Index(fields=["authority", "feed_key"], name="facilities_feed", condition=~models.Q(feed_key="")),
        ]

    def __str__(self) -> str:
        return self.name or self.address or self.source_key


class SeenSpan(models.Model):
    """A time through which a facility was watched: something was known of it. Spans of one facility do not overlap."""

    facility = models.ForeignKey(Facility, on_delete=models.CASCADE, related_name="seen")
    from_at = models.DateTimeField()
    to_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["facility", "to_at"], name="facilities_seen_to")]

    def __str__(self) -> str:
        return f"{self.facility_id} {self.from_at}–{self.to_at}"


class Outage(models.Model):
    """One time something does not work. At most one of a facility is not ended."""

    id = id_key()
    authority = authority_key("facility_outages")
    facility = models.ForeignKey(Facility, on_delete=models.CASCADE, related_name="outages")
    state = models.CharField("상태 State", max_length=14, choices=[(s.value, STATE_KO[s]) for s in State])
    before = models.CharField(max_length=14, default=State.OPEN.value, editable=False)
    cause = models.CharField("원인 Cause", max_length=12, choices=[(c.value, CAUSE_KO[c]) for c in Cause])
    text = models.CharField("설명 Text", max_length=500, blank=True)
    began_at = models.DateTimeField("시작 Began")
    heard_at = models.DateTimeField("마지막 신호 Last sign")
    due_at = models.DateTimeField("판단 예정 Due", null=True, blank=True)
    opened_at = models.DateTimeField("열림 Opened", null=True, blank=True)
    acknowledged_at = models.DateTimeField("확인 시각 Acknowledged", null=True, blank=True)
    acknowledged_by = models.CharField("확인자 Acknowledged by", max_length=100, blank=True)
    restored_at = models.DateTimeField("복구 Restored", null=True, blank=True)
    closed_at = models.DateTimeField("종료 Closed", null=True, blank=True)
    close_reason = models.CharField("종료 사유 Reason", max_length=500, blank=True)
    relapses = models.PositiveIntegerField("재발 Relapses", default=0)
    void = models.BooleanField("고장 아님 Void", default=False)
    reported_by = models.CharField("신고자 Reported by", max_length=100, blank=True)
    version = models.PositiveIntegerField(default=1)
    mode = models.CharField("모드 Mode", max_length=12, choices=MODES, default=Mode.LIVE.value)

    class Meta:
        verbose_name = "고장 Outage"
        verbose_name_plural = "고장 Outages"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["facility"],
                condition=~models.Q(state__in=[State.CLOSED.value, State.CLEARED.value]),
                name="facilities_one_outage",
            )
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["authority", "state", "began_at"], name="facilities_outage_state"),
        ]

    def __str__(self) -> str:
        return f"{self.facility_id} {self.state} {self.cause}"


class DownSpan(models.Model):
    """A time in which a facility did not work; open while `to_at` is null. Written when its outage opens."""

    outage = models.ForeignKey(Outage, on_delete=models.CASCADE, related_name="spans")
    facility = models.ForeignKey(Facility, on_delete=models.CASCADE, related_name="down")
    from_at = models.DateTimeField()
    to_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["facility", "from_at"], name="facilities_down_from")
        ]

    def __str__(self) -> str:
        return f"{self.facility_id} {self.from_at}–{self.to_at}"


class OutageNote(models.Model):
    """One line of an outage's story, append-only."""

    outage = models.ForeignKey(Outage, on_delete=models.CASCADE, related_name="notes")
    at = models.DateTimeField()
    actor = models.CharField(max_length=100)
    step = models.CharField(max_length=14)
    text = models.CharField(max_length=500, blank=True)

    def __str__(self) -> str:
        return f"{self.outage_id} {self.step}"


class Inspection(models.Model):
    """A look at a facility: planned, or done with its result."""

    id = id_key()
    authority = authority_key("facility_inspections")
    facility = models.ForeignKey(Facility, on_delete=models.CASCADE, related_name="inspections")
    state = models.CharField(
        "상태 State",
        max_length=10,
        choices=[("planned", "예정"), ("done", "완료"), ("cancelled", "취소")],
        default="planned",
    )
    due_on = models.DateField("예정일 Due", null=True, blank=True)
    assigned_to = models.CharField("담당 Assigned to", max_length=100, blank=True)
    done_on = models.DateField("점검일 Done", null=True, blank=True)
    result = models.CharField("결과 Result", max_length=8, choices=RESULTS, default="unknown")
    note = models.CharField("내용 Note", max_length=1000, blank=True)
    photos = models.JSONField("사진 Photos", default=list, blank=True)
    source = models.CharField("출처 Source", max_length=10, default="person")
    recorded_by = models.CharField("기록 Recorded by", max_length=100, blank=True)
    recorded_at = models.DateTimeField("기록 시각 Recorded", null=True, blank=True)
    version = models.PositiveIntegerField(default=1)
    mode = models.CharField("모드 Mode", max_length=12, choices=MODES, default=Mode.LIVE.value)

    class Meta:
        verbose_name = "점검 Inspection"
        verbose_name_plural = "점검 Inspections"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["authority", "state", "due_on"], name="facilities_inspect_due"),
        ]

    def __str__(self) -> str:
        return f"{self.facility_id} {self.state} {self.done_on or self.due_on}"


class WorkOrder(models.Model):
    """Work given to a vendor or a department. Done is what they say; verified is what the thing itself shows."""

    id = id_key()
    authority = authority_key("work_orders")
    number = models.CharField("번호 Number", max_length=20)
    facility = models.ForeignKey(Facility, on_delete=models.CASCADE, related_name="orders")
    outage = models.ForeignKey(Outage, on_delete=models.SET_NULL, related_name="orders", null=True, blank=True)
    state = models.CharField("상태 State", max_length=10, choices=[(s.value, ORDER_KO[s]) for s in OrderState])
    assignee_kind = models.CharField(
        "맡은 곳 종류 Assignee kind",
        max_length=10,
        choices=[("vendor", "업체"), ("department", "부서"), ("person", "사람")],
    )
    assignee = models.CharField("맡은 곳 Assignee", max_length=100)
    what = models.CharField("내용 What", max_length=1000)
    due_on = models.DateField("기한 Due")
    parts = models.JSONField("부품 Parts", default=list, blank=True)
    photos = models.JSONField("사진 Photos", default=list, blank=True)
    issued_by = models.CharField("지시 Issued by", max_length=100)
    issued_at = models.DateTimeField("지시 시각 Issued")
    done_by = models.CharField("완료 보고 Done by", max_length=100, blank=True)
    done_at = models.DateTimeField("완료 시각 Done", null=True, blank=True)
    verified_by = models.CharField("검증 Verified by", max_length=100, blank=True)
    verified_at = models.DateTimeField("검증 시각 Verified", null=True, blank=True)
    note = models.CharField("비고 Note", max_length=1000, blank=True)
    version = models.PositiveIntegerField(default=1)
    mode = models.CharField("모드 Mode", max_length=12, choices=MODES, default=Mode.LIVE.value)

    class Meta:
        verbose_name = "작업 지시 Work order"
        verbose_name_plural = "작업 지시 Work orders"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["authority", "number"], name="facilities_order_number_once")
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["authority", "state", "due_on"], name="facilities_order_due"),
        ]

    def __str__(self) -> str:
        return self.number
