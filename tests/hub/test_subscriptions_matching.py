"""Matching in memory: it answers as the store's queries do, and looking in drawers finds what asking each one finds."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from madang.hub import changes as change
from madang.hub.changes import Effect, Mutation, Stored
from madang.hub.contexts.context import CORE_CONTEXT
from madang.hub.entity import read_entity
from madang.hub.hub import Hub
from madang.hub.query import parse_query
from madang.hub.store import Observed
from madang.hub.subscriptions.conditions import Subject, of_types, related, satisfied, within_scope
from madang.hub.subscriptions.happening import Happening
from madang.hub.subscriptions.registry import Registry, matches
from madang.hub.subscriptions.subscription import Subscription, read_subscription
from tests.hub.client import run
from tests.hub.conftest import OpenHub

Json = Any  # Any: JSON
NAMES = ("a", "b", "c")
NUMBERS = st.one_of(st.integers(-3, 3), st.sampled_from([0.5, -1.5, 2.0, 2**60]))
SCALARS = st.one_of(NUMBERS, st.sampled_from(["x", "y", "xy", "urn:x:1", "2026-01-01T00:00:00Z"]), st.booleans())
PLACES = st.tuples(st.sampled_from([0.0, 0.5, 1.0, 2.0]), st.sampled_from([0.0, 0.5, 1.0, 2.0])).map(list)


@st.composite
def attributes(draw: st.DrawFn) -> Json:
    """One attribute of any kind."""
    kind = draw(
        st.sampled_from(["Property", "Property", "Property", "Many", "Relationship", "Language", "Geo", "Deep"])
    )
    if kind == "Relationship":
        return {"type": "Relationship", "object": draw(st.sampled_from(["urn:x:1", "urn:x:2"]))}
    if kind == "Language":
        return {"type": "LanguageProperty", "languageMap": {"ko": draw(st.sampled_from(["x", "y"]))}}
    if kind == "Geo":
        return {"type": "GeoProperty", "value": {"type": "Point", "coordinates": draw(PLACES)}}
    if kind == "Many":
        instances = [{"type": "Property", "value": draw(SCALARS)}]
        return [*instances, {"type": "Property", "value": draw(SCALARS), "datasetId": "urn:x:d"}]
    value = draw(st.one_of(SCALARS, st.lists(SCALARS, min_size=1, max_size=2)))
    if kind == "Deep":
        return {"type": "Property", "value": 1, "s": {"type": "Property", "value": draw(SCALARS)}}
    return {"type": "Property", "value": value}


@st.composite
def entities(draw: st.DrawFn, number: int = 0) -> Json:
    """An entity."""
    types = draw(st.lists(st.sampled_from(["A", "B", "C"]), min_size=1, max_size=2, unique=True))
    found: dict[str, Json] = {"id": f"urn:x:{number or draw(st.integers(1, 4))}", "type": types}
    for name in NAMES:
        if draw(st.booleans()):
            found[name] = draw(attributes())
    if draw(st.booleans()):
        found["location"] = {"type": "GeoProperty", "value": {"type": "Point", "coordinates": draw(PLACES)}}
    if draw(st.booleans()):
        found["scope"] = draw(st.sampled_from(["/k", "/k/g", ["/k", "/l"]]))
    return found


def _literal(value: Json) -> str:
    return (
        f'"{value}"'
        if isinstance(value, str) and value in ("x", "y", "xy")
        else orjson.dumps(value).decode().strip('"')
    )


@st.composite
def terms(draw: st.DrawFn) -> str:
    """One term of the query language."""
    path = draw(st.sampled_from([*NAMES, *NAMES, "a.s", "location"]))
    operator = draw(st.sampled_from(["", "==", "==", "!=", ">", ">=", "<", "<=", "~=", "!~=", "range", "list"]))
    if not operator:
        return path
    if operator in ("~=", "!~="):
        return f"{path}{operator}{draw(st.sampled_from(['x', '^y$']))}"
    if operator == "range":
        return f"{path}=={draw(st.integers(-3, 0))}..{draw(st.integers(0, 3))}"
    if operator == "list":
        return f"{path}=={_literal(draw(SCALARS))},{_literal(draw(SCALARS))}"
    if operator in ("==", "!="):
        return f"{path}{operator}{_literal(draw(SCALARS))}"
    return f"{path}{operator}{_literal(draw(NUMBERS))}"


CONDITIONS = st.one_of(
    terms(),
    st.tuples(terms(), terms()).map(";".join),
    st.tuples(terms(), terms()).map("|".join),
    st.tuples(terms(), terms(), terms()).map(lambda three: "{};({}|{})".format(*three)),
)
TYPES = st.sampled_from(["A", "B", "A,B", "A;B", "(A;B),C"])
AREAS = st.sampled_from(
    [
        {"georel": "within", "geometry": "Polygon", "coordinates": [[[-1, -1], [0.7, -1], [0.7, 0.7], [-1, -1]]]},
        {"georel": "near;maxDistance==60000", "geometry": "Point", "coordinates": [0.5, 0.5]},
        {"georel": "near;minDistance==60000", "geometry": "Point", "coordinates": [0.5, 0.5]},
        {"georel": "disjoint", "geometry": "Point", "coordinates": [1, 1]},
        {"georel": "equals", "geometry": "Point", "coordinates": [1, 1]},
    ]
)
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@QUICK
@given(
    made=st.lists(st.integers(1, 9), min_size=1, max_size=5, unique=True).flatmap(
        lambda numbers: st.tuples(*(entities(number) for number in numbers))
    ),
    asked=st.lists(st.tuples(TYPES, CONDITIONS, st.none() | AREAS, st.sampled_from(["", "/k", "/k/#", "/l,/m"]))),
)
def test_one_entity_is_judged_as_the_store_would(open_hub: OpenHub, made: list[Json], asked: list[Any]) -> None:
    async def test() -> None:
        async with open_hub() as hub:
            await _emptied(hub)
            assert not (await hub.upsert("one", made, source="test")).errors
            stored = [one for entity in made if (one := await hub.retrieve("one", entity["id"])) is not None]
            for types, q, area, scope in asked:
                parameters = {"type": types, "q": q, "scopeQ": scope, "limit": "50"}
                if area is not None:
                    parameters |= area | {"coordinates": orjson.dumps(area["coordinates"]).decode()}
                query = parse_query(parameters)
                page = await hub.query("one", query)
                judged = sorted(one.id for one in stored if _judged(query, one))
                assert sorted(one.id for one in page.entities) == judged, (q, made)

    def _judged(query: Any, one: Stored) -> bool:  # Any: a Query with parts that are there
        from madang.hub.geo import matcher

        subject = Subject(one)
        return (
            of_types(query.types, subject.types)
            and satisfied(query.q, subject)
            and (query.geo is None or related(matcher(query.geo), query.geo.attribute, subject))
            and (not query.scope or within_scope(query.scope, subject))
        )

    run(test)


async def _emptied(hub: Hub) -> None:
    query = parse_query({"idPattern": ".*", "limit": "1000"})
    page = await hub.query("one", query)
    await hub.write("one", [change.delete(one.id) for one in page.entities], "test")


@st.composite
def subscriptions(draw: st.DrawFn) -> Json:
    """A subscription document."""
    selector: dict[str, Json] = {"type": draw(st.one_of(TYPES, st.just("*")))}
    if draw(st.integers(0, 3)) == 0:
        selector["id"] = [f"urn:x:{draw(st.integers(1, 4))}"]
    if draw(st.integers(0, 4)) == 0:
        selector["idPattern"] = "[13]$"
    document: dict[str, Json] = {"type": "Subscription", "notification": {"endpoint": {"uri": "http://x.example/"}}}
    if draw(st.integers(0, 4)):
        document["entities"] = [selector]
    if draw(st.booleans()) or "entities" not in document:
        document["watchedAttributes"] = draw(st.lists(st.sampled_from([*NAMES, "location"]), min_size=1, unique=True))
    if draw(st.booleans()):
        document["notificationTrigger"] = draw(
            st.lists(
                st.sampled_from(["entityCreated", "entityUpdated", "entityDeleted", "attributeDeleted"]), min_size=1
            )
        )
    if draw(st.booleans()):
        document["q"] = draw(CONDITIONS)
    if draw(st.integers(0, 2)) == 0:
        document["geoQ"] = draw(AREAS)
    if draw(st.integers(0, 4)) == 0:
        document["scopeQ"] = draw(st.sampled_from(["/k", "/k/#"]))
    return document


@settings(max_examples=150, deadline=None)
@given(
    documents=st.lists(subscriptions(), min_size=1, max_size=30),
    life=st.lists(st.none() | entities(1), min_size=1, max_size=5),
    gone=st.sets(st.integers(0, 29)),
)
def test_the_drawers_find_what_asking_every_subscription_finds(
    documents: list[Json], life: list[Json], gone: set[int]
) -> None:
    registry, every = Registry(), []
    for number, document in enumerate(documents):
        one = read_subscription(document, CORE_CONTEXT)
        one.id, one.number = f"urn:s:{number}", number
        registry.put(one)
        every.append(one)
    for number in gone:
        registry.remove(number)
    left = [one for one in every if one.number not in gone]
    for observed in _observed(life):
        happening = Happening(observed)
        expected = [one for one in left if matches(one, happening, 0)]
        assert registry.matching(happening, 0) == expected
        assert not expected or registry.concerns(happening.subject.stored)


def _observed(life: list[Json]) -> list[Observed]:
    """The changes of one entity that is upserted, or deleted where it is None."""
    found: list[Observed] = []
    current: Stored | None = None
    for step, said in enumerate(life):
        entity = read_entity(said, CORE_CONTEXT) if said is not None else None
        mutation: Mutation = (
            change.delete("urn:x:1") if entity is None else change.replace(entity, if_missing_create=True)
        )
        effect = mutation.change(current, step)
        if not isinstance(effect, Effect):
            continue
        after = None
        if effect.body is not None:
            after = Stored(1, "urn:x:1", effect.types, effect.body, effect.stamps, step, step, step)
        found.append(Observed(step, "urn:x:1", current, after, effect))
        current = after
    return found


def test_thresholds_areas_and_values_are_found_among_many() -> None:
    registry = Registry()
    for number in range(2_000):
        area = {"georel": "near;maxDistance==10", "geometry": "Point", "coordinates": [number / 100, 1]}
        kinds: list[dict[str, Json]] = [{"q": f"a>{number}"}, {"q": f"b=={number}"}, {"geoQ": area}]
        for kind, more in enumerate([*kinds, {"q": f"a=={number}..{number + 1}"}]):
            document = _plain() | more
            one = read_subscription(document, CORE_CONTEXT)
            one.id, one.number = f"urn:s:{kind}:{number}", kind * 10_000 + number
            registry.put(one)
    entity = {
        "id": "urn:x:1",
        "type": "A",
        "a": {"type": "Property", "value": 3},
        "b": {"type": "Property", "value": 7},
        "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [5.0, 1]}},
    }
    (observed,) = _observed([entity])
    found = [one.id for one in registry.matching(Happening(observed), 0)]
    above = ["urn:s:0:0", "urn:s:0:1", "urn:s:0:2"]
    assert found == [*above, "urn:s:1:7", "urn:s:2:500", "urn:s:3:2", "urn:s:3:3"]


def _plain() -> dict[str, Json]:
    return {"type": "Subscription", "entities": [{"type": "A"}], "notification": {"endpoint": {"uri": "http://x.io/"}}}


def test_a_subscription_kept_with_its_names_is_compiled_to_the_same(open_hub: OpenHub) -> None:
    from madang.hub.subscriptions.subscription import Replayed

    document = _plain() | {"q": 'a.b[c]=="x"', "watchedAttributes": ["a"], "geoQ": None}
    del document["geoQ"]
    one = read_subscription(document, CORE_CONTEXT)
    again: Subscription = read_subscription(document, Replayed(one.names))
    assert (again.q, again.watched, again.selectors) == (one.q, one.watched, one.selectors)
