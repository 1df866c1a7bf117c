"""A room of signals: a clock that is set by hand, devices that report, and the settlement run by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from madang.identity.models import Authority
from madang.identity.rights import Actor, system_actor
from madang.journal import civic
from madang.journal.django_session import DjangoStore
from madang.journal.firing import Firing
from madang.journal.handlers import CIVIC
from madang.journal.lanes import Retry
from madang.kernel.geometry import Point, destination
from madang.kernel.mode import Mode
from madang.response.config import SignalsConfig
from madang.response.models import Incident
from madang.response.signals.intake import Answer, Draft, accept
from madang.response.signals.models import Event, Signal
from madang.response.signals.settlement import Settlement

HALL = Point(128.8894, 35.2285)
NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


def east(metres: float) -> Point:
    """A point so far east of the hall."""
    return destination(HALL, 90, metres)


@dataclass
class Desk:
    """Everything a test of signals does, at a time it sets itself."""

    city: str
    now: datetime = NOW
    config: SignalsConfig = field(default_factory=SignalsConfig)
    sent: int = 0
    settlement: Settlement = field(init=False)

    def __post_init__(self) -> None:
        self.settlement = self.restarted()

    @property
    def actor(self) -> Actor:
        return system_actor(self.city)

    def clock(self) -> datetime:
        return self.now

    def restarted(self) -> Settlement:
        """A settlement that remembers nothing, as after kill -9."""
        self.settlement = Settlement(civic.store, self.clock, self.config)
        return self.settlement

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def draft(
        self, class_code: str = "intrusion", *, at: Point | None = HALL, ago_s: float = 0.0, **more: Any
    ) -> Draft:  # Any: fields
        """A report of something at a place, by default the hall, so many seconds ago."""
        self.sent += 1
        values: dict[str, Any] = {  # Any: fields of a draft
            "authority": self.city,
            "mode": Mode.SIMULATED,
            "source": "sensor",
            "source_id": f"s-{self.sent}",
            "device": "D-1",
            "class_code": class_code,
            "observed_at": self.now - timedelta(seconds=ago_s),
            "lon": at.lon if at else None,
            "lat": at.lat if at else None,
            "accuracy_m": None,
        }
        return Draft(**(values | more))

    def take_in(self, *drafts: Draft) -> list[Answer]:
        with civic.transaction() as tx:
            return accept(tx, self.actor, drafts, self.now)

    def settle(self) -> int:
        """Settles everything that waits."""
        settled = 0
        while some := self.settlement.run_once():
            settled += some
        return settled

    def report(self, class_code: str = "intrusion", **more: Any) -> Signal:  # Any: fields of a draft
        """Takes one report in, settles it and returns its row."""
        answer = self.take_in(self.draft(class_code, **more))[0]
        self.settle()
        return Signal.objects.get(id=answer.signal_id)

    def incident(self, signal: Signal) -> Incident:
        """The incident a signal ended in."""
        return Incident.objects.get(pk=Event.objects.get(pk=signal.event_id).incident_id)

    def fire_timers(self) -> int:
        return Firing(DjangoStore(), CIVIC, Retry(3, 0.1, 1.0, lambda: 0.0), self.clock).run_once()


@pytest.fixture
def desk(authority: Authority) -> Desk:
    """A desk in the city under test."""
    return Desk(authority.code)


MakeDesk = Callable[..., Desk]
