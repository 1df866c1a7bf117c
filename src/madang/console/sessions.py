"""From a Django session to the person looking: who, in which of their cities."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest

from madang.console.sight import Viewer
from madang.identity.actors import actor_of_person
from madang.kernel.errors import ForbiddenError, NotAuthenticatedError, NotFoundError

if TYPE_CHECKING:
    from madang.identity.models import Person

CHOSEN = "authority"
"""The session key under which the city being looked at is kept."""


def viewer_of(person: Person, chosen: str | None) -> Viewer:
    """The viewer a person is in the chosen city, else at home, else in the first city they hold a role in."""
    actor = actor_of_person(person)
    if not actor.authorities:
        raise ForbiddenError(
            "You hold no role in any city yet",
            ko="아직 부여된 역할이 없습니다. 시스템 관리자에게 역할을 요청하십시오.",
            hint="Ask an administrator for a role",
        )
    wanted = [chosen, person.authority_id, *sorted(actor.authorities)]
    authority = next(code for code in wanted if code in actor.authorities)
    return Viewer(actor, str(authority), person.pk)


def viewer_of_request(request: HttpRequest) -> Viewer:
    """Raises `NotAuthenticatedError` without a session and `ForbiddenError` without a role."""
    if isinstance(request.user, AnonymousUser):
        raise NotAuthenticatedError("Log in first", ko="로그인이 필요합니다.")
    return viewer_of(request.user, request.session.get(CHOSEN))


def viewer_of_session(session_key: str) -> Viewer | None:
    """The viewer behind a session cookie, or None: unknown, expired, logged out, password changed or no role left."""
    request = HttpRequest()
    request.session = cast(SessionBase, import_module(settings.SESSION_ENGINE).SessionStore(session_key))
    request.user = get_user(request)
    try:
        return viewer_of_request(request)
    except (NotAuthenticatedError, ForbiddenError):
        return None


def choose(request: HttpRequest, viewer: Viewer, authority: str) -> None:
    """Looks at another of one's own cities from now on."""
    if authority not in viewer.actor.authorities:
        raise NotFoundError(f"You hold no role in {authority!r}", where="code", ko="역할을 가진 시·군·구가 아닙니다.")
    request.session[CHOSEN] = authority
