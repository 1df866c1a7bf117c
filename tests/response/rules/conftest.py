"""A room of rules: two officers, a clock set by hand, and what relay, follower and settlement do, done by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from madang.identity.actors import actor_of_person
from madang.identity.models import Authority
from madang.identity.rights import Actor, Role, system_actor
from madang.journal import civic
from madang.journal.courier import Courier
from madang.journal.firing import Firing as Timers
from madang.journal.handlers import CIVIC
from madang.journal.lanes import Retry
from madang.kernel.mode import Mode
from madang.response.config import SignalsConfig
from madang.response.rules import commands, follower, running
from madang.response.rules.checks import Known
from madang.response.rules.domain import Step
from madang.response.rules.facts import Fact
from madang.response.rules.models import Firing, ReplayRun, RuleVersion
from madang.response.signals import intake
from madang.response.signals.intake import Draft
from madang.response.signals.models import Signal
from madang.response.signals.settlement import Settlement
from tests.conftest import MakePerson
from tests.response.rules.playing import T

START = datetime.fromtimestamp(T, UTC)
HALL = (128.8894, 35.2285)
Json = dict[str, Any]  # Any: JSON values


@dataclass
class Room:
    """Everything tests of rules do, at a time they set themselves."""

    city: str
    writer: Actor
    second: Actor
    now: datetime = START
    cursor: str | None = None
    fed: int = 0
    settlement: Settlement = field(init=False)

    def __post_init__(self) -> None:
        self.settlement = Settlement(civic.store, self.clock, SignalsConfig())

    def clock(self) -> datetime:
        return self.now

    def wait(self, seconds: float) -> None:
        """Time passes, and what falls due falls due."""
        self.now += timedelta(seconds=seconds)
        self.timers()

    def at(self, seconds: float) -> None:
        """So many seconds after the beginning."""
        self.now = START + timedelta(seconds=seconds)

    def timers(self) -> None:
        Timers(civic.store, CIVIC, Retry(3, 1, 5, lambda: 0.0), self.clock).run_once()

    def settle(self) -> None:
        """Signals become incidents, and their rules' effects are carried out."""
        self.settlement.run_once()
        Courier(civic.store, CIVIC, Retry(3, 1, 5, lambda: 0.0), self.clock).run_once()

    # ------------------------------------------------------------------------------------------------ rules

    def draft(self, definition: Json, name: str = "flood-watch", by: Actor | None = None) -> RuleVersion:
        with civic.transaction() as tx:
            return commands.draft(tx, by or self.writer, self.city, name, definition, "", self.now)

    def edit(self, row: RuleVersion, definition: Json, by: Actor | None = None) -> RuleVersion:
        with civic.transaction() as tx:
            revision = RuleVersion.objects.get(pk=row.pk).revision
            return commands.edit(tx, by or self.writer, row.id, definition, "", self.now, revision=revision)

    def check(self, row: RuleVersion, known: Known | None = None) -> RuleVersion:
        with civic.transaction() as tx:
            return commands.check_version(tx, self.writer, row.id, known or Known(), self.now)

    def replay(self, row: RuleVersion) -> ReplayRun:
        """As the job would end it."""
        with civic.transaction() as tx:
            run = commands.ask_replay(tx, self.writer, row.id, self.now)
            run.state = "done"
            run.save()
            assert commands.replayed(tx, run, system_actor(self.city), self.now)
            return run

    def step(self, row: RuleVersion, step: Step, by: Actor | None = None, **more: Any) -> RuleVersion:
        with civic.transaction() as tx:
            return commands.take_step(tx, by or self.second, row.id, step, self.now, **more)

    def shadow(self, definition: Json, name: str = "flood-watch") -> RuleVersion:
        row = self.draft(definition, name)
        self.check(row)
        self.replay(row)
        return self.step(row, Step.SHADOW, self.writer)

    def publish(self, definition: Json, name: str = "flood-watch", **more: Any) -> RuleVersion:
        return self.step(self.shadow(definition, name), Step.PUBLISH, **more)

    # ------------------------------------------------------------------------------------------------ facts

    def feed(self, *facts: Fact) -> None:
        """The facts as one batch of the hub's feed, received now unless they say otherwise."""
        after = f"c-{self.fed + 1}"
        assert follower.digest(self.city, "hub", self.cursor, after, facts, self.now)
        self.fed, self.cursor = self.fed + 1, after

    def report(self, class_code: str, **more: Any) -> str:
        """A signal of a sensor comes in; its id."""
        values: Json = {
            "authority": self.city,
            "mode": Mode.LIVE,
            "source": "sensor",
            "source_id": f"{class_code}-{Signal.objects.count()}",
            "device": "D-1",
            "class_code": class_code,
            "observed_at": self.now,
            "lon": HALL[0],
            "lat": HALL[1],
            "accuracy_m": None,
        }
        with civic.transaction() as tx:
            answers = intake.accept(tx, system_actor(self.city), [Draft(**(values | more))], self.now)
        assert answers[0].signal_id, answers
        return answers[0].signal_id

    def follow_signals(self) -> None:
        while follower.follow_signals(self.city, self.now):
            pass

    def fired(self, shadow: bool = False) -> list[Firing]:
        return list(Firing.objects.filter(kind="fired", shadow=shadow).order_by("noted_at", "at"))

    def made(self) -> list[Signal]:
        return list(Signal.objects.filter(source="rule").order_by("seq"))


@pytest.fixture
def room(authority: Authority, make_person: MakePerson) -> Room:
    """The rules of the city under test."""
    running._books.clear()
    running.PACE.behind_since.clear()
    writer, second = (actor_of_person(make_person(Role.SUPERVISOR)) for _ in range(2))
    return Room(authority.code, writer, second)
