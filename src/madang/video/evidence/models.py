"""The tables of evidence: what was kept of which camera and why, who held it, and to whom it was handed over."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from madang.video.evidence.domain import ExportState, ItemState, Kind
from madang.video.models import BASES, Camera, Case, Lease, VideoGrant, authority_key, id_key, mode_field


class Item(models.Model):
    """A still, a recording or a past. The row outlives the pictures: erased, it says when, by whom and what it was."""

    id = id_key()
    authority = authority_key("evidence_items")
    kind = models.CharField("종류 Kind", max_length=10, choices=[(k.value, k.value) for k in Kind])
    state = models.CharField("상태 State", max_length=10, choices=[(s.value, s.value) for s in ItemState])
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="evidence")
    incident_id = models.CharField("사건 Incident", max_length=36)
    grant = models.ForeignKey(VideoGrant, on_delete=models.PROTECT, related_name="evidence")
    lease = models.ForeignKey(Lease, on_delete=models.PROTECT, related_name="evidence", null=True, blank=True)
    camera = models.ForeignKey(Camera, on_delete=models.PROTECT, related_name="evidence")
    camera_label = models.CharField("카메라 Camera", max_length=200)
    taken_by = models.CharField("남긴 사람 Taken by", max_length=80)
    taken_by_name = models.CharField("남긴 사람 이름 Name", max_length=100)
    reason = models.CharField("사유 Reason", max_length=300, blank=True)
    wanted_at = models.DateTimeField("요청 시각 Wanted")
    began_at = models.DateTimeField("시작 Began", null=True, blank=True)
    ended_at = models.DateTimeField("끝 Ended", null=True, blank=True)
    most_s = models.FloatField(default=0.0)
    halted_by = models.CharField("멈춘 사람 Halted by", max_length=80, blank=True)
    media_type = models.CharField(max_length=20)
    codec = models.CharField(max_length=40, blank=True)
    width = models.PositiveIntegerField(default=0)
    height = models.PositiveIntegerField(default=0)
    pieces = models.PositiveIntegerField(default=0)
    bytes = models.BigIntegerField("바이트 Bytes", default=0)
    sealed_bytes = models.BigIntegerField(default=0)
    digest = models.CharField("요약값 Digest", max_length=64, blank=True)
    key_sealed = models.BinaryField(null=True, editable=False)
    fault = models.CharField("문제 Fault", max_length=40, blank=True)
    locked_by = models.CharField("잠근 사람 Locked by", max_length=80, blank=True)
    locked_by_name = models.CharField(max_length=100, blank=True)
    locked_at = models.DateTimeField("잠금 Locked", null=True, blank=True)
    locked_until = models.DateTimeField("잠금 기한 Locked until", null=True, blank=True)
    lock_reason = models.CharField("잠금 사유 Reason", max_length=300, blank=True)
    keep_until = models.DateTimeField("보관 기한 Kept until", null=True, blank=True)
    erased_at = models.DateTimeField("파기 Erased", null=True, blank=True)
    erased_by = models.CharField("파기한 쪽 Erased by", max_length=80, blank=True)
    mode = mode_field()

    class Meta:
        verbose_name = "영상 증거 Evidence"
        verbose_name_plural = "영상 증거 Evidence"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["incident_id", "wanted_at"], name="evidence_of_incident"),
            models.Index(fields=["authority", "wanted_at"], name="evidence_of_city"),
            models.Index(
                fields=["state"], name="evidence_under_way", condition=models.Q(state__in=["WANTED", "TAKING"])
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.camera_label} {self.wanted_at:%Y-%m-%d %H:%M}"


class Look(models.Model):
    """The last time one person looked at one item: one line of the access log stands for the looks of an hour."""

    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="looks")
    viewer = models.CharField(max_length=80)
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["item", "viewer"], name="evidence_look_once")
        ]

    def __str__(self) -> str:
        return f"{self.viewer} {self.item_id}"


class PastPolicy(models.Model):
    """Whether cameras keep their last seconds in memory. Without a row that says so, none does."""

    id = id_key()
    authority = authority_key("evidence_policies")
    camera = models.ForeignKey(
        Camera, on_delete=models.CASCADE, related_name="past_policies", null=True, blank=True, verbose_name="카메라"
    )
    purpose = models.CharField("설치목적 Purpose", max_length=40, blank=True)
    seconds = models.PositiveIntegerField("초 Seconds", default=0)
    legal_note = models.CharField("근거 Legal note", max_length=300)
    set_by = models.CharField("정한 사람 Set by", max_length=80, editable=False)
    set_at = models.DateTimeField("정한 때 Set", editable=False)

    class Meta:
        verbose_name = "사전 영상 정책 Pre-event policy"
        verbose_name_plural = "사전 영상 정책 Pre-event policies"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["authority", "purpose"], condition=models.Q(camera=None), name="evidence_policy_purpose_once"
            ),
            models.UniqueConstraint(
                fields=["camera"], condition=models.Q(camera__isnull=False), name="evidence_policy_camera_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.camera or self.purpose} {self.seconds} s"


class Export(models.Model):
    """Evidence asked for, decided on and handed over: at the same time its row in the register of provisions."""

    id = id_key()
    authority = authority_key("evidence_exports")
    incident_id = models.CharField("사건 Incident", max_length=36)
    incident_number = models.CharField("사건번호 Incident number", max_length=40, blank=True)
    state = models.CharField("상태 State", max_length=12, choices=[(s.value, s.value) for s in ExportState])
    recipient_name = models.CharField("받는 사람 Recipient", max_length=100)
    recipient_office = models.CharField("받는 기관 Office", max_length=100)
    basis = models.CharField("법적 근거 Legal basis", max_length=30, choices=BASES)
    purpose = models.CharField("목적 Purpose", max_length=300)
    requested_by = models.CharField("요청 Requested by", max_length=80)
    requested_by_name = models.CharField(max_length=100)
    requested_at = models.DateTimeField("요청 시각 Requested")
    decided_by = models.CharField("결정 Decided by", max_length=80, blank=True)
    decided_by_name = models.CharField(max_length=100, blank=True)
    decided_at = models.DateTimeField("결정 시각 Decided", null=True, blank=True)
    reason = models.CharField("결정 사유 Reason", max_length=300, blank=True)
    manifest = models.JSONField(default=dict)
    manifest_digest = models.CharField("목록 요약값 Manifest digest", max_length=64, blank=True)
    pieces = models.PositiveIntegerField(default=0)
    bytes = models.BigIntegerField("바이트 Bytes", default=0)
    sealed_bytes = models.BigIntegerField(default=0)
    key_sealed = models.BinaryField(null=True, editable=False)
    ready_at = models.DateTimeField("준비 Ready", null=True, blank=True)
    fetched_at = models.DateTimeField("내려받음 Fetched", null=True, blank=True)
    ended_at = models.DateTimeField("끝 Ended", null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    fault = models.CharField("문제 Fault", max_length=200, blank=True)
    mode = mode_field()

    class Meta:
        verbose_name = "증거 반출 Export"
        verbose_name_plural = "증거 반출 Exports"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["incident_id", "requested_at"], name="evidence_export_incident"),
            models.Index(fields=["authority", "requested_at"], name="evidence_export_city"),
        ]

    def __str__(self) -> str:
        return f"{self.recipient_office} {self.recipient_name} {self.state}"


class ExportItem(models.Model):
    """An item in an export."""

    export = models.ForeignKey(Export, on_delete=models.CASCADE, related_name="chosen")
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="exported")

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["export", "item"], name="evidence_export_item_once")
        ]

    def __str__(self) -> str:
        return f"{self.export_id} {self.item_id}"


class Certificate(models.Model):
    """The certificate under which evidence is signed, and the city's root that vouches for it.

    The root's private key signed one certificate and was forgotten: nobody can make another in its name.
    """

    key_digest = models.CharField(primary_key=True, max_length=64)
    chain_pem = models.TextField()
    made_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.key_digest[:16]
