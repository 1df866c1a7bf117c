"""The door for devices that speak plain HTTP: a batch of readings, taken once however often it is sent.

`POST /ingest/v1/batch` with `Idempotency-Key`. The body is an array of NGSI-LD fragments (each with id and type), or
with `?map=NAME` of simple readings that the configuration maps. The key goes through the journal's inbox in the same
commit as the readings: sent again it gets the same answer; with another body it is refused and an alarm is raised.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import orjson

from madang.hub import changes as change
from madang.hub.access import Access
from madang.hub.changes import Mutation, Op
from madang.hub.config import ReadingMap
from madang.hub.contexts.context import CORE_CONTEXT, Context, Json
from madang.hub.entity import Entity, has_kind, read_entity
from madang.hub.errors import (
    BadRequestDataError,
    InvalidRequestError,
    KeyReusedError,
    MethodRefusedError,
    NgsiLdError,
    TooComplexQueryError,
)
from madang.hub.http.wire import JSON, JSON_LD, Request, Response, decode, media_type, request_context
from madang.hub.hub import Hub
from madang.hub.store import WriteTx
from madang.identity.rights import Right
from madang.journal import inbox
from madang.journal.inbox import Arrival, Receipt

KIND = "hub.batch"
_KEY = re.compile(r"[\x21-\x7e]{1,200}\Z")
_FIELD = re.compile(r"\{(\w+)\}")


class Door:
    """The batch door of one hub."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def post(self, request: Request, access: Access) -> Response:
        """Takes a batch; 200 when all of it was good, 207 with the places and reasons of what was not."""
        if request.method != "POST":
            raise MethodRefusedError("A batch is sent with POST", allow="POST")
        key = _idempotency_key(request)
        media = media_type(request.headers, sized=False)
        body = await request.body(self._hub.config.max_body)
        items = await self._items(body, access)
        mapping = self._mapping(request)
        names = CORE_CONTEXT if media == JSON_LD else await request_context(request, self._hub.contexts)
        read = [await self._read(raw, names, mapping, access) for raw in items]
        answer = await self._hub.store.write(lambda tx: self._take(tx, access, key, body, read))
        if isinstance(answer, NgsiLdError):
            raise answer
        return Response(200 if b'"rejected":[]' in answer else 207, [(b"content-type", JSON)], answer)

    async def _items(self, body: bytes, access: Access) -> list[Json]:
        try:
            items = decode(body)
            if not isinstance(items, list) or not items:
                raise BadRequestDataError("A batch is a JSON array of at least one reading", where="body")
            if len(items) > self._hub.config.max_batch:
                raise TooComplexQueryError(f"A batch has at most {self._hub.config.max_batch} readings", where="body")
        except NgsiLdError as error:
            await self._hub.reject(access.tenant, access.source, error.detail, body[:4096])
            raise
        return items

    def _mapping(self, request: Request) -> ReadingMap | None:
        name = request.parameters.get("map") if request.query_string else None
        if name is None:
            return None
        mapping = self._hub.config.readings.get(name)
        if mapping is None:
            raise InvalidRequestError(f"There is no reading map {name[:60]!r}", where="map")
        return mapping

    async def _read(
        self, raw: Json, names: Context, mapping: ReadingMap | None, access: Access
    ) -> tuple[Mutation | NgsiLdError, Json]:
        try:
            entity = await self._entity(raw, names, mapping)
            if (refusal := access.refusal(Right.INGEST, entity.types)) is not None:
                raise refusal
            return access.guarded(change.ingest(entity), Right.INGEST), raw
        except NgsiLdError as error:
            return error, raw

    async def _entity(self, raw: Json, names: Context, mapping: ReadingMap | None) -> Entity:
        if mapping is not None:
            return read_entity(mapped(raw, mapping), CORE_CONTEXT)
        if isinstance(raw, dict) and "@context" in raw:
            names = await self._hub.contexts.get(raw["@context"])
        simplified = isinstance(raw, dict) and not any(has_kind(value) for value in raw.values())
        return read_entity(raw, names, simplified=simplified, max_depth=self._hub.config.max_depth)

    def _take(
        self, tx: WriteTx, access: Access, key: str, body: bytes, read: list[tuple[Mutation | NgsiLdError, Json]]
    ) -> bytes | NgsiLdError:
        source = f"door:{access.source}"[:100]
        mode = self._hub.config.mode
        arrival = Arrival(source, key, KIND, key, body, access.tenant, mode)
        receipt = inbox.accept(tx.session, arrival, tx.at)
        if receipt is Receipt.CONFLICTING:
            return KeyReusedError(
                f"The Idempotency-Key {key!r} came before with another body",
                where="Idempotency-Key",
                hint="Use a new key",
            )
        if receipt is Receipt.REPEATED:
            known = tx.answered(source, key)
            return known if known is not None else KeyReusedError("The batch was taken; its answer is no longer kept")
        answer = orjson.dumps(_applied(tx, access, read))
        tx.answer(source, key, answer)
        sql = "SELECT seq FROM journal_inbox WHERE source = ? AND message_id = ?"
        inbox.LANES.claim(tx.session, tx.session.execute(sql, (source, key))[0][0], tx.at)
        return answer


def _idempotency_key(request: Request) -> str:
    key = request.headers.get(b"idempotency-key", b"").decode("latin-1").strip().strip('"')
    if not _KEY.match(key):
        raise InvalidRequestError(
            "A batch needs an Idempotency-Key of 1 to 200 visible ASCII characters",
            where="Idempotency-Key",
            hint="Make a new one for every batch and send it again with every retry",
        )
    return key


def _applied(tx: WriteTx, access: Access, read: list[tuple[Mutation | NgsiLdError, Json]]) -> dict[str, Json]:
    accepted = 0
    created: list[str] = []
    rejected: list[Json] = []
    for index, (item, raw) in enumerate(read):
        outcome = item if isinstance(item, NgsiLdError) else tx.apply(access.tenant, item, access.source)
        if isinstance(outcome, NgsiLdError):
            said = str(raw.get("id", ""))[:200] if isinstance(raw, dict) else ""
            rejected.append({"index": index, "entityId": said, "error": outcome.problem()})
            tx.reject(access.tenant, access.source, outcome.detail, _bytes(raw))
            continue
        accepted += 1
        if outcome.op is Op.CREATED and not isinstance(item, NgsiLdError):
            created.append(item.entity_id)
    tx.heard(access.tenant, access.source, accepted)
    return {"accepted": accepted, "created": created, "rejected": rejected}


def _bytes(raw: Json) -> bytes:
    try:
        return orjson.dumps(raw)
    except TypeError:
        return repr(raw).encode(errors="replace")


def mapped(raw: Json, mapping: ReadingMap) -> dict[str, Json]:
    """A simple reading as an NGSI-LD fragment; raises `BadRequestDataError` for a missing field."""
    if not isinstance(raw, dict):
        raise BadRequestDataError("A reading is a JSON object", where="body")
    fragment: dict[str, Json] = {"id": _filled(mapping.id, raw), "type": mapping.type}
    observed_at = raw.get(mapping.observed_at)
    for field, attribute in mapping.attributes.items():
        if raw.get(field) is None:
            continue
        value: dict[str, Json] = {"type": "Property", "value": raw[field]}
        if observed_at is not None:
            value["observedAt"] = observed_at
        if field in mapping.unit_codes:
            value["unitCode"] = mapping.unit_codes[field]
        fragment[attribute] = value
    if len(fragment) == 2:
        raise BadRequestDataError("The reading has none of the mapped fields", hint=", ".join(mapping.attributes))
    return fragment


def _filled(template: str, raw: Mapping[str, Json]) -> str:
    def value(match: re.Match[str]) -> str:
        found = raw.get(match[1])
        if isinstance(found, bool) or not isinstance(found, (str, int)):
            raise BadRequestDataError(f"The reading has no {match[1]}", where=match[1])
        return str(found)

    return _FIELD.sub(value, template)
