"""The police linkage as a Django app."""

from django.apps import AppConfig


class Police112AppConfig(AppConfig):
    """State of each agency's link, and messages that wait to be fetched."""

    name = "madang.linkages.police112"
    label = "police112"
    verbose_name = "112 연계 Police linkage"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Registers what the linkage handles and what it sends."""
        from madang.linkages.police112 import workers

        workers.register()
