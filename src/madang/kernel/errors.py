"""What can go wrong, told once: faults are exceptions, refusals are values (`kernel.decisions`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

PROBLEM_BASE = "https://madang.example/problems/"


class MadangError(Exception):
    """A fault with everything an RFC 9457 problem needs: what was wrong, where, and what to do.

    `code` is stable and machine-readable; `detail` is one English sentence; `ko` the Korean one for screens.
    """

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something went wrong inside the platform"

    def __init__(
        self, detail: str = "", *, where: str = "", hint: str = "", ko: str = "", **data: Any
    ) -> None:  # Any: shown as JSON
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.where = where
        self.hint = hint
        self.ko = ko
        self.data: dict[str, Any] = data  # Any: whatever JSON the raiser wants a person to see

    def problem(self) -> dict[str, Any]:  # Any: JSON object
        """The RFC 9457 `application/problem+json` members of this error."""
        return problem(
            self.code,
            self.status,
            self.title,
            self.detail,
            where=self.where,
            hint=self.hint,
            ko=self.ko,
            data=self.data,
        )


def problem(
    code: str,
    status: int,
    title: str,
    detail: str,
    *,
    where: str = "",
    hint: str = "",
    ko: str = "",
    data: Mapping[str, Any] | None = None,  # Any: JSON values
) -> dict[str, Any]:  # Any: JSON object
    """Builds problem+json members, leaving out what is empty (RFC 9457 §3.1)."""
    members: dict[str, Any] = {
        "type": PROBLEM_BASE + code,
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
    }
    extra = {"where": where, "hint": hint, "ko": ko, **(data or {})}
    return members | {name: value for name, value in extra.items() if value not in ("", None)}


class BadRequestError(MadangError):
    """The request is not of the form the door takes."""

    code = "bad-request"
    status = 400
    title = "The request is not of the form expected here"


class NotAuthenticatedError(MadangError):
    """No credential, or one that does not hold."""

    code = "not-authenticated"
    status = 401
    title = "Who is asking could not be established"


class ForbiddenError(MadangError):
    """The actor is known and may not do this."""

    code = "forbidden"
    status = 403
    title = "This is not yours to do"


class NotFoundError(MadangError):
    """Nothing by that name that this actor may know of."""

    code = "not-found"
    status = 404
    title = "There is nothing here by that name"


class ConflictError(MadangError):
    """The thing is not in a state that allows this, or was changed by another meanwhile."""

    code = "conflict"
    status = 409
    title = "This does not fit the present state"


class TooLargeError(MadangError):
    """More bytes, rows or depth than the door takes."""

    code = "too-large"
    status = 413
    title = "The request is larger than allowed"


class UnavailableError(MadangError):
    """A part this needs is down; trying again later may help."""

    code = "unavailable"
    status = 503
    title = "A part this needs is not answering"


class ConfigError(MadangError):
    """The configuration cannot be used as written."""

    code = "config"
    title = "The configuration cannot be used"


class TemporaryError(MadangError):
    """Delivery failed for now: try again, after `delay_s` where the receiver named one."""

    code = "temporary"
    status = 503
    title = "Delivery failed for now"

    def __init__(self, detail: str = "", *, delay_s: float | None = None) -> None:
        super().__init__(detail)
        self.delay_s = delay_s


class PermanentError(MadangError):
    """Delivery can never succeed as it stands: it goes to the desk where a person sees it."""

    code = "permanent"
    status = 502
    title = "Delivery cannot succeed"
