"""The back-office face of evidence: the policy of the time before an event, and the register of hand-overs."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from madang.identity.office import CityScopedAdmin, actor_of, site
from madang.identity.rights import Right
from madang.journal import civic
from madang.kernel.clock import system_clock
from madang.video.evidence import commands, record
from madang.video.evidence.models import Export, Item, PastPolicy


class PolicyForm(forms.ModelForm[PastPolicy]):
    """A rule for one camera or one purpose."""

    class Meta:
        model = PastPolicy
        fields = ("authority", "camera", "purpose", "seconds", "legal_note")
        help_texts: ClassVar[dict[str, str]] = {
            "camera": "카메라나 설치목적 가운데 하나만 정합니다. 카메라의 규칙이 앞섭니다.",
            "seconds": "0이면 남기지 않습니다. 영상은 기억 장치에만 있고, 잠근 것만 저장됩니다.",
            "legal_note": "사건 전 영상을 늘 기억해 두는 근거(운영·관리 방침 조항, 결재 등).",
        }

    def clean(self) -> dict[str, Any]:  # Any: form values
        data = super().clean() or {}
        if bool(data.get("camera")) == bool(data.get("purpose")):
            raise ValidationError("카메라나 설치목적 가운데 하나만 정하십시오.")
        most = record.config().past_s
        if (data.get("seconds") or 0) > most:
            self.add_error("seconds", f"{most:.0f}초까지 정할 수 있습니다.")
        camera, city = data.get("camera"), data.get("authority")
        if camera is not None and city is not None and camera.authority_id != city.code:
            self.add_error("camera", "이 도시의 카메라가 아닙니다.")
        if data.get("seconds") and len(str(data.get("legal_note", "")).strip()) < 5:
            self.add_error("legal_note", "법적 근거를 적으십시오.")
        return data


@admin.register(PastPolicy, site=site)
class PolicyAdmin(CityScopedAdmin[PastPolicy]):
    """Which cameras keep their last seconds in memory. None does without a row here."""

    form = PolicyForm
    view_right = Right.EDIT_RETENTION
    add_right = Right.EDIT_RETENTION
    change_right = Right.EDIT_RETENTION
    title = "사전 영상 정책"
    group = "data"
    icon = "history"
    order = 60
    list_display = ("__str__", "seconds", "legal_note", "set_by", "set_at")
    raw_id_fields = ("camera",)

    def save_model(self, request: HttpRequest, obj: PastPolicy, form: Any, change: bool) -> None:  # Any: as the base
        """Through the command, which checks and audits."""
        del form, change
        with civic.transaction() as tx:
            row = commands.put_policy(
                tx,
                actor_of(request),
                authority=str(obj.authority_id),
                camera_id=obj.camera_id,
                purpose=obj.purpose,
                seconds=obj.seconds,
                legal_note=obj.legal_note,
                now=system_clock(),
            )
        obj.pk = row.pk


@admin.register(Item, site=site)
class ItemAdmin(CityScopedAdmin[Item]):
    """Who kept what of which camera and why. Pictures are looked at in the control room, where it is logged."""

    view_right = Right.READ_REGISTER
    title = "영상 증거"
    group = "data"
    icon = "photo_camera"
    order = 61
    list_display = (
        "wanted_at",
        "kind",
        "state",
        "camera_label",
        "taken_by_name",
        "reason",
        "locked_until",
        "erased_at",
    )
    list_filter = ("kind", "state", "mode")
    search_fields = ("camera_label", "taken_by_name", "incident_id")


@admin.register(Export, site=site)
class ExportAdmin(CityScopedAdmin[Export]):
    """The register of evidence handed over."""

    view_right = Right.READ_REGISTER
    title = "증거 반출 대장"
    group = "data"
    icon = "outbox"
    order = 62
    list_display = (
        "requested_at",
        "state",
        "incident_number",
        "recipient_office",
        "recipient_name",
        "basis",
        "purpose",
        "requested_by_name",
        "decided_by_name",
        "fetched_at",
    )
    list_filter = ("state", "basis", "mode")
    search_fields = ("incident_number", "recipient_office", "recipient_name")
