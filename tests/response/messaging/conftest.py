"""An open incident, an address book, and channels that keep what they are given."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

import msgspec
import pytest
from django.conf import LazySettings

from madang.identity.actors import actor_of_person
from madang.identity.models import Authority
from madang.identity.rights import Actor, Role
from madang.journal import handlers, relay
from madang.kernel.clock import system_clock
from madang.kernel.mode import Mode
from madang.response.commands import OpenIncident, open_incident
from madang.response.domain import SaidPlace
from madang.response.messaging import addresses
from madang.response.messaging.channels import CHANNELS, Outgoing
from madang.response.messaging.models import Recipient
from madang.response.messaging.workers import open_channel
from madang.response.models import Incident
from tests.conftest import MakePerson
from tests.response.conftest import HALL, civic_tx


@dataclass
class Line:
    """A channel that keeps what it was given, and fails as it is told to."""

    name: str
    idempotent: bool = False
    modes: frozenset[Mode] = frozenset(Mode)
    ko: str = "시험"
    en: str = "Test"
    sent: list[Outgoing] = field(default_factory=list)
    faults: list[Exception] = field(default_factory=list)

    def send(self, outgoing: Outgoing) -> str:
        if self.faults:
            raise self.faults.pop(0)
        self.sent.append(outgoing)
        return f"{self.name}-{len(self.sent)}"


@dataclass
class Lines:
    sms: Line
    email: Line


@pytest.fixture
def lines(settings: LazySettings) -> Iterator[Lines]:
    """A text-message line and a mail line, and a public address for links."""
    config = settings.MADANG
    server = msgspec.structs.replace(config.server, public_url="https://madang.example")
    settings.MADANG = replace(config, server=server)
    before = dict(CHANNELS)
    known = dict(handlers.CIVIC.subscribers)
    handlers.CIVIC.subscribers.pop("hub_mirror", None)
    made = Lines(Line("sms"), Line("email", idempotent=True))
    open_channel(made.sms)
    open_channel(made.email)
    yield made
    CHANNELS.clear()
    CHANNELS.update(before)
    handlers.CIVIC.subscribers.clear()
    handlers.CIVIC.subscribers.update(known)


@pytest.fixture
def operator(make_person: MakePerson) -> Actor:
    actor = actor_of_person(make_person(Role.OPERATOR))
    assert actor is not None
    return actor


def a_recipient(city: Authority, name: str, *channels: str, tier: str = "city", wants_ack: bool = True) -> Recipient:
    """Somebody who can be told over these channels, in the simulated city."""
    row = Recipient(
        authority=city, name=name, tier=tier, channels=list(channels), wants_ack=wants_ack, mode=Mode.SIMULATED.value
    )
    known = {"sms": "010-1234-5678", "email": "duty@city.example", "phone": "055-123-4567"}
    addresses.seal(row, {name: known[name] for name in (*channels, "phone")})
    row.save()
    return row


@pytest.fixture
def incident(authority: Authority, operator: Actor) -> Incident:
    """A flood at the city hall."""
    wanted = OpenIncident(
        authority=authority.code,
        source="operator",
        mode=Mode.SIMULATED,
        class_text="flood",
        code=2,
        place=SaidPlace(HALL.lon, HALL.lat),
        basis="city_duty",
    )
    with civic_tx() as tx:
        return open_incident(tx, operator, wanted, system_clock())


def run(at: datetime | None = None) -> None:
    """Lets the relay do what is due (at that time), and what follows from it."""
    clock = system_clock if at is None else lambda: at
    while relay.run_once(clock):
        pass
