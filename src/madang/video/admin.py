"""The back-office face of video's tables: sites, cameras and their streams, retention by purpose."""

# ruff: noqa: ARG002 -- Django's admin hands its hooks more than each of them needs

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminTextInputWidget

from madang.identity.office import CityScopedAdmin, actor_of, site
from madang.identity.rights import Right
from madang.journal import civic
from madang.kernel.clock import system_clock
from madang.kernel.errors import MadangError
from madang.video import commands
from madang.video.models import Camera, PurposeRetention, Site
from madang.video.sources import check_source

_HEALTH = {"ok": "● 정상", "degraded": "▲ 불량", "offline": "✕ 끊김", "unknown": "○ 미확인"}


@admin.register(Site, site=site)
class SiteAdmin(CityScopedAdmin[Site]):
    """Places with cameras, as the registry file says. Changed by importing the file again."""

    view_right = Right.MANAGE_CAMERAS
    title = "설치 장소"
    group = "data"
    icon = "location_on"
    order = 30
    list_display = ("__str__", "purpose", "camera_count", "agency_name", "data_date", "mode")
    list_filter = ("purpose", "mode")
    search_fields = ("name", "road_address", "lot_address", "source_key")


class CameraForm(forms.ModelForm[Camera]):
    """A camera's survey, and its stream: written here, shown nowhere."""

    stream = forms.CharField(
        label="영상 주소 Stream",
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="새 주소를 적으면 봉인해 바꿉니다. 비워 두면 그대로 둡니다. 봉인된 주소는 다시 보이지 않습니다.",
    )

    class Meta:
        model = Camera
        fields = ("azimuth_deg", "azimuth_surveyed_on", "hfov_deg", "range_m")

    def clean_stream(self) -> str:
        url = str(self.cleaned_data.get("stream") or "").strip()
        if url:
            from madang.video.commands.grants import config

            try:
                check_source(url, config())
            except MadangError as error:
                raise ValidationError(error.ko or error.detail) from None
        return url

    def clean_azimuth_deg(self) -> float | None:
        value: float | None = self.cleaned_data.get("azimuth_deg")
        if value is not None and not 0 <= value <= 360:
            raise ValidationError("방위각은 0(북)에서 360 사이입니다.")
        return value

    def clean(self) -> dict[str, Any]:  # Any: form values
        data = super().clean() or {}
        if data.get("azimuth_deg") is not None and not data.get("azimuth_surveyed_on"):
            self.add_error("azimuth_surveyed_on", "방위를 잰 날을 적으십시오. 재지 않은 방위는 쓰지 않습니다.")
        if isinstance(data.get("azimuth_surveyed_on"), date) and data["azimuth_surveyed_on"] > system_clock().date():
            self.add_error("azimuth_surveyed_on", "앞날은 적을 수 없습니다.")
        for name in ("hfov_deg", "range_m"):
            if data.get(name) is not None and data[name] <= 0:
                self.add_error(name, "0보다 커야 합니다.")
        return data


@admin.register(Camera, site=site)
class CameraAdmin(CityScopedAdmin[Camera]):
    """Cameras: where they look (surveyed), whether they answer, and their sealed stream."""

    view_right = Right.MANAGE_CAMERAS
    change_right = Right.MANAGE_CAMERAS
    title = "카메라"
    group = "data"
    icon = "videocam"
    order = 20
    form = CameraForm
    list_display = ("label", "purpose", "state", "health_at", "survey", "has_stream", "active")
    list_filter = ("health", "kind", "active", "mode")
    search_fields = ("label", "site__name", "site__road_address", "site__lot_address")
    readonly_fields = (
        "label",
        "site",
        "kind",
        "pixels_mp",
        "has_stream",
        "state",
        "health_at",
        "health_reason",
        "mode",
    )
    fieldsets = (
        ("카메라 Camera", {"fields": ("label", "site", "kind", "pixels_mp", "mode")}),
        ("방향 측정 Survey", {"fields": ("azimuth_deg", "azimuth_surveyed_on", "hfov_deg", "range_m")}),
        ("영상 Stream", {"fields": ("has_stream", "stream", "state", "health_at", "health_reason")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Camera]:
        return super().get_queryset(request).select_related("site")

    @admin.display(description="설치목적 Purpose")
    def purpose(self, camera: Camera) -> str:
        """Its site's purpose."""
        return camera.site.purpose or "미상"

    @admin.display(description="상태 Health", ordering="health")
    def state(self, camera: Camera) -> str:
        """By sign and word."""
        return _HEALTH.get(camera.health, camera.health)

    @admin.display(description="방위 Azimuth", ordering="azimuth_surveyed_on")
    def survey(self, camera: Camera) -> str:
        """The surveyed azimuth, or that there is none."""
        if camera.azimuth_surveyed_on is None or camera.azimuth_deg is None:
            return "방향 미상"
        return f"{camera.azimuth_deg:.0f}° ({camera.azimuth_surveyed_on:%Y-%m-%d})"

    @admin.display(description="주소 봉인 Sealed stream", boolean=True)
    def has_stream(self, camera: Camera) -> bool:
        """Whether a stream address is kept; never which."""
        return bool(camera.stream_sealed)

    def save_model(self, request: HttpRequest, obj: Camera, form: Any, change: bool) -> None:  # Any: as the base
        """Through video's own commands, which audit and tell the screens."""
        actor, now, data = actor_of(request), system_clock(), form.cleaned_data
        surveyed = {"azimuth_deg", "azimuth_surveyed_on", "hfov_deg", "range_m"} & set(form.changed_data)
        with civic.transaction() as tx:
            if surveyed and data["azimuth_deg"] is not None:
                commands.survey_camera(
                    tx,
                    actor,
                    obj.pk,
                    azimuth_deg=data["azimuth_deg"],
                    surveyed_on=data["azimuth_surveyed_on"],
                    hfov_deg=data["hfov_deg"],
                    range_m=data["range_m"],
                    now=now,
                )
            if data["stream"]:
                commands.set_stream(tx, actor, obj.pk, data["stream"], now)


@admin.register(PurposeRetention, site=site)
class PurposeRetentionAdmin(CityScopedAdmin[PurposeRetention]):
    """How long recordings are kept by purpose, where camera and site do not say."""

    view_right = Right.EDIT_RETENTION
    add_right = Right.EDIT_RETENTION
    change_right = Right.EDIT_RETENTION
    audited_as = "purpose_retention"
    title = "목적별 영상 보관"
    group = "data"
    icon = "schedule"
    order = 65
    list_display = ("purpose", "days", "city", "note")
