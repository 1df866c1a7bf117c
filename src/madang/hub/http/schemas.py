"""The data types of the hub as JSON Schema (2020-12), for its OpenAPI description (ETSI GS CIM 009 clauses 4.5, 5.2).

What a client may send or get in several representations (clauses 4.5.4, 4.5.17) is described by the loosest of them:
the descriptions say the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]  # Any: JSON Schema is as deep as it likes


def ref(name: str) -> Schema:
    """A reference to one of the schemas."""
    return {"$ref": f"#/components/schemas/{name}"}


def texts(description: str = "", **more: object) -> Schema:
    """A text."""
    return {"type": "string"} | ({"description": description} if description else {}) | more


def array(items: Schema, **more: object) -> Schema:
    """A list."""
    return {"type": "array", "items": items} | more


def record(
    description: str, properties: Mapping[str, Schema], required: tuple[str, ...] = (), **more: object
) -> Schema:
    """An object."""
    made: Schema = {"type": "object", "description": description, "properties": dict(properties)}
    return made | ({"required": list(required)} if required else {}) | more


URI = texts(format="uri")
INSTANT = texts("RFC 3339, UTC", format="date-time")
ONE_OR_MORE_TEXTS: Schema = {"oneOf": [texts(), array(texts(), minItems=1)]}
ANYTHING: Schema = {"description": "Any JSON but null"}
COUNT: Schema = {"type": "integer", "minimum": 0}
_OF_ANY_ATTRIBUTE: Mapping[str, Schema] = {
    "observedAt": INSTANT,
    "datasetId": URI,
    "unitCode": texts("UN/CEFACT common code"),
    "createdAt": INSTANT,
    "modifiedAt": INSTANT,
    "expiresAt": INSTANT,
}
_SUB = "; further members are sub-attributes"


def _kind(name: str, member: str, value: Schema, clause: str, **more: Schema) -> Schema:
    properties = {"type": {"const": name}, member: value, **more, **_OF_ANY_ATTRIBUTE}
    return record(f"{name} (clause {clause}){_SUB}", properties, ("type", member))


ATTRIBUTE_KINDS: Mapping[str, Schema] = {
    "Property": _kind("Property", "value", ANYTHING, "5.2.5", valueType=texts()),
    "Relationship": _kind(
        "Relationship", "object", {"oneOf": [URI, array(URI)]}, "5.2.6", objectType=ONE_OR_MORE_TEXTS
    ),
    "GeoProperty": _kind("GeoProperty", "value", ref("Geometry"), "5.2.7"),
    "LanguageProperty": _kind("LanguageProperty", "languageMap", {"type": "object"}, "5.2.32"),
    "VocabProperty": _kind("VocabProperty", "vocab", ONE_OR_MORE_TEXTS, "5.2.35"),
    "ListProperty": _kind("ListProperty", "valueList", array(ANYTHING), "5.2.36"),
    "ListRelationship": _kind("ListRelationship", "objectList", array(ANYTHING), "5.2.37"),
    "JsonProperty": _kind("JsonProperty", "json", ANYTHING, "5.2.38"),
}
_ENTITY: Mapping[str, Schema] = {
    "id": URI,
    "type": ONE_OR_MORE_TEXTS,
    "scope": ONE_OR_MORE_TEXTS,
    "expiresAt": INSTANT,
    "createdAt": INSTANT,
    "modifiedAt": INSTANT,
    "deletedAt": INSTANT,
    "@context": ref("Context"),
}
_FURTHER = "; further members are attributes: normalized, concise or simplified, one or (by datasetId) several"
_SELECTOR = record(
    "EntitySelector (clause 5.2.33)", {"id": ONE_OR_MORE_TEXTS, "idPattern": texts(), "type": ONE_OR_MORE_TEXTS}
)
_GEO_QUERY = record(
    "GeoQuery (clause 5.2.13)",
    {
        "georel": texts(examples=["near;maxDistance==2000"]),
        "geometry": texts(),
        "coordinates": {"oneOf": [array({}), texts()]},
        "geoproperty": texts(),
    },
    ("georel", "geometry", "coordinates"),
)
_TEMPORAL_QUERY = record(
    "TemporalQuery (clause 5.2.21)",
    {
        "timerel": {"enum": ["before", "after", "between"]},
        "timeAt": INSTANT,
        "endTimeAt": INSTANT,
        "timeproperty": {"enum": ["observedAt", "createdAt", "modifiedAt", "deletedAt"]},
        "lastN": {"type": "integer", "minimum": 1},
        "aggrMethods": array(texts()),
        "aggrPeriodDuration": texts(),
    },
)
_PROJECTION: Mapping[str, Schema] = {"attrs": array(texts()), "pick": array(texts()), "omit": array(texts())}
_ENDPOINT = record(
    "Endpoint (clause 5.2.15)",
    {
        "uri": texts("http, https, mqtt or mqtts", format="uri"),
        "accept": {"enum": ["application/json", "application/ld+json", "application/geo+json"]},
        "timeout": {"type": "number"},
        "cooldown": {"type": "number"},
        "receiverInfo": array(ref("KeyValuePair")),
        "notifierInfo": array(ref("KeyValuePair")),
    },
    ("uri",),
)
_NOTIFY = record(
    "NotificationParams (clause 5.2.14)",
    {
        "attributes": array(texts()),
        "pick": array(texts()),
        "omit": array(texts()),
        "format": texts(),
        "showChanges": {"type": "boolean"},
        "sysAttrs": {"type": "boolean"},
        "join": texts(),
        "joinLevel": {"type": "integer"},
        "endpoint": ref("Endpoint"),
        "status": texts(),
        "timesSent": COUNT,
        "timesFailed": COUNT,
        "lastNotification": INSTANT,
        "lastSuccess": INSTANT,
        "lastFailure": INSTANT,
    },
    ("endpoint",),
)
_SUBSCRIPTION: Mapping[str, Schema] = {
    "id": URI,
    "type": {"const": "Subscription"},
    "subscriptionName": texts(),
    "description": texts(),
    "entities": array(ref("EntitySelector"), minItems=1),
    "watchedAttributes": array(texts(), minItems=1),
    "notificationTrigger": array(texts(), minItems=1),
    "timeInterval": {"type": "number", "exclusiveMinimum": 0},
    "q": texts(),
    "geoQ": ref("GeoQuery"),
    "scopeQ": texts(),
    "csf": texts(),
    "temporalQ": ref("TemporalQuery"),
    "lang": texts(),
    "isActive": {"type": "boolean"},
    "status": texts(),
    "expiresAt": INSTANT,
    "throttling": {"type": "number", "exclusiveMinimum": 0},
    "datasetId": array(texts()),
    "jsonldContext": URI,
    "createdAt": INSTANT,
    "modifiedAt": INSTANT,
    "@context": ref("Context"),
}
_IDENTIFIED = ("id", "type")
SCHEMAS: Mapping[str, Schema] = {
    "Context": {
        "description": "A JSON-LD @context: an address, an object, or a list of them",
        "oneOf": [URI, {"type": "object"}, array({"oneOf": [URI, {"type": "object"}]})],
    },
    "Geometry": record(
        "A GeoJSON geometry (RFC 7946)",
        {
            "type": {"enum": ["Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon"]},
            "coordinates": array({}),
        },
        ("type", "coordinates"),
    ),
    **ATTRIBUTE_KINDS,
    "Attribute": {
        "description": "An attribute: normalized, concise or simplified; a fragment of it in a change",
    },
    "Entity": record(f"Entity (clauses 5.2.4, 4.5.1){_FURTHER}", _ENTITY, _IDENTIFIED),
    "EntityList": array(ref("Entity")),
    "EntityFragment": record(f"Entity fragment (clause 5.4){_FURTHER}", _ENTITY),
    "EntityFragmentList": array(record("An entity fragment with its id", _ENTITY, ("id",))),
    "EntityIds": array(URI),
    "Feature": record(
        "An entity as GeoJSON (clause 4.5.16)",
        {
            "id": URI,
            "type": {"const": "Feature"},
            "geometry": {"oneOf": [ref("Geometry"), {"type": "null"}]},
            "properties": {"type": "object"},
            "@context": ref("Context"),
        },
        ("id", "type", "geometry", "properties"),
    ),
    "FeatureCollection": record(
        "Entities as GeoJSON (clause 4.5.16)",
        {"type": {"const": "FeatureCollection"}, "features": array(ref("Feature")), "@context": ref("Context")},
        ("type", "features"),
    ),
    "EntityTemporal": record(
        "Temporal representation of an entity (clause 4.5.6); further members are lists of attribute instances, or "
        "objects of pairs where temporalValues or aggregatedValues are asked for",
        _ENTITY,
        _IDENTIFIED,
    ),
    "EntityTemporalList": array(ref("EntityTemporal")),
    "EntityTemporalFragment": record("Attribute instances to add (clause 5.6.12)", _ENTITY),
    "EntitySelector": _SELECTOR,
    "GeoQuery": _GEO_QUERY,
    "TemporalQuery": _TEMPORAL_QUERY,
    "KeyValuePair": record("KeyValuePair (clause 5.2.22)", {"key": texts(), "value": texts()}, ("key", "value")),
    "Endpoint": _ENDPOINT,
    "NotificationParams": _NOTIFY,
    "Query": record(
        "Query (clause 5.2.23)",
        {
            "type": {"const": "Query"},
            "entities": array(ref("EntitySelector"), minItems=1),
            **_PROJECTION,
            "q": texts(),
            "geoQ": ref("GeoQuery"),
            "temporalQ": ref("TemporalQuery"),
            "scopeQ": texts(),
            "lang": texts(),
            "datasetId": array(texts()),
            "join": texts(),
            "joinLevel": {"type": "integer"},
            "@context": ref("Context"),
        },
        ("type",),
    ),
    "Subscription": record(
        "Subscription (clause 5.2.12)",
        {**_SUBSCRIPTION, "notification": ref("NotificationParams")},
        ("type", "notification"),
    ),
    "SubscriptionList": array(ref("Subscription")),
    "SubscriptionFragment": record(
        "Members of a subscription to change (clause 5.8.2); null removes one",
        {name: {"anyOf": [schema, {"type": "null"}]} for name, schema in _SUBSCRIPTION.items() if name != "type"}
        | {"notification": {"type": "object"}},
    ),
    "Notification": record(
        "Notification (clause 5.3.1): what a subscription's endpoint gets",
        {
            "id": URI,
            "type": {"const": "Notification"},
            "subscriptionId": URI,
            "notifiedAt": INSTANT,
            "data": {"oneOf": [ref("EntityList"), ref("FeatureCollection")]},
        },
        ("id", "type", "subscriptionId", "notifiedAt", "data"),
    ),
    "UpdateResult": record(
        "UpdateResult (clause 5.2.18)",
        {
            "updated": array(texts()),
            "notUpdated": array(
                record(
                    "NotUpdatedDetails (clause 5.2.19)",
                    {"attributeName": texts(), "reason": texts()},
                    ("attributeName", "reason"),
                )
            ),
        },
        ("updated", "notUpdated"),
    ),
    "BatchOperationResult": record(
        "BatchOperationResult (clause 5.2.16)",
        {"success": array(texts()), "errors": array(ref("BatchEntityError"))},
        ("success", "errors"),
    ),
    "BatchEntityError": record(
        "BatchEntityError (clause 5.2.17)", {"entityId": texts(), "error": ref("ProblemDetails")}, ("entityId", "error")
    ),
    "ProblemDetails": record(
        "ProblemDetails (clause 5.5.3, RFC 9457)",
        {
            "type": URI,
            "title": texts(),
            "status": {"type": "integer"},
            "detail": texts(),
            "code": texts("A stable name of the refusal"),
            "where": texts("The member, parameter or header that is at fault"),
            "hint": texts("What to do"),
        },
        ("type", "title", "status", "detail"),
    ),
    "EntityTypeList": {"oneOf": [ref("EntityTypeNames"), array(ref("EntityType"))]},
    "EntityTypeNames": record(
        "EntityTypeList (clause 5.2.24)",
        {"id": URI, "type": {"const": "EntityTypeList"}, "typeList": array(texts()), "@context": ref("Context")},
        ("id", "type", "typeList"),
    ),
    "EntityType": record(
        "EntityType (clause 5.2.25)",
        {
            "id": texts(),
            "type": {"const": "EntityType"},
            "typeName": texts(),
            "attributeNames": array(texts()),
            "@context": ref("Context"),
        },
        ("id", "type", "typeName", "attributeNames"),
    ),
    "EntityTypeInfo": record(
        "EntityTypeInfo (clause 5.2.26)",
        {
            "id": texts(),
            "type": {"const": "EntityTypeInfo"},
            "typeName": texts(),
            "entityCount": COUNT,
            "attributeDetails": array({"type": "object"}),
            "@context": ref("Context"),
        },
        ("id", "type", "typeName", "entityCount", "attributeDetails"),
    ),
    "AttributeList": {"oneOf": [ref("AttributeNames"), array(ref("AttributeInfo"))]},
    "AttributeNames": record(
        "AttributeList (clause 5.2.27)",
        {
            "id": URI,
            "type": {"const": "AttributeList"},
            "attributeList": array(texts()),
            "@context": ref("Context"),
        },
        ("id", "type", "attributeList"),
    ),
    "AttributeInfo": record(
        "Attribute (clause 5.2.28)",
        {
            "id": texts(),
            "type": {"const": "Attribute"},
            "attributeName": texts(),
            "attributeCount": COUNT,
            "attributeTypes": array(texts()),
            "typeNames": array(texts()),
            "@context": ref("Context"),
        },
        ("id", "type", "attributeName"),
    ),
    "LdContext": record(
        "An @context (clauses 5.13.2, 5.13.4), or what the hub knows of it", {"@context": ref("Context")}
    ),
    "LdContextList": array({"oneOf": [texts("The address of an @context"), ref("LdContextDetails")]}),
    "LdContextDetails": record(
        "What the hub knows of an @context (clause 5.13.3)",
        {
            "URL": texts(),
            "localId": texts(),
            "kind": {"enum": ["Hosted", "Cached", "ImplicitlyCreated"]},
            "createdAt": INSTANT,
            "lastUsage": INSTANT,
            "numberOfHits": COUNT,
        },
        ("URL", "kind"),
    ),
    "OpenApi": record("This description (OpenAPI 3.1)", {"openapi": texts()}, ("openapi", "info", "paths")),
}
"""Every schema an operation may name, and those they are made of."""
