"""The site as a Django app: it owns no tables, only what joins rooms that may not know each other."""

from django.apps import AppConfig


class SiteAppConfig(AppConfig):
    """Registers the mirror from the civic store into the hub."""

    name = "madang.site"
    label = "site"

    def ready(self) -> None:
        """Subscribes before anything can be announced."""
        from madang.site import mirror

        mirror.register()
