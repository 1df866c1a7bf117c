"""The places room as a Django app."""

from django.apps import AppConfig


class PlacesRoom(AppConfig):
    """Boundaries, base map, addresses, import runs."""

    name = "madang.places"
    label = "places"
    verbose_name = "장소와 가져오기 Places and imports"
    default_auto_field = "django.db.models.BigAutoField"
