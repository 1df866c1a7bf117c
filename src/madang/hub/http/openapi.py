"""The OpenAPI 3.1 description of the hub, made of its operations: whoever adds one has described it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

import orjson

from madang.hub.access import Access
from madang.hub.http.operation import Operation
from madang.hub.http.schemas import SCHEMAS, Schema, ref, texts
from madang.hub.http.wire import JSON, PROBLEM, Request, Response
from madang.identity.rights import Deed

if TYPE_CHECKING:
    from madang.hub.http.app import HubApp

BASE = "/ngsi-ld/v1"
_JSON, _JSON_LD, _GEO_JSON = "application/json", "application/ld+json", "application/geo+json"
_MERGE_PATCH = "application/merge-patch+json"
_INSTANT = texts(format="date-time")
_LIST = "separated by commas"
_BOOLEAN: Schema = {"type": "boolean"}
_FROM_ZERO: Schema = {"type": "integer", "minimum": 0}
_FROM_ONE: Schema = {"type": "integer", "minimum": 1}


def _words(*words: str) -> Schema:
    return {"enum": [*words]}


PARAMETERS: Mapping[str, tuple[Schema, str]] = {
    "aggrMethods": (texts(examples=["avg,max"]), f"Aggregations (clause 4.5.19), {_LIST}"),
    "aggrPeriodDuration": (texts(examples=["PT1H"]), "Length of each aggregated period, ISO 8601 (clause 4.5.19)"),
    "attrs": (texts(examples=["temperature"]), f"Attributes to return, one of which an entity must have, {_LIST}"),
    "collation": (texts(), "Language whose order texts are sorted in (clause 4.23)"),
    "containedBy": (texts(), f"Entities already in the answer that hold the one asked for, {_LIST}"),
    "coordinates": (texts(examples=["[128.9,35.2]"]), "GeoJSON coordinates (clause 4.10)"),
    "count": (_BOOLEAN, "Answer the total in NGSILD-Results-Count (clause 6.3.13)"),
    "csf": (texts(), "Context source filter (clause 4.9)"),
    "datasetId": (texts(), f"Attribute instances by dataset, {_LIST}; @none is the default instance"),
    "deleteAll": (_BOOLEAN, "Delete every instance of the attribute"),
    "details": (_BOOLEAN, "Answer details, not names alone"),
    "drop": (texts(), f"Attributes to delete, the entities stay, {_LIST} (clause 5.6.21)"),
    "endTimeAt": (_INSTANT, "End of the time asked for, with timerel=between (clause 4.11)"),
    "entityMap": (_BOOLEAN, "Entity maps come with federation: only false is taken"),
    "entityMapLifetime": (texts(), "Entity maps come with federation"),
    "expandValues": (texts(), f"Attributes whose values are terms of the @context, {_LIST} (clause 4.9)"),
    "jsonKeys": (texts(), f"Attributes whose values q looks into as plain JSON, {_LIST} (clause 4.9)"),
    "format": (texts(examples=["concise"]), "Representation: normalized, concise, simplified (clause 6.3.7)"),
    "geometry": (
        _words("Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon"),
        "Kind of the reference geometry (clause 4.10)",
    ),
    "geometryProperty": (texts(), "The GeoProperty that becomes the geometry of a GeoJSON answer"),
    "geoproperty": (texts(), "The GeoProperty compared (clause 4.10); location unless given"),
    "georel": (texts(examples=["near;maxDistance==2000"]), "Geographical relation (clause 4.10)"),
    "id": (texts(), f"Entity ids, {_LIST}"),
    "idPattern": (texts(), "Regular expression the whole id matches"),
    "instanceId": (texts(format="uri"), "One attribute instance"),
    "join": (_words("flat", "inline", "@none"), "Follow relationships (clause 4.5.23)"),
    "joinLevel": (_FROM_ONE, "How many relationships deep"),
    "keep": (texts(), f"Attributes to keep, every other one is deleted, {_LIST} (clause 5.6.21)"),
    "kind": (_words("Hosted", "Cached", "ImplicitlyCreated"), "Kind of @context"),
    "lang": (texts(examples=["ko"]), "Preferred language of LanguageProperties (clause 4.15)"),
    "lastN": (_FROM_ONE, "The latest instances of each attribute only"),
    "limit": (_FROM_ZERO, "How many results a page has (clause 6.3.10)"),
    "local": (_BOOLEAN, "Only what this broker holds (clause 6.3.18)"),
    "observedAt": (_INSTANT, "When what is merged was observed (clause 5.6.17)"),
    "offset": (_FROM_ZERO, "How many results to skip (clause 6.3.10)"),
    "omit": (texts(), f"Members to leave out, {_LIST} (clause 4.21)"),
    "options": (texts(examples=["sysAttrs"]), f"Options, {_LIST}: sysAttrs, keyValues, concise, noOverwrite, …"),
    "orderBy": (texts(examples=["temperature;desc"]), f"Order of the answer, {_LIST} (clause 4.23)"),
    "orderFrom": (texts(), "Coordinates from which distances are ordered (clause 4.23)"),
    "orderGeometry": (texts(), "Kind of geometry of orderFrom (clause 4.23)"),
    "pick": (texts(), f"Members to return, {_LIST} (clause 4.21)"),
    "q": (texts(examples=["temperature>20"]), "Query (clause 4.9)"),
    "reload": (_BOOLEAN, "Fetch a cached @context again"),
    "splitEntities": (_BOOLEAN, "Whether an entity may come in several parts; this broker never splits one"),
    "scopeQ": (texts(examples=["/Gimhae/#"]), "Scope query (clause 4.19)"),
    "timeAt": (_INSTANT, "Beginning or end of the time asked for (clause 4.11)"),
    "timeproperty": (_words("observedAt", "createdAt", "modifiedAt", "deletedAt"), "Which time is compared"),
    "timerel": (_words("before", "after", "between"), "Temporal relation (clause 4.11)"),
    "type": (texts(examples=["Sensor"]), "Entity type selection: A,(B;C) (clause 4.17)"),
}
"""What every query parameter is. An operation names those it takes."""

_HEADERS: Mapping[str, tuple[Schema, str]] = {
    "NGSILD-Tenant": (texts(), "The tenant, where the credential belongs to several (clause 6.3.14)"),
    "Link": (texts(), "The @context of a request whose body does not carry it (clause 6.3.5)"),
}
_TAGS: Mapping[str, str] = {
    "entities": "Entities: provision and consumption",
    "entityOperations": "Batches",
    "temporal": "Temporal evolution of entities",
    "subscriptions": "Subscriptions",
    "types": "Discovery of types",
    "attributes": "Discovery of attributes",
    "jsonldContexts": "Hosted @contexts",
    "openapi.json": "This description",
}
_ERRORS: Mapping[int, str] = {
    400: "The request cannot be read, or says what the information model does not allow",
    401: "No credential, or one that does not hold",
    403: "The credential does not allow this, or the query is too complex",
    404: "No such entity, attribute, subscription, @context or tenant for this asker",
    405: "The resource does not know the method",
    406: "None of the media types in Accept can be given",
    409: "It exists already",
    411: "The body's length is needed",
    413: "The body is larger than allowed",
    415: "The body's media type is not taken here",
    422: "The broker does not support this",
    503: "The @context or the store is not available",
    504: "The @context is not available",
}
_WITH_BODY = frozenset({411, 413, 415})
_BARE = frozenset({411, 415})
"""Answered by their status alone (clause 6.3.4)."""
_GEO: Mapping[str, str] = {"Entity": "Feature", "EntityList": "FeatureCollection"}
_STATUS: Mapping[int, str] = {
    200: "What was asked for",
    201: "Created",
    204: "Done",
    206: "Part of it; Content-Range says which (clause 6.3.10)",
    207: "Some of it was done; the body says what was not",
}
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


def describe(operations: Iterable[Operation], public_url: str = "") -> Schema:
    """The OpenAPI document of these operations; `public_url` is where the server is reached, if it knows."""
    schemes = _security(public_url)
    paths: dict[str, Schema] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Madang hub: an NGSI-LD broker",
            "version": _version(),
            "description": "ETSI GS CIM 009 (NGSI-LD). `x-clauses` names the clauses an operation answers for.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": BASE}],
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "paths": paths,
        "components": {"schemas": dict(SCHEMAS), "securitySchemes": schemes},
        "security": [*({name: []} for name in schemes), {}],
    }


def _version() -> str:
    from madang import __version__

    return __version__


def _security(public_url: str) -> Schema:
    """Bearer tokens; also how clients get them, where the server knows its own address (OAuth2 wants a whole one)."""
    text = (
        "An API token, or the access token a client gets for its id and secret at `/oauth2/token` on the same host "
        f"(RFC 6749 §4.4). Scopes have the form `deed:type`, deeds being {', '.join(Deed)}."
    )
    schemes: Schema = {"bearer": {"type": "http", "scheme": "bearer", "description": text}}
    if public_url:
        scopes = {f"{deed}:*": f"{deed}, every type; a type's name in place of * narrows it" for deed in Deed}
        flow = {"tokenUrl": public_url.rstrip("/") + "/oauth2/token", "scopes": scopes}
        schemes["client"] = {"type": "oauth2", "flows": {"clientCredentials": flow}}
    return schemes


def _operation(operation: Operation) -> Schema:
    tag = operation.path.split("/")[1]
    assert tag in _TAGS, f"{operation.path}: no tag {tag}"
    made: Schema = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [tag],
        "x-clauses": [*operation.clauses],
        "parameters": [*_parameters(operation)],
        "responses": _responses(operation),
    }
    if operation.body:
        made["requestBody"] = {"required": True, "content": _taken(operation)}
    return made


def _parameters(operation: Operation) -> Iterable[Schema]:
    for name in _PLACEHOLDER.findall(operation.path):
        schema = texts(format="uri") if name in ("entityId", "instanceId", "subscriptionId") else texts(minLength=1)
        yield {"name": name, "in": "path", "required": True, "schema": schema}
    for name in sorted(operation.parameters):
        schema, text = PARAMETERS.get(name, (texts(), ""))
        yield {"name": name, "in": "query", "schema": schema, "description": text}
    for name, (schema, text) in _HEADERS.items():
        yield {"name": name, "in": "header", "schema": schema, "description": text}


def _taken(operation: Operation) -> Schema:
    media = [_JSON, _JSON_LD, *([_MERGE_PATCH] if operation.method == "PATCH" else [])]
    return {one: {"schema": _schema(operation.body)} for one in media}


def _schema(name: str) -> Schema:
    return ref(name) if name in SCHEMAS else {}


def _responses(operation: Operation) -> Schema:
    answers: Schema = {}
    for status, name in sorted(operation.answers.items()):
        answers[str(status)] = {"description": _STATUS[status]}
        if name:
            answers[str(status)]["content"] = _given(operation, name)
        if status == 201:
            answers["201"]["headers"] = {"Location": {"schema": texts(format="uri-reference")}}
    problem = {PROBLEM.decode(): {"schema": ref("ProblemDetails")}}
    for status, text in _ERRORS.items():
        if status not in _WITH_BODY or operation.body:
            answers[str(status)] = {"description": text} | ({} if status in _BARE else {"content": problem})
    return answers


def _given(operation: Operation, name: str) -> Schema:
    content = {_JSON: {"schema": _schema(name)}}
    if name == "OpenApi" or 207 in operation.answers or name == "EntityIds":
        return content
    content[_JSON_LD] = {"schema": _schema(name)}
    if (name in _GEO and operation.method == "GET") or (operation.body == "Query" and name in _GEO):
        content[_GEO_JSON] = {"schema": _schema(_GEO[name])}
    return content


@lru_cache(maxsize=4)
def document(public_url: str) -> bytes:
    """The description of everything the hub answers, as it is served."""
    from madang.hub.http.app import OPERATIONS as EVERY  # this module is one of those it is made of

    return orjson.dumps(describe(EVERY, public_url))


async def describe_hub(app: HubApp, _request: Request, _access: Access) -> Response:
    """This description, for whoever may ask the hub anything."""
    return Response(200, [(b"content-type", JSON), (b"cache-control", b"no-cache")], document(app.config.public_url))


OPERATIONS = (
    Operation(
        "GET",
        "/openapi.json",
        "describeHub",
        (),
        "Describe this API",
        describe_hub,
        frozenset(),
        "",
        {200: "OpenApi"},
    ),
)
"""What this module answers."""
