"""What every office page does alike: choosing the city, showing a template, saying how a deed went."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse

from madang.identity.models import Authority
from madang.identity.office import actor_of, cities_with, said, site
from madang.identity.rights import Right
from madang.journal import civic
from madang.journal.session import Session
from madang.kernel.errors import MadangError

T = TypeVar("T")
Deed = Callable[[Session], T]


def cities(request: HttpRequest, *rights: Right) -> list[Authority]:
    """The cities in which the person holds any of the rights; refused when there is none."""
    found = list(Authority.objects.filter(code__in=cities_with(actor_of(request), *rights)))
    if not found:
        raise PermissionDenied
    return found


def city_of(request: HttpRequest, *rights: Right) -> Authority:
    """The city this page is about: the one asked for if it is theirs, else home, else the first."""
    mine = {city.code: city for city in cities(request, *rights)}
    asked = request.POST.get("city") or request.GET.get("city") or getattr(request.user, "authority_id", "")
    return mine.get(str(asked)) or next(iter(mine.values()))


def may(request: HttpRequest, right: Right, city: str) -> bool:
    """Whether to show a button; the command behind it asks again."""
    return city in cities_with(actor_of(request), right)


def show(request: HttpRequest, template: str, title: str, **more: Any) -> HttpResponse:  # Any: template values
    """A page in the office's frame."""
    context = {**site.each_context(request), "title": title, **more}
    response = TemplateResponse(request, f"console/office/{template}.html", context)
    response["Cache-Control"] = "no-store"
    return response


def do(request: HttpRequest, deed: Deed[T], done: str) -> T | None:
    """Runs a deed in one transaction and tells the person how it went; None when it was refused."""
    try:
        with civic.transaction() as tx:
            result = deed(tx)
    except MadangError as error:
        messages.error(request, said(error))
        return None
    messages.success(request, done)
    return result


def back_to(name: str, city: str = "", **more: str) -> HttpResponse:
    """Redirects to a page after a deed."""
    from django.http import QueryDict

    query = QueryDict(mutable=True)
    query.update({key: value for key, value in {"city": city, **more}.items() if value})
    address = reverse(f"admin:{name}")
    return redirect(f"{address}?{query.urlencode()}" if query else address)
