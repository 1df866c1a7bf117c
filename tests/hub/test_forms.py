"""Forms: what is known by its letters alone is what reading it member by member says it is."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from madang.hub.changes import geometries
from madang.hub.contexts.context import CORE_CONTEXT
from madang.hub.entity import NULL, read_entity
from madang.hub.errors import NgsiLdError
from madang.hub.forms import Form
from madang.hub.http.wire import decode
from madang.hub.plain import PlainReader

Json = Any  # Any: JSON

_FORM = Form("측정소", {"pm10": "Property", "이름": "Property", "of": "Relationship", "location": "GeoProperty"})
_ORDINARY = {
    "id": '"urn:x:1"',
    "value": "31.5",
    "unit": '"GQ"',
    "at": '"2026-11-22T00:00:00Z"',
    "name": '"김해"',
    "name_at": '"2026-11-22T00:00:00Z"',
    "object": '"urn:y:1"',
    "lon": "128.9",
    "lat": "35.2",
    "location_at": '"2026-11-21T00:00:00.5Z"',
}


def _sent(said: dict[str, str]) -> bytes:
    """The bytes of a station whose values are the JSON texts given."""
    return (
        '{{"id":{id},"type":"측정소",'
        '"pm10":{{"type":"Property","value":{value},"unitCode":{unit},"observedAt":{at}}},'
        '"이름":{{"type":"Property","value":{name},"observedAt":{name_at}}},'
        '"of":{{"type":"Relationship","object":{object}}},'
        '"location":{{"type":"GeoProperty","value":{{"type":"Point","coordinates":[{lon},{lat}]}},'
        '"observedAt":{location_at}}}}}'.format(**said)
    ).encode("utf-8", "surrogatepass")


_WORDS = st.one_of(
    st.text(st.characters(), max_size=6),
    st.sampled_from(
        ["", NULL, NULL + "x", "urn:x:1", "http://a/ü", "no uri", "x:", "x" * 70 + ":y", "x:" + "y" * 2100]
    ),
    st.from_regex(r"(19|20)\d\d-[01]\d-[0-3]\dT[0-2]\d:[0-6]\d:[0-6]\d(\.\d{1,10})?(Z|\+09:00)", fullmatch=True),
)
_LITERALS = st.one_of(
    _WORDS.map(lambda text: f'"{text}"'),
    _WORDS.map(lambda text: orjson.dumps(text).decode() if text.isprintable() else '"\\ud800"'),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-(2**65), 2**65).map(str),
    st.sampled_from(["-0", "01", "1.", ".5", "1e5", "-", "180", "-180.0", "90.0000001", "1E400", "true", "null", "[]"]),
)


@given(st.dictionaries(st.sampled_from([*_ORDINARY]), _LITERALS, max_size=3))
def test_what_has_a_form_is_read_the_same_member_by_member(odd: dict[str, str]) -> None:
    sent = _sent(_ORDINARY | odd)
    found = _FORM.find(sent)
    if found is None:
        return
    entity = read_entity(decode(sent), CORE_CONTEXT)
    kept = entity.document()
    assert found == (entity.id, sent, tuple(_points(entity.attributes)))
    assert (orjson.loads(sent), [*orjson.loads(sent)]) == (kept, [*kept])
    assert entity.expires_ms is None


def _points(attributes: Json) -> list[tuple[str, float, float]]:
    return [(name, *spot["coordinates"]) for name, spot in geometries(attributes)]


@pytest.mark.parametrize("odd", [{}, {"value": "-12"}, {"value": '"x y"'}, {"value": "true"}, {"lon": "128"}])
def test_an_ordinary_station_has_its_form(odd: dict[str, str]) -> None:
    assert _FORM.find(_sent(_ORDINARY | odd)) is not None


@pytest.mark.parametrize("left_out", [',"observedAt":"2026-11-22T00:00:00Z"', ',"unitCode":"GQ"'])
def test_units_and_instants_may_be_missing(left_out: str) -> None:
    assert _FORM.find(_sent(_ORDINARY).replace(left_out.encode(), b"")) is not None


@pytest.mark.parametrize(
    "odd",
    [
        {"at": '"2026-02-30T00:00:00Z"'},
        {"name_at": '"2026-04-31T00:00:00Z"'},
        {"at": '"2026-11-22T24:00:00Z"'},
        {"value": f'"{NULL}"'},
        {"object": f'"{NULL}"'},
        {"value": "9223372036854775808"},
        {"lat": "90.5"},
        {"name": '"\x01"'},
        {"name": '"\ud800"'},
        {"unit": '""'},
    ],
)
def test_what_is_refused_or_kept_otherwise_has_no_form(odd: dict[str, str]) -> None:
    assert _FORM.find(_sent(_ORDINARY | odd)) is None


def test_an_entity_with_members_beside_those_of_the_form_has_another() -> None:
    sent = _sent(_ORDINARY)
    assert _FORM.find(sent.replace(b'"type":"Relationship"', b'"type":"Relationship","datasetId":"urn:d:1"')) is None
    assert _FORM.find(sent[:-1] + b',"more":{"type":"Property","value":1}}') is None
    assert _FORM.find(sent[:-1] + b',"id":"urn:x:2"}') is None
    assert _FORM.find(sent + b"\n") is None


def test_what_comes_often_is_read_by_its_form_and_comes_to_the_same() -> None:
    reader = PlainReader(lambda _types, _current: None)
    for number in range(200):
        sent = _sent(_ORDINARY | {"id": f'"urn:x:{number}"', "value": str(number), "lon": str(number / 2)})
        mutation = reader.mutation(sent)
        assert mutation is not None
        assert mutation.plain is not None
        assert (mutation.plain.id, mutation.plain.body) == (f"urn:x:{number}", sent)
        assert mutation.plain.points == (("location", number / 2, 35.2),)
        assert mutation.plain.layout.names == ("pm10", "이름", "of", "location")


def test_refused_writers_are_refused_by_form_too() -> None:
    refused = NgsiLdError("no")
    reader = PlainReader(lambda _types, _current: refused)
    for _ in range(100):
        mutation = reader.mutation(_sent(_ORDINARY))
        assert mutation is not None
        assert mutation.change(None, 0) is refused
