"""Who is silent, who cannot be judged, and when a line is broken rather than everything behind it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from madang.facilities.domain import MISSED, Feed, listen

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def feed(ref: str, ago_s: float | None, group: str = "", every_s: float = 60.0) -> Feed:
    return Feed(ref, None if ago_s is None else NOW - timedelta(seconds=ago_s), every_s, group)


FEEDS = st.lists(
    st.builds(
        lambda ago, group, every: (ago, group, every),
        st.none() | st.floats(0, 10_000),
        st.sampled_from(["", "a", "b"]),
        st.sampled_from([1.0, 60.0, 3_600.0]),
    ),
    max_size=40,
)


@given(FEEDS)
def test_everything_listened_to_ends_in_exactly_one_verdict(said: list[tuple[float | None, str, float]]) -> None:
    feeds = [feed(str(at), ago, group, every) for at, (ago, group, every) in enumerate(said)]
    found = listen(feeds, NOW)
    refs = [one.ref for one in (*found.speaking, *found.silent, *found.unjudged)]
    assert sorted(refs) == sorted(one.ref for one in feeds)
    assert all(one.heard_at is not None for one in (*found.speaking, *found.silent))


def test_one_turn_missed_is_not_silence_and_three_are() -> None:
    assert listen([feed("a", 60 * MISSED)], NOW).speaking
    assert listen([feed("a", 60 * MISSED + 1)], NOW).silent


def test_what_was_never_heard_is_not_judged() -> None:
    assert listen([feed("a", None)], NOW).unjudged


def test_when_nearly_all_behind_one_line_fall_silent_the_line_is_blamed_and_none_of_them() -> None:
    behind = [feed(str(at), 5_000, "hub:air") for at in range(9)]
    found = listen([*behind, feed("other", 5_000, "hub:traffic")], NOW)
    assert found.broken_groups == ("hub:air",)
    assert {one.ref for one in found.unjudged} == {one.ref for one in behind}
    assert [one.ref for one in found.silent] == ["other"]


def test_a_few_silent_ones_among_many_that_speak_are_silent_themselves() -> None:
    found = listen([feed(str(at), 5_000 if at < 4 else 1, "hub:air") for at in range(20)], NOW)
    assert len(found.silent) == 4
    assert not found.broken_groups
