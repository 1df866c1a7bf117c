"""Writers of one process go one at a time, in the order in which they came."""

from __future__ import annotations

import threading
import time

from madang.journal.turns import Turns


def _until_waiting(turns: Turns, count: int) -> None:
    deadline = time.monotonic() + 10
    while len(turns._waiting) < count:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_writers_get_their_turn_in_the_order_in_which_they_came() -> None:
    turns, order = Turns(), list[int]()

    def write(number: int) -> None:
        with turns.turn(30) as mine:
            assert mine
            order.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(5)]
    with turns.turn(30):
        for number, thread in enumerate(threads):
            thread.start()
            _until_waiting(turns, number + 1)
        assert order == []
    for thread in threads:
        thread.join(10)
    assert order == [0, 1, 2, 3, 4]


def test_whoever_waits_too_long_goes_on_without_a_turn_and_takes_nobody_elses() -> None:
    turns = Turns()
    with turns.turn(30):
        with turns.turn(0.01) as mine:
            assert not mine
        with turns.turn(0.01) as again:
            assert not again, "giving up must not hand the turn on"
    with turns.turn(0.01) as free:
        assert free


def test_a_fault_hands_the_turn_on() -> None:
    turns = Turns()
    try:
        with turns.turn(30):
            raise LookupError
    except LookupError:
        pass
    with turns.turn(0.01) as mine:
        assert mine
