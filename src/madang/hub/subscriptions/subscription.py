"""What a client asks to be told of: the Subscription datatype (clauses 5.2.12–5.2.15, 5.2.22), checked and compiled.

A subscription is kept as the client wrote it, with the names of its @context resolved beside it (`names`): it can be
compiled again at any time, also when that @context no longer answers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson

from madang.hub.access import Access
from madang.hub.contexts.context import CORE_CONTEXT, Context
from madang.hub.entity import NULL, check_id, instant
from madang.hub.errors import BadRequestDataError
from madang.hub.geo import matcher
from madang.hub.names import CORE_URL, is_uri
from madang.hub.query import (
    Condition,
    GeoQuery,
    TypeSelection,
    compile_pattern,
    parse_geo,
    parse_q,
    parse_types,
)
from madang.hub.scope import check_scope_query
from madang.hub.subscriptions.conditions import moment_ms

Json = Any  # Any: JSON as it came

TRIGGERS = frozenset(
    {"entityCreated", "entityUpdated", "entityDeleted", "attributeCreated", "attributeUpdated", "attributeDeleted"}
)
_DEFAULT_TRIGGERS = frozenset({"attributeCreated", "attributeUpdated"})
_ENTITY_UPDATED = frozenset({"attributeCreated", "attributeUpdated", "attributeDeleted"})
FORMATS = {"normalized": "normalized", "concise": "concise", "simplified": "simplified", "keyValues": "simplified"}
ACCEPTED = ("application/json", "application/ld+json", "application/geo+json")
_READ_ONLY = frozenset({"status", "createdAt", "modifiedAt", "deletedAt"})
_MEMBERS = frozenset(
    {
        "id",
        "type",
        "subscriptionName",
        "description",
        "entities",
        "notificationTrigger",
        "watchedAttributes",
        "timeInterval",
        "q",
        "geoQ",
        "csf",
        "isActive",
        "notification",
        "expiresAt",
        "throttling",
        "temporalQ",
        "scopeQ",
        "lang",
        "datasetId",
        "jsonldContext",
        "splitEntities",
        "ngsildConformance",
    }
)
_COUNTED = frozenset(
    {"status", "timesSent", "timesFailed", "lastNotification", "lastSuccess", "lastFailure", "cooldown", "timeout"}
)
_PARAMETERS = frozenset(
    {"attributes", "pick", "omit", "format", "showChanges", "sysAttrs", "join", "joinLevel", "endpoint"}
)
_ENDPOINT = frozenset({"uri", "accept", "receiverInfo", "notifierInfo", "timeout", "cooldown"})
_MQTT_VERSIONS = ("mqtt3.1.1", "mqtt5.0")
_MAX_LISTED = 256
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}\Z")
_HEADER_VALUE = re.compile(r"[\x20-\x7e\xa0-\xff\t]{0,4096}\Z")
_NOT_HEADERS = frozenset(
    {
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "upgrade",
        "te",
        "trailer",
        "expect",
        "keep-alive",
        "proxy-connection",
        "proxy-authorization",
        "content-type",
        "content-encoding",
        "link",
        "ngsild-tenant",
    }
)
"""What the hub itself says or what shapes the message: a receiverInfo may not."""


@dataclass(frozen=True, slots=True)
class Selector:
    """One of `entities` (clause 5.2.33): an entity matches when all that is given holds."""

    types: TypeSelection | None
    ids: frozenset[str]
    pattern: Callable[[str], object] | None
    pattern_text: str = ""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where notifications go (clause 5.2.15). `uri` may hold a password: it is shown by `masked_uri` only."""

    uri: str
    accept: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    mqtt_version: str = "mqtt5.0"
    mqtt_qos: int = 0
    timeout_s: float | None = None
    cooldown_s: float = 0.0

    @property
    def is_mqtt(self) -> bool:
        """Whether it is a topic at an MQTT broker (clause 7.2)."""
        return self.uri.startswith("mqtt")


@dataclass(frozen=True, slots=True)
class Shown:
    """How entities look in notifications (clause 5.2.14)."""

    form: str = "normalized"
    only: frozenset[str] = frozenset()
    pick: frozenset[str] = frozenset()
    omit: frozenset[str] = frozenset()
    datasets: frozenset[str] = frozenset()
    lang: str = ""
    system: bool = False
    changes: bool = False
    join: str = ""
    join_level: int = 1


@dataclass(slots=True, eq=False)
class Subscription:
    """One subscription, compiled. Names are canonical; instants ms since 1970."""

    id: str
    document: dict[str, Json]
    endpoint: Endpoint
    shown: Shown
    selectors: tuple[Selector, ...] = ()
    watched: frozenset[str] | None = None
    triggers: frozenset[str] = _DEFAULT_TRIGGERS
    q: Condition | None = None
    geo: GeoQuery | None = None
    related: Callable[[Json], bool] | None = None
    scope: str = ""
    interval_s: float | None = None
    throttling_ms: int = 0
    expires_ms: int | None = None
    active: bool = True
    context: Json = CORE_URL
    """The @context notifications are written in: an address, an object or a list."""
    context_address: str = ""
    """Where that @context can be had, when it came inside a request."""
    number: int = 0
    revision: int = 0
    tenant: str = ""
    created_ms: int = 0
    modified_ms: int = 0
    access: Access | None = None
    """What its maker could read when it was made; None for everything (open mode)."""
    access_today: Access | None = None
    """What the maker may read now, where that is known: both must allow an entity."""
    owner: str = ""
    names: dict[str, str] = field(default_factory=dict)
    tenant_said: bool = False

    def may_tell(self, types: Iterable[str]) -> bool:
        """Whether an entity of these types may be told to whoever subscribed."""
        types = tuple(types)
        return (self.access is None or self.access.sees(types)) and (
            self.access_today is None or self.access_today.sees(types)
        )

    def status(self, now_ms: int) -> str:
        """`active`, `paused` or `expired` (clause 5.2.12)."""
        if self.expires_ms is not None and self.expires_ms <= now_ms:
            return "expired"
        return "active" if self.active else "paused"


class Recorder(Context):
    """A @context that notes which names were asked of it."""

    __slots__ = ("_inner", "used")

    def __init__(self, inner: Context) -> None:
        super().__init__(inner.source, {}, {})
        self._inner = inner
        self.used: dict[str, str] = {}

    def canonical(self, term: str) -> str:
        """As the @context itself."""
        name = self._inner.canonical(term)
        self.used[term] = name
        return name

    def is_prefix(self, term: str) -> bool:
        """As the @context itself; a prefix is noted with its colon."""
        known = self._inner.is_prefix(term)
        if known:
            self.used[f"{term}:"] = ""
        return known


class Replayed(Context):
    """The names once noted, for compiling a kept subscription."""

    __slots__ = ("_noted",)

    def __init__(self, noted: Mapping[str, str]) -> None:
        super().__init__(CORE_URL, {}, {})
        self._noted = noted

    def canonical(self, term: str) -> str:
        """As noted."""
        return self._noted.get(term) or CORE_CONTEXT.canonical(term)

    def is_prefix(self, term: str) -> bool:
        """As noted."""
        return f"{term}:" in self._noted or CORE_CONTEXT.is_prefix(term)


def read_subscription(raw: Json, names: Context, *, now_ms: int | None = None) -> Subscription:
    """A subscription from its document; raises `BadRequestDataError`. `now_ms` refuses one that has expired."""
    if not isinstance(raw, dict):
        raise BadRequestDataError("A subscription is a JSON object", where="body")
    document = {key: value for key, value in raw.items() if key not in _READ_ONLY and key != "@context"}
    _only(document, _MEMBERS, "a Subscription")
    if document.get("type") != "Subscription":
        raise BadRequestDataError('The type of a subscription is "Subscription"', where="type")
    recorder = Recorder(names)
    endpoint, shown = _notification(document, recorder)
    selectors = _selectors(document.get("entities"), recorder)
    watched = _names(document, "watchedAttributes", recorder)
    if not selectors and watched is None:
        raise BadRequestDataError("A subscription needs entities or watchedAttributes", where="entities")
    geo = _geo(document.get("geoQ"), recorder)
    found = Subscription(
        id=check_id(document["id"]) if "id" in document else "",
        document=document,
        endpoint=endpoint,
        shown=shown,
        selectors=selectors,
        watched=None if watched is None else frozenset(watched),
        triggers=_triggers(document),
        q=_query(document, recorder),
        geo=geo,
        related=matcher(geo) if geo is not None else None,
        scope=check_scope_query(_text(document, "scopeQ")) if "scopeQ" in document else "",
        active=_flag(document, "isActive", True),
        context=_context(document, names),
    )
    _timing(found, document, now_ms)
    _rest(document)
    found.names = recorder.used
    return found


def _only(given: Mapping[str, Json], known: Iterable[str], what: str) -> None:
    for name in given:
        if name not in known:
            hint = "Known: " + ", ".join(sorted(known))
            raise BadRequestDataError(f"{name[:60]!r} is not a member of {what}", where=name[:60], hint=hint)


def _context(document: dict[str, Json], names: Context) -> Json:
    said = document.get("jsonldContext")
    if said is None:
        return names.source
    if not is_uri(said):
        raise BadRequestDataError("jsonldContext is the address of a JSON-LD context", where="jsonldContext")
    return said


def _timing(found: Subscription, document: dict[str, Json], now_ms: int | None) -> None:
    interval = _positive(document, "timeInterval")
    throttling = _positive(document, "throttling")
    for other in ("watchedAttributes", "throttling"):
        if interval is not None and other in document:
            raise BadRequestDataError(
                f"timeInterval and {other} exclude each other: notifications come by the clock or by changes",
                where="timeInterval",
            )
    found.interval_s = interval
    found.throttling_ms = round(throttling * 1000) if throttling is not None else 0
    if "expiresAt" in document:
        expires = moment_ms(instant(document["expiresAt"], "expiresAt"))
        assert expires is not None
        found.expires_ms = int(expires)
        if now_ms is not None and found.expires_ms <= now_ms:
            raise BadRequestDataError("expiresAt is past", where="expiresAt", hint="Give a time to come")


def _positive(document: Mapping[str, Json], name: str) -> float | None:
    if name not in document:
        return None
    value = document[name]
    if type(value) not in (int, float) or not 0 < value < 1e9 or not math.isfinite(value):
        raise BadRequestDataError(f"{name} is a number greater than 0", where=name)
    return float(value)


def _flag(document: Mapping[str, Json], name: str, default: bool = False) -> bool:
    value = document.get(name, default)
    if type(value) is not bool:
        raise BadRequestDataError(f"{name} is true or false", where=name)
    return value


def _text(document: Mapping[str, Json], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not value:
        raise BadRequestDataError(f"{name} is text", where=name)
    return value


def _texts(value: Json, where: str) -> list[str]:
    if not isinstance(value, list) or not value or len(value) > _MAX_LISTED:
        raise BadRequestDataError(f"{where} is a list of 1 to {_MAX_LISTED} texts", where=where)
    if not all(isinstance(one, str) and one for one in value):
        raise BadRequestDataError(f"{where} has a part that is not text", where=where)
    return value


def _names(document: Mapping[str, Json], name: str, names: Context) -> tuple[str, ...] | None:
    if name not in document:
        return None
    return tuple(names.canonical(one) for one in _texts(document[name], name))


def _triggers(document: Mapping[str, Json]) -> frozenset[str]:
    if "notificationTrigger" not in document:
        return _DEFAULT_TRIGGERS
    said = frozenset(_texts(document["notificationTrigger"], "notificationTrigger"))
    if unknown := said - TRIGGERS:
        raise BadRequestDataError(
            f"{min(unknown)[:60]!r} triggers nothing", where="notificationTrigger", hint=", ".join(sorted(TRIGGERS))
        )
    return said | _ENTITY_UPDATED if "entityUpdated" in said else said


def _query(document: Mapping[str, Json], names: Context) -> Condition | None:
    return parse_q(_text(document, "q"), names) if "q" in document else None


def _geo(raw: Json, names: Context) -> GeoQuery | None:
    """The geo-query (clause 5.2.13)."""
    if raw is None:
        return None
    if not isinstance(raw, dict):
        raise BadRequestDataError("geoQ is a JSON object", where="geoQ")
    _only(raw, ("georel", "geometry", "coordinates", "geoproperty"), "a GeoQuery")
    coordinates = raw.get("coordinates")
    said = {
        "georel": _text(raw, "georel"),
        "geometry": _text(raw, "geometry"),
        "coordinates": coordinates if isinstance(coordinates, str) else orjson.dumps(coordinates).decode(),
    }
    if "geoproperty" in raw:
        said["geoproperty"] = _text(raw, "geoproperty")
    return parse_geo(said, names)


def _selectors(raw: Json, names: Context) -> tuple[Selector, ...]:
    if raw is None:
        return ()
    if not isinstance(raw, list) or not raw or len(raw) > _MAX_LISTED:
        raise BadRequestDataError(f"entities is a list of 1 to {_MAX_LISTED} selectors", where="entities")
    return tuple(_selector(one, names) for one in raw)


def _selector(raw: Json, names: Context) -> Selector:
    if not isinstance(raw, dict):
        raise BadRequestDataError("An entity selector is a JSON object", where="entities")
    _only(raw, ("id", "idPattern", "type"), "an entity selector")
    if "type" not in raw:
        raise BadRequestDataError("An entity selector needs a type", where="entities.type", hint='"*" means any')
    said = ",".join(_texts(raw["type"], "type")) if isinstance(raw["type"], list) else _text(raw, "type")
    ids: list[str] = []
    if "id" in raw:
        ids = raw["id"] if isinstance(raw["id"], list) else [raw["id"]]
        if not ids or len(ids) > 10_000 or not all(is_uri(one) for one in ids):
            raise BadRequestDataError("The id of an entity selector is a URI or a list of URIs", where="entities.id")
    text = _text(raw, "idPattern") if "idPattern" in raw else ""
    pattern = compile_pattern(text, "entities.idPattern") if text else None
    return Selector(None if said == "*" else parse_types(said, names), frozenset(ids), pattern, text)


def _notification(document: Mapping[str, Json], names: Context) -> tuple[Endpoint, Shown]:
    raw = document.get("notification")
    if not isinstance(raw, dict):
        raise BadRequestDataError("A subscription needs a notification", where="notification")
    _only(raw, _PARAMETERS | _COUNTED, "NotificationParams")
    form = raw.get("format", "normalized")
    if not isinstance(form, str) or form not in FORMATS:
        raise BadRequestDataError(f"format is {str(form)[:40]!r}", where="notification.format", hint=", ".join(FORMATS))
    shown = Shown(
        form=FORMATS[form],
        only=frozenset(_names(raw, "attributes", names) or ()),
        pick=frozenset(_names(raw, "pick", names) or ()),
        omit=frozenset(_names(raw, "omit", names) or ()),
        datasets=_datasets(document),
        lang=_text(document, "lang") if "lang" in document else "",
        system=_flag(raw, "sysAttrs"),
        changes=_flag(raw, "showChanges"),
        join=_join(raw),
        join_level=_level(raw),
    )
    _agree(raw, shown)
    return _endpoint(raw.get("endpoint")), shown


def _agree(raw: Mapping[str, Json], shown: Shown) -> None:
    if shown.changes and shown.form == "simplified":
        raise BadRequestDataError(
            "showChanges needs the normalized or concise format: a simplified value has no room for the previous one",
            where="notification.showChanges",
        )
    if "attributes" in raw and ("pick" in raw or "omit" in raw):
        raise BadRequestDataError("attributes goes with neither pick nor omit", where="notification.attributes")
    if shown.pick & shown.omit:
        raise BadRequestDataError("A name stands in pick and in omit", where="notification.pick")


def _join(raw: Mapping[str, Json]) -> str:
    said = raw.get("join", "@none")
    if said not in ("inline", "flat", "@none"):
        raise BadRequestDataError("join is inline, flat or @none", where="notification.join")
    return "" if said == "@none" else str(said)


def _level(raw: Mapping[str, Json]) -> int:
    said = raw.get("joinLevel", 1)
    if type(said) is not int or said < 1:
        raise BadRequestDataError("joinLevel is a whole number from 1", where="notification.joinLevel")
    return said


def _datasets(document: Mapping[str, Json]) -> frozenset[str]:
    if "datasetId" not in document:
        return frozenset()
    said = document["datasetId"]
    listed = _texts(said if isinstance(said, list) else [said], "datasetId")
    if not all(one == "@none" or is_uri(one) for one in listed):
        raise BadRequestDataError('datasetId lists URIs, or "@none" for the default one', where="datasetId")
    return frozenset(listed)


def _endpoint(raw: Json) -> Endpoint:
    if not isinstance(raw, dict):
        raise BadRequestDataError("notification needs an endpoint", where="notification.endpoint")
    _only(raw, _ENDPOINT, "an Endpoint")
    uri = _text(raw, "uri")
    accept = raw.get("accept", ACCEPTED[0])
    if accept not in ACCEPTED:
        raise BadRequestDataError(
            f"accept is {str(accept)[:60]!r}", where="notification.endpoint.accept", hint=", ".join(ACCEPTED)
        )
    check_endpoint_uri(uri)
    notifier = dict(_pairs(raw, "notifierInfo"))
    version, qos = notifier.get("MQTT-Version", "mqtt5.0"), notifier.get("MQTT-QoS", "0")
    if version not in _MQTT_VERSIONS or qos not in ("0", "1", "2"):
        raise BadRequestDataError(
            "MQTT-Version is mqtt3.1.1 or mqtt5.0, MQTT-QoS is 0, 1 or 2", where="notification.endpoint.notifierInfo"
        )
    pairs = _pairs(raw, "receiverInfo")
    if not uri.startswith("mqtt"):
        for pair in pairs:
            _check_header(*pair)
    timeout = _positive(raw, "timeout")
    cooldown = _positive(raw, "cooldown")
    return Endpoint(
        uri,
        accept,
        pairs,
        version,
        int(qos),
        timeout / 1000 if timeout is not None else None,
        cooldown / 1000 if cooldown is not None else 0.0,
    )


def check_endpoint_uri(uri: str) -> None:
    """Raises unless it is an HTTP address, or an MQTT one with a topic (clause 7.2)."""
    where = "notification.endpoint.uri"
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        raise BadRequestDataError("The endpoint's uri cannot be read", where=where) from None
    if not is_uri(uri) or not parts.hostname or port == 0:
        raise BadRequestDataError("The endpoint's uri is not an address", where=where)
    if parts.scheme in ("http", "https"):
        if parts.username is not None or parts.password is not None:
            raise BadRequestDataError(
                "The endpoint's uri holds a user name", where=where, hint="Send Authorization as receiverInfo"
            )
    elif parts.scheme in ("mqtt", "mqtts"):
        topic = unquote(parts.path[1:])
        if not topic or parts.query or "#" in uri or any(mark in topic for mark in "+#\x00") or len(topic) > 1024:
            raise BadRequestDataError("The endpoint's uri names no MQTT topic", where=where, hint="mqtt://host/topic")
    else:
        raise BadRequestDataError(
            f"Notifications do not go to {parts.scheme[:20]!r}", where=where, hint="http, https, mqtt or mqtts"
        )


def _pairs(raw: Mapping[str, Json], name: str) -> tuple[tuple[str, str], ...]:
    """KeyValuePairs (clause 5.2.22)."""
    given = raw.get(name, [])
    where = f"notification.endpoint.{name}"
    if not isinstance(given, list) or len(given) > 64:
        raise BadRequestDataError(f"{name} is a list of key and value", where=where)
    found = []
    for one in given:
        if not isinstance(one, dict) or one.keys() != {"key", "value"} or not isinstance(one["key"], str):
            raise BadRequestDataError(f"{name} is a list of objects with key and value", where=where)
        value = one["value"]
        if type(value) not in (str, int, float, bool):
            raise BadRequestDataError(f"The value of {one['key'][:60]!r} is text", where=where)
        found.append((one["key"], value if isinstance(value, str) else orjson.dumps(value).decode()))
    return tuple(found)


def _check_header(key: str, value: str) -> None:
    where = "notification.endpoint.receiverInfo"
    if not _HEADER.match(key) or not _HEADER_VALUE.match(value):
        raise BadRequestDataError(f"{key[:60]!r} cannot be sent as a header", where=where)
    if key.lower() in _NOT_HEADERS:
        raise BadRequestDataError(f"The header {key} is the hub's own", where=where, hint="Leave it out")


def _rest(document: Mapping[str, Json]) -> None:
    for name in ("subscriptionName", "description", "csf", "ngsildConformance"):
        if name in document:
            _text(document, name)
    _flag(document, "splitEntities")
    if "temporalQ" in document and not isinstance(document["temporalQ"], dict):
        raise BadRequestDataError("temporalQ is a JSON object", where="temporalQ")


_REMOVED = (None, NULL)


def patched(document: Mapping[str, Json], patch: Json) -> dict[str, Json]:
    """The document after an update (clause 5.8.2): members given are exchanged, null ones go; in notification too."""
    if not isinstance(patch, dict):
        raise BadRequestDataError("The change of a subscription is a JSON object", where="body")
    said = {key: value for key, value in patch.items() if key not in _READ_ONLY and key != "@context"}
    if not said:
        raise BadRequestDataError("The change of a subscription changes nothing", where="body")
    if "id" in said and said["id"] != document.get("id"):
        raise BadRequestDataError("The id of a subscription does not change", where="id")
    after = dict(document)
    inner = said.get("notification")
    if isinstance(inner, dict) and isinstance(document.get("notification"), dict):
        before = {key: value for key, value in document["notification"].items() if key not in _COUNTED}
        said["notification"] = _merged(before, inner)
    return _merged(after, said)


def _merged(before: dict[str, Json], patch: Mapping[str, Json]) -> dict[str, Json]:
    for name, value in patch.items():
        if value in _REMOVED:
            before.pop(name, None)
        else:
            before[name] = value
    return before


def masked_uri(uri: str) -> str:
    """The address without user name, password and query, for people and logs."""
    parts = urlsplit(uri)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    user = "***@" if parts.username is not None or parts.password is not None else ""
    tail = "?***" if parts.query else ""
    return f"{parts.scheme}://{user}{host}{f':{parts.port}' if parts.port else ''}{parts.path}{tail}"
