"""What the rules forbid, told to a person: each code of `Rejected` mapped once to its error."""

from __future__ import annotations

from typing import NoReturn

from madang.kernel.decisions import Rejected
from madang.kernel.errors import BadRequestError, ConflictError, ForbiddenError, MadangError

_TOLD: dict[str, tuple[type[MadangError], str, str]] = {
    "ended": (ConflictError, "this outage has ended already", "이미 끝난 고장입니다."),
    "not_now": (ConflictError, "its present state does not allow this step", "지금 상태에서는 할 수 없습니다."),
    "not_by_people": (BadRequestError, "that step is not a person's to take", "사람이 할 수 있는 단계가 아닙니다."),
    "reason_needed": (BadRequestError, "a reason is needed", "사유를 적으십시오."),
    "own_work": (
        ForbiddenError,
        "what you reported done another person must verify",
        "자신이 완료 보고한 작업은 다른 담당자가 검증해야 합니다.",
    ),
}


def refuse(rejected: Rejected) -> NoReturn:
    """Raises the error that tells a person why not."""
    kind, en, ko = _TOLD[rejected.code]
    raise kind(en, ko=ko, reason=rejected.code, **rejected.data)


def changed_meanwhile(version: int) -> ConflictError:
    """Somebody else was quicker."""
    return ConflictError(
        f"it was changed meanwhile; look again (its version is {version})",
        ko="그 사이 다른 사람이 바꾸었습니다. 다시 확인하십시오.",
        reason="changed_meanwhile",
        version=version,
    )
