"""The signals room as a Django app."""

from django.apps import AppConfig


class SignalsAppConfig(AppConfig):
    """What sensors, bells, agencies and people report, and what becomes of it."""

    name = "madang.response.signals"
    label = "signals"
    verbose_name = "신호 Signals"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Registers what this room handles for the journal."""
        from madang.response.signals import workers

        workers.register()
