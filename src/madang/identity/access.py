"""The gate every command passes: `require` asks `may` and turns a no into the right refusal."""

from __future__ import annotations

from madang.identity.rights import Actor, Right, Thing, Verdict, may
from madang.kernel.errors import ForbiddenError, NotFoundError

_WHY_KO = {
    "role_lacks_right": "이 일을 할 수 있는 역할이 아닙니다. 책임자에게 문의하십시오.",
    "other_agency": "다른 기관의 자료입니다.",
    "own_request": "자신이 요청한 것은 스스로 승인하거나 검토할 수 없습니다. 다른 담당자에게 요청하십시오.",
    "type_not_granted": "이 토큰으로는 해당 유형을 다룰 수 없습니다.",
}
_WHY_EN = {
    "role_lacks_right": "your role does not include {right}; ask a supervisor",
    "other_agency": "{right} is refused: this belongs to another agency",
    "own_request": "{right} is refused: what you asked for yourself another person must decide",
    "type_not_granted": "{right} is refused: this token was not given that type",
}


def require(actor: Actor, right: Right, thing: Thing) -> None:
    """Returns if `actor` may; else raises.

    `NotFoundError` for another city's thing, so that its existence does not leak; `ForbiddenError` with the reason
    for everything else.
    """
    verdict = may(actor, right, thing)
    if not verdict:
        raise refusal(verdict, right)


def refusal(verdict: Verdict, right: Right) -> ForbiddenError | NotFoundError:
    """The error that tells a person why `may` said no."""
    if verdict.reason == "other_authority":
        return NotFoundError(ko="찾을 수 없습니다.")
    detail = _WHY_EN[verdict.reason].format(right=right.value)
    return ForbiddenError(detail, ko=_WHY_KO[verdict.reason], reason=verdict.reason, right=right.value)
