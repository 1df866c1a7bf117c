"""Rules at work on the store: waits as rows, batches that count once, versions that take over."""

from __future__ import annotations

from typing import Any

import pytest

from madang.journal import civic
from madang.kernel.errors import BadRequestError, ConflictError, ForbiddenError
from madang.response.models import Incident
from madang.response.rules import commands, follower, memories, running, saying
from madang.response.rules.domain import Step
from madang.response.rules.models import Firing, RuleMemory, RuleVersion
from madang.response.rules.tables import Kind, Policy
from madang.response.signals import intake
from madang.response.signals.models import Signal
from tests.response.rules.conftest import HALL, Room
from tests.response.rules.playing import BELL, LEVEL, level, rule_json

pytestmark = pytest.mark.django_db

HIGH = {"op": "threshold", "source": LEVEL, "limit": 2.5, "reset": 2.2, "dwell_s": 60}
RULE = rule_json(HIGH)


def _timers(state: str = "waiting") -> int:
    with civic.reading() as tx:
        kinds = (memories.TIMER, state)
        return int(tx.execute("SELECT count(*) FROM journal_timer WHERE kind = ? AND state = ?", kinds)[0][0])


def test_a_wait_ends_by_its_timer_and_makes_one_signal_in_the_rules_name(room: Room) -> None:
    row = room.publish(RULE)
    room.feed(level(3.0, 0))
    assert (_timers(), room.fired()) == (1, [])
    room.wait(60)
    room.timers()
    signal = room.made()[0]
    assert (signal.rule, signal.class_code, signal.priority) == ("flood-watch@1", "flood", 2)
    assert signal.sender == "system:rule:flood-watch@1"
    assert [one.signal_id for one in room.fired()] == [signal.id]
    assert room.fired()[0].version_id == row.id
    room.wait(600)
    assert len(room.made()) == 1


def test_a_value_that_falls_back_takes_its_timer_away_and_tells_of_an_end_that_was_told_of(room: Room) -> None:
    room.publish(RULE)
    room.feed(level(3.0, 0))
    room.at(30)
    room.feed(level(1.0, 30))
    assert _timers() == 0
    room.at(40)
    room.feed(level(3.0, 40))
    room.wait(60)
    room.at(120)
    room.feed(level(1.0, 120))
    assert [(one.ending, one.text) for one in room.made()] == [(False, "시험 규칙"), (True, "시험 규칙 (해제)")]


def test_a_batch_counts_once_whoever_reads_it_twice(room: Room) -> None:
    room.publish(rule_json({**HIGH, "dwell_s": 0}))
    room.feed(level(3.0, 0))
    assert not follower.digest(room.city, "hub", None, "c-1", [level(3.0, 0)], room.now)
    assert len(room.made()) == 1


@pytest.mark.parametrize(
    "where", ["memories.save", "memories.set_wait", "memories.set_cursor", "saying.say", "intake.accept"]
)
def test_a_batch_that_breaks_off_anywhere_leaves_nothing_and_counts_whole_afterwards(
    room: Room, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    room.publish(rule_json({"op": "count", "source": LEVEL, "n": 2, "window_s": 60}))
    room.feed(level(1.0, 0))
    place, _, name = where.rpartition(".")
    module: Any = {"memories": memories, "saying": saying, "intake": intake}[place]  # Any: one of several modules
    whole = getattr(module, name)

    def breaks(*given: Any, **more: Any) -> None:
        whole(*given, **more)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, name, breaks)
        with pytest.raises(KeyboardInterrupt):
            room.feed(level(1.0, 10))
    assert (room.fired(), room.made()) == ([], [])
    room.feed(level(1.0, 10))
    assert len(room.made()) == 1


def test_a_timer_that_breaks_off_fires_later_and_once(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room.publish(RULE)
    room.feed(level(3.0, 0))
    whole = saying.say

    def breaks(*given: Any) -> int:
        whole(*given)
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(saying, "say", breaks)
        room.wait(61)
    assert room.made() == []
    room.wait(10)
    room.timers()
    assert len(room.made()) == 1


def test_waits_are_held_back_while_facts_from_before_their_end_may_be_unread(room: Room) -> None:
    room.publish(RULE)
    room.feed(level(3.0, 0))
    running.PACE.fell_behind(room.city)
    room.wait(300)  # the process was down; the fact that ended it still lies in the feed
    assert room.fired() == []
    room.feed(level(1.0, 30))
    running.PACE.caught_up(room.city)
    room.wait(5)
    assert room.fired() == []


def test_what_fell_due_before_the_next_fact_came_is_said_although_it_was_read_afterwards(room: Room) -> None:
    room.publish(RULE)
    room.feed(level(3.0, 0))
    running.PACE.fell_behind(room.city)
    room.at(300)
    room.feed(level(1.0, 100))
    assert [one.at.timestamp() for one in room.fired()] == [level(0, 60).at]


def test_a_shadow_records_what_it_would_have_said_and_does_nothing(room: Room) -> None:
    room.shadow(rule_json({**HIGH, "dwell_s": 0}, effects=[{"do": "show"}]))
    room.feed(level(3.0, 0))
    assert [one.shadow for one in room.fired(shadow=True)] == [True]
    assert (room.made(), room.fired()) == ([], [])


def test_what_stands_when_a_rule_is_published_is_said_then(room: Room) -> None:
    row = room.shadow(rule_json({**HIGH, "dwell_s": 0}))
    room.feed(level(3.0, 0))
    room.step(row, Step.PUBLISH)
    assert room.made() == []
    room.wait(1)
    assert len(room.made()) == 1


def test_waits_are_carried_to_a_version_that_waits_for_the_same(room: Room) -> None:
    room.publish(RULE)
    room.feed(level(3.0, 0))
    room.at(30)
    second = room.publish({**RULE, "title_ko": "다른 이름"})
    assert (second.number, _timers()) == (2, 1)
    room.at(0)
    room.wait(61)
    assert [one.rule for one in room.made()] == ["flood-watch@2"]


def test_waits_of_a_version_that_waited_for_something_else_are_cancelled_and_never_fire(room: Room) -> None:
    room.publish(RULE)
    room.feed(level(3.0, 0))
    second = room.publish(rule_json({**HIGH, "dwell_s": 600}))
    assert _timers() == 0
    room.wait(300)
    assert room.fired() == []
    assert not RuleMemory.objects.exclude(version=second).exists()


def test_a_version_rolled_back_to_goes_on_as_itself(room: Room) -> None:
    first = room.publish(RULE)
    second = room.publish(rule_json({**HIGH, "limit": 9.0, "reset": 8.0}))
    room.step(first, Step.ROLL_BACK, reason="너무 조용함")
    stages = dict(RuleVersion.objects.values_list("number", "stage"))
    assert stages == {1: "published", 2: "retired"}
    room.feed(level(3.0, 0))
    room.wait(61)
    assert [one.rule for one in room.made()] == ["flood-watch@1"]
    assert second.stage == "published"  # as it was read then


def test_a_retired_version_lets_its_waits_go(room: Room) -> None:
    row = room.publish(RULE)
    room.feed(level(3.0, 0))
    room.step(row, Step.RETIRE, reason="공사")
    room.wait(300)
    assert (room.fired(), _timers()) == ([], 0)


def test_rules_hear_signals_and_their_own_are_no_news_to_them(room: Room) -> None:
    room.publish(rule_json({"op": "count", "source": {**BELL, "classes": ["motion"]}, "n": 2, "window_s": 60}))
    room.follow_signals()
    for _ in range(2):
        room.report("motion")
    room.follow_signals()
    assert len(room.made()) == 1
    room.follow_signals()
    assert len(room.made()) == 1


def test_near_an_open_incident_means_one_of_the_same_mode_that_is_open_now(room: Room) -> None:
    near = {"op": "near", "source": {"from": "signal", "classes": ["motion"]}, "radius_m": 300}
    room.publish(rule_json(near))
    room.follow_signals()
    room.report("motion")
    room.follow_signals()
    assert room.made() == []
    room.report("fire", device="F-1", source="agency")
    room.settle()
    assert Incident.objects.get().state == "NEW"
    room.report("motion", lat=HALL[1] + 0.05)
    room.follow_signals()
    assert room.made() == []
    room.report("motion", lat=HALL[1] + 0.001)
    room.follow_signals()
    assert len(room.made()) == 1


def test_a_late_fact_is_told_on_the_timeline_and_takes_nothing_back(room: Room) -> None:
    room.publish(rule_json({**HIGH, "dwell_s": 0, "source": LEVEL}, effects=[{"do": "record"}]))
    high = level(3.0, 100)
    high.lon, high.lat = HALL
    room.at(100)
    room.feed(high)
    room.settle()
    room.at(140)
    room.feed(level(1.0, 20, received=140))
    incident = Incident.objects.get()
    assert incident.timeline.filter(kind="rule_late").count() == 1
    assert Firing.objects.get(kind="fired").late == 1


def test_a_scheduled_rule_speaks_at_its_time_each_day_in_seoul(room: Room) -> None:
    room.publish(rule_json({"op": "schedule", "at": "09:30"}))
    room.wait(29 * 60)
    assert room.made() == []
    room.wait(60)
    assert len(room.made()) == 1
    room.wait(86_400)
    assert len(room.made()) == 2


def test_signals_that_cannot_be_sent_are_noted_and_the_rest_goes_on(room: Room) -> None:
    long = rule_json({**HIGH, "dwell_s": 0})
    room.publish(long)
    strange = level(3.0, 0, device="urn:ngsi-ld:WaterLevel:" + "가" * 300)
    room.feed(strange, level(3.0, 1))
    assert len(room.fired()) == 2
    assert Signal.objects.filter(source="rule").count() == 2


# ------------------------------------------------------------------------------------------------- second persons


def test_whoever_wrote_or_changed_a_rule_never_publishes_it(room: Room) -> None:
    row = room.shadow(RULE)
    with pytest.raises(ForbiddenError):
        room.step(row, Step.PUBLISH, room.writer)
    again = room.edit(row, {**RULE, "title_ko": "고침"}, room.second)
    assert again.stage == "draft"
    room.check(again)
    room.replay(again)
    room.step(again, Step.SHADOW)
    with pytest.raises(ForbiddenError):
        room.step(again, Step.PUBLISH, room.second)


def test_a_rule_that_closes_a_loop_since_it_was_checked_is_not_published(room: Room) -> None:
    def hearing(heard: str, made: str) -> dict[str, Any]:
        source = {"from": "signal", "classes": [heard], "sources": ["rule"]}
        return {**rule_json({"op": "happens", "source": source}), "signal": {"class_code": made}}

    one = room.shadow(hearing("smoke", "gas"), "smoke-gas")
    other = room.draft(hearing("gas", "smoke"), "gas-smoke")
    assert [found["code"] for found in room.check(other).findings] == ["loop"]
    assert RuleVersion.objects.get(pk=other.pk).stage == "draft"
    RuleVersion.objects.filter(pk=other.pk).update(stage="published")  # as if both had been checked before either ran
    with pytest.raises(ConflictError):
        room.step(one, Step.PUBLISH)


def test_a_decision_on_an_old_picture_is_refused(room: Room) -> None:
    row = room.shadow(RULE)
    with pytest.raises(ConflictError) as caught:
        room.step(row, Step.PUBLISH, revision=row.revision - 1)
    assert caught.value.data["reason"] == "stale_revision"


def test_only_one_version_of_a_rule_is_worked_on_at_a_time(room: Room) -> None:
    room.draft(RULE)
    with pytest.raises(ConflictError):
        room.draft(RULE, by=room.second)


# -------------------------------------------------------------------------------------------------- decision tables


def _table(room: Room, kind: Kind, policy: Policy, *rows: dict[str, Any]) -> None:  # Any: JSON values
    with civic.transaction() as tx:
        row = commands.draft_table(tx, room.writer, room.city, kind, policy, list(rows), "", room.now)
        commands.publish_table(tx, room.second, row.id, room.now)


def test_a_rule_without_a_priority_of_its_own_takes_the_tables(room: Room) -> None:
    sunday = {"name": "sunday", "when": {"weekday": {"values": ["sun"]}}, "then": {"priority": 1}}
    _table(room, Kind.PRIORITY, Policy.FIRST, sunday, {"name": "rest", "then": {"priority": 4}})
    definition = {**rule_json({**HIGH, "dwell_s": 0}), "signal": {"class_code": "flood"}}
    room.publish(definition)
    room.feed(level(3.0, 0))
    room.feed(level(3.0, 86_400, device="urn:ngsi-ld:WaterLevel:2"))
    assert [one.priority for one in room.made()] == [1, 4]


def test_a_faulty_table_is_not_published_and_its_writer_never_publishes_it(room: Room) -> None:
    gap = {"name": "night", "when": {"hour": {"low": 22}}, "then": {"priority": 1}}
    with pytest.raises(BadRequestError):
        _table(room, Kind.PRIORITY, Policy.FIRST, gap)
    with civic.transaction() as tx:
        rest = [{"name": "rest", "then": {"priority": 4}}]
        row = commands.draft_table(tx, room.writer, room.city, Kind.PRIORITY, Policy.FIRST, rest, "", room.now)
    with pytest.raises(ForbiddenError), civic.transaction() as tx:
        commands.publish_table(tx, room.writer, row.id, room.now)


def test_every_step_of_a_rules_life_stands_in_the_audit_chain(room: Room) -> None:
    row = room.publish(RULE)
    room.step(row, Step.RETIRE, reason="공사")
    with civic.reading() as tx:
        actions = [one[0] for one in tx.execute("SELECT action FROM journal_audit ORDER BY seq")]
    steps = ("drafted", "check", "replay_asked", "replay", "shadow", "publish", "retire")
    assert [one for one in actions if one.startswith("rule.")] == [f"rule.{step}" for step in steps]
