"""Figures that other parts of this process know and the civic store does not: data feeds and inputs kept aside.

The site registers sources at start; a screen is told what they say, and a silent source is shown as unknown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from madang.kernel.clock import instant_text


@dataclass(frozen=True, slots=True)
class Feed:
    """One stream of data coming in. `last_at` None means nothing ever came; `rejects` are inputs kept aside."""

    name: str
    kind: str
    last_at: datetime | None
    stale_after_s: int
    count: int
    rejects: int


class FeedRow(TypedDict):
    """A feed as the screens show it; its age is reckoned there, so that it grows while nothing comes."""

    name: str
    kind: str
    last_at: str | None
    stale_after_s: int
    count: int
    rejects: int


@dataclass(frozen=True, slots=True)
class Reject:
    """An input that could not be used: where from, why, how often, an example."""

    source: str
    reason: str
    count: int
    last_at: datetime | None
    example: str


Feeds = Callable[[str], list[Feed]]
Rejects = Callable[[str], list[Reject]]

_feeds: list[Feeds] = []
_rejects: list[Rejects] = []


def provide(feeds: Feeds, rejects: Rejects | None = None) -> Callable[[], None]:
    """Registers a source of feeds (by city) and of what it kept aside; returns what ends it."""
    _feeds.append(feeds)
    if rejects is not None:
        _rejects.append(rejects)

    def end() -> None:
        _feeds.remove(feeds)
        if rejects is not None:
            _rejects.remove(rejects)

    return end


def feed_rows(authority: str) -> list[FeedRow]:
    """Every feed of a city, by name."""
    feeds = sorted((feed for source in _feeds for feed in source(authority)), key=lambda feed: feed.name)
    return [
        {
            "name": feed.name,
            "kind": feed.kind,
            "last_at": None if feed.last_at is None else instant_text(feed.last_at),
            "stale_after_s": feed.stale_after_s,
            "count": feed.count,
            "rejects": feed.rejects,
        }
        for feed in feeds
    ]


def rejects_of(authority: str) -> list[Reject]:
    """Everything kept aside in a city, most frequent first."""
    return sorted((reject for source in _rejects for reject in source(authority)), key=lambda reject: -reject.count)
