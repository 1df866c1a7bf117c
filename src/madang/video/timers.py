"""What video does when time passes: grants lapse, views nobody closed are closed, reviews and answers fall due."""

from __future__ import annotations

from datetime import datetime

from madang.journal import handlers
from madang.journal.handlers import Timer
from madang.journal.session import Session
from madang.video.commands import disclosure, grants, leases
from madang.video.commands.break_glass import lock_unreviewed


def register() -> None:
    """Registers every timer of video with the journal."""
    handlers.on_timer("video.grant.expire", _grant)
    handlers.on_timer("video.view.crash", _view)
    handlers.on_timer("video.break_glass.review", _review)
    handlers.on_timer("video.disclosure.due", _disclosure)


def _grant(tx: Session, timer: Timer, now: datetime) -> None:
    grants.expire_grant(tx, timer.key, now)


def _view(tx: Session, timer: Timer, now: datetime) -> None:
    leases.crash_close_view(tx, timer.key, now)


def _review(tx: Session, timer: Timer, now: datetime) -> None:
    lock_unreviewed(tx, timer.key, now)


def _disclosure(tx: Session, timer: Timer, now: datetime) -> None:
    disclosure.mark_overdue(tx, timer.key, now)
