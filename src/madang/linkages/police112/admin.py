"""The back-office face of the police linkage: how each agency's line stands."""

from __future__ import annotations

from django.contrib import admin

from madang.identity.office import CityScopedAdmin, site
from madang.identity.rights import Right
from madang.linkages.police112.models import LinkState


@admin.register(LinkState, site=site)
class LinkStateAdmin(CityScopedAdmin[LinkState]):
    """Written by the linkage itself, read here."""

    view_right = Right.MANAGE_AGENCIES
    title = "112 연계 상태"
    group = "health"
    icon = "cable"
    order = 40
    list_display = ("agency", "state", "last_heard_at", "last_sent_at", "last_error", "mode")
    list_filter = ("state",)
