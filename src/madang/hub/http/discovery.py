"""Which types and attributes there are (clauses 5.7.5–5.7.10, 6.25–6.28)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from madang.hub.access import Access
from madang.hub.census import Census, Tally
from madang.hub.contexts.context import Context, Json
from madang.hub.errors import ResourceNotFoundError
from madang.hub.http.operation import Operation
from madang.hub.http.pages import with_context
from madang.hub.http.parameters import check_parameters
from madang.hub.http.wire import JSON_LD, Request, Response, accepted, json_headers, request_context
from madang.hub.names import expand_canonical
from madang.hub.query import boolean
from madang.kernel.ids import new_id

if TYPE_CHECKING:
    from madang.hub.http.app import HubApp

_LIST = frozenset({"details", "local"})
_ONE = frozenset({"local"})


@dataclass(slots=True)
class _Seen:
    """What one asker may know of a census."""

    census: Census
    access: Access

    def types(self) -> dict[str, int]:
        """Entities by each type, in order of name."""
        found: dict[str, int] = {}
        for types, entities in self.census.entities.items():
            for one in types:
                if self.access.sees((one,)):
                    found[one] = found.get(one, 0) + entities
        return dict(sorted(found.items()))

    def tallies(self) -> Iterable[Tally]:
        """Attributes of entities that may be read."""
        return (one for one in self.census.tallies if self.access.sees(one.types))

    def of_type(self, name: str) -> dict[str, list[str]]:
        """The attributes of a type, each with its kinds."""
        found: dict[str, set[str]] = {}
        for one in self.tallies():
            if name in one.types:
                found.setdefault(one.name, set()).add(one.kind)
        return {attribute: sorted(kinds) for attribute, kinds in sorted(found.items())}

    def attributes(self) -> dict[str, list[Tally]]:
        """Each attribute with where it occurs."""
        found: dict[str, list[Tally]] = {}
        for one in self.tallies():
            found.setdefault(one.name, []).append(one)
        return dict(sorted(found.items()))

    def type_names(self, tallies: Iterable[Tally]) -> list[str]:
        """The readable types among those of some tallies."""
        return sorted({name for one in tallies for name in one.types if self.access.sees((name,))})


async def types(app: HubApp, request: Request, access: Access) -> Response:
    """Retrieve Available Entity Types, with details or without (clauses 5.7.5, 5.7.6, 6.25.3.1)."""
    seen, names, media = await _asked(app, request, access, _LIST)
    found = [*seen.types()]
    if boolean(request.parameters.get("details", "false"), "details"):
        return _response([_type(one, seen, names) for one in found], names, media)
    listed = [names.term(one) for one in found]
    return _response({"id": _list_id("EntityTypeList"), "type": "EntityTypeList", "typeList": listed}, names, media)


def _type(name: str, seen: _Seen, names: Context) -> dict[str, Json]:
    """An EntityType (clause 5.2.25)."""
    return {
        "id": expand_canonical(name),
        "type": "EntityType",
        "typeName": names.term(name),
        "attributeNames": [names.term(one) for one in seen.of_type(name)],
    }


async def one_type(app: HubApp, request: Request, access: Access) -> Response:
    """Retrieve Entity Type Information (clauses 5.7.7, 6.26.3.1)."""
    seen, names, media = await _asked(app, request, access, _ONE)
    name = names.canonical(request.segments[1])
    entities = seen.types().get(name, 0)
    if not entities:
        raise ResourceNotFoundError(f"There is no entity of type {request.segments[1][:200]}", where="type")
    details = [
        {"id": expand_canonical(one), "type": "Attribute", "attributeName": names.term(one), "attributeTypes": kinds}
        for one, kinds in seen.of_type(name).items()
    ]
    body = {
        "id": expand_canonical(name),
        "type": "EntityTypeInfo",
        "typeName": names.term(name),
        "entityCount": entities,
        "attributeDetails": details,
    }
    return _response(body, names, media)


async def attributes(app: HubApp, request: Request, access: Access) -> Response:
    """Retrieve Available Attributes, with details or without (clauses 5.7.8, 5.7.9, 6.27.3.1)."""
    seen, names, media = await _asked(app, request, access, _LIST)
    found = seen.attributes()
    if boolean(request.parameters.get("details", "false"), "details"):
        return _response([_attribute(one, tallies, seen, names) for one, tallies in found.items()], names, media)
    listed = [names.term(one) for one in found]
    return _response({"id": _list_id("AttributeList"), "type": "AttributeList", "attributeList": listed}, names, media)


def _attribute(name: str, tallies: list[Tally], seen: _Seen, names: Context) -> dict[str, Json]:
    """An Attribute as the detailed list has it (clauses 4.5.14, 5.2.28)."""
    return {
        "id": expand_canonical(name),
        "type": "Attribute",
        "attributeName": names.term(name),
        "typeNames": [names.term(one) for one in seen.type_names(tallies)],
    }


async def one_attribute(app: HubApp, request: Request, access: Access) -> Response:
    """Retrieve Attribute Information (clauses 5.7.10, 6.28.3.1)."""
    seen, names, media = await _asked(app, request, access, _ONE)
    name = names.canonical(request.segments[1])
    tallies = seen.attributes().get(name)
    if not tallies:
        raise ResourceNotFoundError(f"There is no attribute {request.segments[1][:200]}", where="attrId")
    body = _attribute(name, tallies, seen, names) | {
        "attributeCount": sum(one.instances for one in tallies),
        "attributeTypes": sorted({one.kind for one in tallies}),
    }
    return _response(body, names, media)


async def _asked(app: HubApp, request: Request, access: Access, known: frozenset[str]) -> tuple[_Seen, Context, bytes]:
    media = accepted(request.headers.get(b"accept", b"*/*"))
    check_parameters(request.parameters, known)
    names = await request_context(request, app.hub.contexts)
    return _Seen(await app.censuses.of(access.tenant), access), names, media


def _list_id(kind: str) -> str:
    return f"urn:ngsi-ld:{kind}:{new_id()}"


def _response(body: Json, names: Context, media: bytes) -> Response:
    if media == JSON_LD:
        parts = [with_context(orjson.dumps(one), names) for one in (body if isinstance(body, list) else [body])]
        raw = b"[" + b",".join(parts) + b"]" if isinstance(body, list) else parts[0]
    else:
        raw = orjson.dumps(body)
    return Response(200, json_headers(media, names), raw)


OPERATIONS = (
    Operation(
        "GET",
        "/types",
        "retrieveEntityTypes",
        ("5.7.5", "5.7.6", "6.25.3.1"),
        "List the types of entities",
        types,
        _LIST,
        answers={200: "EntityTypeList"},
    ),
    Operation(
        "GET",
        "/types/{type}",
        "retrieveEntityTypeInfo",
        ("5.7.7", "6.26.3.1"),
        "Tell of one type of entities",
        one_type,
        _ONE,
        answers={200: "EntityTypeInfo"},
    ),
    Operation(
        "GET",
        "/attributes",
        "retrieveAttrTypes",
        ("5.7.8", "5.7.9", "6.27.3.1"),
        "List the attributes of entities",
        attributes,
        _LIST,
        answers={200: "AttributeList"},
    ),
    Operation(
        "GET",
        "/attributes/{attrId}",
        "retrieveAttrTypeInfo",
        ("5.7.10", "6.28.3.1"),
        "Tell of one attribute",
        one_attribute,
        _ONE,
        answers={200: "AttributeInfo"},
    ),
)
"""What this module answers."""
