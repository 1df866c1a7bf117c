"""The end of the day: the room's book against the platform's. Every difference is told, none is explained away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from madang_demo.police112.ledger import Ledger
from madang_demo.police112.platform import Message, Platform, RefusedError

SKEW = timedelta(minutes=5)
"""How far the two clocks may be apart (the contract's window)."""
_LOOK_AGAIN_S = 0.4


@dataclass
class Books:
    """The platform's ledger of us, whole."""

    complete_from: str
    sent: dict[str, list[Message]] = field(default_factory=dict)
    """By message id, what we sent; a list, so that a message booked twice is seen."""
    got: dict[str, Message] = field(default_factory=dict)
    views: dict[str, list[Message]] = field(default_factory=dict)

    def add(self, page: Message) -> None:
        """Takes one page."""
        for row in page["messages"]:
            if row["direction"] == "in":
                self.sent.setdefault(row["msg_id"], []).append(row)
            else:
                self.got[row["msg_id"]] = row
        for row in page["views"]:
            self.views.setdefault(row["lease_id"], []).append(row)


async def fetch(platform: Platform, since: datetime) -> Books:
    """Every page of the platform's ledger from `since` on; raises `RefusedError` when it cannot be had."""
    page = await platform.ledger_page(since, None)
    books = Books(page["complete_from"])
    books.add(page)
    while page["next"] is not None:
        page = await platform.ledger_page(since, page["next"])
        books.add(page)
    return books


def compare(ledger: Ledger, books: Books, since: datetime) -> list[str]:
    """Where our book since `since` and the platform's do not agree."""
    start = max(since, datetime.fromisoformat(books.complete_from)).isoformat(timespec="milliseconds")
    return [*_sent(ledger, books, start), *_got(ledger, books, start), *_views(ledger, books, start)]


def _sent(ledger: Ledger, books: Books, start: str) -> Iterator[str]:
    for msg_id, ours in ledger.sent_digests(start).items():
        theirs = books.sent.get(msg_id, [])
        if len(theirs) != 1:
            yield f"sent {msg_id}: we hold its receipt, the platform has booked it {len(theirs)} times"
        elif theirs[0]["digest"] != ours:
            yield f"sent {msg_id}: our digest is {ours}, the platform's {theirs[0]['digest']}"
    known = ledger.ever_sent()
    for msg_id in books.sent:
        if msg_id not in known and _since(books.sent[msg_id][0]["at"], start):
            yield f"sent {msg_id}: the platform has booked it, we never sent it"


def _got(ledger: Ledger, books: Books, start: str) -> Iterator[str]:
    for msg_id, ours in ledger.got_digests(start).items():
        theirs = books.got.get(msg_id)
        if theirs is None:
            yield f"got {msg_id}: the platform has not booked it"
        elif theirs["digest"] != ours:
            yield f"got {msg_id}: our digest is {ours}, the platform's {theirs['digest']}"
    known = ledger.got_digests()
    for msg_id, row in books.got.items():
        if row["state"] == "delivered" and msg_id not in known and _since(row["at"], start):
            yield f"got {msg_id}: the platform says delivered, we do not have it"


def _views(ledger: Ledger, books: Books, start: str) -> Iterator[str]:
    for lease_id in sorted(ledger.watched_leases(start)):
        theirs = books.views.get(lease_id, [])
        if not theirs:
            yield f"view {lease_id}: we saw pictures, the platform has booked no view"
        elif any(view["ended_at"] is None for view in theirs):
            yield f"view {lease_id}: it is over, the platform says it goes on"


def _since(at: str, start: str) -> bool:
    return datetime.fromisoformat(at) >= datetime.fromisoformat(start)


async def reconcile(platform: Platform, ledger: Ledger, since: datetime, patience_s: float) -> list[str]:
    """The differences. Looks again for `patience_s` seconds, as what has just happened may be on its way."""
    until_s = time.monotonic() + patience_s
    differences = ["the platform's ledger was not to be had in time"]
    while (left_s := until_s - time.monotonic()) > 0:
        try:
            books = await asyncio.wait_for(fetch(platform, since - SKEW), left_s)
            differences = compare(ledger, books, since)
        except RefusedError as error:
            differences = [f"the platform's ledger was not to be had: {error}"]
        except TimeoutError:
            break
        if not differences:
            break
        await asyncio.sleep(min(_LOOK_AGAIN_S, max(0.0, until_s - time.monotonic())))
    return differences


def everything() -> datetime:
    """Since when a book is compared that stands alone; the platform says how far back it goes."""
    return datetime(2000, 1, 1, tzinfo=UTC)
