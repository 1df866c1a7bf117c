"""The way from the office to the data hub's screen."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_safe

from madang.identity.office import Page, site
from madang.identity.rights import Right


@require_safe
def data_hub(request: HttpRequest) -> HttpResponse:
    """The screen is a page of its own, outside the office."""
    del request
    return HttpResponseRedirect(reverse("hub"))


def register() -> None:
    """Puts the way into the office's menu; it opens the office to nobody."""
    title = "데이터 허브"
    site.add(Page("data_hub", "hub/", data_hub, (Right.HUB_READ,), title, "data", "database", 5, opens=False))
