"""The messaging room as a Django app."""

from django.apps import AppConfig


class MessagingAppConfig(AppConfig):
    """Situation messages by tier, acknowledged by people, over many channels."""

    name = "madang.response.messaging"
    label = "messaging"
    verbose_name = "상황전파 Situation messages"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Registers what this room handles for the journal."""
        from madang.response.messaging import workers

        workers.register()
