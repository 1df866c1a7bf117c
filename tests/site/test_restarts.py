"""When a process that ended is started again."""

from hypothesis import given
from hypothesis import strategies as st

from madang.site.restarts import Patience, next_start

PATIENCE = Patience(most=5, window_s=60.0, base_s=0.5, cap_s=15.0)


def test_waiting_grows_with_each_quick_end() -> None:
    waits = [next_start([float(at) for at in range(ends)], float(ends), PATIENCE) for ends in range(1, 6)]
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0]


def test_too_many_ends_in_the_window_are_given_up() -> None:
    assert next_start([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 7.0, PATIENCE) is None


def test_ends_long_ago_are_forgotten() -> None:
    assert next_start([1.0, 2.0, 3.0, 4.0, 5.0, 100.0], 100.0, PATIENCE) == 0.5


@given(st.lists(st.floats(0, 1_000), max_size=30), st.floats(1_000, 2_000))
def test_a_wait_is_never_longer_than_the_cap(ended_s: list[float], now_s: float) -> None:
    wait_s = next_start(sorted(ended_s), now_s, PATIENCE)
    assert wait_s is None or 0 < wait_s <= PATIENCE.cap_s
