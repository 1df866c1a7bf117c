"""The back-office face of facilities: what a city keeps by hand beside what files and feeds say."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin

from madang.facilities.models import Facility
from madang.identity.office import CityScopedAdmin, site
from madang.identity.rights import Right


@admin.register(Facility, site=site)
class FacilityAdmin(CityScopedAdmin[Facility]):
    """Facilities: vendor, feed and inspection period are set here; the rest comes from files, feeds and the board."""

    view_right = Right.MANAGE_FACILITIES
    change_right = Right.MANAGE_FACILITIES
    audited_as = "facility"
    title = "시설물"
    group = "data"
    icon = "lightbulb"
    order = 35
    list_display = ("__str__", "kind", "vendor", "condition", "police_link", "next_inspection_on", "in_service")
    list_filter = ("kind", "condition", "police_link", "in_service")
    search_fields = ("name", "address", "source_key", "vendor")
    fields: ClassVar[tuple[str, ...]] = (
        "kind",
        "source_key",
        "name",
        "address",
        "vendor",
        "model",
        "inspect_every_days",
        "feed_key",
        "expected_every_s",
    )
    readonly_fields = ("kind", "source_key", "name", "address")
