"""A message reaches people over their own channels, and stays owed until a person has it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.test import Client

from madang.identity.actors import actor_of_person
from madang.identity.models import Authority
from madang.identity.rights import Actor, Role
from madang.journal import civic
from madang.kernel.clock import system_clock
from madang.kernel.errors import BadRequestError, ConflictError, ForbiddenError, PermanentError, TemporaryError
from madang.kernel.mode import Mode
from madang.response import commands as response
from madang.response.messaging import addresses, commands, queries, tokens
from madang.response.messaging.channels import UnsureError
from madang.response.messaging.commands import SituationMessage
from madang.response.messaging.models import Attempt, Delivery, Recipient, SentMessage
from madang.response.models import Incident, Task, TimelineEntry
from tests.conftest import MakePerson
from tests.response.conftest import civic_tx
from tests.response.messaging.conftest import Lines, a_recipient, run

pytestmark = pytest.mark.django_db(transaction=True)


def send(actor: Actor, incident: Incident, *, tiers: tuple[str, ...] = ("city",), ref: str = "") -> SentMessage:
    wanted = SituationMessage(
        incident_id=incident.id, level="caution", tiers=tiers, text_ko="하천 범람 우려, 둔치 통제", ref=ref
    )
    with civic_tx() as tx:
        return commands.send(tx, actor, wanted, system_clock())


def the_delivery() -> Delivery:
    return Delivery.objects.select_related("message").get()


def later(seconds: float) -> datetime:
    return system_clock() + timedelta(seconds=seconds)


def test_each_recipient_of_the_tiers_is_told_over_their_first_channel(
    authority: Authority, operator: Actor, incident: Incident, lines: Lines
) -> None:
    a_recipient(authority, "재난과 당직", "sms", "email")
    a_recipient(authority, "도청 상황실", "email", tier="province")
    a_recipient(authority, "소방서", "sms", tier="agency")
    message = send(operator, incident, tiers=("city", "province"))
    run()
    assert [one.address for one in lines.sms.sent] == ["010-1234-5678"]
    assert [one.address for one in lines.email.sent] == ["duty@city.example"]
    text = lines.sms.sent[0].text
    assert text.startswith("[모의 SIMULATED] [주의] 침수") and text.endswith("[모의 SIMULATED]")
    assert "하천 범람 우려" in text and tokens.PATH in text
    [row] = queries.of_incident(operator, incident.id)
    assert (row["id"], row["total"], row["states"]["sent"]) == (message.id, 2, 2)
    assert incident.timeline.filter(kind="message_sent").count() == 1


def test_three_silent_minutes_lead_to_the_next_channel_and_at_last_to_a_telephone_task(
    authority: Authority, operator: Actor, incident: Incident, lines: Lines
) -> None:
    a_recipient(authority, "재난과 당직", "sms", "email")
    send(operator, incident)
    run()
    run(later(179))
    assert not lines.email.sent
    run(later(181))
    assert len(lines.email.sent) == 1
    run(later(400))
    delivery = the_delivery()
    assert delivery.state == "phone"
    task = Task.objects.get(kind="phone")
    assert (task.ref, task.state) == (delivery.id, "open")
    with civic_tx() as tx:
        assert commands.dial(tx, operator, delivery.id, system_clock()) == "055-123-4567"
    with civic.reading() as tx:
        read = tx.execute("SELECT actor FROM journal_audit WHERE action = ?", ("messaging.number_read",))
    assert read == [(operator.id,)]
    with civic_tx() as tx, pytest.raises(BadRequestError):
        commands.phoned(tx, operator, delivery.id, False, " ", system_clock())
    with civic_tx() as tx:
        commands.phoned(tx, operator, delivery.id, True, "당직자 통화", system_clock())
    task.refresh_from_db()
    assert (the_delivery().state, task.state) == ("acknowledged", "done")
    assert len(lines.sms.sent) == len(lines.email.sent) == 1


def test_who_presses_the_button_behind_the_link_has_acknowledged_once(
    authority: Authority, operator: Actor, incident: Incident, lines: Lines, client: Client
) -> None:
    a_recipient(authority, "재난과 당직", "sms", "email")
    send(operator, incident)
    run()
    path = f"{tokens.PATH}{tokens.token_of(the_delivery().id)}"
    opened = client.get(path)
    assert opened.status_code == 200
    assert "하천 범람 우려" in opened.content.decode()
    assert the_delivery().state == "sent", "looking at it is not acknowledging: machines look too"
    assert client.post(path).status_code == 200
    assert client.post(path).status_code == 200
    delivery = the_delivery()
    assert (delivery.state, delivery.how, delivery.acknowledged_by) == ("acknowledged", "link", "재난과 당직")
    assert incident.timeline.filter(kind="message_acknowledged").count() == 1
    run(later(1_000))
    assert not lines.email.sent
    assert client.get(f"{tokens.PATH}{'x' * 24}").status_code == 404
    SentMessage.objects.update(sent_at=later(-90_000))
    Delivery.objects.update(state="sent")
    assert client.post(path).status_code == 409
    looked = client.get(path)
    assert (looked.status_code, "하천 범람 우려" in looked.content.decode()) == (409, False), (
        "an old link shows nothing"
    )


def test_what_certainly_did_not_go_out_is_tried_again_and_what_never_will_goes_on_to_the_next(
    authority: Authority, operator: Actor, incident: Incident, lines: Lines
) -> None:
    a_recipient(authority, "재난과 당직", "sms", "email")
    lines.sms.faults = [TemporaryError("the gateway is busy", delay_s=1)]
    send(operator, incident)
    run()
    assert not lines.sms.sent
    run(later(5))
    assert len(lines.sms.sent) == 1
    a_recipient(authority, "하천과", "sms", "email", tier="department")
    lines.sms.faults = [PermanentError("no such number")]
    send(operator, incident, tiers=("department",))
    run()
    failed = Attempt.objects.get(state="failed")
    assert (failed.channel, failed.error) == ("sms", "no such number")
    assert len(lines.email.sent) == 1


@pytest.mark.parametrize("how", ["unsure", "killed"])
def test_what_may_have_gone_out_is_never_sent_again_by_itself_and_is_shown(
    how: str, authority: Authority, operator: Actor, incident: Incident, lines: Lines
) -> None:
    a_recipient(authority, "재난과 당직", "sms")
    send(operator, incident)
    if how == "killed":
        Attempt.objects.update(state="sending")
    else:
        lines.sms.faults = [UnsureError("the gateway did not answer after taking the text")]
    run()
    run(later(60))
    assert not lines.sms.sent
    assert Attempt.objects.get().state == "unsure"
    assert the_delivery().state == "sent"


def test_a_channel_that_honours_the_key_repeats_a_try_that_was_cut_off(
    authority: Authority, operator: Actor, incident: Incident, lines: Lines
) -> None:
    a_recipient(authority, "재난과 당직", "email")
    send(operator, incident)
    Attempt.objects.update(state="sending")
    run()
    assert [one.key for one in lines.email.sent] == [Attempt.objects.get().id]


def test_simulated_messages_never_reach_real_people_nor_live_channels(
    authority: Authority, operator: Actor, incident: Incident, lines: Lines
) -> None:
    real = a_recipient(authority, "진짜 당직", "sms")
    Recipient.objects.filter(pk=real.pk).update(mode=Mode.LIVE.value)
    with pytest.raises(ConflictError) as refused:
        send(operator, incident)
    assert refused.value.data["reason"] == "nobody"
    a_recipient(authority, "모의 당직", "sms")
    lines.sms.modes = frozenset({Mode.LIVE})
    send(operator, incident)
    run()
    assert not lines.sms.sent
    assert the_delivery().state == "phone"


def test_the_same_reference_is_sent_once_and_an_ended_incident_is_not_told_of(
    authority: Authority, operator: Actor, incident: Incident, lines: Lines
) -> None:
    a_recipient(authority, "재난과 당직", "sms")
    first = send(operator, incident, ref="rule-1")
    assert send(operator, incident, ref="rule-1").id == first.id
    run()
    assert len(lines.sms.sent) == 1
    with civic_tx() as tx:
        response.close_incident(tx, operator, incident.id, "끝", system_clock())
    run()
    assert the_delivery().state == "withdrawn"
    with pytest.raises(ConflictError):
        send(operator, incident)


def test_a_broadcast_is_told_and_nobody_is_waited_for(
    authority: Authority, operator: Actor, incident: Incident, lines: Lines
) -> None:
    a_recipient(authority, "마을방송", "sms", wants_ack=False)
    send(operator, incident)
    run()
    run(later(1_000))
    assert the_delivery().state == "told"
    assert tokens.PATH not in lines.sms.sent[0].text
    assert not Task.objects.filter(kind="phone").exists()


def test_who_may_not_send_is_refused_and_another_city_sees_nothing(
    authority: Authority,
    other_authority: Authority,
    operator: Actor,
    incident: Incident,
    make_person: MakePerson,
) -> None:
    officer = actor_of_person(make_person(Role.CITY_OFFICER))
    stranger = actor_of_person(make_person(Role.OPERATOR, authority=other_authority))
    assert officer is not None
    assert stranger is not None
    a_recipient(authority, "재난과 당직", "sms")
    with pytest.raises(ForbiddenError):
        send(officer, incident)
    with pytest.raises(Exception, match="nothing here"):
        send(stranger, incident)


def test_addresses_lie_sealed_are_checked_and_can_be_erased(
    authority: Authority, operator: Actor, incident: Incident, lines: Lines, make_person: MakePerson
) -> None:
    row = a_recipient(authority, "재난과 당직", "sms")
    assert b"1234" not in bytes(row.addresses_sealed)
    for wrong in ({"sms": "call me"}, {"email": "a@b\r\nBcc: all"}, {"broadcast": "x" * 300}):
        with pytest.raises(BadRequestError):
            addresses.seal(row, wrong)
    send(operator, incident)
    run()
    officer = actor_of_person(make_person(Role.CITY_OFFICER))
    assert officer is not None
    with civic_tx() as tx:
        gone = addresses.erase(tx, officer, row.id, system_clock())
    assert addresses.unseal(gone) == {}
    assert "재난과" not in str(list(Recipient.objects.values()))
    with civic.reading() as tx:
        outbox = str(tx.execute("SELECT body FROM journal_outbox"))
    assert "1234-5678" not in outbox + str(list(TimelineEntry.objects.values()))
