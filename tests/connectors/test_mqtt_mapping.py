"""Topics and payloads become readings, or a reason why not."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from madang.connectors.mqtt.config import AttributeRule, TopicRule
from madang.connectors.mqtt.mapping import Unreadable, compile_routes, read
from madang.hub import changes as change
from madang.hub.changes import Mutation
from madang.hub.contexts.context import CORE_CONTEXT
from madang.hub.entity import read_entity
from madang.kernel.errors import ConfigError

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
AIR = TopicRule(
    topic="gimhae/air/{station}",
    authority="gimhae",
    entity_type="AirQualityObserved",
    entity_id="urn:ngsi-ld:AirQualityObserved:{station}",
    observed_at="at",
    lon="lon",
    lat="lat",
    attributes={
        "pm10": AttributeRule(path="values.pm10", unit="GQ", minimum=0, maximum=2000),
        "status": AttributeRule(path="status", kind="text"),
        "on": AttributeRule(path="on", kind="boolean"),
    },
)
OWN = TopicRule(topic="gimhae/ld", authority="gimhae", payload="ngsi-ld", entity_type="Device")
ROUTES = compile_routes([AIR, OWN])


def reading(payload: object, topic: str = "gimhae/air/st-1") -> dict[str, object] | str:
    """The fragment, or the reason there is none."""
    body = payload if isinstance(payload, bytes) else orjson.dumps(payload)
    found = read(ROUTES, topic, body, NOW, 1000)
    return found.reason if isinstance(found, Unreadable) else fragment(found[1])


def fragment(said: Mutation | dict[str, object]) -> dict[str, object]:
    """A reading that is ready for the writer, as the fragment it stands for."""
    if not isinstance(said, Mutation):
        return said
    assert said.reading is not None
    return {"id": said.entity_id, "type": said.reading.types[0], **said.reading.attributes}


def test_a_json_reading_becomes_an_entity_with_unit_instant_and_place() -> None:
    payload = {"values": {"pm10": 41}, "at": "2026-11-22T11:59:00+09:00", "lon": 128.88, "lat": 35.23, "on": True}
    assert reading(payload) == {
        "id": "urn:ngsi-ld:AirQualityObserved:st-1",
        "type": "AirQualityObserved",
        "pm10": {"type": "Property", "value": 41, "observedAt": "2026-11-22T02:59:00.000Z", "unitCode": "GQ"},
        "on": {"type": "Property", "value": True, "observedAt": "2026-11-22T02:59:00.000Z"},
        "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [128.88, 35.23]}},
    }


def test_without_an_instant_the_reading_is_of_now_and_unix_seconds_are_taken() -> None:
    now = reading({"status": "ok"})
    then = reading({"status": "ok", "at": NOW.timestamp() - 60})
    assert isinstance(now, dict) and isinstance(then, dict)
    assert now["status"] == {"type": "Property", "value": "ok", "observedAt": "2026-11-22T03:00:00.000Z"}
    assert then["status"] == {"type": "Property", "value": "ok", "observedAt": "2026-11-22T02:59:00.000Z"}


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"\xff\xfe", "not JSON"),
        (b"[1]", "not a JSON object"),
        (b"[" * 600, "deeper than"),
        (b'{"a":"' + b"x" * 2000 + b'"}', "at most 1000"),
        ({}, "none of pm10"),
        ({"values": {"pm10": "41"}}, "not a number"),
        ({"values": {"pm10": True}}, "not a number"),
        ({"values": {"pm10": -1}}, "outside 0"),
        ({"values": {"pm10": 99999}}, "outside 0"),
        ({"status": 7}, "not text"),
        ({"on": "yes"}, "not true or false"),
        ({"status": "ok", "at": "2026-11-22T11:59:00"}, "no UTC offset"),
        ({"status": "ok", "at": "2026-11-22T23:59:00+09:00"}, "in the future"),
        ({"status": "ok", "at": "0001-01-01T00:00:00+23:59"}, "years 1 to 9999"),
        ({"status": "ok", "at": [1]}, "no instant"),
        ({"status": "ok", "lon": 35.2, "lat": 128.8}, "swapped"),
        ({"status": "ok", "lon": 0, "lat": 0}, "zero"),
        ({"status": "ok", "lon": "128", "lat": 35}, "not numbers"),
    ],
)
def test_what_cannot_be_believed_is_refused_with_its_reason(payload: object, reason: str) -> None:
    found = reading(payload)
    assert isinstance(found, str)
    assert reason in found


def test_a_topic_nobody_described_is_refused() -> None:
    assert reading({}, "elsewhere/air/st-1") == "no topic rule matches"
    assert reading({}, "gimhae/air/st-1/more") == "no topic rule matches"


def test_an_entity_in_ngsi_ld_passes_as_it_is_if_its_type_is_the_topic_s() -> None:
    entity = {"id": "urn:x:1", "type": "Device", "a": {"type": "Property", "value": 1}}
    assert reading(entity, "gimhae/ld") == entity
    assert "takes 'Device'" in str(reading({**entity, "type": "Incident"}, "gimhae/ld"))
    assert "needs id and type" in str(reading({"type": "Device"}, "gimhae/ld"))


def test_a_topic_level_cannot_smuggle_characters_into_the_id() -> None:
    found = reading({"status": "ok"}, 'gimhae/air/"><x y')
    assert isinstance(found, dict)
    assert found["id"] == "urn:ngsi-ld:AirQualityObserved:%22%3E%3Cx%20y"


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (
            TopicRule(topic="a/{b}", authority="x", entity_type="T", entity_id="urn:{c}", attributes=AIR.attributes),
            "uses c",
        ),
        (TopicRule(topic="a/b", authority="x"), "needs entity_type"),
        (
            TopicRule(topic="a/x{b}", authority="x", entity_type="T", entity_id="u", attributes=AIR.attributes),
            "whole level",
        ),
    ],
)
def test_a_rule_that_cannot_work_is_refused_by_its_topic(rule: TopicRule, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        compile_routes([rule])
    assert rule.topic in caught.value.where


@given(st.binary(max_size=200), st.text(max_size=40))
def test_no_bytes_at_all_break_the_reader(payload: bytes, level: str) -> None:
    found = read(ROUTES, f"gimhae/air/{level}", payload, NOW, 1000)
    assert isinstance(found, Unreadable | tuple)


PLAIN = compile_routes(
    [
        TopicRule(
            topic="a/{station}",
            authority="gimhae",
            entity_type="Station",
            entity_id="{station}",
            observed_at="at",
            attributes={
                "pm10": AttributeRule(path="pm10", unit="GQ", minimum=0),
                "status": AttributeRule(path="status", kind="text"),
                "on": AttributeRule(path="on", kind="boolean"),
            },
        )
    ]
)
PAYLOADS = st.fixed_dictionaries(
    {},
    optional={
        "pm10": st.one_of(st.integers(0, 2**65), st.floats(0, allow_infinity=False), st.text(max_size=3)),
        "status": st.one_of(st.text(max_size=5), st.sampled_from(["urn:ngsi-ld:null", ""]), st.none()),
        "on": st.booleans(),
        "at": st.one_of(st.floats(0, 2e9), st.sampled_from(["2026-11-22T11:59:00+09:00", "0001-01-01T00:00:00Z"])),
    },
)


@given(PAYLOADS, st.sampled_from(["urn:x:1", "none", "http:한글"]))
def test_a_reading_that_is_ready_for_the_writer_is_what_the_hub_would_read_from_it(
    payload: dict[str, object], station: str
) -> None:
    found = read(PLAIN, f"a/{station}", json.dumps(payload).encode(), NOW, 1000)
    if isinstance(found, Unreadable):
        return
    assert isinstance(found[1], Mutation) == (station != "none")
    if isinstance(found[1], Mutation):
        made = change.ingest(read_entity(fragment(found[1]), CORE_CONTEXT))
        assert (made.entity_id, made.reading, made.shapes) == (found[1].entity_id, found[1].reading, found[1].shapes)
        assert made.change(None, 1) == found[1].change(None, 1)
