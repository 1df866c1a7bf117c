"""The tables of signals. The worker's path over them is SQL: instants are texts in UTC with milliseconds."""

from __future__ import annotations

from typing import ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from madang.kernel.ids import new_id
from madang.response.classes import CLASSES
from madang.response.models import MODES, authority_key


def _instant(label: str) -> models.CharField[str, str]:
    return models.CharField(label, max_length=24, blank=True, default="")


class Signal(models.Model):
    """One report of one device, as it came in: the row is its own inbox. `outcome` is empty until it is settled."""

    seq = models.BigAutoField(primary_key=True)
    id = models.CharField(max_length=36, unique=True, default=new_id, editable=False)
    authority = authority_key("signals")
    mode = models.CharField("모드 Mode", max_length=12, choices=MODES)
    source = models.CharField("출처 Source", max_length=12)
    device = models.CharField("장치 Device", max_length=100, blank=True)
    source_id = models.CharField("원본 번호 Sender's id", max_length=200)
    body_digest = models.CharField(max_length=64)
    class_code = models.CharField("종류 Class", max_length=64)
    observed_at = _instant("관측 시각 Observed")
    received_at = _instant("수신 시각 Received")
    lon = models.FloatField("경도 Longitude", null=True, blank=True)
    lat = models.FloatField("위도 Latitude", null=True, blank=True)
    accuracy_m = models.FloatField("정확도(m) Accuracy", null=True, blank=True)
    address = models.CharField("주소 Address", max_length=500, blank=True)
    priority = models.PositiveSmallIntegerField("제안 우선순위 Proposed priority", null=True, blank=True)
    confidence = models.FloatField("신뢰도 Confidence", null=True, blank=True)
    text = models.TextField("내용 Text", blank=True)
    media_ref = models.CharField("영상·사진 Media", max_length=500, blank=True)
    attributes = models.TextField(default="{}")
    rule = models.CharField("규칙 Rule", max_length=120, blank=True)
    effects = models.TextField(default="")
    ending = models.BooleanField("종료 Ending", default=False)
    sender = models.CharField("보낸 이 Sender", max_length=80)
    outcome = models.CharField("귀결 Outcome", max_length=10, blank=True, default="")
    reason = models.CharField("이유 Reason", max_length=24, blank=True, default="")
    event_id = models.CharField(max_length=36, blank=True, default="")
    shelf_id = models.CharField(max_length=36, blank=True, default="")
    settled_at = _instant("처리 시각 Settled")

    class Meta:
        verbose_name = "신호 Signal"
        verbose_name_plural = "신호 Signals"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["authority", "mode", "source", "device", "source_id"], name="signals_signal_once"
            )
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["seq"], condition=models.Q(outcome=""), name="signals_signal_open"),
            models.Index(fields=["received_at"], name="signals_signal_received"),
            models.Index(
                fields=["authority", "seq"], condition=models.Q(outcome="reject"), name="signals_signal_reject"
            ),
            models.Index(fields=["event_id", "seq"], name="signals_signal_event"),
            models.Index(fields=["shelf_id"], condition=~models.Q(shelf_id=""), name="signals_signal_shelf"),
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.device} {self.class_code}"


class Event(models.Model):
    """One thing that happened, seen by any number of signals; its id is that of the first. It ends in one incident."""

    id = models.CharField(primary_key=True, max_length=36, editable=False)
    authority = authority_key("signal_events")
    mode = models.CharField("모드 Mode", max_length=12, choices=MODES)
    class_code = models.CharField("종류 Class", max_length=64)
    priority = models.PositiveSmallIntegerField("우선순위 Priority")
    source = models.CharField("출처 Source", max_length=12)
    device = models.CharField("장치 Device", max_length=100, blank=True)
    district = models.CharField("읍·면·동 District", max_length=60, blank=True)
    lon = models.FloatField("경도 Longitude", null=True, blank=True)
    lat = models.FloatField("위도 Latitude", null=True, blank=True)
    accuracy_m = models.FloatField("정확도(m) Accuracy", null=True, blank=True)
    address = models.CharField("주소 Address", max_length=500, blank=True)
    text = models.TextField("내용 Text", blank=True)
    first_at = _instant("첫 관측 First seen")
    last_at = _instant("마지막 관측 Last seen")
    ended_at = _instant("종료 통보 Said to be over")
    opened_at = _instant("생성 Opened")
    presented_at = _instant("표시 Took an item of the operators' load")
    counted = models.BooleanField("폭주 판단에 셈 Counts towards a storm", default=True)
    signals = models.PositiveIntegerField("신호 수 Signals", default=1)
    incident_id = models.CharField("사건 Incident", max_length=36)
    storm_id = models.CharField("폭주 사건 Storm", max_length=36, blank=True, default="")
    splits = models.PositiveSmallIntegerField("개별 사건 수 Incidents of its own so far", default=0)

    class Meta:
        verbose_name = "사안 Event"
        verbose_name_plural = "사안 Events"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["incident_id", "priority", "last_at"], name="signals_event_incident"),
            models.Index(fields=["last_at"], name="signals_event_last"),
            models.Index(fields=["opened_at"], name="signals_event_opened"),
        ]

    def __str__(self) -> str:
        return f"{self.class_code} {self.id}"


class Storm(models.Model):
    """The parent incident that stands for a district's flood of events. An empty district is the whole city."""

    incident_id = models.CharField(primary_key=True, max_length=36, editable=False)
    authority = authority_key("storms")
    mode = models.CharField("모드 Mode", max_length=12, choices=MODES)
    district = models.CharField("읍·면·동 District", max_length=60, blank=True)
    opened_at = _instant("시작 Opened")
    last_at = _instant("마지막 사안 Last event")
    open = models.BooleanField("진행 Open", default=True)

    class Meta:
        verbose_name = "폭주 Storm"
        verbose_name_plural = "폭주 Storms"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["authority", "mode", "district"], condition=models.Q(open=True), name="signals_storm_open_once"
            )
        ]

    def __str__(self) -> str:
        return self.district or self.authority_id


class Shelf(models.Model):
    """A device whose signals are put aside for a while, because it chatters or somebody decided so."""

    id = models.CharField(primary_key=True, max_length=36, default=new_id, editable=False)
    authority = authority_key("shelves")
    mode = models.CharField("모드 Mode", max_length=12, choices=MODES)
    source = models.CharField("출처 Source", max_length=12)
    device = models.CharField("장치 Device", max_length=100)
    reason = models.CharField("사유 Reason", max_length=500)
    automatic = models.BooleanField("자동 Automatic", default=False)
    shelved_by = models.CharField("보류한 이 Shelved by", max_length=80)
    shelved_by_name = models.CharField("이름 Name", max_length=100, blank=True)
    shelved_at = _instant("보류 시각 Shelved")
    until = _instant("만료 Until")
    ended_at = _instant("해제 시각 Ended")
    ended_by = models.CharField("해제한 이 Ended by", max_length=80, blank=True)
    ended_by_name = models.CharField("해제한 이 이름 Name", max_length=100, blank=True)
    ended_reason = models.CharField("해제 사유 Why ended", max_length=500, blank=True)
    from_seq = models.BigIntegerField(default=0)
    signals = models.PositiveIntegerField("보류된 신호 Signals put aside", default=0)

    class Meta:
        verbose_name = "보류 Shelf"
        verbose_name_plural = "보류 Shelves"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["authority", "mode", "source", "device"],
                condition=models.Q(ended_at=""),
                name="signals_shelf_open_once",
            )
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["authority", "ended_at"], name="signals_shelf_ended"),
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.device}"


class Turn(models.Model):
    """How many groups were ever settled: whoever finds another number than they left rebuilds what they remember."""

    name = models.CharField(primary_key=True, max_length=20)
    turns = models.BigIntegerField(default=0)

    class Meta:
        verbose_name = "처리 순번 Turn"
        verbose_name_plural = "처리 순번 Turns"

    def __str__(self) -> str:
        return f"{self.name} {self.turns}"


def _seconds(label: str, most: float) -> models.FloatField[float | None, float | None]:
    bounds = [MinValueValidator(0), MaxValueValidator(most)]
    return models.FloatField(label, null=True, blank=True, validators=bounds, help_text="비우면 기본값")


class Policy(models.Model):
    """What a city sets for a class of signals differently from the defaults (`domain.DEFAULTS`)."""

    id = models.CharField(primary_key=True, max_length=36, default=new_id, editable=False)
    authority = authority_key("signal_policies")
    class_code = models.CharField(
        "종류 Class", max_length=64, choices=[(one.code, f"{one.ko} {one.en}") for one in CLASSES.values()]
    )
    window_s = _seconds("병합 시간(초) Merge window", 86_400)
    radius_m = _seconds("병합 거리(m) Merge radius", 50_000)
    debounce_s = _seconds("중복 억제(초) Debounce", 3_600)
    chatter_n = models.PositiveSmallIntegerField(
        "반복 횟수 Chatter count",
        null=True,
        blank=True,
        validators=[MinValueValidator(2), MaxValueValidator(1_000)],
        help_text="비우면 기본값",
    )
    chatter_s = _seconds("반복 시간(초) Chatter window", 3_600)
    shelf_s = _seconds("보류 시간(초) Shelved for", 86_400)
    priority = models.PositiveSmallIntegerField(
        "우선순위 Priority", null=True, blank=True, validators=[MaxValueValidator(4)], help_text="비우면 기본값"
    )
    highest = models.PositiveSmallIntegerField(
        "장치가 제안할 수 있는 최고 우선순위 Highest a device may propose",
        null=True,
        blank=True,
        validators=[MaxValueValidator(4)],
        help_text="비우면 기본값",
    )
    opens = models.BooleanField("사건 생성 Opens incidents", null=True, blank=True, help_text="비우면 기본값")

    class Meta:
        verbose_name = "신호 처리 기준 Signal policy"
        verbose_name_plural = "신호 처리 기준 Signal policies"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["authority", "class_code"], name="signals_policy_once")
        ]

    def __str__(self) -> str:
        return self.class_code
