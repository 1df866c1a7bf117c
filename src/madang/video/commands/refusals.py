"""What the rules forbid, told to a person: each code of `Rejected` mapped once to its error."""

from __future__ import annotations

from typing import NoReturn

from madang.kernel.decisions import Rejected
from madang.kernel.errors import BadRequestError, ConflictError, ForbiddenError, MadangError, UnavailableError

_TOLD: dict[str, tuple[type[MadangError], str, str]] = {
    "case_closed": (
        ConflictError,
        "the case is closed; reopen the incident first",
        "종료된 사건입니다. 먼저 사건을 다시 여십시오.",
    ),
    "outside_scope": (
        ForbiddenError,
        "some cameras lie outside the case's area; choose cameras around its place",
        "사건 반경 밖의 카메라가 있습니다. 사건 장소 주변 카메라를 고르십시오.",
    ),
    "wrong_state": (ConflictError, "the grant is not in a state that allows this", "지금 상태에서는 할 수 없습니다."),
    "own_request": (
        ForbiddenError,
        "what you asked for yourself another person must decide",
        "자신이 요청한 것은 다른 담당자가 결정해야 합니다.",
    ),
    "not_extendable": (
        ConflictError,
        "only grants of a case can be extended",
        "사건에 따른 제공만 연장할 수 있습니다.",
    ),
    "not_later": (
        ConflictError,
        "the grant already runs as long as it may",
        "이미 허용된 최대 기간까지 열려 있습니다.",
    ),
    "review_overdue": (
        ForbiddenError,
        "a break-glass view of yours awaits review beyond its time; have it reviewed first",
        "기한이 지난 긴급 열람 검토가 있습니다. 먼저 검토를 받으십시오.",
    ),
    "reason_missing": (
        BadRequestError,
        "a reason of at least five characters is needed, so that a reviewer can judge it",
        "검토자가 판단할 수 있도록 사유를 다섯 글자 이상 적으십시오.",
    ),
    "no_cameras": (BadRequestError, "name at least one camera", "카메라를 하나 이상 고르십시오."),
    "too_many_cameras": (BadRequestError, "too many cameras at once", "한 번에 열 수 있는 카메라 수를 넘었습니다."),
    "nobody_to_notify": (
        ConflictError,
        "break-glass needs two others to notify; give two people a supervising role",
        "긴급 열람은 두 사람에게 알려야 합니다. 책임자 역할을 가진 사람을 두 명 이상 등록하십시오.",
    ),
    "grant_not_live": (ForbiddenError, "the grant is not in force", "효력이 있는 영상 제공이 아닙니다."),
    "right_not_granted": (ForbiddenError, "the grant does not include this right", "허용되지 않은 권한입니다."),
    "camera_not_granted": (ForbiddenError, "the grant does not cover this camera", "제공 대상이 아닌 카메라입니다."),
    "purpose_unknown": (
        ForbiddenError,
        "the camera has no published purpose, so ordinary duty does not cover it",
        "설치 목적이 공개되지 않은 카메라는 일상 관제로 볼 수 없습니다.",
    ),
    "purpose_not_on_roster": (
        ForbiddenError,
        "the shift does not cover cameras of this purpose",
        "이 근무에는 해당 목적의 카메라가 포함되지 않습니다.",
    ),
    "mode_differs": (
        ForbiddenError,
        "real cameras are not shown for exercises or simulations, nor simulated ones for real cases",
        "훈련·모의에서는 실제 카메라를, 실제 사건에서는 모의 카메라를 볼 수 없습니다.",
    ),
    "too_many_viewers": (UnavailableError, "too many are watching already", "동시 열람자 수를 넘었습니다."),
    "not_on_duty": (
        ForbiddenError,
        "without a grant only someone on duty may watch; start your shift first",
        "제공 없이 보려면 근무 중이어야 합니다. 먼저 근무를 시작하십시오.",
    ),
    "lease_ended": (ConflictError, "the lease has ended; open a new one", "열람권이 끝났습니다. 새로 여십시오."),
    "table_faulty": (BadRequestError, "the decision table has faults", "결정표에 오류가 있습니다."),
    "already_reviewed": (ConflictError, "this has been reviewed already", "이미 검토되었습니다."),
}


def refuse(rejected: Rejected) -> NoReturn:
    """Raises the error of a rejection, with the facts a person needs."""
    kind, detail, ko = _TOLD.get(rejected.code, (ConflictError, rejected.code.replace("_", " "), ""))
    raise kind(detail, ko=ko, reason=rejected.code, **rejected.data)
