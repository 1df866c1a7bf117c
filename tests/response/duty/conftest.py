"""Two operators, a supervisor, and time in the test's hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from madang.identity.actors import actor_of_person
from madang.identity.models import Authority
from madang.identity.rights import Actor, Role
from madang.journal import relay
from madang.kernel.mode import Mode
from madang.response import commands as response
from madang.response.commands import OpenIncident
from madang.response.duty.presence import LOOKOUT
from madang.response.models import Incident
from tests.conftest import MakePerson
from tests.response.conftest import NOW, civic_tx


class Watch:
    """A clock the test moves, the lookout's tick and the relay that runs by it."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def settle(self, seconds: int = 0, *, awake: bool = True) -> None:
        """Lets time pass five seconds at a time; not `awake`, the platform itself is down meanwhile."""
        for _ in range(seconds // 5 if awake else 0):
            self.now += timedelta(seconds=5)
            LOOKOUT.look(self.now, 15)
            self.run()
        if not awake:
            self.now += timedelta(seconds=seconds)
            LOOKOUT.forget()
        self.run()

    def run(self) -> None:
        for _ in range(100):
            if not relay.run_once(self):
                return
        raise AssertionError("the relay never comes to rest")


@pytest.fixture
def watch() -> Iterator[Watch]:
    LOOKOUT.forget()
    yield Watch()
    LOOKOUT.forget()


@pytest.fixture
def kim(city: Authority, make_person: MakePerson) -> Actor:
    return actor_of_person(make_person(Role.OPERATOR, username="kim"))


@pytest.fixture
def lee(city: Authority, make_person: MakePerson) -> Actor:
    return actor_of_person(make_person(Role.OPERATOR, username="lee"))


@pytest.fixture
def chief(city: Authority, make_person: MakePerson) -> Actor:
    return actor_of_person(make_person(Role.SUPERVISOR, username="chief"))


def held_by(actor: Actor, city: Authority, code: int = 2, kind: str = "fire") -> Incident:
    """An open incident the actor has taken on."""
    wanted = OpenIncident(
        authority=city.code, source="operator", mode=Mode.SIMULATED, class_text=kind, code=code, basis="city_duty"
    )
    with civic_tx() as tx:
        incident = response.open_incident(tx, actor, wanted, NOW)
        return response.claim(tx, actor, incident.id, NOW)
