"""What was said, written and sent is forgotten when its time is over, and that is on record."""

from __future__ import annotations

from datetime import timedelta

import pytest

from madang.identity.models import Authority
from madang.journal import civic, retention
from madang.kernel.mode import Mode
from madang.response import forgetting
from madang.response.duty import retention as duty
from madang.response.duty.models import Handover, LogEntry, Presence
from madang.response.messaging import retention as messaging
from madang.response.messaging.models import Delivery, Recipient, SentMessage
from madang.response.models import Incident
from tests.response.conftest import NOW

pytestmark = pytest.mark.django_db(transaction=True)

ALL = (*duty.FORGETTINGS, *messaging.FORGETTINGS)
LATER = NOW + timedelta(days=duty.LOG.days, seconds=1)


def a_call(city: Authority) -> LogEntry:
    return LogEntry.objects.create(
        authority=city,
        mode=Mode.LIVE,
        channel="phone",
        direction="in",
        who="홍길동",
        whom="관제",
        text="연락처 010-0000-0000",
        said_at=NOW,
        written_at=NOW,
        actor="person:1",
        actor_name="김",
    )


def a_handover(city: Authority, phase: str) -> Handover:
    settled = None if phase == "offered" else NOW
    return Handover.objects.create(
        authority=city, mode=Mode.LIVE, phase=phase, brief="홍길동 수색 중", offered_at=NOW, settled_at=settled
    )


def a_message(city: Authority, state: str) -> SentMessage:
    incident = Incident.objects.create(
        authority=city,
        mode=Mode.LIVE,
        number=f"2026-{state}",
        source_key=state,
        opened_at=NOW,
        updated_at=NOW,
        priority=3,
    )
    recipient = Recipient.objects.create(authority=city, name=f"당직관 {state}", tier="city")
    message = SentMessage.objects.create(
        authority=city,
        mode=Mode.LIVE,
        incident=incident,
        level="notice",
        text_ko="홍길동 귀가",
        ack_within_s=60,
        sent_by="person:1",
        sent_by_name="김",
        sent_at=NOW,
    )
    Delivery.objects.create(
        authority=city,
        message=message,
        recipient=recipient,
        state=state,
        token_hash=state,
        acknowledged_by="이",
        note="통화함",
        updated_at=NOW,
    )
    return message


def test_calls_and_briefs_are_emptied_when_their_time_is_over_and_not_a_day_before(city: Authority) -> None:
    call, settled, waiting = a_call(city), a_handover(city, "accepted"), a_handover(city, "offered")
    assert forgetting.run_once(ALL, LATER - timedelta(days=1)) == 0
    assert forgetting.run_once(ALL, LATER) == 2
    for row in (call, settled, waiting):
        row.refresh_from_db()
    assert (call.text, call.who, call.whom, call.said_at) == ("", "", "", NOW)
    assert settled.brief == ""
    assert waiting.brief == "홍길동 수색 중"
    assert forgetting.run_once(ALL, LATER) == 0


def test_a_message_still_waiting_for_its_acknowledgement_is_kept_whole(city: Authority) -> None:
    over, waiting = a_message(city, "acknowledged"), a_message(city, "trying")
    assert forgetting.run_once(ALL, LATER) == 1
    for row in (over, waiting):
        row.refresh_from_db()
    assert (over.text_ko, over.sent_by_name) == ("", "")
    assert Delivery.objects.get(message=over).acknowledged_by == ""
    assert waiting.text_ko == "홍길동 귀가"


def test_signs_of_life_are_gone_after_their_days(city: Authority) -> None:
    Presence.objects.create(actor="person:1", authority=city, seen_at=NOW)
    Presence.objects.create(actor="person:2", authority=city, seen_at=NOW + timedelta(days=1))
    assert forgetting.run_once(ALL, NOW + timedelta(days=duty.PRESENCE.days, seconds=1)) == 1
    assert Presence.objects.get().actor == "person:2"


def test_days_an_officer_set_hold_and_each_erasure_is_on_record(city: Authority) -> None:
    a_call(city)
    forgetting.run_once(ALL, NOW)
    with civic.transaction() as tx:
        tx.execute("UPDATE journal_retention SET days = 10 WHERE kind = ?", (duty.LOG.kind,))
    assert forgetting.run_once(ALL, NOW + timedelta(days=11)) == 1
    with civic.reading() as tx:
        actions = tx.execute("SELECT action, thing FROM journal_audit WHERE stream = ?", (city.code,))
        kinds = {kind.kind for kind in retention.kinds(tx)}
    assert ("duty_log.erased", "duty_log<10d") in actions
    assert {"duty_log", "presence", "situation_message"} <= kinds
