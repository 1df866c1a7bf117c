"""The promises of the control room hold on every path of a shift."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.faults.machine import Shift


@pytest.mark.django_db(transaction=True)
def test_the_promises_hold_on_every_path_of_a_shift() -> None:
    chosen = settings(
        max_examples=8,
        stateful_step_count=25,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Shift, settings=chosen)
