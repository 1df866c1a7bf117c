"""The journal as a Django app."""

from django.apps import AppConfig


class JournalAppConfig(AppConfig):
    """Tables of the civic store's journal."""

    name = "madang.journal"
    label = "journal"
    verbose_name = "기록 (Journal)"
    default_auto_field = "django.db.models.BigAutoField"
