"""A call never bounces because of what it says: whatever the body, there is a word, and the incident opens."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from madang.identity.actors import actor_of_agency
from madang.identity.models import Agency
from madang.journal import civic
from madang.kernel.mode import Mode
from madang.linkages.police112 import translate, wire
from madang.response import commands
from madang.response.models import Incident
from tests.linkages.police112.conftest import HALL, HARBOUR, NOW, request_body

Json = dict[str, Any]  # Any: JSON values
CALLS = itertools.count()
FACTS = ("code", "crime_class", "place", "radius_m", "basis", "officer", "caller", "text", "received_at")


def said(kind: str, body: Json, *, seq: int = 1, call: str = "c-1") -> wire.Envelope:
    return wire.Envelope(
        kind=kind,
        schema_ver="1.0",
        msg_id=f"m-{kind}-{seq}",
        dialogue_id=call,
        sent_at="2026-11-22T09:00:00+09:00",
        sender="gimhae-police",
        recipient="48250",
        mode=Mode.SIMULATED,
        body=body,
        seq=seq,
    )


def test_what_is_well_said_is_taken_as_said() -> None:
    word = translate.word_of(said("VideoRequest", request_body(received_at="2026-11-22T08:59:41+09:00")))
    assert word.facts["class"] == "robbery"
    assert word.facts["code"] == 1
    assert word.facts["place"]["lon"] == HALL.lon
    assert word.facts["received_at"] == "2026-11-21T23:59:41.000Z"
    assert word.caller == {"phone": "010-1234-5678"}
    assert not [why for name, why in word.facts.items() if name.startswith("doubt:") and why]


def test_numbers_sent_as_text_are_understood_and_nonsense_is_set_aside() -> None:
    body = request_body(code="2", place={"lon": "128.9", "lat": "north", "accuracy_m": -5, "address": 7}, radius_m=9)
    facts = translate.word_of(said("VideoRequest", body)).facts
    assert (facts["code"], facts["place"]["lon"], facts["place"]["lat"]) == (2, 128.9, None)
    assert "radius_m" not in facts
    doubts = {name.removeprefix("doubt:"): why for name, why in facts.items() if name.startswith("doubt:") and why}
    assert doubts == {
        "place.lat": "not_a_number",
        "place.accuracy_m": "not_a_length",
        "place.address": "not_text",
        "radius_m": "out_of_range",
    }


def test_a_fact_said_rightly_later_is_no_longer_doubted() -> None:
    assert translate.word_of(said("VideoUpdate", {"code": 3})).facts == {"code": 3, "doubt:code": ""}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
odd_places = st.fixed_dictionaries({}, optional=dict.fromkeys(("lon", "lat", "accuracy_m", "address"), json_values))
odd_bodies = st.fixed_dictionaries({}, optional=dict.fromkeys(FACTS, json_values | odd_places))


@given(body=odd_bodies, kind=st.sampled_from(sorted(wire.CALL_KINDS)))
def test_any_body_becomes_a_word_that_can_be_stored(body: Json, kind: str) -> None:
    word = translate.word_of(said(kind, body))
    assert orjson.loads(orjson.dumps(dict(word.facts))) == word.facts
    assert all(isinstance(value, str) for value in word.caller.values())


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=odd_bodies)
def test_any_request_opens_an_incident(city: object, make_agency: Callable[..., Agency], body: Json) -> None:
    actor = actor_of_agency(make_agency())
    call = f"call-{next(CALLS)}"
    with civic.transaction() as tx:
        incident = commands.hear(tx, actor, translate.word_of(said("VideoRequest", body, call=call)), NOW)
    assert incident is not None
    assert incident.state == "NEW"
    assert incident.place_state in {"located", "approximate", "unlocated", "outside"}


DIALOGUE = [
    said("VideoRequest", request_body(), seq=1),
    said("VideoUpdate", {"place": {"lon": HARBOUR.lon, "lat": HARBOUR.lat}, "text": "이동"}, seq=2),
    said("VideoUpdate", {"code": 0, "crime_class": "weapon"}, seq=3),
    said("VideoUpdate", {"code": "?", "text": "흉기 소지"}, seq=4),
    said("CallClosed", {"text": "종결"}, seq=5),
    said("ResultReport", {"outcome": "arrest"}, seq=6),
]
COLUMNS = [
    "class_code",
    "priority",
    "state",
    "place_state",
    "lon",
    "lat",
    "note",
    "outcome",
    "basis",
    "officer",
    "doubts",
    "has_caller",
]


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(numbers=st.randoms(use_true_random=False), data=st.data())
def test_shuffled_and_doubled_messages_come_to_the_same_state(
    city: object, make_agency: Callable[..., Agency], numbers: random.Random, data: st.DataObject
) -> None:
    actor = actor_of_agency(make_agency())

    def state_after(messages: list[wire.Envelope]) -> Json:
        call = f"call-{next(CALLS)}"
        for message in messages:
            word = translate.word_of(said(message.kind, message.body, seq=message.seq or 1, call=call))
            with civic.transaction() as tx:
                commands.hear(tx, actor, word, NOW)
        row: Json = Incident.objects.filter(source_key=call).values(*COLUMNS).get()
        return row

    doubled = data.draw(st.permutations(DIALOGUE + numbers.sample(DIALOGUE, 2)))
    expected = state_after(DIALOGUE)
    assert expected["state"] == "CLOSED"
    assert state_after(list(doubled)) == expected
