"""What the rules of evidence forbid, told to a person."""

from __future__ import annotations

from typing import NoReturn

from madang.kernel.decisions import Rejected
from madang.kernel.errors import BadRequestError, ConflictError, ForbiddenError, MadangError, UnavailableError

_TOLD: dict[str, tuple[type[MadangError], str, str]] = {
    "wrong_state": (ConflictError, "it is not in a state that allows this", "지금 상태에서는 할 수 없습니다."),
    "nothing_held": (ConflictError, "there is nothing kept here", "보관 중인 영상이 없습니다."),
    "reason_missing": (
        BadRequestError,
        "a reason of at least five characters is needed, so that a reviewer can judge it",
        "검토자가 판단할 수 있도록 사유를 다섯 글자 이상 적으십시오.",
    ),
    "until_out_of_bounds": (
        BadRequestError,
        "the lock must end in the future and within the most the city allows",
        "잠금 기한은 지금 이후, 시가 정한 최대 기간 안이어야 합니다.",
    ),
    "lock_shortened": (
        ConflictError,
        "it is locked for longer already; another person may take the lock off",
        "이미 더 오래 잠겨 있습니다. 잠금은 다른 사람이 풀 수 있습니다.",
    ),
    "not_locked": (ConflictError, "it is not locked", "잠겨 있지 않습니다."),
    "own_lock": (
        ForbiddenError,
        "who locked it cannot unlock it; ask another person",
        "잠근 사람은 풀 수 없습니다. 다른 담당자에게 요청하십시오.",
    ),
    "own_request": (
        ForbiddenError,
        "what you asked for yourself another person must decide",
        "자신이 요청한 것은 다른 담당자가 결정해야 합니다.",
    ),
    "not_the_requester": (
        ForbiddenError,
        "only the person who asked for it fetches or withdraws it",
        "요청한 사람만 내려받거나 거둘 수 있습니다.",
    ),
    "no_view": (
        ConflictError,
        "no picture of this camera is open at your screen",
        "화면에 열려 있는 영상이 아닙니다.",
    ),
    "not_of_the_incident": (
        ConflictError,
        "the picture is not shown under a grant of this incident; ask for the camera on the incident first",
        "이 사건의 영상 제공으로 열린 화면이 아닙니다. 사건에서 카메라를 먼저 요청하십시오.",
    ),
    "no_grant": (
        ForbiddenError,
        "no grant of this incident in force allows this for the camera; ask for one that includes it",
        "이 카메라에 대해 허용된 영상 제공이 없습니다. 해당 권한을 포함해 요청하십시오.",
    ),
    "case_closed": (ConflictError, "the video case is closed", "영상 사건이 종료되었습니다."),
    "policy_off": (
        ForbiddenError,
        "the camera's policy keeps nothing from before an event",
        "이 카메라는 사전 영상을 남기지 않도록 정해져 있습니다.",
    ),
    "recording_already": (ConflictError, "this camera is being recorded already", "이미 녹화 중인 카메라입니다."),
    "no_room": (
        UnavailableError,
        "the disk has too little room; tell the administrator",
        "저장 공간이 부족합니다. 관리자에게 알리십시오.",
    ),
    "nothing_chosen": (BadRequestError, "choose at least one kept item of the incident", "내보낼 증거를 고르십시오."),
    "no_basis": (
        BadRequestError,
        "name a legal basis that covers handing it over",
        "반출에 맞는 법적 근거를 고르십시오.",
    ),
    "recipient_missing": (
        BadRequestError,
        "name who receives it, and of which office",
        "받는 사람과 기관을 적으십시오.",
    ),
}


def refuse(rejected: Rejected) -> NoReturn:
    """Raises the error of a rejection."""
    raise refusal(rejected)


def refusal(rejected: Rejected) -> MadangError:
    """The error of a rejection, with the facts a person needs."""
    kind, detail, ko = _TOLD.get(rejected.code, (ConflictError, rejected.code.replace("_", " "), ""))
    return kind(detail, ko=ko, reason=rejected.code, **rejected.data)
