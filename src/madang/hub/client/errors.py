"""What a hub refuses, as exceptions: made of its ProblemDetails (clause 5.5.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx


class HubError(Exception):
    """The hub said no, or could not be reached (`status` 0).

    `kind` is the last part of the problem's type (`AlreadyExists`, `BadRequestData` …), `where` what is at fault and
    `hint` what to do, as far as the hub says so.
    """

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:  # Any: JSON values
        self.status = status
        self.kind = str(problem.get("type", "")).rpartition("/")[2]
        self.title = str(problem.get("title", ""))
        self.detail = str(problem.get("detail", "")) or self.title
        self.where = str(problem.get("where", ""))
        self.hint = str(problem.get("hint", ""))
        self.problem = dict(problem)
        shown = " ".join(part for part in (self.detail, f"({self.where})" if self.where else "", self.hint) if part)
        super().__init__(f"{status} {self.kind}: {shown}" if status else shown)


class BadRequestError(HubError):
    """The request is not what the hub takes (400, 406, 411, 413, 415, 422)."""


class NotAuthenticatedError(HubError):
    """No credential, or one that does not hold (401)."""


class NotAllowedError(HubError):
    """The credential does not allow this, or the query is too complex (403)."""


class NotFoundError(HubError):
    """No such thing for this credential (404)."""


class AlreadyExistsError(HubError):
    """Creating what is there already (409)."""


class UnavailableError(HubError):
    """The hub cannot do it now, or cannot be reached (429, 5xx, 0): trying again later may help."""


_BY_STATUS: Mapping[int, type[HubError]] = {
    401: NotAuthenticatedError,
    403: NotAllowedError,
    404: NotFoundError,
    409: AlreadyExistsError,
    429: UnavailableError,
}


def error_of(response: httpx.Response) -> HubError:
    """The exception a refusing answer is."""
    status = response.status_code
    try:
        problem = response.json()
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        problem = {"type": response.reason_phrase, "detail": response.text[:200]}
    if "error_description" in problem:  # the token endpoint's (RFC 6749 §5.2)
        problem = {"type": problem.get("error"), "detail": problem["error_description"]}
    return _kind(status)(status, problem)


def problem_of(problem: Mapping[str, Any]) -> HubError:  # Any: JSON values
    """The exception a ProblemDetails within an answer is, as of one item of a batch."""
    status = problem.get("status")
    status = status if isinstance(status, int) else 400
    return _kind(status)(status, problem)


def _kind(status: int) -> type[HubError]:
    known = _BY_STATUS.get(status)
    return known or (UnavailableError if status >= 500 else BadRequestError)
