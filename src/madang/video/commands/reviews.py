"""The monthly check of the access log: a sample of views and every break-glass view, each judged by a reviewer."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from datetime import datetime

from madang.identity.access import require
from madang.identity.rights import Actor, Right, Thing
from madang.journal import civic
from madang.journal.session import Session
from madang.kernel.errors import BadRequestError, NotFoundError
from madang.kernel.mode import Mode
from madang.video.commands.grants import config
from madang.video.domain import GrantKind
from madang.video.models import AccessReview, ViewSession
from madang.video.register import month_bounds

Draw = Callable[[Sequence[str], int], Sequence[str]]


def draw_access_review(
    tx: Session, actor: Actor, authority: str, month: str, now: datetime, draw: Draw | None = None
) -> list[AccessReview]:
    """Draws the month's views to check, once: 2 % at random (at least one) and all break-glass views.

    Drawing again adds what was viewed since, and keeps what was drawn.
    """
    require(actor, Right.REVIEW_ACCESS_LOG, Thing(authority))
    try:
        start, end = month_bounds(month)
    except ValueError:
        raise BadRequestError("a month is written YYYY-MM", where="month", ko="달은 YYYY-MM 형식입니다.") from None
    views = ViewSession.objects.filter(authority_id=authority, started_at__gte=start, started_at__lt=end)
    glass = set(views.filter(grant__kind=GrantKind.BREAK_GLASS).values_list("pk", flat=True))
    others = sorted(set(views.values_list("pk", flat=True)) - glass)
    chosen = set(AccessReview.objects.filter(authority_id=authority, month=month).values_list("view_id", flat=True))
    missing = math.ceil(len(others) * config().review_sample) - len(chosen - glass)
    left = [view for view in others if view not in chosen]
    sample = (draw or random.SystemRandom().sample)(left, max(0, min(missing, len(left))))
    picked = [(view, "break_glass") for view in sorted(glass - chosen)] + [(view, "sample") for view in sample]
    made = [AccessReview(authority_id=authority, month=month, view_id=view, why=why) for view, why in picked]
    AccessReview.objects.bulk_create(made)
    _audit(tx, authority, actor, "video.access_review.drawn", f"month:{month}", now, {"views": len(made)})
    return list(AccessReview.objects.filter(authority_id=authority, month=month))


def judge_access(tx: Session, actor: Actor, review_id: str, verdict: str, reason: str, now: datetime) -> AccessReview:
    """A reviewer's verdict on one view; nobody judges their own."""
    review = AccessReview.objects.select_related("view").filter(pk=review_id).first()
    if review is None:
        raise NotFoundError("there is no such review", ko="점검 항목을 찾을 수 없습니다.")
    require(actor, Right.REVIEW_ACCESS_LOG, Thing(review.authority_id))
    if review.view.viewer == actor.id:
        raise BadRequestError(
            "nobody reviews their own views", where="reviewer", ko="자신의 열람은 점검할 수 없습니다."
        )
    if verdict not in ("proper", "improper", "unclear"):
        raise BadRequestError("the verdict is proper, improper or unclear", where="verdict")
    if verdict != "proper" and not reason.strip():
        raise BadRequestError("a verdict that is not proper needs a reason", where="reason", ko="사유를 적으십시오.")
    review.verdict, review.reason, review.reviewer, review.reviewed_at = verdict, reason[:500], actor.id, now
    review.save()
    thing = f"view:{review.view_id}"
    _audit(tx, review.authority_id, actor, "video.access_review.judged", thing, now, {"verdict": verdict})
    return review


def _audit(
    tx: Session, authority: str, actor: Actor, action: str, thing: str, now: datetime, body: dict[str, object]
) -> None:
    civic.audit(tx, authority=authority, actor=actor.id, action=action, thing=thing, mode=Mode.LIVE, now=now, body=body)
