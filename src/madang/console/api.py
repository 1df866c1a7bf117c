"""The HTTP face of the screens, at `/api/console`: JSON in snake_case, RFC 3339 in UTC, problem+json with Korean."""

from __future__ import annotations

from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.renderers import BaseRenderer

import madang
from madang.console import (
    desk_api,
    duty_api,
    evidence_api,
    facilities_api,
    hub_api,
    incident_api,
    map_api,
    messaging_api,
    place_api,
    problems,
    review_api,
    rules_api,
    session_api,
    signals_api,
    sop_api,
    video_api,
)
from madang.console.seat import Seat


class OrjsonRenderer(BaseRenderer):
    """JSON as everywhere else in the house."""

    media_type = "application/json"

    def render(self, request: HttpRequest, data: Any, *, response_status: int) -> bytes:  # Any: a JSON value
        del request, response_status
        return orjson.dumps(data)


class ConsoleApi(NinjaAPI):
    """Answers hold what the person may see now: nothing of them is kept by a browser or a proxy."""

    def create_response(self, request: HttpRequest, data: Any, **more: Any) -> HttpResponse:  # Any: as the base has it
        response = super().create_response(request, data, **more)
        response["Cache-Control"] = "no-store"
        return response


api = ConsoleApi(
    title="Madang console",
    version=madang.__version__,
    urls_namespace="console-api",
    auth=Seat(),
    renderer=OrjsonRenderer(),
    openapi_url="openapi.json",
    docs_url=None,
)
problems.install(api)
for router in (
    session_api.router,
    desk_api.router,
    video_api.router,
    map_api.router,
    place_api.router,
    messaging_api.router,
    evidence_api.router,
    hub_api.router,
    facilities_api.router,
    rules_api.router,
    review_api.router,
    signals_api.router,
    sop_api.router,
    duty_api.router,
    incident_api.router,  # last: its address of any step of an incident would take what others put below an incident
):
    api.add_router("", router)
