"""The console as a Django app."""

from django.apps import AppConfig


class ConsoleAppConfig(AppConfig):
    name = "madang.console"
    label = "console"
    verbose_name = "관제 화면"
    default_auto_field = "django.db.models.BigAutoField"
