"""The rules room as a Django app."""

from django.apps import AppConfig


class RulesAppConfig(AppConfig):
    """Typed rules over readings and signals, with their lives and their timers."""

    name = "madang.response.rules"
    label = "rules"
    verbose_name = "규칙 Rules"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Registers what this room handles for the journal."""
        from madang.response.rules import workers

        workers.register()
