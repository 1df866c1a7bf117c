"""The state of the lines to other agencies, asked of whichever linkages are installed.

A linkage says it in its app config: `def links(self, authority: str) -> Iterable[Link]`, any object with these fields.
So a new linkage appears on the screens without a change here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Protocol, TypedDict

from django.apps import apps

from madang.console.projection import AgencyRow, agency_names
from madang.kernel.clock import instant_text


class Link(Protocol):
    """One line to one agency."""

    @property
    def name(self) -> str: ...
    @property
    def agency(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def last_heard_at(self) -> datetime | None: ...
    @property
    def mode(self) -> str: ...


class LinkRow(TypedDict):
    """A line as the screens show it; `state` is up, down or never."""

    name: str
    agency: AgencyRow
    state: str
    last_heard_at: str | None
    mode: str


def link_rows(authority: str) -> list[LinkRow]:
    """Every line of a city."""
    links = list(_links(authority))
    names = agency_names({link.agency for link in links})
    return [
        {
            "name": link.name,
            "agency": {"code": link.agency, "name_ko": names.get(link.agency, link.agency)},
            "state": link.state,
            "last_heard_at": None if link.last_heard_at is None else instant_text(link.last_heard_at),
            "mode": link.mode,
        }
        for link in links
    ]


def _links(authority: str) -> Iterator[Link]:
    for config in apps.get_app_configs():
        tell = getattr(config, "links", None)
        if callable(tell):
            told: Iterable[Link] = tell(authority)
            yield from told
