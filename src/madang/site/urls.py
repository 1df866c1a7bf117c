"""The addresses Django answers."""

import importlib
import importlib.util

from django.urls import URLPattern, URLResolver, include, path


def _present(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


urlpatterns: list[URLPattern | URLResolver] = []
if _present("madang.identity.office"):
    from madang.identity.office import site as office

    urlpatterns.append(path("office/", office.urls))
if _present("madang.portal.urls"):
    urlpatterns.append(path("portal/", include("madang.portal.urls")))
if _present("madang.console.urls"):
    urlpatterns.append(path("", include("madang.console.urls")))
