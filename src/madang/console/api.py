"""The HTTP face of the screens, at `/api/console`: JSON in snake_case, RFC 3339 in UTC, problem+json with Korean."""

from __future__ import annotations

from typing import Any

import orjson
from django.http import HttpRequest
from ninja import NinjaAPI
from ninja.renderers import BaseRenderer

import madang
from madang.console import incident_api, map_api, problems, session_api, video_api
from madang.console.seat import Seat


class OrjsonRenderer(BaseRenderer):
    """JSON as everywhere else in the house."""

    media_type = "application/json"

    def render(self, request: HttpRequest, data: Any, *, response_status: int) -> bytes:  # Any: a JSON value
        del request, response_status
        return orjson.dumps(data)


api = NinjaAPI(
    title="Madang console",
    version=madang.__version__,
    urls_namespace="console-api",
    auth=Seat(),
    renderer=OrjsonRenderer(),
    openapi_url="openapi.json",
    docs_url=None,
)
problems.install(api)
for router in (session_api.router, incident_api.router, video_api.router, map_api.router):
    api.add_router("", router)
