"""One way from an exception to the answer a screen shows: RFC 9457 problem+json with Korean text."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import orjson
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from madang.kernel.errors import MadangError, NotAuthenticatedError, NotFoundError, problem

log = logging.getLogger(__name__)

_KO = {
    "bad-request": "요청 형식이 올바르지 않습니다.",
    "not-authenticated": "로그인이 필요합니다.",
    "forbidden": "이 일을 할 권한이 없습니다.",
    "not-found": "찾을 수 없습니다.",
    "conflict": "지금 상태에서는 할 수 없습니다. 화면을 새로 고친 뒤 다시 시도하십시오.",
    "too-large": "요청이 너무 큽니다.",
    "unavailable": "필요한 부분이 응답하지 않습니다. 잠시 뒤 다시 시도하십시오.",
    "temporary": "잠시 뒤 다시 시도하십시오.",
    "bad-request-data": "조건을 읽을 수 없습니다. 영문 설명이 가리키는 곳을 고치십시오.",
    "invalid-request": "조건을 읽을 수 없습니다. 영문 설명이 가리키는 곳을 고치십시오.",
    "too-complex-query": "조건이 너무 복잡하거나 오래 걸립니다. 유형을 고르거나 조건을 줄이십시오.",
    "access-refused": "이 유형의 자료를 볼 권한이 없습니다.",
    "store-unavailable": "데이터 허브의 저장소가 답하지 않습니다. 잠시 뒤 다시 시도하십시오.",
}
_KO_OTHERWISE = "처리하지 못했습니다. 계속되면 시스템 관리자에게 알리십시오."


def answer(members: Mapping[str, Any]) -> HttpResponse:  # Any: JSON members
    """A problem as a response; every one carries a Korean sentence."""
    body = {"ko": _KO.get(str(members["code"]), _KO_OTHERWISE), **members}
    response = HttpResponse(orjson.dumps(body), status=body["status"], content_type="application/problem+json")
    response["Cache-Control"] = "no-store"
    return response


def _invalid(error: ValidationError) -> dict[str, Any]:  # Any: JSON members
    faults = [{"where": ".".join(str(part) for part in item["loc"]), "message": item["msg"]} for item in error.errors]
    first = faults[0] if faults else {"where": "", "message": ""}
    return problem(
        "bad-request",
        400,
        "The request is not of the form expected here",
        f"{first['where']}: {first['message']}",
        where=first["where"],
        hint="Correct the fields listed in `errors` and send it again",
        ko=f"입력값을 확인하십시오: {', '.join(fault['where'].rpartition('.')[2] for fault in faults)}",
        data={"errors": faults},
    )


def _http(error: HttpError) -> dict[str, Any]:  # Any: JSON members
    if error.status_code == 403:
        return problem(
            "csrf",
            403,
            "The request does not prove that it comes from our own page",
            str(error),
            hint="Send the csrftoken cookie's value in the X-CSRFToken header",
            ko="보안 확인에 실패했습니다. 화면을 새로 고친 뒤 다시 시도하십시오.",
        )
    return problem("bad-request", error.status_code, "The request could not be read", str(error))


def _members(error: Exception) -> dict[str, Any]:  # Any: JSON members
    if isinstance(error, MadangError):
        return error.problem()
    if isinstance(error, ValidationError):
        return _invalid(error)
    if isinstance(error, AuthenticationError):
        return NotAuthenticatedError("Log in first").problem()
    if isinstance(error, HttpError):
        return _http(error)
    if isinstance(error, Http404):
        return NotFoundError().problem()
    if isinstance(error, OperationalError):
        log.warning("civic store busy or down: %s", error)
        return problem("unavailable", 503, "The store is busy", "The store did not answer in time", hint="Try again")
    log.error("unexpected fault in the console", exc_info=error)
    return MadangError().problem()


def install(api: NinjaAPI) -> None:
    """Makes every exception of `api` leave as a problem."""

    def handle(request: HttpRequest, error: Exception | type[Exception]) -> HttpResponse:
        del request
        assert isinstance(error, Exception)
        return answer(_members(error))

    for kind in (MadangError, ValidationError, AuthenticationError, HttpError, Http404, Exception):
        api.add_exception_handler(kind, handle)
