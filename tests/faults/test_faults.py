"""Each fault of the campaign, once, with a seed of its own. The whole campaign: `make faults`."""

from __future__ import annotations

import random

import pytest

from tests.faults.faults import FAULTS, run
from tests.faults.room import Room


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", FAULTS)
def test_what_is_promised_holds_under_the_fault(name: str) -> None:
    assert run(name, Room(random.Random(f"4/{name}")))
