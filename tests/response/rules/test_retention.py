"""What is forgotten, and what never."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from madang.response.rules import engine, retention, running
from madang.response.rules.engine import Listener
from madang.response.rules.models import RuleMemory
from tests.response.rules.conftest import Room
from tests.response.rules.playing import LEVEL, level, rule_json

pytestmark = pytest.mark.django_db
HIGH = {"op": "threshold", "source": LEVEL, "limit": 2.5, "dwell_s": 60}


def test_silent_groups_and_old_shadows_are_forgotten_and_what_stands_is_not(room: Room) -> None:
    room.shadow(rule_json({**HIGH, "dwell_s": 0}))
    room.feed(level(1.0, 0, device="calm"), level(3.0, 0, device="high"))
    assert retention.run_once(room.now + timedelta(days=7)) == 0
    assert len(room.fired(shadow=True)) == 1
    retention.run_once(room.now + timedelta(days=100))
    assert room.fired(shadow=True) == []
    assert [one.key for one in RuleMemory.objects.all()] == ["live|high"]


def test_a_fact_no_machine_was_made_for_does_not_hold_up_the_others(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = room.shadow(rule_json({**HIGH, "dwell_s": 0}))

    def breaks(listener: Listener, key: str, *more: Any) -> object:  # Any: handed through
        if "odd" in key:
            raise ZeroDivisionError
        return engine.take(listener, key, *more)

    monkeypatch.setattr(running, "take", breaks)
    room.feed(level(3.0, 0, device="odd"), level(3.0, 0, device="even"))
    assert [one.device for one in room.fired(shadow=True)] == ["even"]
    assert row.memories.get(key="live|odd").body == '{"bad":1}'
