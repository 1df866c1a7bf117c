"""The back-office face of signals: what a city sets differently from the defaults, class by class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from madang.identity.office import CityScopedAdmin, site
from madang.identity.rights import Right
from madang.journal import changes
from madang.journal.session import Session
from madang.kernel.clock import system_clock
from madang.response.classes import class_named
from madang.response.signals.domain import default_policy
from madang.response.signals.models import Policy
from madang.response.signals.policies import CHANGED


@admin.register(Policy, site=site)
class PolicyAdmin(CityScopedAdmin[Policy]):
    """How signals of a class are merged, put aside and shown. An empty field keeps the default."""

    view_right = Right.EDIT_RULES
    add_right = Right.EDIT_RULES
    change_right = Right.EDIT_RULES
    delete_right = Right.EDIT_RULES
    audited_as = "signal_policy"
    title = "신호 처리 기준"
    group = "data"
    icon = "sensors"
    order = 55
    list_display = ("class_name", "window_s", "radius_m", "debounce_s", "shelf_s", "priority", "opens", "city")
    list_filter = ("class_code",)
    fields = (
        "authority",
        "class_code",
        "defaults",
        "window_s",
        "radius_m",
        "debounce_s",
        "chatter_n",
        "chatter_s",
        "shelf_s",
        "priority",
        "highest",
        "opens",
    )
    readonly_fields = ("defaults",)

    @admin.display(description="종류", ordering="class_code")
    def class_name(self, row: Policy) -> str:
        """The class in Korean."""
        return class_named(row.class_code).ko

    @admin.display(description="기본값 Defaults")
    def defaults(self, row: Policy) -> str:
        """What holds where a field is left empty."""
        plain = default_policy(row.class_code)
        return (
            f"병합 {plain.window_s:g}초·{plain.radius_m:g}m, 중복 억제 {plain.debounce_s:g}초, "
            f"반복 {plain.chatter_n}회/{plain.chatter_s:g}초 → 보류 {plain.shelf_s:g}초, 우선순위 {plain.priority}, "
            f"장치 제안 최고 {plain.highest}, 사건 생성 {'예' if plain.opens else '아니오'}"
        )

    def write(
        self, tx: Session, request: HttpRequest, row: Policy, deed: str, body: Mapping[str, Any]
    ) -> None:  # Any: JSON
        """Audits the change, and lets the settlement take it up with the next group."""
        super().write(tx, request, row, deed, body)
        changes.touch(tx, kind="shelf", ref=CHANGED, authority=self.city_of(row), now=system_clock())
