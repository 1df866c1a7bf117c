"""The video room as a Django app."""

from django.apps import AppConfig


class VideoAppConfig(AppConfig):
    """Cameras, cases, grants, leases and the register."""

    name = "madang.video"
    label = "video"
    verbose_name = "영상 Video"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Registers what video's timers do."""
        from importlib.util import find_spec

        if find_spec("madang.video.timers"):  # until the timers land, others must be able to start
            from madang.video import timers

            timers.register()
