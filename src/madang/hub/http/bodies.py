"""The bodies of hub requests: their @context, the entity they speak of, how they are to be read, whether the asker may
write it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from madang.hub.access import Access
from madang.hub.changes import Effect, Mutation, Outcome, only_of
from madang.hub.contexts.context import Context, Json
from madang.hub.entity import Entity, check_id, instant, read_fragment
from madang.hub.errors import BadRequestDataError, InvalidRequestError, NgsiLdError
from madang.hub.http.parameters import check_parameters
from madang.hub.http.wire import Request, body_context, decode, media_type
from madang.hub.query import TypeAll, TypeName, TypeSelection, parse_types
from madang.identity.rights import Right

if TYPE_CHECKING:
    from madang.hub.http.app import HubApp

_SIMPLIFIED = frozenset({"keyValues", "simplified"})
_FORMS = _SIMPLIFIED | {"concise", "normalized"}


@dataclass(frozen=True, slots=True)
class Writing:
    """What the query string of a write says (clauses 6.3.6, 6.3.7, 6.4 to 6.7)."""

    simplified: bool = False
    options: frozenset[str] = frozenset()
    types: TypeSelection | None = None
    """The entity is one of these types, or is not found."""
    observed_at: str = ""
    lang: str = ""


PLAIN = Writing()


def read_writing(
    request: Request, names: Context, known: frozenset[str], options: frozenset[str] = frozenset()
) -> Writing:
    """The query string of a write; `options` are those the operation knows beside the representations."""
    if not request.query_string:
        return PLAIN
    parameters = request.parameters
    check_parameters(parameters, known)
    given = frozenset(one for one in parameters.get("options", "").split(",") if one)
    if unknown := given - options - _FORMS:
        raise BadRequestDataError(f"options={sorted(unknown)[0][:60]} is not known here", where="options")
    said = parameters.get("format", "")
    if said and said not in _FORMS:
        raise BadRequestDataError(f"format={said[:40]} is not known", where="format", hint=", ".join(sorted(_FORMS)))
    observed = parameters.get("observedAt", "")
    return Writing(
        simplified=said in _SIMPLIFIED if said else bool(_SIMPLIFIED & given),
        options=given,
        types=parse_types(parameters.get("type", ""), names),
        observed_at=instant(observed, "observedAt") if observed else "",
        lang=_language(parameters.get("lang", "")),
    )


def _language(text: str) -> str:
    tag = text.strip()
    if len(tag) > 64 or not all(part.isalnum() and part.isascii() for part in tag.split("-") if tag):
        raise BadRequestDataError(f"{tag[:40]!r} is no language tag", where="lang", hint="RFC 5646, e.g. ko, en-GB")
    return tag


def selects(selection: TypeSelection, types: Collection[str]) -> bool:
    """Whether an entity of these types is one a selection means (clause 4.17)."""
    if isinstance(selection, TypeName):
        return selection.name in types
    several = all if isinstance(selection, TypeAll) else any
    return several(selects(part, types) for part in selection.parts)


def of_types(mutation: Mutation, selection: TypeSelection | None) -> Mutation:
    """The same mutation, for entities of the types asked for."""
    return mutation if selection is None else only_of(mutation, lambda types: selects(selection, types))


async def read_body(
    app: HubApp, request: Request, *, patch: bool = False, body: bytes | None = None
) -> tuple[dict[str, Json], Context]:
    """A JSON object and the @context it is written in; `body` where it has been received already."""
    media = media_type(request.headers, patch=patch)
    raw = decode(await request.body(app.config.max_body) if body is None else body)
    if not isinstance(raw, dict):
        raise InvalidRequestError("The body is a JSON object here", where="body")
    return raw, await body_context(request, media, raw, app.hub.contexts)


def path_fragment(
    app: HubApp,
    request: Request,
    raw: Json,
    names: Context,
    how: Writing,
    *,
    nulls: bool = False,
    values_needed: bool = True,
) -> Entity:
    """The body of a request about one entity; its id, where it has one, must be the path's."""
    entity_id = check_id(request.segments[1])
    fragment = read_fragment(
        raw,
        names,
        simplified=how.simplified,
        max_depth=app.config.max_depth,
        nulls=nulls,
        values_needed=values_needed,
    )
    if fragment.id and fragment.id != entity_id:
        raise BadRequestDataError("The id in the body is not that of the path", where="id")
    fragment.id = entity_id
    return fragment


def allow(app: HubApp, request: Request, access: Access, entity: Entity, right: Right = Right.HUB_UPDATE) -> None:
    """Raises unless an entity of this size, expiry and types may be written by the asker."""
    said = request.headers.get(b"content-length", b"0")
    if said.isdigit() and int(said) > app.config.max_entity:
        raise BadRequestDataError(f"One entity has at most {app.config.max_entity} bytes", where="body")
    if entity.expires_ms is not None:
        app.hub.expiry.check(entity)
    if (refusal := access.refusal(right, entity.types)) is not None:
        raise refusal


async def apply(app: HubApp, access: Access, mutation: Mutation) -> Effect:
    """What a mutation did; a refusal is raised."""
    tenant, source = access.tenant, access.source
    touches = (tenant, (mutation.entity_id,))
    outcome: Outcome = await app.hub.store.write(lambda tx: tx.apply(tenant, mutation, source), touches)
    if isinstance(outcome, NgsiLdError):
        raise outcome
    if outcome.expires_ms is not None:
        app.hub.expiry.note(outcome.expires_ms)
    return outcome


def said_id(raw: Json) -> str:
    """The id an item of a batch gives, for the report on it."""
    return str(raw.get("id", ""))[:200] if isinstance(raw, dict) else ""
