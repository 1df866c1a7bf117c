"""Who is behind a session cookie, for ASGI apps that do not pass through Django."""

from __future__ import annotations

import contextlib
from http.cookies import CookieError, SimpleCookie
from importlib import import_module
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest

from madang.identity.models import Person
from madang.site.asgi_types import Scope, header

if TYPE_CHECKING:
    from django.contrib.sessions.backends.base import SessionBase


def person_behind(scope: Scope) -> Person | None:
    """The logged-in person of a request's session cookie, or None. Reads the civic store."""
    jar: SimpleCookie = SimpleCookie()
    with contextlib.suppress(CookieError):
        jar.load(header(scope, b"cookie"))
    if settings.SESSION_COOKIE_NAME not in jar:
        return None
    session: SessionBase = import_module(settings.SESSION_ENGINE).SessionStore(jar[settings.SESSION_COOKIE_NAME].value)
    request = HttpRequest()
    request.session = session
    person = get_user(request)
    return person if isinstance(person, Person) and person.is_active else None
