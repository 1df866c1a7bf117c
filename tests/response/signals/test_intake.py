"""Taking signals in: once, whatever is sent, or not at all and said why."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from madang.identity.models import Authority
from madang.identity.rights import Actor, ActorKind, Role
from madang.journal import alarms, civic
from madang.kernel.errors import ForbiddenError, NotFoundError
from madang.response.signals.domain import Source
from madang.response.signals.intake import Receipt, accept
from madang.response.signals.models import Signal
from tests.response.signals.conftest import Desk

pytestmark = pytest.mark.django_db


def test_the_same_report_is_kept_once_however_often_it_comes(desk: Desk) -> None:
    draft = desk.draft()
    first, again = desk.take_in(draft, draft)
    assert (first.receipt, again.receipt) == (Receipt.NEW, Receipt.REPEATED)
    later = desk.take_in(draft)[0]
    assert (later.receipt, later.signal_id) == (Receipt.REPEATED, first.signal_id)
    assert Signal.objects.count() == 1


def test_the_same_id_for_something_else_is_an_alarm_and_the_first_report_stands(desk: Desk) -> None:
    first = desk.take_in(desk.draft(source_id="x", text="불"))[0]
    other = desk.take_in(desk.draft(source_id="x", text="물"))[0]
    assert (other.receipt, other.signal_id) == (Receipt.CONFLICTING, first.signal_id)
    assert Signal.objects.get().text == "불"
    with civic.reading() as tx:
        assert [alarm.message_id for alarm in alarms.open_alarms(tx, desk.city)] == ["x"]


def test_devices_sources_and_modes_number_their_reports_by_themselves(desk: Desk) -> None:
    from madang.kernel.mode import Mode

    same: dict[str, Any] = {"source_id": "1"}  # Any: fields of a draft
    drafts = [
        desk.draft(**same),
        desk.draft(**same, device="D-2"),
        desk.draft(**same, source="bell"),
        desk.draft(**same, mode=Mode.LIVE),
    ]
    assert {answer.receipt for answer in desk.take_in(*drafts)} == {Receipt.NEW}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"source_id": ""}, "source_id"),
        ({"source": "horoscope"}, "source"),
        ({"class_code": "x" * 65}, "class_code"),
        ({"device": "a\x00b"}, "device"),
        ({"text": "\ud83d"}, "UTF-8"),
        ({"priority": 9}, "priority"),
        ({"confidence": 2.0}, "confidence"),
        ({"attributes": {"a": "b" * 20_000}}, "bytes"),
        ({"attributes": {"a": object()}}, "written down"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_name_and_spoils_nothing_beside_it(
    desk: Desk,
    change: dict[str, Any],
    named: str,  # Any: fields of a draft
) -> None:
    refused, kept = desk.take_in(desk.draft(**change), desk.draft())
    assert refused.receipt is Receipt.REFUSED
    assert named in refused.reason
    assert kept.receipt is Receipt.NEW


def test_hangul_is_kept_in_one_form(desk: Desk) -> None:
    desk.take_in(desk.draft(text="\u1100\u1175\u11b7\u1112\u1162"))
    assert Signal.objects.get().text == "김해"


def test_a_place_that_is_no_number_is_taken_as_unknown(desk: Desk) -> None:
    assert desk.take_in(desk.draft(lon=float("nan"), lat=float("inf")))[0].receipt is Receipt.NEW
    row = Signal.objects.get()
    assert (row.lon, row.lat) == (None, None)


def test_nobody_reports_for_another_city_or_without_the_right(desk: Desk, other_authority: Authority) -> None:
    stranger = Actor("token:1", ActorKind.TOKEN, "x", {other_authority.code: frozenset({Role.DEVICE})})
    auditor = Actor("person:1", ActorKind.PERSON, "x", {desk.city: frozenset({Role.AUDITOR})})
    with civic.transaction() as tx:
        with pytest.raises(NotFoundError):
            accept(tx, stranger, [desk.draft()], desk.now)
        with pytest.raises(ForbiddenError):
            accept(tx, auditor, [desk.draft()], desk.now)
    assert not Signal.objects.exists()


@given(
    text=st.text(max_size=50),
    device=st.text(max_size=120),
    source_id=st.text(max_size=220),
    source=st.sampled_from([*Source, "other"]),
    lon=st.none() | st.floats(),
    accuracy=st.none() | st.floats(),
    attributes=st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=3),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_draft_is_kept_or_refused_with_a_reason_and_settles_somewhere(
    authority: Authority,
    text: str,
    device: str,
    source_id: str,
    source: str,
    lon: float | None,
    accuracy: float | None,
    attributes: dict[str, object],
) -> None:
    desk = Desk(authority.code)
    draft = desk.draft(
        "motion", text=text, device=device, source_id=source_id, source=source, lon=lon, accuracy_m=accuracy
    )
    answer = desk.take_in(draft)[0]
    assert bool(answer.signal_id) != bool(answer.reason) or answer.receipt is Receipt.CONFLICTING
    desk.settle()
    assert not Signal.objects.filter(outcome="").exists()
