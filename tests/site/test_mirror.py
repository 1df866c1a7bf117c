"""Incidents appear in the hub by themselves, once, in their latest state, and without a word about the caller."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from madang.hub.config import HubConfig
from madang.hub.hub import Hub
from madang.identity.actors import actor_of_person
from madang.identity.rights import Role
from madang.journal import civic, relay
from madang.kernel.clock import system_clock
from madang.kernel.ids import urn
from madang.kernel.mode import Mode
from madang.response import commands
from madang.response.commands import OpenIncident
from madang.response.domain import SaidPlace
from madang.site.mirror import MIRROR
from tests.conftest import MakePerson

NOW = datetime.now(UTC)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """An open hub on a loop of its own, connected to the mirror."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    opened = asyncio.run_coroutine_threadsafe(
        Hub.open(HubConfig(store=str(tmp_path / "hub.sqlite3")), system_clock), loop
    ).result(10)
    MIRROR.connect(opened, loop)
    yield opened
    MIRROR.disconnect()
    asyncio.run_coroutine_threadsafe(opened.close(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


def held(hub: Hub, authority: str, incident_id: str) -> dict[str, object] | None:
    loop = MIRROR._loop
    assert loop is not None
    stored = asyncio.run_coroutine_threadsafe(hub.retrieve(authority, urn("Incident", incident_id)), loop).result(10)
    return None if stored is None else orjson.loads(stored.body)


def open_one(make_person: MakePerson) -> str:
    actor = actor_of_person(make_person(Role.OPERATOR))
    command = OpenIncident(
        authority="48250",
        source="operator",
        mode=Mode.SIMULATED,
        class_text="assault",
        code=1,
        place=SaidPlace(lon=128.8894, lat=35.2285, address="김해대로 2401"),
        note="비밀 메모",
        caller={"phone": "010-1234-5678"},
    )
    with civic.transaction() as tx:
        return commands.open_incident(tx, actor, command, NOW).id


@pytest.mark.django_db(transaction=True)
def test_an_incident_is_mirrored_and_follows_its_state(hub: Hub, make_person: MakePerson) -> None:
    incident_id = open_one(make_person)
    relay.run_once(lambda: NOW + timedelta(seconds=1))
    first = held(hub, "48250", incident_id)
    assert first is not None
    assert "NEW" in orjson.dumps(first).decode()
    supervisor = actor_of_person(make_person(Role.SUPERVISOR))
    with civic.transaction() as tx:
        commands.dismiss(tx, supervisor, incident_id, "false alarm", NOW)
    relay.run_once(lambda: NOW + timedelta(seconds=2))
    assert "DISMISSED" in orjson.dumps(held(hub, "48250", incident_id)).decode()


@pytest.mark.django_db(transaction=True)
def test_nothing_personal_reaches_the_hub(hub: Hub, make_person: MakePerson) -> None:
    incident_id = open_one(make_person)
    relay.run_once(lambda: NOW + timedelta(seconds=1))
    text = orjson.dumps(held(hub, "48250", incident_id)).decode()
    assert incident_id in text
    assert [word for word in ("010-1234", "비밀", "김해대로", "caller", "note") if word in text] == []


@pytest.mark.django_db(transaction=True)
def test_while_the_hub_is_closed_the_mirror_waits_and_catches_up(hub: Hub, make_person: MakePerson) -> None:
    loop = MIRROR._loop
    assert loop is not None
    MIRROR.disconnect()
    incident_id = open_one(make_person)
    relay.run_once(lambda: NOW + timedelta(seconds=1))
    MIRROR.connect(hub, loop)
    assert held(hub, "48250", incident_id) is None
    with contextlib.suppress(StopIteration):
        relay.run_once(lambda: NOW + timedelta(hours=1))
    assert held(hub, "48250", incident_id) is not None
