"""The law of the screens: a snapshot with the events after its cursor equals a fresh snapshot, for every role."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from madang.console.sight import Sight, Viewer
from madang.console.snapshot import CivicSource, snapshot
from madang.console.stream import Event
from madang.identity.actors import actor_of_person
from madang.identity.models import Agency, Authority
from madang.identity.rights import Actor, Role
from madang.journal import alarms, civic
from madang.kernel.clock import system_clock
from madang.kernel.errors import MadangError
from madang.kernel.geometry import Point
from madang.kernel.ids import new_id
from madang.kernel.mode import Mode
from madang.response import commands as response
from madang.response.models import Incident
from madang.video import commands as video
from madang.video.models import Camera, Lease, VideoGrant, ViewSession
from tests.conftest import MakePerson
from tests.console.conftest import CORNER, OpenCall, put_cameras

pytestmark = pytest.mark.django_db

KINDS = ("incidents", "grants", "tasks", "links")
KEPT = {"incident": "incidents", "grant": "grants", "task": "tasks", "link": "links"}
Step = tuple[str, int]


@dataclass
class City:
    """Everybody and everything a random command may touch."""

    authority: Authority
    agencies: list[Agency]
    operator: Actor
    supervisor: Actor
    cameras: list[Camera]
    sights: dict[str, Sight]
    open_call: OpenCall
    now: datetime = field(default_factory=system_clock)

    def pick(self, rows: Any, number: int) -> Any:  # Any: a queryset of any model
        found = list(rows)
        return found[number % len(found)] if found else None


@pytest.fixture
def city(
    authority: Authority, make_person: MakePerson, police: Agency, other_police: Agency, open_call: OpenCall
) -> City:
    operator, supervisor = make_person(Role.OPERATOR), make_person(Role.SUPERVISOR)
    others = {
        "liaison": make_person(Role.POLICE_LIAISON, agency=police),
        "officer": make_person(Role.CITY_OFFICER),
    }
    people = {"operator": operator, "supervisor": supervisor, **others}
    make_person(Role.AUDITOR)
    return City(
        authority=authority,
        agencies=[police, other_police],
        operator=actor_of_person(operator),
        supervisor=actor_of_person(supervisor),
        cameras=put_cameras(authority.code),
        sights={name: Viewer(actor_of_person(one), authority.code).sight for name, one in people.items()},
        open_call=open_call,
    )


# ---------------------------------------------------------------------------------------- what may happen


def open_one(tx: Any, city: City, number: int) -> None:
    kinds, places = ("강도", "소음", "화재"), ((CORNER[0], CORNER[1]), (None, None), (CORNER[1], CORNER[0]))
    lon, lat = places[number % 3]
    agency = city.agencies[number % 2]
    city.open_call(agency, kind=kinds[number % 3], code=number % 5, lon=lon, lat=lat, now=city.now)


def work(tx: Any, city: City, number: int) -> None:
    incident = city.pick(Incident.objects.filter(authority=city.authority).order_by("number"), number)
    if incident is None:
        return
    steps: list[Callable[[], object]] = [
        lambda: response.claim(tx, city.operator, incident.pk, city.now, take_over=True),
        lambda: response.verify(tx, city.operator, incident.pk, city.now),
        lambda: response.activate(tx, city.operator, incident.pk, city.now),
        lambda: response.stabilise(tx, city.operator, incident.pk, city.now),
        lambda: response.dismiss(tx, city.operator, incident.pk, "오인", city.now),
        lambda: response.close_incident(tx, city.operator, incident.pk, "종료", city.now),
        lambda: response.reopen_incident(tx, city.operator, incident.pk, "재신고", city.now),
        lambda: response.add_note(tx, city.operator, incident.pk, "메모", city.now),
        lambda: response.set_priority(tx, city.operator, incident.pk, number % 5, city.now),
        lambda: response.locate(tx, city.operator, incident.pk, Point(*CORNER), "map", city.now),
    ]
    steps[number % len(steps)]()


def grant(tx: Any, city: City, number: int) -> None:
    found = city.pick(VideoGrant.objects.filter(authority=city.authority).order_by("pk"), number)
    if found is None:
        return
    steps: list[Callable[[], object]] = [
        lambda: video.decide_grant(tx, city.supervisor, found.pk, True, "확인", city.now),
        lambda: video.decide_grant(tx, city.supervisor, found.pk, False, "불필요", city.now),
        lambda: video.extend_grant(tx, city.supervisor, found.pk, "계속", city.now),
        lambda: video.revoke_grant(tx, city.supervisor, found.pk, "종료", city.now),
    ]
    steps[number % len(steps)]()


def watch(tx: Any, city: City, number: int) -> None:
    camera = city.pick(city.cameras, number)
    steps: list[Callable[[], object]] = [
        lambda: video.start_shift(tx, city.operator, city.authority.code, 8, city.now),
        lambda: video.end_shift(tx, city.operator, city.authority.code, city.now),
        lambda: video.open_lease(
            tx, city.operator, camera_id=camera.pk, grant_id=None, viewer_name="관제", now=city.now
        ),
        lambda: video.break_glass(tx, city.operator, [camera.pk], "칼부림 목격", city.now),
        lambda: video.set_camera_health(tx, camera.pk, ("ok", "offline")[number % 2], city.now),
    ]
    steps[number % len(steps)]()


def view(tx: Any, city: City, number: int) -> None:
    lease = city.pick(Lease.objects.filter(authority=city.authority, ended_at=None).order_by("pk"), number)
    running = city.pick(ViewSession.objects.filter(authority=city.authority, ended_at=None).order_by("pk"), number)
    if number % 2 and lease is not None:
        video.start_view(tx, lease_id=lease.pk, view_id=new_id(), now=city.now)
    elif running is not None:
        video.stop_view(tx, view_id=running.pk, now=city.now, seconds=1.0, bytes_sent=10, code=1000, reason="closed")


def alarm(tx: Any, city: City, number: int) -> None:
    alarms.raise_conflict(
        tx,
        authority=city.authority.code,
        mode=Mode.LIVE,
        source="police112",
        message_id=f"m{number % 3}",
        first_digest="a",
        second_digest="b",
        now=city.now,
    )


def call_line(tx: Any, city: City, number: int) -> None:
    from madang.linkages.police112 import links

    links.heard(tx, city.agencies[0], city.now)


COMMANDS: dict[str, Callable[[Any, City, int], None]] = {
    "open": open_one,
    "work": work,
    "grant": grant,
    "watch": watch,
    "view": view,
    "alarm": alarm,
    "line": call_line,
}
steps = st.lists(st.tuples(st.sampled_from(sorted(COMMANDS)), st.integers(0, 59)), min_size=4, max_size=22)


# ---------------------------------------------------------------------------------------------- the law


def held(taken: Any) -> dict[str, Any]:
    """A snapshot as a screen keeps it: rows by kind and key."""
    keys = {"links": "name"}
    rows = {kind: {row[keys.get(kind, "id")]: row for row in taken[kind]} for kind in KINDS}
    return {**rows, "counters": taken["counters"]}


def apply(state: dict[str, Any], event: Event) -> None:
    """What a screen does with an event."""
    if event.kind == "counters":
        state["counters"] = event.row
    elif event.kind in KEPT and event.op == "upsert":
        state[KEPT[event.kind]][event.ref] = event.row
    elif event.kind in KEPT:
        state[KEPT[event.kind]].pop(event.ref, None)


def replay(source: CivicSource, sight: Sight, state: dict[str, Any], cursor: int, batch: int) -> None:
    """Brings a screen from its cursor to now, a few changes at a time, as the stream does."""
    while changes := source.after(cursor, batch):
        mine = {(one.kind, one.ref): one for one in changes if one.authority == sight.authority}
        for event in source.project(sight, sorted(mine.values(), key=lambda one: one.seq)):
            apply(state, event)
        cursor = changes[-1].seq


def perform(city: City, step: Step) -> None:
    name, number = step
    city.now += timedelta(seconds=1 + number)
    try:
        with civic.transaction() as tx:
            COMMANDS[name](tx, city, number)
    except MadangError:
        pass


class UndoneError(Exception):
    """Takes back what an example did."""


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=steps, after=steps, batch=st.integers(1, 7))
def test_a_snapshot_with_the_events_after_it_equals_a_fresh_one(
    city: City, before: list[Step], after: list[Step], batch: int
) -> None:
    city.now = system_clock()
    source = CivicSource(lambda: city.now)
    with pytest.raises(UndoneError), transaction.atomic():
        for step in before:
            perform(city, step)
        taken = {name: snapshot(sight, city.now) for name, sight in city.sights.items()}
        for step in after:
            perform(city, step)
        for name, sight in city.sights.items():
            state = held(taken[name])
            replay(source, sight, state, int(taken[name]["cursor"]), batch)
            assert state == held(snapshot(sight, city.now)), name
        raise UndoneError


def test_what_ended_a_shift_ago_is_taken_off_the_screens(city: City) -> None:
    perform(city, ("open", 0))
    incident = Incident.objects.get()
    with civic.transaction() as tx:
        response.close_incident(tx, city.operator, incident.pk, "종료", city.now)
    sight = city.sights["operator"]
    state = held(snapshot(sight, city.now))
    assert incident.pk in state["incidents"]
    later = city.now + timedelta(hours=12, minutes=1)
    for event in CivicSource(lambda: later).floating(sight):
        apply(state, event)
    assert incident.pk not in state["incidents"]
    assert snapshot(sight, later)["incidents"] == []
