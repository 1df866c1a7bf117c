"""The portal as a Django app."""

from django.apps import AppConfig


class PortalAppConfig(AppConfig):
    """Citizens' pages."""

    name = "madang.portal"
    label = "portal"
    verbose_name = "시민 창구 Portal"
    default_auto_field = "django.db.models.BigAutoField"
