"""The addresses Django answers."""

from django.urls import URLPattern, URLResolver, include, path

from madang.identity.office import site as office

urlpatterns: list[URLPattern | URLResolver] = [
    path("office/", office.urls),
    path("portal/", include("madang.portal.urls")),
    path("", include("madang.console.urls")),
]
