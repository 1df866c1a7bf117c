"""Names of attributes and types: one canonical spelling inside, whatever @context the client speaks.

The canonical spelling of an IRI is what the NGSI-LD core @context would compact it to. An entity written with it is
therefore already the rendering most clients ask for, and its bytes can be answered as they lie in the store.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from madang.hub.errors import BadRequestDataError

NGSI = "https://uri.etsi.org/ngsi-ld/"
DEFAULT = NGSI + "default-context/"
GEOJSON = "https://purl.org/geojson/vocab#"
CORE_URL = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.8.jsonld"
CORE_ADDRESS = re.compile(r"https?://uri\.etsi\.org/ngsi-ld/v1/ngsi-ld-core-context[\w.-]*\.jsonld\Z")

_PLAIN_TERMS = """
Attribute AttributeList ContextSourceIdentity ContextSourceNotification ContextSourceRegistration Date DateTime
EntityType EntityTypeInfo EntityTypeList ExecutionResultDetails GeoProperty LanguageProperty ListProperty
ListRelationship JsonProperty Notification Property Relationship Subscription TemporalProperty Time VocabProperty
accept attributeCount attributeDetails attributeList attributeName attributeNames attributeTypes attributes attrs
avg cacheDuration containedBy contextSourceAlias contextSourceExtras contextSourceInfo contextSourceTimeAt
contextSourceUptime cooldown createdAt csf data datasetId deletedAt detail distinctCount endAt endTimeAt endpoint
entities entityCount entityId entityList error errors expiresAt format geoQ geoproperty georel id idPattern
information instanceId isActive join joinLevel jsonldContext key lang lastFailure lastNotification lastSuccess
localOnly location management managementInterval max min mode modifiedAt notification notificationTrigger notifiedAt
notifierInfo notUpdated objectType objectsLists observationInterval observationSpace observedAt operationSpace
operations ordered pick omit previousJson previousLanguageMap previousObject previousObjectList previousValue
previousValueList previousVocab propertyNames q reason receiverInfo refreshRate registrationId registrationName
relationshipNames scope scopeQ showChanges startAt status subscriptionId subscriptionName success sum sumsq stddev
sysAttrs temporalQ tenant throttling timeAt timeInterval timeout timeproperty timerel timesFailed timesSent
totalCount triggerReason typeList typeName typeNames unchanged unitCode updated uri valueType watchedAttributes
"""
_GEO_TERMS = """
Feature FeatureCollection GeometryCollection LineString MultiLineString MultiPoint MultiPolygon Point Polygon
bbox coordinates features geometry properties
"""

CORE: dict[str, str] = (
    {term: NGSI + term for term in _PLAIN_TERMS.split()}
    | {term: GEOJSON + term for term in _GEO_TERMS.split()}
    | {
        "id": "@id",
        "type": "@type",
        "value": NGSI + "hasValue",
        "values": NGSI + "hasValues",
        "object": NGSI + "hasObject",
        "objects": NGSI + "hasObjects",
        "objectList": NGSI + "hasObjectList",
        "valueList": NGSI + "hasValueList",
        "languageMap": NGSI + "hasLanguageMap",
        "vocab": NGSI + "hasVocab",
        "json": NGSI + "hasJSON",
        "entity": NGSI + "hasEntity",
        "title": "http://purl.org/dc/terms/title",
        "description": "http://purl.org/dc/terms/description",
    }
)
CORE_BY_IRI = {iri: term for term, iri in CORE.items()}
PREFIXES = {"ngsi-ld": NGSI, "geojson": GEOJSON}

_FORBIDDEN = re.compile(r"[\s<>\"'=;()|\\\x00-\x1f{}`^\[\]]")
URI = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[^\s<>\"{}|\\^`\x00-\x1f]+\Z")


@lru_cache(maxsize=1)
def core_document() -> dict[str, Any]:  # Any: a JSON-LD context document
    """The core @context as a document, for clients that fetch it and for the oracle in tests."""
    coerced: dict[str, Any] = {
        "object": {"@id": NGSI + "hasObject", "@type": "@id"},
        "datasetId": {"@id": NGSI + "datasetId", "@type": "@id"},
        "instanceId": {"@id": NGSI + "instanceId", "@type": "@id"},
        "vocab": {"@id": NGSI + "hasVocab", "@type": "@vocab"},
        "json": {"@id": NGSI + "hasJSON", "@type": "@json"},
        "languageMap": {"@id": NGSI + "hasLanguageMap", "@container": "@language"},
        "valueList": {"@id": NGSI + "hasValueList", "@container": "@list"},
        "objectList": {"@id": NGSI + "hasObjectList", "@container": "@list"},
        "coordinates": {"@id": GEOJSON + "coordinates", "@container": "@list"},
        "features": {"@id": GEOJSON + "features", "@container": "@set"},
        "bbox": {"@id": GEOJSON + "bbox", "@container": "@list"},
        **{
            term: {"@id": NGSI + term, "@type": NGSI + "DateTime"}
            for term in ("observedAt", "createdAt", "modifiedAt", "deletedAt", "expiresAt", "startAt", "endAt")
        },
    }
    return {"@context": {"@version": 1.1, **PREFIXES, **CORE, **coerced, "@vocab": DEFAULT}}


def canonical_iri(iri: str) -> str:
    """How the core @context compacts an absolute IRI."""
    if (term := CORE_BY_IRI.get(iri)) is not None:
        return term
    if iri.startswith(DEFAULT):
        name = iri[len(DEFAULT) :]
        return name if name and ":" not in name and name not in CORE else iri
    for prefix, base in PREFIXES.items():
        if iri.startswith(base) and len(iri) > len(base):
            return f"{prefix}:{iri[len(base) :]}"
    return iri


def expand_canonical(name: str) -> str:
    """The absolute IRI of a canonical name."""
    if (iri := CORE.get(name)) is not None:
        return iri
    prefix, colon, rest = name.partition(":")
    if not colon:
        return DEFAULT + name
    return PREFIXES[prefix] + rest if prefix in PREFIXES else name


def check_name(name: str, what: str = "attribute name") -> str:
    """The name, if it may be one (clause 4.6.2); raises `BadRequestDataError`."""
    if not name or len(name) > 2048 or _FORBIDDEN.search(name):
        raise BadRequestDataError(
            f"{name[:80]!r} cannot be an {what}", where=name[:80], hint="Use letters, digits and _ - . or a full IRI"
        )
    return name


def is_uri(value: object) -> bool:
    """Whether it is text of the form of a URI (non-ASCII letters allowed, as in an IRI)."""
    return isinstance(value, str) and len(value) <= 2048 and URI.match(value) is not None
