"""The Notification datatype (clause 5.3.1) as bytes and headers, from what was kept with the change. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from madang.hub.changes import instances, stamp_of
from madang.hub.contexts.context import Context
from madang.hub.entity import NULL, VALUE_MEMBER
from madang.hub.http.linked import Reach
from madang.hub.http.wire import LINK_REL, context_member
from madang.hub.names import CORE_URL
from madang.hub.render import Form, View, feature, render
from madang.hub.subscriptions.happening import Phase
from madang.hub.subscriptions.occurrence import Occurrence
from madang.hub.subscriptions.subscription import Subscription
from madang.kernel.clock import instant_text

Json = Any  # Any: parts of a kept document

_PREVIOUS = {
    "value": "previousValue",
    "object": "previousObject",
    "languageMap": "previousLanguageMap",
    "vocab": "previousVocab",
    "valueList": "previousValueList",
    "objectList": "previousObjectList",
    "json": "previousJson",
}
_GEO = "application/geo+json"
_LD = "application/ld+json"


@dataclass(frozen=True, slots=True)
class Message:
    """What goes out, whatever the endpoint: headers (MQTT's metadata) and the notification as JSON bytes."""

    headers: tuple[tuple[str, str], ...]
    body: bytes


def view_of(one: Subscription) -> View:
    """How the subscription's entities are rendered."""
    shown = one.shown
    return View(
        form=Form(shown.form),
        system=shown.system,
        only=shown.only,
        pick=shown.pick,
        omit=shown.omit,
        lang=shown.lang,
        datasets=frozenset("" if dataset == "@none" else dataset for dataset in shown.datasets),
    )


def compose(
    one: Subscription,
    notification_id: str,
    at_ms: int,
    found: list[Occurrence],
    names: Context,
    reached: Reach | None = None,
) -> Message:
    """The notification as it goes out (clauses 5.3.1, 6.3.5, 6.3.14), with the linked entities that were reached."""
    view = view_of(one)
    reached = reached or Reach()
    entities = [shown(one, view, each, names, at_ms, reached) for each in found]
    linked = [render(stored, behind, names) for stored, behind in reached.flat]
    data: Json = [*entities, *linked]
    if one.endpoint.accept == _GEO:
        features = [_feature(each, view, entity) for each, entity in zip(found, entities, strict=True)]
        features += [feature(stored, behind, said) for (stored, behind), said in zip(reached.flat, linked, strict=True)]
        data = {"type": "FeatureCollection", "features": features}
    body: dict[str, Json] = {
        "id": notification_id,
        "type": "Notification",
        "subscriptionId": one.id,
        "notifiedAt": time_text(at_ms),
        "data": data,
    }
    headers = [("Content-Type", one.endpoint.accept)]
    if one.endpoint.accept == _LD or (one.endpoint.accept == _GEO and _prefers_inside(one)):
        body["@context"] = context_member(names)
    else:
        address = names.source if isinstance(names.source, str) else one.context_address or CORE_URL
        headers.append(("Link", f'<{address}>; rel="{LINK_REL}"; type="application/ld+json"'))
    if one.tenant_said:
        headers.append(("NGSILD-Tenant", one.tenant))
    return Message((*headers, *one.endpoint.headers), orjson.dumps(body))


def _prefers_inside(one: Subscription) -> bool:
    """Whether GeoJSON is to carry its @context (clause 6.3.6): `Prefer: body=ld+json` among the receiver's headers."""
    said = (value for name, value in one.endpoint.headers if name.lower() == "prefer")
    return any("body=ld+json" in value.lower().replace(" ", "").replace('"', "") for value in said)


def time_text(ms: int) -> str:
    """An instant in UTC, to the millisecond."""
    return instant_text(datetime.fromtimestamp(ms / 1000, UTC))


def _feature(each: Occurrence, view: View, entity: dict[str, Json]) -> dict[str, Json]:
    if each.phase is Phase.DELETED:
        properties = {name: value for name, value in entity.items() if name != "id"}
        return {"id": each.id, "type": "Feature", "geometry": None, "properties": properties}
    return feature(each.stored(), view, entity)


def shown(
    one: Subscription, view: View, each: Occurrence, names: Context, at_ms: int, reached: Reach
) -> dict[str, Json]:
    """One entity as the subscription asked for it; deleted ones and attributes say so (clause 5.8.6)."""
    if each.phase is Phase.DELETED:
        types = [names.term(name) for name in each.types]
        entity: dict[str, Json] = {"id": each.id, "type": types[0] if len(types) == 1 else types}
        if view.system:
            entity |= {"createdAt": time_text(each.created_ms), "modifiedAt": time_text(each.modified_ms)}
        entity["deletedAt"] = time_text(at_ms)
    else:
        entity = render(each.stored(), view, names, reached.graph_from(each.id))
    _add_gone(entity, view, each, names, at_ms)
    if one.shown.changes and each.previous:
        _add_previous(entity, view, each, names)
    return entity


def _add_gone(entity: dict[str, Json], view: View, each: Occurrence, names: Context, at_ms: int) -> None:
    """Deleted attributes (clause 5.8.6), as instances whose value is the null.

    The clause would let the bare null stand where there is no more to say; receivers of normalized attributes read
    instances, and so other brokers send them always.
    """
    for name, tombs in each.gone.items():
        wanted = [tomb for tomb in tombs if not view.datasets or tomb.get("datasetId", "") in view.datasets]
        if not wanted or not view.wants(name):
            continue
        term = names.term(name)
        if view.form is Form.SIMPLIFIED:
            entity.setdefault(term, NULL)
            continue
        stored = each.stored() if view.system and each.phase is Phase.DELETED else None
        said: list[Json] = [_tomb(tomb, view, at_ms, stamp_of(stored, name, tomb) if stored else ()) for tomb in wanted]
        if term in entity:
            there = entity[term]
            said = [*(there if isinstance(there, list) and _is_instances(there) else [there]), *said]
        entity[term] = said[0] if len(said) == 1 else said


def _is_instances(value: list[Json]) -> bool:
    return all(isinstance(one, dict) for one in value)


def _tomb(tomb: dict[str, Json], view: View, at_ms: int, times: Sequence[int]) -> dict[str, Json]:
    said = dict(tomb)
    if "languageMap" in said:
        said["languageMap"] = {"@none": NULL}
    if view.form is Form.CONCISE:
        said.pop("type")
    if view.system:
        said |= zip(("createdAt", "modifiedAt"), map(time_text, times), strict=False)
        said["deletedAt"] = time_text(at_ms)
    return said


def _add_previous(entity: dict[str, Json], view: View, each: Occurrence, names: Context) -> None:
    """showChanges (clause 5.2.14): beside each changed value the one before."""
    before = each.stored()
    before.body = orjson.dumps({"id": each.id, "type": each.types[0]} | each.previous)
    rendered = render(before, View(lang=view.lang, datasets=view.datasets), names)
    for name in each.previous:
        term = names.term(name)
        if term in entity and term in rendered:
            entity[term] = _beside(entity[term], rendered[term])


def _beside(now: Json, was: Json) -> Json:
    previous = {key: _previous(one) for key, one in instances(was).items()}
    if isinstance(now, list) and now and _is_instances(now):
        return [_with(one, previous.get(one.get("datasetId", ""), {})) for one in now]
    reified = now if isinstance(now, dict) and "coordinates" not in now else {"value": now}
    return _with(reified, previous.get(reified.get("datasetId", ""), {}))


def _previous(instance: Mapping[str, Json]) -> dict[str, Json]:
    member = VALUE_MEMBER[instance["type"]]
    return {_PREVIOUS[member]: instance[member]}


def _with(instance: Json, previous: dict[str, Json]) -> Json:
    return instance | previous if isinstance(instance, dict) else instance
