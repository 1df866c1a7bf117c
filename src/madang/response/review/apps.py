"""The review room as a Django app."""

from django.apps import AppConfig


class ReviewAppConfig(AppConfig):
    """After-action reports, lessons and alarm load."""

    name = "madang.response.review"
    label = "review"
    verbose_name = "사후 검토 Reviews"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Registers what this room handles for the journal."""
        from madang.response.review import workers

        workers.register()
