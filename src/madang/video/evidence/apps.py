"""The evidence room as a Django app."""

from django.apps import AppConfig


class EvidenceAppConfig(AppConfig):
    """Stills, locked recordings and exports that anyone can verify."""

    name = "madang.video.evidence"
    label = "evidence"
    verbose_name = "영상 증거 Evidence"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Registers what this room handles for the journal."""
        from madang.video.evidence import workers

        workers.register()
