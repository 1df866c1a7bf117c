"""What rules say at work is what a replay of the same facts says, however the facts were cut into batches."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from madang.response.rules import running
from madang.response.rules.comparing import Playing
from madang.response.rules.engine import compile_rule
from madang.response.rules.facts import World
from madang.response.rules.vocabulary import read_rule
from tests.response.rules.conftest import Room
from tests.response.rules.playing import LEVEL, T, level, rule_json

pytestmark = pytest.mark.django_db
WHENS: list[dict[str, Any]] = [  # Any: JSON values
    {"op": "threshold", "source": LEVEL, "limit": 2.5, "reset": 2.0, "dwell_s": 30},
    {"op": "absence", "source": LEVEL, "for_s": 60},
    {"op": "count", "source": LEVEL, "n": 3, "window_s": 60},
    {"op": "rate", "source": LEVEL, "by": 2.0, "window_s": 60},
    {"op": "flap", "source": LEVEL, "changes": 3, "window_s": 90},
]
FACTS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]),
        st.sampled_from([0.0, 2.2, 3.0, 5.0]),
        st.integers(1, 40),  # seconds since the fact before
        st.integers(0, 45),  # seconds under way
        st.booleans(),  # whether a batch ends here
    ),
    min_size=1,
    max_size=14,
)


@settings(
    max_examples=12,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.sampled_from(WHENS), FACTS, st.sampled_from([0, 50]))
def test_live_is_replay(
    room: Room, when: dict[str, Any], steps: list[tuple[Any, ...]], quiet_s: int
) -> None:  # Any: drawn
    definition = rule_json(when, quiet_s=quiet_s)
    playing = Playing(compile_rule("v", "r", 1, read_rule(definition), live=True))
    with transaction.atomic():
        running._books.clear()
        room.cursor, room.fed = None, 0
        room.at(0)
        room.publish(definition)
        received, batch = 0.0, []
        for device, value, step, under_way, cut in steps:
            received += step
            fact = level(value, received - under_way, received=received, device=device)
            playing.give(fact, World())
            batch.append(fact)
            if cut:
                room.at(received)
                room.feed(*batch)
                room.timers()
                batch = []
        room.at(received)
        room.feed(*batch)
        room.at(received + 500)
        for _ in range(4):
            room.timers()
        playing.pass_time(T + received + 500, World())
        told = sorted((one.key, one.at.timestamp()) for one in room.fired())
        transaction.set_rollback(True)
    assert told == sorted((one.key, one.at) for one in playing.said)
