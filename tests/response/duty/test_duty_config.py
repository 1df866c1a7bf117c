"""What a city may say of its shifts, and what is refused before anything starts."""

from __future__ import annotations

import msgspec
import pytest

from madang.response.config import ResponseConfig


def test_a_city_sets_its_own_shifts_and_patience() -> None:
    told = {"duty": {"shifts": ["08:00-20:00", "20:00-08:00"], "unseen_s": 90}, "sop": {"max_steps": 20}}
    config = msgspec.convert(told, ResponseConfig)
    assert (config.duty.shifts, config.duty.unseen_s, config.sop.max_steps) == (
        ("08:00-20:00", "20:00-08:00"),
        90,
        20,
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"shifts": []},
        {"shifts": ["6-14"]},
        {"shifts": ["25:00-06:00"]},
        {"unseen_s": 5},
        {"lookout_gap_s": 1},
        {"x": 1},
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"duty": wrong}, ResponseConfig)
