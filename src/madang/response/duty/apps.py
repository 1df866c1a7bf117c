"""The duty room as a Django app."""

from django.apps import AppConfig


class DutyAppConfig(AppConfig):
    """Shifts, their hand-over, claims that end with their holder, and the radio and phone log."""

    name = "madang.response.duty"
    label = "duty"
    verbose_name = "근무 Duty"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Registers what this room handles for the journal."""
        from madang.response.duty import workers

        workers.register()
