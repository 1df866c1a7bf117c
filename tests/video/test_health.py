"""When a camera's picture counts as none: believed after its time, ended by one good look, and by model on any path."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from madang.video.health import (
    BLOCKS,
    Fault,
    Look,
    Marks,
    Outcome,
    Record,
    Rules,
    judge,
    next_look_at,
    same_share,
)

START = datetime(2026, 11, 22, tzinfo=UTC)
RULES = Rules(confirm_s=60, frozen_s=300, every_s=3_600, again_s=60)


def picture(number: int, luma: float = 110.0, spread: float = 40.0) -> Marks:
    return Marks(luma, spread, f"{number:04x}" * BLOCKS)


def look(at: float, *marks: Marks, outcome: Outcome = Outcome.SEEN) -> Look:
    return Look(outcome, START + timedelta(seconds=at), marks)


def after(*looks: Look) -> Record:
    record = Record()
    for one in looks:
        record = judge(record, one, RULES)
    return record


BLACK = picture(0, luma=16.5, spread=0.4)


def test_one_black_look_is_a_suspicion_and_is_looked_at_again_soon() -> None:
    one = look(0, BLACK, BLACK)
    record = after(one)
    assert (record.fault, record.suspected) == (Fault.NONE, Fault.BLACK)
    assert next_look_at(record, one, RULES) == START + timedelta(seconds=60)


def test_a_picture_that_stays_black_is_black_and_one_good_look_ends_it() -> None:
    record = after(look(0, BLACK), look(61, BLACK))
    assert record.fault is Fault.BLACK
    assert judge(record, look(700, picture(1), picture(2)), RULES).fault is Fault.NONE


def test_a_dark_night_with_noise_is_not_black() -> None:
    night = picture(3, luma=18.0, spread=7.5)
    assert after(look(0, night), look(100, picture(4, luma=18.0, spread=7.5))).suspected is Fault.NONE


def test_a_picture_that_stands_still_is_frozen_only_after_its_time() -> None:
    looks = [look(at, picture(7), picture(7)) for at in (0, 60, 120, 240)]
    assert after(*looks).fault is Fault.NONE
    assert after(*looks, look(301, picture(7), picture(7))).fault is Fault.FROZEN


def test_a_film_that_comes_round_to_the_same_picture_is_not_frozen() -> None:
    looks = [look(at, picture(7), picture(8)) for at in range(0, 3_600, 60)]
    assert after(*looks).suspected is Fault.NONE


def test_a_clock_in_a_frozen_picture_does_not_make_it_alive() -> None:
    def with_clock(second: int) -> Marks:
        return Marks(110, 40, f"{second:04x}" * 2 + "0007" * (BLOCKS - 2))

    looks = [look(at, with_clock(at), with_clock(at + 1)) for at in (0, 120, 301)]
    assert after(*looks).fault is Fault.FROZEN


def test_one_failure_to_answer_is_not_an_outage() -> None:
    silent = look(0, outcome=Outcome.SILENT)
    assert after(silent).fault is Fault.NONE
    assert after(silent, look(30, picture(1), picture(2))).suspected is Fault.NONE
    assert after(silent, look(60, outcome=Outcome.SILENT)).fault is Fault.SILENT


def test_what_cannot_be_shown_here_says_nothing_of_the_camera() -> None:
    record = after(look(0, BLACK), look(100, BLACK), look(200, outcome=Outcome.UNREADABLE))
    assert record == Record()


LOOKS = st.lists(
    st.tuples(
        st.integers(1, 400),
        st.sampled_from(["good", "black", "still", "silent", "unreadable", "none"]),
    ),
    max_size=40,
)


@given(LOOKS)
def test_a_fault_is_believed_only_when_it_was_seen_for_its_time_and_stands_until_a_good_look(
    said: list[tuple[int, str]],
) -> None:
    record, at, turn = Record(), 0, 0
    bad_since: int | None = None
    for wait, what in said:
        at, turn = at + wait, turn + 2
        marks = {
            "good": (picture(1000 + turn), picture(1001 + turn)),
            "black": (BLACK, BLACK),
            "still": (picture(7), picture(7)),
        }.get(what, ())
        kind = {"silent": Outcome.SILENT, "unreadable": Outcome.UNREADABLE}.get(what, Outcome.SEEN)
        one = look(at, *marks, outcome=kind)
        record = judge(record, one, RULES)
        assert next_look_at(record, one, RULES) > one.at
        if what in ("good", "unreadable"):
            bad_since = None
            assert record.fault is Fault.NONE
        elif record.suspected is not Fault.NONE:
            bad_since = at if bad_since is None else bad_since
        if record.fault is not Fault.NONE:
            assert bad_since is not None and at - bad_since >= RULES.confirm_s


@given(st.text(alphabet="0123456789abcdef", max_size=40), st.text(alphabet="0123456789abcdef", max_size=40))
def test_a_share_is_a_share(a: str, b: str) -> None:
    assert 0.0 <= same_share(a, b) <= 1.0
    assert same_share(a, a) == (1.0 if a else 0.0)


def test_marks_of_another_form_are_not_used() -> None:
    assert picture(1).usable
    assert not Marks(110, 40, "00").usable
    assert not Marks(float("nan"), 40, picture(1).blocks).usable
