"""What a screen holds: everything at once (`snapshot`), and what a change makes of it (`CivicSource.project`).

The law between them, held by a property test: a snapshot with the events after its cursor equals a fresh snapshot.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypedDict

from django.db.models import Model, QuerySet

from madang.console.config import console_config
from madang.console.feeds import FeedRow, feed_rows, rejects_of
from madang.console.links import LinkRow, link_rows
from madang.console.projection import (
    INCIDENT_OPEN,
    TASK_OPEN,
    GrantRow,
    camera_row,
    grant_rows,
    incident_rows,
    shown_grants,
    shown_incidents,
    task_rows,
    visible_grants,
    visible_incidents,
    visible_tasks,
)
from madang.console.sessions import viewer_of_session
from madang.console.sight import Sight, Viewer
from madang.console.stream import Event
from madang.identity.rights import Right
from madang.journal import alarms, changes, civic, desk
from madang.kernel.clock import Clock, instant_text, system_clock
from madang.response.models import Incident, Task
from madang.response.queries import JsonRow
from madang.video import queries as video_queries
from madang.video.models import Case, VideoGrant

if TYPE_CHECKING:
    from madang.console.live import Change

Rows = dict[str, Any]  # Any: a row of any kind, by its ref
EVERY = "*"
"""The ref of a change to very many cameras at once: a screen asks for the map again (the row is null)."""


class Counters(TypedDict):
    """Work that waits; None where the person may not know."""

    dead_letters: int | None
    rejects: int | None
    alarms: int | None


class Snapshot(TypedDict):
    cursor: str
    incidents: list[JsonRow]
    grants: list[GrantRow]
    tasks: list[JsonRow]
    links: list[LinkRow]
    feeds: list[FeedRow]
    counters: Counters
    now: str


def snapshot(sight: Sight, now: datetime) -> Snapshot:
    """Everything a screen starts from. The cursor is read first: what comes later is told again, never lost."""
    with civic.reading() as tx:
        cursor = changes.latest(tx)
    since = shown_since(now)
    shown = console_config().rows_shown
    visible = visible_incidents(sight)
    open_ones = list(visible.filter(state__in=INCIDENT_OPEN).order_by("priority", "-opened_at"))
    ended = visible.exclude(state__in=INCIDENT_OPEN).filter(closed_at__gt=since).order_by("-closed_at")[:shown]
    return {
        "cursor": str(cursor),
        "incidents": incident_rows([*open_ones, *ended]),
        "grants": grant_rows(list(shown_grants(visible_grants(sight), since).order_by("requested_at"))),
        "tasks": task_rows(visible_tasks(sight).filter(state__in=TASK_OPEN).order_by("due_at")),
        "links": link_rows(sight.authority),
        "feeds": feed_rows(sight.authority),
        "counters": counters(sight),
        "now": instant_text(now),
    }


def shown_since(now: datetime) -> datetime:
    """What ended before this is no longer shown."""
    return now - timedelta(seconds=console_config().closed_shown_s)


def counters(sight: Sight) -> Counters:
    """How much waits at the desks."""
    desks = sight.may(Right.SEE_DEAD_LETTERS)
    if not desks:
        return {"dead_letters": None, "rejects": None, "alarms": None}
    with civic.reading() as tx:
        dead = desk.count(tx, sight.authority)
        seen = len(alarms.open_alarms(tx, sight.authority))
    return {"dead_letters": dead, "rejects": sum(one.count for one in rejects_of(sight.authority)), "alarms": seen}


# ------------------------------------------------------------------------------------------ the live source


class CivicSource:
    """The reads behind the live stream."""

    def __init__(self, clock: Clock = system_clock) -> None:
        self._clock = clock

    def viewer(self, session_key: str) -> Viewer | None:
        return viewer_of_session(session_key)

    def span(self) -> tuple[int, int]:
        """A cursor just before the oldest change kept still misses nothing."""
        with civic.reading() as tx:
            return max(changes.oldest(tx) - 1, 0), changes.latest(tx)

    def after(self, seq: int, limit: int) -> Sequence[Change]:
        with civic.reading() as tx:
            return changes.changes_after(tx, seq, limit)

    def project(self, sight: Sight, changes: Sequence[Change]) -> list[Event]:
        """Upserts of what a fresh snapshot would hold, removals of what it would not."""
        wanted = _wanted(changes)
        since = shown_since(self._clock())
        rows = {kind: build(sight, _refs(wanted, kind), since) for kind, build in _BUILDERS.items()}
        hidden = _hidden(sight, [key for key in wanted if key[0] in rows and key[1] not in rows[key[0]]])
        told = sorted(wanted.items(), key=lambda item: item[1])
        return [
            Event(seq, kind, ref, "upsert", None) if kind in NUDGES else _event(seq, kind, ref, rows[kind])
            for (kind, ref), seq in told
            if (kind, ref) not in hidden and (kind not in NUDGES or any(sight.may(right) for right in NUDGES[kind]))
        ]

    def floating(self, sight: Sight) -> list[Event]:
        """Feeds and counters as they are, and the removal of what has just been shown long enough."""
        feeds = [Event(0, "feed", row["name"], "upsert", row) for row in feed_rows(sight.authority)]
        since = shown_since(self._clock())
        just_over = {"gt": since - timedelta(minutes=10), "lte": since}
        old = visible_incidents(sight).exclude(state__in=INCIDENT_OPEN).filter(**_between("closed_at", just_over))
        gone = [Event(0, "incident", str(pk), "remove") for pk in old.values_list("pk", flat=True)]
        return [*feeds, Event(0, "counters", "counters", "upsert", counters(sight)), *gone]


NUDGES: Mapping[str, frozenset[Right]] = {
    "shelf": frozenset({Right.VIEW_INCIDENT}),
    "sop": frozenset({Right.VIEW_INCIDENT}),
    "handover": frozenset({Right.KEEP_DUTY}),
    "message": frozenset({Right.VIEW_INCIDENT}),
    "evidence": frozenset({Right.SEE_EVIDENCE}),
    "rule": frozenset({Right.EDIT_RULES, Right.PUBLISH_RULES}),
    "review": frozenset({Right.READ_REVIEWS}),
    "facility": frozenset({Right.VIEW_FACILITIES}),
}
"""Changes told without the row, with the rights that may hear of them: a screen that shows such things asks again."""


def _event(seq: int, kind: str, ref: str, rows: Rows) -> Event:
    if ref not in rows:
        return Event(seq, kind, ref, "remove")
    # A line is touched by its agency, and known to the screens by its name.
    shown = rows[ref]["name"] if kind == "link" else ref
    return Event(seq, kind, shown, "upsert", rows[ref])


_SEEN: Mapping[str, tuple[type[Model], Callable[[Sight], QuerySet[Any]]]] = {  # Any: rows of any of these tables
    "incident": (Incident, visible_incidents),
    "grant": (VideoGrant, visible_grants),
    "task": (Task, visible_tasks),
}


def _hidden(sight: Sight, gone: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Of what is not to be shown, what never was: that it changed is nothing another agency's people may hear."""
    if sight.sees_incidents and sight.only_agency is None:
        return set()
    hidden: set[tuple[str, str]] = set()
    for kind, (table, visible) in _SEEN.items():
        refs = [ref for of_kind, ref in gone if of_kind == kind]
        if refs:
            there = table._default_manager.filter(pk__in=refs).values_list("pk", flat=True)
            seen = visible(sight).filter(pk__in=refs).values_list("pk", flat=True)
            hidden |= {(kind, str(ref)) for ref in set(there) - set(seen)}
    return hidden


def _between(field: str, bounds: Mapping[str, datetime]) -> dict[str, datetime]:
    return {f"{field}__{side}": value for side, value in bounds.items()}


def _refs(wanted: Mapping[tuple[str, str], int], kind: str) -> list[str]:
    return [ref for of_kind, ref in wanted if of_kind == kind]


def _wanted(changes: Iterable[Change]) -> dict[tuple[str, str], int]:
    """What must be told, with the newest number that asks for it. A grant's change shows on its incident too."""
    wanted: dict[tuple[str, str], int] = {}
    for change in changes:
        if change.kind == "counters":
            wanted["counters", "counters"] = change.seq
        elif change.kind in _BUILDERS or change.kind in NUDGES or change.kind == "case":
            wanted[change.kind, change.ref] = change.seq
    for key, incident in _incidents_behind(wanted).items():
        seq = wanted[key]
        wanted["incident", incident] = max(seq, wanted.get(("incident", incident), 0))
    return {key: seq for key, seq in wanted.items() if key[0] != "case"}


def _incidents_behind(wanted: Mapping[tuple[str, str], int]) -> dict[tuple[str, str], str]:
    grants, cases = _refs(wanted, "grant"), _refs(wanted, "case")
    behind: dict[tuple[str, str], str] = {}
    if grants:
        rows = VideoGrant.objects.filter(pk__in=grants, case__isnull=False).values_list("pk", "case__incident_id")
        behind |= {("grant", grant): incident for grant, incident in rows}
    if cases:
        behind |= {("case", case): i for case, i in Case.objects.filter(pk__in=cases).values_list("pk", "incident_id")}
    return behind


Builder = Callable[[Sight, Collection[str], datetime], Rows]


def _incidents(sight: Sight, refs: Collection[str], since: datetime) -> Rows:
    found = visible_incidents(sight).filter(pk__in=refs).filter(shown_incidents(since)) if refs else []
    return {row["id"]: row for row in incident_rows(list(found))} if refs else {}


def _grants(sight: Sight, refs: Collection[str], since: datetime) -> Rows:
    found = shown_grants(visible_grants(sight).filter(pk__in=refs), since) if refs else []
    return {row["id"]: row for row in grant_rows(list(found))} if refs else {}


def _tasks(sight: Sight, refs: Collection[str], since: datetime) -> Rows:
    del since
    found = visible_tasks(sight).filter(pk__in=refs, state__in=TASK_OPEN) if refs else []
    return {row["id"]: row for row in task_rows(found)}


def _cameras(sight: Sight, refs: Collection[str], since: datetime) -> Rows:
    del since
    if not refs or not sight.may(Right.VIEW_MAP, sight.agency):
        return {}
    found = {ref: video_queries.camera_view(sight.authority, ref) for ref in refs if ref != EVERY}
    rows: Rows = {ref: camera_row(camera) for ref, camera in found.items() if camera is not None}
    return rows | ({EVERY: None} if EVERY in refs else {})


def _links(sight: Sight, refs: Collection[str], since: datetime) -> Rows:
    del since
    return {row["agency"]["code"]: row for row in link_rows(sight.authority)} if refs else {}


def _counters(sight: Sight, refs: Collection[str], since: datetime) -> Rows:
    del since
    return {"counters": counters(sight)} if refs else {}


_BUILDERS: dict[str, Builder] = {
    "incident": _incidents,
    "grant": _grants,
    "task": _tasks,
    "camera": _cameras,
    "link": _links,
    "counters": _counters,
}
