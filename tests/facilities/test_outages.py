"""From a sign to work done: what is stored, told, timed and refused on the way."""

from __future__ import annotations

from datetime import date

import pytest
from django.db import IntegrityError, transaction

from madang.facilities.commands import (
    NewOrder,
    Part,
    Result,
    WorkDone,
    issue_order,
    record_inspection,
    report_fault,
    set_service,
    step_order,
    step_outage,
)
from madang.facilities.domain import Cause, Step
from madang.facilities.models import DownSpan, Facility, Outage, WorkOrder
from madang.facilities.orders import OrderStep
from madang.identity.rights import Actor
from madang.journal import civic
from madang.kernel.errors import BadRequestError, ConflictError, ForbiddenError, NotFoundError
from tests.facilities.conftest import Fire, after, down, thing, up

pytestmark = pytest.mark.django_db(transaction=True)


def announced(topic: str) -> int:
    """How often something was announced."""
    with civic.reading() as tx:
        return int(tx.execute("SELECT COUNT(*) FROM journal_outbox WHERE topic = ?", (topic,))[0][0])


def opened() -> int:
    return announced("facilities.outage.opened")


def ended() -> int:
    return announced("facilities.outage.ended")


def now_of(facility: Facility) -> Facility:
    return Facility.objects.get(pk=facility.pk)


def only_outage() -> Outage:
    return Outage.objects.get()


def test_a_suspicion_becomes_an_outage_after_its_time_and_is_told_then(city: str, fire: Fire) -> None:
    sensor = thing("sensor")
    up(sensor, 0)
    down(sensor, 10)
    assert (now_of(sensor).condition, opened()) == ("suspect", 0)
    fire(100)
    assert (now_of(sensor).condition, opened()) == ("suspect", 0)
    fire(131)
    assert (now_of(sensor).condition, opened()) == ("out", 1)
    span = DownSpan.objects.get()
    assert (span.from_at, span.to_at) == (after(10), None)


def test_a_suspicion_that_passes_is_told_to_nobody_and_leaves_no_down_time(city: str, fire: Fire) -> None:
    sensor = thing("sensor")
    down(sensor, 0)
    up(sensor, 30)
    fire(10_000)
    assert (now_of(sensor).condition, opened(), DownSpan.objects.count()) == ("working", 0, 0)


def test_a_restored_thing_is_watched_before_its_outage_ends_and_a_relapse_is_the_same_outage(
    city: str, fire: Fire
) -> None:
    sensor = thing("sensor")
    down(sensor, 0)
    fire(121)
    up(sensor, 200)
    assert (only_outage().state, now_of(sensor).condition, ended()) == ("restored", "working", 0)
    down(sensor, 300)
    assert (only_outage().state, only_outage().relapses, opened()) == ("open", 1, 1)
    up(sensor, 400)
    fire(900)
    assert only_outage().state == "restored"
    fire(1_001)
    assert (only_outage().state, ended()) == ("closed", 1)
    assert [(s.from_at, s.to_at) for s in DownSpan.objects.order_by("from_at")] == [
        (after(0), after(200)),
        (after(300), after(400)),
    ]


def test_a_timer_that_keeps_whole_milliseconds_is_not_lost_to_the_rest(city: str, fire: Fire) -> None:
    down(thing("sensor"), 0.0007)
    for at in (120.0, 120.0005, 120.0008, 120.002):
        fire(at)
    assert only_outage().state == "open"


def test_timers_live_in_the_store_so_a_restart_in_between_changes_nothing(city: str, fire: Fire) -> None:
    down(thing("sensor"), 0)
    civic.store.close_thread()
    fire(500)
    assert only_outage().state == "open"


def test_at_most_one_outage_of_a_thing_stands(city: str) -> None:
    sensor = thing("sensor")
    for at in range(5):
        down(sensor, at)
    outage = only_outage()
    with pytest.raises(IntegrityError), transaction.atomic():
        Outage.objects.create(
            authority_id=city, facility=sensor, state="open", cause="silent", began_at=after(0), heard_at=after(0)
        )
    assert outage.state == "suspected"


def test_an_operator_reports_and_acknowledges_but_does_not_repair(city: str, operator: Actor) -> None:
    light = thing("light")
    with civic.transaction() as tx:
        outage = report_fault(tx, operator, light.pk, "등이 깜빡임", after(0))
    assert (outage.state, outage.cause, outage.text, now_of(light).condition) == (
        "open",
        "reported",
        "등이 깜빡임",
        "out",
    )
    with civic.transaction() as tx:
        outage = step_outage(tx, operator, outage.pk, Step.ACKNOWLEDGE, "", after(5), version=outage.version)
    assert outage.state == "acknowledged"
    with pytest.raises(ForbiddenError), civic.transaction() as tx:
        step_outage(tx, operator, outage.pk, Step.REPAIR, "", after(6))


def test_what_two_people_decide_on_the_same_picture_only_the_first_does(city: str, manager: Actor) -> None:
    down(thing("light"), 0, Cause.OTHER, sure=True)
    seen = only_outage().version
    with civic.transaction() as tx:
        step_outage(tx, manager, only_outage().pk, Step.ACKNOWLEDGE, "", after(1), version=seen)
    with pytest.raises(ConflictError, match="changed meanwhile"), civic.transaction() as tx:
        step_outage(tx, manager, only_outage().pk, Step.RESTORE, "고침", after(2), version=seen)


def test_a_dismissed_outage_counts_no_time_and_does_not_come_back_until_the_thing_has_worked(
    city: str, manager: Actor, fire: Fire
) -> None:
    sensor = thing("sensor")
    down(sensor, 0)
    fire(200)
    with civic.transaction() as tx:
        step_outage(tx, manager, only_outage().pk, Step.DISMISS, "이전 설치 중", after(300))
    assert DownSpan.objects.count() == 0
    down(sensor, 400)
    fire(1_000)
    assert Outage.objects.count() == 1
    up(sensor, 1_100)
    down(sensor, 1_200)
    assert Outage.objects.count() == 2


def test_what_is_out_of_service_has_no_outages(city: str, manager: Actor) -> None:
    sensor = thing("sensor")
    with civic.transaction() as tx:
        set_service(tx, manager, sensor.pk, in_service=False, reason="철거 예정", now=after(0))
    assert down(sensor, 10) is None
    assert Outage.objects.count() == 0


def test_another_citys_things_are_not_there(city: str, operator: Actor, other_authority: object) -> None:
    theirs = Facility.objects.create(authority_id="26440", kind="light", source_key="x", registered_at=after(0))
    with pytest.raises(NotFoundError), civic.transaction() as tx:
        report_fault(tx, operator, theirs.pk, "", after(0))


def ordered(manager: Actor, facility: Facility, at: float = 0) -> WorkOrder:
    wanted = NewOrder(facility.pk, "vendor", "한빛통신", "센서 교체", parts=(Part("센서", 1),))
    with civic.transaction() as tx:
        return issue_order(tx, manager, wanted, after(at))


def stepped(who: Actor, order: WorkOrder, step: OrderStep, at: float, reason: str = "") -> WorkOrder:
    with civic.transaction() as tx:
        return step_order(tx, who, order.pk, step, after(at), reason=reason, done=WorkDone(note=reason))


def test_work_on_a_watched_thing_is_verified_by_its_feed_coming_back(city: str, manager: Actor, fire: Fire) -> None:
    sensor = thing("sensor")
    down(sensor, 0)
    fire(200)
    order = ordered(manager, sensor, 210)
    assert (order.number, order.due_on) == ("W-2026-00001", date(2026, 11, 29))
    stepped(manager, order, OrderStep.START, 300)
    assert only_outage().state == "in_repair"
    stepped(manager, order, OrderStep.FINISH, 400, "교체함")
    assert WorkOrder.objects.get().state == "done"
    up(sensor, 500)
    fire(900)
    order = WorkOrder.objects.get()
    assert (order.state, order.verified_by, only_outage().state) == ("verified", "feed", "closed")


def test_work_whose_feed_does_not_come_back_is_sent_back(city: str, manager: Actor, fire: Fire) -> None:
    sensor = thing("sensor")
    down(sensor, 0)
    fire(200)
    order = stepped(manager, ordered(manager, sensor, 210), OrderStep.FINISH, 400, "교체함")
    fire(400 + 86_401)
    order.refresh_from_db()
    assert order.state == "working"
    assert "돌아오지 않았습니다" in order.note


def test_nobody_verifies_their_own_work(city: str, manager: Actor, second_manager: Actor, operator: Actor) -> None:
    light = thing("light")
    order = stepped(manager, ordered(manager, light), OrderStep.FINISH, 10, "전구 교체")
    with pytest.raises(ForbiddenError, match="another person"):
        stepped(manager, order, OrderStep.VERIFY, 20)
    assert stepped(second_manager, order, OrderStep.VERIFY, 30).state == "verified"
    with pytest.raises(ForbiddenError):
        stepped(operator, ordered(manager, light), OrderStep.START, 40)


def test_a_bad_inspection_opens_an_outage_and_sets_when_the_next_is_due(city: str, manager: Actor) -> None:
    bell = thing("bell")
    assert bell.next_inspection_on == date(2026, 11, 30)
    with civic.transaction() as tx:
        record_inspection(tx, manager, bell.pk, Result(date(2026, 11, 22), "fail", "버튼 파손"), after(0))
    bell = now_of(bell)
    assert (bell.last_inspection_result, bell.next_inspection_on) == ("fail", date(2027, 2, 20))
    assert (only_outage().cause, only_outage().text, only_outage().state) == ("inspection", "버튼 파손", "open")


def test_an_inspection_that_says_bad_must_say_what(city: str, manager: Actor) -> None:
    with pytest.raises(BadRequestError), civic.transaction() as tx:
        record_inspection(tx, manager, thing("bell").pk, Result(date(2026, 11, 22), "fail"), after(0))
    with pytest.raises(BadRequestError), civic.transaction() as tx:
        record_inspection(tx, manager, thing("bell").pk, Result(date(2027, 1, 1), "pass"), after(0))
