"""The identity room as a Django app."""

from django.apps import AppConfig


class IdentityConfig(AppConfig):
    """People, roles, agencies and their keys, cities, tokens."""

    name = "madang.identity"
    label = "identity"
    verbose_name = "계정과 기관 Accounts and agencies"
    default_auto_field = "django.db.models.BigAutoField"
