"""A room's rules: written, published by a second person, fed and followed, in few words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from madang.response.rules import running
from madang.response.rules.checks import Known, check
from madang.response.rules.facts import READING, Fact
from madang.response.rules.models import RuleVersion
from madang.response.rules.vocabulary import read_rule
from tests.faults.room import CITY, Room
from tests.response.rules.conftest import Room as RuleRoom

Json = dict[str, Any]  # Any: JSON values
LEVEL = {"from": "reading", "type": "WaterLevel", "attribute": "level"}
HIGH: Json = {
    "title_ko": "수위",
    "when": {"op": "threshold", "source": LEVEL, "limit": 2.5, "reset": 2.2, "dwell_s": 60},
    "signal": {"class_code": "flood", "priority": 2},
    "quiet_s": 0,
}
SELF: Json = {
    "title_ko": "되풀이",
    "when": {"op": "happens", "source": {"from": "signal", "classes": ["flood"], "sources": ["sensor", "rule"]}},
    "signal": {"class_code": "flood", "priority": 2},
    "quiet_s": 0,
}


@dataclass
class Ruling:
    """The rules of a room, at the room's time."""

    room: Room
    inner: RuleRoom

    def _sync(self) -> None:
        self.inner.now = self.room.now

    def publish(self, definition: Json, name: str = "flood-watch") -> RuleVersion:
        self._sync()
        return self.inner.publish(definition, name)

    def findings(self, definition: Json) -> set[str]:
        return {found.code for found in check("loop", read_rule(definition), {}, Known())}

    def force(self, definition: Json, name: str) -> None:
        """Puts a rule in force past every check, as a faulty migration might."""
        RuleVersion.objects.filter(name=name).delete()
        RuleVersion.objects.create(
            authority_id=CITY,
            name=name,
            number=1,
            stage="published",
            definition=definition,
            author=self.room.chief.id,
            created_at=self.room.now,
            updated_at=self.room.now,
        )
        self.follow()

    def feed(self, value: float, devices: list[str]) -> None:
        """A reading of each device, now."""
        self._sync()
        at = self.room.now.timestamp()
        facts = [Fact(READING, "WaterLevel/level", device, at, at, "simulated", "sensor", value) for device in devices]
        self.inner.feed(*facts)

    def follow(self) -> None:
        self._sync()
        self.inner.follow_signals()

    def wait(self, seconds: float) -> None:
        self.room.wait(seconds)
        self._sync()
        self.inner.timers()


def ruling(room: Room) -> Ruling:
    """The rules of a room, none written yet."""
    running._books.clear()
    running.PACE.behind_since.clear()
    return Ruling(room, RuleRoom(CITY, room.chief, room.deputy, now=room.now))
