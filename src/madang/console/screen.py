"""The pages of the built front end, or how to build it."""

from __future__ import annotations

import gzip
from pathlib import Path

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

APP = Path(__file__).parent / "static" / "app"


@require_safe
@ensure_csrf_cookie
def screen(request: HttpRequest) -> HttpResponse:
    """The control room."""
    return _page(request, "index.html")


@require_safe
@ensure_csrf_cookie
def hub_screen(request: HttpRequest) -> HttpResponse:
    """The data hub."""
    return _page(request, "hub.html")


@require_safe
@ensure_csrf_cookie
def facilities_screen(request: HttpRequest) -> HttpResponse:
    """The facility board."""
    return _page(request, "facilities.html")


@require_safe
@ensure_csrf_cookie
def review_screen(request: HttpRequest) -> HttpResponse:
    """After-action reviews."""
    return _page(request, "review.html")


@require_safe
@ensure_csrf_cookie
def rules_screen(request: HttpRequest) -> HttpResponse:
    """The rules editor."""
    return _page(request, "rules.html")


@require_safe
@ensure_csrf_cookie
def wall_screen(request: HttpRequest) -> HttpResponse:
    """The wall on a second monitor."""
    return _page(request, "wall.html")


def _page(request: HttpRequest, name: str) -> HttpResponse:
    """A page of the built front end; never cached, because it names the hashed files of this build."""
    index = APP / name
    if not index.is_file():
        return render(request, "console/not_built.html", status=503)
    response = HttpResponse(index.read_bytes(), content_type="text/html; charset=utf-8")
    response["Cache-Control"] = "no-cache"
    return response


def squeezed(request: HttpRequest, response: HttpResponse, least: int = 2_000) -> HttpResponse:
    """The response gzipped, if it is long and the client takes gzip."""
    if len(response.content) >= least and "gzip" in request.headers.get("Accept-Encoding", ""):
        response.content = gzip.compress(response.content, 4, mtime=0)
        response["Content-Encoding"] = "gzip"
        response["Vary"] = "Accept-Encoding, Cookie"
    return response
