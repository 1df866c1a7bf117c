"""The back-office face of places: boundaries and addresses, as imported."""

from __future__ import annotations

from django.contrib import admin

from madang.identity.office import CityScopedAdmin, site
from madang.identity.rights import Right
from madang.places.models import AddressPoint, Boundary


@admin.register(Boundary, site=site)
class BoundaryAdmin(CityScopedAdmin[Boundary]):
    """Districts. Changed by importing the file again."""

    view_right = Right.IMPORT_DATA
    title = "행정구역"
    group = "data"
    icon = "map"
    order = 40
    list_display = ("name_ko", "name_en", "level", "code", "city")
    list_filter = ("level",)
    search_fields = ("name_ko", "code")
    exclude = ("geometry",)


@admin.register(AddressPoint, site=site)
class AddressPointAdmin(CityScopedAdmin[AddressPoint]):
    """Addresses whose position is known."""

    view_right = Right.IMPORT_DATA
    title = "주소"
    group = "data"
    icon = "signpost"
    order = 45
    list_display = ("address", "kind", "area", "lon", "lat")
    list_filter = ("kind",)
    search_fields = ("address",)
