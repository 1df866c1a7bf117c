"""From a topic and its payload to an entity fragment. Pure."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from madang.connectors.mqtt.config import AttributeRule, TopicRule
from madang.hub.changes import Mutation, reading
from madang.hub.entity import NULL, Shape
from madang.hub.names import is_uri
from madang.hub.plain import is_kept_name
from madang.kernel.canonical import parse_json
from madang.kernel.clock import instant_text, parse_instant
from madang.kernel.errors import ConfigError, MadangError
from madang.kernel.geometry import judge

Json = dict[str, Any]  # Any: JSON members
FUTURE = timedelta(minutes=5)
"""A device's clock may run ahead this much; a later instant is refused."""
_TOPICS_KEPT = 20_000
_PLACE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why a message could not become a reading."""

    reason: str


_Attribute = tuple[str, str, bool, AttributeRule, float, float]
"""Name, path, whether that leads into the payload, rule, and the bounds within which a number needs no further look;
none is within where the rule asks for another kind."""


@dataclass(frozen=True, slots=True)
class Route:
    """A topic rule made ready."""

    rule: TopicRule
    pattern: re.Pattern[str]
    filter: str
    attributes: tuple[_Attribute, ...] = ()
    shapes: Mapping[str, int] | None = None
    """Of the attributes, where all that comes is plain Properties under kept names: then nothing is left to check."""
    entities: dict[str, tuple[str, bool]] = field(default_factory=dict, compare=False)
    """Topics that came before, the entities they stand for, whether their readings are in kept form: devices send to
    the same topics for ever."""


def compile_routes(rules: Sequence[TopicRule]) -> list[Route]:
    """Checks and prepares the rules; raises `ConfigError` naming the topic that cannot work."""
    return [_route(rule) for rule in rules]


def _route(rule: TopicRule) -> Route:
    names = _PLACE.findall(rule.topic)
    unknown = set(_PLACE.findall(rule.entity_id)) - set(names)
    where = f"[mqtt] topic {rule.topic!r}"
    if unknown:
        raise ConfigError(f"entity_id uses {', '.join(sorted(unknown))}, which the topic does not have", where=where)
    if rule.payload == "json" and not (rule.entity_type and rule.entity_id and rule.attributes):
        raise ConfigError("a JSON topic needs entity_type, entity_id and attributes", where=where)
    levels = rule.topic.split("/")
    if any("{" in level and not _PLACE.fullmatch(level) for level in levels):
        raise ConfigError("a {name} must be a whole level of the topic", where=where)
    pattern = "/".join(
        f"(?P<{found[1]}>[^/]+)" if (found := _PLACE.fullmatch(level)) else re.escape(level) for level in levels
    )
    shapes = dict.fromkeys(rule.attributes, int(Shape.PROPERTY)) if _is_plain(rule) else None
    attributes = tuple(_prepared(name, attribute) for name, attribute in rule.attributes.items())
    return Route(rule, re.compile(pattern), _PLACE.sub("+", rule.topic), attributes, shapes)


def _prepared(name: str, rule: AttributeRule) -> _Attribute:
    if rule.kind != "number":
        return name, rule.path, "." in rule.path, rule, math.inf, -math.inf
    least = -sys.float_info.max if rule.minimum is None else rule.minimum
    most = sys.float_info.max if rule.maximum is None else rule.maximum
    return name, rule.path, "." in rule.path, rule, least, most


def _is_plain(rule: TopicRule) -> bool:
    units = [attribute.unit for attribute in rule.attributes.values()]
    names = (rule.entity_type, *rule.attributes)
    return rule.payload == "json" and not rule.lon and NULL not in units and all(map(is_kept_name, names))


def read(
    routes: Sequence[Route], topic: str, payload: bytes, now: datetime, max_payload: int
) -> tuple[Route, Json | Mutation] | Unreadable:
    """What a message stands for, or why it stands for nothing: a reading ready for the writer where it is plain (that
    saves half of what taking it costs, measured), else an entity fragment (normalized NGSI-LD)."""
    for route in routes:
        entity = route.entities.get(topic) or _entity_of(route, topic)
        if entity is not None:
            try:
                return route, _message(route, entity, payload, now, max_payload)
            except (MadangError, ValueError, ArithmeticError) as error:
                return Unreadable(str(error))
    return Unreadable("no topic rule matches")


def _entity_of(route: Route, topic: str) -> tuple[str, bool] | None:
    """The entity a topic stands for (empty where the payload says it), or None where the rule does not match."""
    match = route.pattern.fullmatch(topic)
    if match is None:
        return None
    names = {name: quote(value, safe="-._~:") for name, value in match.groupdict().items()}
    entity_id = route.rule.entity_id.format_map(names)
    entity = entity_id, route.shapes is not None and is_uri(entity_id)
    if len(route.entities) < _TOPICS_KEPT:
        route.entities[topic] = entity
    return entity


def _message(
    route: Route, entity: tuple[str, bool], payload: bytes, now: datetime, max_payload: int
) -> Json | Mutation:
    rule, (entity_id, plain) = route.rule, entity
    body = parse_json(payload, max_bytes=max_payload, where="payload")
    if not isinstance(body, dict):
        raise ValueError("the payload is not a JSON object")
    if rule.payload == "ngsi-ld":
        return _own_entity(rule, body)
    attributes = _attributes(route, body, now)
    if plain and route.shapes is not None:
        shapes = route.shapes
        if len(attributes) < len(shapes):
            shapes = {name: shapes[name] for name in attributes}
        return reading(entity_id, (rule.entity_type,), attributes, shapes)
    fragment: Json = {"id": entity_id, "type": rule.entity_type} | attributes
    return fragment | _location(rule, body) if rule.lon else fragment


def _attributes(route: Route, body: Json, now: datetime) -> Json:
    rule = route.rule
    observed_at = _observed(rule, body, now)
    attributes: Json = {}
    for name, path, inside, attribute, least, most in route.attributes:
        value = _find(body, path) if inside else body.get(path)
        if value is None:
            continue
        if not ((value.__class__ is float or value.__class__ is int) and least <= value <= most):
            _check(attribute, value)
        unit = attribute.unit
        if unit:
            attributes[name] = {"type": "Property", "value": value, "observedAt": observed_at, "unitCode": unit}
        else:
            attributes[name] = {"type": "Property", "value": value, "observedAt": observed_at}
    if not attributes:
        raise ValueError(f"none of {', '.join(rule.attributes)} is in the payload")
    return attributes


def _own_entity(rule: TopicRule, body: Json) -> Json:
    if not isinstance(body.get("id"), str) or not body.get("type"):
        raise ValueError("an NGSI-LD payload needs id and type")
    if rule.entity_type and body["type"] != rule.entity_type:
        raise ValueError(f"type is {body['type']!r}; this topic takes {rule.entity_type!r}")
    return body


def _find(body: Json, path: str) -> Any:  # Any: a JSON value
    value: Any = body  # Any: walks down JSON
    for member in path.split("."):
        value = value.get(member) if isinstance(value, dict) else None
    return value


def _check(rule: AttributeRule, value: object) -> None:
    if rule.kind == "text":
        if not isinstance(value, str):
            raise ValueError(f"{rule.path} is not text")
        if value == NULL:
            raise ValueError(f"{rule.path} is an NGSI-LD Null")
        return
    if rule.kind == "boolean":
        if not isinstance(value, bool):
            raise ValueError(f"{rule.path} is not true or false")
        return
    if not (type(value) is float or type(value) is int) or not math.isfinite(value):
        raise ValueError(f"{rule.path} is not a number: {str(value)[:40]!r}")
    if (rule.minimum is not None and value < rule.minimum) or (rule.maximum is not None and value > rule.maximum):
        raise ValueError(f"{rule.path} = {value} lies outside {rule.minimum} … {rule.maximum}")


def _observed(rule: TopicRule, body: Json, now: datetime) -> str:
    path = rule.observed_at
    value = _find(body, path) if "." in path else body.get(path) if path else None
    if value is None:
        return instant_text(now)
    if (value.__class__ is int or value.__class__ is float) and 0 < value < 4e9:
        observed, text = _of_unix(value)
    elif isinstance(value, str):
        observed = parse_instant(value)
        text = instant_text(observed)
    else:
        raise ValueError(f"{rule.observed_at} is no instant: {str(value)[:40]!r}")
    if observed > now + FUTURE:
        raise ValueError(f"{rule.observed_at} lies in the future: {text}")
    return text


@lru_cache(maxsize=4_096)
def _of_unix(value: float) -> tuple[datetime, str]:
    """Unix seconds as instant and text; kept, for many devices speak of the same second."""
    observed = datetime.fromtimestamp(value, UTC)
    return observed, instant_text(observed)


def _location(rule: TopicRule, body: Json) -> Json:
    if not (rule.lon and rule.lat):
        return {}
    lon, lat = _find(body, rule.lon), _find(body, rule.lat)
    if lon is None and lat is None:
        return {}
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in (lon, lat)):
        raise ValueError("lon and lat are not numbers")
    fault = judge(lon, lat)
    if fault is not None:
        raise ValueError(f"the position {lon}, {lat} cannot be believed: {fault.value}")
    return {"location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [lon, lat]}}}
