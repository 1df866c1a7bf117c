"""From signals to incidents: what is merged, what is put aside, what is shown."""

from __future__ import annotations

from datetime import timedelta

import pytest

from madang.identity.rights import system_actor
from madang.journal import civic
from madang.response import commands as response
from madang.response.models import Incident
from madang.response.signals.models import Event, Shelf, Signal
from tests.response.signals.conftest import Desk, east

pytestmark = pytest.mark.django_db


def test_the_first_signal_opens_an_incident_about_where_it_was_seen(desk: Desk) -> None:
    signal = desk.report("intrusion", text="창고 뒤편 침입")
    assert (signal.outcome, signal.reason) == ("incident", "opened")
    incident = desk.incident(signal)
    assert (incident.class_code, incident.source, incident.mode) == ("intrusion", "signal", "simulated")
    assert incident.signal_count == 1
    assert incident.note == "창고 뒤편 침입"
    assert incident.last_signal_at == desk.now


def test_signals_near_in_space_and_time_of_one_class_are_one_incident(desk: Desk) -> None:
    first = desk.report("intrusion")
    desk.wait(60)
    second = desk.report("intrusion", device="D-2", at=east(40))
    assert second.reason == "merged"
    assert desk.incident(first) == desk.incident(second)
    assert desk.incident(first).signal_count == 2


@pytest.mark.parametrize("change", [{"at": east(500)}, {"class_code": "fight"}, {"ago_s": -3600.0}])
def test_what_is_far_of_another_class_or_much_later_is_another_incident(desk: Desk, change: dict[str, object]) -> None:
    first = desk.report()
    if change.pop("ago_s", None):
        desk.wait(1_000)
    second = desk.report(**({"device": "D-2"} | change))  # type: ignore[arg-type]  # a test's shorthand
    assert desk.incident(first) != desk.incident(second)


def test_a_device_that_repeats_itself_at_once_is_debounced(desk: Desk) -> None:
    desk.report()
    desk.wait(3)
    assert desk.report().reason == "repeated"
    assert Incident.objects.count() == 1


def test_real_and_simulated_are_never_one_incident(desk: Desk) -> None:
    from madang.kernel.mode import Mode

    first = desk.report()
    second = desk.report(mode=Mode.LIVE)
    assert desk.incident(first).mode == "simulated"
    assert desk.incident(second).mode == "live"


def test_an_ending_annotates_and_opens_nothing(desk: Desk) -> None:
    alone = desk.report(ending=True, device="D-9")
    assert (alone.outcome, alone.reason) == ("reject", "ended_nothing")
    begun = desk.report()
    desk.wait(20)
    ended = desk.report(ending=True)
    assert (ended.outcome, ended.reason) == ("incident", "ended")
    incident = desk.incident(begun)
    assert incident == desk.incident(ended)
    assert incident.state == "NEW"
    assert [line.kind for line in incident.timeline.all()].count("signal_ended") == 1


def test_what_comes_late_annotates_and_neither_moves_nor_reopens_anything(desk: Desk) -> None:
    signal = desk.report()
    before = Event.objects.get(pk=signal.event_id)
    desk.wait(100)
    late = desk.report(device="D-2", ago_s=60)
    assert late.reason == "late"
    after = Event.objects.get(pk=signal.event_id)
    assert (after.first_at, after.last_at, after.signals) == (before.first_at, before.last_at, 2)
    with civic.transaction() as tx:
        response.close_incident(tx, system_actor(desk.city), desk.incident(signal).pk, "", desk.now)
    closed = desk.report(device="D-3", ago_s=50)
    assert closed.reason == "late"
    assert desk.incident(closed).state == "CLOSED"


def test_a_signal_of_after_the_incident_ended_opens_a_new_one(desk: Desk) -> None:
    signal = desk.report()
    desk.wait(5)
    with civic.transaction() as tx:
        response.dismiss(tx, system_actor(desk.city), desk.incident(signal).pk, "오작동", desk.now)
    desk.wait(1)
    again = desk.report()
    assert again.reason == "opened"
    assert desk.incident(again) != desk.incident(signal)


def test_an_old_signal_is_kept_but_rejected_unless_it_is_urgent(desk: Desk) -> None:
    assert desk.report(ago_s=30_000).reason == "stale"
    assert desk.report("emergency_bell", ago_s=30_000, device="B-1").outcome == "incident"


def test_a_device_whose_clock_runs_ahead_is_taken_at_the_time_of_arrival(desk: Desk) -> None:
    signal = desk.report(ago_s=-7_200)
    assert Event.objects.get(pk=signal.event_id).last_at == signal.received_at


def test_a_class_that_opens_nothing_only_joins_what_is_there(desk: Desk) -> None:
    assert desk.report("motion").reason == "opens_nothing"
    assert Incident.objects.count() == 0


def test_a_device_may_not_call_itself_more_urgent_than_its_class_allows(desk: Desk) -> None:
    assert desk.incident(desk.report("loitering", priority=0)).priority == 2
    assert desk.incident(desk.report("loitering", priority=0, source="agency", at=east(900))).priority == 0


def test_a_more_urgent_signal_raises_its_incident_but_never_lowers_what_a_person_set(desk: Desk) -> None:
    first = desk.report("smoke")
    assert desk.incident(first).priority == 2
    desk.report("smoke", priority=1, device="D-2")
    assert desk.incident(first).priority == 1
    desk.report("smoke", priority=4, device="D-3")
    assert desk.incident(first).priority == 1


def test_swapped_coordinates_are_put_right_and_none_still_open_an_incident(desk: Desk) -> None:
    swapped = desk.report(lon=35.2285, lat=128.8894)
    assert Event.objects.get(pk=swapped.event_id).lon == 128.8894
    unknown = desk.report("fight", at=None, device="D-2", address="김해대로 2401")
    assert desk.incident(unknown).place_state == "unlocated"
    again = desk.report("fight", at=None, device="D-3", address="김해대로 2401")
    assert desk.incident(again) == desk.incident(unknown)


# --------------------------------------------------------------------------------------------------- shelves


def chatter(desk: Desk, times: int, class_code: str = "intrusion", device: str = "F-1") -> list[Signal]:
    """A device reports every two seconds."""
    signals = []
    for _ in range(times):
        desk.wait(2)
        signals.append(desk.report(class_code, device=device))
    return signals


def test_a_chattering_device_is_shelved_and_comes_back_by_itself(desk: Desk) -> None:
    signals = chatter(desk, 15)
    assert [s.outcome for s in signals] == ["incident"] * 11 + ["shelf"] * 4
    assert signals[11].reason == "chattering"
    shelf = Shelf.objects.get()
    assert (shelf.automatic, shelf.signals, shelf.device) == (True, 4, "F-1")
    desk.wait(1_801)
    assert desk.fire_timers() == 1
    shelf.refresh_from_db()
    assert shelf.ended_by == "system:timer"
    assert desk.report(device="F-1").outcome == "incident"


def test_an_urgent_signal_of_a_shelved_device_still_gets_through(desk: Desk) -> None:
    chatter(desk, 12)
    through = desk.report("emergency_bell", device="F-1", at=east(700))
    assert (through.outcome, through.reason) == ("incident", "past_shelf")
    assert desk.incident(through).priority == 1


def test_eighty_flapping_sensors_give_a_handful_of_items(desk: Desk) -> None:
    for turn in range(30):
        desk.wait(2)
        drafts = [
            desk.draft("device_tampered", device=f"F-{n}", at=east(n * 10), ending=turn % 2 == 1) for n in range(80)
        ]
        desk.take_in(*drafts)
        desk.settle()
    assert Incident.objects.count() <= 10
    assert Shelf.objects.count() == 80
    assert not Signal.objects.filter(outcome="").exists()


# ----------------------------------------------------------------------------------------------------- storms


def flood(desk: Desk, events: int, class_code: str = "loitering", start_m: float = 0.0) -> None:
    """So many events of one class, each far from the others."""
    desk.take_in(
        *(desk.draft(class_code, device=f"{class_code}-{n}", at=east(start_m + 400 * n)) for n in range(events))
    )
    desk.settle()


def test_past_the_cap_events_stand_in_one_storm_and_none_is_lost(desk: Desk) -> None:
    flood(desk, 30)
    shown = Incident.objects.exclude(class_code="storm")
    storm = Incident.objects.get(class_code="storm")
    assert shown.count() + 1 <= 10
    assert Event.objects.filter(incident_id=storm.pk).count() == 30 - shown.count()
    assert not Signal.objects.exclude(outcome="incident").exists()
    assert storm.signal_count == 30 - shown.count()


def test_urgent_events_are_never_in_a_storm(desk: Desk) -> None:
    flood(desk, 30)
    for n in range(5):
        signal = desk.report("emergency_bell", device=f"B-{n}", at=east(-1000 - 200 * n))
        assert desk.incident(signal).class_code == "emergency_bell"


def test_an_event_in_a_storm_that_becomes_urgent_comes_out_of_it(desk: Desk) -> None:
    flood(desk, 30, "smoke")
    hidden = Event.objects.exclude(storm_id="").first()
    assert hidden is not None and hidden.incident_id == hidden.storm_id
    from madang.kernel.geometry import Point

    signal = desk.report("smoke", priority=1, device="X", at=Point(hidden.lon or 0, hidden.lat or 0))
    assert signal.event_id == hidden.pk
    incident = desk.incident(signal)
    assert (incident.class_code, incident.priority, incident.parent_id) == ("smoke", 1, None)


def test_the_room_grows_with_the_operators_on_duty(desk: Desk) -> None:
    from madang.identity.models import Person
    from madang.identity.rights import Role  # noqa: F401 -- reads better beside its use
    from madang.video.models import DutyShift

    for n in range(4):
        person = Person.objects.create_user(username=f"p{n}", password="x", name_ko=f"p{n}", authority_id=desk.city)
        DutyShift.objects.create(
            authority_id=desk.city,
            person=person,
            from_at=desk.now - timedelta(hours=1),
            to_at=desk.now + timedelta(hours=1),
            accepted_at=desk.now,
        )
    desk.config = type(desk.config)(storm_events=1_000)
    desk.restarted()
    flood(desk, 100)
    assert 12 < Incident.objects.count() <= 40


def test_after_ten_minutes_there_is_room_again(desk: Desk) -> None:
    flood(desk, 30)
    before = Incident.objects.count()
    desk.wait(601)
    signal = desk.report("loitering", device="new", at=east(-5_000))
    assert desk.incident(signal).class_code == "loitering"
    assert Incident.objects.count() == before + 1
