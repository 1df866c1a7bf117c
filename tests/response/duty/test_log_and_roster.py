"""The log is only added to; a roster plans shifts that their people take up."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

from madang.identity.models import Authority
from madang.identity.rights import Actor
from madang.kernel.clock import SEOUL
from madang.kernel.errors import BadRequestError, ConflictError, ForbiddenError, NotFoundError
from madang.response.duty import commands, queries, roster
from madang.response.duty.commands import Call
from madang.response.duty.models import LogEntry
from madang.response.timeline import first_broken
from madang.video.commands.roster import on_duty
from madang.video.models import DutyShift
from tests.response.conftest import NOW, civic_tx
from tests.response.duty.conftest import held_by


def call(**more: object) -> Call:
    values: dict[str, object] = {
        "channel": "radio",
        "direction": "in",
        "who": "순찰 21호",
        "whom": "관제",
        "text": "현장 도착, 연기 없음",
        "said_at": NOW,
    }
    return Call(**(values | more))  # type: ignore[arg-type]  # a test's shorthand


def written(actor: Actor, city: Authority, **more: object) -> LogEntry:
    with civic_tx() as tx:
        return commands.log_call(tx, actor, city.code, call(**more), NOW)


def test_what_was_said_stands_on_the_timeline_and_in_the_log(city: Authority, kim: Actor) -> None:
    incident = held_by(kim, city)
    written(kim, city, incident_id=incident.id)
    written(kim, city, channel="phone", text="기상청 문의")
    line = incident.timeline.get(kind="log")
    assert line.text_ko == "무전 수신 · 순찰 21호 → 관제: 현장 도착, 연기 없음"
    assert len(queries.log(kim, city.code)) == 2
    assert [row["incident_number"] for row in queries.log(kim, city.code, incident_id=incident.id)] == [incident.number]


def test_a_correction_names_what_it_corrects_and_both_stay(city: Authority, kim: Actor, lee: Actor) -> None:
    incident = held_by(kim, city)
    entry = written(kim, city, incident_id=incident.id)
    with civic_tx() as tx:
        fixed = commands.correct_call(tx, lee, entry.id, "현장 도착, 연기 있음", NOW)
    assert (fixed.corrects_id, fixed.who, fixed.incident_id) == (entry.id, entry.who, incident.id)
    entry.refresh_from_db()
    assert entry.text == "현장 도착, 연기 없음"
    with pytest.raises(ConflictError), civic_tx() as tx:
        commands.correct_call(tx, kim, entry.id, "다시", NOW)
    rows = {row["id"]: row for row in queries.log(kim, city.code)}
    assert (rows[entry.id]["corrected_by"], rows[fixed.id]["corrects"]) == (fixed.id, entry.id)
    assert "고침" in incident.timeline.filter(kind="log").latest("seq").text_ko
    assert first_broken(incident.id) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"channel": "telepathy"},
        {"direction": "up"},
        {"who": " "},
        {"whom": ""},
        {"text": "\n"},
        {"said_at": NOW + timedelta(hours=1)},
        {"said_at": NOW - timedelta(days=8)},
    ],
)
def test_an_entry_that_says_nothing_or_cannot_be_is_refused(
    city: Authority, kim: Actor, wrong: dict[str, object]
) -> None:
    with pytest.raises(BadRequestError) as refused:
        written(kim, city, **wrong)
    assert refused.value.where == next(iter(wrong))


def test_another_citys_incident_is_not_there_to_log_about(
    city: Authority, kim: Actor, other_authority: Authority
) -> None:
    with pytest.raises(NotFoundError):
        written(kim, city, incident_id="nope")


MONDAY = date(2026, 11, 23)


def key(actor: Actor) -> str:
    return actor.id.partition(":")[2]


def test_a_team_is_planned_for_days_and_nobody_twice_at_once(
    city: Authority, chief: Actor, kim: Actor, lee: Actor
) -> None:
    with civic_tx() as tx:
        team = roster.put_team(tx, chief, city.code, "1조", [key(kim), key(lee)], NOW)
        people = [person.pk for person in team.members.all()]
        made = roster.plan(tx, chief, city.code, (MONDAY, MONDAY + timedelta(days=2)), "22:00-06:00", people, NOW)
    assert len(made) == 6
    assert made[0].to_at - made[0].from_at == timedelta(hours=8)
    with pytest.raises(ConflictError), civic_tx() as tx:
        roster.plan(tx, chief, city.code, (MONDAY, MONDAY), "22:00-06:00", [key(kim)], NOW)
    with civic_tx() as tx:
        roster.plan(tx, chief, city.code, (MONDAY, MONDAY), "14:00-22:00", [key(kim)], NOW)
    with pytest.raises(ForbiddenError), civic_tx() as tx:
        roster.plan(tx, kim, city.code, (MONDAY, MONDAY), "06:00-14:00", [key(kim)], NOW)
    for days, shift in (((MONDAY, MONDAY - timedelta(days=1)), "06:00-14:00"), ((MONDAY, MONDAY), "09:00-18:00")):
        with pytest.raises(BadRequestError), civic_tx() as tx:
            roster.plan(tx, chief, city.code, days, shift, [key(kim)], NOW)


def test_a_planned_shift_is_taken_up_shortly_before_it_and_the_later_ones_stay_planned(
    city: Authority, chief: Actor, kim: Actor
) -> None:
    with civic_tx() as tx:
        roster.plan(tx, chief, city.code, (MONDAY, MONDAY + timedelta(days=1)), "06:00-14:00", [key(kim)], NOW)
    too_early = datetime(2026, 11, 23, 5, 0, tzinfo=SEOUL)
    with pytest.raises(ConflictError), civic_tx() as tx:
        roster.begin(tx, kim, city.code, too_early)
    in_time = datetime(2026, 11, 23, 5, 45, tzinfo=SEOUL)
    assert queries.board(kim, city.code, in_time)["planned"] is not None
    with civic_tx() as tx:
        roster.begin(tx, kim, city.code, in_time)
    shift = on_duty(kim.id, city.code, in_time)
    assert shift is not None
    assert shift.to_at == datetime(2026, 11, 23, 14, 0, tzinfo=SEOUL)
    assert shift.grant is not None
    tomorrow = DutyShift.objects.get(person_id=key(kim), accepted_at=None, ended_at=None)
    with civic_tx() as tx:
        roster.unplan(tx, chief, tomorrow.pk, in_time)
    with pytest.raises(ConflictError), civic_tx() as tx:
        roster.unplan(tx, chief, tomorrow.pk, in_time)


def test_the_board_says_which_shift_runs_and_who_is_awake(city: Authority, kim: Actor, chief: Actor) -> None:
    held_by(kim, city)
    board = queries.board(kim, city.code, NOW)
    assert board["shift"]["name"] == "06:00-14:00"
    assert board["next_shift"]["name"] == "14:00-22:00"
    rows = {row["id"]: row for row in board["people"]}
    assert (rows[kim.id]["holds"], rows[kim.id]["alive"], rows[kim.id]["on_duty"]) == (1, False, False)
