"""What people do about signals: split, merge, shelve, report; and what rules hear of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.test import Client

from madang.identity.actors import actor_of_person
from madang.identity.rights import Role
from madang.journal import changes, civic
from madang.kernel.errors import BadRequestError, ConflictError, ForbiddenError, NotFoundError
from madang.kernel.mode import Mode
from madang.response import commands as response
from madang.response.models import Incident
from madang.response.signals import commands, queries, retention
from madang.response.signals.intake import Receipt
from madang.response.signals.models import Event, Policy, Shelf, Signal
from tests.conftest import MakePerson
from tests.response.signals.conftest import Desk, east
from tests.response.signals.test_settlement import chatter, flood

pytestmark = pytest.mark.django_db


def split(desk: Desk, event_id: str) -> Incident:
    with civic.transaction() as tx:
        return commands.split(tx, desk.actor, event_id, "다른 일", desk.now)


def in_a_storm(desk: Desk) -> Event:
    flood(desk, 30)
    event = Event.objects.exclude(storm_id="").first()
    assert event is not None
    return event


def test_one_click_takes_an_event_out_of_its_storm_and_both_timelines_say_so(desk: Desk) -> None:
    event = in_a_storm(desk)
    storm = Incident.objects.get(pk=event.storm_id)
    incident = split(desk, event.pk)
    event.refresh_from_db()
    assert (event.incident_id, incident.parent_id, incident.signal_count) == (incident.pk, storm.pk, 1)
    assert Incident.objects.get(pk=storm.pk).signal_count == storm.signal_count - 1
    kinds = [set(one.timeline.values_list("kind", flat=True)) for one in (storm, incident)]
    assert "split_out" in kinds[0]
    assert "split_from" in kinds[1]
    again = desk.report("loitering", device=event.device, lon=event.lon, lat=event.lat)
    assert desk.incident(again) == incident


def test_an_event_that_is_alone_cannot_be_split_and_a_reason_is_needed(desk: Desk) -> None:
    signal = desk.report()
    with pytest.raises(ConflictError):
        split(desk, signal.event_id)
    with pytest.raises(BadRequestError), civic.transaction() as tx:
        commands.split(tx, desk.actor, signal.event_id, " ", desk.now)
    with pytest.raises(NotFoundError), civic.transaction() as tx:
        commands.split(tx, desk.actor, "nothing", "왜", desk.now)


def test_merged_incidents_go_on_as_one_and_each_event_can_be_split_out_again(desk: Desk) -> None:
    one, other = desk.report("fight"), desk.report("fall", device="D-2", at=east(20))
    gone, into = desk.incident(other), desk.incident(one)
    with civic.transaction() as tx:
        commands.merge(tx, desk.actor, gone.pk, into.pk, desk.now)
    assert Event.objects.get(pk=other.event_id).incident_id == into.pk
    assert Incident.objects.get(pk=into.pk).signal_count == 2
    desk.report("fall", device="D-2", at=east(20))
    assert Incident.objects.get(pk=into.pk).signal_count == 3
    fresh = split(desk, other.event_id)
    assert fresh.pk not in (gone.pk, into.pk)
    assert (fresh.signal_count, Incident.objects.get(pk=into.pk).signal_count) == (2, 1)


def test_events_follow_a_merge_made_anywhere_else(desk: Desk) -> None:
    one, other = desk.report("fight"), desk.report("fall", device="D-2", at=east(20))
    into = desk.incident(one)
    with civic.transaction() as tx:
        response.merge(tx, desk.actor, desk.incident(other).pk, into.pk, desk.now)
    assert desk.incident(desk.report("fall", device="D-3", at=east(20))) == into


def test_a_new_storm_opens_after_the_old_one_was_closed(desk: Desk) -> None:
    event = in_a_storm(desk)
    with civic.transaction() as tx:
        response.close_incident(tx, desk.actor, event.storm_id, "", desk.now)
    flood(desk, 5, start_m=-40_000)
    storms = Incident.objects.filter(class_code="storm")
    assert storms.count() == 2
    assert storms.exclude(pk=event.storm_id).get().signal_count == 5


# ------------------------------------------------------------------------------------------------- searching


def test_every_event_in_a_storm_is_found_by_its_words(desk: Desk) -> None:
    flood(desk, 30)
    hidden = desk.report("loitering", device="정문-7", at=east(-9_000), text="노란 옷 남자")
    storm = desk.incident(hidden)
    assert storm.class_code == "storm"
    for words in ("노란 남자", "정문-7", "노란 배회"):
        page = queries.events_of(desk.actor, storm.pk, queries.Filter(text=words))
        assert [row["id"] for row in page.rows] == [hidden.event_id], words
    listed = queries.storms(desk.actor, desk.city)
    assert listed[0]["events"] == Event.objects.filter(incident_id=storm.pk).count()
    assert listed[0]["by_class"][0]["class_code"] == "loitering"
    pages = queries.find_events(desk.actor, desk.city, "simulated", queries.Filter(class_code="loitering"), limit=20)
    assert (pages.total, len(pages.rows), pages.next_offset) == (31, 20, 20)


def test_the_load_counts_what_operators_were_given(desk: Desk, make_person: MakePerson) -> None:
    from madang.video.models import DutyShift

    person = make_person(Role.OPERATOR)
    hour = timedelta(hours=1)
    DutyShift.objects.create(
        authority_id=desk.city, person=person, from_at=desk.now - hour, to_at=desk.now + hour, accepted_at=desk.now
    )
    flood(desk, 30)
    signal = desk.report("emergency_bell", device="B", at=east(-2_000))
    with civic.transaction() as tx:
        response.claim(tx, actor_of_person(person), desk.incident(signal).pk, desk.now)
    load = queries.alarm_load(desk.actor, desk.city, desk.now)
    assert load["operators"] == 1
    assert 0 < load["new_items"] <= load["allowed"] == 10
    assert load["new_urgent"] == 1
    assert load["by_operator"][0]["taken"] == 1


# ---------------------------------------------------------------------------------------------- shelves by hand


def test_a_device_is_shelved_and_unshelved_by_hand_with_reasons(desk: Desk, make_person: MakePerson) -> None:
    operator = actor_of_person(make_person(Role.OPERATOR))
    desk.report(device="D-5")
    with civic.transaction() as tx:
        shelf = commands.shelve(
            tx, operator, authority=desk.city, mode=Mode.SIMULATED, source="sensor", device="D-5", minutes=30,
            reason="공사 중", now=desk.now,
        )  # fmt: skip
    assert desk.report(device="D-5").outcome == "shelf"
    assert desk.report(device="D-6", at=east(2_000)).outcome == "incident"
    with pytest.raises(BadRequestError), civic.transaction() as tx:
        commands.unshelve(tx, operator, shelf.pk, "", desk.now)
    with civic.transaction() as tx:
        commands.unshelve(tx, operator, shelf.pk, "공사 끝", desk.now)
    assert desk.report(device="D-5").outcome == "incident"
    with pytest.raises(ConflictError), civic.transaction() as tx:
        commands.unshelve(tx, operator, shelf.pk, "공사 끝", desk.now)
    with civic.reading() as tx:
        audited = tx.execute("SELECT action FROM journal_audit WHERE thing = ?", (f"shelf:{shelf.pk}",))
    assert audited == [("signals.shelved",), ("signals.unshelved",)]


@pytest.mark.parametrize(("minutes", "reason"), [(0, "왜"), (2_000, "왜"), (10, "  ")])
def test_a_shelf_needs_a_bounded_time_and_a_reason(desk: Desk, minutes: float, reason: str) -> None:
    with pytest.raises(BadRequestError), civic.transaction() as tx:
        commands.shelve(
            tx, desk.actor, authority=desk.city, mode=Mode.SIMULATED, source="sensor", device="D", minutes=minutes,
            reason=reason, now=desk.now,
        )  # fmt: skip


def test_an_auditor_shelves_nothing(desk: Desk, make_person: MakePerson) -> None:
    auditor = actor_of_person(make_person(Role.AUDITOR))
    with pytest.raises(ForbiddenError), civic.transaction() as tx:
        commands.shelve(
            tx, auditor, authority=desk.city, mode=Mode.SIMULATED, source="sensor", device="D", minutes=5,
            reason="왜", now=desk.now,
        )  # fmt: skip


def test_a_device_taken_off_its_shelf_starts_from_nothing(desk: Desk) -> None:
    chatter(desk, 12)
    with civic.transaction() as tx:
        commands.unshelve(tx, desk.actor, Shelf.objects.get().pk, "고침", desk.now)
    assert [signal.outcome for signal in chatter(desk, 11)] == ["incident"] * 11
    assert chatter(desk, 1)[0].reason == "chattering"


def test_a_shelf_that_expires_while_nothing_runs_is_off_at_once_afterwards(desk: Desk) -> None:
    chatter(desk, 12)
    desk.wait(10_000)
    desk.restarted()
    assert desk.report(device="F-1").outcome == "incident"
    assert desk.fire_timers() >= 1
    assert not Shelf.objects.filter(ended_at="").exists()


# ----------------------------------------------------------------------------------------------------- reports


def test_a_report_by_hand_is_shown_whatever_the_load(desk: Desk, make_person: MakePerson) -> None:
    operator = actor_of_person(make_person(Role.OPERATOR))
    flood(desk, 40)
    told = commands.Report(
        authority=desk.city, mode=Mode.SIMULATED, class_code="abandoned_object", informant="citizen",
        place=east(-3_000), text="가방이 있어요", report_id="r-1",
    )  # fmt: skip
    with civic.transaction() as tx:
        answer = commands.report(tx, operator, told, desk.now)
        assert commands.report(tx, operator, told, desk.now).receipt is Receipt.REPEATED
    desk.settle()
    signal = Signal.objects.get(id=answer.signal_id)
    assert desk.incident(signal).class_code == "abandoned_object"
    assert queries.signal(operator, signal.id)["incident_id"] == desk.incident(signal).pk


def test_two_callers_about_the_same_thing_are_one_incident(desk: Desk) -> None:
    def told(text: str) -> Signal:
        report = commands.Report(
            authority=desk.city, mode=Mode.SIMULATED, class_code="fire", informant="citizen", place=east(10), text=text
        )
        with civic.transaction() as tx:
            answer = commands.report(tx, desk.actor, report, desk.now)
        desk.settle()
        return Signal.objects.get(id=answer.signal_id)

    first, second = told("연기가 나요"), told("불이 났어요")
    assert desk.incident(first) == desk.incident(second)


# ------------------------------------------------------------------------------------------ rules and policies


def announced() -> list[dict[str, Any]]:  # Any: JSON
    with civic.reading() as tx:
        rows = tx.execute("SELECT key, body FROM journal_outbox WHERE topic = 'response.signal.settled' ORDER BY seq")
    return [{"key": key, **orjson.loads(body)} for key, body in rows]


def test_what_a_rule_wants_done_is_announced_once_with_where_its_signal_ended(desk: Desk) -> None:
    desk.report()
    signal = desk.report(source="rule", device="r@3", rule="night-bell@3", effects=({"kind": "record"},), at=east(5))
    assert announced() == [
        {
            "key": desk.incident(signal).pk,
            "signal_id": signal.id,
            "incident_id": desk.incident(signal).pk,
            "outcome": "incident",
            "source": "rule",
            "rule": "night-bell@3",
            "effects": [{"kind": "record"}],
        }
    ]


def test_what_a_city_sets_for_a_class_holds_from_the_next_group_on(desk: Desk) -> None:
    first = desk.report("loitering")
    Policy.objects.create(authority_id=desk.city, class_code="loitering", radius_m=5.0, priority=2)
    with civic.transaction() as tx:
        changes.touch(tx, kind="shelf", ref="policy", authority=desk.city, now=desk.now)
    second = desk.report("loitering", device="D-2", at=east(50))
    assert desk.incident(first) != desk.incident(second)
    assert desk.incident(second).priority == 2


def test_the_back_office_edits_policies_and_the_settlement_hears_of_it(desk: Desk, make_person: MakePerson) -> None:
    client = Client()
    client.force_login(make_person(Role.SUPERVISOR), backend="django.contrib.auth.backends.ModelBackend")
    form = {"authority": desk.city, "class_code": "motion", "opens": "true", "radius_m": "10"}
    answer = client.post("/office/signals/policy/add/", form)
    assert answer.status_code == 302, answer.content[:2000]
    assert desk.report("motion").outcome == "incident"
    refused = client.post("/office/signals/policy/add/", {**form, "class_code": "fire", "chatter_n": "1"})
    assert refused.status_code == 200
    assert not Policy.objects.filter(class_code="fire").exists()


# ------------------------------------------------------------------------------------------- what must not stop


def test_a_signal_that_cannot_be_settled_is_put_aside_and_the_others_go_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from madang.response.signals.opening import open_own

    def fails(tx: Any, event: Any, now: Any) -> Incident:  # Any: handed through
        if event.device == "BAD":
            raise RuntimeError("no")
        return open_own(tx, event, now)

    monkeypatch.setattr("madang.response.signals.group.open_own", fails)
    desk.take_in(desk.draft(device="A"), desk.draft("fight", device="BAD"), desk.draft("fire", device="C"))
    desk.settle()
    assert list(Signal.objects.order_by("seq").values_list("outcome", "reason")) == [
        ("incident", "opened"),
        ("reject", "fault"),
        ("incident", "opened"),
    ]
    assert "put aside" in caplog.text


def test_a_growing_incident_is_told_to_the_screens_at_most_twice_a_second(desk: Desk) -> None:
    desk.report()
    with civic.reading() as tx:
        before = changes.latest(tx)
    for n in range(20):
        desk.wait(0.1)
        desk.report(device=f"N-{n}", at=east(n))
    desk.wait(1)
    desk.settlement.run_once()
    with civic.reading() as tx:
        told = [one for one in changes.changes_after(tx, before) if one.kind == "incident"]
    assert 2 <= len(told) <= 6


def test_two_settlements_on_one_store_do_not_lead_each_other_astray(desk: Desk) -> None:
    first = desk.settlement
    desk.report()
    second = desk.restarted()
    desk.report(device="D-2", at=east(900))
    desk.take_in(desk.draft(device="D-3", at=east(905)))
    desk.settlement = first
    desk.settle()
    assert second is not first
    assert Incident.objects.count() == 2


def test_what_signals_say_is_erased_when_its_time_is_over(desk: Desk) -> None:
    signal = desk.report(text="이름과 전화번호")
    desk.wait(91 * 86_400)
    assert retention.run_once(desk.now) == 1
    signal.refresh_from_db()
    assert (signal.text, signal.lon, signal.outcome) == ("", None, "incident")
    assert Event.objects.get().text == ""
    assert retention.run_once(desk.now) == 0
    desk.wait(400 * 86_400)
    retention.run_once(desk.now)
    assert not Signal.objects.exists()
