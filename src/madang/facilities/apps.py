"""The facilities room as a Django app."""

from django.apps import AppConfig


class FacilitiesAppConfig(AppConfig):
    """What the city owns in the street, its inspections, outages and work orders."""

    name = "madang.facilities"
    label = "facilities"
    verbose_name = "시설물 Facilities"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Registers what this room handles for the journal."""
        from madang.facilities import workers

        workers.register()
