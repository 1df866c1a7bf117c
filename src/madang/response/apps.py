"""The response room as a Django app."""

from django.apps import AppConfig


class ResponseAppConfig(AppConfig):
    """Incidents, their timelines and tasks."""

    name = "madang.response"
    label = "response"
    verbose_name = "사건 대응 Response"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Registers timers and the follower of video grants."""
        from madang.response import workers

        workers.register()
