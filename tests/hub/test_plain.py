"""Plain entities of batches: read at once, they come to the same as read member by member."""

from __future__ import annotations

import json
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from madang.hub import changes
from madang.hub.changes import Effect, Stored
from madang.hub.contexts.context import CORE_CONTEXT
from madang.hub.entity import NULL, read_entity
from madang.hub.errors import NgsiLdError
from madang.hub.http.wire import decode
from madang.hub.plain import PlainReader, as_sent, decode_plain, layout_of, split_batch

Json = Any  # Any: JSON

_TEXTS = st.sampled_from(
    ["", "GQ", NULL, "김해", 'a"b\\', "2026-11-22T00:00:00Z", "2026-11-22T00:00:00.5+09:00", "tomorrow"]
)
_SCALARS = st.one_of(
    st.integers(-(2**63), 2**64), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), _TEXTS
)
_PROPERTIES = st.fixed_dictionaries(
    {"type": st.sampled_from(["Property", "Property", "Property", "GeoProperty"]), "value": _SCALARS},
    optional={"unitCode": st.one_of(_TEXTS, st.none()), "observedAt": _TEXTS, "datasetId": st.just("urn:d:1")},
)
_OBJECTS = st.sampled_from(["urn:x:1", "no uri", NULL, "", "http://a/ü"])
_RELATIONSHIPS = st.fixed_dictionaries({"type": st.just("Relationship"), "object": _OBJECTS})
_NAMES = st.sampled_from(
    ["pm10", "pm25", "scope", "createdAt", "@odd", "ngsi-ld:x", "a b", "https://e.org/x", "expiresAt"]
)
_ATTRIBUTES = st.dictionaries(_NAMES, st.one_of(_PROPERTIES, _PROPERTIES, _RELATIONSHIPS, _TEXTS), max_size=4)
_HEADS = st.fixed_dictionaries(
    {"id": st.sampled_from(["urn:x:1", "no uri", ""]), "type": st.sampled_from(["T", "https://e.org/T", "a b", ""])}
)


def _mutation(body: bytes) -> changes.Mutation | None:
    return PlainReader(lambda _types, _current: None).mutation(body)


@given(_HEADS, _ATTRIBUTES, st.booleans())
def test_what_is_read_as_plain_is_kept_as_the_general_way_keeps_it(head: Json, attributes: Json, last: bool) -> None:
    sent = json.dumps(attributes | head if last else head | attributes).encode()
    mutation = _mutation(sent)
    if mutation is None or mutation.plain is None:
        return
    entity = read_entity(decode(sent), CORE_CONTEXT)
    effect = changes.replace(entity, if_missing_create=True).change(None, 0)
    assert isinstance(effect, Effect)
    assert orjson.loads(mutation.plain.body) == orjson.loads(effect.body or b"")
    assert [*orjson.loads(mutation.plain.body)] == [*orjson.loads(effect.body or b"")]
    assert (mutation.entity_id, mutation.plain.types, mutation.shapes) == (entity.id, effect.types, entity.shapes)
    assert not effect.geometries
    assert effect.expires_ms is None


@given(_HEADS, _ATTRIBUTES)
def test_what_is_decoded_for_plain_reading_can_still_be_read_the_general_way(head: Json, attributes: Json) -> None:
    sent = json.dumps([head | attributes], ensure_ascii=False).encode()
    items = split_batch(sent)
    assert items is not None
    assert [as_sent(item) for item in items] == decode(sent)


def test_an_ordinary_station_is_plain() -> None:
    pm10 = {"type": "Property", "value": 31.5, "unitCode": "GQ", "observedAt": "2026-11-22T00:00:00Z"}
    station = {"id": "urn:x:1", "type": "Station", "pm10": pm10, "of": {"type": "Relationship", "object": "urn:y:1"}}
    mutation = _mutation(orjson.dumps(station))
    assert mutation is not None
    assert mutation.plain is not None
    assert mutation.plain.body == orjson.dumps(station)


def test_the_general_way_of_a_plain_mutation_asks_who_may_first() -> None:
    refused = NgsiLdError("no")
    body = b'{"id":"urn:x:1","type":"T","a":{"type":"Property","value":1}}'
    mutation = PlainReader(lambda _types, _current: refused).mutation(body)
    assert mutation is not None
    assert mutation.change(None, 0) is refused
    assert mutation.change(Stored(1, "urn:x:1", ("T",), b"{}", {}, 0, 0, 1), 0) is refused


def test_entities_of_the_same_attributes_share_their_layout() -> None:
    one, other, reversed_ = map(
        decode_plain,
        (
            b'{"id":"urn:x:1","type":"T","a":{"type":"Property","value":1},"b":{"type":"Property","value":"x"}}',
            b'{"id":"urn:x:2","type":"U","a":{"type":"Property","value":2},"b":{"type":"Property","value":1.5}}',
            b'{"id":"urn:x:2","type":"U","b":{"type":"Property","value":2},"a":{"type":"Property","value":1.5}}',
        ),
    )
    assert one is not None
    assert other is not None
    assert reversed_ is not None
    assert layout_of(one) is layout_of(other)
    assert layout_of(one) is not layout_of(reversed_)
