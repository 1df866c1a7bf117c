"""The sop room as a Django app."""

from django.apps import AppConfig


class SopAppConfig(AppConfig):
    """Checklists of what is done about an incident, by whom and by when."""

    name = "madang.response.sop"
    label = "sop"
    verbose_name = "표준운영절차 SOPs"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Registers what this room handles for the journal."""
        from madang.response.sop import workers

        workers.register()
