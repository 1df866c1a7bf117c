"""The addresses Django answers for the screens."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from madang.console.api import api
from madang.console.screen import screen

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/console/", api.urls),
    path("", screen, name="screen"),
]
